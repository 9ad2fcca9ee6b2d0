"""Traces: what a request that is sampled leaves behind, and that nothing of it is there when they are off."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from core.settings import parse
from core.tracing import MOST_LINKS, TRACEPARENT, Tracer, tracing
from processors.traced import TracedStep, traced
from sinks.batch import Batch, Load
from sinks.traced import TracedWriter
from tests.ingest.conftest import Serve
from tests.ingest.kafka import Reader
from tests.stack import until

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
OTHER = f"00-{'ab' * 16}-b7ad6b7169203331-01"
EVENT = b'[{"eventType":"New","orgId":"1"},{"eventType":"New","orgId":"1"}]'


class Written:
    """A tracer, and the spans that it has written."""

    def __init__(self, **options: Any) -> None:
        provider = TracerProvider(shutdown_on_exit=False, **options)
        self._exporter = InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = Tracer(provider)

    @property
    def spans(self) -> list[Any]:
        return list(self._exporter.get_finished_spans())


def record(*traces: str) -> Any:
    return SimpleNamespace(headers=[("org", b"1"), *((TRACEPARENT, trace.encode()) for trace in traces)])


def test_a_request_goes_on_in_the_trace_of_its_sender() -> None:
    written = Written()
    with written.tracer.request("POST", {TRACEPARENT: PARENT}) as span:
        carried = span.traceparent.decode()
    (made,) = written.spans
    assert carried == f"00-{TRACE}-{made.context.span_id:016x}-01"
    assert f"{made.parent.span_id:016x}" == "b7ad6b7169203331"


def test_a_request_that_is_not_sampled_carries_nothing() -> None:
    written = Written(sampler=ParentBased(ALWAYS_OFF))
    with written.tracer.request("POST", {}) as span:
        assert span.traceparent == b""
    assert written.spans == []


def test_a_batch_links_to_every_trace_once() -> None:
    written = Written()
    with written.tracer.batch("process", [record(), record(PARENT), record(OTHER), record(PARENT)], {"n": 4}):
        pass
    (made,) = written.spans
    assert [f"{link.context.trace_id:032x}" for link in made.links] == [TRACE, "ab" * 16]
    assert f"{made.context.trace_id:032x}" == TRACE
    assert dict(made.attributes) == {"messaging.system": "kafka", "n": 4}


def test_a_batch_of_many_traces_links_to_some() -> None:
    written = Written()
    with written.tracer.batch("process", [record(f"00-{n + 1:032x}-{n + 1:016x}-01") for n in range(100)], {}):
        pass
    assert len(written.spans[0].links) == MOST_LINKS


@pytest.mark.parametrize("traces", [(), ("nonsense",), ("\udcff".encode(errors="replace").decode(),)])
def test_a_batch_without_traces_writes_no_span(traces: tuple[str, ...]) -> None:
    written = Written()
    with written.tracer.batch("process", [record(*traces)], {}):
        pass
    assert written.spans == []


def test_a_step_decides_within_a_span() -> None:
    written, seen = Written(), []
    inner: Any = SimpleNamespace(
        process=lambda records, outbox: seen.append((records, outbox)),
        checkpoint=seen.append,
        written=list,
        wants_checkpoint=bool,
        committed=min,
        rewrite=max,
    )
    step: Any = traced(inner, written.tracer, "im.events.raw", 3)
    assert isinstance(step, TracedStep)
    records: list[Any] = [record(PARENT)]
    outbox: Any = "outbox"
    step.process(records, outbox)
    step.checkpoint(outbox)
    assert seen == [(records, "outbox"), "outbox"]
    (made,) = written.spans
    assert made.name == "process im.events.raw"
    assert made.attributes["messaging.destination.partition.id"] == "3"
    assert traced(inner, None, "im.events.raw", 3) is inner


async def test_an_insert_is_a_span() -> None:
    inserted = []

    class ClickHouse:
        async def insert(self, table: str, lines: bytes, **_: object) -> None:
            inserted.append((table, lines))

    written = Written()
    clickhouse: Any = ClickHouse()
    parking: Any = None
    only: Any = SimpleNamespace(offset=5, headers=[(TRACEPARENT, PARENT.encode())])
    batch = Batch("im.events.raw", 1, [only], [b"{}"], [], 5, 5)
    await TracedWriter(clickhouse, parking, written.tracer).write(Load((batch,)))
    assert [lines for _, lines in inserted] == [b"{}"]
    assert written.spans[0].attributes["messaging.batch.message_count"] == 1


@contextmanager
def collecting() -> Iterator[tuple[str, list[Any]]]:
    """Run a collector of OTLP; yields its URL and the spans that it gets."""
    got: list[Any] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            for resource in sent.resource_spans:
                names = {each.key: each.value.string_value for each in resource.resource.attributes}
                got.extend((names["service.name"], span) for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()


@pytest.mark.stack
async def test_records_of_a_sampled_request_bear_its_trace_and_a_collector_gets_the_span(
    serve: Serve, raw: Reader
) -> None:
    with collecting() as (url, got):
        async with serve(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_TRACES_SAMPLER_ARG="0") as client:
            assert (await client.post(EVENT, traceparent=PARENT))[0] == 200
            assert (await client.post(EVENT))[0] == 200
            assert (await client.post(b"[", traceparent=PARENT))[0] == 400
        until(lambda: len(got) == 2, what="two spans")
        (service, first), (_, second) = got
    assert service == "receiptstream-ingest"
    assert first.trace_id.hex() == second.trace_id.hex() == TRACE
    told = {each.key: each.value for each in first.attributes}
    assert told["http.response.status_code"].int_value == 200
    assert "secret" not in str(first)
    carried = [dict(each.headers).get(TRACEPARENT) for each in await raw.read()]
    assert carried == [f"00-{TRACE}-{first.span_id.hex()}-01".encode()] * 2 + [None] * 2


def test_off_nothing_of_opentelemetry_is_loaded() -> None:
    with tracing(parse({}), "ingest") as tracer:
        assert tracer is None
    code = "import sys, ingest.main, processors.main, sinks.main; print('opentelemetry.sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
