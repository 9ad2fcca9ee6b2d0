"""Destinations, as NOTIFY_FILE (TOML) and NOTIFY_URL have them."""

from __future__ import annotations

import base64
import binascii
import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from core.errors import ConfigError
from core.settings import Settings, parse_duration

Table = dict[str, Any]
Security = Literal["tls", "starttls", "none"]
STATES: Final = ("open", "resolved")
MAX_ALERTS: Final = 500


class Limits(msgspec.Struct, frozen=True):
    """What one destination wants to hear, and how much at once. Times are seconds."""

    rules: frozenset[str] = frozenset()
    """Empty: all."""
    orgs: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset(STATES)
    per_minute: int = 30
    """Most messages a minute, retries included."""
    digest_within: float = 2.0
    """How long the first alert of a message waits for others."""
    digest_max: int = 200
    """Most alerts in one message; 1: each alert has its own."""
    timeout: float = 15.0
    """Of one try."""
    give_up_after: float = 86_400.0
    """After so long without one success the destination is disabled."""
    probe_every: float = 3_600.0
    """How often a disabled destination is tried again."""


class Webhook(msgspec.Struct, frozen=True):
    """Any HTTP receiver, in the form of Standard Webhooks."""

    url: str
    secrets: tuple[SecretStr, ...]
    """Each signs: a receiver may know the old one or the new one."""


class Chat(msgspec.Struct, frozen=True):
    """An incoming webhook of Slack, of what is compatible with it, or of Teams."""

    form: Literal["slack", "teams"]
    url: SecretStr
    """Who knows it can post."""


class Email(msgspec.Struct, frozen=True):
    """People, over SMTP."""

    host: str
    port: int
    security: Security
    user: str
    password: SecretStr
    sender: str
    to: tuple[str, ...]


class ZohoDeskTask(msgspec.Struct, frozen=True):
    """Tasks in Zoho Desk."""

    url: str
    accounts_url: str
    org_id: str
    department_id: str
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr
    owner_id: str
    priority: str
    category: str


Target = Webhook | Chat | Email | ZohoDeskTask


class Destination(msgspec.Struct, frozen=True):
    """One place that hears of alerts. Its name is part of its consumer group's: a new name begins anew."""

    name: str
    target: Target
    limits: Limits = Limits()


_LIMIT_KEYS: Final = (
    *("rules", "orgs", "states", "per_minute", "digest_within", "digest_max"),
    *("timeout", "give_up_after", "probe_every"),
)
_KIND_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "webhook": ("url", "secret", "old_secret"),
    "slack": ("url",),
    "teams": ("url",),
    "email": ("host", "port", "security", "user", "password", "sender", "to"),
    "zoho_desk_task": (
        *("url", "accounts_url", "org_id", "department_id", "owner_id", "priority", "category"),
        *("client_id", "client_secret", "refresh_token"),
    ),
}
_SECRET: Final = frozenset({"secret", "old_secret", "password", "client_secret", "refresh_token"})
_MADE_SO: Final = 'make one with: echo "whsec_$(openssl rand -base64 24)"'


class _Wrong(Exception):  # noqa: N818 -- carried to `load`, never further
    """What is wrong with a destination: its field, its value (None: not shown), and the fix."""

    def __init__(self, field: str, value: object, fix: str) -> None:
        super().__init__(field)
        self.field, self.value, self.fix = field, value, fix


