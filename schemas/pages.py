"""The reference page of the topics: `python -m schemas.pages` writes docs/topics.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from core.pages import table, write
from core.settings import Settings, parse
from schemas import topics
from schemas.asyncapi import config_of
from schemas.channels import CHANNELS, Channel, meanings
from schemas.jsonschema import schema_of

_MADE: Final = (
    "<!-- Made by `python -m schemas.pages` from schemas/channels.py and schemas/records.py: change it there. -->"
)
_INTRO: Final = """\
What you can consume from Kafka. Delivery is at least once: of two records with one identity it is decided which holds
([how](architecture.md)). Values of ours are JSON in UTF-8: times ISO 8601 with milliseconds and Z, ids text, what is
absent null. Fields are only ever added: read past those that you do not know.

The same as AsyncAPI 3.0: `schemas/asyncapi.json`; each value's JSON Schema: `schemas/im.*.schema.json`. Rights and
settings of topics in your own cluster: [your own Kafka](kafka.md). `operator` is who runs the commands that send events
again (`receipts replay`, `receipts restore`, `receipts dead redrive`)."""

_OWN: Final = """\
## Topics of the processors alone

Their format changes between releases: do not consume them."""


def topics_page() -> str:
    """Return docs/topics.md."""
    settings = parse({})
    lines = ["# Topics", _MADE, "", _INTRO, "", *_overview(settings), ""]
    for channel in CHANNELS:
        lines += [*_section(channel), ""]
    lines += [_OWN, "", *_inner(settings)]
    return "\n".join(lines) + "\n"


def _overview(settings: Settings) -> list[str]:
    rows = (
        (
            f"[`{channel.topic}`](#{channel.topic.replace('.', '')})",
            ", ".join(channel.writes),
            ", ".join(channel.reads),
            f"`{config_of(channel.topic, settings)['cleanup.policy']}`",
            _kept(channel.topic, settings),
        )
        for channel in CHANNELS
    )
    return table(("topic", "written by", "read by", "cleanup.policy", "kept for"), rows)


def _kept(topic: str, settings: Settings) -> str:
    retention = config_of(topic, settings).get("retention.ms")
    if retention is None:
        return "as long as its key stands"
    return "ever" if retention == "-1" else "`RAW_RETENTION`"


def _section(channel: Channel) -> Iterator[str]:
    yield from (f"## {channel.topic}", "", channel.summary, "")
    yield from (f"- **Key:** {channel.key}", f"- **Partition:** {channel.partition}", f"- **Value:** {channel.value}")
    if channel.headers:
        yield ""
        rows = ((f"`{each.name}`", "always" if each.always else "sometimes", each.meaning) for each in channel.headers)
        yield from table(("header", "there", "meaning"), rows)
    if channel.record is not None:
        yield ""
        properties = schema_of(channel.record)["$defs"][channel.record.__name__]["properties"]
        told = meanings(channel.record)
        yield from table(
            ("field", "type", "meaning"), ((f"`{name}`", type_text(properties[name]), told[name]) for name in told)
        )


def type_text(schema: dict[str, Any]) -> str:
    """Return a JSON Schema's type in words: `integer or null`, `"open" or "resolved"`."""
    if "anyOf" in schema:
        return " or ".join(type_text(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f'"{each}"' for each in schema["enum"])
    if "additionalProperties" in schema:
        return f"object of {type_text(schema['additionalProperties'])}"
    return str(schema["type"])


def _inner(settings: Settings) -> list[str]:
    public = {channel.topic for channel in CHANNELS}
    names = (spec.name for spec in topics.specs(settings) if spec.name not in public)
    rows = ((f"`{name}`", f"`{config_of(name, settings)['cleanup.policy']}`") for name in names)
    return table(("topic", "cleanup.policy"), rows)


PAGES = {"topics.md": topics_page}


def main() -> None:
    """Write the pages."""
    write(PAGES)


if __name__ == "__main__":
    main()
