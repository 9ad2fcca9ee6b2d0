"""The whole chain on a Kafka and a ClickHouse that ask every role who it is, and allow it what it needs alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from core.clickhouse import connect
from core.errors import ConfigError, WarehouseUnavailableError
from core.settings import parse
from sandbox.demo.run import sample
from sandbox.ports import free_port
from tests.deploy.fronts import Issuer, issuing, tls_before
from tests.deploy.secured import Secured
from tests.notifier.places import SECRET
from tests.sandbox.role import Role
from tests.stack import run, until

pytestmark = pytest.mark.stack
ROLES = ("ingest", "processor", "sink", "notifier", "dashboard")
TURNS = range(int(os.environ.get("SECURED_TURNS", "1")))
"""In each turn the roles change their ways of logging in: in five turns each role has used each."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as server:
        yield server


@pytest.fixture(scope="module")
def clickhouse(broker: Secured, warehouse: str) -> Iterator[dict[str, str]]:
    """Give the settings of a ClickHouse that asks for a certificate."""
    shown = broker.authority.issue("client")
    context = broker.authority.server_context(broker.authority.issue("clickhouse"))
    with tls_before(int(warehouse.rpartition(":")[2]), context) as port:
        yield {
            "CLICKHOUSE_URL": f"https://localhost:{port}",
            "CLICKHOUSE_CA_FILE": str(broker.authority.file),
            "CLICKHOUSE_CERT_FILE": str(shown.cert),
            "CLICKHOUSE_KEY_FILE": str(shown.key),
            "CLICKHOUSE_DATABASE": f"secured_{uuid4().hex[:8]}",
        }


def ways(broker: Secured, issuer: Issuer, turn: int) -> dict[str, dict[str, str]]:
    """Return the settings with which each role logs in."""
    way: list[Callable[[str], dict[str, str]]] = [
        broker.plain,
        lambda user: broker.scram(user, 256),
        broker.scram,
        lambda user: broker.token(user, issuer.url),
        lambda user: broker.certified(broker.authority.issue(user, "a key's password"), "a key's password"),
    ]
    return {role: way[(number + turn) % len(way)](role) for number, role in enumerate(ROLES)}


