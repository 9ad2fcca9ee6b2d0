"""From an HTTP request to the engine's: what each URL parameter and header of ClickHouse's protocol means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sandbox.warehouse import statements
from sandbox.warehouse.engine import Request
from sandbox.warehouse.failures import BAD_ARGUMENTS, NOT_IMPLEMENTED, refuse

_PROTOCOL = frozenset(
    {
        "query", "database", "default_format", "query_id", "session_id", "session_timeout", "session_check",
        "close_session", "user", "password", "quota_key", "wait_end_of_query", "compress", "decompress", "buffer_size",
        "stacktrace", "role", "client_protocol_version",
    }
)  # fmt: skip
"""Parameters that are no settings. Sessions are not kept: every request stands alone."""

# Settings that speak of the HTTP answer itself: the front honours or ignores them, the engine need not know them.
_FRONT = frozenset(
    {
        "enable_http_compression", "http_zlib_compression_level", "send_progress_in_http_headers",
        "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close", "add_http_cors_header",
    }
)  # fmt: skip


def build(pairs: Iterable[tuple[str, str]], headers: Mapping[str, str], body: bytes, *, readonly: bool) -> Request:
    """Make the engine's request of URL parameters (or form fields), headers and a decoded body.

    Raises QueryError for what the front does not serve.
    """
    given = dict(pairs)
    if given.get("compress", "0") == "1" or given.get("decompress", "0") == "1":
        raise refuse(
            NOT_IMPLEMENTED,
            "NOT_IMPLEMENTED",
            "compress=1 and decompress=1 (ClickHouse's own framing) are not served here: use Content-Encoding",
        )
    text, rows = _split(given.get("query", "").encode(), body)
    if not text.strip():
        raise refuse(BAD_ARGUMENTS, "BAD_ARGUMENTS", "No query: send it in the parameter query, or as the body")
    return Request(
        text,
        rows,
        database=given.get("database") or headers.get("X-ClickHouse-Database", ""),
        default_format=given.get("default_format") or headers.get("X-ClickHouse-Format", "TabSeparated"),
        settings=_settings(given),
        params={name[len("param_") :]: value for name, value in given.items() if name.startswith("param_")},
        readonly=readonly,
    )


def _split(query: bytes, body: bytes) -> tuple[bytes, bytes]:
    """Return the statement's text and the rows behind it: the protocol reads the parameter, a line end, the body."""
    if not query:
        return body, b""
    if not body:
        return query, b""
    if statements.read(query).kind == "data":
        return query, body
    return query + b"\n" + body, b""


def _settings(given: Mapping[str, str]) -> dict[str, str]:
    found = {
        name: value
        for name, value in given.items()
        if name not in _PROTOCOL and name not in _FRONT and not name.startswith("param_")
    }
    for name in found:
        if not re.fullmatch(r"\w+", name):
            raise refuse(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'")
    return found
