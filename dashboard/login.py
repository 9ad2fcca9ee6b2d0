"""The way in and out: a form that turns the token into a session cookie."""

from __future__ import annotations

import hmac
from functools import cache
from importlib import resources
from typing import Final
from urllib.parse import quote

from aiohttp import web

from core import clock, logs
from dashboard import access
from dashboard.parts import PARTS, Parts
from dashboard.tickets import LIFE_MS, as_bytes

_WRONG: Final = "This is not the token. It is the value of DASHBOARD_TOKEN."
_WAIT: Final = "Too many wrong tokens. Try again in a minute."
_log = logs.get(__name__)


def address(target: str) -> str:
    """Return the login's address, which leads to `target` afterwards."""
    return f"/login?next={quote(target, safe='')}"


@cache
def _form() -> str:
    return resources.files("dashboard").joinpath("static/login.html").read_text()


def _shown(message: str, status: int) -> web.Response:
    """Answer with the form; `message` is one of ours, never the caller's words."""
    return web.Response(
        text=_form().replace("{{message}}", message),
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers={"Cache-Control": "no-store"},
    )


async def page(request: web.Request) -> web.StreamResponse:
    """Show the form; where no token is needed, there is nothing to log in to."""
    if _parts(request).tickets is None:
        raise web.HTTPFound("/")
    return _shown("", 200)


async def enter(request: web.Request) -> web.StreamResponse:
    """Check the token and set the cookie."""
    parts, now = _parts(request), clock.now_ms()
    if parts.tickets is None:
        raise web.HTTPFound("/")
    if parts.guesses.wait_ms(now):
        return _shown(_WAIT, 429)
    form = await request.post()
    if not parts.tickets.is_token(str(form.get("token", ""))):
        parts.guesses.wrong(now)
        _log.warning("wrong_token", peer=request.remote)
        return _shown(_WRONG, 403)
    response = web.Response(status=303, headers={"Location": access.local_path(request.query.get("next", "/"))})
    response.set_cookie(
        access.COOKIE,
        parts.tickets.make(now),
        max_age=LIFE_MS // 1000,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=_encrypted(request),
    )
    return response


async def leave(request: web.Request) -> web.StreamResponse:
    """End the session; the form carries the session's own token against other sites."""
    parts = _parts(request)
    if parts.tickets is not None:
        expected = parts.tickets.csrf(request.cookies.get(access.COOKIE, ""))
        if not hmac.compare_digest(as_bytes(str((await request.post()).get("csrf", ""))), expected.encode()):
            raise web.HTTPForbidden(reason="The form is too old: load the page again")
    response = web.Response(status=303, headers={"Location": "/login"})
    response.del_cookie(access.COOKIE, path="/", httponly=True, samesite="Strict", secure=_encrypted(request))
    return response


def _encrypted(request: web.Request) -> bool:
    """Tell whether the browser speaks HTTPS, to us or to a proxy before us; it makes the cookie stricter, no more."""
    return request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"


def _parts(request: web.Request) -> Parts:
    return request.app[PARTS]
