"""The AsyncAPI 3.0 document of the topics, made from the types: `python -m schemas.asyncapi` writes asyncapi.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from core.settings import Settings, parse
from schemas import topics
from schemas.channels import CHANNELS, Channel, meanings
from schemas.events import STATUS_EVENT
from schemas.shapes import MAX_ID_LENGTH, MAX_STATUS_LENGTH

Object = dict[str, Any]
FOLDER: Final = Path(__file__).parent
FILE: Final = FOLDER / "asyncapi.json"
_REF: Final = "#/components/schemas/{name}"
_BINDING: Final = "0.5.0"
"""Version of AsyncAPI's Kafka bindings."""
_MILLIS: Final = {"type": "string", "pattern": "^[0-9]{1,13}$"}
_ID: Final = {"oneOf": [{"type": "integer"}, {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH}]}
_RAW_EVENT: Final = {
    "title": "RawEvent",
    "description": f"An {STATUS_EVENT} as below, or any other event of the same envelope. Ids are integers or text.",
    "type": "object",
    "required": ["eventType"],
    "properties": {
        "eventType": {"type": "string", "minLength": 1},
        "orgId": _ID,
        "eventTime": {"description": "Epoch milliseconds as text, where it is as documented."},
        "payload": {
            "type": "object",
            "properties": {
                "messageId": _ID,
                "sessionId": _ID,
                "channelId": _ID,
                "messageOldStatus": {"description": "Text, or null."},
                "messageNewStatus": {
                    "type": "object",
                    "properties": {
                        "status": {"type": "string", "minLength": 1, "maxLength": MAX_STATUS_LENGTH},
                        "updatedTime": {"description": "ISO 8601, where it is as documented."},
                    },
                },
            },
        },
    },
}
"""What holds of every raw event; of its other fields the source alone decides."""


def document(settings: Settings) -> Object:
    """Return the document; topics are described as these settings create them."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Receiptstream topics",
            "version": "1",
            "description": "What can be consumed from Kafka at each stage. Delivery is at least once: identities make "
            "repetitions harmless. Fields are only ever added.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {_id(channel.topic): _channel(channel, settings) for channel in CHANNELS},
        "operations": dict(_operations()),
        "components": {
            "messages": {_id(channel.topic): _message(channel) for channel in CHANNELS},
            "schemas": _schemas(),
        },
    }


def render() -> str:
    """Return the text of asyncapi.json, of the default settings."""
    return json.dumps(document(parse({})), indent=2) + "\n"


def config_of(topic: str, settings: Settings) -> dict[str, str]:
    """Return a topic's settings at its creation, `cleanup.policy` among them."""
    (config,) = (spec.config for spec in topics.specs(settings) if spec.name == topic)
    return {"cleanup.policy": "delete", **config}


def _server() -> Object:
    return {
        "host": "{broker}",
        "protocol": "kafka",
        "description": "The brokers of KAFKA_BOOTSTRAP_SERVERS. Log-in and TLS are those of your own listener.",
        "variables": {"broker": {"default": "127.0.0.1:9092", "description": "Host and port; here the sandbox's."}},
    }


def _id(topic: str) -> str:
    return topic.replace(".", "_")


def _channel(channel: Channel, settings: Settings) -> Object:
    name = _id(channel.topic)
    config = config_of(channel.topic, settings)
    shown: Object = {"cleanup.policy": config["cleanup.policy"].split(",")}
    shown |= {key: int(config[key]) for key in ("retention.ms", "max.message.bytes") if key in config}
    return {
        "address": channel.topic,
        "title": channel.title,
        "description": f"{channel.summary} Partition: {channel.partition}",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {
                "topic": channel.topic,
                "partitions": settings.raw_partitions,
                "replicas": settings.replication_factor,
                "topicConfiguration": shown,
                "bindingVersion": _BINDING,
            }
        },
    }


def _operations() -> Iterable[tuple[str, Object]]:
    """Yield each role's sending to and receiving from each topic."""
    for channel in CHANNELS:
        name = _id(channel.topic)
        for action, roles in (("send", channel.writes), ("receive", channel.reads)):
            for role in roles:
                yield (
                    f"{role}_{action}s_{name}",
                    {
                        "action": action,
                        "channel": {"$ref": f"#/channels/{name}"},
                        "summary": f"The {role} {action}s {channel.title.lower()}.",
                        "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
                        "tags": [{"name": role}],
                    },
                )


def _message(channel: Channel) -> Object:
    dead = channel.topic == topics.DEAD
    message: Object = {
        "name": _id(channel.topic),
        "title": channel.title,
        "summary": channel.value,
        "contentType": "application/octet-stream" if dead else "application/json",
        "payload": {"$ref": _REF.format(name=_payload(channel))},
        "bindings": {"kafka": {"key": _key(channel), "bindingVersion": _BINDING}},
    }
    if channel.headers:
        message["headers"] = {
            "type": "object",
            "properties": {
                header.name: {
                    **(_MILLIS if header.name == topics.HEADER_RECEIVED else {"type": "string"}),
                    "description": header.meaning,
                }
                for header in channel.headers
            },
            "required": [header.name for header in channel.headers if header.always],
        }
    if channel.topic == topics.RAW:
        message["examples"] = [{"name": "status", "payload": _example()}]
    return message


def _key(channel: Channel) -> Object:
    return {"type": "string" if channel.keyed else ["string", "null"], "description": channel.key}


def _payload(channel: Channel) -> str:
    if channel.record is not None:
        return channel.record.__name__
    return "Original" if channel.topic == topics.DEAD else "RawEvent"


def _example() -> Object:
    """Return the source's own sample."""
    (event,) = json.loads((FOLDER / "examples" / "zoho_sample.json").read_text())
    return dict(event)


def _schemas() -> Object:
    """Return the payloads' schemas, each field with its meaning."""
    records = [channel.record for channel in CHANNELS if channel.record is not None]
    _, components = msgspec.json.schema_components(records, ref_template=_REF)
    for record in records:
        properties = components[record.__name__]["properties"]
        for field, meaning in meanings(record).items():
            properties[field]["description"] = meaning
    original = {"title": "Original", "description": "Any bytes: what a step was given, unchanged."}
    return {"RawEvent": _RAW_EVENT, **components, "Original": original}


if __name__ == "__main__":
    FILE.write_text(render())
