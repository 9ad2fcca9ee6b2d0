"""What a number of messages a day needs: arithmetic on what was measured, no measurement.

A message is one that was sent, with all that is told of it and beside it: its receipts, its IM_Message_Add, and its
share of customers' messages and sessions. Rates are those of the peak. bench.scale makes tables of it.
"""

from __future__ import annotations

from math import ceil, exp
from typing import Final, NamedTuple

from bench.measured import Measured
from schemas import topics

DAY_S: Final = 86_400
MINUTES: Final = 1_440
PEAK: Final = 4.0
"""Assumed: the busiest minutes have four times the mean of the day."""
USE: Final = 0.6
"""Of each core at the peak; the rest is for catching up, rebalances and merges."""
CHANNEL: Final = 5_000
"""Assumed: messages a channel and day, as in the traffic of bench.storage."""
MESSAGE_BYTES: Final = 185
"""Memory of a message that was sent and delivered, with its deadlines: docs/processor.md."""
STATE_DAYS: Final = 14
"""STATE_RETENTION."""
CHECKPOINT_S, TOTALS_S = 0.5, 1.0
"""PROCESSOR_CHECKPOINT, and how often a window's total is published (processors.app)."""
WORKER_BYTES: Final = 8 * 2**30
"""State that one processor may hold."""
DIRTY: Final = 1.25
"""A compacted topic holds up to that much of what compaction leaves (min.cleanable.dirty.ratio 0.2)."""
MERGES: Final = 2.0
"""Assumed: merging rows takes ClickHouse as long as inserting them."""
INSERT_ROWS: Final = 50_000
"""SINK_BATCH_ROWS."""
PARTS: Final = 2.0
"""Parts an insert makes, on average: 3 of raw events, 3 of transitions (two views each), 1 of windows, 1 of alerts."""
STORED: Final = 4
"""Topics that sinks insert all the time."""
SHARD_BYTES: Final = 2e12
"""Data on one ClickHouse server; as much room again is for merges."""
ASKED_MESSAGES, ASKED_DAYS = 10e6, 30
"""What the queries of bench.questions and bench.dashboard run on."""
INSERT: Final = ("an insert, its merges with it", "CPU ms")
PARTIAL: Final = ("window partial, both steps and four records", "CPU us")
PER_RECORD, PER_MESSAGE = "bytes a record", "records a message"


class Size(NamedTuple):
    """A size of the whole, and the settings that go with it."""

    messages: float
    """A day."""
    partitions: int
    """RAW_PARTITIONS."""
    store: str
    """STATE_STORE."""
    window_h: int
    """WINDOW_RETENTION, hours."""
    spool_h: int
    """SPOOL_MAX_AGE, hours."""
    raw_days: int
    """RAW_RETENTION, days."""
    batch_s: float
    """SINK_BATCH_AGE, seconds."""
    kept_days: int
    """TTL of all tables, days."""
    replicas: int = 3
    """REPLICATION_FACTOR."""
    copies: int = 2
    """Servers of each shard of ClickHouse."""
    least: int = 2
    """Processes of each role, so that one may fail."""


SIZES: Final = (
    Size(1e6, 12, "memory", 48, 24, 14, 0.3, 365, replicas=1, copies=1, least=1),
    Size(10e6, 24, "rocksdb", 24, 6, 14, 0.3, 365),
    Size(100e6, 96, "rocksdb", 12, 4, 7, 1.0, 90),
    Size(1e9, 384, "rocksdb", 6, 2, 3, 2.0, 30),
)


