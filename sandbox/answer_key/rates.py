"""Channel rates by cohort: of the messages sent in an hour, how many were delivered and read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from sandbox.answer_key.ladder import Message
from sandbox.answer_key.reading import LADDER
from sandbox.answer_key.rows import Row, iso
from sandbox.answer_key.windows import HOUR_MS, quantile

MONTH_MS = 30 * 24 * HOUR_MS
UNSURE_MS = 24 * HOUR_MS
ENOUGH_READS = 100
REPORTS: dict[str, frozenset[str]] = {
    "WHATSAPP": frozenset({"DELIVERED", "READ"}),
    "FACEBOOKMESSENGER": frozenset({"DELIVERED", "READ"}),
    "INSTAGRAM": frozenset({"READ"}),
}
"""What a channel type reports; any other reports what it has ever told."""

Channel = tuple[str, str]


def cohort_ms(message: Message) -> int | None:
    """Return the moment whose hour a message belongs to; None when it never had a ladder status."""
    sent = message.time_of("SENT")
    if sent is not None:
        return sent
    return min((time for status in LADDER if (time := message.time_of(status)) is not None), default=None)


def rows(messages: Mapping[tuple[str, str], Message], types: Mapping[Channel, str], now_ms: int | None) -> list[Row]:
    """Return the cohorts as rows of `channel_rates`; without `now_ms`, without `mature`."""
    told: dict[Channel, set[str]] = defaultdict(set)
    cohorts: dict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    for (org, _), message in messages.items():
        place = (org, message.first.told.channel_id)
        told[place].update(message.accepted)
        moment = cohort_ms(message)
        if moment is not None:
            cohorts[*place, moment // HOUR_MS * HOUR_MS] += _facts(message)
    patience = _patience(messages, now_ms) if now_ms is not None else {}
    found: list[Row] = []
    for (org, channel, hour), facts in sorted(cohorts.items()):
        kind = types.get((org, channel), "UNKNOWN")
        reports = REPORTS.get(kind, frozenset(told[org, channel]))
        row: Row = {
            "org_id": org,
            "channel_id": channel,
            "channel_type": kind,
            "hour": iso(hour),
            **_ratios(facts, reports),
        }
        if now_ms is not None:
            row["mature"] = hour + HOUR_MS + patience.get((org, channel), UNSURE_MS) < now_ms
        found.append(row)
    return found


def _facts(message: Message) -> Counter[str]:
    read = "READ" in message.accepted
    return Counter(sent=1, delivered=int(read or "DELIVERED" in message.accepted), read=int(read))


def _ratios(facts: Counter[str], reports: frozenset[str]) -> Row:
    sent, delivered, read = facts["sent"], facts["delivered"], facts["read"]
    tells_delivery, tells_reading = "DELIVERED" in reports, "READ" in reports
    return {
        "sent": sent,
        "delivered": delivered,
        "read": read,
        "delivery_ratio": delivered / sent if tells_delivery else None,
        "read_ratio": read / sent if tells_reading else None,
        "read_of_delivered": read / delivered if tells_delivery and tells_reading and delivered else None,
    }


def _patience(messages: Mapping[tuple[str, str], Message], now_ms: int) -> dict[Channel, int]:
    """Return each channel's 95th percentile from SENT to READ, where enough reads of its last 30 days are known.

    Negative times are none of them.
    """
    times: dict[Channel, list[int]] = defaultdict(list)
    for (org, _), message in messages.items():
        sent, read = message.time_of("SENT"), message.time_of("READ")
        if sent is not None and read is not None and read >= max(sent, now_ms - MONTH_MS):
            times[org, message.first.told.channel_id].append(read - sent)
    return {channel: int(quantile(each, 0.95) or 0) for channel, each in times.items() if len(each) >= ENOUGH_READS}
