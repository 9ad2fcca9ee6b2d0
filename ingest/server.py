"""The HTTP face: which request gets which answer, in the contract's order: 404, 405, 413, 415, 401, 400, 403."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Never, Protocol

import orjson
from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core import metrics
from core.clock import now_ms
from core.logs import get
from core.settings import Settings
from ingest import answers, zoho
from ingest.access import AccessLog
from ingest.admission import Admission, Ticket
from ingest.answers import Refused
from ingest.body import NotJson, Parked, Split, is_of_org, split, strip
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

_READS = (hdrs.METH_GET, hdrs.METH_HEAD)


class Store(Protocol):
    """Where deliveries become durable."""

    @property
    def largest(self) -> int:
        """Largest event in bytes that can be accepted; larger ones are parked."""

    async def keep(self, delivery: Delivery) -> bool:
        """Return True once all of the delivery is durable, False when it cannot be in time."""

    def readiness(self) -> dict[str, object]:
        """Return `ready`, `reason` and what else an operator wants to see."""


class Ingress:
    """Answers every request; the one object behind the HTTP server."""

    def __init__(self, settings: Settings, store: Store, verifier: Verifier) -> None:
        self._settings = settings
        self._store = store
        self._verifier = verifier
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
        try:
            return await self._dispatch(request)
        except Refused as refused:
            refusal = refused.refusal
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client gets our answer and the log no secret
            log.error(  # noqa: TRY400 -- an exception's own text may quote the request
                "request failed", error=type(error).__name__, at=_place(error)
            )
            refusal = answers.INTERNAL
        self.refused(refusal.code)
        return refusal.response()

    def refused(self, code: str) -> None:
        """Count and log a request that got no 200."""
        self._tally.request(code)
        self._access.write(code, now_ms())

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path
        if self._path.matches(path):
            return await self._webhook(request)
        answer = self._ops.get(path.partition("?")[0])
        if answer is None:
            raise Refused(answers.NOT_FOUND)
        if request.method not in _READS:
            raise Refused(answers.READ_ONLY)
        return await answer()

    async def _webhook(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method in _READS:
            return self._setup_check()
        if request.method != hdrs.METH_POST:
            raise Refused(answers.METHOD_NOT_ALLOWED)
        with self._admission.enter() as ticket:
            return await self._take(request, ticket)

    async def _take(self, request: web.BaseRequest, ticket: Ticket) -> web.StreamResponse:
        source = SIMULATOR if request.headers.get(hdrs.USER_AGENT) == SIMULATOR_AGENT else WEBHOOK
        try:
            body = await read_body(request, ticket, self._settings.ingest_max_body_bytes)
        except BrokenError as error:
            await self._verifier.org_of(request.headers)
            await self._refuse_body(error.data, NotJson("broken_encoding", error.detail), source)
        text = strip(body)
        if zoho.is_setup_check(text):
            return self._setup_check()
        org = await self._verifier.org_of(request.headers)
        found = split(text)
        if isinstance(found, NotJson):
            await self._refuse_body(body, found, source)
        if org is not None and not is_of_org(found, org):
            raise Refused(answers.WRONG_ORG)
        return await self._accept(request, found, len(body), source)

    async def _accept(self, request: web.BaseRequest, found: Split, size: int, source: str) -> web.StreamResponse:
        received = now_ms()
        if size > self._store.largest:
            found = park_oversized(found, self._store.largest)
        accepted, parked = len(found.accepted), len(found.parked)
        if accepted or parked:
            await self._keep(found, size, received, source)
        now = now_ms()
        self._tally.accepted(found, size, received, now - received)
        self._access.write("accepted", now, accepted=accepted, parked=parked, bytes=size)
        return self._answers.accepted(request, accepted, parked, now)

    async def _refuse_body(self, body: bytes, found: NotJson, source: str) -> Never:
        """Park a body that is no JSON; refuse it once the dead letter is durable."""
        letter = Parked(body, found.reason, found.detail)
        await self._keep(Split([], [letter], []), len(body), now_ms(), source)
        raise Refused(answers.not_json(found.reason, found.detail))

    async def _keep(self, found: Split, size: int, received: int, source: str) -> None:
        delivery = build(
            found,
            size,
            received_ms=received,
            delivery=f"{self._run_id}-{next(self._numbers):x}",
            source=source,
        )
        if not await self._store.keep(delivery):
            raise Refused(answers.UNAVAILABLE)

    def _setup_check(self) -> web.Response:
        self._tally.request("setup_check")
        return answers.nothing()

    async def _healthz(self) -> web.Response:
        return _json({"status": "alive"})

    async def _readyz(self) -> web.Response:
        readiness = self._store.readiness()
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
