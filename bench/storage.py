"""How much room a message takes: in Kafka's topics, in ClickHouse's tables, in processors' memory and on their disk.

`python -m bench.storage [MESSAGES]`: no broker and no server. Simulated traffic of 12 hours, MESSAGES on 12 channels
(by default 5,000 a channel and day), goes through the product's own engines as a processor drives them, each event at
its own time. What they append is put into Kafka's record batches, BATCH records each; what the sinks would insert goes
by the real migrations into ClickHouse's engine in this process, and is merged. bench.scale reckons with the numbers.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import orjson

from bench.output import Result, write
from core import logs
from core.kafka import partition_of
from core.kafka_writer import Batch, encode_headers
from core.settings import parse
from processors.app import retention_of
from processors.codec import WATERMARK_KEY
from processors.disk import RocksState
from processors.receipts import Receipts
from processors.totals import Totals
from sandbox.simulator import Traffic, events
from sandbox.warehouse.engine import Engine, Request
from schemas import topics
from schemas.alert_rules import DEFAULT
from sinks.migrate import migrate, released
from sinks.rows import TARGETS

MESSAGES = 30_000
NOW_MS = 1_795_636_800_000
"""2026-11-25 20:00 UTC: the twelve hours before are a working day."""
HOUR_MS = 3_600_000
SPAN_MS = 12 * HOUR_MS
EARLY_MS = 4 * HOUR_MS
"""Of messages first heard of within it, nearly all is told by the end: receipts a message are counted on these."""
PARTITIONS = 12
SLICE_MS = 500
"""PROCESSOR_CHECKPOINT; totals are published every other slice."""
BATCH = 50
ROWS = 50_000
SMALL, INSERTS = 100, 25
"""Rows and number of the inserts of which each one's own cost is taken, for each table."""
BYTES = "bytes a record"


class Record(NamedTuple):
    """A Kafka record as engines and sinks see it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp: int


class Log:
    """An outbox that keeps all, by topic and partition."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], list[Record]] = defaultdict(list)

    def to(self, topic: str, partition: int) -> Callable[..., None]:
        """Return what appends to a partition of a topic."""
        records = self.records[topic, partition]

        def append(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]] | None = None) -> None:
            records.append(Record(len(records), key, value, headers or [], NOW_MS))

        return append

    def of(self, topic: str) -> list[Record]:
        """Return the records of a topic, one partition after the other."""
        return [record for (name, _), records in self.records.items() if name == topic for record in records]


class Pipeline:
    """Raw topic and processors in memory."""

    def __init__(self) -> None:
        retention = retention_of(parse({}))
        self.log = Log()
        self.receipts = [
            Receipts(number, PARTITIONS, retention, watch=DEFAULT.message_rules) for number in range(PARTITIONS)
        ]
        self.totals = [Totals(number, PARTITIONS, retention) for number in range(PARTITIONS)]
        self._done = [0] * PARTITIONS
        """Partials that the second step has taken."""

    def run(self, traffic: Traffic) -> dict[str, float]:
        """Take all events, checkpoint by checkpoint, and let all alerts come due.

        Returns events by kind, and the number of early messages and of their receipts.
        """
        counted: dict[str, float] = defaultdict(float)
        early: set[tuple[str, str]] = set()
        waiting: dict[int, list[Record]] = defaultdict(list)
        until = traffic.start_ms + SLICE_MS
        for number, event in enumerate(events(traffic)):
            while event.at_ms >= until:
                self._checkpoint(waiting, until)
                until += SLICE_MS
            counted[event.kind] += 1
            if event.kind == "IM_Message_Status":
                if event.at_ms < traffic.start_ms + EARLY_MS:
                    early.add((event.org, event.key))
                counted["early receipts"] += (event.org, event.key) in early
            partition = partition_of(event.key.encode(), PARTITIONS)
            raw = self.log.records[topics.RAW, partition]
            record = Record(len(raw), event.key.encode(), event.body, _headers(event, number), event.at_ms)
            raw.append(record)
            waiting[partition].append(record)
        self._checkpoint(waiting, until)
        for engine in self.receipts:
            while engine.tick(NOW_MS + 25 * HOUR_MS):
                engine.checkpoint(self.log)
        return {**counted, "early": len(early)}

    def _checkpoint(self, waiting: dict[int, list[Record]], now: int) -> None:
        for partition, records in waiting.items():
            engine = self.receipts[partition]
            engine.process(records, self.log, now)
            engine.tick(now)
            engine.checkpoint(self.log)
        waiting.clear()
        if now // SLICE_MS % 2:
            return
        for partition, totals in enumerate(self.totals):
            partials = self.log.records.get((topics.PARTIALS, partition), [])
            if len(partials) > self._done[partition]:
                totals.process(islice(partials, self._done[partition], None))
                totals.checkpoint(self.log)
                self._done[partition] = len(partials)


def _headers(event: Any, number: int) -> list[tuple[str, bytes]]:
    """Return the ingress's headers; each event has come in a request of its own."""
    return [
        (topics.HEADER_ORG, event.org.encode()),
        (topics.HEADER_TYPE, event.kind.encode()),
        (topics.HEADER_RECEIVED, b"%d" % event.at_ms),
        (topics.HEADER_DELIVERY, b"5f0c3a9d21e84b76-%x" % number),
        (topics.HEADER_SOURCE, b"webhook"),
    ]