class Plan:
    """What a size needs. Rates are those of the peak, in a second; CPU is in cores that are wholly busy."""

    def __init__(self, found: Measured, size: Size, channel: float = CHANNEL) -> None:
        self.found = found
        self.size = size
        self.channel = channel

    def _stored(self, label: str, unit: str) -> float:
        return self.found.storage[label, unit]

    # --- traffic ----------------------------------------------------------------------------------------------------

    @property
    def receipts(self) -> float:
        """Receipts a message, repeated ones included."""
        return self._stored("receipts", "events a message")

    @property
    def events(self) -> float:
        """Events a message."""
        return self.receipts + self._stored("other events", "events a message")

    @property
    def peak(self) -> float:
        """Messages a second at the peak."""
        return self.size.messages * PEAK / DAY_S

    def _records(self, label: str, unit: str = PER_MESSAGE) -> float:
        """Return records a message; the measured traffic ends before the last messages are read."""
        return self._stored(label, unit) * self.receipts / self._stored("receipts by the end", "events a message")

    # --- windows ----------------------------------------------------------------------------------------------------

    @property
    def partials(self) -> float:
        """Window partials published a message: receipts of one channel and partition within a checkpoint share one."""
        return self.receipts * _apart(self._channel_rate / self.size.partitions * CHECKPOINT_S)

    @property
    def totals(self) -> float:
        """Windows published a message."""
        return self.receipts * _apart(self._channel_rate * TOTALS_S)

    @property
    def _channel_rate(self) -> float:
        """Receipts of a channel a second, at the peak."""
        return self.receipts * self.channel * PEAK / DAY_S

    def _minutes_told(self, partitions: float) -> float:
        """Return how many minutes of a channel and day, in so many partitions, are told of; by message."""
        places = MINUTES * partitions
        hits = self._stored("minutes with a status", "a message") * self.channel
        return places * (1 - exp(-hits / places)) / self.channel

    @property
    def kept(self) -> float:
        """Window partials that stay in each step, a message."""
        return self._minutes_told(self.size.partitions)

    @property
    def windows(self) -> float:
        """Rows of channel_windows, a message."""
        return self._minutes_told(1)

    @property
    def open_days(self) -> float:
        """How long windows stay open."""
        return (self.size.window_h + self.size.spool_h) / 24

    # --- CPU --------------------------------------------------------------------------------------------------------

    def ingest_cores(self, a_request: int) -> float:
        """Return the cores of the ingress with so many events a request."""
        return self.peak * self.events * self.found.ingress_us[a_request] / 1e6

    @property
    def processor_us(self) -> float:
        """CPU us a message: the dearer of both measurements, and the partials, of which these had few."""
        record = max(self.found.processor_us, self.found.chain.cpu_us("processor"))
        partial = self._stored(*PARTIAL) + self.found.reading_us
        return self.events * record + self.partials * partial

    @property
    def sink_us(self) -> float:
        """CPU us a message, likewise."""
        transitions = self._records(topics.TRANSITIONS)
        alone = self.events * self.found.sink_us["raw events"] + transitions * self.found.sink_us["transitions"]
        dearer = max(alone, self.events * self.found.chain.cpu_us("sink"))
        return dearer + self.totals * self.found.sink_us["transitions"]

    @property
    def cores(self) -> dict[str, float]:
        """Busy cores at the peak, by role."""
        return {
            "ingest": self.ingest_cores(1),
            "processor": self.peak * self.processor_us / 1e6,
            "sink": self.peak * self.sink_us / 1e6,
            "broker": self.peak * self.events * self.found.chain.cpu_us("broker") * self.size.replicas / 1e6,
            "warehouse": self.shards * self.size.copies * self.shard_cores,
        }

    @property
    def processes(self) -> dict[str, int]:
        """Processes of the roles that are ours; a process uses one core."""
        found = {role: max(self.size.least, ceil(self.cores[role] / USE)) for role in ("ingest", "processor")}
        found["processor"] = max(found["processor"], ceil(self.state / WORKER_BYTES))
        return found | {"sink": self.sinks}

    @property
    def sinks(self) -> int:
        """Sink processes."""
        return max(self.size.least, ceil(self.peak * self.sink_us / 1e6 / USE))

    # --- state ------------------------------------------------------------------------------------------------------

    @property
    def message_state(self) -> float:
        """Memory of messages, bytes over all processors; on disk with RocksDB."""
        in_memory = self.size.store == "memory"
        each = MESSAGE_BYTES if in_memory else self._stored("message state in RocksDB", "bytes a message")
        return self.size.messages * STATE_DAYS * each

    @property
    def window_state(self) -> float:
        """Memory of windows, bytes over all processors: both steps."""
        steps = (self._stored(f"window partial, {step} step", "bytes of memory") for step in ("first", "second"))
        return self.size.messages * self.open_days * self.kept * sum(steps)

    @property
    def state(self) -> float:
        """Memory of all processors, bytes."""
        return self.window_state + (self.message_state if self.size.store == "memory" else 0.0)

    @property
    def facts(self) -> float:
        """Records that compaction leaves of the messages changelog."""
        return self.size.messages * STATE_DAYS * self._records("receipts-messages-changelog, compacted")

    @property
    def window_records(self) -> float:
        """Records that compaction leaves of both window changelogs."""
        return 2 * self.size.messages * self.open_days * self.kept

    def rebuild_s(self, records: float) -> float:
        """Return how long one processor reads its share of changelog records; all at once, Kafka keeping up."""
        return records / self.processes["processor"] / self.found.rebuilt_per_s

    # --- Kafka ------------------------------------------------------------------------------------------------------

    @property
    def produced(self) -> dict[str, float]:
        """Bytes a message by topic, as producers write them: raw events uncompressed, each in a batch of its own."""
        told = {
            topics.RAW: (self.events, "uncompressed, one a batch"),
            topics.TRANSITIONS: (self._records(topics.TRANSITIONS), "lz4"),
            topics.WINDOWS: (self.totals, "lz4"),
            topics.ALERTS: (self._records(topics.ALERTS), "lz4"),
            topics.PARTIALS: (self.partials, "lz4"),
            topics.changelog(topics.MESSAGES_TABLE): (self._records("receipts-messages-changelog"), "lz4"),
            topics.changelog(topics.PARTIALS_TABLE): (self.partials, "lz4"),
            topics.changelog(topics.TOTALS_TABLE): (self.partials, "lz4"),
        }
        return {name: number * self._stored(f"{name}, {how}", PER_RECORD) for name, (number, how) in told.items()}

    @property
    def kafka_disk(self) -> dict[str, float]:
        """Bytes on the disks of all brokers, by topic."""
        days = dict.fromkeys((topics.RAW, topics.TRANSITIONS, topics.WINDOWS, topics.ALERTS), self.size.raw_days)
        each = {name: self.produced[name] * number for name, number in days.items()}
        each[topics.PARTIALS] = self.produced[topics.PARTIALS] * self.open_days
        held = {name: value * self.size.messages * self.size.replicas for name, value in each.items()}
        messages = topics.changelog(topics.MESSAGES_TABLE)
        held[messages] = self.facts * self._stored(f"{messages}, lz4", PER_RECORD) * DIRTY * self.size.replicas
        for name in map(topics.changelog, (topics.PARTIALS_TABLE, topics.TOTALS_TABLE)):
            held[name] = self.window_records / 2 * self._stored(f"{name}, lz4", PER_RECORD) * DIRTY * self.size.replicas
        return held

    @property
    def kafka_in(self) -> float:
        """Bytes a second that producers write at the peak."""
        return self.peak * sum(self.produced.values())

    @property
    def kafka_out(self) -> float:
        """Bytes a second that consumers read: processors and sinks the raw events, dashboards windows and alerts."""
        readers = {topics.RAW: 2, topics.TRANSITIONS: 1, topics.WINDOWS: 2, topics.ALERTS: 3, topics.PARTIALS: 1}
        return self.peak * sum(self.produced[name] * number for name, number in readers.items())

    # --- ClickHouse -------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> dict[str, float]:
        """Rows a message by table, once they are merged."""
        return {
            "raw_events_log": self.events,
            "transitions_log": self._records("transitions_log", "rows a message"),
            "message_state_log": self._stored("message_state_log", "rows a message"),
            "channel_windows_log": self.windows,
            "alerts_log": self._stored("alerts_log", "rows a message"),
        }

    @property
    def stored(self) -> dict[str, float]:
        """Bytes a day by table, in one copy."""
        rows = self.rows.items()
        return {name: self.size.messages * number * self._stored(name, "bytes a row") for name, number in rows}

    @property
    def shards(self) -> int:
        """Shards of ClickHouse, by the room that its tables take."""
        return ceil(sum(self.stored.values()) * self.size.kept_days / SHARD_BYTES)

    @property
    def inserted(self) -> float:
        """Rows a second that sinks insert, at the peak."""
        records = self._records(topics.TRANSITIONS) + self._records(topics.ALERTS)
        return self.peak * (self.events + records + self.totals)

    @property
    def inserts(self) -> float:
        """Inserts a second. Each goes to every shard: a distributed table cuts it up."""
        return max(self.sinks * STORED / self.size.batch_s, self.inserted / INSERT_ROWS)

    @property
    def shard_cores(self) -> float:
        """Busy cores of one ClickHouse server at the peak, without queries."""
        row = max(self.found.engine_us.values()) * MERGES
        return self.inserts * self._stored(*INSERT) / 1e3 + (self.inserted / self.shards * row / 1e6)

    def query_s(self, label: str) -> float:
        """Return how long a query over 30 days takes, if it grows as the messages on one shard do."""
        messages = self.size.messages * min(ASKED_DAYS, self.size.kept_days)
        return self.found.seconds[label] * messages / ASKED_MESSAGES / self.shards


def _apart(number: float) -> float:
    """Return the share of records that find themselves alone or first, where `number` come together on average."""
    return (1 - exp(-number)) / number
