"""The live stream's middle: nobody misses anything, nobody is waited for."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dashboard import positions
from dashboard.hub import BEHIND, Event, Hub, Viewer
from dashboard.positions import Place

PLACES: dict[Place, int] = {("w", 0): 0, ("w", 1): 0, ("a", 0): 0}


def event(offset: int, partition: int = 0, kind: str = "windows") -> Event:
    return Event(kind, partition, offset, msgspec.Raw(b'{"n":%d}' % (offset * 10 + partition)))


def hub(kept: int = 100) -> Hub:
    made = Hub(kept)
    made.begin(PLACES)
    return made


def publish(target: Hub, *events: Event) -> None:
    target.publish(list(events), {each.place: each.offset + 1 for each in events})


def joined(target: Hub, last_id: str = "") -> tuple[Viewer, bytes]:
    found = target.join(last_id)
    assert found is not None
    return found


def read(frame: bytes) -> tuple[str, str, Any]:
    """Return event, id and data of a frame."""
    match = re.fullmatch(rb"(?:id: (.*)\n)?event: (.*)\ndata: (.*)\n\n", frame)
    assert match is not None
    return match[2].decode(), (match[1] or b"").decode(), msgspec.json.decode(match[3])


def test_everyone_is_told_of_what_comes() -> None:
    target = hub()
    viewers = [joined(target)[0] for _ in range(3)]
    publish(target, event(0), event(0, 1), event(0, 0, "alerts"))
    frames = [viewer.frames.get_nowait() or b"" for viewer in viewers]
    assert frames[0] is frames[1] is frames[2]
    name, identity, data = read(frames[0])
    assert name == "update"
    assert data == {"windows": [{"n": 0}, {"n": 1}], "alerts": [{"n": 0}]}
    assert positions.read(identity) == dict.fromkeys(PLACES, 1)


def test_who_comes_back_gets_what_he_missed() -> None:
    target = hub()
    publish(target, event(0))
    _, identity, _ = read(joined(target)[1])
    publish(target, event(1), event(0, 1))
    publish(target, event(2))
    name, now, data = read(joined(target, identity)[1])
    assert name == "update"
    assert data == {"windows": [{"n": 10}, {"n": 1}, {"n": 20}]}
    assert read(joined(target, now)[1])[0] == "hello"


def test_who_missed_too_much_is_told_to_ask_anew() -> None:
    target = hub(kept=2)
    publish(target, event(0))
    identity = read(joined(target)[1])[1]
    publish(target, *(event(offset) for offset in range(1, 5)))
    assert read(joined(target, identity)[1])[0] == "reset"


def test_a_stranger_s_position_is_told_to_ask_anew() -> None:
    assert read(joined(hub(), "w0-1")[1])[0] == "reset"
    assert read(joined(hub(), "nonsense\n")[1])[0] == "reset"


def test_who_looks_when_reading_begins_anew_is_told_to_ask_anew() -> None:
    target = Hub()
    viewer, _ = joined(target)
    target.begin(PLACES)
    assert viewer.frames.empty(), "nothing was read before that could have been missed"
    moved = dict.fromkeys(PLACES, 7)
    target.begin(moved)
    name, identity, _ = read(viewer.frames.get_nowait() or b"")
    assert (name, positions.read(identity)) == ("reset", moved)


def test_a_slow_viewer_is_cut_off_and_costs_no_memory() -> None:
    target = hub()
    slow, _ = joined(target)
    quick, _ = joined(target)
    for offset in range(BEHIND + 1):
        publish(target, event(offset))
        quick.frames.get_nowait()
    assert slow.cut
    assert slow.frames.get_nowait() is None
    assert slow.frames.empty()
    assert not quick.cut
    assert (target.viewers, target.cut_off) == (1, 1)


def test_the_end_ends_everyone() -> None:
    target = hub()
    viewer, _ = joined(target)
    target.close()
    assert viewer.frames.get_nowait() is None
    assert not viewer.cut
    assert target.join("") is None


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 3)), max_size=4), min_size=1, max_size=12),
    st.integers(0, 11),
    st.integers(1, 6),
)
def test_resuming_anywhere_misses_nothing(batches: list[list[tuple[int, int]]], left_after: int, kept: int) -> None:
    """Whoever leaves at any frame and comes back gets exactly the later events, or is told to ask anew."""
    target, offsets = hub(kept), {0: 0, 1: 0}
    later: list[int] = []
    identity = ""
    for index, batch in enumerate(batches):
        events = []
        for partition, gap in batch:
            offsets[partition] += gap
            events.append(event(offsets[partition] - 1, partition))
        publish(target, *events)
        if index > left_after:
            later.extend(each.offset * 10 + each.partition for each in events)
        if index == left_after:
            identity = read(joined(target)[1])[1]
    if identity:
        name, _, data = read(joined(target, identity)[1])
        assert name == "reset" or [each["n"] for each in data.get("windows", [])] == later
        assert name != "reset" or len(later) > kept


@given(st.dictionaries(st.tuples(st.sampled_from("aw"), st.integers(0, 9999)), st.integers(0, 10**17), min_size=1))
def test_positions_are_read_as_they_were_written(places: dict[Place, int]) -> None:
    assert positions.read(positions.write(places)) == places


@given(st.text(max_size=40))
def test_other_positions_are_none(text: str) -> None:
    found = positions.read(text)
    assert found is None or positions.write(found)
