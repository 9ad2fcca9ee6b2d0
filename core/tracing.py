"""OpenTelemetry traces, off by default: a span for a webhook request, and spans of batches that link to it.

A request that is sampled passes its trace on in the header `traceparent` of its records (W3C Trace Context); one that
is not leaves no header, so that its records look as they do without traces. Off, nothing of OpenTelemetry is imported,
and the roles run the same code as if this module did not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.errors import ConfigError
from core.settings import Settings

TRACEPARENT = "traceparent"
Attributes = Mapping[str, str | int]
MOST_LINKS = 32
"""Of one batch's span: a batch holds thousands of records."""


class Span:
    """A span that is being written."""

    def __init__(self, span: Any, traceparent: bytes) -> None:
        self._span = span
        self.traceparent = traceparent
        """What records made in this span bear; empty where it is not sampled."""

    def tell(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(attributes)


class Tracer:
    """Makes the spans of one role."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry import trace  # noqa: PLC0415 -- only where traces are on
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

        self._trace = trace
        self._tracer = provider.get_tracer("receiptstream")
        self._propagator = tracecontext.TraceContextTextMapPropagator()

    @contextmanager
    def request(self, name: str, headers: Mapping[str, str]) -> Iterator[Span]:
        """Write the span of a request, within the trace that its headers name."""
        context = self._propagator.extract({TRACEPARENT: headers.get(TRACEPARENT, "")})
        kind = self._trace.SpanKind.SERVER
        # An exception's text may quote the request.
        with self._tracer.start_as_current_span(
            name, context=context, kind=kind, record_exception=False, set_status_on_exception=False
        ) as span:
            yield Span(span, self._carried(span))

    def _carried(self, span: Any) -> bytes:
        context = span.get_span_context()
        if not context.trace_flags.sampled:
            return b""
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-01".encode()

    @contextmanager
    def batch(self, name: str, records: Iterable[Any], attributes: Attributes) -> Iterator[None]:
        """Write a span of a batch that links to the requests its records came by; none where no record was sampled."""
        links = self._links(records)
        if not links:
            yield
            return
        kind = self._trace.SpanKind.CONSUMER
        with self._tracer.start_as_current_span(
            name, context=self._trace.set_span_in_context(links[0][1]), kind=kind, links=[link for link, _ in links]
        ) as span:
            span.set_attributes({"messaging.system": "kafka", **attributes})
            yield

    def _links(self, records: Iterable[Any]) -> list[tuple[Any, Any]]:
        """Return a link, and the span it leads to, for each of the first traces among the records."""
        found: dict[bytes, tuple[Any, Any]] = {}
        for record in records:
            for name, value in record.headers:
                if name == TRACEPARENT and value and value not in found:
                    context = self._propagator.extract({TRACEPARENT: value.decode(errors="replace")})
                    span = self._trace.get_current_span(context)
                    if span.get_span_context().is_valid:
                        found[value] = (self._trace.Link(span.get_span_context()), span)
            if len(found) >= MOST_LINKS:
                break
        return list(found.values())


@contextmanager
def tracing(settings: Settings, role: str) -> Iterator[Tracer | None]:
    """Yield the role's tracer, None where traces are off; what is written is sent when the context ends.

    Raises ConfigError where traces are on and OpenTelemetry is not installed.
    """
    if not settings.otel_exporter_otlp_endpoint:
        yield None
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT={settings.otel_exporter_otlp_endpoint!r}: {error}",
            fix="Install receiptstream[otel], or unset it",
        ) from None
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.otel_traces_sampler_arg)),
        resource=Resource.create({"service.name": f"receiptstream-{role}"}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=f"{settings.otel_exporter_otlp_endpoint}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield Tracer(provider)
    finally:
        provider.shutdown()
