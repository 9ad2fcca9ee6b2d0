"""The ledger of a period, and what the last audit found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core import clock
from dashboard import params
from dashboard.answers import Audit, Entry, Fates, Ledger, Page, row_of
from dashboard.listings import WAIT_S, Listing
from dashboard.parts import Parts
from dashboard.problems import NotYetError
from dashboard.snapshots import PATIENT

LEDGER: Final = Listing("ledger", Entry, ("hour", "org_id", "channel_id"), patient=True)
_FATES: Final = ("raw", "applied", "duplicate", "parked", "other")


async def ledger(parts: Parts, query: Mapping[str, str]) -> Ledger:
    """Return a page of the ledger of a period with the sums over the whole of it."""
    asked, limit = LEDGER.asked(query), params.limit(query)

    async def make() -> tuple[str, Fates, Page[Entry]]:
        as_of = clock.iso(clock.now_ms())
        rows = await parts.reader.raw(LEDGER.query, asked | {"limit": limit + 1}, patient=True)
        return as_of, totals(rows), LEDGER.paged([row_of(Entry, row) for row in rows], limit)

    found = await parts.snapshots.need(LEDGER.key(query), make, wait_s=WAIT_S, times=PATIENT)
    if found is None:
        raise NotYetError("The ledger is being put together from many records", fix="Ask again, or narrow the range")
    as_of, whole, page = found
    start, end = (clock.iso(asked[name]) for name in ("from", "to"))
    return Ledger(as_of, start, end, whole, page.rows, page.next_cursor, await last_audit(parts))


async def last_audit(parts: Parts) -> Audit | None:
    """Return what the last periodic audit found; None where none has run."""
    found = await parts.snapshots.need("audit", lambda: parts.reader.rows("audit", Audit, {}), wait_s=WAIT_S)
    return found[0] if found else None


def totals(rows: list[dict[str, Any]]) -> Fates:
    """Return the sums that stand beside each row; all 0 where nothing was received."""
    sums = {name: int(rows[0][f"all_{name}"]) if rows else 0 for name in _FATES}
    return Fates(**sums, adds_up=sums["raw"] == sum(sums[name] for name in _FATES[1:]))
