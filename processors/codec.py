"""The formats of changelogs and partials. Each value begins with a version; a reader refuses what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from core.errors import ReceiptstreamError
from processors import changelog
from processors.changelog import Fact, PartialHead, PartialRecord
from processors.windows import Moment, Partial, Windows
from schemas import keys

VERSION: Final = 2
_VERSION_TEXT: Final = b"%d" % VERSION
DISK_FORMAT: Final = b"1"
"""Of the state that is kept on disk beside the changelog. A database without it is of format 1."""


_Head = TypeVar("_Head", bound=PartialHead)


class UnknownFormatError(ReceiptstreamError):
    """A changelog holds a record that this release cannot read: the processor must not go on with half a state."""

    tag = "unknown_changelog_format"


def fact_key(org_id: str, message_id: str, status: str) -> bytes:
    """Return the changelog key of a fact: one key a message and status, so that compaction is safe."""
    return keys.join(org_id, message_id, status)


def encode_fact(time: int, offset: int, received: int, channel_id: str, session_id: str) -> bytes:
    """Return the changelog value of a fact."""
    return b"%d,%d,%d,%d,%b" % (VERSION, time, offset, received, keys.join(channel_id, session_id))


def plain_fact(  # noqa: PLR0917 -- once a record
    org_id: str, message_id: str, status: str, at: Moment, channel_id: str, session_id: str
) -> tuple[bytes, bytes]:
    """Return key and value of a fact whose ids stand in a key as they are: no colon, no percent sign."""
    key = f"{org_id}:{message_id}:{status}"
    value = f"{VERSION},{at.time},{at.offset},{at.received},{channel_id}:{session_id}"
    return key.encode(), value.encode()


def decode_fact(key: bytes, value: bytes) -> Fact:
    """Read a fact of the messages changelog. Raises UnknownFormatError."""
    try:
        org_id, message_id, status = keys.split(key)
        version, time, offset, received, ids = value.split(b",", 4)
        if version != _VERSION_TEXT:
            raise unknown("messages", key)
        channel_id, session_id = keys.split(ids)
        return Fact(org_id, message_id, status, int(time), int(offset), int(received), channel_id, session_id)
    except ValueError as error:
        raise unknown("messages", key) from error


def encode_partial(raw_partition: int, windows: Windows, partial: Partial, watermark: int) -> bytes:
    """Return the value of a channel's partial."""
    return _encode(
        PartialRecord(
            VERSION,
            raw_partition,
            windows.org_id,
            windows.channel_id,
            partial.start,
            watermark,
            partial.last,
            partial.counts,
            partial.sent_to_delivered,
            partial.delivered_to_read,
        )
    )


def decode_partial(key: bytes, value: bytes) -> PartialRecord:
    """Read a partial. Raises UnknownFormatError."""
    return _known(changelog.decode_partial, key, value)


def decode_head(key: bytes, value: bytes) -> PartialHead:
    """Read whose partial it is and how far it goes: half of the work. Raises UnknownFormatError."""
    return _known(changelog.decode_head, key, value)


def _known(decode: Callable[[bytes], _Head], key: bytes, value: bytes) -> _Head:
    """Read what has the version that this release knows."""
    try:
        record = decode(value)
    except msgspec.DecodeError as error:
        raise unknown("partials", key) from error
    if record.version != VERSION:
        raise unknown("partials", key)
    return record


WATERMARK_KEY: Final = b"watermark"
"""The one key of the partials changelog that is no window: the newest received time of the partition, epoch ms."""

_encode: Final = msgspec.json.Encoder().encode


def check_disk(found: bytes | None, folder: str) -> None:
    """Refuse a state on disk of another format. Raises UnknownFormatError."""
    if found not in (None, DISK_FORMAT):
        raise UnknownFormatError(
            f"the state in {folder} has format {found.decode(errors='replace')}, this release knows "
            f"{DISK_FORMAT.decode()}",
            fix="Run the release that wrote it, or remove the folder: it is made again from the changelog",
        )


def unknown(table: str, key: bytes) -> UnknownFormatError:
    """Return the error of a changelog record that cannot be read."""
    return UnknownFormatError(
        f"the {table} changelog holds a record of an unknown format at key {key!r}",
        fix="Run the release that wrote it, or a newer one",
    )
