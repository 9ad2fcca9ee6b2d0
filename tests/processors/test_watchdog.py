"""The watchdog bites when there is work and none gets done, and only then."""

from __future__ import annotations

from processors.watchdog import Watchdog


def test_work_without_progress_for_too_long_is_a_stall() -> None:
    dog = Watchdog(10)
    assert not dog.stalled(100, 5, waiting=True)
    assert not dog.stalled(109.9, 5, waiting=True)
    assert dog.stalled(110, 5, waiting=True)


def test_progress_begins_the_patience_anew() -> None:
    dog = Watchdog(10)
    assert not dog.stalled(0, 1, waiting=True)
    assert not dog.stalled(9, 2, waiting=True)
    assert not dog.stalled(18, 2, waiting=True)
    assert dog.stalled(19, 2, waiting=True)


def test_a_quiet_time_is_no_stall() -> None:
    dog = Watchdog(10)
    assert not dog.stalled(0, 1, waiting=True)
    assert not dog.stalled(1000, 1, waiting=False)
    assert not dog.stalled(1001, 1, waiting=True)
    assert not dog.stalled(1010, 1, waiting=True)
    assert dog.stalled(1011, 1, waiting=True)