def load(settings: Settings) -> tuple[Destination, ...]:
    """Return every destination of the settings, none when none is configured. Raises ConfigError."""
    found: list[Destination] = []
    if settings.notify_url:
        found.append(_of_environment(settings))
    elif settings.notify_secret.get_secret_value():
        raise ConfigError("NOTIFY_SECRET is set, and NOTIFY_URL is not", fix="Set both, or none")
    if settings.notify_file is not None:
        found.extend(_of_file(settings.notify_file, private=settings.notify_allow_private))
    names = [destination.name for destination in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two destinations are named {name}", fix="Give each destination its own name")
    return tuple(found)


def _of_environment(settings: Settings) -> Destination:
    try:
        url = _url({"url": settings.notify_url}, "url", private=settings.notify_allow_private)
    except _Wrong as wrong:
        shown = "" if wrong.value is None else f"={wrong.value}"
        raise ConfigError(f"NOTIFY_URL{shown}: {wrong.fix}") from None
    try:
        secrets = _signing({"secret": settings.notify_secret.get_secret_value()})
    except _Wrong as wrong:
        raise ConfigError(f"NOTIFY_SECRET: {wrong.fix}") from None
    return Destination("default", Webhook(url, secrets))


def _of_file(path: Path, *, private: bool) -> list[Destination]:
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"NOTIFY_FILE={path}: cannot be read: {error.strerror}", fix="Name a TOML file") from None
    except ValueError as error:
        raise ConfigError(f"NOTIFY_FILE={path}: not TOML: {error}", fix="Mend the line") from None
    place = "the file"
    try:
        _only(given, ("destination",))
        tables = given.get("destination", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise _Wrong("destination", None, "write each as a table under [[destination]]")  # noqa: TRY301 -- all are told below
        found = []
        for number, table in enumerate(tables, 1):
            name = table.get("name")
            place = f"[[destination]] number {number}" + (f" ({name})" if isinstance(name, str) else "")
            found.append(_destination(table, path.parent, private=private))
    except _Wrong as wrong:
        shown = "" if wrong.value is None else f" = {wrong.value!r}"
        raise ConfigError(f"NOTIFY_FILE={path}: {place}: {wrong.field}{shown}: {wrong.fix}") from None
    return found


def _destination(table: Table, folder: Path, *, private: bool) -> Destination:
    name = _text(table, "name")
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name) is None:
        raise _Wrong("name", name, "write at most 64 of a-z, 0-9, _ and -")
    kind = _text(table, "kind")
    if kind not in _KIND_KEYS:
        raise _Wrong("kind", kind, f"write one of {', '.join(_KIND_KEYS)}")
    fields = _KIND_KEYS[kind]
    hidden = [field for field in fields if field in _SECRET or (field == "url" and kind in ("slack", "teams"))]
    _only(table, ("name", "kind", *fields, *(f"{field}_file" for field in hidden), *_LIMIT_KEYS))
    read = {**table, **_from_files(table, hidden, folder)}
    return Destination(name, _target(kind, read, private=private), _limits(read, kind))


def _from_files(table: Table, fields: Collection[str], folder: Path) -> Table:
    """Return the fields that are given as files (`secret_file`); a relative path begins at the TOML file."""
    found = {}
    for field in fields:
        named = f"{field}_file"
        if named not in table:
            continue
        if field in table:
            raise _Wrong(named, None, f"give either {field} or {named}")
        try:
            found[field] = (folder / _text(table, named)).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise _Wrong(named, table[named], "cannot be read: name a readable text file") from None
    return found


def _target(kind: str, table: Table, *, private: bool) -> Target:
    if kind == "webhook":
        return Webhook(_url(table, "url", private=private), _signing(table))
    if kind == "email":
        return _email(table, private=private)
    if kind == "zoho_desk_task":
        return _zoho(table, private=private)
    return Chat("teams" if kind == "teams" else "slack", SecretStr(_url(table, "url", private=private, hidden=True)))


def _email(table: Table, *, private: bool) -> Email:
    security = table.get("security", "starttls")
    if security not in ("tls", "starttls", "none"):
        raise _Wrong("security", security, "write tls, starttls or none")
    user, password = _text(table, "user", ""), _text(table, "password", "")
    if security == "none" and not private:
        raise _Wrong("security", security, "mail would go unencrypted: only with NOTIFY_ALLOW_PRIVATE=true")
    if bool(user) != bool(password):
        raise _Wrong("user", user, "give user and password, or neither")
    to = table.get("to")
    if not isinstance(to, list) or not to or not all(_is_address(each) for each in to):
        raise _Wrong("to", to, 'write a list of addresses, such as to = ["support@example.com"]')
    sender = _text(table, "sender")
    if not _is_address(sender):
        raise _Wrong("sender", sender, "write an address, such as receipts@example.com")
    port = _number(table, "port", {"tls": 465, "starttls": 587, "none": 25}[security], 1, 65535)
    return Email(_text(table, "host"), port, security, user, SecretStr(password), sender, tuple(to))


