"""The ingress against two other aiohttp servers: requests a second and CPU time, by events a request.

`bare` only reads the body; `naive` publishes each event with `send_and_wait`. They take turns; each number is the best
of its runs, and the ratios are what counts, for identical runs differ. `python -m bench.ingress [SECONDS]` starts a
broker of its own.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import uvloop
from aiohttp import web

from sandbox.demo.run import environ_of
from sandbox.stack import Stack

SIZES = (1, 10, 100)
CONNECTIONS = 64
SECONDS = 4.0
ROUNDS = 2
PATH = "/webhooks/zoho-desk/bench"
HEADS = (
    *("events/req", "bare req/s", "naive req/s", "ingress req/s", "/bare", "/bare CPU", "/naive"),
    *("events/s", "us CPU/event", "p50 ms", "p99 ms", "failed"),
)
WIDTHS = tuple(map(len, HEADS))
NAMES = ("bare", "naive", "ingress")


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


@dataclass(frozen=True, slots=True)
class Served:
    """A server under measurement."""

    port: int
    process: subprocess.Popen[bytes]

    def load(self, events: int, seconds: float) -> dict[str, Any]:
        """Run the load generator in its own process; its numbers, and the server's CPU time for each request in us."""
        arguments = [str(self.port), PATH, str(CONNECTIONS), str(seconds), str(events)]
        process = psutil.Process(self.process.pid)
        before = sum(process.cpu_times()[:2])
        done = subprocess.run(
            [sys.executable, "-m", "bench.load", *arguments], check=True, capture_output=True, text=True
        )
        found: dict[str, Any] = json.loads(done.stdout)
        found["cpu_us"] = (sum(process.cpu_times()[:2]) - before) / found["requests"] * 1e6
        return found


async def measure(seconds: float) -> list[dict[str, Any]]:
    """Measure all servers, one after the other at each size, and return a row a size."""
    with tempfile.TemporaryDirectory(prefix="receiptstream-bench-") as folder:
        environ = environ_of(os.environ)
        async with Stack(Path(folder), environ=environ, roles={"broker"}) as stack:
            return await asyncio.to_thread(_measure, {**environ, **stack.environ}, seconds)


def _measure(environ: dict[str, str], seconds: float) -> list[dict[str, Any]]:
    ports = {name: free_port() for name in NAMES}
    with tempfile.TemporaryDirectory() as state_dir, (Path(state_dir) / "log").open("wb") as output:
        environ = {
            **environ,
            "INGEST_PORT": str(ports["ingress"]),
            "INGEST_PATH_SECRETS": "bench",
            "STATE_DIR": state_dir,
        }
        arguments = {
            "bare": ("bench.ingress", "--bare", str(ports["bare"])),
            "naive": ("bench.naive", str(ports["naive"]), environ["KAFKA_BOOTSTRAP_SERVERS"]),
            "ingress": ("cli.main", "ingest"),
        }
        servers = {
            name: Served(port, subprocess.Popen([sys.executable, "-m", *arguments[name]], env=environ, stderr=output))
            for name, port in ports.items()
        }
        try:
            for port in ports.values():
                wait_for(port)
            time.sleep(2)  # until the ingress has found Kafka
            return [_row(servers, events, seconds) for events in SIZES]
        finally:
            for server in servers.values():
                server.process.terminate()
            for server in servers.values():
                server.process.wait(20)


def _row(servers: dict[str, Served], events: int, seconds: float) -> dict[str, Any]:
    best: dict[str, dict[str, Any]] = {}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            found = server.load(events, seconds)
            if name not in best or found["requests_per_s"] > best[name]["requests_per_s"]:
                best[name] = found
    ours, base, naive = best["ingress"], best["bare"], best["naive"]
    return {
        "events": events,
        "bare": base["requests_per_s"],
        "naive": naive["requests_per_s"],
        "ingress": ours["requests_per_s"],
        "ratio": ours["requests_per_s"] / base["requests_per_s"],
        "cpu_ratio": base["cpu_us"] / ours["cpu_us"],
        "naive_ratio": ours["requests_per_s"] / naive["requests_per_s"],
        "events_per_s": ours["requests_per_s"] * events,
        "cpu_us_per_event": ours["cpu_us"] / events,
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
    lines = [" ".join(name.rjust(width) for name, width in zip(HEADS, WIDTHS, strict=True))]
    for row in rows:
        cells = (
            *(f"{row['events']:d}", f"{row['bare']:,.0f}", f"{row['naive']:,.0f}", f"{row['ingress']:,.0f}"),
            *(f"{row['ratio']:.2f}", f"{row['cpu_ratio']:.2f}", f"{row['naive_ratio']:.2f}"),
            *(f"{row['events_per_s']:,.0f}", f"{row['cpu_us_per_event']:.1f}", f"{row['p50_ms']:.1f}"),
            *(f"{row['p99_ms']:.1f}", f"{row['failed']:d}"),
        )
        lines.append(" ".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True)))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
