"""A usual fact out of the bytes of its changelog record: a ladder status, with ids that needed no quoting.

There are two ways to the same result, and a test that holds them to it. Byte by byte is seven times as fast as `split`
and `int` where this module is compiled, and many times slower where it is not.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from core.build import COMPILED
from processors import codec, rules
from processors.expiry import MessageKey

_VERSION: Final = b"%d" % codec.VERSION
_BEGIN: Final = _VERSION + b","
_PARTS: Final = 3
"""Org, message and status; an alert's key has four."""
_PERCENT: Final[i64] = ord("%")
_COLON: Final[i64] = ord(":")
_COMMA: Final[i64] = ord(",")
_ZERO: Final[i64] = ord("0")
_NINE: Final[i64] = ord("9")
_NOWHERE: Final[i64] = -1
_QUOTED: Final[i64] = -2
_ID_DIGITS: Final = 20
"""Longer numbers are texts, as in `processors.state`."""
_SAFE_DIGITS: Final[i64] = 18
"""So many always fit 64 bits."""
_SAFE: Final = 10**18
_RANKS: Final = {status.encode(): rank for status, rank in rules.RANKS.items()}


class WrittenFact:
    """What the record says that was read last."""

    __slots__ = ("_at", "channel", "message", "offset", "org", "rank", "received", "session", "time")

    def __init__(self) -> None:
        self._at: i64 = 0
        """Where to read on."""
        self.org = b""
        self.channel = b""
        """As the record holds them, as `org`."""
        self.message: MessageKey = 0
        self.session: int | str = 0
        """A number where its text is no other."""
        self.rank = 0
        self.time = 0
        """Epoch ms, as `received`."""
        self.offset = 0
        """The raw offset that first told the status."""
        self.received = 0

    def read(self, key: bytes, value: bytes) -> bool:
        """Read a record; False when it is not a usual one: what it says is undefined then."""
        return self.read_bytes(key, value) if COMPILED else self.read_parts(key, value)

    def read_parts(self, key: bytes, value: bytes) -> bool:
        """Read a record cut into its parts."""
        # Looked for as a number: as bytes it would first be taken for one, and an exception made and dropped.
        if _PERCENT in key or _PERCENT in value:
            return False
        parts = key.split(b":")
        if len(parts) != _PARTS:
            return False
        self.org, message, status = parts
        self.rank = _RANKS.get(status, -1)
        if self.rank < 0:
            return False
        try:
            version, told, at, arrived, ids = value.split(b",", 4)
            self.channel, session = ids.split(b":")
            self.time, self.offset, self.received = int(told), int(at), int(arrived)
        except ValueError:
            return False
        self.message = _id_of(message) or message.decode()
        self.session = _id_of(session) or session.decode()
        return version == _VERSION

    def read_bytes(self, key: bytes, value: bytes) -> bool:
        """Read a record byte by byte."""
        first = _find(key, 0, _COLON)
        second = _find(key, first + 1, _COLON) if first >= 0 else first
        if second < 0:
            return False
        self.rank = _RANKS.get(key[second + 1 :], -1)
        if self.rank < 0:
            return False
        if not value.startswith(_BEGIN):
            return False
        self._at = len(_BEGIN)
        time, offset, received = self._field(value), self._field(value), self._field(value)
        if time < 0 or offset < 0 or received < 0:
            return False
        begin = self._at
        middle = _find(value, begin, _COLON)
        if middle < 0 or _find(value, middle + 1, _COLON) != _NOWHERE:
            return False
        self.time, self.offset, self.received = time, offset, received
        self.org, self.channel = key[:first], value[begin:middle]
        self.message = _id_within(key, first + 1, second) or key[first + 1 : second].decode()
        self.session = _id_within(value, middle + 1, len(value)) or value[middle + 1 :].decode()
        return True

    def _field(self, data: bytes) -> i64:
        """Read a number that a comma ends, and go behind that; -1 and no further where there is none of 64 bits."""
        begin = self._at
        end = _find(data, begin, _COMMA)
        if not 0 < end - begin <= _SAFE_DIGITS:
            return -1
        self._at = end + 1
        return _digits(data, begin, end)


def _find(data: bytes, at: i64, wanted: i64) -> i64:
    """Return where the next such byte is, else _NOWHERE, or _QUOTED where a percent sign comes before it."""
    size: i64 = len(data)
    while at < size:
        byte: i64 = data[at]
        if byte == wanted:
            return at
        if byte == _PERCENT:
            return _QUOTED
        at += 1
    return _NOWHERE


def _id_within(data: bytes, at: i64, end: i64) -> int:
    """Return an id as a number that gives the same text again; 0 where it is none, or a long one."""
    size = end - at
    if size < 1 or size > _ID_DIGITS or data[at] == _ZERO:
        return 0
    middle = end - _SAFE_DIGITS if size > _SAFE_DIGITS else at
    # As numbers of any size: together they may have more than 64 bits.
    high: int = _digits(data, at, middle)
    low: int = _digits(data, middle, end)
    if high < 0 or low < 0:
        return 0
    return high * _SAFE + low if high else low


def _digits(data: bytes, at: i64, end: i64) -> i64:
    """Return up to 18 digits as a number, none as 0; -1 where there is anything else."""
    found: i64 = 0
    while at < end:
        byte: i64 = data[at]
        if byte < _ZERO or byte > _NINE:
            return -1
        found = found * 10 + byte - _ZERO
        at += 1
    return found


def _id_of(text: bytes) -> int:
    """Return an id as a number that gives the same text again; 0 where it is none, or a long one."""
    return int(text) if text.isdigit() and text[0] != _ZERO and len(text) <= _ID_DIGITS else 0
