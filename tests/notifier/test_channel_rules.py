"""Rules on channels: what is measured in ClickHouse, what follows, and that it is told once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from core.clickhouse import HttpClickHouse, connect
from core.clock import now_ms
from core.settings import parse
from schemas import topics
from schemas.alert_rules import ChannelRule, RulesFile
from schemas.times import to_iso
from sinks.facts import Group
from sinks.migrate import migrate, released
from sinks.notifier.channel_rules import Watch, judge
from sinks.notifier.evaluator import Evaluator
from sinks.notifier.measures import Channel, Measure, Open, measure

HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_760_000_000_000
RATIO = ChannelRule("few", "delivery_ratio_below", bound=0.9)
USUAL = ChannelRule("worse", "delivery_ratio_below", share_of_last_week=0.8)
SILENT = ChannelRule("silent", "silent", after_ms=HOUR, times=2)
CONTRADICTED = ChannelRule("contradicted", "contradictions_above", bound=0.1, window_ms=HOUR)
CHANNEL = Channel("1", "7", "WHATSAPP")


@pytest.mark.parametrize(
    ("rule", "found", "holds", "clear"),
    [
        (RATIO, None, False, False),
        (RATIO, Measure(49, good=0), False, False),
        (RATIO, Measure(100, good=89), True, False),
        (RATIO, Measure(100, good=90), False, False),
        (RATIO, Measure(100, good=92), False, True),
        (USUAL, Measure(100, good=70, before_messages=49, before_good=49), False, False),
        (USUAL, Measure(100, good=79, before_messages=100, before_good=100), True, False),
        (USUAL, Measure(100, good=80, before_messages=100, before_good=100), False, False),
        (USUAL, Measure(100, good=79, before_messages=100, before_good=90), False, True),
        (CONTRADICTED, Measure(100, bad=11), True, False),
        (CONTRADICTED, Measure(100, bad=10), False, False),
        (CONTRADICTED, Measure(100, bad=9), False, True),
        (SILENT, None, False, False),
        (SILENT, Measure(100, at=NOW - HOUR, longest_ms=60_000), False, True),
        (SILENT, Measure(100, at=NOW - HOUR - 1, longest_ms=60_000), True, False),
        (SILENT, Measure(100, at=NOW - 3 * HOUR, longest_ms=2 * HOUR), False, False),
        (SILENT, Measure(100, at=NOW - 4 * HOUR - 1, longest_ms=2 * HOUR), True, False),
        (SILENT, Measure(49, at=NOW - 9 * HOUR, longest_ms=60_000), False, False),
    ],
)
def test_a_rule_holds_or_is_clear_or_says_nothing(
    rule: ChannelRule, found: Measure | None, *, holds: bool, clear: bool
) -> None:
    verdict = judge(rule, found, NOW)
    assert (verdict.holds, verdict.clear) == (holds, clear)


def test_an_opening_and_its_resolution_are_told_once_each_and_a_restart_tells_nothing_anew() -> None:
    place = ("1", "7")
    bad, good = {place: Measure(100, bad=50)}, {place: Measure(100, bad=0)}
    watch = Watch()
    (opened,) = watch.news(CONTRADICTED, [CHANNEL], bad, watch.saw([]), NOW)
    assert opened.detail == "50 of 100 receipts contradict (50 %)"
    ident = opened.alert.alert_id
    assert watch.news(CONTRADICTED, [CHANNEL], bad, watch.saw([]), NOW + 1) == [], "not stored yet"
    shown = [Open(ident, "contradicted", *place, NOW - NOW % HOUR, NOW)]
    assert watch.news(CONTRADICTED, [CHANNEL], bad, watch.saw(shown), NOW + 2) == []
    restarted = Watch()
    assert restarted.news(CONTRADICTED, [CHANNEL], bad, restarted.saw(shown), NOW + 3) == []
    (resolved,) = restarted.news(CONTRADICTED, [CHANNEL], good, restarted.saw(shown), NOW + 4)
    assert (resolved.alert.alert_id, resolved.alert.state) == (ident, "resolved")
    assert resolved.alert.due_time == opened.alert.due_time, "the identity stays in its partition"
    assert restarted.news(CONTRADICTED, [CHANNEL], good, restarted.saw(shown), NOW + 5) == [], "still shown as open"
    another = Watch()
    (again,) = another.news(CONTRADICTED, [CHANNEL], bad, another.saw([]), NOW + 6)
    assert again.alert.alert_id == ident, "found again by a process that knows of nothing"


def test_a_rule_that_was_narrowed_or_taken_out_closes_its_alerts() -> None:
    standing = [Open("i", "contradicted", "1", "7", NOW, NOW)]
    narrowed = ChannelRule("contradicted", "contradictions_above", bound=0.1, channels=frozenset({"INSTAGRAM"}))
    (told,) = Watch().news(narrowed, [CHANNEL], {("1", "7"): Measure(100, bad=100)}, standing, NOW)
    assert told.alert.state == "resolved"
    assert [each.alert.state for each in Watch().unruled({"other"}, standing, NOW)] == ["resolved"]
    assert Watch().unruled({"contradicted"}, standing, NOW) == []


class Tables:
    """Receipts of one org in a database of their own."""

    def __init__(self, clickhouse: HttpClickHouse) -> None:
        self.clickhouse = clickhouse
        self.offset = 0

    async def tell(self, messages: range, at: int, channel: str = "7", **fields: Any) -> None:
        """Insert a transition of each message, changed and received at `at`."""
        rows = []
        for number in messages:
            self.offset += 1
            row = {
                "org_id": "1",
                "channel_id": channel,
                "session_id": "3",
                "message_id": str(number),
                "old_status": "",
                "new_status": "SENT",
                "updated_time": to_iso(at),
                "received_time": to_iso(at),
                "time_source": "updated",
                "implied": 0,
                "out_of_order": False,
                "contradiction": False,
                "raw_partition": 0,
                "raw_offset": self.offset,
            }
            rows.append(orjson.dumps({**row, **fields}))
        await self.clickhouse.insert("transitions_log", b"\n".join(rows), token=str(self.offset))


@pytest.fixture
async def tables(warehouse: str) -> AsyncIterator[Tables]:
    database = f"rules_{uuid4().hex[:12]}"
    settings = parse({"CLICKHOUSE_URL": warehouse, "CLICKHOUSE_DATABASE": database})
    async with connect(settings, database="default") as server, connect(settings) as clickhouse:
        await server.command(f"CREATE DATABASE {database}")
        await migrate(clickhouse, released())
        yield Tables(clickhouse)
        await server.command(f"DROP DATABASE {database}")


@pytest.mark.stack
async def test_what_rules_look_at_is_measured(tables: Tables) -> None:
    now = now_ms()
    hour = now - now % HOUR
    # Two days ago: the window's newest mature hour; eight days ago: the week before. The last hour is not mature.
    for at, first, delivered in ((hour - 2 * DAY, 0, 6), (hour - 4 * DAY, 100, 9), (hour, 200, 0)):
        await tables.tell(range(first, first + 10), at)
        await tables.tell(range(first, first + delivered), at + 1000, new_status="DELIVERED")
    found = await measure(tables.clickhouse, RATIO, now)
    assert found == {("1", "7"): Measure(10, good=6, before_messages=10, before_good=9, at=hour - 2 * DAY)}

    quiet = (await measure(tables.clickhouse, SILENT, now))["1", "7"]
    assert quiet.at == hour
    assert quiet.longest_ms == 2 * DAY

    await tables.tell(range(300, 303), now - 1000, "8", contradiction=True)
    await tables.tell(range(303, 310), now - 1000, "8")
    assert (await measure(tables.clickhouse, CONTRADICTED, now))["1", "8"] == Measure(10, bad=3)

    # Of what was read, DELIVERED is missing twice; one of these came later after all.
    await tables.tell(range(300, 302), now - 500, "8", new_status="READ", implied=1)
    await tables.tell(range(300, 301), now - 400, "8", new_status="DELIVERED", out_of_order=True)
    gaps = ChannelRule("gaps", "gaps_above", bound=0.05, window_ms=HOUR)
    assert (await measure(tables.clickhouse, gaps, now))["1", "8"] == Measure(10, bad=1)


@pytest.mark.stack
async def test_a_round_publishes_what_follows(tables: Tables, kafka: str) -> None:
    org = f"rules{uuid4().hex[:8]}"
    now = now_ms()
    await tables.tell(range(60), now - 1000, org_id=org, contradiction=True)
    behind = [Group("sink", 5, moving=False)]

    async def progress() -> tuple[Group, ...]:
        return tuple(behind)

    rules = RulesFile((), (CONTRADICTED, RATIO, SILENT))
    consumer = AIOKafkaConsumer(topics.ALERTS, bootstrap_servers=kafka, auto_offset_reset="latest")
    async with consumer, AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for tp in consumer.assignment():
            await consumer.position(tp)
        evaluator = Evaluator(rules, tables.clickhouse, producer, 4, progress)
        with pytest.raises(ValueError, match="sinks are 5 records behind"):
            await evaluator.round(now)
        behind.clear()
        for _ in range(2):
            await evaluator.round(now)
        await tables.tell(range(60, 1200), now - 500, org_id=org)
        await evaluator.round(now)
        got: list[tuple[dict[str, Any], str]] = []
        while len(got) < 2:
            record = await consumer.getone()
            if org.encode() in record.key:
                got.append((orjson.loads(record.value), dict(record.headers)["detail"].decode()))
    assert [(row["state"], detail) for row, detail in got] == [
        ("open", "60 of 60 receipts contradict (100 %)"),
        ("resolved", "60 of 1200 receipts contradict (5 %)"),
    ]
    assert len({row["alert_id"] for row, _ in got}) == 1
    assert got[0][0]["message_id"] == ""
