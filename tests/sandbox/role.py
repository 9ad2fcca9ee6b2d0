"""One role of the sandbox as a process of its own, without the supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sandbox.ports import free_port
from tests.stack import clean_environ, until


@dataclass
class Role:
    """`receipts NAME` on a free port; it dies with the test process."""

    name: str
    state_dir: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.state_dir.mkdir(parents=True, exist_ok=True)
        ports = {"SANDBOX_KAFKA_PORT": str(self.port), "SANDBOX_CLICKHOUSE_PORT": str(self.port)}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.tether", str(os.getpid()), self.name],
                env=clean_environ({**ports, "STATE_DIR": str(self.state_dir), **self.environ}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> int:
        """Send a signal unless it has ended, and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)

    @property
    def log_file(self) -> Path:
        """Where its output goes."""
        return self.state_dir / f"{self.name}.log"

    @property
    def log(self) -> str:
        """What it wrote."""
        return self.log_file.read_text(errors="replace")

    @property
    def url(self) -> str:
        """Its address as a URL."""
        return f"http://127.0.0.1:{self.port}"

    def answering(self) -> Self:
        """Wait until `/ping` answers."""

        def ping() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.log
            try:
                with urllib.request.urlopen(f"{self.url}/ping", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        until(ping, within_s=30, what="an answer to /ping")
        return self

    def sql(self, statement: str | bytes, suffix: str = "") -> str:
        """Send a statement to a warehouse and return the answer's text."""
        body = statement.encode() if isinstance(statement, str) else statement
        with urllib.request.urlopen(f"{self.url}/{suffix}", data=body, timeout=60) as answer:
            return str(answer.read().decode())
