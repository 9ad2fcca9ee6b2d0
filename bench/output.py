"""What every measurement leaves behind: its table as text, its numbers as JSON, and a plot.

`bench/results/NAME.txt`, `.json` and `.svg` are those of the last run; bench/README.md says how to read them.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from matplotlib import rcParams
from matplotlib.figure import Figure

from core.build import describe

RESULTS = Path(__file__).parent / "results"
rcParams["svg.hashsalt"] = "receiptstream"  # the same numbers give the same file
OURS, OTHERS = "#1f77b4", "#b0b0b0"


class Result(NamedTuple):
    """One line of a plot: what was measured, once a round."""

    label: str
    values: Sequence[float]
    unit: str
    ours: bool = False
    """Whether it is the product, and not a baseline."""


def write(name: str, table: str, results: Sequence[Result]) -> None:
    """Write the three files of a measurement."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.txt").write_text(f"{table}\n")
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    machine["build"] = describe()
    rounds = [
        {**result._asdict(), "values": list(result.values), "median": median(result.values)} for result in results
    ]
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine, "results": rounds}, indent=2) + "\n")
    _plot(RESULTS / f"{name}.svg", results)


def _plot(file: Path, results: Sequence[Result]) -> None:
    """Draw a bar of the median for each line, with a whisker from the worst to the best round; a plot a unit."""
    units = list(dict.fromkeys(result.unit for result in results))
    heights = [sum(result.unit == unit for result in results) for unit in units]
    figure = Figure(figsize=(9, 0.9 * len(units) + 0.34 * sum(heights)), layout="constrained")
    all_axes = figure.subplots(len(units), 1, height_ratios=heights, squeeze=False)
    for unit, (axes,) in zip(units, all_axes, strict=True):
        lines = [result for result in results if result.unit == unit][::-1]
        middle = [median(line.values) for line in lines]
        low = [each - min(line.values) for each, line in zip(middle, lines, strict=True)]
        high = [max(line.values) - each for each, line in zip(middle, lines, strict=True)]
        colours = [OURS if line.ours else OTHERS for line in lines]
        bars = axes.barh([line.label for line in lines], middle, xerr=(low, high), color=colours, capsize=3)
        axes.bar_label(bars, labels=[f"{each:,.3g}" if each < 1000 else f"{each:,.0f}" for each in middle], padding=4)  # noqa: PLR2004 -- digits
        axes.set_xlabel(unit)
        axes.margins(x=0.15)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
