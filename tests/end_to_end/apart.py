"""What the tests on a chain of their own share: they change its tables, or send what others must not see."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from core import metrics
from core.clickhouse import connect
from core.settings import parse
from sinks.ledger.periodic import audit_forever
from tests.sandbox.role import Role
from tests.stack import Up

BROKEN = b'[{"eventType":"IM_Message_Status","orgId":"1","payload":{"messageId":5}},7]'


@dataclass
class Apart:
    """A chain's processor beside it, so that a test may stop it and start it with other settings."""

    up: Up
    role: Role | None = None

    def start(self, **environ: str) -> None:
        """Start it."""
        own = {**self.up.variables, "METRICS_PORT": "0", **environ}
        self.role = Role("processor", self.up.state_dir / "apart", own).__enter__()

    def stop(self) -> None:
        """Stop it in order."""
        assert self.role is not None
        assert self.role.end(signal.SIGTERM) == 0, self.role.log


def post(up: Up, body: bytes) -> dict[str, int]:
    """Send a webhook."""
    with urllib.request.urlopen(f"{up.ingest}/webhooks/zoho-desk", data=body, timeout=10) as answer:
        found: dict[str, int] = json.loads(answer.read())
        return found


def sql(up: Up, text: str) -> str:
    """Run a statement; a mutation ends before it returns."""
    query = urllib.parse.urlencode({"database": "receipts", "mutations_sync": "2"})
    with urllib.request.urlopen(f"{up.clickhouse}/?{query}", data=text.encode(), timeout=60) as answer:
        return str(answer.read().decode())


def row(up: Up, text: str) -> dict[str, Any]:
    """Return the first row of a query."""
    found: dict[str, Any] = json.loads(sql(up, f"{text} LIMIT 1 FORMAT JSONEachRow"))
    return found


def audit(up: Up, *options: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code of an audit, and what it found."""
    done = up.receipts("audit", "--json", *options, timeout=120)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


async def told_by_the_sink(up: Up) -> float:
    """Let the ledger be audited once as the sink role does, and return the differences that its metric tells."""
    settings = parse({**up.variables, "STATE_DIR": str(up.state_dir), "AUDIT_EVERY": "1s"})
    metrics.LEDGER_DIFFERENCES.set(-1)
    async with connect(settings) as clickhouse:
        task = asyncio.create_task(audit_forever(settings, clickhouse, lambda: True))
        try:
            async with asyncio.timeout(120):
                while (found := metrics.LEDGER_DIFFERENCES._value.get()) < 0:
                    assert not task.done(), task.exception()
                    await asyncio.sleep(0.1)
        finally:
            task.cancel()
    return float(found)


def named(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the check and the row of each difference."""
    return [(each["check"], each["row"]) for each in found["differences"]]


def where(place: dict[str, Any]) -> str:
    """Return the condition that finds a raw record."""
    return f"raw_partition = {place['raw_partition']} AND raw_offset = {place['raw_offset']}"
