"""Kafka: the partitioner, the topics and their settings that every role shares."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from core.errors import BrokerRefusedError, ConfigError
from core.kafka_client import Kafka, client_options, consumer_options, unavailable
from core.settings import Settings

__all__ = [
    "Kafka",
    "TopicSpec",
    "client_options",
    "consumer_options",
    "create_topics",
    "partition_of",
    "unavailable",
]

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
    kafka: Kafka, specs: Iterable[TopicSpec], *, partitions: int, replication: int
) -> dict[str, int]:
    """Create what is missing and return the partition count of each topic; with KAFKA_TOPICS=check, create nothing.

    Safe to repeat and to run at once from several processes. Raises BrokerUnavailableError when Kafka cannot be
    reached, BrokerRefusedError when it lets this client do nothing, ConfigError when a topic exists with another
    number of partitions; with KAFKA_TOPICS=check also when one is missing or would lose what is needed.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = AIOKafkaAdminClient(**client_options(kafka), request_timeout_ms=int(ADMIN_TIMEOUT_S * 1000))
    try:
        await admin.start()
        if isinstance(kafka, Settings) and kafka.kafka_topics == "check":
            await _check(admin, wanted, partitions, replication)
        else:
            existing = set(await admin.list_topics())
            missing = [spec for name, spec in wanted.items() if name not in existing]
            await _create(admin, missing, partitions, replication)
        return await _await_counts(admin, wanted, partitions)
    except (KafkaError, OSError, TimeoutError) as error:
        raise await unavailable(kafka, error) from error
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
        if code in (TopicAuthorizationFailedError.errno, ClusterAuthorizationFailedError.errno):
            raise BrokerRefusedError(
                f"topic {name} is not there, or this user may not see it, and may not create it",
                fix="Create it (`receipts topics` with a user that may), or give this user the rights of docs/kafka.md",
            )
        if code not in (0, TopicAlreadyExistsError.errno):
            raise ConfigError(f"Kafka refused to create topic {name}: {for_code(code).__name__} {rest}")


async def _check(admin: Any, wanted: dict[str, TopicSpec], partitions: int, replication: int) -> None:
    """Raise ConfigError naming every topic that is missing, and every setting that would lose what is needed."""
    existing = set(await admin.list_topics())
    problems = [f"{name} does not exist, or this user may not see it" for name in wanted if name not in existing]
    present = [name for name in wanted if name in existing]
    described = {topic["topic"]: topic for topic in await admin.describe_topics(present)} if present else {}
    configs = await _configs(admin, present)
    for name in present:
        replicas = min((len(part["replicas"]) for part in described[name]["partitions"]), default=0)
        shape = (len(described[name]["partitions"]), replicas)
        problems += [f"{name} {text}" for text in differences(wanted[name], partitions, replication, shape, configs)]
    if problems:
        raise ConfigError(
            f"KAFKA_TOPICS='check': {'; '.join(problems)}",
            fix="Create or alter the topics so, or set KAFKA_TOPICS=create for those that are missing",
        )


async def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """Return the settings of each topic that may be read."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for response in await admin.describe_configs(resources)
        for code, _, _, name, entries in (resource[:5] for resource in response.resources)
        if code == 0
    }


def differences(
    spec: TopicSpec, partitions: int, replication: int, shape: tuple[int, int], configs: dict[str, dict[str, str]]
) -> list[str]:
    """Return how a topic falls short of its spec. `shape` is its partitions and least replicas.

    More replicas, a longer retention and larger messages are the operator's choice; what only tunes the cleaner is not
    looked at.
    """
    found = []
    if shape[0] != (spec.partitions or partitions):
        found.append(f"has {shape[0]} partitions, not {spec.partitions or partitions} (RAW_PARTITIONS)")
    if shape[1] < replication:
        found.append(f"has {shape[1]} replicas, not {replication} (REPLICATION_FACTOR)")
    if spec.name not in configs:
        return [*found, "does not tell this user its settings (right DescribeConfigs)"]
    for setting, value in spec.config.items():
        actual = configs[spec.name].get(setting, "")
        if _falls_short(setting, value, actual):
            found.append(f"has {setting}={actual}, not {value}")
    return found


def _falls_short(setting: str, wanted: str, actual: str) -> bool:
    if setting == "cleanup.policy":
        return set(wanted.split(",")) != set(actual.split(","))
    if setting == "message.timestamp.type":
        return wanted != actual
    if setting == "retention.ms":
        return _ms(actual) < _ms(wanted)
    return setting == "max.message.bytes" and int(actual or 0) < int(wanted)


def _ms(text: str) -> float:
    """Return a retention; -1 is for ever."""
    return float("inf") if text == "-1" else float(text or 0)


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
