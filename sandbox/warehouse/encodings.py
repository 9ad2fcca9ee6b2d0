"""Content encodings of requests and answers: what ClickHouse's clients send and accept."""

from __future__ import annotations

from typing import Any

import cramjam

from sandbox.warehouse.failures import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, refuse

_CODECS: dict[str, Any] = {
    "lz4": cramjam.lz4,
    "zstd": cramjam.zstd,
    "gzip": cramjam.gzip,
    "deflate": cramjam.zlib,
    "br": cramjam.brotli,
}  # in the order of preference for answers: on loopback the processor costs more than the wire


def chosen(accept: str) -> str:
    """Return the encoding for an answer from the request's Accept-Encoding, '' for none."""
    offered = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    return next((name for name in _CODECS if name in offered), "")


def compress(body: bytes, encoding: str) -> bytes:
    """Return the body in a chosen encoding."""
    return bytes(_CODECS[encoding].compress(body)) if encoding else body


def decompress(body: bytes, encoding: str) -> bytes:
    """Return a request's body as it was before its Content-Encoding. Raises QueryError."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in _CODECS:
        raise refuse(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", f"Unknown Content-Encoding '{encoding}'")
    try:
        return bytes(_CODECS[encoding].decompress(body))
    except cramjam.DecompressionError as error:
        raise refuse(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", f"Cannot decompress {encoding}: {error}") from None
