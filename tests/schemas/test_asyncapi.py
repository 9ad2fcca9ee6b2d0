"""The AsyncAPI document: made from the code as it is now, well formed, and true of rights, topics and records."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from core.settings import parse
from schemas import asyncapi, topics
from schemas.channels import CHANNELS, meanings
from schemas.records import Alert, ChannelWindow, Transition
from tests.deploy.secured import rules

Object = dict[str, Any]
DOCUMENT: Object = json.loads(asyncapi.render())


def closed(required: tuple[str, ...], **properties: object) -> Object:
    """Return the schema of an object that has these properties and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


def each(schema: Object) -> Object:
    return {"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^[A-Za-z0-9_-]+$"}} | {
        "additionalProperties": schema
    }


TEXT: Object = {"type": "string", "minLength": 1}
REF = closed(("$ref",), **{"$ref": {"type": "string", "pattern": "^#/"}})
ANY: Object = {"type": "object"}
RULES = closed(
    ("asyncapi", "info", "channels", "operations", "components"),
    asyncapi={"const": "3.0.0"},
    info=closed(
        ("title", "version"), title=TEXT, version=TEXT, description=TEXT, license=closed(("name",), name=TEXT, url=TEXT)
    ),
    defaultContentType=TEXT,
    servers=each(
        closed(
            ("host", "protocol"),
            host=TEXT,
            protocol={"const": "kafka"},
            description=TEXT,
            variables=each(closed((), default=TEXT, description=TEXT)),
        )
    ),
    channels=each(
        closed(
            ("address", "messages"),
            address=TEXT,
            title=TEXT,
            description=TEXT,
            servers={"type": "array", "items": REF},
            messages=each(REF),
            bindings=closed(
                ("kafka",),
                kafka=closed(
                    ("topic", "bindingVersion"),
                    topic=TEXT,
                    partitions={"type": "integer", "minimum": 1},
                    replicas={"type": "integer", "minimum": 1},
                    topicConfiguration=closed(
                        (),
                        **{
                            "cleanup.policy": {"type": "array", "items": {"enum": ["delete", "compact"]}},
                            "retention.ms": {"type": "integer", "minimum": -1},
                            "max.message.bytes": {"type": "integer", "minimum": 0},
                        },
                    ),
                    bindingVersion=TEXT,
                ),
            ),
        )
    ),
    operations=each(
        closed(
            ("action", "channel"),
            action={"enum": ["send", "receive"]},
            channel=REF,
            summary=TEXT,
            messages={"type": "array", "items": REF},
            tags={"type": "array", "items": closed(("name",), name=TEXT)},
        )
    ),
    components=closed(
        (),
        messages=each(
            closed(
                ("payload",),
                name=TEXT,
                title=TEXT,
                summary=TEXT,
                contentType=TEXT,
                headers=ANY,
                payload=REF,
                bindings=closed(("kafka",), kafka=closed((), key=ANY, bindingVersion=TEXT)),
                examples={"type": "array", "items": closed((), name=TEXT, payload={}, headers=ANY)},
            )
        ),
        schemas=each(ANY),
    ),
)
"""AsyncAPI 3.0's rules for the parts that the document uses."""


def problems(document: Object) -> list[str]:
    """Return what is wrong with a document: its form, and references that lead nowhere."""
    found = [str(error.message) for error in Draft202012Validator(RULES).iter_errors(document)]
    found += [f"{ref} leads nowhere" for ref in refs(document) if at(document, ref) is None]
    for name, operation in document["operations"].items():
        messages = (at(document, operation["channel"]["$ref"]) or {}).get("messages", {})
        prefix = f"{operation['channel']['$ref']}/messages/"
        if not all(ref["$ref"].removeprefix(prefix) in messages for ref in operation["messages"]):
            found.append(f"{name} names a message that its channel has not")
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    return found


