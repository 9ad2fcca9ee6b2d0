"""Kafka keys made of several ids, joined by colons."""

from __future__ import annotations

from urllib.parse import quote, unquote


def join(*parts: str) -> bytes:
    """Join ids with ':'; a colon or percent sign within an id is percent-encoded, so that no two keys are alike."""
    text = ":".join(parts)
    if "%" in text or text.count(":") >= len(parts):
        text = ":".join(quote(each, safe=" /?#[]@!$&'()*+,;=") for each in parts)
    return text.encode()


def split(key: bytes) -> list[str]:
    """Undo `join`."""
    parts = key.decode().split(":")
    return [unquote(part) for part in parts] if b"%" in key else parts
