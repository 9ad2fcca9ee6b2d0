"""What the project and its users need of a ClickHouse, held against the sandbox's engine and a server alike."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import clickhouse_connect
import cramjam
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

DATABASE = "contract"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


@pytest.fixture
def client(any_warehouse: str) -> Iterator[Client]:
    made = clickhouse_connect.get_client(dsn=any_warehouse)
    made.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    made.command(f"DROP TABLE IF EXISTS {DATABASE}.t SYNC")
    made.command(
        f"CREATE TABLE {DATABASE}.t (id UInt64, name String, at DateTime64(3, 'UTC')) ENGINE = ReplacingMergeTree"
        " ORDER BY id SETTINGS non_replicated_deduplication_window = 100"
    )
    yield made
    made.close()


def _http(url: str, body: bytes | None = None, headers: dict[str, str] | None = None, **parameters: str) -> Any:
    """Send a statement as any HTTP client does; return the answer, an error's included."""
    asked = urllib.request.Request(f"{url}/?{urlencode(parameters)}", data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(asked) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


@pytest.mark.parametrize("compress", ["false", "lz4", "zstd", "gzip"])
def test_rows_in_and_out(any_warehouse: str, client: Client, compress: str) -> None:
    """Rows go in and come back equal in every compression that clients negotiate."""
    squeezed = clickhouse_connect.get_client(dsn=any_warehouse, compress=compress)
    rows = [(i, f"name {i} 'ß\t", MOMENT) for i in range(1000)]
    summary = squeezed.insert("t", rows, column_names=["id", "name", "at"], database=DATABASE)
    assert summary.written_rows == 1000
    assert squeezed.query(f"SELECT * FROM {DATABASE}.t ORDER BY id").result_rows == [
        (number, name, at.replace(tzinfo=None)) for number, name, at in rows
    ]
    squeezed.close()


def test_raw_rows_pass_through(client: Client) -> None:
    """JSONEachRow bytes go in as they are, plain or compressed, with settings of the insert."""
    line = b'{"id":18446744073709551615,"name":"a","at":"2026-11-23T10:00:00.123Z"}\n'
    settings = {"async_insert": 0, "date_time_input_format": "best_effort"}
    client.raw_insert(f"{DATABASE}.t", insert_block=line, fmt="JSONEachRow", settings=settings)
    client.raw_insert(
        f"{DATABASE}.t",
        insert_block=bytes(cramjam.lz4.compress(line.replace(b'"a"', b'"b"'))),
        fmt="JSONEachRow",
        settings=settings,
        compression="lz4",
    )
    found = client.query(f"SELECT id, name, toString(at) FROM {DATABASE}.t ORDER BY name").result_rows
    assert found == [(18446744073709551615, name, "2026-11-23 10:00:00.123") for name in ("a", "b")]


def test_an_insert_token_makes_a_repeat_harmless(client: Client) -> None:
    """The same token twice stores the rows once; another token stores them again."""
    for token in ("a-0-9", "a-0-9", "a-10-19"):
        client.raw_insert(
            f"{DATABASE}.t",
            insert_block=b'{"id":1,"name":"a"}\n',
            fmt="JSONEachRow",
            settings={"async_insert": 0, "insert_deduplication_token": token},
        )
    assert client.command(f"SELECT count() FROM {DATABASE}.t") == 2


def test_a_refused_row_stores_nothing(client: Client) -> None:
    """A row that cannot be read fails the whole insert, with ClickHouse's own code."""
    with pytest.raises(DatabaseError) as caught:
        client.raw_insert(f"{DATABASE}.t", insert_block=b'{"id":1}\n{"id":"x"}\n', fmt="JSONEachRow")
    assert caught.value.code in (27, 117)
    assert client.command(f"SELECT count() FROM {DATABASE}.t") == 0


def test_parameters(client: Client) -> None:
    """Parameters of every kind arrive as they were sent."""
    given = {"s": "a'b\t\\n\n", "i": 2**63, "l": ["x", "y'"], "n": None, "t": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
    query = "SELECT {s:String}, {i:UInt64}, {l:Array(String)}, {n:Nullable(String)}, {t:DateTime('UTC')}"
    (row,) = client.query(query, parameters=given).result_rows
    assert row[:4] == (given["s"], given["i"], given["l"], None)
    assert row[4].replace(tzinfo=UTC) == given["t"]


def test_parameters_in_a_form(any_warehouse: str) -> None:
    """A client may send long parameters as a form."""
    client = clickhouse_connect.get_client(dsn=any_warehouse, form_encode_query_params=True)
    long = "x" * 100_000
    assert client.query("SELECT length({s:String})", parameters={"s": long}).result_rows == [(100_000,)]
    client.close()


def test_arrow(client: Client) -> None:
    """Results come as Arrow tables, and Arrow tables go in."""
    table = client.query_arrow("SELECT number AS id, toString(number) AS name FROM numbers(10)", use_strings=True)
    assert table.column("name").to_pylist()[9] == "9"
    client.insert_arrow("t", table, database=DATABASE)
    assert client.command(f"SELECT sum(id) FROM {DATABASE}.t") == 45


def test_errors_carry_code_and_status(any_warehouse: str, client: Client) -> None:
    """An error has ClickHouse's status, its code as a header, and its text as the body."""
    cases = {"SELECT * FROM nowhere": (404, 60), "SELEC": (400, 62), "SELECT throwIf(1)": (500, 395)}
    for statement, (status, code) in cases.items():
        answered, headers, body = _http(any_warehouse, statement.encode())
        assert (answered, headers["X-ClickHouse-Exception-Code"]) == (status, str(code)), statement
        assert body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert _http(any_warehouse, b"SELECT 1", nosuchsetting="1")[0] == 404
    assert _http(any_warehouse, b"SELECT 1", database="nowhere")[0] == 404
    assert _http(any_warehouse, b"SELECT 1; SELECT 2")[0] == 400


def test_settings_end_with_their_request(any_warehouse: str, client: Client) -> None:
    """A setting, a database or a parameter of one request is unknown to the next."""
    _, _, body = _http(
        any_warehouse, b"SELECT getSetting('max_threads'), currentDatabase()", max_threads="3", database="system"
    )
    assert body == b"3\tsystem\n"
    for _ in range(20):
        _, _, body = _http(any_warehouse, b"SELECT getSetting('max_threads') = 3, currentDatabase()")
        assert body in {b"0\tdefault\n", b"false\tdefault\n"}
    assert _http(any_warehouse, b"SELECT {x:String}")[0] != 200


def test_get_only_reads(any_warehouse: str, client: Client) -> None:
    """GET answers a query and changes nothing."""
    assert _http(any_warehouse, query="SELECT 1")[2] == b"1\n"
    status, headers, _ = _http(any_warehouse, query=f"DROP TABLE {DATABASE}.t")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "164")


def test_query_and_data_in_every_place(any_warehouse: str, client: Client) -> None:
    """The statement may be in the URL, in the body, or half in each; an insert's rows follow it."""
    insert = f"INSERT INTO {DATABASE}.t (id, name) FORMAT CSV"
    _http(any_warehouse, b'1,"a"\n', query=insert)
    _http(any_warehouse, insert.encode() + b'\n2,"b"\n')
    _http(any_warehouse, gzip.compress(b'3,"c"\n'), {"Content-Encoding": "gzip"}, query=insert)
    _http(any_warehouse, b"(4, 'd'), (5, 'e\xff')", query=f"INSERT INTO {DATABASE}.t (id, name) VALUES")
    _http(any_warehouse, f"INSERT INTO {DATABASE}.t (id, name) SELECT 6, 'f FORMAT CSV'".encode())
    assert _http(any_warehouse, f"FROM {DATABASE}.t".encode(), query="SELECT sum(id)")[2] == b"21\n"


def test_answer_headers(any_warehouse: str, client: Client) -> None:
    """An answer names its format, time zone and query, and sums up what was read and written."""
    _, headers, body = _http(
        any_warehouse, b"SELECT 1 AS a FORMAT JSONEachRow", query_id="my-query", wait_end_of_query="1"
    )
    assert body == b'{"a":1}\n'
    assert headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert headers["X-ClickHouse-Query-Id"] == "my-query"
    assert headers["X-ClickHouse-Timezone"] == "UTC"
    assert '"written_rows":"0"' in headers["X-ClickHouse-Summary"]
    assert _http(any_warehouse, b"SELECT 1 AS a", default_format="JSONEachRow")[2] == body
    assert _http(any_warehouse, b"SELECT 1 AS a", {"X-ClickHouse-Format": "JSONEachRow"})[2] == body


def test_curl(any_warehouse: str) -> None:
    """The lines of ClickHouse's own documentation work with curl."""

    def curl(*arguments: str) -> str:
        return subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True, check=True).stdout

    assert curl(f"{any_warehouse}/ping") == "Ok.\n"
    assert curl(any_warehouse) == "Ok.\n"
    assert curl(f"{any_warehouse}/?query=SELECT%201") == "1\n"
    assert curl(any_warehouse, "-d", "SELECT 2") == "2\n"
    assert curl("--compressed", f"{any_warehouse}/?enable_http_compression=1", "-d", "SELECT 3") == "3\n"


async def test_async_clients_run_side_by_side(any_warehouse: str) -> None:
    """Statements of one client run at the same time, not one after the other."""
    async with await clickhouse_connect.get_async_client(dsn=any_warehouse) as client:
        seen = await asyncio.gather(
            *(client.query("SELECT sleep(0.3), (SELECT count() FROM system.processes)") for _ in range(4))
        )
    assert max(result.result_rows[0][1] for result in seen) > 1
