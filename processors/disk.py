"""The message state of one raw partition on disk, in RocksDB: for more messages than memory holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from rocksdict import Options, Rdict, WriteBatch

from processors import codec, rules
from processors.changelog import Rest, decode_rest
from processors.expiry import HOUR_MS, MessageKey
from processors.places import text_of
from processors.state import MemoryState, Place, State, WrittenPlace, message_key, with_off_ladder
from schemas import keys

_FORMAT: Final = b"f"
_POSITION: Final = b"p"
_COUNT: Final = b"n"
_MESSAGE: Final = b"m"
_EXPIRY: Final = b"x"
_ALERT: Final = b"a"
_KNOWN_BYTES: Final = 48
_HOUR_BYTES: Final = 4
_encode: Final = msgspec.json.Encoder().encode


class RocksState(State):
    """RocksDB, one database a partition: what the changelog has acknowledged, never more.

    Changes wait in memory, one group an outbox, until the outbox is written; then they go to disk in one write with the
    position. More on disk than in the changelog would be a lie after a crash: an alert noted as resolved whose opening
    was still on its way would never be told.
    """

    def __init__(self, path: Path) -> None:
        """Open the database of a partition, or make it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        self._db = Rdict(str(path), options)
        try:
            codec.check_disk(self._db.get(_FORMAT), str(path))
        except codec.UnknownFormatError:
            self._db.close()
            raise
        self._unwritten: deque[dict[bytes, bytes | None]] = deque([{_FORMAT: codec.DISK_FORMAT}])
        """Changes by name, None for a removal: the group that grows first, then the sealed ones, the oldest last."""
        position = self._db.get(_POSITION)
        self.position: int | None = int(position) if position is not None else None
        self._count = int(self._db.get(_COUNT) or b"0")

    def __len__(self) -> int:
        return self._count

    def ladder(self, org_id: str, key: MessageKey) -> int:
        """Return a message's integer of ladder facts."""
        value = self._get(self._name(org_id, key))
        return _known_of(value) if value else 0

    def off_ladder(self, org_id: str, key: MessageKey) -> dict[str, int]:
        """Return a message's facts off the ladder."""
        value = self._get(self._name(org_id, key))
        return _off_ladder_of(_rest_of(value)) if value else {}

    def set(self, org_id: str, key: MessageKey, status: str, fact: int, place: Place) -> None:
        """Set a fact."""
        name = self._name(org_id, key)
        value = self._get(name)
        if not value:
            self._count += 1
            self._expire(name, rules.received_of(fact))
        known, rest = (_known_of(value), _rest_of(value)) if value else (0, Rest())
        rank = rules.RANKS.get(status)
        if rank is not None:
            known = rules.with_fact(known, rank, fact)
            if not known >> (rank + 1) * rules.FACT_BITS:
                rest.channel_id, rest.session_id = place
        else:
            others = with_off_ladder(_off_ladder_of(rest), status, fact)
            rest.others = {each: str(packed) for each, packed in others.items()}
        self._unwritten[0][name] = _value(known, rest)

    def put(  # noqa: PLR0917 -- once a record
        self, org_id: str, key: MessageKey, known: int, after: int, received: int, place: WrittenPlace
    ) -> None:
        """Set a message's ladder facts."""
        del received  # each fact has its own
        channel_id, session = place
        for status, rank in rules.RANKS.items():
            fact = rules.fact_of(after, rank)
            if fact != rules.fact_of(known, rank):
                self.set(org_id, key, status, fact, (channel_id, text_of(session)))

    def drop(self, org_id: str, key: MessageKey, status: str) -> None:
        """Forget a fact."""
        name = self._name(org_id, key)
        value = self._get(name)
        if not value:
            return
        known, rest = _known_of(value), _rest_of(value)
        rank = rules.RANKS.get(status)
        if rank is not None:
            known = rules.without_fact(known, rank)
        else:
            rest.others.pop(status, None)
        if known or rest.others:
            self._unwritten[0][name] = _value(known, rest)
        else:
            self._unwritten[0][name] = None
            self._count -= 1

    def keep_alert(self, name: bytes, value: bytes | None) -> None:
        """Keep a record of an alert."""
        self._unwritten[0][_ALERT + name] = value

    def alerts(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the alerts on disk."""
        for name, value in self._under(_ALERT):
            yield name[1:], value

    def newest(self) -> Iterator[tuple[str, MessageKey, int, Place]]:
        """Yield the messages on disk."""
        for name, value in self._under(_MESSAGE):
            org_id, message_id = keys.split(name[1:])
            rest = _rest_of(value)
            yield org_id, message_key(message_id), _known_of(value), (rest.channel_id, rest.session_id)

    def _under(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for name, value in self._db.items(from_key=prefix):
            if bytes(name)[:1] != prefix:  # type: ignore[arg-type]  # raw mode: keys are bytes
                return
            yield bytes(name), bytes(value)  # type: ignore[arg-type]  # and values too

    def due(self, limit: int, most: int) -> Iterator[tuple[str, MessageKey]]:
        """Yield messages to forget; one that is not on disk yet is young."""
        for found in self._db.keys(from_key=_EXPIRY):
            name = bytes(found)  # type: ignore[arg-type]  # raw mode: keys are bytes
            hour = int.from_bytes(name[1 : 1 + _HOUR_BYTES], "big")
            if name[:1] != _EXPIRY or not most or (hour + 1) * HOUR_MS > limit:
                return
            if any(name in group for group in self._unwritten):
                continue  # on its way off the disk
            most -= 1
            self._unwritten[0][name] = None
            org_id, message_id = keys.split(name[1 + _HOUR_BYTES :])
            yield org_id, message_key(message_id)

    def keep_until_due(self, org_id: str, key: MessageKey, received: int) -> None:
        """Keep a message that was due."""
        self._expire(self._name(org_id, key), received)

    def _expire(self, name: bytes, received: int) -> None:
        hour = (received // HOUR_MS).to_bytes(_HOUR_BYTES, "big")
        self._unwritten[0][_EXPIRY + hour + name[1:]] = b""

    def seal(self) -> None:
        """End a group."""
        self._unwritten[0][_COUNT] = b"%d" % self._count
        self._unwritten.appendleft({})

    def written(self) -> None:
        """Put the oldest group on disk."""
        batch = WriteBatch(raw_mode=True)
        for name, value in self._unwritten[-1].items():
            if value is None:
                batch.delete(name)
            else:
                batch.put(name, value)
        if self.position is not None:
            batch.put(_POSITION, b"%d" % self.position)
        self._db.write(batch)
        self._unwritten.pop()

    def flush(self) -> None:
        """Put all groups on disk."""
        self.seal()
        while len(self._unwritten) > 1:
            self.written()

    def close(self) -> None:
        """Close the database, so that another process may open it."""
        self._db.close()

    def _get(self, name: bytes) -> bytes | None:
        for group in self._unwritten:
            if name in group:
                return group[name]
        value: bytes | None = self._db.get(name)
        return value

    @staticmethod
    def _name(org_id: str, key: MessageKey) -> bytes:
        return _MESSAGE + keys.join(org_id, str(key))


def _value(known: int, rest: Rest) -> bytes:
    return known.to_bytes(_KNOWN_BYTES, "little") + _encode(rest)


def _known_of(value: bytes) -> int:
    return int.from_bytes(value[:_KNOWN_BYTES], "little")


def _rest_of(value: bytes) -> Rest:
    return decode_rest(value[_KNOWN_BYTES:])


def _off_ladder_of(rest: Rest) -> dict[str, int]:
    return {status: int(fact) for status, fact in rest.others.items()}


def open_state(kind: str, folder: Path, partition: int) -> State:
    """Return the state of a partition: `memory`, or `rocksdb` in a folder of its own."""
    return RocksState(folder / f"messages-{partition}") if kind == "rocksdb" else MemoryState()
