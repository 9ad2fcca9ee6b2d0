"""The reference pages that are made from code: `python -m core.pages` writes docs/settings.md and docs/metrics.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from core import metrics
from core.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"
_MADE = "<!-- Made by `python -m core.pages` from {source}: change it there. -->"
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_OF_THE_USER = {
    "STATE_DIR": "the user's state directory",
    "SANDBOX_CACHE_DIR": "the user's cache directory",
}
"""Settings whose default depends on the user."""

_SETTINGS_INTRO = """\
Every process reads its environment and nothing else. An empty variable counts as not set. A bad value refuses to
start, and says the variable, the value and the fix. Durations are written `500ms`, `30s`, `15m`, `48h`, `14d`; lists
with commas. Secrets are masked in every log line."""

_METRICS_INTRO = """\
Prometheus metrics of all roles. The ingress serves `/metrics` on its own port (with `INGEST_REUSE_PORT` on
`METRICS_PORT`), the others on `METRICS_PORT`. A counter's name ends in `_total` there."""


def duration_text(duration: timedelta) -> str:
    """Return a duration as one would write it in the environment: `48h`, `500ms`."""
    ms = int(duration.total_seconds() * 1000)
    unit, size = next((unit, size) for unit, size in _UNITS if ms % size == 0)
    if unit == "d" and ms < 7 * size:
        unit, size = "h", _UNITS[1][1]
    return f"{ms // size}{unit}"


def default_text(name: str, default: Any) -> str:
    """Return a default as one would write it in the environment; an empty text where there is none."""
    if name in _OF_THE_USER:
        return _OF_THE_USER[name]
    if isinstance(default, SecretStr) or default in (None, "", ()):
        return ""
    if isinstance(default, timedelta):
        return f"`{duration_text(default)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def settings_page() -> str:
    """Return docs/settings.md."""
    rows = (_setting(field) for field in Settings.model_fields.values())
    return _page("Settings", "core/settings.py", _SETTINGS_INTRO, ("variable", "default", "meaning"), rows)


def _setting(field: FieldInfo) -> tuple[str, ...]:
    name = str(field.alias)
    return f"`{name}`", default_text(name, field.default), str(field.description)


def metrics_page() -> str:
    """Return docs/metrics.md."""
    rows = (_metric(each) for each in vars(metrics).values() if isinstance(each, MetricWrapperBase))
    return _page("Metrics", "core/metrics.py", _METRICS_INTRO, ("name", "kind", "labels", "meaning"), rows)


def _metric(metric: MetricWrapperBase) -> tuple[str, ...]:
    described = next(iter(metric.describe()))
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 -- the library offers no other way
    return f"`{described.name}`", described.type, labels, described.documentation


def _page(title: str, source: str, intro: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"# {title}", _MADE.format(source=source), "", intro, "", *table(head, rows)]
    return "\n".join(lines) + "\n"


def table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a table; a bar within a cell is escaped."""
    lines = [_row(head), _row(("---",) * len(head))]
    lines.extend(_row(cell.replace("|", "\\|") for cell in row) for row in rows)
    return lines


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


PAGES = {"settings.md": settings_page, "metrics.md": metrics_page}


def write(pages: Mapping[str, Callable[[], str]]) -> None:
    """Write pages, by their file names in docs."""
    for name, render in pages.items():
        (DOCS / name).write_text(render())


def main() -> None:
    """Write the pages."""
    write(PAGES)


if __name__ == "__main__":
    main()
