"""The changes that pages can make: who may, what was asked for, what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, get_args

import msgspec
from aiohttp import web

from core import clock
from dashboard import access
from dashboard.access import Refusal
from dashboard.answers import Changes, Chosen
from dashboard.letters import Kind
from dashboard.parts import PARTS, Parts
from dashboard.problems import BadQueryError

CSRF_HEADER: Final = "X-CSRF-Token"
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
TOKENLESS: Final = (
    "Changes need a token: set DASHBOARD_TOKEN to a long random text and start the dashboard anew, "
    "or use `receipts dead redrive --id ID` and `receipts dead discard --id ID`"
)
NOBODY: Final = "This process only shows: start it as `receipts dashboard`, or use `receipts dead`"

Asked = Callable[[web.Request], Awaitable[Changes]]


def why_not(parts: Parts) -> str:
    """Return why nothing can be changed here; '' when it can."""
    if parts.tickets is None:
        return TOKENLESS
    return "" if parts.work.possible else NOBODY


def refusal(request: web.Request, parts: Parts) -> Refusal | None:
    """Refuse who may not: without a token nobody, and no request that a browser may have been made to send."""
    if told := why_not(parts):
        return Refusal(403, "no_changes", told)
    headers = request.headers
    return parts.gate.csrf_refusal(
        request.cookies.get(access.COOKIE, ""),
        headers.get("Authorization", ""),
        headers.get(CSRF_HEADER, ""),
        clock.now_ms(),
    )


def changing(kind: Kind) -> Asked:
    """Return the handler of one kind of change, for those who may."""

    async def handle(request: web.Request) -> Changes:
        chosen = _chosen(request.content_type, await request.read())
        return Changes(await request.app[PARTS].work.run(kind, chosen.ids))

    return handle


def _chosen(content_type: str, body: bytes) -> Chosen:
    # A type that no form of another site can send.
    if content_type != "application/json":
        raise BadQueryError(f"the body is {content_type}", fix="Send Content-Type: application/json")
    try:
        return msgspec.json.decode(body, type=Chosen)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadQueryError(f"the body cannot be used: {error}", fix='Send {"ids": ["0-12"]}, at most 100') from None
