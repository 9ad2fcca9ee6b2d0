"""A clock that tests move: seen by the process that follows it, by nobody else, and never without the sandbox."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from sandbox import shift

ROOT = Path(__file__).parents[2]
ASKED = """
import sys
from pathlib import Path
from sandbox import shift
shift.follow(Path(sys.argv[1]))
from core.clock import now_ms
import time
for _ in sys.stdin:
    print(now_ms(), int(time.time() * 1000), flush=True)
"""


def test_a_process_sees_its_clock_moved_forth_and_back(tmp_path: Path) -> None:
    """What it reads is the system's time plus what the file says at that moment."""
    file = tmp_path / "clocks" / "ingest"
    shift.make(file)
    with subprocess.Popen(
        [sys.executable, "-c", ASKED, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for moved_ms in (0, 600_000, -600_000, 0):
            shift.move(file, moved_ms)
            before = time.time_ns() // 1_000_000
            process.stdin.write("\n")
            process.stdin.flush()
            ours, librarys = map(int, process.stdout.readline().split())
            after = time.time_ns() // 1_000_000
            assert before <= ours - moved_ms <= after
            assert before <= librarys - moved_ms <= after
        process.stdin.close()


def test_no_role_knows_of_it() -> None:
    """Nothing that runs in production can follow such a file: only the sandbox's tether does."""
    packages = ("core", "schemas", "ingest", "processors", "sinks", "dashboard", "cli")
    naming = [path for package in packages for path in (ROOT / package).rglob("*.py") if "shift" in path.read_text()]
    using = [path for path in naming if "sandbox.shift" in path.read_text() or "import shift" in path.read_text()]
    assert using == []
    assert "follow" in (ROOT / "sandbox" / "tether.py").read_text()
