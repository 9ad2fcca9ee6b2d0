"""Who may look: decided from the request alone. Pure: no socket, no framework."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from core.errors import ConfigError
from core.settings import Settings
from dashboard.tickets import Tickets, as_bytes

COOKIE: Final = "receipts_dashboard"
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/login"})
"""What is answered to anyone: probes, and the way in. Style and scripts tell nothing either."""
OPEN_PREFIX: Final = "/static/"
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

_PORT: Final = re.compile(r":\d{1,5}$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served; `status` is its HTTP status."""

    status: int
    code: str
    message: str


def is_loopback(host: str) -> bool:
    """Tell whether a host to listen on, or a name that a browser used, is this machine's own."""
    bare = host.strip("[]").rstrip(".").lower()
    if bare == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


def check_settings(settings: Settings) -> None:
    """Raise ConfigError where others could look without a token."""
    if not settings.dashboard_token.get_secret_value() and not is_loopback(settings.dashboard_host):
        raise ConfigError(
            f"DASHBOARD_HOST={settings.dashboard_host!r}: others can reach this address, and DASHBOARD_TOKEN is empty",
            fix="Set DASHBOARD_TOKEN to a long random text, or DASHBOARD_HOST=127.0.0.1",
        )


class Gate:
    """Decides on each request. Without a token (loopback only) everyone on this machine may look."""

    def __init__(self, tickets: Tickets | None) -> None:
        self._tickets = tickets

    def host_refusal(self, host: str) -> Refusal | None:
        """Refuse a name that is not this machine's: a page elsewhere may have bound its own name to our address."""
        if self._tickets is not None or is_loopback(_PORT.sub("", host)):
            return None
        return Refusal(403, "host", "This dashboard answers on this machine only: open it as http://127.0.0.1:PORT/")

    def may_look(self, path: str, ticket: str, authorization: str, now_ms: int) -> bool:
        """Tell whether the request has a valid ticket or the token itself (`Authorization: Bearer`)."""
        if self._tickets is None or path in OPEN_PATHS or path.startswith(OPEN_PREFIX):
            return True
        return _bears(self._tickets, authorization) or self._tickets.valid(ticket, now_ms)

    def change_refusal(self, method: str, headers: Mapping[str, str], host: str) -> Refusal | None:
        """Refuse a change that another site makes the browser send."""
        if method in SAFE_METHODS:
            return None
        origin = headers.get("Origin")
        foreign = origin is not None and origin.partition("://")[2] != host
        if foreign or headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return Refusal(403, "cross_site", "A change must come from the dashboard's own pages")
        return None

    def csrf_refusal(self, ticket: str, authorization: str, given: str, now_ms: int) -> Refusal | None:
        """Refuse a change of a session without the session's own word; who sends the token itself needs none."""
        if self._tickets is None or _bears(self._tickets, authorization):
            return None
        own = self._tickets.valid(ticket, now_ms) and self._tickets.csrf(ticket)
        if own and hmac.compare_digest(as_bytes(given), own.encode()):
            return None
        return Refusal(403, "csrf", "The page is too old for a change: load it again")


def token_in(authorization: str) -> str:
    """Return the token that a request brings, '' when it brings none."""
    scheme, _, given = authorization.partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def _bears(tickets: Tickets, authorization: str) -> bool:
    given = token_in(authorization)
    return bool(given) and tickets.is_token(given)


def local_path(text: str) -> str:
    """Return `text` if it is a path of this site, else '/': where to go after the login."""
    plain = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if plain else "/"