# --- Kafka ----------------------------------------------------------------------------------------------------------


def packed(records: Sequence[Record], size: int = BATCH, *, lz4: bool = True) -> float:
    """Return the bytes a record takes in Kafka's log, in batches of `size`."""
    total = 0
    for first in range(0, len(records), size):
        batch = Batch(1 << 24, lz4=lz4)
        for record in records[first : first + size]:
            batch.append(record.timestamp, record.key, record.value, encode_headers(record.headers))
        total += len(batch._build())  # noqa: SLF001 -- as the producer does
    return total / max(1, len(records))


def compacted(log: Log, topic: str) -> int:
    """Return how many records compaction leaves."""
    parts = [records for (name, _), records in log.records.items() if name == topic]
    newest = [{record.key: record.value for record in records} for records in parts]
    return sum(value is not None for held in newest for value in held.values())


def kafka(log: Log, messages: int) -> Iterator[Result]:
    """Yield the bytes of a record of each topic, and how many records there are a message."""
    raw = log.of(topics.RAW)
    yield Result("im.events.raw, uncompressed", [packed(raw, lz4=False)], BYTES)
    yield Result("im.events.raw, uncompressed, one a batch", [packed(raw, 1, lz4=False)], BYTES)
    yield Result("im.events.raw, lz4", [packed(raw)], BYTES)
    minutes = {(row["org_id"], row["message_id"], row["updated_time"][:16]) for row in _transitions(log)}
    yield Result("minutes with a status", [len(minutes) / messages], "a message")
    for topic in (topics.TRANSITIONS, topics.WINDOWS, topics.ALERTS, topics.PARTIALS):
        yield Result(f"{topic}, lz4", [packed(log.of(topic))], BYTES)
        yield Result(topic, [len(log.of(topic)) / messages], "records a message")
    for table in (topics.MESSAGES_TABLE, topics.PARTIALS_TABLE, topics.TOTALS_TABLE):
        topic = topics.changelog(table)
        records = [record for record in log.of(topic) if record.key != WATERMARK_KEY]
        yield Result(f"{topic}, lz4", [packed(records)], BYTES)
        yield Result(topic, [len(records) / messages], "records a message")
        yield Result(f"{topic}, compacted", [compacted(log, topic) / messages], "records a message")


def _transitions(log: Log) -> Iterator[dict[str, Any]]:
    return (orjson.loads(record.value or b"") for record in log.of(topics.TRANSITIONS))


# --- the processor --------------------------------------------------------------------------------------------------


def deep(root: object) -> int:
    """Return the bytes of an object and of all that only it leads to."""
    seen, todo, total = {id(root)}, [root], 0
    while todo:
        one = todo.pop()
        total += sys.getsizeof(one)
        # A struct without garbage collection tells nobody what it refers to.
        inner = [getattr(one, name) for name in one.__struct_fields__] if isinstance(one, msgspec.Struct) else ()
        for each in (*inner, *gc.get_referents(one)):
            if id(each) not in seen and not isinstance(each, type):
                seen.add(id(each))
                todo.append(each)
    return total


def processor(pipeline: Pipeline, folder: Path) -> Iterator[Result]:
    """Yield the room and the work of windows, and the room of messages on disk."""
    retention = retention_of(parse({}))
    partials = sum(engine.windows for engine in pipeline.receipts)
    first = sum(deep(engine.partials._channels) for engine in pipeline.receipts)  # noqa: SLF001 -- as the next
    second = sum(deep(totals._windows) for totals in pipeline.totals)  # noqa: SLF001 -- nothing else holds them
    yield Result("window partial, first step", [first / partials], "bytes of memory")
    yield Result("window partial, second step", [second / partials], "bytes of memory")

    log, engine, totals = Log(), pipeline.receipts[0], Totals(0, PARTITIONS, retention)
    engine.mark_all()
    begun = time.process_time()
    engine.checkpoint(log)
    published = log.of(topics.PARTIALS)
    totals.process(published)
    totals.checkpoint(log)
    packed(log.of(topics.changelog(topics.PARTIALS_TABLE)))
    packed(published)
    packed(log.of(topics.changelog(topics.TOTALS_TABLE)))
    packed(log.of(topics.WINDOWS))
    took = time.process_time() - begun
    yield Result("window partial, both steps and four records", [took * 1e6 / len(published)], "CPU us")

    state = RocksState(folder / "rocks")
    on_disk = Receipts(0, PARTITIONS, retention, state, DEFAULT.message_rules)
    for record in pipeline.log.of(topics.changelog(topics.MESSAGES_TABLE)):
        on_disk.restore_fact(record.key or b"", record.value)
    state.flush()
    messages = len(state)
    state._db.flush()  # noqa: SLF001 -- as RocksDB does by itself in time
    state._db.compact_range(None, None)  # noqa: SLF001
    state.close()
    tables = sum(file.stat().st_size for file in (folder / "rocks").glob("*.sst"))
    yield Result("message state in RocksDB", [tables / messages], "bytes a message")