def refs(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from refs(inner)


def at(document: Object, ref: str) -> Any:
    """Return what a local reference names, None when that is nothing."""
    found: Any = document
    for part in ref.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def valid(name: str, value: object) -> bool:
    """Tell whether a value is as the document's schema of that name says, and has no field that it does not name."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return bool(Draft202012Validator(schema).is_valid(value))


def test_the_file_is_up_to_date() -> None:
    assert asyncapi.FILE.read_text() == asyncapi.render(), "run `make pages`"


def test_the_document_is_well_formed() -> None:
    assert problems(DOCUMENT) == []


def test_what_is_not_well_formed_is_noticed() -> None:
    broken = copy.deepcopy(DOCUMENT)
    del broken["channels"]["im_alerts"]["address"]
    broken["operations"]["sink_receives_im_alerts"]["messages"] = [{"$ref": "#/channels/im_alerts/messages/other"}]
    broken["components"]["messages"]["im_alerts"]["payload"] = {"$ref": "#/components/schemas/Nothing"}
    found = problems(broken)
    assert "'address' is a required property" in found
    assert "#/components/schemas/Nothing leads nowhere" in found
    assert "sink_receives_im_alerts names a message that its channel has not" in found


def test_every_topic_that_others_may_read_is_there() -> None:
    own = {spec.name for spec in topics.specs(parse({})) if spec.name.startswith(topics.APP_ID)}
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == {
        spec.name for spec in topics.specs(parse({}))
    } - own


def allowed(operation: str, topic: str) -> set[str]:
    """Return the roles that docs/kafka.md gives an operation on a topic."""
    return {
        rule["role"]
        for rule in rules()
        if rule["resource"] == "topic"
        and operation in rule["operations"].split()
        and (topic == rule["name"] or (rule["pattern"] == "prefixed" and topic.startswith(rule["name"])))
    }


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: str(channel.topic))
def test_roles_send_and_receive_what_their_rights_allow(channel: Any) -> None:
    assert set(channel.writes) == allowed("Write", channel.topic)
    # Sinks and the operator may read everything: to audit, and to redrive.
    assert set(channel.reads) <= allowed("Read", channel.topic)
    assert allowed("Read", channel.topic) - set(channel.reads) <= {"operator"}


@pytest.mark.parametrize(
    "record",
    [
        Transition(
            *("1", "2", "3", "4", "SENT", "READ", "2025-10-09T07:27:19.394Z", None, "2025-10-09T07:27:20.000Z"),
            *("updated", 1, False, False, None, 5, 0, 7),
        ),
        Alert("a", "r", "open", False, "1", "2", "3", "4", "2025-10-09T07:27:19.394Z", None, None),
    ],
    ids=lambda record: type(record).__name__,
)
def test_what_is_published_is_as_described(record: Transition | Alert) -> None:
    name = type(record).__name__
    value = msgspec.json.decode(msgspec.json.encode(record))
    assert valid(name, value)
    assert value.keys() == DOCUMENT["components"]["schemas"][name]["properties"].keys()
    assert not valid(name, value | {"org_id": 1})
    assert not valid(name, {key: value[key] for key in list(value)[1:]})


def test_the_source_s_sample_is_as_described() -> None:
    (example,) = DOCUMENT["components"]["messages"]["im_events_raw"]["examples"]
    assert valid("RawEvent", example["payload"])
    assert not valid("RawEvent", {**example["payload"], "eventType": ""})


def test_the_headers_are_those_that_are_written() -> None:
    named = {channel.topic: [header.name for header in channel.headers] for channel in CHANNELS}
    assert set(named[topics.RAW]) == {
        value for name, value in vars(topics).items() if name.startswith("HEADER_") and isinstance(value, str)
    }
    assert named[topics.DEAD] == list(topics.DEAD_HEADERS)


def test_every_field_says_what_it_is() -> None:
    for record in (Transition, ChannelWindow, Alert):
        assert all(meanings(record).values())
    with pytest.raises(KeyError, match="unheard_of"):
        meanings(Unexplained)


class Unexplained(msgspec.Struct):
    """A type with a field that nothing explains."""

    unheard_of: int
