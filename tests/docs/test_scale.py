"""The plan of docs/scale.md: its tables are those of the last measurements, and its arithmetic is right."""

from __future__ import annotations

import pytest

from bench import chain, measured
from bench.measured import Chain, Measured
from bench.plan import SIZES, Plan, Size
from bench.scale import PAGE, duration, renewed, size_of, tables
from schemas import topics

CHAIN = """
  5,000 events/s held      sent 5,001/s, 0 refused, behind 6,327 half way; CPU s: broker 15, ingest 6, processor-1 12
 10,000 events/s held      sent 9,999/s, 0 refused, behind 22 half way; CPU s: ingest 12, processor-1 12, processor-2 6
 15,000 events/s NOT held  sent 14,999/s, 0 refused, behind 49 half way; CPU s: ingest 30
the ledger balances
"""
LOG = {name: topics.changelog(name) for name in ("messages", "partials", "totals")}
STORAGE = {
    ("receipts", "events a message"): 2.0,
    ("receipts by the end", "events a message"): 2.0,
    ("other events", "events a message"): 2.0,
    ("minutes with a status", "a message"): 1.0,
    ("window partial, first step", "bytes of memory"): 600.0,
    ("window partial, second step", "bytes of memory"): 400.0,
    ("window partial, both steps and four records", "CPU us"): 45.0,
    ("message state in RocksDB", "bytes a message"): 60.0,
    ("an insert, its merges with it", "CPU ms"): 25.0,
    (f"{topics.RAW}, uncompressed, one a batch", "bytes a record"): 500.0,
    (topics.TRANSITIONS, "records a message"): 2.0,
    (f"{topics.TRANSITIONS}, lz4", "bytes a record"): 80.0,
    (f"{topics.WINDOWS}, lz4", "bytes a record"): 60.0,
    (topics.ALERTS, "records a message"): 0.5,
    (f"{topics.ALERTS}, lz4", "bytes a record"): 60.0,
    (f"{topics.PARTIALS}, lz4", "bytes a record"): 40.0,
    (LOG["messages"], "records a message"): 3.0,
    (f"{LOG['messages']}, compacted", "records a message"): 2.5,
    **{(f"{name}, lz4", "bytes a record"): 40.0 for name in LOG.values()},
    ("raw_events_log", "bytes a row"): 100.0,
    ("transitions_log", "rows a message"): 2.0,
    ("transitions_log", "bytes a row"): 50.0,
    ("message_state_log", "rows a message"): 1.0,
    ("message_state_log", "bytes a row"): 60.0,
    ("channel_windows_log", "bytes a row"): 30.0,
    ("alerts_log", "rows a message"): 0.5,
    ("alerts_log", "bytes a row"): 20.0,
}
FOUND = Measured(
    ingress_us={1: 100.0, 10: 10.0},
    processor_us=20.0,
    reading_us=5.0,
    rebuilt_per_s=100_000.0,
    sink_us={"transitions": 5.0, "raw events": 10.0},
    engine_us={"transitions": 10.0, "raw events": 8.0},
    chains=[Chain(1000.0, held=True, cores={"processor": 0.03, "sink": 0.02, "broker": 0.025})],
    storage=STORAGE,
    seconds={"view channel_rates, whole": 1.0},
)


@pytest.fixture
def plan() -> Plan:
    """Forty messages a second at the peak, each on a channel of its own, so that no two receipts share a window."""
    return Plan(FOUND, Size(864_000, 10, "memory", 48, 24, 14, 0.5, 100), channel=1)


def test_the_tables_of_the_page_are_those_of_the_results() -> None:
    page = PAGE.read_text()
    assert page == renewed(page, tables(measured.load())), "run: python -m bench.scale --write"


def test_no_size_has_more_processes_than_partitions() -> None:
    for size in SIZES:
        processes = Plan(measured.load(), size).processes
        assert max(processes["processor"], processes["sink"]) <= size.partitions


def test_cores_worked_by_hand(plan: Plan) -> None:
    assert plan.peak == 40
    assert plan.ingest_cores(1) == pytest.approx(40 * 4 * 100e-6)
    # Four records at the chain's 30 us, which is dearer than 20, and two partials at 45 + 5.
    assert plan.processor_us == pytest.approx(4 * 30 + 2 * 50, rel=1e-3)
    # Four events at the chain's 20 us, dearer than 4 raw events at 10 and 2 transitions at 5; and two windows at 5.
    assert plan.sink_us == pytest.approx(80 + 10, rel=1e-3)
    assert plan.cores["broker"] == pytest.approx(40 * 4 * 25e-6 * 3)
    assert plan.processes == {"ingest": 2, "processor": 2, "sink": 2}


