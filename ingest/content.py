"""Content-Encoding: from the bytes on the wire to the body, never more than the limit. Pure."""

from __future__ import annotations

import zlib

IDENTITY = ("", "identity")
_WINDOW_BITS = {"gzip": 31, "deflate": 15}
_RAW_DEFLATE = -15
MAX_MEMBERS = 100
"""Most gzip members of a body: each costs a copy of what follows it."""


class TooLargeError(Exception):
    """The body is larger than allowed after decompression."""


class BrokenError(Exception):
    """The compressed body cannot be decompressed; `data` is what came."""

    def __init__(self, detail: str, data: bytes) -> None:
        super().__init__(detail)
        self.detail = detail
        self.data = data


def supported(encoding: str) -> bool:
    """Tell whether a Content-Encoding is known."""
    return encoding in IDENTITY or encoding in _WINDOW_BITS


def decompress(data: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a gzip (one or several members) or deflate (with or without zlib's head) body.

    An empty body stays empty. Raises TooLargeError, BrokenError.
    """
    bits = _WINDOW_BITS[encoding]
    try:
        return _inflate(data, bits, limit)
    except zlib.error as error:
        if encoding == "gzip":
            raise BrokenError(str(error), data) from None
    # Some senders' deflate has no zlib head.
    try:
        return _inflate(data, _RAW_DEFLATE, limit)
    except zlib.error as error:
        raise BrokenError(str(error), data) from None


def _inflate(data: bytes, bits: int, limit: int) -> bytes:
    members: list[bytes] = []
    size = 0
    rest = data
    while rest:
        if len(members) == MAX_MEMBERS:
            raise BrokenError(f"the compressed body has more than {MAX_MEMBERS} members", data)
        inflater = zlib.decompressobj(bits)
        part = inflater.decompress(rest, limit - size + 1)
        size += len(part)
        if size > limit:
            raise TooLargeError
        if not inflater.eof:
            raise BrokenError("the compressed body ends early", data)
        members.append(part)
        rest = inflater.unused_data
    return b"".join(members)
