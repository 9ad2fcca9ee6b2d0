"""What happens to one message, and what the source means to tell of it. Times are epoch milliseconds."""

from __future__ import annotations

from math import exp
from random import Random
from typing import NamedTuple

from sandbox.simulator.cast import Manners

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS

QUEUED_SHARE = 0.01
FAILED_SHARE = 0.01
SLOW_SHARE = 0.04
"""Of delivered messages: the recipient's telephone was off for a while."""
SKEWED_SHARE = 0.002
"""Of pairs: the second clock stands before the first."""
STALE_SHARE = 0.01
"""Of READ receipts: the old status named is the last but one."""
SLEEP_HOURS = (22, 7)
"""Who is asleep reads in the morning (hours of UTC)."""


class Receipt(NamedTuple):
    """One change of status, as the source means to tell it."""

    at_ms: int
    """When the webhook leaves."""
    status: str
    old: str | None
    updated_ms: int


def live(random: Random, manners: Manners, created_ms: int) -> list[Receipt]:
    """Return the receipts of one outgoing message in the order in which they happen."""
    told: list[Receipt] = []
    sent_ms = created_ms + int(300 * exp(random.gauss(0.0, 0.6)))
    chance = random.random()
    if chance < FAILED_SHARE:
        return _failed(random, sent_ms)
    old = None if chance < 0.6 else "QUEUED"  # noqa: PLR2004 -- the status named was mostly never told
    if chance < FAILED_SHARE + QUEUED_SHARE:
        told.append(_receipt(random, "QUEUED", None, created_ms + 20))
        old = "QUEUED"
    told.append(_receipt(random, "SENT", old, sent_ms))
    reached_ms, previous = sent_ms, "SENT"
    if manners.delivered:
        if random.random() > manners.delivered:
            return told
        reached_ms, previous = _delivered(random, manners, sent_ms), "DELIVERED"
        told.append(_receipt(random, "DELIVERED", "SENT", reached_ms))
    if manners.read and random.random() < manners.read:
        read_ms = _read(random, manners, max(reached_ms, sent_ms))
        stale = random.random() < STALE_SHARE
        told.append(_receipt(random, "READ", "SENT" if stale else previous, read_ms))
    return told


def _receipt(random: Random, status: str, old: str | None, updated_ms: int) -> Receipt:
    delay = int(250 * exp(random.gauss(0.0, 0.8)))
    return Receipt(updated_ms + delay, status, old, updated_ms)


def _failed(random: Random, sent_ms: int) -> list[Receipt]:
    if random.random() < 0.5:  # noqa: PLR2004 -- half of them at once
        return [_receipt(random, "FAILED", "QUEUED", sent_ms)]
    failed_ms = sent_ms + int(2000 * exp(random.gauss(0.0, 1.0)))
    return [_receipt(random, "SENT", None, sent_ms), _receipt(random, "FAILED", "SENT", failed_ms)]


def _delivered(random: Random, manners: Manners, sent_ms: int) -> int:
    chance = random.random()
    if chance < SKEWED_SHARE:
        return sent_ms - 1 - int(chance / SKEWED_SHARE * 400)
    median = 40 * MINUTE_MS if chance < SKEWED_SHARE + SLOW_SHARE else manners.delivered_ms
    return sent_ms + int(median * exp(random.gauss(0.0, manners.delivered_spread)))


def _read(random: Random, manners: Manners, reached_ms: int) -> int:
    read_ms = reached_ms + int(manners.read_ms * exp(random.gauss(0.0, manners.read_spread)))
    hour = read_ms // (60 * MINUTE_MS) % 24
    evening, morning = SLEEP_HOURS
    if morning <= hour < evening or random.random() < 0.2:  # noqa: PLR2004 -- some are awake at night
        return read_ms
    day = (read_ms + (24 - evening) * 60 * MINUTE_MS) // DAY_MS
    return day * DAY_MS + morning * 60 * MINUTE_MS + int(45 * MINUTE_MS * exp(random.gauss(0.0, 0.8)))