def _is_address(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", value) is not None


def _zoho(table: Table, *, private: bool) -> ZohoDeskTask:
    return ZohoDeskTask(
        url=_url({"url": "https://desk.zoho.com", **table}, "url", private=private).rstrip("/"),
        accounts_url=_url(
            {"accounts_url": "https://accounts.zoho.com", **table}, "accounts_url", private=private
        ).rstrip("/"),
        org_id=_text(table, "org_id"),
        department_id=_text(table, "department_id"),
        client_id=_text(table, "client_id"),
        client_secret=SecretStr(_text(table, "client_secret")),
        refresh_token=SecretStr(_text(table, "refresh_token")),
        owner_id=_text(table, "owner_id", ""),
        priority=_text(table, "priority", "High"),
        category=_text(table, "category", ""),
    )


def _limits(table: Table, kind: str) -> Limits:
    usual = Limits()
    # A task that is done needs no second one that says so.
    states = _texts(table, "states", {"open"} if kind == "zoho_desk_task" else STATES)
    if not states or not states <= set(STATES):
        raise _Wrong("states", table["states"], 'write ["open"], ["resolved"] or both')
    return Limits(
        rules=_texts(table, "rules", ()),
        orgs=_texts(table, "orgs", ()),
        states=states,
        per_minute=_number(table, "per_minute", usual.per_minute, 1, 6000),
        digest_within=_seconds(table, "digest_within", usual.digest_within, 600),
        digest_max=_number(table, "digest_max", usual.digest_max, 1, MAX_ALERTS),
        timeout=_seconds(table, "timeout", usual.timeout, 300),
        give_up_after=_seconds(table, "give_up_after", usual.give_up_after, 7 * 86_400),
        probe_every=_seconds(table, "probe_every", usual.probe_every, 7 * 86_400),
    )


# --- fields ---------------------------------------------------------------------------------------------------------


def _only(table: Mapping[str, Any], known: Collection[str]) -> None:
    for field in table:
        if field not in known:
            close = difflib.get_close_matches(field, known, 1)
            meant = f" (do you mean {close[0]}?)" if close else ""
            raise _Wrong(field, None, f"is no key here{meant}; known are {', '.join(known)}")


def _text(table: Table, field: str, default: str | None = None) -> str:
    value = table.get(field, default)
    if value is None:
        raise _Wrong(field, None, "is missing")
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or (not value and default is None) or re.search(r"[\x00-\x1f\x7f]", value):
        raise _Wrong(field, None, "write a text on one line")
    return value


def _texts(table: Table, field: str, default: Collection[str]) -> frozenset[str]:
    value = table.get(field, list(default))
    if not isinstance(value, list) or not all(type(each) in (str, int) for each in value):
        raise _Wrong(field, value, f'write a list of texts, such as {field} = ["a", "b"]')
    return frozenset(map(str, value))


def _number(table: Table, field: str, default: int, least: int, most: int) -> int:
    value = table.get(field, default)
    if type(value) is not int or not least <= value <= most:
        raise _Wrong(field, value, f"write a whole number from {least} to {most}")
    return value


def _seconds(table: Table, field: str, default: float, most: float) -> float:
    value = table.get(field)
    if value is None:
        return default
    try:
        parsed = parse_duration(value)
    except (ValueError, OverflowError):
        parsed = None
    if not isinstance(parsed, timedelta) or not 0 <= parsed.total_seconds() <= most:
        raise _Wrong(field, value, f'write a number and a unit as text, such as "30s", at most {most:.0f}s')
    return parsed.total_seconds()


def _url(table: Table, field: str, *, private: bool, hidden: bool = False) -> str:
    value = _text(table, field)
    shown = None if hidden else value
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _Wrong(field, shown, "is no URL: write one such as https://example.com/alerts") from None
    if parts.scheme not in ("http", "https") or not host or not value.isascii() or " " in value:
        raise _Wrong(field, shown, "is no URL: write one such as https://example.com/alerts")
    if parts.username is not None or parts.password is not None:
        raise _Wrong(field, None, "carries a name or password: a receiver knows us by the signature")
    if parts.scheme == "http" and not private:
        raise _Wrong(field, shown, "write https; http is for private networks, with NOTIFY_ALLOW_PRIVATE=true")
    return value


def _signing(table: Table) -> tuple[SecretStr, ...]:
    if not table.get("secret"):
        raise _Wrong("secret", None, f"is missing; {_MADE_SO}")
    secrets = [_text(table, field) for field in ("secret", "old_secret") if field in table]
    for secret in secrets:
        try:
            key = base64.b64decode(secret.removeprefix("whsec_") + "==", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) < 16:  # noqa: PLR2004 -- bytes; shorter ones can be guessed
            raise _Wrong("secret", None, f"is not base64 of 16 bytes or more; {_MADE_SO}")
    return tuple(map(SecretStr, secrets))
