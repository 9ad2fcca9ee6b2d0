"""The ingress against two other aiohttp servers: requests a second and CPU time, by events a request.

`bare` only reads the body; `naive` publishes each event with `send_and_wait`. They take turns; the ratios of the turns
are what counts, for identical runs differ. `python -m bench.ingress [SECONDS]` starts a
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
from statistics import median
from typing import Any

import psutil
import uvloop
from aiohttp import web

from bench.output import Result
from sandbox.demo.run import environ_of
from sandbox.stack import Stack

SIZES = (1, 10, 100)
CONNECTIONS = 64
SECONDS = 4.0
ROUNDS = 3
PATH = "/webhooks/zoho-desk/bench"
HEADS = (
    *("events/req", "bare req/s", "naive req/s", "ingress req/s", "/bare", "/bare CPU", "/naive"),
    *("events/s", "us CPU/event", "p50 ms", "p99 ms", "failed"),
)
NAMES = ("bare", "naive", "ingress")
RATIOS = ("ratio", "cpu_ratio", "naive_ratio")
WIDTHS = tuple(max(len(head), 16 if head in {"/bare", "/bare CPU", "/naive"} else 0) for head in HEADS)


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


async def measure(seconds: float = SECONDS) -> list[dict[str, Any]]:
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
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            rounds[name].append(server.load(events, seconds))
    ours, base, naive = rounds["ingress"], rounds["bare"], rounds["naive"]
    best = max(ours, key=lambda found: found["requests_per_s"])
    return {
        "events": events,
        **{name: [found["requests_per_s"] for found in each] for name, each in rounds.items()},
        "ratio": _ratios(ours, base, "requests_per_s"),
        "cpu_ratio": _ratios(base, ours, "cpu_us"),
        "naive_ratio": _ratios(ours, naive, "requests_per_s"),
        "events_per_s": best["requests_per_s"] * events,
        "cpu_us_per_event": min(found["cpu_us"] for found in ours) / events,
        "p50_ms": best["p50_ms"],
        "p99_ms": best["p99_ms"],
        "failed": sum(found["failed"] for found in ours),
    }


def _ratios(one: list[dict[str, Any]], other: list[dict[str, Any]], name: str) -> list[float]:
    """Return the ratios of the rounds, in order of size."""
    return sorted(mine[name] / theirs[name] for mine, theirs in zip(one, other, strict=True))


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--bare"]:
        bare(int(sys.argv[2]))
        return
    print(report(asyncio.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))))


def report(rows: list[dict[str, Any]]) -> str:
    """Return the table: medians of the rounds; ratios with the least and the highest."""
    lines = [" ".join(name.rjust(width) for name, width in zip(HEADS, WIDTHS, strict=True))]
    for row in rows:
        cells = (
            f"{row['events']:d}",
            *(f"{median(row[name]):,.0f}" for name in NAMES),
            *(f"{median(each):.2f} ({each[0]:.2f}-{each[-1]:.2f})" for each in map(row.get, RATIOS) if each),
            *(f"{row['events_per_s']:,.0f}", f"{row['cpu_us_per_event']:.1f}", f"{row['p50_ms']:.1f}"),
            *(f"{row['p99_ms']:.1f}", f"{row['failed']:d}"),
        )
        lines.append(" ".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True)))
    return "\n".join(lines)


def results(rows: list[dict[str, Any]]) -> list[Result]:
    """Return the lines of the plot."""
    return [
        Result(f"{name}, {row['events']} events a request", row[name], "requests/s", ours=name == "ingress")
        for row in rows
        for name in NAMES
    ]


if __name__ == "__main__":
    main()
