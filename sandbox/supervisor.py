"""`receipts up`: the stack in the foreground until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

from core import logs
from core.errors import ReceiptstreamError
from sandbox import broker
from sandbox.stack import Stack

_log = logs.get(__name__)


async def serve(stack: Stack, announce: Callable[[str], None]) -> None:
    """Start the stack, announce that it is ready, and stop it at SIGTERM or SIGINT.

    A second signal ends everything at once: the children die with this process. Raises ReceiptstreamError when the
    stack cannot start or go on.
    """
    stop = asyncio.Event()
    _on_signals(stop)
    starting = asyncio.create_task(stack.start())
    try:
        await _first(starting, stop)
        if starting.done():
            await starting
            announce(ready_line(stack))
            await _first(asyncio.create_task(stack.failed.wait()), stop)
            if stack.failure is not None:
                raise stack.failure
    finally:
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, ReceiptstreamError):
            await starting
        if stack.pids():
            _log.info("draining")
        await stack.stop()


def ready_line(stack: Stack) -> str:
    """Return the line that names the URLs, and whatever is not as it would be in production."""
    urls = {
        "ingest": f"{stack.ingest_url}/webhooks/zoho-desk" if stack.ingest_url else "",
        "dashboard": stack.dashboard_url,
        "clickhouse": stack.clickhouse_url,
        "kafka": stack.kafka_bootstrap,
    }
    words = ["ready", *(f"{name}={url}" for name, url in urls.items() if url)]
    if stack.ingest_url and stack.settings.ingest_path_secrets:
        words[1] += "/{secret}"
    notes = list(stack.moved)
    if stack.broker_kind == "memory":
        why = broker.describe(stack.state_dir).get("why", "")
        notes.append(f"THE BROKER IS IN MEMORY, events are lost when it stops: {why}")
    return " ".join(words) + (f" ({'; '.join(notes)})" if notes else "")


def _on_signals(stop: asyncio.Event) -> None:
    def told() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, told)


async def _first(task: asyncio.Task[object], stop: asyncio.Event) -> None:
    """Wait for the task or the signal, whichever comes first."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
