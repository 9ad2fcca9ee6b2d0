"""Channels as somebody lists them: from a CSV or JSON file, or from Zoho's answer, to rows. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from core.errors import ConfigError

UNKNOWN: Final = frozenset({"", "UNKNOWN"})
_ALIASES: Final = {
    "channel_id": ("channel_id", "id"),
    "org_id": ("org_id",),
    "channel_type": ("type", "channel_type", "integrationServiceType"),
    "name": ("name",),
    "account_name": ("account_name", "accountName"),
    "department_id": ("department_id", "departmentId"),
    "active": ("active", "isActive"),
}
"""The names under which a file may have each column: ours, those of the view `channels`, and Zoho's."""
_FALSE: Final = frozenset({"false", "0", "no"})
_TRUE: Final = frozenset({"true", "1", "yes", ""})


class Channel(msgspec.Struct, frozen=True, gc=False):
    """What is listed of a channel. Identity: org_id, channel_id."""

    org_id: str
    channel_id: str
    channel_type: str = ""
    """In upper case; '' when not told."""
    name: str = ""
    account_name: str = ""
    department_id: str = ""
    active: bool = True


def read(text: str, *, json: bool, org_id: str = "") -> list[Channel]:
    """Read a CSV file with a header line, or a JSON list of objects (or Zoho's answer with its `data`).

    `org_id` is the org of rows that name none. Raises ConfigError naming the row.
    """
    rows = _json_rows(text) if json else _csv_rows(text)
    found = [_channel(row, number, org_id) for number, row in enumerate(rows, start=1)]
    if not found:
        raise ConfigError("the file has no channels", fix="Write a header line and a line for each channel")
    return found


def from_zoho(data: Iterable[Mapping[str, Any]], org_id: str) -> list[Channel]:
    """Read the `data` of GET /api/v1/im/channels; what is deleted there is no more active."""
    return [
        _channel({**row, "isActive": row.get("isActive", True) and not row.get("isDeleted")}, number, org_id)
        for number, row in enumerate(data, start=1)
    ]


def _csv_rows(text: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), skipinitialspace=True)
    return [dict(row) for row in reader]


def _json_rows(text: str) -> list[dict[str, Any]]:
    try:
        found = msgspec.json.decode(text.removeprefix("\ufeff").encode())
    except msgspec.DecodeError as error:
        raise ConfigError(f"the file is no JSON: {error}") from None
    if isinstance(found, dict):
        found = found.get("data")
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ConfigError("the file is no JSON list of objects", fix='Write [{"channel_id": "…", "type": "WHATSAPP"}]')
    return found


def _channel(row: Mapping[str, Any], number: int, org_id: str) -> Channel:
    told = {field: _first(row, names) for field, names in _ALIASES.items()}
    org, channel = _text(told["org_id"]) or org_id, _text(told["channel_id"])
    if not channel:
        raise ConfigError(f"row {number} names no channel", fix="Give each a channel_id")
    if not org:
        raise ConfigError(f"row {number} (channel {channel}) names no org", fix="Add a column org_id, or give --org")
    kind = _text(told["channel_type"]).upper()
    return Channel(
        org,
        channel,
        "" if kind in UNKNOWN else kind,
        _text(told["name"]),
        _text(told["account_name"]),
        _text(told["department_id"]),
        _active(told["active"], number),
    )


def _first(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _text(value: Any) -> str:
    if isinstance(value, float):
        raise ConfigError(f"{value!r} is no id: it has lost digits", fix="Write ids as text or as integers")
    return "" if value is None else str(value).strip()


def _active(value: Any, number: int) -> bool:
    word = _text(value).lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ConfigError(f"row {number}: active is {value!r}", fix="Write true or false")
