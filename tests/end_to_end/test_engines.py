"""The processors' engines against the answer key, on hostile logs and on the simulator's traffic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kafka import partition_of
from processors.receipts import Receipts
from processors.totals import Totals
from sandbox.answer_key import AnswerKey, RawRecord, answer, compare, describe
from sandbox.answer_key.rows import Tables
from sandbox.simulator import Traffic, events
from schemas import topics
from tests.processors.world import HOUR, NOW, RETENTION, FakeRecord, Headers, ListOutbox, status_event

PARTITIONS = 3


def processed(records: Iterable[RawRecord]) -> tuple[Tables, dict[str, int]]:
    """Run both engines over a log and return what they publish, as rows, and the first one's tally."""
    engines = [Receipts(number, PARTITIONS, RETENTION) for number in range(PARTITIONS)]
    outbox = ListOutbox()
    for record in records:
        engines[record.partition].process([_fake(record)], outbox, NOW)
    for engine in engines:
        engine.checkpoint(outbox)
    partials: dict[int, list[FakeRecord]] = defaultdict(list)
    for topic, partition, key, value, _ in outbox.lines:
        if topic == topics.PARTIALS:
            partials[partition].append(FakeRecord(len(partials[partition]), key, value))
    for partition, published in partials.items():
        totals = Totals(partition, PARTITIONS, RETENTION)
        totals.process(published)
        totals.checkpoint(outbox)
    tables = {
        "transitions": _first_by_offset(outbox.values(topics.TRANSITIONS)),
        "channel_windows": [orjson.loads(value) for value in outbox.values(topics.WINDOWS)],
    }
    tally = {name: sum(getattr(e.tally, name) for e in engines) for name in ("applied", "duplicate", "parked", "other")}
    return tables, tally


def _fake(record: RawRecord) -> FakeRecord:
    headers: Headers = [("received", b"%d" % record.received_ms)]
    if record.origin:
        headers.append(("origin", b"%d:%d" % record.origin))
    return FakeRecord(record.offset, b"k", record.value, headers)


def _first_by_offset(values: list[bytes]) -> list[dict[str, str | int | float | bool | None]]:
    """Return one row an identity, that of the lowest offset, as ClickHouse keeps it."""
    found: dict[tuple[str, ...], dict[str, str | int | float | bool | None]] = {}
    for row in map(orjson.loads, values):
        found.setdefault((row["org_id"], row["message_id"], row["new_status"]), row)
    return list(found.values())


def differences(key: AnswerKey, actual: Tables) -> str:
    return describe(compare({name: key.tables[name] for name in actual}, actual))


shifts = st.one_of(
    st.integers(-200_000, 200_000),
    st.builds(
        lambda edge, beside: edge + beside, st.sampled_from([-48 * HOUR, HOUR, -60_000, 0]), st.sampled_from([-1, 0, 1])
    ),
)
elements = st.one_of(
    st.builds(
        lambda status, shift, message, old, org, channel: status_event(
            status, NOW + shift, message=message, old=old, org=org, channel=channel
        ),
        st.sampled_from(["SENT", "DELIVERED", "READ", "FAILED", "QUEUED"]),
        shifts,
        st.sampled_from([1, "1", 12345678901234567890, "01", "x:y%z"]),
        st.sampled_from([None, "SENT", "DELIVERED", "READ", "FAILED", "?"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from([7, "7", 8]),
    ),
    st.builds(
        lambda status, told, event_time: status_event(status, told, event_time=event_time),
        st.sampled_from(["SENT", "DELIVERED", "READ"]),
        st.sampled_from([None, "", "soon", "2025-10-09T08:54:00.0009Z", "2025-10-09T10:54:00+02:00"]),
        st.sampled_from([None, str(NOW), NOW - 5, "-1", "1e3", True]),
    ),
    st.sampled_from([b"", b"{", b"42", b'{"eventType":"IM_Session_Status"}', b'{"eventType":"IM_Message_Status"}']),
)
logs = st.lists(
    st.tuples(st.integers(0, PARTITIONS - 1), elements, st.integers(-100_000, 100_000), st.integers(0, 9)), max_size=30
)


def log_of(drawn: list[tuple[int, bytes, int, int]], *, replays: bool) -> list[RawRecord]:
    """Return a log; with `replays`, about half of its records are copies of earlier ones."""
    log: list[RawRecord] = []
    offsets = [0] * PARTITIONS
    for partition, value, shift, back in drawn:
        mine = [record for record in log if record.partition == partition and record.origin is None]
        record = RawRecord(partition, offsets[partition], value, NOW + shift)
        if replays and back % 2 and mine:
            first = mine[back % len(mine)]
            record = RawRecord(
                partition, offsets[partition], first.value, first.received_ms, origin=(partition, first.offset)
            )
        log.append(record)
        offsets[partition] += 1
    return log


@settings(max_examples=400, deadline=None)
@given(logs)
def test_any_log_gives_the_rows_of_the_answer_key(drawn: list[tuple[int, bytes, int, int]]) -> None:
    log = _ids_stay_in_one_partition(log_of(drawn, replays=False))
    key = answer(log)
    tables, tally = processed(log)
    assert differences(key, tables) == "no difference"
    assert tally == {name: key.ledger[name] for name in tally}


@settings(max_examples=200, deadline=None)
@given(logs)
def test_replayed_records_change_nothing(drawn: list[tuple[int, bytes, int, int]]) -> None:
    log = log_of([(0, *rest) for _, *rest in drawn], replays=True)  # type: ignore[misc] # the rest of the tuple
    key = answer(log)
    tables, _ = processed(log)
    assert differences(key, tables) == "no difference"
    assert key.tables == answer([record for record in log if record.origin is None]).tables


def _ids_stay_in_one_partition(log: list[RawRecord]) -> list[RawRecord]:
    """Move every record to the partition of its key, as the ingress does."""
    from sandbox.answer_key.reading import Told, read  # noqa: PLC0415 -- only here

    offsets = [0] * PARTITIONS
    moved = []
    for record in log:
        event = read(record.value)
        key = event.message_id if isinstance(event, Told) else ""
        partition = partition_of(key.encode(), PARTITIONS)
        moved.append(RawRecord(partition, offsets[partition], record.value, record.received_ms))
        offsets[partition] += 1
    return moved


def test_simulated_traffic_gives_the_rows_of_the_answer_key() -> None:
    traffic = Traffic(now_ms=NOW, messages=3000, duplicates=0.2, reorder=0.2, missing=0.2, broken=9, strange=0.02)
    offsets = [0] * PARTITIONS
    log = []
    for event in events(traffic):
        partition = partition_of(event.key.encode(), PARTITIONS)
        log.append(RawRecord(partition, offsets[partition], event.body, NOW))
        offsets[partition] += 1
    key = answer(log)
    tables, tally = processed(log)
    assert differences(key, tables) == "no difference"
    assert tally == {name: key.ledger[name] for name in tally}
