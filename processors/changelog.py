"""What the changelogs, the partials topic and a state on disk hold, as types; `processors.codec` writes and reads it.

They stand apart from the modules that use them because those may be compiled, and a compiled class keeps no types of
its fields by which a decoder could read them.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from schemas.records import Alert


class Fact(msgspec.Struct, frozen=True, gc=False):
    """One status of one message, as the messages changelog holds it."""

    org_id: str
    message_id: str
    status: str
    time: int
    """Epoch ms."""
    offset: int
    """The raw offset that first told the status."""
    received: int
    """Epoch ms; says when the message is forgotten."""
    channel_id: str
    session_id: str


class PartialHead(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a window partial begins with, as `PartialRecord`: what it counts is skipped."""

    version: int
    raw_partition: int
    org_id: str
    channel_id: str
    start: int
    """Start of the minute, epoch ms."""
    watermark: int
    """Newest received time in the raw partition up to the checkpoint before, epoch ms; 0 in a process's first one.

    Of a window that is closed by then nothing new follows.
    """
    last: int
    """Raw offset up to which the counts are complete."""


class PartialRecord(PartialHead, array_like=True, frozen=True, gc=False):
    """A window partial as the partials topic and the changelogs of both steps hold it."""

    counts: Annotated[list[int], msgspec.Meta(min_length=9)]
    """In the order of `Partial.counts`."""
    sent_to_delivered: dict[int, int]
    delivered_to_read: dict[int, int]


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """An alert as the messages changelog holds it."""

    version: int
    stage: int
    rows: tuple[Alert, ...] = ()
    """What is still to be published."""


class Rest(msgspec.Struct, array_like=True):
    """What stands behind a message's ladder facts in a state on disk."""

    channel_id: str = ""
    session_id: str = ""
    others: dict[str, str] = {}
    """Facts off the ladder by status, as text: JSON readers differ on integers of that size."""


decode_partial: Final = msgspec.json.Decoder(PartialRecord).decode
decode_head: Final = msgspec.json.Decoder(PartialHead).decode
decode_kept: Final = msgspec.json.Decoder(Kept).decode
decode_rest: Final = msgspec.json.Decoder(Rest).decode
decode_abilities: Final = msgspec.json.Decoder(tuple[int, str, int, dict[int, int]]).decode
"""Reads version, type, the offset that first told the type, and by ladder rank that which first told the status."""
