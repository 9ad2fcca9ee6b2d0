"""What the last measurements found, for bench.scale: the numbers of bench/results.

Most stand in the JSON files; CPU seconds stand in the tables alone. A table that is not as expected here is an error,
and never a number left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.output import RESULTS

CHAIN_SECONDS = 60.0
"""How long bench.chain holds each rate."""
_NUMBER = r"([\d,.]+)"
_ROWS = ("transitions", "raw events")
_REBUILT = "receipts processor, state rebuilt"
_NEEDED = ("ingress", "processor", "sink", "chain")


class Chain(NamedTuple):
    """The whole pipeline at one rate."""

    rate: float
    """Events a second."""
    held: bool
    """Whether no role fell behind."""
    cores: Mapping[str, float]
    """Busy cores by role: broker, warehouse, ingest, processor, sink."""

    def cpu_us(self, role: str) -> float:
        """Return CPU us an event."""
        return self.cores[role] * 1e6 / self.rate


class Measured(NamedTuple):
    """All that the plan takes from measurements."""

    ingress_us: Mapping[int, float]
    """CPU us an event, by events a request."""
    processor_us: float
    """CPU us a record, with all it reads and writes; windows hardly count there, for channels are few."""
    reading_us: float
    """CPU us a record of a consumer that only reads."""
    rebuilt_per_s: float
    """Changelog records a second and process, when a processor reads its state back."""
    sink_us: Mapping[str, float]
    """CPU us a row, of transitions and raw events."""
    engine_us: Mapping[str, float]
    """CPU us of ClickHouse a row, in inserts of up to 50,000 rows."""
    chains: Sequence[Chain]
    """Every rate that was tried, rising."""
    storage: Mapping[tuple[str, str], float]
    """The numbers of bench.storage by label and unit."""
    seconds: Mapping[str, float]
    """Of queries on 10 million messages, where they were measured: the fastest round."""

    @property
    def chain(self) -> Chain:
        """The highest rate that was held; without one, the first that was tried."""
        return next((each for each in reversed(self.chains) if each.held), self.chains[0])


def load(folder: Path = RESULTS) -> Measured:
    """Read the results. Raises ValueError where one is not there or not as expected."""
    text = {name: (folder / f"{name}.txt").read_text() for name in _NEEDED}
    storage = {(each["label"], each["unit"]): each["median"] for each in _results(folder, "storage")}
    asked = [*_results(folder, "questions"), *_results(folder, "dashboard")]
    return Measured(
        ingress_us=ingress(text["ingress"]),
        processor_us=_one(r"^receipts processor, everything on .*?records/s\s+" + _NUMBER, text["processor"]),
        reading_us=_one(r"^aiokafka, reading only .*?records/s\s+" + _NUMBER, text["processor"]),
        rebuilt_per_s=next(each["median"] for each in _results(folder, "processor") if each["label"] == _REBUILT),
        sink_us={name: _one(rf"^{name}\s+receipts sink .*million:\s*{_NUMBER}", text["sink"]) for name in _ROWS},
        engine_us={name: _one(rf"^{name}\s+receipts sink .*engine\s+{_NUMBER}", text["sink"]) for name in _ROWS},
        chains=chains(text["chain"]),
        storage=storage,
        seconds={each["label"]: min(each["values"]) for each in asked if each["unit"] == "s"},
    )


def _results(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the results of a measurement; nothing where it has not been made."""
    path = folder / f"{name}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())["results"] if path.exists() else []
    return found


def ingress(table: str) -> dict[int, float]:
    """Return CPU us an event by events a request, from the table of bench.ingress."""
    head, *lines = table.strip().splitlines()
    if not head.endswith("us CPU/event p50 ms p99 ms failed"):
        raise ValueError(f"the table of bench.ingress has other columns: {head}")
    cells = [line.split() for line in lines]
    return {int(each[0]): float(each[-4]) for each in cells}


def chains(table: str) -> list[Chain]:
    """Return the rates that were tried, from the table of bench.chain."""
    line = re.compile(r"^\s*([\d,]+) events/s (held|NOT held) .*CPU s: (.*)$", re.MULTILINE)
    found = [Chain(_value(rate), word == "held", _cores(spent)) for rate, word, spent in line.findall(table)]
    if not found:
        raise ValueError("the table of bench.chain tells of no rate")
    return sorted(found, key=lambda each: each.rate)


def _cores(spent: str) -> dict[str, float]:
    """Return busy cores by role, of text like `broker 13, processor-1 21`: CPU seconds of each process."""
    found: dict[str, float] = {}
    for name, seconds in re.findall(r"([a-z]+)[-\d]* (\d+)", spent):
        found[name] = found.get(name, 0.0) + float(seconds) / CHAIN_SECONDS
    return found


def _one(pattern: str, table: str) -> float:
    found = re.search(pattern, table, re.MULTILINE)
    if found is None:
        raise ValueError(f"no line of the table is like {pattern}")
    return _value(found[1])


def _value(text: str) -> float:
    return float(text.replace(",", ""))
