"""The pure parts of the supervisor: what is started, where it listens, how long a death waits."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import ConfigError, PortInUseError
from sandbox import plan, ports
from sandbox.backoff import FIRST_S, LONGEST_S, STABLE_S, Backoff
from sandbox.locks import Lock

ALL = set(plan.BY_NAME)


def test_backoff_doubles_up_to_its_limit_and_forgives() -> None:
    """Each early death waits twice as long as the last; a long life starts anew."""
    backoff = Backoff()
    delays = [backoff.after(1.0) for _ in range(12)]
    assert delays[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert delays[-1] == LONGEST_S
    assert backoff.after(STABLE_S) == FIRST_S


def test_the_drain_fits_its_promise() -> None:
    """The time-outs of the stages, one after the other, stay below 20 s."""
    stages = {role.stage for role in plan.ROLES}
    assert sum(max(role.drain_s for role in plan.ROLES if role.stage == stage) for stage in stages) < 20


def test_own_parts_are_not_started() -> None:
    """A part that the user runs himself is not in the plan; roles that are not installed are not either."""
    assert plan.counts({}, {"broker", "ingest", "sink"}, {"broker"}) == {"ingest": 1, "sink": 1}


def test_scale_names_the_instances() -> None:
    """Instances are numbered, and each has a directory of its own where it keeps files."""
    assert plan.counts({"processor": 3}, ALL, set())["processor"] == 3
    assert plan.names(plan.BY_NAME["processor"], 2) == ["processor-1", "processor-2"]
    assert plan.names(plan.BY_NAME["ingest"], 2) == ["ingest", "ingest-2"]
    own = plan.own_environ("ingest-2", plan.BY_NAME["ingest"], 1, Path("/s"), Path("/s/spool"))
    assert own == {"INGEST_PORT": "1", "SPOOL_DIR": "/s/spool-ingest-2"}


@pytest.mark.parametrize("scale", [{"broker": 2}, {"nobody": 1}, {"dashboard": 2}])
def test_impossible_scales(scale: dict[str, int]) -> None:
    """A role that is not there, or cannot be there twice, is refused by name."""
    with pytest.raises(ConfigError, match=next(iter(scale))):
        plan.counts(scale, ALL, set())


def test_a_port_is_the_kept_one_then_the_default_then_any() -> None:
    """A part keeps its port over restarts, and moves only when it is taken."""
    kept, default = ports.free_port(), ports.free_port()
    assert ports.choose("P", default, explicit=False, kept=kept) == kept
    assert ports.choose("P", default, explicit=False) == default
    with socket.create_server(("127.0.0.1", default)):
        assert ports.choose("P", default, explicit=False) not in (0, default)
        with pytest.raises(PortInUseError, match=f"P={default}"):
            ports.choose("P", default, explicit=True)
        assert ports.choose("P", 0, explicit=True, kept=kept) == kept


@pytest.mark.skipif(sys.platform != "linux", reason="a port can be held on Linux alone")
def test_a_held_port_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is held is chosen by no other part, and its own server can listen on it."""
    monkeypatch.setattr(ports, "QUIET", range(65_000, 65_050))
    held = [ports.hold(port) for port in ports.QUIET]
    try:
        assert all(ports.free_port() not in ports.QUIET for _ in range(20))
        port = next(port for port, holder in zip(ports.QUIET, held, strict=True) if holder is not None)
        with socket.create_server(("127.0.0.1", port)):
            assert not ports.is_free(port)
    finally:
        for holder in held:
            if holder is not None:
                holder.close()


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    """A lock is refused while its holder lives, and free as soon as it is killed."""
    path = tmp_path / "lock"
    program = (
        "import sys, time, pathlib; from sandbox.locks import Lock; lock = Lock(pathlib.Path(sys.argv[1]));"
        "print(lock.acquire(), flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"True\n"
    lock = Lock(path)
    assert not lock.acquire()
    assert lock.holder() == str(holder.pid)
    holder.kill()
    holder.wait()
    assert lock.acquire()
    assert lock.holder() == str(os.getpid())
    lock.release()
