"""Access over HTTP: headers, login, cookie, changes, the start and the end of the process."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import requests

from core.errors import PortInUseError
from core.settings import parse
from dashboard.main import serving
from sandbox.ports import free_port
from tests.dashboard.conftest import TOKEN, Filled
from tests.dashboard.process import Dashboard
from tests.stack import until

pytestmark = pytest.mark.stack


@pytest.fixture
def visitor(guarded: Dashboard) -> Iterator[requests.Session]:
    """Have a browser's cookies."""
    with requests.Session() as session:
        yield session


def log_in(session: requests.Session, guarded: Dashboard, token: str = TOKEN, **headers: str) -> requests.Response:
    return session.post(
        f"{guarded.url}/login?next=%2Falerts", data={"token": token}, headers=headers, allow_redirects=False, timeout=10
    )


def test_probes_are_answered(dashboard: Dashboard) -> None:
    until(lambda: requests.get(f"{dashboard.url}/readyz", timeout=5).status_code == 200, what="readiness")
    metrics = requests.get(f"{dashboard.url}/metrics", timeout=5).text
    assert "receipts_dashboard_requests_total" in metrics


@pytest.mark.parametrize("path", ["/", "/api/overview", "/static/app.js", "/nothing", "/login"])
def test_every_answer_is_hardened(dashboard: Dashboard, path: str) -> None:
    headers = requests.get(dashboard.url + path, timeout=10).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def test_another_name_for_our_address_is_refused(dashboard: Dashboard) -> None:
    answer = requests.get(f"{dashboard.url}/api/overview", headers={"Host": "evil.example"}, timeout=10)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "host"


def test_without_login_nothing_is_told(guarded: Dashboard) -> None:
    for path in (
        "/api/overview",
        "/api/stream",
        "/api/openapi.json",
        "/metrics",
        "/api/dead?format=csv",
        "/favicon.ico",
    ):
        answer = requests.get(guarded.url + path, timeout=10)
        assert answer.status_code == 401, path
        assert answer.json()["error"]["code"] == "login"
    page = requests.get(f"{guarded.url}/message?id=1&org=2", allow_redirects=False, timeout=10)
    assert page.status_code == 302
    target = urlsplit(page.headers["Location"])
    assert (target.netloc, target.path, parse_qs(target.query)) == ("", "/login", {"next": ["/message?id=1&org=2"]})


def test_the_token_opens_the_api(guarded: Dashboard) -> None:
    answer = requests.get(f"{guarded.url}/api/channels", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert answer.status_code == 200


def test_a_login_sets_a_strict_cookie_and_leads_back(guarded: Dashboard, visitor: requests.Session) -> None:
    answer = log_in(visitor, guarded)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/alerts")
    cookie = answer.headers["Set-Cookie"]
    assert re.search(r"HttpOnly", cookie)
    assert re.search(r"SameSite=Strict", cookie)
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    assert visitor.get(f"{guarded.url}/api/channels", timeout=10).status_code == 200


def test_behind_https_the_cookie_is_for_https(guarded: Dashboard, visitor: requests.Session) -> None:
    answer = log_in(visitor, guarded, **{"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_login_leads_nowhere_else(guarded: Dashboard, visitor: requests.Session) -> None:
    answer = visitor.post(
        f"{guarded.url}/login?next=//evil.example", data={"token": TOKEN}, allow_redirects=False, timeout=10
    )
    assert answer.headers["Location"] == "/"


def test_another_site_cannot_log_anyone_in(guarded: Dashboard, visitor: requests.Session) -> None:
    answer = log_in(visitor, guarded, Origin="https://evil.example")
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_leaving_needs_the_session_s_own_token(guarded: Dashboard, visitor: requests.Session) -> None:
    log_in(visitor, guarded)
    refused = visitor.post(f"{guarded.url}/logout", data={"csrf": "guess"}, allow_redirects=False, timeout=10)
    assert refused.status_code == 403
    csrf = visitor.get(f"{guarded.url}/api/me", timeout=10).json()["csrf"]
    left = visitor.post(f"{guarded.url}/logout", data={"csrf": csrf}, allow_redirects=False, timeout=10)
    assert left.status_code == 303
    assert visitor.get(f"{guarded.url}/api/channels", timeout=10).status_code == 401


async def test_wrong_tokens_are_told_so_and_slowed_down(filled: Filled) -> None:
    environ = {**filled.environ, "DASHBOARD_TOKEN": TOKEN, "DASHBOARD_PORT": "0"}
    async with serving(parse(environ)) as port, aiohttp.ClientSession() as session:

        async def log_in_with(token: str) -> tuple[int, str]:
            url = f"http://127.0.0.1:{port}/login"
            async with session.post(url, data={"token": token}, allow_redirects=False) as answer:
                return answer.status, await answer.text()

        answers = [await log_in_with("wrong") for _ in range(10)]
        assert {status for status, _ in answers} == {403}
        assert "not the token" in answers[0][1]
        assert (await log_in_with("wrong"))[0] == 429
        assert (await log_in_with(TOKEN))[0] == 429


def test_others_need_a_token(filled: Filled, tmp_path: Path) -> None:
    running = Dashboard(tmp_path, {**filled.environ, "DASHBOARD_HOST": "0.0.0.0"})
    assert running.spawn().wait(20) == 2
    assert "DASHBOARD_TOKEN" in running.log
    assert "Traceback" not in running.log


async def test_a_taken_port_is_named(dashboard: Dashboard, filled: Filled) -> None:
    with pytest.raises(PortInUseError, match=f"DASHBOARD_PORT={dashboard.port}"):
        async with serving(parse({**filled.environ, "DASHBOARD_PORT": str(dashboard.port)})):
            pass


def test_parts_that_are_away_are_told_and_the_end_is_quick(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    environ = {"KAFKA_BOOTSTRAP_SERVERS": nowhere, "CLICKHOUSE_URL": f"http://{nowhere}"}
    with Dashboard(tmp_path, environ) as running:
        answer = requests.get(f"{running.url}/api/overview", timeout=30)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert answer.json()["error"]["code"] == "warehouse_unavailable"
        health = requests.get(f"{running.url}/api/health", timeout=30).json()
        assert health["warehouse"]
        assert health["kafka"]
        assert health["live"]["connected"] is False
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 4, "the supervisor gives it 4.5 s"
