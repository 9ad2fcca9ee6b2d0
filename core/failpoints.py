"""Failpoints: named places on the event path at which a test may kill the process. Off unless FAILPOINT names one.

Each stands where a crash could lose or double something: between two awaits, some of the work durable and some not.
"""

from __future__ import annotations

import os
import signal
from typing import Final, Literal, get_args

from core.errors import ConfigError

Name = Literal[
    "lane.processed",  # decided in memory, nothing written
    "outbox.part_sent",  # one topic's batch acknowledged, the others not
    "lane.sent",  # an outbox acknowledged, the step not told
    "lane.written",  # facts and outputs acknowledged, no checkpoint
    "lane.checkpoint",  # the checkpoint appended in memory, nothing of it written
    "lane.checkpointed",  # the checkpoint acknowledged, the batch not
    "lane.acked",  # the batch acknowledged, its offset not committed
    "consumer.commit",  # about to commit
    "consumer.committed",  # committed
    "table.restored",  # some of a changelog applied, recovery not over
    "sink.inserting",  # rows taken from their buffers, ClickHouse not asked yet
    "sink.inserted",  # rows acknowledged by ClickHouse, the offset not committed
    "sink.committed",  # the offset committed, the next rows waiting
    "notifier.delivered",  # a notification acknowledged by its receiver, the offset not committed
]
NAMES: Final[tuple[str, ...]] = get_args(Name)


class _Armed:
    def __init__(self) -> None:
        self.name = ""
        self.left = 0


_armed = _Armed()


def arm(text: str) -> None:
    """Arm `NAME` or `NAME:N`: the process kills itself when it comes there the Nth time. '' arms nothing.

    Raises ConfigError for a name that is none.
    """
    name, _, count = text.partition(":")
    if name and (name not in NAMES or not (count or "1").isdecimal()):
        raise ConfigError(
            f"FAILPOINT={text}: no such failpoint", fix=f"Name one of {', '.join(NAMES)}, or leave it empty"
        )
    _armed.name = name
    _armed.left = int(count or "1")


def hit(name: Name) -> None:
    """Die here, as by SIGKILL, if this is the armed failpoint."""
    if name != _armed.name:
        return
    _armed.left -= 1
    if _armed.left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
