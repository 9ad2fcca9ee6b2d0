"""The second step: its keys, what it sums, what it drops, and that its changelog alone gives it back."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from processors import codec
from processors.receipts import Receipts
from processors.totals import Totals
from processors.windows import MINUTE_MS, Partial, Windows
from schemas import keys, topics
from schemas.times import to_iso
from tests.processors.world import HOUR, NOW, RETENTION, FakeRecord, Line, ListOutbox, raw, status_event

START = NOW - NOW % MINUTE_MS
LOG = topics.changelog(topics.TOTALS_TABLE)
ids = st.text(max_size=4)


def published(
    org: str, channel: str, raw: int, *, sent: int, last: int, start: int = START, watermark: int = NOW
) -> FakeRecord:
    """Return the record of a partial with so many SENT and as many deliveries of 100 ms each partition apart."""
    windows, partial = Windows(org, channel), Partial(start)
    partial.sent, partial.last = sent, last
    for _ in range(sent):
        partial.measure_delivery(100 * (raw + 1))
    return FakeRecord(0, windows.key(start), codec.encode_partial(raw, windows, partial, watermark))


Appended = dict[str, list[tuple[bytes | None, bytes | None]]]


def checkpointed(totals: Totals) -> Appended:
    """Return the keys and values that a checkpoint appends, by topic."""
    outbox = ListOutbox()
    totals.checkpoint(outbox)
    appended: Appended = {LOG: [], topics.WINDOWS: []}
    for topic, _, key, value, _ in outbox.lines:
        appended[topic].append((key, value))
    return appended


@given(ids, ids)
def test_keys_are_those_of_their_parts_and_the_changelog_gives_the_same_total_again(org: str, channel: str) -> None:
    totals = Totals(0, 2, RETENTION)
    totals.process([published(org, channel, 0, sent=2, last=5), published(org, channel, 1, sent=3, last=9)])
    written = checkpointed(totals)
    ((key, value),) = written[topics.WINDOWS]
    assert key == keys.join(org, channel, to_iso(START))
    row = orjson.loads(value or b"")
    assert (row["org_id"], row["channel_id"], row["window_start"]) == (org, channel, to_iso(START))
    assert (row["sent"], row["version"], sum(row["sent_to_delivered_sketch"].values())) == (5, 16, 5)
    changelog = written[LOG]
    assert [name for name, _ in changelog] == [keys.join(org, channel, str(START), raw) for raw in "01"]

    again = Totals(0, 2, RETENTION)
    for name, kept in changelog:
        again.restore(name or b"", kept)
    again.mark_all()
    assert checkpointed(again) == written


def test_the_newest_partial_of_a_raw_partition_holds_and_an_older_one_changes_nothing() -> None:
    totals = Totals(0, 1, RETENTION)
    totals.process([published("1", "2", 0, sent=2, last=5)])
    checkpointed(totals)
    totals.process([published("1", "2", 0, sent=1, last=3)])
    assert not checkpointed(totals)[topics.WINDOWS]
    totals.process([published("1", "2", 0, sent=2, last=5)])  # the very same again may not have been published
    written = checkpointed(totals)
    assert not written[LOG]
    assert orjson.loads(written[topics.WINDOWS][0][1] or b"")["sent"] == 2


def test_a_window_is_dropped_when_no_raw_partition_can_tell_anything_new_of_it() -> None:
    totals = Totals(0, 2, RETENTION)
    totals.process([published("1", "2", 0, sent=1, last=1), published("1", "2", 1, sent=1, last=1)])
    checkpointed(totals)
    later = START + RETENTION.closed + 2 * MINUTE_MS
    fresh = later - later % MINUTE_MS
    totals.process([published("1", "3", 0, sent=1, last=2, start=fresh, watermark=later)])
    assert len(checkpointed(totals)[LOG]) == 1, "the other partition may still tell of it"
    totals.process([published("1", "3", 1, sent=1, last=2, start=fresh, watermark=later)])
    tombstones = [key for key, value in checkpointed(totals)[LOG] if value is None]
    assert tombstones == [keys.join("1", "2", str(START), raw) for raw in "01"]
    assert totals.windows == 1


def test_a_silent_raw_partition_does_not_keep_windows_for_ever() -> None:
    totals = Totals(0, 2, RETENTION)
    totals.process([published("1", "2", 0, sent=1, last=1)])
    checkpointed(totals)
    later = NOW + RETENTION.state + HOUR
    totals.process([published("1", "3", 0, sent=1, last=2, start=later - later % MINUTE_MS, watermark=later)])
    checkpointed(totals)
    assert totals.windows == 1


def test_a_tombstone_of_the_changelog_drops_a_partial() -> None:
    totals = Totals(0, 2, RETENTION)
    for record in (published("1", "2", 0, sent=2, last=5), published("1", "2", 1, sent=3, last=9)):
        raw = orjson.loads(record.value or b"")[1]
        totals.restore(keys.join("1", "2", str(START), str(raw)), record.value)
    totals.restore(keys.join("1", "2", str(START), "0"), None)
    totals.mark_all()
    assert orjson.loads(checkpointed(totals)[topics.WINDOWS][0][1] or b"")["sent"] == 3
    totals.restore(keys.join("1", "2", str(START), "1"), None)
    assert totals.windows == 0


def test_a_window_is_dropped_only_when_what_was_published_of_it_is_acknowledged() -> None:
    totals = Totals(0, 2, RETENTION)
    later = START + RETENTION.closed + 2 * MINUTE_MS
    totals.process([published("1", "2", 0, sent=5, last=500, watermark=later)])
    checkpointed(totals)
    late = [published("1", "2", 1, sent=3, last=100, watermark=later)]
    totals.process(late)
    written = checkpointed(totals)
    assert [orjson.loads(value or b"")["sent"] for _, value in written[topics.WINDOWS]] == [8]
    assert None not in [value for _, value in written[LOG]]
    assert [value for _, value in checkpointed(totals)[LOG]] == [None, None]


def test_a_partition_that_catches_up_days_at_once_adds_to_what_others_have_told() -> None:
    """However its checkpoint is cut into fetches: the second step may sum up after each of them."""
    steps = 40
    engines = [Receipts(raw_partition, 2, RETENTION) for raw_partition in range(2)]
    totals = [Totals(partition, 2, RETENTION) for partition in range(2)]
    newest: dict[str, tuple[int, int]] = {}

    def sum_up(lines: list[Line]) -> None:
        for partition, each in enumerate(totals):
            mine = (topics.PARTIALS, partition)
            each.process([FakeRecord(0, key, value) for topic, to, key, value, _ in lines if (topic, to) == mine])
            for _, value in checkpointed(each)[topics.WINDOWS]:
                row = orjson.loads(value or b"")
                start, total = row["window_start"], (row["version"], row["sent"])
                newest[start] = max(newest.get(start, total), total)

    for engine in engines:
        for step in range(steps):
            at = NOW + step * 6 * HOUR
            record = raw(step, status_event("SENT", at, message=step), received=at)
            engine.process([record], ListOutbox(), NOW + steps * 6 * HOUR)
            if engine.partition == 0 or step == steps - 1:
                outbox = ListOutbox()
                engine.checkpoint(outbox)
                for line in outbox.lines:
                    sum_up([line])
    assert [sent for _, sent in newest.values()] == [2] * steps
