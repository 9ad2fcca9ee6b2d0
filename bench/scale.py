"""The tables of docs/scale.md: from one machine to a billion messages a day.

`python -m bench.scale` prints them; `--write` renews them in the page. The numbers are those of bench/results, so a new
`make bench` wants a new `--write`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.measured import Measured, load
from bench.page import filled
from bench.plan import INSERT, MERGES, PARTIAL, PARTS, PEAK, SIZES, STATE_DAYS, USE, Plan
from schemas import topics

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
SIZE_NAMES: Final = {1e6: "1 million", 10e6: "10 million", 100e6: "100 million", 1e9: "1 billion"}

Row = tuple[str, Callable[[Plan], str]]


def number(value: float, unit: str = "") -> str:
    """Return a number with two digits or more, and its unit."""
    text = f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"  # noqa: PLR2004 -- digits
    return f"{text} {unit}".strip()


def size_of(value: float) -> str:
    """Return bytes in the unit that suits them."""
    for unit, factor in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if value >= factor:
            return number(value / factor, unit)
    return number(value, "B")


def duration(seconds: float) -> str:
    """Return seconds in the unit that suits them."""
    for unit, factor in (("h", 3600), ("min", 60)):
        if seconds >= 2 * factor:
            return number(seconds / factor, unit)
    return number(seconds, "s")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _over(plans: Sequence[Plan], rows: Sequence[Row]) -> str:
    head = ["messages a day", *(SIZE_NAMES[plan.size.messages] for plan in plans)]
    return table(head, [[name, *map(show, plans)] for name, show in rows])


def costs(found: Measured) -> str:
    """Return what each stage costs, as measured."""
    chain = found.chain

    def row(stage: str, alone: str, together: str, reckoned: str) -> list[str]:
        return [stage, alone, f"{chain.cpu_us(together):.0f} us", reckoned]

    rows_us = f"{found.sink_us['raw events']} us a raw event, {found.sink_us['transitions']} us a transition"
    engine_us = f"{max(found.engine_us.values())} us a row, {number(found.storage[INSERT])} ms an insert"
    window = f"{number(found.storage[PARTIAL])} us a window partial"
    requests = ", ".join(f"{us} us with {each} a request" for each, us in found.ingress_us.items())
    return table(
        ["stage", "measured alone", f"all together, {chain.rate:,.0f} events/s", "taken for the plan"],
        [
            row("ingress, an event", requests, "ingest", "one event a request"),
            row("Kafka, an event", "", "broker", "times the replicas"),
            row("processor, a record", f"{found.processor_us} us; {window}", "processor", "the dearer, and partials"),
            row("sink, an event", rows_us, "sink", "the dearer, and all windows"),
            row("ClickHouse, an event", engine_us, "warehouse", f"rows times {MERGES:.0f} for merges, and inserts"),
        ],
    )


def load_of(found: Measured) -> str:
    """Return how busy each role was in the whole pipeline, by rate."""
    roles = ("ingest", "broker", "processor", "sink", "warehouse")
    rows = [
        [f"{each.rate:,.0f}{'' if each.held else ', not held'}", *(f"{each.cores[role]:.2f}" for role in roles)]
        for each in found.chains
    ]
    return table(["events a second", *roles], rows)


def traffic(plans: Sequence[Plan]) -> str:
    """Return the traffic and the settings of each size."""
    return _over(
        plans,
        [
            ("events a second, mean", lambda plan: number(plan.peak / PEAK * plan.events)),
            ("events a second, peak", lambda plan: number(plan.peak * plan.events)),
            ("receipts a second, peak", lambda plan: number(plan.peak * plan.receipts)),
            ("channels", lambda plan: number(plan.size.messages / plan.channel)),
            ("`RAW_PARTITIONS`", lambda plan: str(plan.size.partitions)),
            ("`STATE_STORE`", lambda plan: plan.size.store),
            ("`WINDOW_RETENTION`, `SPOOL_MAX_AGE`", lambda plan: f"{plan.size.window_h}h, {plan.size.spool_h}h"),
            ("`REPLICATION_FACTOR`", lambda plan: str(plan.size.replicas)),
            ("`RAW_RETENTION`", lambda plan: f"{plan.size.raw_days}d"),
            ("`SINK_BATCH_AGE`", lambda plan: f"{plan.size.batch_s * 1000:.0f}ms"),
            ("`TTL_…`", lambda plan: f"{plan.size.kept_days}d"),
        ],
    )


def cores(plans: Sequence[Plan]) -> str:
    """Return busy cores at the peak, and processes."""

    def of(role: str) -> Callable[[Plan], str]:
        return lambda plan: f"{number(plan.cores[role])}; **{plan.processes[role]}**"

    return _over(
        plans,
        [
            ("ingress, one event a request", of("ingest")),
            ("ingress, ten events a request", lambda plan: number(plan.ingest_cores(10))),
            ("processor", of("processor")),
            ("sink", of("sink")),
            ("Kafka, all brokers", lambda plan: number(plan.cores["broker"])),
            ("ClickHouse, all servers, no queries", lambda plan: number(plan.cores["warehouse"])),
            (f"all, at {USE:.0%} use", lambda plan: number(sum(plan.cores.values()) / USE)),
        ],
    )


def state(plans: Sequence[Plan]) -> str:
    """Return the state of processors and how long it takes to read it back."""
    return _over(
        plans,
        [
            ("messages kept", lambda plan: number(plan.size.messages * STATE_DAYS / 1e6, "million")),
            ("their state, in all", lambda plan: size_of(plan.message_state)),
            ("where it is", lambda plan: "memory" if plan.size.store == "memory" else "disk"),
            ("windows, in memory, in all", lambda plan: size_of(plan.window_state)),
            ("processors", lambda plan: str(plan.processes["processor"])),
            ("memory a processor, state alone", lambda plan: size_of(plan.state / plan.processes["processor"])),
            ("changelog records a processor", lambda plan: number(_share(plan) / 1e6, "million")),
            (
                "read back by one that has nothing",
                lambda plan: duration(plan.rebuild_s(plan.facts + plan.window_records)),
            ),
            ("read back with its disk", _with_disk),
        ],
    )


def _share(plan: Plan) -> float:
    return (plan.facts + plan.window_records) / plan.processes["processor"]


def _with_disk(plan: Plan) -> str:
    return duration(plan.rebuild_s(plan.window_records)) if plan.size.store == "rocksdb" else "-"


def kafka(plans: Sequence[Plan]) -> str:
    """Return Kafka's disks and network."""
    changelogs = [
        topics.changelog(name) for name in (topics.MESSAGES_TABLE, topics.PARTIALS_TABLE, topics.TOTALS_TABLE)
    ]

    def disk(*names: str) -> Callable[[Plan], str]:
        return lambda plan: size_of(sum(plan.kafka_disk[name] for name in names))

    return _over(
        plans,
        [
            ("written a day, one copy", lambda plan: size_of(plan.size.messages * sum(plan.produced.values()))),
            ("of it raw events", lambda plan: size_of(plan.size.messages * plan.produced[topics.RAW])),
            (f"`{topics.RAW}`", disk(topics.RAW)),
            ("transitions, windows, alerts", disk(topics.TRANSITIONS, topics.WINDOWS, topics.ALERTS)),
            ("window partials", disk(topics.PARTIALS)),
            ("changelogs", disk(*changelogs)),
            ("all disks", lambda plan: size_of(sum(plan.kafka_disk.values()))),
            ("windows published a second, peak", lambda plan: number(plan.peak * plan.totals)),
            ("producers to Kafka, peak", lambda plan: size_of(plan.kafka_in) + "/s"),
            ("between brokers, peak", lambda plan: size_of(plan.kafka_in * (plan.size.replicas - 1)) + "/s"),
            ("Kafka to consumers, peak", lambda plan: size_of(plan.kafka_out) + "/s"),
        ],
    )


