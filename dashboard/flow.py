"""What Kafka tells of the pipeline: how far each stage's consumer group is behind, and how fast records come in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from core import kafka as connections
from core.errors import BrokerUnavailableError
from dashboard.answers import Flow, Lag
from schemas import topics

TIMEOUT_S: Final = 5.0

Offsets = Mapping[tuple[str, int], int]


def stage_of(group: str) -> str:
    """Return the role that a consumer group belongs to: `receipts` is the processors', `receipts-NAME` of NAME."""
    return group.removeprefix(f"{topics.APP_ID}-") if group != topics.APP_ID else "processor"


def ours(groups: Iterable[str]) -> list[str]:
    """Return the pipeline's own groups."""
    return sorted(name for name in groups if name == topics.APP_ID or name.startswith(f"{topics.APP_ID}-"))


def lags(group: str, committed: Offsets, ends: Offsets) -> list[Lag]:
    """Return how many records of each topic a group has before it; a partition never committed counts whole."""
    behind: dict[str, int] = {}
    for place, end in ends.items():
        if any(place[0] == topic for topic, _ in committed):
            behind[place[0]] = behind.get(place[0], 0) + max(0, end - max(0, committed.get(place, 0)))
    return [Lag(stage_of(group), group, topic, records) for topic, records in sorted(behind.items())]


class Kafka:
    """Asks Kafka on demand; connects when first asked and anew after a failure."""

    def __init__(self, kafka: connections.Kafka) -> None:
        self._options = connections.client_options(kafka)
        self._admin: Any = None
        self._consumer: Any = None
        self._seen: tuple[float, int] | None = None

    async def flow(self) -> Flow:
        """Return lags and the rate of records. Raises BrokerUnavailableError."""
        try:
            return await asyncio.wait_for(self._flow(), TIMEOUT_S)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailableError(
                f"Kafka does not tell its offsets: {type(error).__name__}", fix="Check KAFKA_BOOTSTRAP_SERVERS"
            ) from error

    async def close(self) -> None:
        """End the connections."""
        admin, consumer, self._admin, self._consumer = self._admin, self._consumer, None, None
        for client, end in ((admin, "close"), (consumer, "stop")):
            if client is not None:
                with suppress(KafkaError, OSError, TimeoutError):
                    await asyncio.wait_for(getattr(client, end)(), TIMEOUT_S)

    async def _flow(self) -> Flow:
        await self._open()
        groups = ours(name for name, *_ in await self._admin.list_consumer_groups())
        committed = {
            group: {
                (place.topic, place.partition): told.offset
                for place, told in (await self._admin.list_consumer_group_offsets(group)).items()
                if told.offset >= 0
            }
            for group in groups
        }
        names = {topic for offsets in committed.values() for topic, _ in offsets}
        ends = await self._ends(names | {topics.RAW})
        rate = self._rate(sum(end for (topic, _), end in ends.items() if topic == topics.RAW))
        return Flow(rate, [lag for group in groups for lag in lags(group, committed[group], ends)])

    async def _open(self) -> None:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(**self._options)
            await self._admin.start()
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(**self._options, enable_auto_commit=False)
            await self._consumer.start()

    async def _ends(self, names: Iterable[str]) -> dict[tuple[str, int], int]:
        described = await self._admin.describe_topics(sorted(names))
        places = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]
        return {(p.topic, p.partition): end for p, end in (await self._consumer.end_offsets(places)).items()}

    def _rate(self, total: int) -> float | None:
        now = asyncio.get_running_loop().time()
        before, self._seen = self._seen, (now, total)
        return None if before is None or now <= before[0] else max(0, total - before[1]) / (now - before[0])
