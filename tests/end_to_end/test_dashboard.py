"""The dashboard on the whole chain: dead letters worked on in a real browser, and what the ingress tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.async_api import Page, expect

from core.clock import iso, now_ms
from schemas import topics
from tests.dashboard import browser as chromium
from tests.dashboard.browser import assert_usable, drawn
from tests.dashboard.process import Dashboard
from tests.end_to_end.apart import sql
from tests.end_to_end.test_dead import event, letters, one, write
from tests.stack import Up, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]
TOKEN = "a token of these tests"


@pytest.fixture
async def page(apart: Up, tmp_path: Path) -> AsyncIterator[Page]:
    """Open the page of dead letters after a login."""
    parts = {name: apart.variables[name] for name in ("KAFKA_BOOTSTRAP_SERVERS", "CLICKHOUSE_URL")}
    with Dashboard(tmp_path, {**parts, "DASHBOARD_TOKEN": TOKEN}) as running:
        async with chromium.started() as browser:
            opened = await browser.new_page(locale="en-GB")
            await opened.goto(f"{running.url}/dead?reason=from_the_page")
            await opened.get_by_label("Token").fill(TOKEN)
            await opened.get_by_role("button", name="Log in").click()
            await opened.wait_for_url("**/dead?reason=from_the_page")
            await drawn(opened)
            yield opened
        assert running.stop() == 0, running.log
        assert "Traceback" not in running.log


async def parked(up: Up, body: bytes) -> str:
    """Park a text as the ingress does and return the letter's id."""
    known = {each["id"] for each in letters(up, "--reason", "from_the_page", "--state", "any")}
    headers = {"stage": "ingress", "reason": "from_the_page", "detail": "-", "failed_at": iso(now_ms())}
    await write(up, topics.DEAD, body, headers)
    found = until(lambda: [e for e in letters(up, "--reason", "from_the_page") if e["id"] not in known], within_s=30)
    return str(found[0]["id"])


async def choose(page: Page, letter: str) -> None:
    await page.reload()
    await drawn(page)
    await page.get_by_label(f"Choose letter {letter}").check()


@pytest.mark.browser
@pytest.mark.skipif(not chromium.installed(), reason="no chromium on this machine (Debian: apt install chromium)")
async def test_letters_are_sent_again_once_and_discarded(apart: Up, page: Page) -> None:
    good, bad = await parked(apart, event(774)), await parked(apart, b'{"x": 1}')
    became = page.locator("#became")
    for _ in range(2):
        await choose(page, good)
        await page.get_by_role("button", name="Redrive chosen (1)").click()
        await expect(became).to_have_text("1 redriven.", timeout=60_000)
        await expect(page.locator("tbody tr").filter(has_text=good)).to_contain_text("redriven")
        until(lambda: sql(apart, "SELECT count() FROM transitions WHERE message_id = '774'") == "1\n", within_s=30)
        # As if the process had died between sending and marking.
        sql(
            apart,
            "INSERT INTO dead_letters_log SELECT * REPLACE ('open' AS state, now64(3) AS changed_time) "
            f"FROM dead_letters_log FINAL WHERE (dead_partition, dead_offset) = ({good.replace('-', ', ')})",
        )
    assert sql(apart, "SELECT count() FROM raw_events WHERE message_id = '774'") == "1\n"

    await choose(page, bad)
    await assert_usable(page)
    await page.get_by_role("button", name="Redrive chosen (1)").click()
    await expect(became).to_contain_text(f"{bad} was refused again: ", timeout=60_000)
    page.once("dialog", lambda dialog: dialog.accept())
    await choose(page, bad)
    await page.get_by_role("button", name="Discard chosen (1)").click()
    await expect(became).to_have_text("1 discarded.")
    assert one(apart, "--id", bad, "--state", "any")["state"] == "discarded"
    await expect(page.get_by_label(f"Choose letter {bad}")).to_have_count(0)


def test_the_sandbox_s_dashboard_knows_the_spool(apart: Up) -> None:
    def spools() -> Any:
        url = f"http://127.0.0.1:{apart.variables['DASHBOARD_PORT']}/api/health"
        return [each for each in requests.get(url, timeout=30).json()["spools"] if each["problem"] == ""]

    (spool,) = until(spools, what="the spool")
    ingest = apart.variables["INGEST_PORT"]
    assert spool == {
        "address": f"127.0.0.1:{ingest}",
        "problem": "",
        "bytes": 0,
        "oldest": None,
        "kafka_available": True,
    }