def clickhouse(plans: Sequence[Plan]) -> str:
    """Return ClickHouse's disks and inserts."""

    def stored(name: str) -> Row:
        return f"`{name}` a day", lambda plan: size_of(plan.stored[name])

    asked = [
        (label, title)
        for label, title in (
            ("view channel_rates, whole", "`channel_rates` of 30 days"),
            ("overview, worked out anew", "the dashboard's overview"),
            ("overview, rates of all messages, in the background", "its rates, in the background"),
        )
        if label in plans[0].found.seconds
    ]

    def query(label: str, title: str) -> Row:
        return f"{title}, if linear", lambda plan: duration(plan.query_s(label))

    return _over(
        plans,
        [
            *map(stored, plans[0].stored),
            ("all a day, one copy", lambda plan: size_of(sum(plan.stored.values()))),
            ("kept, all copies", lambda plan: size_of(_kept(plan))),
            ("shards, and servers of each", lambda plan: f"{plan.shards}, {plan.size.copies}"),
            ("rows inserted a second, peak", lambda plan: number(plan.inserted)),
            ("inserts a second", lambda plan: number(plan.inserts)),
            ("rows an insert, peak", lambda plan: number(plan.inserted / plan.inserts)),
            ("new parts a second, each shard", lambda plan: number(plan.inserts * PARTS)),
            ("busy cores, each server", lambda plan: number(plan.shard_cores)),
            *(query(label, title) for label, title in asked),
        ],
    )


def _kept(plan: Plan) -> float:
    return sum(plan.stored.values()) * plan.size.kept_days * plan.size.copies


def channels(found: Measured) -> str:
    """Return what windows cost by the size of channels, at 100 million messages a day."""
    sizes = (100, 1_000, 5_000, 100_000, 10_000_000)
    plans = [Plan(found, SIZES[2], size) for size in sizes]
    rows: list[Row] = [
        ("partials published a message", lambda plan: number(plan.partials)),
        ("windows published a message", lambda plan: number(plan.totals)),
        ("partials kept a message, in each step", lambda plan: number(plan.kept)),
        ("windows in memory, in all", lambda plan: size_of(plan.window_state)),
        ("processor, CPU us a message", lambda plan: number(plan.processor_us)),
        ("rows of `channel_windows` a message", lambda plan: number(plan.windows)),
    ]
    head = ["messages a channel and day", *(f"{size:,}" for size in sizes)]
    return table(head, [[name, *map(show, plans)] for name, show in rows])


def tables(found: Measured) -> dict[str, str]:
    """Return every table of the page by its name."""
    plans = [Plan(found, size) for size in SIZES]
    return {
        "costs": costs(found),
        "load": load_of(found),
        "traffic": traffic(plans),
        "cores": cores(plans),
        "state": state(plans),
        "kafka": kafka(plans),
        "clickhouse": clickhouse(plans),
        "channels": channels(found),
    }


def renewed(page: str, made: Mapping[str, str]) -> str:
    """Return the page with its tables made anew. Raises ValueError where a mark is missing."""
    return filled(page, "scale", made)


def main() -> None:
    """Print the tables, or renew them in the page."""
    made = tables(load())
    if "--write" in sys.argv[1:]:
        PAGE.write_text(renewed(PAGE.read_text(), made))
        return
    for name, text in made.items():
        print(f"{name}\n{text}\n")


if __name__ == "__main__":
    main()
