"""The plot of a run: memory, open files, lag and latency over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.errors import MissingPartError
from sandbox.torture.watch import Sample

SIZE_IN = (10.0, 11.0)
COLOURS = 10
"""That lines have of themselves; the next ones are dashed."""


def plot(samples: Sequence[Sample], file: Path) -> None:
    """Draw into an SVG or PNG file. Raises MissingPartError where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 -- only who measures has it
    except ImportError as error:
        raise MissingPartError("matplotlib is not installed", fix="Install the extra: pip install '.[dev]'") from error
    figure = Figure(figsize=SIZE_IN, layout="constrained")
    memory, files, lag, latency = figure.subplots(4, sharex=True)
    minutes = [sample.at_s / 60 for sample in samples]
    names = sorted({name for sample in samples for name in sample.processes})
    for number, name in enumerate(names):
        look = {"color": f"C{number % COLOURS}", "linestyle": "-" if number < COLOURS else "--", "label": name}
        own = [(at, one.processes[name]) for at, one in zip(minutes, samples, strict=True) if name in one.processes]
        memory.plot([at for at, _ in own], [each.mib for _, each in own], **look)
        files.plot([at for at, _ in own], [each.files for _, each in own], **look)
    told = [(at, one.lag) for at, one in zip(minutes, samples, strict=True) if one.lag is not None]
    lag.plot([at for at, _ in told], [value for _, value in told])
    for label, values in (("p50", [one.p50_ms for one in samples]), ("p99", [one.p99_ms for one in samples])):
        there = [(at, value) for at, value in zip(minutes, values, strict=True) if value is not None]
        latency.plot([at for at, _ in there], [value for _, value in there], label=label)
    for axes, title in ((memory, "resident memory, MiB"), (files, "open files"), (lag, "records that wait")):
        axes.set_ylabel(title)
        axes.set_ylim(bottom=0)
    latency.set(ylabel="answer, ms", xlabel="minutes")
    latency.set_ylim(bottom=0)
    latency.legend()
    files.legend(fontsize="small", ncols=2, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(file)
