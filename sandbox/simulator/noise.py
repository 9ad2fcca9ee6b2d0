"""What the way here does to receipts: some are lost, doubled, overtaken, or told with a clock gone wrong."""

from __future__ import annotations

from random import Random

from sandbox.simulator.config import Traffic
from sandbox.simulator.lives import DAY_MS, Receipt


def disturb(random: Random, traffic: Traffic, told: list[Receipt]) -> list[Receipt]:
    """Return what really arrives of a message's receipts; `at_ms` gives the order."""
    arrived: list[Receipt] = []
    for index, receipt in enumerate(told):
        chance = random.random()
        if chance < traffic.missing:
            continue
        if chance < traffic.missing + traffic.reorder:
            receipt = _overtaken(random, receipt, told[index + 1 :])  # noqa: PLW2901 -- the same receipt, later
        if random.random() < traffic.strange:
            receipt = _misdated(random, receipt)  # noqa: PLW2901 -- the same receipt, at another time
        arrived.append(receipt)
        if random.random() < traffic.duplicates:
            arrived.append(_again(random, receipt))
    return arrived


def _overtaken(random: Random, receipt: Receipt, later: list[Receipt]) -> Receipt:
    """Let the next receipt of the message go first: in the same call, or many calls before."""
    after = later[0].at_ms if later else receipt.at_ms
    at_ms = after + 1 + int(random.expovariate(1 / 8000))
    if later and random.random() < 0.3:  # noqa: PLR2004 -- the source itself took them in that order, and says so
        return Receipt(at_ms, receipt.status, later[0].status, receipt.updated_ms)
    return Receipt(at_ms, receipt.status, receipt.old, receipt.updated_ms)


def _misdated(random: Random, receipt: Receipt) -> Receipt:
    """Tell a status days late, or weeks ahead: far past every edge, whenever it arrives."""
    days = 30 if random.random() < 0.1 else -3 - int(random.random() * 6)  # noqa: PLR2004 -- one in ten ahead
    return receipt._replace(updated_ms=receipt.updated_ms + days * DAY_MS)


def _again(random: Random, receipt: Receipt) -> Receipt:
    """Tell a receipt again: soon or many calls later, with the same time or another."""
    at_ms = receipt.at_ms + 1 + int(random.expovariate(1 / 60_000))
    shift = 0 if random.random() < 0.6 else 1 + int(random.random() * 5000)  # noqa: PLR2004 -- most repeat the time
    return receipt._replace(at_ms=at_ms, updated_ms=receipt.updated_ms + shift)
