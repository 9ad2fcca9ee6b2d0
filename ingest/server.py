"""The HTTP face: which request gets which answer, in the contract's order: 404, 405, 413, 415, 401, 400, 403."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from typing import Never, Protocol

import orjson
from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core import metrics
from core.clock import now_ms
from core.logs import get
from core.settings import Settings
from core.tracing import Tracer
from ingest import answers, zoho
from ingest.access import AccessLog
from ingest.admission import Admission, Ticket
from ingest.answers import Refusal, Refused
from ingest.body import NotJson, Parked, Split, elements, is_of_org, judge, strip
from ingest.content import BrokenError
from ingest.delivery import SIMULATOR, WEBHOOK, Delivery, build
from ingest.oversize import park_oversized
from ingest.quick import Answers
from ingest.reading import read_body
from ingest.tally import Tally
from ingest.verifier import Verifier

log = get(__name__)

SIMULATOR_AGENT = "receiptstream-simulator"
"""The User-Agent of simulated traffic, whose records say so in their `source`."""

ANSWER_S = 4.6
"""Longest time from a whole request to its answer; Zoho wants its answer within 5 s."""

ELEMENT_BYTES = 200
"""What an element weighs at least, however short: time and memory go by elements, and real events have 200 bytes."""

_READS = (hdrs.METH_GET, hdrs.METH_HEAD)


Steps = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]
"""Answers a request, given its id. Raises Refused."""


class Store(Protocol):
    """Where deliveries become durable."""

    @property
    def largest(self) -> int:
        """Largest event in bytes that can be accepted; larger ones are parked."""

    async def keep(self, delivery: Delivery, deadline: float) -> bool:
        """Return True once all of the delivery is durable, False when it cannot be by a time of the event loop."""

    def readiness(self) -> dict[str, object]:
        """Return `ready`, `reason` and what else an operator wants to see."""


@dataclass(slots=True)
class Call:
    """What the steps of one request share."""

    request: web.BaseRequest
    id: str
    """The request's id in the log, in the answer to a refusal, and in the `delivery` header of its records."""
    source: str
    trace: bytes = b""
    """The trace that its records carry on; empty where there is none."""
    deadline: float = 0.0
    """When the answer must be given, by the event loop's clock; known once the body is whole."""


