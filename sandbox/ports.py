"""Ports of the loopback interface: which are free, and which one a part of the sandbox gets."""

from __future__ import annotations

import random
import socket

from core.errors import ConfigError, PortInUseError

LOOPBACK = "127.0.0.1"
QUIET = range(61_000, 65_536)
"""Above the ports that systems give to outgoing connections by default."""


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether a server could listen there now."""
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(host: str = LOOPBACK) -> int:
    """Return a port that was free a moment ago. Raises ConfigError when the host is not this machine's.

    Taken from above the range of outgoing connections where possible, so that none can take it before the server does.
    """
    with socket.socket(_family(host)) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise ConfigError(f"{host} is no address of this machine ({error.strerror})") from error
        fallback: int = probe.getsockname()[1]
    candidates = random.sample(QUIET, 50)
    return next((port for port in candidates if is_free(port, host)), fallback)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def choose(variable: str, wanted: int, *, explicit: bool, kept: int | None = None, host: str = LOOPBACK) -> int:
    """Return the port of a part: the wanted one if it is free, else the one it had before, else any free one.

    `explicit` says that the user set `variable`: then no other port will do, and a taken one raises PortInUseError.
    `wanted` 0 means any free port; `kept` is the part's port of the last run in this state directory.
    """
    free_port(host)  # a host that is not ours should not look like a taken port
    if explicit and wanted:
        if not is_free(wanted, host):
            raise PortInUseError(
                f"{variable}={wanted}: another program listens on {host}:{wanted}",
                fix=f"Stop that program, set {variable} to another port, or to 0 for any free one",
            )
        return wanted
    for candidate in (kept, wanted):
        if candidate and is_free(candidate, host):
            return candidate
    return free_port(host)