# --- ClickHouse -----------------------------------------------------------------------------------------------------


class InProcess:
    """ClickHouse's engine in this process, as the migrations want it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _run(self, sql: str, rows: bytes = b"", **settings: str) -> bytes:
        return self._engine.run(Request(sql.encode(), rows, "receipts", "JSONEachRow", settings)).body

    async def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Run a query."""
        assert not parameters
        return [orjson.loads(line) for line in self._run(sql).splitlines()]

    async def command(self, sql: str) -> None:
        """Run a statement."""
        self._run(sql)

    async def insert(self, table: str, lines: bytes, *, token: str, columns: Sequence[str] = ()) -> None:
        """Insert JSON lines."""
        assert not columns
        assert token
        settings = {"date_time_input_format": "best_effort", "input_format_null_as_default": "1"}
        self._run(f"INSERT INTO {table} FORMAT JSONEachRow\n", lines, **settings, max_partitions_per_insert_block="0")

    async def ping(self) -> None:
        """Do nothing."""


async def clickhouse(log: Log, messages: int, folder: Path) -> list[Result]:
    """Return the bytes of a row of each table once it is merged, rows a message, and what an insert costs."""
    engine = Engine(folder / "clickhouse")
    try:
        engine.run(Request(b"CREATE DATABASE receipts"))
        own = InProcess(engine)
        await migrate(own, released())
        lines = {topic: _lines(log, topic) for topic in (topics.RAW, topics.TRANSITIONS, topics.WINDOWS, topics.ALERTS)}
        cpu = await _small_inserts(own, lines)
        for topic, rows in lines.items():
            for first in range(0, len(rows), ROWS):
                await own.insert(TARGETS[topic].table, b"\n".join(rows[first : first + ROWS]), token=str(first))
        found = [Result("an insert, its merges with it", [cpu], "CPU ms")]
        for table in (*(TARGETS[topic].table for topic in lines), "message_state_log"):
            await own.command(f"OPTIMIZE TABLE {table} FINAL")
            (row,) = await own.rows(
                "SELECT toFloat64(sum(bytes_on_disk)) AS bytes, toFloat64(sum(rows)) AS stored FROM system.parts "  # noqa: S608 -- our own names
                f"WHERE database = 'receipts' AND active AND table = '{table}'"
            )
            found.append(Result(table, [row["bytes"] / row["stored"]], "bytes a row"))
            found.append(Result(table, [row["stored"] / messages], "rows a message"))
        return found
    finally:
        engine.close()


def _lines(log: Log, topic: str) -> list[bytes]:
    made = [
        TARGETS[topic].line(record, partition)
        for (name, partition), records in log.records.items()
        if name == topic
        for record in records
    ]
    return [line for line in made if isinstance(line, bytes)]


async def _small_inserts(own: InProcess, lines: dict[str, list[bytes]]) -> float:
    """Return the CPU ms of an insert of a few rows, the mean of the four topics, with the merges that follow."""
    begun, done = time.process_time(), 0
    for number in range(INSERTS):
        for topic, rows in lines.items():
            if some := rows[number * SMALL : (number + 1) * SMALL]:
                await own.insert(TARGETS[topic].table, b"\n".join(some), token="small")  # noqa: S106 -- no secret
                done += 1
    while (await own.rows("SELECT toInt32(count()) AS n FROM system.merges"))[0]["n"]:  # noqa: ASYNC110 -- no event
        await asyncio.sleep(0.2)
    return (time.process_time() - begun) * 1000 / done


# --- all of it ------------------------------------------------------------------------------------------------------


async def measure(messages: int = MESSAGES) -> list[Result]:
    """Return every number; each once, for the same traffic gives the same bytes."""
    pipeline = Pipeline()
    counted = pipeline.run(Traffic(now_ms=NOW_MS, messages=messages, span_ms=SPAN_MS))
    receipts, early = counted["IM_Message_Status"], counted["early"]
    other = sum(number for kind, number in counted.items() if kind.startswith("IM_")) - receipts
    with TemporaryDirectory(prefix="receiptstream-bench-") as folder:
        return [
            Result("receipts", [counted["early receipts"] / early], "events a message"),
            Result("receipts by the end", [receipts / messages], "events a message"),
            Result("other events", [other / messages], "events a message"),
            *kafka(pipeline.log, messages),
            *await clickhouse(pipeline.log, messages, Path(folder)),
            *processor(pipeline, Path(folder)),
        ]


def report(found: list[Result]) -> str:
    """Return a line for each number."""
    return "\n".join(f"{each.label:<48} {each.values[0]:>9,.2f} {each.unit}" for each in found)


def results(found: list[Result]) -> list[Result]:
    """Return the lines of the plot."""
    return found


def main() -> None:
    """Measure, print, and leave the files."""
    logs.configure("bench", level="ERROR")
    found = asyncio.run(measure(*map(int, sys.argv[1:])))
    write("storage", report(found), results(found))
    print(report(found))


if __name__ == "__main__":
    main()
