"""`receipts dashboard` in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import requests

from sandbox.ports import free_port
from tests.stack import clean_environ, until


@dataclass
class Dashboard:
    """A dashboard on a free port; it dies with the test process."""

    state_dir: Path
    environ: Mapping[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.spawn()
        until(self.answers, what="an answer to /healthz")
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it without waiting."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.tether", str(os.getpid()), "dashboard"],
                env=clean_environ({"DASHBOARD_PORT": str(self.port), "STATE_DIR": str(self.state_dir), **self.environ}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def answers(self) -> bool:
        """Tell whether it answers."""
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def stop(self) -> int:
        """End it as an operator does and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        """Where its output goes."""
        return self.state_dir / "dashboard.log"

    @property
    def log(self) -> str:
        """What it wrote."""
        return self.log_file.read_text(errors="replace")
