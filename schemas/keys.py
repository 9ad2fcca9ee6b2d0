"""Kafka keys made of several ids, joined by colons."""

from __future__ import annotations

from urllib.parse import quote, unquote


def join(*parts: str) -> bytes:
    """Join ids with ':'; a colon or percent sign within an id is percent-encoded, so that no two keys are alike."""
    text = ":".join(parts)
    if "%" in text or text.count(":") >= len(parts):
        text = ":".join(map(_quoted, parts))
    return text.encode()


def _quoted(part: str) -> str:
    # Most ids are a number, and a window's start is a time: `quote` would look through them for longer than all the
    # rest takes.
    if part.isascii():
        if part.isalnum():
            return part
        if part.replace(":", "").replace("-", "").replace(".", "").isalnum():
            return part.replace(":", "%3A")
    return quote(part, safe=" /?#[]@!$&'()*+,;=")


def split(key: bytes) -> list[str]:
    """Undo `join`."""
    parts = key.decode().split(":")
    return [unquote(part) for part in parts] if b"%" in key else parts
