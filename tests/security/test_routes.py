"""Every route of the dashboard, those to come too: closed without a log-in, hardened, no change from another site."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from dashboard import access
from dashboard.access import Gate
from dashboard.hub import Hub
from dashboard.letters import Work
from dashboard.parts import Parts
from dashboard.tickets import Tickets
from dashboard.web_app import HEADERS, application

TOKEN = "a token of these tests"
OPEN = {"/healthz", "/readyz", "/login", "/static/app.js"}
"""What anyone may see."""
NOTHING: Any = None
"""In the place of ClickHouse and Kafka: nobody who is refused reaches them."""


class Route(NamedTuple):
    """A route as a caller without a log-in meets it."""

    method: str
    path: str


def routes(app: web.Application) -> list[Route]:
    """Return every route of an application; of static files one."""
    found = []
    for route in app.router.routes():
        resource = route.resource
        assert resource is not None
        path = resource.canonical
        found.append(Route(route.method, "/static/app.js" if path.startswith("/static") else path))
    return found


@pytest.fixture
async def client() -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Serve a dashboard that has a token, without the parts behind it."""
    tickets = Tickets(TOKEN)
    parts = Parts(NOTHING, NOTHING, Hub(), NOTHING, Gate(tickets), tickets, ingest_urls=(), work=Work(NOTHING))
    async with TestClient(TestServer(application(parts))) as served:
        yield served


async def unguarded(client: TestClient[web.Request, web.Application]) -> set[str]:
    """Return what is answered without a log-in, neither refused nor sent to the log-in."""
    found = set()
    for route in routes(client.app):
        async with client.request(route.method, route.path, allow_redirects=False) as answer:
            to_login = answer.status == 302 and answer.headers["Location"].startswith("/login?")
            if answer.status != 401 and not to_login:
                found.add(route.path)
    return found


async def test_nothing_is_told_without_a_log_in(client: TestClient[web.Request, web.Application]) -> None:
    assert len(routes(client.app)) > 30
    assert await unguarded(client) == OPEN


async def test_a_route_that_is_open_is_noticed(
    client: TestClient[web.Request, web.Application], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "OPEN_PATHS", access.OPEN_PATHS | {"/api/overview"})
    assert await unguarded(client) == OPEN | {"/api/overview"}


async def test_every_answer_is_hardened(client: TestClient[web.Request, web.Application]) -> None:
    for route in [*routes(client.app), Route("GET", "/nowhere"), Route("DELETE", "/login")]:
        async with client.request(route.method, route.path, allow_redirects=False) as answer:
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, route
            assert "Cache-Control" in answer.headers, route


async def test_no_change_is_made_from_another_site(client: TestClient[web.Request, web.Application]) -> None:
    changing = [route for route in routes(client.app) if route.method not in ("GET", "HEAD")]
    assert {route.path for route in changing} >= {"/login", "/logout", "/api/dead/redrive", "/api/dead/discard"}
    for route in changing:
        for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            headers = {**foreign, "Authorization": f"Bearer {TOKEN}"}
            async with client.request(route.method, route.path, headers=headers, allow_redirects=False) as answer:
                assert (answer.status, (await answer.json())["error"]["code"]) == (403, "cross_site"), route
