"""Ports of the loopback interface: which are free, and which one a part of the sandbox gets."""

from __future__ import annotations

import errno
import random
import socket
import sys

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
    """Return a port that nobody has or holds. Raises ConfigError when the host is not this machine's.

    Taken from above the range of outgoing connections where possible, so that none can take it before the server does.
    """
    for port in [*random.sample(QUIET, 50), 0]:
        with socket.socket(_family(host)) as probe:  # without SO_REUSEADDR: a held port refuses
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise ConfigError(f"{host} is no address of this machine ({error.strerror})") from error
            found: int = probe.getsockname()[1]
            return found
    raise ConfigError("no port is free on this machine")


def hold(port: int, host: str = LOOPBACK) -> socket.socket | None:
    """Keep a port from `free_port` of any process, until the socket is closed; a server can listen there all the same.

    Linux alone lets a server share the address with a socket that does not listen; elsewhere nothing is held.
    """
    if sys.platform != "linux":
        return None
    holder = socket.socket(_family(host))
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind((host, port))
    except OSError:
        holder.close()
        return None
    return holder


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
