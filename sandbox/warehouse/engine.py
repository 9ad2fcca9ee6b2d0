"""The engine: ClickHouse in this process, one connection a statement, so that no setting outlives its request."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from chdb import ChdbError
from chdb.state.sqlitelike import Connection, connect

from sandbox.warehouse import statements
from sandbox.warehouse.failures import SYNTAX_ERROR, QueryError, from_engine, refuse

_DEFAULTS = {
    "implicit_select": "0",  # as in the server: a bare expression is a syntax error
    "max_result_bytes": str(512 * 1024 * 1024),  # results are held whole: none may take the machine's memory
    "max_memory_usage": str(max(2 * 1024**3, psutil.virtual_memory().total // 4)),  # the machine runs more than this
}


@dataclass(frozen=True, slots=True)
class Request:
    """One statement: its text and the rows behind it as bytes, and what the URL says of it."""

    text: bytes
    rows: bytes | memoryview = b""
    database: str = ""
    default_format: str = "TabSeparated"
    settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A result: its bytes in `format`, and the numbers of the summary header. `elapsed` is in seconds."""

    body: bytes
    format: str
    rows_read: int = 0
    bytes_read: int = 0
    rows_written: int = 0
    bytes_written: int = 0
    elapsed: float = 0.0


class Engine:
    """ClickHouse's engine on a data directory; may be used from many threads at once."""

    def __init__(self, data: Path) -> None:
        """Open the engine, which loads every table. Raises OSError or RuntimeError."""
        data.mkdir(parents=True, exist_ok=True)
        self._path = str(data)
        self._opening = threading.Lock()
        self._keeper: Connection = connect(self._path)  # the engine lives as long as one connection does

    def run(self, request: Request) -> Answer:
        """Run one statement in the calling thread. Raises QueryError."""
        statement = statements.read(request.text)
        with self._opening:  # the library's connection count is not guarded
            connection = connect(self._path)
        try:
            _prepare(connection, request)
            if statement.kind == "data":
                return _insert(connection, request, statement)
            return _query(connection, request, statement)
        except QueryError:
            raise
        except (ChdbError, RuntimeError) as error:  # the library raises both: the text tells the code
            raise from_engine(error) from None
        finally:
            with self._opening:
                connection.close()

    def close(self) -> None:
        """Shut the engine down. Nothing is held back: it makes asynchronous inserts synchronous."""
        self._keeper.close()


def quote(text: str) -> str:
    """Return a string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _prepare(connection: Connection, request: Request) -> None:
    """Give a new connection the request's settings and database; `readonly` last, as it locks the others."""
    if request.database:
        connection.query(f"USE `{request.database.replace('`', '``')}`")
    settings = {**_DEFAULTS, **request.settings}
    if request.readonly and settings.get("readonly", "0") == "0":
        settings["readonly"] = "2"
    parts = [f"`{name}` = {quote(value)}" for name, value in settings.items() if name != "readonly"]
    parts += [f"param_{name} = {quote(value)}" for name, value in request.params.items()]
    connection.query(f"SET {', '.join(parts)}")
    if "readonly" in settings:
        connection.query(f"SET readonly = {quote(settings['readonly'])}")


def _query(connection: Connection, request: Request, statement: statements.Statement) -> Answer:
    text = _decode(request.text, request.rows)
    if connection._conn.classify_query(text)["statement_count"] > 1:  # noqa: SLF001 - the only way to ask
        raise refuse(SYNTAX_ERROR, "SYNTAX_ERROR", "Multi-statements are not allowed")
    result: Any = connection.query(text, request.default_format)
    return Answer(
        result.bytes(),
        statement.format or request.default_format,
        rows_read=result.storage_rows_read(),
        bytes_read=result.storage_bytes_read(),
        rows_written=result.rows_written(),
        bytes_written=result.bytes_written(),
        elapsed=result.elapsed(),
    )


def _insert(connection: Connection, request: Request, statement: statements.Statement) -> Answer:
    inserter: Any = connection.send_insert(_decode(request.text[: statement.head], b""), statement.format)
    try:
        for rows in (memoryview(request.text)[statement.data :], request.rows):
            if len(rows):
                inserter.append(bytes(rows))
        done = inserter.finish()
    finally:
        inserter.close()
    return Answer(b"", "", rows_written=done.rows_written, bytes_written=done.bytes_written, elapsed=done.elapsed)


def _decode(text: bytes, more: bytes | memoryview) -> str:
    try:
        return (text + bytes(more)).decode()
    except UnicodeDecodeError as error:
        raise refuse(SYNTAX_ERROR, "SYNTAX_ERROR", f"The query is not UTF-8: {error}") from None
