"""A running `receipts up` for tests: started as a user starts it, gone when the tests are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self, TypeVar

from sandbox import endpoints, plan

READY_S = 120.0
STOP_S = 20.0
T = TypeVar("T")
OUTSIDE = ("KAFKA_BOOTSTRAP_SERVERS", "CLICKHOUSE_URL")
FREE_PORTS = {
    "SANDBOX_KAFKA_PORT": "0",
    "SANDBOX_CLICKHOUSE_PORT": "0",
    "INGEST_PORT": "0",
    "DASHBOARD_PORT": "0",
    "METRICS_PORT": "0",
}


def until(ask: Callable[[], T], *, within_s: float = 20.0, what: str = "the condition") -> T:
    """Ask until the answer is true and return it; fail the test after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"{what} did not come true in {within_s:.0f} s"
        time.sleep(0.05)
    return answer


def run(
    *arguments: str, environ: Mapping[str, str] | None = None, timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run `receipts …` to its end, without the parts that the test run itself may have been given."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env=clean_environ(environ or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def given_parts() -> dict[str, str]:
    """Return the Kafka and ClickHouse that the test run was given, to be used instead of the sandbox's."""
    return {name: os.environ[name] for name in OUTSIDE if os.environ.get(name)}


def no_roles(*but: str) -> dict[str, int]:
    """Return the scale that starts the parts alone, and the roles named."""
    installed = [role.name for role in plan.ROLES if find_spec(f"cli.{role.name}") is not None]
    return {name: 0 for name in installed if name not in (*plan.PARTS, *but)}


def clean_environ(more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without the user's own Kafka and ClickHouse, plus `more`."""
    return {name: value for name, value in os.environ.items() if name not in OUTSIDE} | dict(more)


@dataclass
class Up:
    """`receipts up` on a state directory; every port is a free one unless `environ` says otherwise.

    It dies with the test process, even when that is killed. `scale` as the option: {"processor": 2}.
    """

    state_dir: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    scale: Mapping[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    ready_line: str = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def start(self) -> Self:
        """Start it and wait for the ready line; where none comes, end it and fail with what it said."""
        process = self.spawn()
        try:
            self.ready_line = until(lambda: self._ready(process), within_s=READY_S, what="the ready line")
        except BaseException:
            process.kill()
            process.wait()
            raise
        return self

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it without waiting."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        scale = [part for role, number in self.scale.items() for part in ("--scale", f"{role}={number}")]
        with self._output.open("w") as output, self._errors.open("a") as errors:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "sandbox.tether", str(os.getpid())),
                    *("up", "--state-dir", str(self.state_dir), *scale),
                ],
                env=clean_environ({**FREE_PORTS, **self.environ}),
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        return self.process

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait until it is gone, return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(STOP_S)

    def errors(self) -> str:
        """Return what it wrote to standard error."""
        return self._errors.read_text(errors="replace") if self._errors.exists() else ""

    @property
    def _output(self) -> Path:
        return self.state_dir / "up.out"

    @property
    def _errors(self) -> Path:
        return self.state_dir / "up.err"

    def _ready(self, process: subprocess.Popen[bytes]) -> str:
        lines = self._output.read_text().split("\n")[:-1]
        assert process.poll() is None, f"ended with {process.returncode}: {self.errors()}"
        return next((line for line in lines if line.startswith("ready")), "")

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables with which clients and commands find the stack."""
        return endpoints.read(self.state_dir)

    @property
    def kafka(self) -> str:
        """Kafka's bootstrap servers."""
        return self.variables["KAFKA_BOOTSTRAP_SERVERS"]

    @property
    def clickhouse(self) -> str:
        """ClickHouse's URL."""
        return self.variables["CLICKHOUSE_URL"]

    @property
    def ingest(self) -> str:
        """The ingress's base URL."""
        return f"http://127.0.0.1:{self.variables['INGEST_PORT']}"

    def ps(self) -> dict[str, dict[str, Any]]:
        """Return what `receipts ps --json` tells, by role."""
        done = run("ps", "--json", "--state-dir", str(self.state_dir))
        return {row["role"]: row for row in json.loads(done.stdout)}

    def receipts(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run another command on this sandbox."""
        return run(*arguments, "--state-dir", str(self.state_dir), timeout=timeout)
