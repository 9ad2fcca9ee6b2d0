"""Alerts for tests, and how they get into Kafka."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiokafka import AIOKafkaProducer

from core.kafka import partition_of
from schemas import topics
from schemas.alert_rules import alert_id
from schemas.records import Alert
from schemas.times import to_iso

NOW = 1_760_000_000_000


def alert(number: int | str, state: str = "open", *, org: str = "1", rule: str = "stuck_in_sent") -> Alert:
    """Return the alert of a message that was sent a quarter of an hour before NOW."""
    return Alert(
        alert_id=alert_id(rule, org, str(number)),
        rule=rule,
        state=state,  # type: ignore[arg-type]  # tests name one of the three
        followup=False,
        org_id=org,
        channel_id="77",
        session_id="3",
        message_id=str(number),
        due_time=to_iso(NOW),
        opened_time=None if state == "expired" else to_iso(NOW),
        resolved_time=to_iso(NOW + 60_000) if state == "resolved" else None,
    )


async def publish(kafka: str, alerts: Iterable[Alert]) -> None:
    """Write alerts as the processor does."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for each in alerts:
            key = each.alert_id.encode()
            await producer.send(topics.ALERTS, msgspec.json.encode(each), key=key, partition=partition_of(key, 4))
