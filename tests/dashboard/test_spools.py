"""The ingresses' spools, as far as they are known."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from core.settings import parse
from dashboard import spools
from dashboard.answers import Spool


def exposition(size: float, oldest: float, *, kafka: float | None = 1) -> str:
    registry = CollectorRegistry()
    told = {"receipts_ingest_spool_bytes": size, "receipts_ingest_spool_oldest_timestamp_seconds": oldest}
    if kafka is not None:
        told["receipts_ingest_kafka_available"] = kafka
    for name, value in told.items():
        Gauge(name, "-", registry=registry).set(value)
    Gauge("receipts_ingest_other", "-", ["org"], registry=registry).labels('"\\\n}').set(3)
    return generate_latest(registry).decode()


def test_what_waits_and_since_when() -> None:
    found = spools.read("a:1", exposition(3e9, 1_760_000_000.25, kafka=0))
    assert found == Spool("a:1", "", 3_000_000_000, "2025-10-09T08:53:20.250Z", kafka_available=False)


def test_an_empty_spool_has_no_oldest() -> None:
    assert spools.read("a:1", exposition(0, 0, kafka=None)) == Spool("a:1", "", 0, None, kafka_available=None)


def test_urls_come_from_a_list() -> None:
    given = "http://10.0.0.5:8080/, https://b.example"
    assert parse({"DASHBOARD_INGEST_URLS": given}).dashboard_ingest_urls == (
        "http://10.0.0.5:8080",
        "https://b.example",
    )


async def test_who_does_not_tell_is_unknown_and_the_rest_is_told() -> None:
    answers = {
        "good": web.Response(text=exposition(5, 0)),
        "another": web.Response(text="x 1\n"),
        "broken": web.Response(text="receipts_ingest_spool_bytes five\n"),
        "binary": web.Response(body=b"\xff\xfe", content_type="text/plain"),
    }

    async def metrics(request: web.Request) -> web.Response:
        return answers.get(request.match_info["kind"]) or web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{kind}/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        urls = [f"http://user:word@127.0.0.1:{port}/{kind}" for kind in (*answers, "none")]
        good, *others = await spools.ask([*urls, "http://127.0.0.1:1"])
    finally:
        await runner.cleanup()
    assert (good.bytes, good.problem) == (5, "")
    assert all(each.bytes is None and each.problem for each in others)
    assert {each.address for each in (good, *others)} == {f"127.0.0.1:{port}", "127.0.0.1:1"}
