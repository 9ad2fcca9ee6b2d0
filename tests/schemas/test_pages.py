"""docs/topics.md is what the code says now."""

from __future__ import annotations

import pytest

from core.pages import DOCS, table
from schemas import pages, topics


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_page_made_from_code_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == pages.PAGES[name](), "run `make pages`"


def test_the_page_has_every_header_and_field() -> None:
    page = pages.topics_page()
    for name in (*topics.DEAD_HEADERS, topics.HEADER_ORIGIN, "sent_to_delivered_ms", "window_start", "due_time"):
        assert f"\n| `{name}` |" in page


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "integer"}, "integer"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer or null"),
        ({"enum": ["a", "b"]}, '"a" or "b"'),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer"),
    ],
)
def test_types_in_words(schema: dict[str, object], text: str) -> None:
    assert pages.type_text(schema) == text


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(("a",), [("x|y",)]) == ["| a |", "| --- |", "| x\\|y |"]
