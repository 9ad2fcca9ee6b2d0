"""What a broker must know of the others of its cluster: a file that the supervisor writes before it starts them."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

import msgspec

FILE = "node.json"
FEW = 3
"""Nodes from which on the loss of one costs nothing: replication 3, two of them in sync."""


class Front(msgspec.Struct, frozen=True):
    """A listener for clients that come by way of a proxy: where the broker listens, where clients are sent."""

    listens: int
    advertises: int


class Node(msgspec.Struct, frozen=True):
    """One node of the cluster. `voters` are all nodes' controller ports by id; `cluster` is the cluster's id."""

    id: int
    voters: dict[int, int]
    cluster: str
    front: Front | None = None

    @property
    def replicas(self) -> int:
        """Replicas of every topic."""
        return min(FEW, len(self.voters))

    @property
    def in_sync(self) -> int:
        """How many replicas must have a record before it counts as acknowledged."""
        return max(1, self.replicas - 1)


def new_cluster() -> str:
    """Return an id for a new cluster, as Kafka spells it."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


def write(home: Path, node: Node) -> None:
    """Write the file into a broker's directory, in one step."""
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f".{FILE}"
    draft.write_bytes(msgspec.json.encode(node))
    draft.replace(home / FILE)


def read(home: Path) -> Node | None:
    """Return what the supervisor wrote last; None where none ever did."""
    try:
        return msgspec.json.decode((home / FILE).read_bytes(), type=Node)
    except (OSError, msgspec.MsgspecError):
        return None
