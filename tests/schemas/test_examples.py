"""Every example of the source passes the ingress's and the processor's reading."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ingest.body import Split, split, strip
from schemas.events import MESSAGE_EVENT, SESSION_EVENT, STATUS_EVENT, decode, type_of
from schemas.shapes import Rejected

EXAMPLES = sorted((Path(__file__).parents[2] / "schemas" / "examples").glob("*.json"))


def elements(path: Path) -> list[bytes]:
    body = strip(path.read_bytes())
    if body[:1] != b"[":
        return [body]
    return [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_element_of_an_example_is_an_event(path: Path) -> None:
    found = split(strip(path.read_bytes()))
    assert isinstance(found, Split)
    assert found.parked == []
    assert [text for _, text, _ in found.accepted] == elements(path)
    for text in elements(path):
        assert not isinstance(decode(text), Rejected)


def test_every_event_type_has_an_example() -> None:
    events = [decode(text) for path in EXAMPLES for text in elements(path)]
    types = {type_of(event) for event in events if not isinstance(event, Rejected)}
    assert types > {STATUS_EVENT, MESSAGE_EVENT, SESSION_EVENT}
