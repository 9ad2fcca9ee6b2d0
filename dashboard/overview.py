"""The overview and one channel: receipts of the period at once, rates as soon as they are worked out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from core import clock
from dashboard import params
from dashboard.answers import (
    Bar,
    Bucket,
    Channel,
    ChannelDetail,
    ChannelRates,
    Heat,
    Overview,
    Rates,
    Reading,
    Ready,
    Summary,
    row_of,
)
from dashboard.bars import bars
from dashboard.params import HOUR_MS, Period
from dashboard.parts import Parts
from dashboard.problems import BadQueryError, NotYetError
from dashboard.snapshots import PATIENT, Snapshot
from schemas import sketch

QUICK_WAIT_S: Final = 20.0
RATES_WAIT_S: Final = 0.03
BUCKETS: Final = 48
DAILY_FROM_MS: Final = 8 * 24 * HOUR_MS
MINUTELY_UP_TO_MS: Final = 3 * HOUR_MS

Key = tuple[str, str]
Slow = tuple[dict[Key, Rates], dict[Key, Reading]]


class _Alerts(msgspec.Struct, frozen=True):
    org_id: str
    channel_id: str
    open_alerts: int
    open_followups: int


class _Sketches(msgspec.Struct, frozen=True):
    sent_to_delivered: dict[int, int]
    delivered_to_read: dict[int, int]


class _Receipts(_Sketches, frozen=True):
    org_id: str
    channel_id: str
    sent: int
    delivered: int
    read: int
    other: int
    duplicates: int
    late: int
    out_of_order: int
    contradictions: int
    spark: dict[int, int]


_NOTHING: Final = _Receipts({}, {}, "", "", 0, 0, 0, 0, 0, 0, 0, 0, {})
_COUNTS: Final = ("sent", "delivered", "read", "other", "duplicates", "late", "out_of_order", "contradictions")


def quantiles(row: _Sketches) -> dict[str, float | None]:
    """Return the four quantile columns of two sketches."""
    return {
        f"{name}_p{percent}_ms": sketch.quantile(getattr(row, name), percent / 100)
        for name in ("sent_to_delivered", "delivered_to_read")
        for percent in (50, 95)
    }


def bucket_ms(period: Period) -> int:
    """Return the width of a bar of the small chart: the period in at most BUCKETS parts of whole minutes."""
    minutes = -(-(period.to_ms - period.from_ms) // (BUCKETS * 60_000))
    return minutes * 60_000


async def overview(parts: Parts, query: Mapping[str, str]) -> Overview:
    """All channels (of one org, of one channel) over a period."""
    now = clock.now_ms()
    period, org, channel = params.period(query, now), params.text(query, "org"), params.text(query, "channel")
    return await _overview(parts, period, org, channel)


async def _overview(parts: Parts, period: Period, org: str, channel: str) -> Overview:
    key = msgspec.json.encode([period.key, org, channel]).decode()
    asked = _asked(period, org, channel)
    rates = await _rates(parts, period)

    async def make() -> list[Summary]:
        coverage, receipts, alerts = await asyncio.gather(
            parts.reader.rows("coverage", Channel, asked),
            parts.reader.rows("receipts", _Receipts, asked),
            parts.reader.rows("alert_counts", _Alerts, asked),
        )
        found = _by_channel(receipts), _by_channel(alerts)
        return [_summary(each, *found, period) for each in coverage]

    found = await parts.snapshots.get(f"overview {key}", make, wait_s=QUICK_WAIT_S)
    if found.value is None:
        raise found.error or NotYetError("ClickHouse is slow: the numbers are on their way", fix="Ask again")
    return Overview(
        as_of=clock.iso(found.computed_ms),
        problem="" if found.error is None else str(found.error),
        start=clock.iso(period.from_ms),
        end=clock.iso(period.to_ms),
        bucket_s=bucket_ms(period) // 1000,
        rates=_ready(rates),
        channels=[_with_rates(each, rates.value or ({}, {})) for each in found.value],
    )


def _asked(period: Period, org: str, channel: str) -> dict[str, Any]:
    return {
        "from": period.from_ms,
        "to": period.to_ms,
        "org": org,
        "channel": channel,
        "bucket": bucket_ms(period),
        "short": str(period.short).lower(),
    }


async def _rates(parts: Parts, period: Period) -> Snapshot[Slow]:
    """Return what takes a walk over all messages, of all channels at once: a filter would not make it shorter."""
    asked = _asked(period, "", "")

    async def make() -> Slow:
        rates = await parts.reader.rows("rates", ChannelRates, asked, patient=True)
        reading = await parts.reader.rows("reading", Reading, asked, patient=True)
        return _by_channel(rates), _by_channel(reading)

    return await parts.snapshots.get(f"rates {period.key}", make, wait_s=RATES_WAIT_S, times=PATIENT)


def _by_channel(rows: list[Any]) -> dict[Key, Any]:
    return {(row.org_id, row.channel_id): row for row in rows}


def _ready(rates: Snapshot[Slow]) -> Ready:
    at = clock.iso(rates.computed_ms) if rates.computed_ms else None
    if rates.error is not None:
        return Ready("failed", at, str(rates.error))
    if rates.value is None:
        return Ready("computing", None, "Rates are being worked out from all messages")
    return Ready("ready", at, "")


def _with_rates(summary: Summary, slow: Slow) -> Summary:
    key = (summary.channel.org_id, summary.channel.channel_id)
    return msgspec.structs.replace(summary, rates=slow[0].get(key), reading=slow[1].get(key))


def _summary(channel: Channel, receipts: dict[Key, _Receipts], alerts: dict[Key, _Alerts], period: Period) -> Summary:
    key = (channel.org_id, channel.channel_id)
    row, alert = receipts.get(key, _NOTHING), alerts.get(key)
    measured: dict[str, Any] = {**{name: getattr(row, name) for name in _COUNTS}, **quantiles(row)}
    buckets = -(-(period.to_ms - period.from_ms) // bucket_ms(period))
    return Summary(
        channel=channel,
        **measured,
        spark=[row.spark.get(index, 0) for index in range(buckets)],
        open_alerts=alert.open_alerts if alert else 0,
        open_followups=alert.open_followups if alert else 0,
        rates=None,
        reading=None,
    )


def unit(period: Period) -> str:
    """Return how wide a step of a channel's series is."""
    length = period.to_ms - period.from_ms
    return "minute" if length <= MINUTELY_UP_TO_MS else "hour" if length <= DAILY_FROM_MS else "day"


