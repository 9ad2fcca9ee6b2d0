"""Kafka: the partitioner, connection options and topic creation that every role shares."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from core.errors import BrokerUnavailableError, ConfigError

ADMIN_TIMEOUT_S = 30.0


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key: librdkafka's own default, `crc32(key) % partitions`.

    The only hash in the project. Whatever is derived from a raw record stays in that record's partition number.
    """
    return crc32(key) % partitions


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it is to be created; `partitions` 0 means: as many as RAW_PARTITIONS."""

    name: str
    partitions: int = 0
    config: dict[str, str] = field(default_factory=dict)


async def create_topics(
    bootstrap: str, specs: Iterable[TopicSpec], *, partitions: int, replication: int
) -> dict[str, int]:
    """Create what is missing and return the partition count of each topic.

    Safe to repeat and to run at once from several processes. Raises BrokerUnavailableError when Kafka cannot be
    reached, ConfigError when a topic exists with another number of partitions.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=int(ADMIN_TIMEOUT_S * 1000))
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = [spec for name, spec in wanted.items() if name not in existing]
        await _create(admin, missing, partitions, replication)
        return await _await_counts(admin, wanted, partitions)
    except KafkaError as error:
        raise BrokerUnavailableError(
            f"Kafka at {bootstrap} did not create the topics: {error!r}", fix="Check KAFKA_BOOTSTRAP_SERVERS"
        ) from error
    finally:
        await admin.close()


async def _create(admin: Any, missing: list[TopicSpec], partitions: int, replication: int) -> None:
    if not missing:
        return
    new = [
        NewTopic(spec.name, spec.partitions or partitions, replication, topic_configs=spec.config) for spec in missing
    ]
    response = await admin.create_topics(new)
    for name, code, *rest in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise ConfigError(f"Kafka refused to create topic {name}: error {code} {rest}")


async def _await_counts(admin: Any, wanted: dict[str, TopicSpec], partitions: int) -> dict[str, int]:
    """Wait until every partition has a leader: a topic created a moment ago refuses its first produce."""
    counts: dict[str, int] = {}
    for _ in range(100):
        described = await admin.describe_topics(list(wanted))
        counts = {
            topic["topic"]: len(topic["partitions"])
            for topic in described
            if topic["error_code"] == 0 and all(p["leader"] >= 0 for p in topic["partitions"])
        }
        if counts.keys() == wanted.keys():
            break
        await asyncio.sleep(0.1)
    for name, spec in wanted.items():
        expected = spec.partitions or partitions
        if counts.get(name) not in (None, expected):
            raise ConfigError(
                f"topic {name} has {counts[name]} partitions, RAW_PARTITIONS says {expected}",
                fix=f"Set RAW_PARTITIONS={counts[name]}, or move to new topics: the count of a topic cannot change",
            )
    return counts


def client_options(bootstrap: str) -> dict[str, Any]:
    """Return the aiokafka options that every client shares."""
    return {"bootstrap_servers": bootstrap}