def answer(port: int, path: str) -> str:
    """Return what a role answers to a request; '' while it does not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as found:
            return str(found.read().decode())
    except OSError:
        return ""


def sees_all(health: str) -> bool:
    """Tell whether the dashboard's answer tells of Kafka's groups, of ClickHouse and of the live stream."""
    found = json.loads(health or "{}")
    groups = {lag["group"] for lag in (found.get("flow") or {}).get("lags", ())}
    return groups >= {"receipts", "receipts-sink"} and found["live"]["connected"] and not found["warehouse"]


def end(roles: Iterable[Role]) -> None:
    """Let all leave their groups at once, so that the next members need not wait for them."""
    for role in roles:
        assert role.process is not None
        role.process.send_signal(signal.SIGTERM)
    for role in roles:
        role.end(signal.SIGTERM)


@pytest.mark.parametrize("turn", TURNS)
async def test_a_webhook_reaches_clickhouse_past_every_lock(
    broker: Secured, issuer: Issuer, clickhouse: dict[str, str], tmp_path: Path, turn: int
) -> None:
    shared = {
        **clickhouse,
        "KAFKA_TOPICS": "check",
        "KAFKA_CLIENT_RACK": "rack-1",
        "NOTIFY_URL": "http://127.0.0.1:9/",
        "NOTIFY_SECRET": SECRET,
        "NOTIFY_ALLOW_PRIVATE": "true",
    }
    done = run("migrate", environ=shared)
    assert done.returncode == 0, done.stderr
    settings = parse(shared)
    body = sample().body.replace(b"50007000000006017", b"%d" % turn)
    ports = {role: free_port() for role in ROLES}
    variables = {"ingest": "INGEST_PORT", "dashboard": "DASHBOARD_PORT"}
    with ExitStack() as stack:
        roles = {
            role: stack.enter_context(
                Role(role, tmp_path / role, {**shared, **way, variables.get(role, "METRICS_PORT"): str(ports[role])})
            )
            for role, way in ways(broker, issuer, turn).items()
        }

        def logs() -> str:
            return "\n".join(f"--- {name}\n{role.log}" for name, role in roles.items())

        try:
            until(lambda: '"via":"kafka"' in answer(ports["ingest"], "/readyz").replace(" ", ""), what="the ingress")
            for role in ("processor", "sink", "notifier"):
                until(lambda role=role: answer(ports[role], "/readyz"), within_s=40, what=role)  # type: ignore[misc]
            url = f"http://127.0.0.1:{ports['ingest']}/webhooks/zoho-desk"
            with await asyncio.to_thread(urllib.request.urlopen, url, body, 10) as told:
                assert json.load(told) == {"accepted": 1, "parked": 0}
            async with connect(settings) as client:
                deadline = time.monotonic() + 20
                while {"message_id": str(turn)} not in await client.rows("SELECT message_id FROM transitions"):
                    assert time.monotonic() < deadline
            until(lambda: sees_all(answer(ports["dashboard"], "/api/health")), what="the dashboard")
            audited = run("audit", environ={**shared, **broker.scram("operator")})
            assert audited.returncode == 0, audited.stdout + audited.stderr
            behind = run("lag", "--json", environ=broker.scram("operator"))
            assert {row["group"] for row in json.loads(behind.stdout)} >= {"receipts", "receipts-sink"}, behind.stderr
        except AssertionError as error:
            raise AssertionError(logs()) from error
        end(roles.values())
    assert issuer.asked


@pytest.mark.parametrize("role", ["processor", "sink", "notifier", "topics"])
def test_a_wrong_password_is_told_within_seconds(
    broker: Secured, clickhouse: dict[str, str], tmp_path: Path, role: str
) -> None:
    environ = {
        **clickhouse,
        **broker.scram("admin"),
        "KAFKA_SASL_PASSWORD": "wrong",
        "STATE_DIR": str(tmp_path),
        "NOTIFY_URL": "http://127.0.0.1:9/",
        "NOTIFY_SECRET": SECRET,
        "NOTIFY_ALLOW_PRIVATE": "true",
    }
    done = run(role, environ=environ, timeout=20)
    assert done.returncode == 2
    assert "refuses the log-in of KAFKA_SASL_USERNAME='admin' (SCRAM-SHA-512)" in done.stderr
    assert "wrong" not in done.stderr


def test_with_a_wrong_password_the_ingress_says_why_and_keeps_events(broker: Secured, tmp_path: Path) -> None:
    port = free_port()
    environ = {**broker.plain("ingest"), "KAFKA_SASL_PASSWORD": "wrong", "INGEST_PORT": str(port)}
    with Role("ingest", tmp_path, environ) as role:
        until(lambda: "refuses the log-in of KAFKA_SASL_USERNAME='ingest'" in role.log, what="the reason")
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/webhooks/zoho-desk", data=sample().body, timeout=10
        ) as told:
            assert json.load(told) == {"accepted": 1, "parked": 0}


async def test_a_clickhouse_of_an_unknown_authority_is_refused(clickhouse: dict[str, str]) -> None:
    settings = parse({"CLICKHOUSE_URL": clickhouse["CLICKHOUSE_URL"]})
    async with connect(settings) as client:
        with pytest.raises(WarehouseUnavailableError, match="Check CLICKHOUSE_CA_FILE"):
            await client.ping()


async def test_a_file_that_is_no_certificate_refuses_to_start(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    settings = parse({"CLICKHOUSE_URL": "https://localhost:8443", "CLICKHOUSE_CA_FILE": str(junk)})
    with pytest.raises(ConfigError, match=f"CLICKHOUSE_CA_FILE='{junk}'"):
        async with connect(settings):
            pass
