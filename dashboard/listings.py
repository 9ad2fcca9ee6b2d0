"""Lists: rows of a view by page, with a cursor, and the same as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import msgspec

from core import clock
from dashboard import params
from dashboard.answers import Alert, Cohort, DeadLetter, Followup, OpenMessage, Page, Window
from dashboard.parts import Parts
from dashboard.problems import NotYetError
from dashboard.snapshots import PATIENT

WAIT_S: Final = 15.0
Row = TypeVar("Row", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """A list: its query, the type of its rows, and the columns of its order, which are unique together.

    `choices` are the filters besides org and channel, each with its words (the first is the default); `ids` those that
    take any text. `patient`: it may walk over many messages. `ever`: it may be asked for all there is.
    """

    query: str
    kind: type[Row]
    order: tuple[str, ...]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ids: tuple[str, ...] = ("org", "channel")
    patient: bool = False
    ever: bool = False

    async def page(self, parts: Parts, query: Mapping[str, str]) -> Page[Row]:
        """Return one page."""
        asked, limit = self.asked(query), params.limit(query)
        if not self.patient:
            return self.paged(await parts.reader.rows(self.query, self.kind, asked | {"limit": limit + 1}), limit)

        async def make() -> Page[Row]:
            rows = await parts.reader.rows(self.query, self.kind, asked | {"limit": limit + 1}, patient=True)
            return self.paged(rows, limit)

        found = await parts.snapshots.need(self.key(query), make, wait_s=WAIT_S, times=PATIENT)
        if found is None:
            raise NotYetError("The list is being put together from many messages", fix="Ask again, or narrow the range")
        return found

    def key(self, query: Mapping[str, str]) -> str:
        """Return what two requests for the same page share."""
        return f"{self.query} {sorted((name, value) for name, value in query.items() if name != 'format')}"

    async def csv(self, parts: Parts, query: Mapping[str, str]) -> str:
        """Return up to MOST_CSV_ROWS rows as CSV with a header line."""
        limit = params.MOST_CSV_ROWS if "limit" not in query else params.limit(query, params.MOST_CSV_ROWS)
        rows = await parts.reader.rows(self.query, self.kind, self.asked(query) | {"limit": limit}, patient=True)
        return to_csv(self.kind, rows)

    def asked(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the query's parameters but for the limit."""
        period = params.period(query, clock.now_ms(), ever=self.ever)
        after = params.cursor(query, len(self.order))
        return {
            "from": period.from_ms,
            "to": period.to_ms,
            "short": str(period.short).lower(),
            **{f"after_{index}": value for index, value in enumerate(after)},
            **{name: params.text(query, name) for name in self.ids},
            **{name: params.choice(query, name, words) for name, words in self.choices.items()},
        }

    def paged(self, rows: list[Row], limit: int) -> Page[Row]:
        """Make a page of at most `limit` rows, of which one more was asked for."""
        more = len(rows) > limit
        last = [str(getattr(rows[limit - 1], name)) for name in self.order] if more else []
        return Page(rows[:limit], params.write_cursor(last) if more else None)


def to_csv(kind: type[msgspec.Struct], rows: list[Any]) -> str:
    """Write rows as RFC 4180 CSV; null is empty, and no spreadsheet takes a text for a formula."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(kind.__struct_fields__)
    writer.writerows([_cell(value) for value in msgspec.structs.astuple(row)] for row in rows)
    return target.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list) else value


_STATES: Final = ("", "open", "resolved", "expired")
COHORTS = Listing("cohorts", Cohort, ("hour", "org_id", "channel_id"), patient=True)
WINDOWS = Listing("windows", Window, ("window_start", "org_id", "channel_id"))
MESSAGES = Listing(
    "messages",
    OpenMessage,
    ("since", "org_id", "message_id"),
    choices={"state": ("stuck", "unread", "open")},
    patient=True,
)
ALERTS = Listing(
    "alerts",
    Alert,
    ("due_time", "alert_id"),
    choices={"state": _STATES, "followup": ("", "false", "true")},
    ids=("org", "channel", "rule"),
    ever=True,
)
FOLLOWUPS = Listing("followups", Followup, ("due_time", "alert_id"), patient=True, ever=True)
DEAD = Listing(
    "dead_letters",
    DeadLetter,
    ("failed_at", "id"),
    choices={"state": ("", "open", "redriven", "discarded")},
    ids=("org", "stage", "reason", "id"),
)
