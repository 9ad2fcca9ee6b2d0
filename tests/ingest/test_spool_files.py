"""Segments on disk: every durable payload comes back, whatever was torn or damaged behind or before it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.body import Group, Parked, Split
from ingest.delivery import build
from ingest.spool import entry, frame, segments, slots
from ingest.spool.disk import Disk
from ingest.spool.segments import Position

payloads = st.lists(st.binary(max_size=60), max_size=12)


def drain(disk: Disk) -> list[bytes]:
    """Read everything that is not done, and do it."""
    found: list[bytes] = []
    while disk.unread:
        frames, position = disk.read()
        found += [payload for _, payload in frames]
        disk.commit(position)
    return found


def disk_in(folder: Path) -> Disk:
    return Disk(slots.claim(folder))


@given(payloads, st.integers(1, 200))
def test_frames_are_found_in_pieces_of_any_size(items: list[bytes], step: int) -> None:
    mark = os.urandom(frame.MARK_SIZE)
    data = b"".join(frame.encode(mark, item) for item in items)
    found: list[bytes] = []
    at, size = 0, step
    while at < len(data):
        piece = data[at : at + size]
        result = frame.scan(mark, piece, last=at + size >= len(data))
        assert result.damaged == 0
        found += [payload for _, payload in result.frames]
        at += result.consumed
        size = max(step, result.needed, size + 1 if not result.consumed else step)
    assert found == items


@given(payloads, st.data())
def test_a_torn_tail_costs_only_what_was_torn(items: list[bytes], data: st.DataObject) -> None:
    mark = os.urandom(frame.MARK_SIZE)
    encoded = [frame.encode(mark, item) for item in items]
    whole = b"".join(encoded)
    cut = data.draw(st.integers(0, len(whole)))
    result = frame.scan(mark, whole[:cut] + data.draw(st.sampled_from([b"", bytes(30)])), last=True)
    kept, size = [], 0
    for item, text in zip(items, encoded, strict=True):
        size += len(text)
        if size <= cut:
            kept.append(item)
    assert [payload for _, payload in result.frames][: len(kept)] == kept
    assert len(result.frames) <= len(kept) + 1


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=12), st.data())
def test_a_damaged_frame_costs_only_itself(items: list[bytes], data: st.DataObject) -> None:
    mark = os.urandom(frame.MARK_SIZE)
    encoded = [bytearray(frame.encode(mark, item)) for item in items]
    victim = data.draw(st.integers(0, len(items) - 1))
    at = data.draw(st.integers(0, len(encoded[victim]) - 1))
    encoded[victim][at] ^= data.draw(st.integers(1, 255))
    result = frame.scan(mark, b"".join(encoded), last=True)
    assert [payload for _, payload in result.frames] == items[:victim] + items[victim + 1 :]
    assert result.damaged >= len(encoded[victim])


def test_a_payload_cannot_forge_a_frame_without_the_mark() -> None:
    mark, other = os.urandom(frame.MARK_SIZE), os.urandom(frame.MARK_SIZE)
    forged = frame.encode(mark, frame.encode(other, b"forged"))
    result = frame.scan(mark, forged[:-1], last=True)
    assert result.frames == []


def test_a_delivery_comes_back_with_the_spool_as_its_source() -> None:
    one, two = Group("1", "T", 2), Group("2", "U", 1)
    first = build(
        Split(
            [(b"k", b"{}", one), (b"l", b"[]", one), (b"m", b"1", two)],
            [Parked(b"x", "reason", "detail")],
            [one, two],
        ),
        0,
        received_ms=17,
        delivery="d-1",
        source="webhook",
    )
    back = entry.decode(entry.encode(first))
    assert [(key, value) for key, value, _ in back.raw] == [(key, value) for key, value, _ in first.raw]
    assert back.dead == first.dead
    assert back.received_ms == 17
    for (_, _, before), (_, _, after) in zip(first.raw, back.raw, strict=True):
        assert dict(after.headers) == {**dict(before.headers), "source": b"spool"}
        assert [name for name, _ in after.headers] == [name for name, _ in before.headers]
        assert (after.org, after.event_type, after.count) == (before.org, before.event_type, before.count)


def test_what_was_written_is_read_in_order_and_then_gone(tmp_path: Path) -> None:
    disk = disk_in(tmp_path)
    disk.write([b"a", b"b"])
    disk.write([b"c"])
    frames, position = disk.read()
    assert [payload for _, payload in frames] == [b"a", b"b", b"c"]
    assert not disk.unread
    disk.commit(position)
    assert disk.size == 0
    assert list(tmp_path.rglob("*.segment")) == []
    disk.write([b"d"])
    assert drain(disk) == [b"d"]
    disk.close()


def test_a_rewind_reads_again_exactly_what_is_not_done(tmp_path: Path) -> None:
    disk = disk_in(tmp_path)
    disk.write([b"a", b"b", b"c"])
    frames, _ = disk.read()
    disk.commit(frames[0][0])
    disk.rewind()
    assert drain(disk) == [b"b", b"c"]
    disk.close()


def test_a_restart_goes_on_where_the_last_process_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 200)
    items = [b"%03d" % number * 10 for number in range(50)]
    disk = disk_in(tmp_path)
    for item in items:
        disk.write([item])
    assert len(list(tmp_path.rglob("*.segment"))) > 5
    frames: list[tuple[Position, bytes]] = []
    while len(frames) < 20:
        frames += disk.read()[0]
    disk.commit(frames[19][0])
    disk.close()
    disk = disk_in(tmp_path)
    disk.write([b"new"])
    assert drain(disk) == [*items[20:], b"new"]
    assert disk.size == 0
    disk.close()


def test_a_payload_larger_than_a_piece_is_read(tmp_path: Path) -> None:
    disk = disk_in(tmp_path)
    items = [b"a", os.urandom(3 * segments.READ_BYTES), b"b", os.urandom(segments.SEGMENT_BYTES + 5), b"c"]
    disk.write(items[:3])
    disk.write(items[3:4])
    disk.write(items[4:])
    assert drain(disk) == items
    disk.close()


def test_a_segment_cut_at_any_byte_gives_back_every_whole_frame(tmp_path: Path) -> None:
    disk = disk_in(tmp_path)
    items = [os.urandom(size) for size in (0, 1, 30, 7)]
    ends = [position.offset for position in disk.write(items)]
    disk.close()
    (file,) = tmp_path.rglob("*.segment")
    whole = file.read_bytes()
    for cut in range(len(whole)):
        file.write_bytes(whole[:cut])
        disk = disk_in(tmp_path)
        assert drain(disk) == [item for item, end in zip(items, ends, strict=True) if end <= cut]
        disk.write([b"after"])
        assert drain(disk) == [b"after"]
        disk.close()
        for other in (tmp_path / "0").iterdir():
            other.unlink()


def test_a_damaged_segment_is_set_aside_when_the_rest_is_done(tmp_path: Path) -> None:
    disk = disk_in(tmp_path)
    disk.write([b"a" * 100, b"b" * 100, b"c" * 100])
    disk.close()
    (file,) = tmp_path.rglob("*.segment")
    data = bytearray(file.read_bytes())
    data[frame.HEAD_SIZE + 130] ^= 1
    file.write_bytes(data)
    disk = disk_in(tmp_path)
    assert drain(disk) == [b"a" * 100, b"c" * 100]
    assert [path.suffix for path in tmp_path.rglob("0*.*")] == [".damaged"]
    disk.close()


def test_a_cursor_that_cannot_be_read_means_everything_again(tmp_path: Path) -> None:
    for text in ("", "1 2", "1 2 3", "x y z", "\0" * 10):
        (tmp_path / "cursor").write_text(text)
        assert segments.load_cursor(tmp_path) == segments.START
    segments.save_cursor(tmp_path, Position(7, 99))
    assert segments.load_cursor(tmp_path) == Position(7, 99)


def test_a_slot_has_one_owner_and_an_orphan_is_adopted(tmp_path: Path) -> None:
    first, second = slots.claim(tmp_path), slots.claim(tmp_path)
    assert first.folder != second.folder
    disk = Disk(first)
    disk.write([b"a"])
    assert slots.adopt(tmp_path) is None, "its owner lives"
    disk.close()
    orphan = slots.adopt(tmp_path)
    assert orphan is not None
    disk = Disk(orphan)
    assert drain(disk) == [b"a"]
    disk.close()
    assert slots.adopt(tmp_path) is None, "nothing is left in it"
    second.release()


def test_an_error_keeps_nothing_of_a_write_and_the_next_write_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = disk_in(tmp_path)
    disk.write([b"a"])

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="No space"):
            disk.write([b"b", b"c"])
    disk.write([b"d"])
    disk.rewind()
    assert drain(disk) == [b"a", b"d"]
    disk.close()
    disk = disk_in(tmp_path)
    assert drain(disk) == []
    disk.close()


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("wwwrcxkt"), st.integers(0, 1000)), max_size=40), st.integers(40, 400))
def test_no_history_of_writes_reads_crashes_and_torn_tails_loses_a_durable_payload(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], segment_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("history")
    chance = random.Random(len(steps))  # noqa: S311 -- a test's dice
    before, segments.SEGMENT_BYTES = segments.SEGMENT_BYTES, segment_bytes
    durable: list[bytes] = []
    done: set[bytes] = set()
    read: list[tuple[Position, bytes]] = []
    disk = disk_in(folder)
    try:
        for step, number in steps:
            if step == "w":
                batch = [b"%d-%d-" % (len(durable), at) + os.urandom(number % 50) for at in range(number % 4 + 1)]
                disk.write(batch)
                durable += batch
            elif step == "r":
                read += disk.read()[0]
            elif step == "c" and read:
                count = number % len(read) + 1
                disk.commit(read[count - 1][0])
                done |= {payload for _, payload in read[:count]}
                read = read[count:]
            elif step == "x":
                disk.rewind()
                read = []
            elif step in "kt":
                disk.close()
                files = sorted(folder.rglob("*.segment"))
                if step == "t" and files:
                    with files[-1].open("ab") as file:
                        file.write(chance.randbytes(number % 60))  # a write that was never answered
                disk = disk_in(folder)
                read = []
        disk.rewind()
        rest = drain(disk)
        assert [item for item in durable if item not in done] == [item for item in rest if item not in done]
        assert disk.size == 0
    finally:
        segments.SEGMENT_BYTES = before
        disk.close()
