"""docs/http.md is what the descriptions of ingress and dashboard say now."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from cli import _pages
from core.pages import DOCS
from dashboard import openapi


@pytest.mark.parametrize("name", _pages.PAGES)
def test_a_page_made_from_code_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == _pages.PAGES[name](), "run `make pages`"


def test_every_route_stands_on_the_page() -> None:
    page = _pages.http_page()
    ingress = json.loads(resources.files("ingest").joinpath("openapi.json").read_bytes())
    dashboard = json.loads(openapi.document())
    routes = [
        f"### {method.upper()} {path}"
        for described in (ingress, dashboard)
        for path, item in described["paths"].items()
        for method in item
        if method != "parameters"
    ]
    assert [route for route in routes if f"\n{route}\n" not in page] == []
    assert len(routes) == page.count("\n### ")
