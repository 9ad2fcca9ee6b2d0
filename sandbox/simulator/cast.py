"""Who talks: orgs and their channels, the same for every seed, and the ids they write."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from sandbox.simulator.config import Traffic

FIRST_ORG = 106_560_001
CHANNEL_BASE = 500_070_000_000_004_000
MESSAGES_PER_SEED = 10**8
OPEN_SESSIONS = 40


@dataclass(frozen=True, slots=True)
class Manners:
    """How one type of channel behaves. Times are medians in milliseconds; spreads are of the logarithm."""

    type: str
    share: float
    """Of an org's messages, relative to its other channels."""
    delivered: float
    """Share of messages that are told DELIVERED; 0 where the channel has no such receipt."""
    delivered_ms: float
    delivered_spread: float
    read: float
    """Share of delivered messages that are read; 0 where the channel has no such receipt."""
    read_ms: float
    read_spread: float


MANNERS = (
    Manners("WHATSAPP", 0.50, 0.97, 1_800, 1.2, 0.78, 300_000, 1.6),
    Manners("INSTAGRAM", 0.20, 0.0, 0, 0.0, 0.62, 1_200_000, 1.5),
    Manners("FACEBOOKMESSENGER", 0.20, 0.98, 1_200, 1.0, 0.66, 720_000, 1.7),
    Manners("IM_TALK", 0.10, 0.0, 0, 0.0, 0.0, 0, 0.0),
)


@dataclass(frozen=True, slots=True)
class Org:
    """One Zoho Desk portal. Its ids are JSON numbers or strings, of 18 or 20 digits."""

    id: str
    quoted: bool
    """Whether a status event writes ids as strings."""
    tail: str
    """What makes this org's ids 20 digits long, past what 64 bits hold."""
    channels: tuple[Channel, ...]

    def digits(self, number: int) -> str:
        """Return an id of this org in digits."""
        return f"{number}{self.tail}"

    def literal(self, digits: str) -> str:
        """Return an id as JSON text in this org's manner."""
        return f'"{digits}"' if self.quoted else digits


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of an org, with the sessions now open on it (changed as the conversation goes)."""

    id: str
    manners: Manners
    sessions: list[str]

    def session(self, random: Random, fresh: str) -> str:
        """Return the session of the next message: often one that is open, else `fresh`."""
        if len(self.sessions) == OPEN_SESSIONS and random.random() < 0.75:  # noqa: PLR2004 -- three messages of four
            return self.sessions[int(random.random() * OPEN_SESSIONS)]
        if len(self.sessions) == OPEN_SESSIONS:
            self.sessions[int(random.random() * OPEN_SESSIONS)] = fresh
        else:
            self.sessions.append(fresh)
        return fresh


class Talk(NamedTuple):
    """What one message belongs to."""

    org: Org
    channel: Channel
    session: str
    message: str


def orgs(traffic: Traffic) -> list[Org]:
    """Make the cast. The first two orgs number their messages alike: ids are unique within an org only."""
    return [_org(index, traffic.channels) for index in range(traffic.orgs)]


def _org(index: int, channels: int) -> Org:
    tail = "17" if index % 3 == 2 else ""  # noqa: PLR2004 -- every third org
    return Org(
        id=str(FIRST_ORG + index),
        quoted=index % 3 == 1,
        tail=tail,
        channels=tuple(
            Channel(f"{CHANNEL_BASE + 100 * index + number}{tail}", MANNERS[number % len(MANNERS)], [])
            for number in range(channels)
        ),
    )


def first_message(traffic: Traffic) -> int:
    """Return the number before the first message id of a seed."""
    return (50_007 * 10**5 + traffic.seed % 10**5) * MESSAGES_PER_SEED
