"""The HTTP application: routes, answers, refusals."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from core import clock, logs, metrics, ops
from core.errors import NotFoundError, ReceiptstreamError, WarehouseRefusedError
from dashboard import access, changes, login, openapi, stream
from dashboard.access import Refusal
from dashboard.answers import Failure, Problem, Session
from dashboard.endpoints import ENDPOINTS, Endpoint
from dashboard.parts import PARTS, Parts
from dashboard.problems import BadQueryError

STATIC: Final = Path(str(resources.files("dashboard") / "static"))
PAGES: Final = (
    "/",
    "/channel",
    "/messages",
    "/message",
    "/session",
    "/alerts",
    "/health",
    "/dead",
    "/ledger",
    "/search",
)
LARGEST_BODY: Final = 16 * 1024
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_GUESSED: Final = Refusal(429, "guesses", "Too many wrong tokens. Try again in a minute")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_log = logs.get(__name__)


def application(parts: Parts) -> web.Application:
    """Make the application; `parts` are opened and closed by the caller."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_answered, _guarded])
    app[PARTS] = parts
    app.on_response_prepare.append(_harden)
    ops.add_routes(app, lambda: "")
    for endpoint in ENDPOINTS:
        app.router.add_get(endpoint.path, _served(endpoint))
    for kind in changes.KINDS:
        app.router.add_post(f"/api/dead/{kind}", _changed(changes.changing(kind)))
    app.router.add_get("/api/stream", _stream, allow_head=False)
    app.router.add_get("/api/me", _me)
    app.router.add_get("/api/openapi.json", _openapi)
    app.router.add_get("/login", login.page)
    app.router.add_post("/login", login.enter)
    app.router.add_post("/logout", login.leave)
    for path in PAGES:
        app.router.add_get(path, _page)
    app.router.add_get("/favicon.ico", _icon)
    app.router.add_static("/static", STATIC)
    return app


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Answer with JSON that no one keeps."""
    return web.Response(
        body=msgspec.json.encode(content),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def refused(refusal: Refusal, headers: dict[str, str] | None = None) -> web.Response:
    """Answer with a refusal."""
    return json_response(Failure(Problem(refusal.code, refusal.message)), refusal.status, headers)


def refusal_of(error: ReceiptstreamError) -> Refusal:
    """Return what a caller is told of an error."""
    if isinstance(error, WarehouseRefusedError):
        return Refusal(502, error.tag, "ClickHouse refused the query. Run `receipts migrate`; the log has its words")
    status = 400 if isinstance(error, BadQueryError) else 404 if isinstance(error, NotFoundError) else 503
    return Refusal(status, error.tag, str(error))


def _served(endpoint: Endpoint) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        parts, query = request.app[PARTS], request.query
        if endpoint.listing is not None and query.get("format") == "csv":
            name = f"{endpoint.path.rpartition('/')[2]}.csv"
            return web.Response(
                text=await endpoint.listing.csv(parts, query),
                content_type="text/csv",
                charset="utf-8",
                headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
            )
        return json_response(await endpoint.handler(parts, query))

    return handle


def _changed(make: changes.Asked) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        refusal = changes.refusal(request, request.app[PARTS])
        return refused(refusal) if refusal is not None else json_response(await make(request))

    return handle


@web.middleware
async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors as sentences, count answers."""
    response = await _or_refusal(request, handler)
    metrics.DASHBOARD_REQUESTS.labels(str(response.status)).inc()
    return response


async def _or_refusal(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ReceiptstreamError as error:
        refusal = refusal_of(error)
        if refusal.status >= 500:  # noqa: PLR2004
            _log.warning("not_answered", path=request.path, error=str(error))
        return refused(refusal, {"Retry-After": "2"} if refusal.status == 503 else None)  # noqa: PLR2004
    except web.HTTPRedirection as redirection:
        return web.Response(status=redirection.status, headers={"Location": redirection.headers["Location"]})
    except web.HTTPException as error:
        kept = {name: value for name, value in error.headers.items() if name in ("Allow", "Retry-After")}
        return refused(Refusal(error.status, "http", error.reason), kept)
    except Exception:  # noqa: BLE001 -- the outermost handler: no one must see the library's own page
        _log.exception("handler_failed", path=request.path)
        return refused(Refusal(500, "error", "This is a defect of the dashboard; its log has more"))


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    parts, now = request.app[PARTS], clock.now_ms()
    gate = parts.gate
    refusal = gate.host_refusal(request.host) or gate.change_refusal(request.method, request.headers, request.host)
    if refusal is not None:
        return refused(refusal)
    ticket, given = request.cookies.get(access.COOKIE, ""), request.headers.get("Authorization", "")
    if gate.may_look(request.path, ticket, "", now):
        return await handler(request)
    if access.token_in(given):
        if wait_ms := parts.guesses.wait_ms(now):
            return refused(_GUESSED, {"Retry-After": str(math.ceil(wait_ms / 1000))})
        if gate.may_look(request.path, "", given, now):
            return await handler(request)
        parts.guesses.wrong(now)
        _log.warning("wrong_token", peer=request.remote)
    if request.method in access.SAFE_METHODS and request.path in PAGES:
        raise web.HTTPFound(login.address(request.raw_path))
    return refused(
        Refusal(401, "login", "Log in at /login, or send Authorization: Bearer DASHBOARD_TOKEN"),
        {"WWW-Authenticate": "Bearer"},
    )


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    # Pages and scripts change with the version alone: kept, and asked for anew each time.
    response.headers.setdefault("Cache-Control", "no-cache")


async def _page(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(STATIC / "shell.html")


async def _icon(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(STATIC / "icon.svg")


async def _stream(request: web.Request) -> web.StreamResponse:
    return await stream.serve(request, request.app[PARTS].hub)


async def _openapi(_: web.Request) -> web.Response:
    return web.Response(body=openapi.document(), content_type="application/json")


async def _me(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    ticket = request.cookies.get(access.COOKIE, "")
    csrf = parts.tickets.csrf(ticket) if parts.tickets and ticket else ""
    return json_response(Session(parts.tickets is not None, csrf, changes.why_not(parts)))
