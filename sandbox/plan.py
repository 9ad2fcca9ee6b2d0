"""What the stack consists of: roles, their instances, and the environment each gets. Pure: no process, no socket."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from zlib import crc32

from core.errors import ConfigError

Probe = Literal["kafka", "ping", "ready"]
"""How an instance tells that it serves: a metadata request, ClickHouse's /ping, or /readyz."""


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of process. `drain_s` is what it gets between SIGTERM and SIGKILL; `stage` is its place in the drain."""

    name: str
    stage: int
    drain_s: float
    probe: Probe
    port_variable: str
    default_port: int = 0
    host_variable: str = ""
    scalable: bool = True
    numbered: bool = True


# The stages' times add up to less than the 20 s in which `receipts up` promises to be gone.
ROLES = (
    Role("broker", 3, 5.0, "kafka", "SANDBOX_KAFKA_PORT", 9092, scalable=False, numbered=False),
    Role("warehouse", 3, 5.0, "ping", "SANDBOX_CLICKHOUSE_PORT", 8123, scalable=False, numbered=False),
    Role("ingest", 0, 4.0, "ready", "INGEST_PORT", 8080, "INGEST_HOST", numbered=False),
    Role("processor", 1, 5.0, "ready", "METRICS_PORT", 0, "METRICS_HOST"),
    Role("sink", 2, 4.5, "ready", "METRICS_PORT", 0, "METRICS_HOST"),
    Role("notifier", 2, 4.5, "ready", "METRICS_PORT", 0, "METRICS_HOST"),
    Role("dashboard", 2, 4.5, "ready", "DASHBOARD_PORT", 8090, "DASHBOARD_HOST", scalable=False, numbered=False),
)
BY_NAME = {role.name: role for role in ROLES}
CONSUMERS = ("processor", "sink", "notifier")
"""The roles that share the work as members of a consumer group."""
PARTS = ("broker", "warehouse")
"""The roles that stand in for the user's own Kafka and ClickHouse."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One process to be: its name (`processor-1`), where it listens, what its environment adds to the stack's."""

    name: str
    role: Role
    host: str
    port: int
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """What `receipts ps` shows: a URL, or host:port for the broker."""
        bare = f"{reachable(self.host)}:{self.port}"
        return bare if self.role.probe == "kafka" else f"http://{bare}"


def reachable(host: str) -> str:
    """Return a host that a client on this machine can connect to, for a host to listen on."""
    plain = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{plain}]" if ":" in plain else plain


def counts(scale: Mapping[str, int], available: set[str], external: set[str]) -> dict[str, int]:
    """Return how many instances of each role run.

    `available` are the roles that this installation has, `external` the parts that the user runs himself. Raises
    ConfigError for an unknown role, or a number that a role cannot have.
    """
    for name, number in scale.items():
        if name not in BY_NAME or name not in available:
            raise ConfigError(f"--scale {name}={number}: there is no role {name}", fix=f"Roles: {', '.join(BY_NAME)}")
        if number < 0 or (number > 1 and not BY_NAME[name].scalable):
            raise ConfigError(f"--scale {name}={number}: {name} runs {'0 or 1' if number > 1 else 'at least 0'} times")
    return {
        role.name: scale.get(role.name, 1) for role in ROLES if role.name in available and role.name not in external
    }


def names(role: Role, number: int) -> list[str]:
    """Return the names of a role's instances."""
    if role.numbered:
        return [f"{role.name}-{index}" for index in range(1, number + 1)]
    return [role.name if index == 1 else f"{role.name}-{index}" for index in range(1, number + 1)]


def own_environ(name: str, role: Role, port: int, state_dir: Path, spool: Path) -> dict[str, str]:
    """Return the variables in which an instance differs from its brothers: its port, and a directory of its own."""
    own = {role.port_variable: str(port)}
    if role.name in CONSUMERS:
        # Another stack on the same Kafka must not bear the same name: one would push the other out of the group.
        own["INSTANCE_ID"] = f"{name}@{platform.node()}-{crc32(str(state_dir).encode()):08x}"
    if role.name == "processor" or (role.name == "broker" and name != "broker"):
        own["STATE_DIR"] = str(state_dir / name)
    if role.name == "ingest" and name != "ingest":
        own["SPOOL_DIR"] = str(spool.with_name(f"{spool.name}-{name}"))
    return own
