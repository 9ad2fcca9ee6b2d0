"""The ingress against a bare aiohttp server that only reads the body: requests a second, by events a request.

`python -m bench.ingress [SECONDS]` starts a broker of its own. Each number is the best of neighbouring runs; the ratio
is what counts, for identical runs differ.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from sandbox.demo.run import environ_of
from sandbox.stack import Stack

SIZES = (1, 10, 100)
CONNECTIONS = 64
SECONDS = 4.0
ROUNDS = 2
BARE_PATH = "/bare"
PATH = "/webhooks/zoho-desk/bench"


def bare(port: int) -> None:
    """Serve as little as aiohttp can: read the body, answer."""

    async def handle(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(body=b'{"accepted":1,"parked":0}', content_type="application/json")

    async def serve() -> None:
        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()

    uvloop.run(serve())


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Wait until something listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on {port}")


def load(port: int, path: str, events: int, seconds: float) -> dict[str, Any]:
    """Run the load generator in its own process."""
    arguments = [str(port), path, str(CONNECTIONS), str(seconds), str(events)]
    done = subprocess.run([sys.executable, "-m", "bench.load", *arguments], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def measure(seconds: float) -> list[dict[str, Any]]:
    """Measure both servers, one after the other at each size, and return a row a size."""
    with tempfile.TemporaryDirectory(prefix="receiptstream-bench-") as folder:
        environ = environ_of(os.environ)
        async with Stack(Path(folder), environ=environ, roles={"broker"}) as stack:
            return await asyncio.to_thread(_measure, {**environ, **stack.environ}, seconds)


def _measure(environ: dict[str, str], seconds: float) -> list[dict[str, Any]]:
    ports = {"bare": free_port(), "ingress": free_port()}
    with tempfile.TemporaryDirectory() as state_dir, (Path(state_dir) / "log").open("wb") as output:
        environ = {
            **environ,
            "INGEST_PORT": str(ports["ingress"]),
            "INGEST_PATH_SECRETS": "bench",
            "STATE_DIR": state_dir,
        }
        servers = [
            subprocess.Popen([sys.executable, "-m", "bench.ingress", "--bare", str(ports["bare"])], stderr=output),
            subprocess.Popen([sys.executable, "-m", "cli.main", "ingest"], env=environ, stderr=output),
        ]
        try:
            for port in ports.values():
                wait_for(port)
            time.sleep(2)  # until the ingress has found Kafka
            return [_row(ports, events, seconds) for events in SIZES]
        finally:
            for server in servers:
                server.terminate()
            for server in servers:
                server.wait(20)


def _row(ports: dict[str, int], events: int, seconds: float) -> dict[str, Any]:
    best: dict[str, dict[str, Any]] = {}
    for _ in range(ROUNDS):
        for name, path in (("bare", BARE_PATH), ("ingress", PATH)):
            found = load(ports[name], path, events, seconds)
            if name not in best or found["requests_per_s"] > best[name]["requests_per_s"]:
                best[name] = found
    ours, base = best["ingress"], best["bare"]
    return {
        "events": events,
        "bare": base["requests_per_s"],
        "ingress": ours["requests_per_s"],
        "ratio": ours["requests_per_s"] / base["requests_per_s"],
        "events_per_s": ours["requests_per_s"] * events,
        "p50_ms": ours["p50_ms"],
        "p99_ms": ours["p99_ms"],
        "failed": ours["failed"],
    }


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--bare"]:
        bare(int(sys.argv[2]))
        return
    print(report(asyncio.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))))


def report(rows: list[dict[str, Any]]) -> str:
    """Return the table."""
    lines = ["events/request  bare req/s  ingress req/s  ratio  events/s  p50 ms  p99 ms  failed"]
    lines.extend(
        f"{row['events']:14d}  {row['bare']:10,.0f}  {row['ingress']:13,.0f}  {row['ratio']:5.2f}"
        f"  {row['events_per_s']:8,.0f}  {row['p50_ms']:6.1f}  {row['p99_ms']:6.1f}  {row['failed']:6d}"
        for row in rows
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