async def channel(parts: Parts, query: Mapping[str, str]) -> ChannelDetail:
    """One channel: over time, by hour and weekday of reading, latencies."""
    period, tz = params.period(query, clock.now_ms()), params.zone(query)
    org, channel_id = params.needed(query, "org"), params.needed(query, "channel")
    asked = _asked(period, org, channel_id) | {"tz": tz, "unit": unit(period)}
    key = msgspec.json.encode([period.key, org, channel_id, tz]).decode()

    async def make() -> tuple[list[Bucket], list[Heat], _Sketches]:
        series, heat, receipts = await asyncio.gather(
            parts.reader.raw("series", asked),
            parts.reader.raw("heat", asked),
            parts.reader.rows("receipts", _Receipts, asked),
        )
        total = receipts[0] if receipts else _NOTHING
        return [_measured(Bucket, row) for row in series], [_measured(Heat, row) for row in heat], total

    whole = await _overview(parts, period, org, channel_id)
    if not whole.channels:
        raise BadQueryError(f"no channel {channel_id} of org {org} is known", fix="Choose one on the overview")
    found = await parts.snapshots.need(f"channel {key}", make, wait_s=QUICK_WAIT_S)
    if found is None:
        raise NotYetError("ClickHouse is slow: the numbers are on their way", fix="Ask again")
    series, heat, total = found
    return ChannelDetail(
        as_of=whole.as_of,
        start=whole.start,
        end=whole.end,
        tz=tz,
        bucket=unit(period),
        summary=whole.channels[0],
        rates=whole.rates,
        series=series,
        heat=heat,
        sent_to_delivered=[Bar(*bar) for bar in bars(total.sent_to_delivered)],
        delivered_to_read=[Bar(*bar) for bar in bars(total.delivered_to_read)],
    )


def _measured(kind: type[Any], row: dict[str, Any]) -> Any:
    """Make an answer of a row with sketches, which become quantiles."""
    given = {"sent_to_delivered": {}, "delivered_to_read": {}, **row}
    return row_of(kind, row | quantiles(row_of(_Sketches, given)))
