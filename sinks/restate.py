"""The restatement: all that follows from the raw records decided anew, after a rule or a setting changed.

Processors begin again at Kafka's first raw record with no state, and write the same identities. What only the old rules
made would stay, so the tables that follow from raw records are emptied first. Each step is safe to repeat, and their
order is such that one that dies in between leaves nothing that is wrong once it is run again.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from core import logs
from core.clickhouse import ClickHouse
from core.errors import ConfigError
from core.kafka import client_options, create_topics
from core.settings import Settings
from schemas import topics
from sinks.doctor_groups import partitions_of
from sinks.ledger.progress import stored

log = logs.get(__name__)

POLL_S = 0.25
DERIVED: Final = ("transitions_log", "message_state_log", "channel_windows_log", "alerts_log")
"""The tables that follow from what processors publish."""
_OWN: Final = (
    (topics.changelog(topics.MESSAGES_TABLE), topics.changelog(topics.PARTIALS_TABLE), topics.PARTIALS),
    # Last: totals without their partials would be counted together with new ones.
    (topics.changelog(topics.TOTALS_TABLE),),
)
"""The topics of the processors' own state, in the order in which they go."""
_CREATIONS = "SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = {name:String}"


async def restate(settings: Settings, clickhouse: ClickHouse, *, wait_s: float = 30.0) -> None:
    """Take back all that processors have derived, so that they derive it anew once they are started.

    Raises ConfigError, and changes nothing, while a processor runs, while sinks are behind, or where Kafka no longer
    has all raw records; what Kafka and ClickHouse raise when they cannot be asked.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        await _stopped(admin, wait_s)
        begin = await _all_there(settings, admin)
        if left := await stored(settings, wait_s):
            raise ConfigError(f"sinks have still to store {left} records", fix="Start them, and run this again then")
        await _rewind(settings, begin)
        for names in _OWN:
            await _delete(admin, names)
    finally:
        await admin.close()
    await create_topics(
        settings,
        topics.specs(settings),
        partitions=settings.raw_partitions,
        replication=settings.replication_factor,
    )
    await _clear(clickhouse, settings.clickhouse_cluster)


async def _stopped(admin: Any, wait_s: float) -> None:
    """Wait until no processor is in the group: one that was just stopped may still be a member."""
    deadline = monotonic() + wait_s
    while members := await _members(admin):
        if monotonic() > deadline:
            raise ConfigError(f"{members} processors are running", fix="Stop all of them, and run this again")
        await asyncio.sleep(POLL_S)


async def _members(admin: Any) -> int:
    """Return how many processors are in their group."""
    found = 0
    for response in await admin.describe_consumer_groups([topics.APP_ID]):
        found += sum(len(group[5]) for group in response.groups)
    return found


async def _all_there(settings: Settings, admin: Any) -> list[TopicPartition]:
    """Return the raw partitions. Raises ConfigError where one does not begin with its first record any more."""
    parts = await partitions_of(admin, [topics.RAW])
    async with AIOKafkaConsumer(**client_options(settings)) as consumer:
        begins = await consumer.beginning_offsets(parts)
    if any(begins.values()):
        raise ConfigError(
            "Kafka no longer has the first raw records (RAW_RETENTION): what followed from them could not be restated",
            fix="Restate from ClickHouse's raw_events into a new database: `receipts restore`, see docs/ledger.md",
        )
    return parts


async def _rewind(settings: Settings, parts: list[TopicPartition]) -> None:
    """Let the group begin at the first record of each raw partition, and of each partition of partials to come."""
    numbers = {part.partition for part in parts}
    own = [TopicPartition(name, number) for name in (topics.RAW, topics.PARTIALS) for number in numbers]
    consumer = AIOKafkaConsumer(**client_options(settings), group_id=topics.APP_ID, enable_auto_commit=False)
    async with consumer:
        consumer.assign(own)
        await consumer.commit({part: OffsetAndMetadata(0, "") for part in own})


async def _delete(admin: Any, names: tuple[str, ...]) -> None:
    there = set(await admin.list_topics())
    if gone := [name for name in names if name in there]:
        await admin.delete_topics(gone)
    while there & set(names):
        await asyncio.sleep(POLL_S)
        there = set(await admin.list_topics())
    log.info("state_deleted", topics=names)


async def _clear(clickhouse: ClickHouse, cluster: str) -> None:
    """Empty the derived tables, and put back what message state has from raw events themselves."""
    suffix, on = ("_local", f" ON CLUSTER '{cluster}'") if cluster else ("", "")
    for table in DERIVED:
        await clickhouse.command(f"TRUNCATE TABLE {table}{suffix}{on}")
    select = (await clickhouse.rows(_CREATIONS, {"name": "message_state_from_messages"}))[0]["as_select"]
    creations = str(select).replace("raw_events_log_local", "raw_events_log")
    columns = "org_id, message_id, creation, last_received"
    await clickhouse.command(f"INSERT INTO message_state_log ({columns}) SELECT {columns} FROM ({creations})")  # noqa: S608 -- our own view
    log.info("tables_emptied", tables=DERIVED)
