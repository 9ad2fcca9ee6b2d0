"""Pending deadlines come out when they are due, in order, exactly as they were put in, in little memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.deadlines import Deadline, Deadlines

BASE = 1_760_000_000_000
ids = st.one_of(st.integers(1, 10**20 - 1), st.text(min_size=1, max_size=5).filter(lambda text: not text.isdecimal()))
sessions = st.sampled_from(["", "0", "007", "50007000000004136", "18446744073709551616", "text", "²"])


@given(
    st.lists(st.tuples(st.integers(0, 400_000), ids, sessions, st.integers(0, 2)), max_size=40),
    st.lists(st.integers(-1000, 500_000), max_size=10),
)
def test_each_comes_out_once_when_it_is_due_and_not_before(
    given_: list[tuple[int, int | str, str, int]], clocks: list[int]
) -> None:
    exact: dict[Deadline, int] = {}
    deadlines = Deadlines(
        lambda tag, key: next((due for (t, k, _), due in exact.items() if (t, k) == (tag, key)), None)
    )
    for number, (shift, key, session, rule) in enumerate(given_):
        deadline = ((rule, f"org{number}", "7"), key, session)
        exact[deadline] = BASE + shift
        deadlines.add(BASE + shift, rule, deadlines.channel_of(f"org{number}", "7"), key, session)
    assert len(deadlines) == len(given_)
    out: list[Deadline] = []
    for shift in [*sorted(clocks), 10**7]:
        clock = BASE + shift
        expected = deadlines.is_due(clock)
        found = list(deadlines.due(clock))
        dues = [exact[deadline] for deadline in found]
        assert dues == sorted(dues)
        assert all(due <= clock for due in dues)
        assert bool(found) == expected
        out += found
        assert {deadline for deadline, due in exact.items() if due <= clock} <= set(out)
    assert sorted(map(str, out)) == sorted(map(str, exact))
    assert len(deadlines) == 0


def test_one_that_no_longer_holds_is_dropped_when_its_minute_comes() -> None:
    deadlines = Deadlines(lambda _tag, _key: None)
    deadlines.add(BASE, 0, deadlines.channel_of("1", "7"), 5, "")
    assert list(deadlines.due(BASE + 1)) == []
    assert len(deadlines) == 0


def test_one_that_is_added_late_is_due_at_once() -> None:
    early, late = (((0, "1", "7"), key, "") for key in (1, 2))
    deadlines = Deadlines(lambda _tag, _key: BASE + 5)
    channel = deadlines.channel_of("1", "7")
    deadlines.add(BASE + 5, 0, channel, 1, "")
    assert list(deadlines.due(BASE + 5)) == [early]
    deadlines.add(BASE + 1, 0, channel, 2, "")
    assert list(deadlines.due(BASE + 5)) == [late]
