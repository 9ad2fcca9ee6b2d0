"""The ingress's own counts, summed in plain dicts and handed to the metrics when they are read.

A labelled counter of the metrics library costs more than a whole event; the sums here cost a dictionary access.
"""

from __future__ import annotations

from collections import Counter

from core import metrics
from ingest.body import Split

MAX_ORGS = 1000
"""Orgs with counts of their own; more share the label `other`, for a label is memory that a sender chooses."""

OTHER = "other"


class Tally:
    """Counts since the last flush."""

    def __init__(self) -> None:
        self._requests: Counter[str] = Counter()
        self._events: Counter[tuple[str, str]] = Counter()
        self._last: dict[str, int] = {}
        self._known: set[str] = set()
        self._bytes = 0

    def request(self, outcome: str) -> None:
        """Count a request by its outcome."""
        self._requests[outcome] += 1

    def accepted(self, found: Split, size: int, received_ms: int, took_ms: int) -> None:
        """Count a request that was answered 200, and its elements."""
        self._requests["accepted"] += 1
        self._bytes += size
        for group in found.groups:
            label = self._label(group.org)
            self._events["accepted", label] += group.count
            self._last[label] = received_ms
        if found.parked:
            self._events["parked", ""] += len(found.parked)
        metrics.INGEST_ACK_SECONDS.observe(took_ms / 1000)

    def _label(self, org: str) -> str:
        if org in self._known:
            return org
        if len(self._known) >= MAX_ORGS:
            return OTHER
        self._known.add(org)
        return org

    def flush(self) -> None:
        """Hand everything to the metrics."""
        for outcome, count in self._requests.items():
            metrics.INGEST_REQUESTS.labels(outcome).inc(count)
        for (result, org), count in self._events.items():
            metrics.INGEST_EVENTS.labels(result, org).inc(count)
        for org, received_ms in self._last.items():
            metrics.INGEST_LAST_EVENT.labels(org).set(received_ms / 1000)
        metrics.INGEST_BYTES.inc(self._bytes)
        self._requests.clear()
        self._events.clear()
        self._last.clear()
        self._bytes = 0
