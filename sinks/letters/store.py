"""Dead letters as ClickHouse keeps them, with what became of each."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from typing import Literal, NamedTuple

from core.clickhouse import ClickHouse
from core.clock import now_ms

State = Literal["open", "redriven", "discarded"]

MARKED_AT_ONCE = 1000
"""Letters named in one statement: ClickHouse reads no statement of any length (`max_query_size`)."""


class Letter(NamedTuple):
    """A dead letter. `id` is the partition and offset it has in im.events.dead."""

    id: str
    stage: str
    reason: str
    detail: str
    topic: str
    """Where its record came from; '' at the ingress."""
    partition: int
    """-1 at the ingress, as `offset`."""
    offset: int
    failed_at: str
    failed_ms: int
    key: str
    body: bytes
    state: str

    @property
    def place(self) -> tuple[int, int]:
        """Its own partition and offset."""
        partition, _, offset = self.id.partition("-")
        return int(partition), int(offset)


class Wanted(NamedTuple):
    """Which letters: '' and () stand for any; times in epoch ms."""

    stage: str = ""
    reason: str = ""
    state: str = ""
    since: int = 0
    until: int = 9_000_000_000_000
    ids: tuple[str, ...] = ()


_FIND = """
SELECT
    id, stage, reason, detail, topic, ifNull(partition, -1) AS partition, ifNull(offset, -1) AS offset,
    failed_at, toUnixTimestamp64Milli(failed_at) AS failed_ms, key, body, body_encoding, state
FROM dead_letters
WHERE ({stage:String} = '' OR stage = {stage:String})
    AND ({reason:String} = '' OR reason = {reason:String})
    AND ({state:String} = '' OR state = {state:String})
    AND ({ids:String} = '' OR has(splitByChar(',', {ids:String}), id))
    AND failed_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    AND failed_at < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
ORDER BY failed_at, dead_partition, dead_offset
"""

# A new row of the same identity: the later `changed_time` holds.
_MARK = """
INSERT INTO dead_letters_log
SELECT * REPLACE ('{state}' AS state, fromUnixTimestamp64Milli(toInt64({now}), 'UTC') AS changed_time)
FROM dead_letters_log FINAL
WHERE (dead_partition, dead_offset) IN ({places})
"""


async def find(clickhouse: ClickHouse, wanted: Wanted, *, bodies: bool = True) -> list[Letter]:
    """Return the letters, oldest first; without `bodies`, with empty ones."""
    sql = _FIND if bodies else _FIND.replace("key, body, body_encoding", "key, '' AS body, 'text' AS body_encoding")
    rows = await clickhouse.rows(sql, {**wanted._asdict(), "ids": ",".join(wanted.ids)})
    return [
        Letter(
            row["id"],
            row["stage"],
            row["reason"],
            row["detail"],
            row["topic"],
            int(row["partition"]),
            int(row["offset"]),
            row["failed_at"],
            int(row["failed_ms"]),
            row["key"],
            b64decode(row["body"]) if row["body_encoding"] == "base64" else row["body"].encode(),
            row["state"],
        )
        for row in rows
    ]


async def mark(clickhouse: ClickHouse, letters: Sequence[Letter], state: State) -> None:
    """Note what became of letters; safe to repeat."""
    for first in range(0, len(letters), MARKED_AT_ONCE):
        places = ", ".join(str(letter.place) for letter in letters[first : first + MARKED_AT_ONCE])
        await clickhouse.command(_MARK.format(state=state, now=now_ms(), places=places))
