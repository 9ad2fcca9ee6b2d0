"""JSON Schema files of the topics' values, made from the types: `python -m schemas.jsonschema` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from schemas import topics
from schemas.records import Alert, ChannelWindow, Transition

TYPES: dict[str, type[msgspec.Struct]] = {
    topics.TRANSITIONS: Transition,
    topics.WINDOWS: ChannelWindow,
    topics.ALERTS: Alert,
}


def schema_of(record: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a published type."""
    schema = msgspec.json.schema(record)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def render(record: type[msgspec.Struct]) -> str:
    """Return the text of a schema file."""
    return json.dumps(schema_of(record), indent=2, sort_keys=True) + "\n"


def write(folder: Path) -> None:
    """Write `<topic>.schema.json` for every topic of ours."""
    for topic, record in TYPES.items():
        (folder / f"{topic}.schema.json").write_text(render(record))


if __name__ == "__main__":
    write(Path(__file__).parent)