def test_state_worked_by_hand(plan: Plan) -> None:
    assert plan.message_state == 864_000 * 14 * 185
    assert plan.window_state == pytest.approx(864_000 * 3 * 1000, rel=1e-3)
    assert plan.rebuild_s(plan.facts) == pytest.approx(864_000 * 14 * 2.5 / 2 / 100_000)
    on_disk = Plan(FOUND, plan.size._replace(store="rocksdb"), channel=1)
    assert on_disk.message_state == 864_000 * 14 * 60
    assert on_disk.state == pytest.approx(plan.window_state)


def test_kafka_worked_by_hand(plan: Plan) -> None:
    # 4 raw events of 500 bytes, 2 transitions of 80, 2 windows of 60, half an alert of 60, 3 facts of 40, and
    # 2 partials of 40, three times.
    assert sum(plan.produced.values()) == pytest.approx(2000 + 160 + 120 + 30 + 120 + 240, rel=1e-3)
    assert plan.kafka_disk[topics.RAW] == 864_000 * 2000 * 14 * 3
    assert plan.kafka_disk[LOG["messages"]] == pytest.approx(864_000 * 14 * 2.5 * 40 * 1.25 * 3)


def test_clickhouse_worked_by_hand(plan: Plan) -> None:
    assert plan.stored["raw_events_log"] == 864_000 * 4 * 100
    assert plan.stored["channel_windows_log"] == pytest.approx(864_000 * 30, rel=1e-3)
    # 600 bytes a message: 52 GB in 100 days.
    assert plan.shards == 1
    # Two sinks, four topics, every half second; 4 raw events, 2 transitions, 2 windows and half an alert a message.
    assert plan.inserts == 16
    assert plan.inserted == pytest.approx(40 * 8.5, rel=1e-3)
    assert plan.shard_cores == pytest.approx(16 * 0.025 + 340 * 10e-6 * 2, rel=1e-3)
    assert plan.query_s("view channel_rates, whole") == pytest.approx(0.864 * 30 / 10)


def test_receipts_of_a_busy_channel_share_partials_and_windows(plan: Plan) -> None:
    busy = Plan(FOUND, plan.size, channel=864_000)
    # 80 receipts a second: 4 in each partition and checkpoint, 80 in each second's total.
    assert busy.partials == pytest.approx(2 * (1 - 0.0183) / 4, rel=1e-3)
    assert busy.totals == pytest.approx(2 / 80)
    # All minutes are told of in all partitions.
    assert busy.kept * 864_000 == pytest.approx(1440 * 10)


def test_the_chain_counts_at_the_highest_rate_that_was_held() -> None:
    chains = measured.chains(CHAIN)
    assert [each.rate for each in chains] == [5000, 10_000, 15_000]
    found = FOUND._replace(chains=chains).chain
    assert found.rate == 10_000
    assert found.cores == pytest.approx({"ingest": 0.2, "processor": 0.3})
    assert found.cpu_us("processor") == pytest.approx(30)


def test_the_chain_holds_each_rate_as_long_as_is_reckoned() -> None:
    assert measured.CHAIN_SECONDS == chain.SECONDS


def test_a_table_that_is_not_as_expected_is_an_error() -> None:
    with pytest.raises(ValueError, match="tells of no rate"):
        measured.chains("the ledger balances")
    with pytest.raises(ValueError, match="other columns"):
        measured.ingress("events/req bare req/s\n1 2")


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    page = "<!-- scale:one -->\nold\n<!-- end -->\n"
    assert renewed(page, {"one": "| new |"}) == "<!-- scale:one -->\n| new |\n<!-- end -->\n"
    with pytest.raises(ValueError, match="two"):
        renewed(page, {"two": ""})


@pytest.mark.parametrize(
    ("shown", "expected"),
    [(size_of(864e9), "864 GB"), (size_of(1.5e12), "1.5 TB"), (duration(100), "100 s"), (duration(5400), "90 min")],
)
def test_units(shown: str, expected: str) -> None:
    assert shown == expected
