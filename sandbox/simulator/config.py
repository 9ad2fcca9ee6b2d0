"""What traffic to make. The same values give the same bytes, on any machine."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ConfigError

HOUR_MS = 3_600_000
LONGEST_SPAN_MS = 24 * HOUR_MS
"""Older receipts come near the edge of WINDOW_RETENTION, where their exact arrival would decide what is late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The amount of traffic and the shares of what goes wrong. Shares are of all receipts, 0 to 1."""

    now_ms: int
    """The moment up to which everything has happened; nothing later is told."""
    messages: int = 10_000
    """Outgoing messages."""
    orgs: int = 3
    channels: int = 4
    """Channels of each org: WhatsApp, Instagram, Facebook Messenger, live chat, and round again."""
    duplicates: float = 0.05
    """Receipts told twice, with the same time or another."""
    reorder: float = 0.05
    """Receipts overtaken by the next one of their message."""
    missing: float = 0.03
    """Receipts never told."""
    strange: float = 0.002
    """Receipts with unusable or far-off clocks."""
    broken: int = 0
    """Elements that are no event, in all: exactly this many."""
    siblings: bool = True
    """Whether IM_Message_Add, IM_Session_Status and an unknown event type come along."""
    span_ms: int = 6 * HOUR_MS
    """How long before `now_ms` the first message is created."""
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse what makes no sense, naming the value and the fix."""
        for name in ("duplicates", "reorder", "missing", "strange"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"--{name} {getattr(self, name)} is no share", fix="Name a number from 0 to 1")
        for name, least in (("messages", 0), ("orgs", 1), ("channels", 1), ("broken", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"--{name} {getattr(self, name)} is too small", fix=f"Name at least {least}")
        if not 0 < self.span_ms <= LONGEST_SPAN_MS:
            raise ConfigError(f"a span of {self.span_ms} ms is out of range", fix="Name more than 0 and at most 24 h")

    @property
    def start_ms(self) -> int:
        """When the first message is created."""
        return self.now_ms - self.span_ms
