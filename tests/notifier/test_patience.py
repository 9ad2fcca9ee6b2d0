"""Pauses, rates and disabling: pure, on a clock of the test's own."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from sinks.notifier.patience import LONGEST_PAUSE_S, Health, Rate, pause_after


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 3600))
def test_pauses_double_up_to_ten_minutes_and_are_no_shorter_than_asked(
    failures: int, jitter: float, asked: float
) -> None:
    pause = pause_after(failures, asked=asked, jitter=jitter)
    whole = min(2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S)
    assert max(asked, whole / 2) <= pause <= max(asked, whole)


@example(2, [18.9, 0.0, 22.3])  # where a wait of a rounded time once was not enough
@given(st.integers(1, 6000), st.lists(st.floats(0, 30), min_size=1, max_size=200))
def test_no_minute_has_more_tries_than_allowed(per_minute: int, idle: list[float]) -> None:
    rate, now, tries = Rate(per_minute), 0.0, []
    for pause in idle:
        now += pause
        now += rate.wait(now)
        assert rate.wait(now) == 0
        rate.take()
        tries.append(now)
    burst = max(1.0, per_minute / 6)
    for start in tries:
        within = sum(start <= each <= start + 60 for each in tries)
        assert within <= per_minute + burst + 1


def test_a_destination_is_given_up_after_a_long_failure_and_probed() -> None:
    health = Health(give_up_after=100, probe_every=10)
    for now in (1000, 1050, 1099):
        health.failed(now)
        assert not health.disabled
    health.failed(1100)
    assert health.disabled
    assert not health.may_try(1109)
    assert health.may_try(1110)
    health.failed(1110)
    assert not health.may_try(1119)
    health.succeeded()
    assert health.may_try(1111)
    assert health.failures == 0
    health.failed(2000)
    assert health.may_try(2000), "a success in between begins anew"


def test_a_destination_that_is_gone_is_disabled_at_once() -> None:
    health = Health(give_up_after=100, probe_every=10)
    health.failed(0, gone=True)
    assert health.disabled
