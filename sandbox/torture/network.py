"""The network between the roles and what they reach, as faults make it: slow, cut, half-open. Loopback only."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from struct import pack

from sandbox.ports import LOOPBACK, free_port

CHUNK = 256 * 1024
_ABORT = pack("ii", 1, 0)
"""SO_LINGER of no time: closing resets the connection."""


class Link:
    """A TCP proxy to one server. `target` returns the server's port, None while it has none; asked at each connection.

    `delay_s` holds every piece of data back by so much. `cut` resets all connections and refuses new ones. `hang` drops
    the server's side and leaves the client's open: it hears nothing, not even an end.
    """

    def __init__(self, target: Callable[[], int | None]) -> None:
        self.port = free_port()
        self.delay_s = 0.0
        self._target = target
        self._cut = False
        self._hanging = False
        self._mended = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._servers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port, limit=CHUNK)

    async def close(self) -> None:
        """End all connections and listen no more."""
        if self._server is not None:
            self._server.close()
        self.mend()
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving)

    def cut(self) -> None:
        """Reset all connections, and every new one."""
        self._cut = True
        self._reset({*self._clients, *self._servers})

    def hang(self) -> None:
        """Leave clients with connections to nobody."""
        self._mended.clear()
        self._hanging = True
        self._reset(self._servers)

    def mend(self) -> None:
        """Let the network be as it was; what hung is reset."""
        if self._hanging:
            self._reset(self._clients)
        self._cut = self._hanging = False
        self.delay_s = 0.0
        self._mended.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            await self._forward(reader, writer)
        except OSError:
            pass
        finally:
            if self._hanging and not self._cut:
                await self._mended.wait()
            _abort(writer)
            self._clients.discard(writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self._target()
        if self._cut or self._hanging or port is None:
            return
        up_reader, up_writer = await asyncio.open_connection(LOOPBACK, port, limit=CHUNK)
        self._servers.add(up_writer)
        try:
            ways = [
                asyncio.create_task(self._pump(reader, up_writer)),
                asyncio.create_task(self._pump(up_reader, writer)),
            ]
            # Kafka's and HTTP's clients never close one direction alone: an end is the end of both.
            _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in left:
                way.cancel()
            await asyncio.wait(ways)
        finally:
            _abort(up_writer)
            self._servers.discard(up_writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self._hanging:
                    return
                writer.write(data)
                await writer.drain()

    @staticmethod
    def _reset(writers: Iterable[asyncio.StreamWriter]) -> None:
        for writer in list(writers):
            _abort(writer)


def _abort(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    writer.transport.abort()


@asynccontextmanager
async def network(targets: dict[str, Callable[[], int | None]]) -> AsyncIterator[dict[str, Link]]:
    """Open a link to each server by name."""
    links = {name: Link(target) for name, target in targets.items()}
    try:
        for link in links.values():
            await link.open()
        yield links
    finally:
        for link in links.values():
            await link.close()
