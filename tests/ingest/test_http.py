"""The contract's table of requests and answers, against a real Kafka."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import orjson
import pytest

from core.kafka import partition_of
from ingest import protocol, reading
from ingest.server import ELEMENT_BYTES
from schemas import topics
from tests.ingest.conftest import SECRET, Client, Serve
from tests.ingest.kafka import Reader
from tests.ingest.waiting import until

pytestmark = pytest.mark.stack

SAMPLE = (Path(__file__).parents[2] / "schemas" / "examples" / "zoho_sample.json").read_bytes()
NOTHING = (200, {"accepted": 0, "parked": 0})


def event(message: int = 1, org: str = "1") -> bytes:
    return orjson.dumps(
        {
            "eventType": "IM_Message_Status",
            "orgId": org,
            "payload": {"messageId": message, "messageNewStatus": {"status": "SENT"}},
        }
    )


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[Client]:
    async with serve() as client:
        yield client


async def test_the_sample_becomes_one_record_with_its_exact_text(client: Client, raw: Reader) -> None:
    assert await client.post(SAMPLE) == (200, {"accepted": 1, "parked": 0})
    (record,) = await raw.read()
    assert record.value == SAMPLE.strip()[1:-1]
    assert record.key == b"50007000000006017"
    assert record.partition == partition_of(record.key, 4)
    headers = dict(record.headers)
    assert list(headers) == ["org", "type", "received", "delivery", "source"]
    assert headers["org"] == b"106553778"
    assert headers["type"] == b"IM_Message_Status"
    assert headers["source"] == b"webhook"
    assert int(headers["received"]) == record.timestamp
    assert headers["delivery"]


async def test_records_of_one_request_share_its_delivery_id_and_those_of_two_do_not(
    client: Client, raw: Reader
) -> None:
    body = b"[" + b",".join(event(number) for number in range(10)) + b"]"
    for _ in range(2):
        assert (await client.post(body))[0] == 200
    ids = [dict(record.headers)["delivery"] for record in await raw.read()]
    assert sorted(map(ids.count, set(ids))) == [10, 10]


async def test_simulated_traffic_says_so(client: Client, raw: Reader) -> None:
    await client.post(SAMPLE, User_Agent="receiptstream-simulator")
    (record,) = await raw.read()
    assert dict(record.headers)["source"] == b"simulator"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_zoho_may_look_whether_the_webhook_is_there(client: Client, method: str, raw: Reader) -> None:
    status, body = await client.call(method)
    assert status == 200
    assert body in (None, NOTHING[1])
    assert await raw.read() == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b" \n", b"\xef\xbb\xbf", b"%7B%7D", b"%7B%7D="])
async def test_the_setup_check_publishes_nothing(client: Client, body: bytes, raw: Reader, dead: Reader) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded", "nonsense"):
        assert await client.post(body, Content_Type=kind) == NOTHING
    assert await raw.read() == []
    assert await dead.read() == []


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "x"])
async def test_events_are_taken_whatever_the_content_type(client: Client, kind: str) -> None:
    assert await client.post(SAMPLE, Content_Type=kind) == (200, {"accepted": 1, "parked": 0})


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(SAMPLE)),
        ("GZIP", gzip.compress(SAMPLE)),
        ("deflate", zlib.compress(SAMPLE)),
        ("identity", SAMPLE),
    ],
)
async def test_known_encodings_are_undone(client: Client, encoding: str, data: bytes, raw: Reader) -> None:
    assert await client.post(data, Content_Encoding=encoding) == (200, {"accepted": 1, "parked": 0})
    (record,) = await raw.read()
    assert record.value == SAMPLE.strip()[1:-1]


async def test_bad_elements_are_parked_and_the_rest_is_accepted(client: Client, raw: Reader, dead: Reader) -> None:
    body = b'[17, {"a" : 1.0}, ' + event() + b', {"eventType":"Never_Heard_Of","orgId":5}]'
    assert await client.post(body) == (200, {"accepted": 2, "parked": 2})
    assert len(await raw.read()) == 2
    letters = {record.value: record for record in await dead.read()}
    assert letters.keys() == {b"17", b'{"a" : 1.0}'}
    letter = letters[b'{"a" : 1.0}']
    headers = dict(letter.headers)
    assert tuple(headers) == topics.DEAD_HEADERS
    assert headers["stage"] == b"ingress"
    assert headers["reason"] == b"no_event_type"
    assert headers["detail"]
    assert headers["topic"] == headers["partition"] == headers["offset"] == b""
    assert int(headers["failed_at"]) == letter.timestamp
    assert letter.key is None


@pytest.mark.parametrize("body", [b"nope", b"[NaN]", b'["\\ud800"]', b'["\xff"]', b"[" * 129 + b"]" * 129, b"\x00"])
async def test_a_body_that_is_no_json_is_parked_whole(client: Client, body: bytes, raw: Reader, dead: Reader) -> None:
    status, answer = await client.post(body)
    assert status == 400
    assert answer["error"]["code"] in ("not_json", "too_deep", "invalid_utf8")
    assert [record.value for record in await dead.read()] == [body]
    assert await raw.read() == []


async def test_a_body_that_cannot_be_decompressed_is_parked_as_it_came(client: Client, dead: Reader) -> None:
    status, answer = await client.post(b"not gzip", Content_Encoding="gzip")
    assert (status, answer["error"]["code"]) == (400, "broken_encoding")
    assert [record.value for record in await dead.read()] == [b"not gzip"]


async def test_a_wrong_or_missing_secret_keeps_nothing(client: Client, raw: Reader, dead: Reader) -> None:
    for tail in ("", "/", "/wrong", f"/{SECRET}x", f"/{SECRET}/"):
        for method in ("GET", "POST", "PUT"):
            url = f"{client.root}/webhooks/zoho-desk{tail}"
            status, answer = await client.call(method, url, data=b"nope")
            assert (status, answer["error"]["code"]) == (404, "not_found")
    assert await raw.read() == []
    assert await dead.read() == []


async def test_without_secrets_the_bare_path_takes_events(serve: Serve) -> None:
    async with serve(INGEST_PATH_SECRETS="") as client:
        url = client.root + "/webhooks/zoho-desk"
        assert await client.call("POST", url, data=SAMPLE) == (200, {"accepted": 1, "parked": 0})
        assert (await client.call("POST", url + "/x", data=SAMPLE))[0] == 404


async def test_a_secret_can_be_rotated(serve: Serve) -> None:
    async with serve(INGEST_PATH_SECRETS="old, new") as client:
        for secret in ("old", "new"):
            url = f"{client.root}/webhooks/zoho-desk/{secret}"
            assert (await client.call("POST", url, data=SAMPLE))[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
async def test_other_methods_are_refused(client: Client, method: str) -> None:
    assert (await client.call(method))[0] == 405
    assert (await client.call(method, client.root + "/healthz"))[0] == 405


async def test_a_body_over_the_limit_is_refused_in_every_way_it_may_come(serve: Serve, raw: Reader) -> None:
    async def chunks(size: int) -> AsyncIterator[bytes]:
        for at in range(0, size, 1000):
            yield b" " * min(1000, size - at)

    async with serve(INGEST_MAX_BODY_BYTES="4096") as client:
        padded = SAMPLE + b" " * (4096 - len(SAMPLE))
        assert (await client.post(padded))[0] == 200
        assert (await client.post(gzip.compress(padded), Content_Encoding="gzip"))[0] == 200
        assert (await client.call("POST", data=chunks(4096)))[0] == 200
        for status, answer in (
            await client.post(padded + b" "),
            await client.post(gzip.compress(padded + b" "), Content_Encoding="gzip"),
            await client.call("POST", data=chunks(4097)),
        ):
            assert (status, answer["error"]["code"]) == (413, "body_too_large")
    assert len(await raw.read()) == 2


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "x"])
async def test_other_encodings_are_refused(client: Client, encoding: str, dead: Reader) -> None:
    status, answer = await client.post(b"nope", Content_Encoding=encoding)
    assert (status, answer["error"]["code"]) == (415, "unsupported_encoding")
    assert await dead.read() == []


async def test_checks_come_in_the_order_404_405_413_415_400(serve: Serve) -> None:
    async with serve(INGEST_MAX_BODY_BYTES="1024") as client:
        large = b"x" * 1025
        wrong = client.root + "/webhooks/zoho-desk/wrong"
        br = {"Content-Encoding": "br"}
        assert (await client.call("PUT", wrong, data=large, headers=br))[0] == 404
        assert (await client.call("PUT", data=large, headers=br))[0] == 405
        assert (await client.call("POST", data=large, headers=br))[0] == 413
        assert (await client.call("POST", data=b"x", headers=br))[0] == 415
        assert (await client.call("POST", data=b"x"))[0] == 400


async def test_too_many_requests_or_bytes_in_flight_are_told_to_come_back(serve: Serve) -> None:
    async with serve(INGEST_MAX_IN_FLIGHT_REQUESTS="1") as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(f"POST /webhooks/zoho-desk/{SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n".encode())

        async def refused() -> bool:
            return (await client.post(SAMPLE))[0] == 429

        await until(refused)  # the server has read the first request's headers
        async with aiohttp.request("POST", client.url, data=SAMPLE) as response:
            assert response.status == 429
            assert int(response.headers["Retry-After"]) > 0
        writer.write(b"{}")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()
        assert (await client.post(SAMPLE))[0] == 200


async def test_elements_weigh_something_however_short_they_are(serve: Serve) -> None:
    most = 2**20 // ELEMENT_BYTES
    async with serve(INGEST_MAX_IN_FLIGHT_BYTES=str(2**20)) as client:
        assert await client.post(b"[" + b",".join([b"1"] * most) + b"]") == (200, {"accepted": 0, "parked": most})
        status, answer = await client.post(b"[" + b",".join([b"1"] * (most + 1)) + b"]")
        assert (status, answer["error"]["code"]) == (413, "body_too_large")


async def test_slow_headers_and_slow_bodies_are_cut_off(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADERS_TIMEOUT_S", 0.2)
    monkeypatch.setattr(reading, "BODY_TIMEOUT_S", 0.2)
    head = f"POST /webhooks/zoho-desk/{SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n".encode()
    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for sent, code in ((b"", b"headers_timeout"), (head, b"headers_timeout"), (head + b"\r\n[", b"body_timeout")):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 408")
        assert code in answer
        writer.close()
        await writer.wait_closed()
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(whole)
    assert b"alive" in await reader.readuntil(b"}")
    writer.write(head)
    assert b" 408 " in await asyncio.wait_for(reader.read(), 20)
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_ends_early_harms_nobody(client: Client, raw: Reader) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"POST /webhooks/zoho-desk/{SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n".encode())
    writer.write(SAMPLE)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await client.post(SAMPLE))[0] == 200
    assert len(await raw.read()) == 1


async def test_a_client_that_asks_first_is_told_to_go_on(client: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    head = f"POST /webhooks/zoho-desk/{SECRET} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    writer.write(f"{head}Content-Length: {len(SAMPLE)}\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(SAMPLE)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "request_line",
    [
        f"POST /webhooks/zoho-desk/{SECRET} HTTP/9.9",
        f"POST /webhooks/zoho-desk/{SECRET} and more HTTP/1.1",
        f"P<>ST /webhooks/zoho-desk/{SECRET} HTTP/1.1",
        f"POST /webhooks/zoho-desk/{SECRET}\x00 HTTP/1.1",
        f"POST /webhooks/zoho-desk/{SECRET}{'x' * 20_000} HTTP/1.1",
        f"POST /webhooks/zoho-desk/{SECRET} HTTP/1.1\r\nBad Header {SECRET}",
        f"POST /webhooks/zoho-desk/{SECRET} HTTP/1.1\r\nContent-Length: x",
        f"POST /webhooks/zoho-desk/{SECRET} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{SECRET}",
    ],
)
async def test_neither_answer_nor_log_repeats_what_could_not_be_parsed(
    client: Client, request_line: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(request_line.encode() + b"\r\nHost: x\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 20)
    assert answer.split()[1] in (b"400", b"405")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/json" in head
    assert orjson.loads(body)["error"]["code"] in ("bad_request", "broken_body", "method_not_allowed")
    writer.close()
    await writer.wait_closed()
    out, err = capsys.readouterr()
    assert SECRET not in answer.decode() + caplog.text + out + err


async def test_the_log_of_good_requests_has_no_path(
    client: Client, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    for body in (SAMPLE, b"nope", b"[1]"):
        await client.post(body)
    out, err = capsys.readouterr()
    text = caplog.text + out + err
    assert "accepted" in text
    assert SECRET not in text
    assert "50007000000006017" not in text


async def test_operators_see_health_readiness_and_metrics(client: Client) -> None:
    assert await client.call("GET", client.root + "/healthz") == (200, {"status": "alive"})
    status, readiness = await client.call("GET", client.root + "/readyz?verbose")
    assert (status, readiness["ready"]) == (200, True)
    await client.post(SAMPLE)
    async with aiohttp.request("GET", client.root + "/metrics") as response:
        text = await response.text()
    assert 'receipts_ingest_events_total{org="106553778",result="accepted"}' in text


async def test_an_element_larger_than_a_batch_is_stored_with_its_neighbours(client: Client, raw: Reader) -> None:
    large = orjson.dumps({"eventType": "New", "orgId": "1", "x": "y" * 3_000_000})
    body = b"[" + b",".join([event(1), large, event(2), large, event(3)]) + b"]"
    assert await client.post(body) == (200, {"accepted": 5, "parked": 0})
    values = [record.value for record in await raw.read()]
    assert sorted(values) == sorted([event(1), large, event(2), large, event(3)])


async def test_a_hundred_thousand_elements_arrive_once_each_in_order(client: Client, raw: Reader) -> None:
    body = b"[" + b",".join(b'{"eventType":"N","orgId":%d,"n":%d}' % (n % 7, n) for n in range(100_000)) + b"]"
    assert await client.post(body) == (200, {"accepted": 100_000, "parked": 0})
    # On a slow machine so many take the way over the spool.
    await client.until_via("kafka")
    records = await raw.read()
    by_key: dict[bytes, list[int]] = {}
    for record in records:
        by_key.setdefault(record.key, []).append(orjson.loads(record.value)["n"])
    assert by_key == {b"%d" % org: list(range(org, 100_000, 7)) for org in range(7)}


async def test_many_requests_at_once_are_all_answered_and_all_there(client: Client, raw: Reader) -> None:
    answers = await asyncio.gather(*(client.post(b"[" + event(n) + b",1]") for n in range(500)))
    assert set(map(str, answers)) == {str((200, {"accepted": 1, "parked": 1}))}
    keys = [record.key for record in await raw.read()]
    assert sorted(keys) == sorted(b"%d" % n for n in range(500))


async def test_a_request_has_one_id_in_its_records_its_refusal_and_the_log(
    client: Client, raw: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (await client.post(SAMPLE))[0] == 200
    async with aiohttp.request("POST", client.url, data=b"nope") as response:
        refused = response.headers["X-Request-Id"]
        assert "aiohttp" not in response.headers["Server"]
    (record,) = await raw.read()
    out, err = capsys.readouterr()
    logged = [line for line in (out + err).splitlines() if "request_id" in line]
    for request_id, outcome in ((dict(record.headers)["delivery"].decode(), "accepted"), (refused, "not_json")):
        assert any(request_id in line and outcome in line for line in logged)


async def test_who_comes_with_a_wrong_secret_is_counted_apart(client: Client) -> None:
    wrong = f"{client.root}/webhooks/zoho-desk/guess"
    assert (await client.call("POST", wrong, data=SAMPLE))[1]["error"]["code"] == "not_found"
    assert (await client.call("GET", client.root + "/wp-login.php"))[1]["error"]["code"] == "not_found"
    counts = await client.outcomes()
    assert counts["wrong_secret"] >= 1
    assert counts["not_found"] >= 1


async def test_of_duplicate_keys_the_last_one_counts_and_the_text_stays(client: Client, raw: Reader) -> None:
    twice = b'{"eventType":"IM_Message_Status","orgId":1,"orgId":2,"payload":{"messageId":1,"messageId":77,'
    twice += b'"messageNewStatus":{"status":"SENT","status":"READ"}}}'
    assert await client.post(b"[" + twice + b"]") == (200, {"accepted": 1, "parked": 0})
    (record,) = await raw.read()
    assert (record.key, record.value, dict(record.headers)["org"]) == (b"77", twice, b"2")