class Ingress:
    """Answers every request; the one object behind the HTTP server."""

    def __init__(self, settings: Settings, store: Store, verifier: Verifier, tracer: Tracer | None = None) -> None:
        self._settings = settings
        self._store = store
        self._verifier = verifier
        self._tracer = tracer
        self._now = asyncio.get_running_loop().time
        self._path = zoho.WebhookPath(tuple(secret.get_secret_value() for secret in settings.ingest_path_secrets))
        self._admission = Admission(settings.ingest_max_in_flight_requests, settings.ingest_max_in_flight_bytes)
        self._access = AccessLog()
        self._tally = Tally()
        self._answers = Answers()
        self._description = resources.files("ingest").joinpath("openapi.json").read_bytes()
        self._run_id = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._ops: dict[str, Callable[[], Awaitable[web.Response]]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/openapi.json": self._openapi,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Never raises but when it is cancelled."""
        return await self._answer(request, self._dispatch)

    async def operate(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of an operator alone: here are no webhooks. Never raises but when it is cancelled."""
        return await self._answer(request, self._operate)

    async def _answer(self, request: web.BaseRequest, steps: Steps) -> web.StreamResponse:
        request_id = f"{self._run_id}-{next(self._numbers):x}"
        try:
            return await steps(request, request_id)
        except Refused as refused:
            refusal = refused.refusal
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client gets our answer and the log no secret
            log.error(  # noqa: TRY400 -- an exception's own text may quote the request
                "request failed", request_id=request_id, error=type(error).__name__, at=_place(error)
            )
            refusal = answers.INTERNAL
        self.refused(refusal, request_id)
        return refusal.response(request_id)

    def refused(self, refusal: Refusal, request_id: str = "") -> None:
        """Count and log a request that got no 200; one that could not be parsed has no id."""
        outcome = refusal.outcome or refusal.code
        self._tally.request(outcome)
        self._access.write(outcome, now_ms(), request_id=request_id)

    async def _dispatch(self, request: web.BaseRequest, request_id: str) -> web.StreamResponse:
        path = request.raw_path
        if self._path.matches(path):
            return await self._webhook(request, request_id)
        if zoho.WebhookPath.is_near(path):
            raise Refused(answers.WRONG_SECRET)
        return await self._operate(request, request_id)

    async def _operate(self, request: web.BaseRequest, _: str) -> web.StreamResponse:
        answer = self._ops.get(request.raw_path.partition("?")[0])
        if answer is None:
            raise Refused(answers.NOT_FOUND)
        if request.method not in _READS:
            raise Refused(answers.READ_ONLY)
        return await answer()

    async def _webhook(self, request: web.BaseRequest, request_id: str) -> web.StreamResponse:
        if request.method in _READS:
            return self._setup_check()
        if request.method != hdrs.METH_POST:
            raise Refused(answers.METHOD_NOT_ALLOWED)
        source = SIMULATOR if request.headers.get(hdrs.USER_AGENT) == SIMULATOR_AGENT else WEBHOOK
        with self._admission.enter() as ticket:
            call = Call(request, request_id, source)
            return await (self._take(call, ticket) if self._tracer is None else self._trace(self._tracer, call, ticket))

    async def _trace(self, tracer: Tracer, call: Call, ticket: Ticket) -> web.StreamResponse:
        """Take a request within a span. Its path stays out of it: that is a secret."""
        with tracer.request("POST /webhooks/zoho-desk", call.request.headers) as span:
            call.trace = span.traceparent
            span.tell({"http.request.method": "POST", "receiptstream.request": call.id})
            try:
                response = await self._take(call, ticket)
            except Refused as refused:
                span.tell(
                    {"http.response.status_code": refused.refusal.status, "receiptstream.outcome": refused.refusal.code}
                )
                raise
            # Whatever is no 200 was raised.
            span.tell({"http.response.status_code": HTTPStatus.OK})
            return response

    async def _take(self, call: Call, ticket: Ticket) -> web.StreamResponse:
        request = call.request
        try:
            body = await read_body(request, ticket, self._settings.ingest_max_body_bytes)
            call.deadline = self._now() + ANSWER_S
        except BrokenError as error:
            call.deadline = self._now() + ANSWER_S
            await self._verifier.org_of(request.headers)
            await self._refuse_body(call, error.data, NotJson("broken_encoding", error.detail))
        text = strip(body)
        if zoho.is_setup_check(text):
            return self._setup_check()
        org = await self._verifier.org_of(request.headers)
        found = self._split(text, ticket)
        if isinstance(found, NotJson):
            await self._refuse_body(call, body, found)
        if org is not None and not is_of_org(found, org):
            raise Refused(answers.WRONG_ORG)
        return await self._accept(call, found, len(body))

    def _split(self, text: bytes, ticket: Ticket) -> Split | NotJson:
        """Split a body that may be taken apart beside all that is in flight. Raises Refused (413, 429)."""
        views = elements(text)
        if isinstance(views, NotJson):
            return views
        weight = len(views) * ELEMENT_BYTES
        if weight > self._settings.ingest_max_in_flight_bytes:
            raise Refused(answers.TOO_LARGE)
        ticket.hold(weight)
        return judge(text, views)

    async def _accept(self, call: Call, found: Split, size: int) -> web.StreamResponse:
        received = now_ms()
        if size > self._store.largest:
            found = park_oversized(found, self._store.largest)
        accepted, parked = len(found.accepted), len(found.parked)
        if accepted or parked:
            await self._keep(call, found, size, received)
        now = now_ms()
        self._tally.accepted(found, size, received, now - received)
        self._access.write("accepted", now, request_id=call.id, accepted=accepted, parked=parked, bytes=size)
        return self._answers.accepted(call.request, accepted, parked, now)

    async def _refuse_body(self, call: Call, body: bytes, found: NotJson) -> Never:
        """Park a body that is no JSON; refuse it once the dead letter is durable."""
        letter = Parked(body, found.reason, found.detail)
        await self._keep(call, Split([], [letter], []), len(body), now_ms())
        raise Refused(answers.not_json(found.reason, found.detail))

    async def _keep(self, call: Call, found: Split, size: int, received: int) -> None:
        delivery = build(found, size, received_ms=received, delivery=call.id, source=call.source, trace=call.trace)
        if not await self._store.keep(delivery, call.deadline):
            raise Refused(answers.UNAVAILABLE)

    def _setup_check(self) -> web.Response:
        self._tally.request("setup_check")
        return answers.nothing()

    async def _healthz(self) -> web.Response:
        return _json({"status": "alive"})

    async def _readyz(self) -> web.Response:
        readiness = self._store.readiness()
        if readiness["ready"] and self._verifier.fault:
            readiness |= {"ready": False, "reason": self._verifier.fault}
        return _json(readiness, 200 if readiness["ready"] else 503)

    async def _openapi(self) -> web.Response:
        return web.Response(body=self._description, content_type=answers.JSON)

    async def _metrics(self) -> web.Response:
        self._tally.flush()
        self._store.readiness()  # sets the metrics of what it looks at
        metrics.INGEST_IN_FLIGHT.set(self._admission.requests)
        return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type=answers.JSON)


def _place(error: BaseException) -> str:
    """Return file and line where an error arose: enough to find it, and nothing of the request."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
