"""The role `warehouse`: open the engine, serve until told to stop, close it cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import uvloop

from core import logs
from core.errors import ReceiptstreamError, StateDirInUseError
from core.settings import Settings
from sandbox.locks import Lock
from sandbox.warehouse.engine import Engine
from sandbox.warehouse.front import Warehouse, serving

LOCK_WAIT_S = 15.0

_log = logs.get(__name__)


def run(settings: Settings) -> None:
    """Serve ClickHouse's HTTP protocol on SANDBOX_CLICKHOUSE_PORT until SIGTERM or SIGINT.

    Raises ReceiptstreamError when the data directory or the port cannot be had.
    """
    home = settings.state_dir / "clickhouse"
    lock = Lock(settings.state_dir / "clickhouse.lock")
    if not lock.acquire(wait_s=LOCK_WAIT_S):
        raise StateDirInUseError(
            f"another warehouse (process {lock.holder()}) uses {home}", fix="Stop it, or name another STATE_DIR"
        )
    try:
        engine = Engine(home)
    except (OSError, RuntimeError) as error:
        raise ReceiptstreamError(f"ClickHouse's engine cannot open {home}: {error}") from error
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        warehouse = Warehouse(engine)
        runner.run(_serve(warehouse, settings.sandbox_clickhouse_port))
        _close(warehouse, engine)


async def _serve(warehouse: Warehouse, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(warehouse, port) as bound:
        _log.info("serving ClickHouse's engine", port=bound)
        await stop.wait()
        _log.info("draining", running=warehouse.running)


def _close(warehouse: Warehouse, engine: Engine) -> None:
    """Close the engine; where a statement still runs, end the process as it is: what was acknowledged is on disk."""
    if warehouse.running:
        _log.warning("statements still run after the time to drain: the engine is left as it is")
        sys.stderr.flush()
        os._exit(0)
    warehouse.threads.shutdown()
    engine.close()
    _log.info("closed")
