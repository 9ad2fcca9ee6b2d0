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
    # Most ids are a number, which `quote` would look through for longer than all the rest takes.
    return part if part.isascii() and part.isalnum() else quote(part, safe=" /?#[]@!$&'()*+,;=")


def split(key: bytes) -> list[str]:
    """Undo `join`."""
    parts = key.decode().split(":")
    return [unquote(part) for part in parts] if b"%" in key else parts
