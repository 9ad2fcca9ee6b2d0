"""Channel windows: what each minute of each channel counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sandbox.answer_key.ladder import Accepted, Message, Receipt
from sandbox.answer_key.rows import Row, iso

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
COUNTS = ("sent", "delivered", "read", "other", "duplicates", "late", "out_of_order", "contradictions")
_COLUMN = {"SENT": "sent", "DELIVERED": "delivered", "READ": "read"}


@dataclass(slots=True)
class Window:
    """One minute of one channel."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    sent_to_delivered: list[int] = field(default_factory=list)
    delivered_to_read: list[int] = field(default_factory=list)
    negative: int = 0


Windows = dict[tuple[str, str, int], Window]


def count(messages: Iterable[Message], retention_ms: int) -> Windows:
    """Count every record of every message into its window."""
    windows: Windows = {}
    for message in messages:
        for receipt in message.duplicates:
            _count(windows, receipt, ["duplicates"], retention_ms)
        for accepted in message.accepted.values():
            _count(windows, accepted.receipt, _columns(accepted), retention_ms)
            _measure(windows, message, accepted, retention_ms)
    return windows


def _columns(accepted: Accepted) -> list[str]:
    columns = [_COLUMN.get(accepted.receipt.told.new_status, "other")]
    columns += ["out_of_order"] * accepted.out_of_order
    return columns + ["contradictions"] * accepted.contradiction


def in_time(time_ms: int, received_ms: int, retention_ms: int) -> bool:
    """Tell whether a time is near enough to the moment of its record's arrival to belong to a window."""
    return received_ms - retention_ms <= time_ms <= received_ms + HOUR_MS


def _count(windows: Windows, receipt: Receipt, columns: list[str], retention_ms: int) -> None:
    received = receipt.raw.received_ms
    if in_time(receipt.time_ms, received, retention_ms):
        window = _window(windows, receipt, receipt.time_ms)
    else:
        window, columns = _window(windows, receipt, received), ["late"]
    for column in columns:
        window.counts[column] += 1


def _measure(windows: Windows, message: Message, accepted: Accepted, retention_ms: int) -> None:
    """Put the latencies that a record completes into the minute of the pair's second status."""
    receipt = accepted.receipt
    for latency, end, name in (
        (accepted.sent_to_delivered_ms, message.time_of("DELIVERED"), "sent_to_delivered"),
        (accepted.delivered_to_read_ms, message.time_of("READ"), "delivered_to_read"),
    ):
        if latency is None or end is None or not in_time(end, receipt.raw.received_ms, retention_ms):
            continue
        window = _window(windows, receipt, end)
        if latency < 0:
            window.negative += 1
        else:
            getattr(window, name).append(latency)


def _window(windows: Windows, receipt: Receipt, time_ms: int) -> Window:
    place = (receipt.told.org_id, receipt.told.channel_id, time_ms // MINUTE_MS * MINUTE_MS)
    return windows.setdefault(place, Window())


def quantile(values: list[int], share: float) -> float | None:
    """Return the lower-rank quantile: the greatest value that no more than `share` of the others lie below."""
    return float(sorted(values)[int(share * (len(values) - 1))]) if values else None


def rows(windows: Windows) -> list[Row]:
    """Return the windows as rows of `channel_windows`."""
    return [
        {
            "org_id": org,
            "channel_id": channel,
            "window_start": iso(start),
            **window.counts,
            "negative_latencies": window.negative,
            "sent_to_delivered_p50_ms": quantile(window.sent_to_delivered, 0.5),
            "sent_to_delivered_p95_ms": quantile(window.sent_to_delivered, 0.95),
            "delivered_to_read_p50_ms": quantile(window.delivered_to_read, 0.5),
            "delivered_to_read_p95_ms": quantile(window.delivered_to_read, 0.95),
        }
        for (org, channel, start), window in sorted(windows.items())
    ]
