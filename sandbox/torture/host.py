"""The supervisor of a torture run, as a process of its own that may be killed: a stack, told what to be on its input.

`python -P -m sandbox.torture.host PARENT_PID` reads a `Wanted` as one line of JSON, writes `ready` when everything
serves, and then takes lines of `Number`. SIGTERM drains, as of `receipts up`.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from core import logs
from core.errors import ReceiptstreamError
from sandbox import tether
from sandbox.stack import Stack
from sandbox.supervisor import serve


class Wanted(msgspec.Struct, frozen=True):
    """What to run; the fields are those of Stack."""

    state_dir: str
    environ: dict[str, str]
    scale: dict[str, int]
    roles: list[str]
    brokers: int
    fronts: dict[str, int]


class Number(msgspec.Struct, frozen=True):
    """How many of a role to run from now on."""

    role: str
    number: int


async def _host() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    wanted = msgspec.json.decode(await reader.readline(), type=Wanted)
    home = Path(wanted.state_dir)
    stack = Stack(
        home,
        environ=wanted.environ,
        scale=wanted.scale,
        roles=wanted.roles,
        brokers=wanted.brokers,
        fronts=wanted.fronts,
        clocks=clocks_of(home),
    )
    told = asyncio.create_task(_take(stack, reader))
    try:
        await serve(stack, lambda line: print(line, flush=True))  # noqa: T201 -- its parent waits for the line
    finally:
        told.cancel()


async def _take(stack: Stack, reader: asyncio.StreamReader) -> None:
    while line := await reader.readline():
        number = msgspec.json.decode(line, type=Number)
        await stack.scale(number.role, number.number)


def clocks_of(state_dir: Path) -> Path:
    """Return where the files of the roles' clocks are."""
    return state_dir / "clocks"


def main() -> None:
    """Run until a signal, or the parent's death."""
    tether.tie(int(sys.argv[1]))
    logs.configure("up", level="WARNING", human=False)
    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(_host())
        except ReceiptstreamError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
