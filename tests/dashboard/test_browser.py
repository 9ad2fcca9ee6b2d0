"""The pages in a real browser: the warehouse's numbers, live, harmless, usable by all, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, expect

from tests.dashboard import browser as chromium
from tests.dashboard.browser import drawn
from tests.dashboard.conftest import TOKEN, Filled
from tests.dashboard.data import BIG_ID, CHAT, HOSTILE, HOSTILE_BODY, INSTAGRAM, ORG, SESSION, STUCK, WHATSAPP
from tests.dashboard.process import Dashboard
from tests.dashboard.test_stream import tell, window

pytestmark = [
    pytest.mark.stack,
    pytest.mark.browser,
    pytest.mark.skipif(not chromium.installed(), reason="no chromium on this machine (Debian: apt install chromium)"),
    pytest.mark.asyncio(loop_scope="module"),
]

PAGES = {
    "overview": "/",
    "channel": f"/channel?org={ORG}&channel={WHATSAPP}",
    "messages": "/messages",
    "message": f"/message?id={BIG_ID}",
    "session": f"/session?id={SESSION}",
    "alerts": "/alerts",
    "followups": "/alerts?kind=followups",
    "health": "/health",
    "dead": "/dead",
    "ledger": "/ledger",
    "search": f"/search?q={BIG_ID}",
    "nothing": "/search?q=nothing",
}


class Watched:
    """A page, and whatever it did that it must not do."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.home = home
        self.wrong: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", self._error)
        page.on("request", self._request)

    async def open(self, path: str) -> Page:
        """Load a page and wait until it is drawn."""
        await self.page.goto(self.home + path)
        await drawn(self.page)
        return self.page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text}")

    def _error(self, error: Error) -> None:
        self.wrong.append(f"error: {error}")

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.home).netloc:
            self.wrong.append(f"request: {request.url}")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Start chromium."""
    async with chromium.started() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def watched(browser: Browser, dashboard: Dashboard) -> AsyncIterator[Watched]:
    """Open a page in a new profile; whatever goes wrong in it fails the test."""
    context = await browser.new_context(timezone_id="Asia/Kabul", locale="en-GB")
    made = Watched(await context.new_page(), dashboard.url)
    yield made
    await context.close()
    assert made.wrong == []


def row_of(page: Page, channel: str) -> Any:
    return page.locator("#channels tbody tr").filter(has_text=channel).filter(has_text=ORG)


async def cells(page: Page, channel: str) -> dict[str, str]:
    """Return a channel's row of the overview by heading, once the rates are worked out."""
    await expect(page.locator("#channels")).not_to_contain_text("computing", timeout=20_000)
    names = await page.locator("#channels thead th").all_inner_texts()
    texts = await row_of(page, channel).locator("th, td").all_inner_texts()
    return dict(zip(names, texts, strict=True))


async def test_the_overview_shows_the_warehouse_s_numbers(watched: Watched, filled: Filled) -> None:
    page = await watched.open("/")
    (counts,) = filled.rows(
        "SELECT toString(sum(sent)) AS s, toString(sum(delivered)) AS d, toString(sum(read)) AS r "
        f"FROM channel_windows WHERE org_id = '{ORG}' AND channel_id = '{WHATSAPP}'"
    )
    (rates,) = filled.rows(
        "SELECT sum(delivered) / sum(sent) AS d, sum(read) / sum(sent) AS r FROM channel_rates "
        f"WHERE org_id = '{ORG}' AND channel_id = '{WHATSAPP}'"
    )
    shown = await cells(page, WHATSAPP)
    assert (shown["Sent"], shown["Delivered"], shown["Read"]) == (counts["s"], counts["d"], counts["r"])
    assert shown["Delivery ratio"].split("\n")[-1] == f"{rates['d']:.1%} so far"
    assert shown["Read ratio"].split("\n")[-1] == f"{rates['r']:.1%} so far"
    assert shown["To deliver"].split() == ["2", "s", "p95", "2", "s"]
    assert shown["Alerts"].split("\n") == ["1 open", "1 to follow up"]


async def test_what_is_not_known_is_said(watched: Watched) -> None:
    page = await watched.open("/")
    instagram, chat = await cells(page, INSTAGRAM), await cells(page, CHAT)
    assert instagram["Delivery ratio"] == "cannot report"
    assert instagram["Read ratio"].split("\n") == ["40.0%", "not mature yet"]
    assert instagram["To read"].split("\n") == ["1 min", "p95 1 min", "from SENT"]
    assert {chat[name] for name in ("Delivery ratio", "Read ratio", "To deliver", "To read")} == {"cannot report"}


async def test_the_page_follows_without_being_loaded_again(watched: Watched, filled: Filled, kafka: str) -> None:
    page = await watched.open("/")
    await page.evaluate("window.mark = 1")
    await expect(page.locator("#live")).to_have_text("live")
    minute = row_of(page, CHAT).locator("[data-minute]")
    before = await cells(page, CHAT)
    await tell(kafka, window(CHAT, 41) | {"org_id": ORG, "window_start": "2026-01-01T10:00:00.000Z"})
    await expect(minute).to_have_text("41 · 0 · 0 at 14:30")
    now = filled.rows_made.now
    filled.rows_made.window(now - 60_000, sent=1000, delivered=0, read=0, channel=CHAT)
    filled.send()
    await tell(kafka, window(CHAT, 42) | {"org_id": ORG, "window_start": "2026-01-01T10:00:00.000Z"})
    # What was worked out under load is shown for ten times as long as it took.
    await expect(row_of(page, CHAT).locator("td.number").first).to_have_text(
        f"{int(before['Sent']) + 1000:,}", timeout=60_000
    )
    assert await page.evaluate("window.mark") == 1


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
async def test_every_page_is_usable_by_all(watched: Watched, path: str) -> None:
    """axe-core's rules, in light and dark: names, roles, contrast, order of headings, and so on."""
    await chromium.assert_usable(await watched.open(path))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/dead",
        "/ledger",
        "/messages?state=open",
        f"/message?id={quote(HOSTILE)}",
        f"/message?id={BIG_ID}",
        f"/channel?org={quote(HOSTILE)}&channel={quote(HOSTILE)}",
        f"/search?q={quote(HOSTILE)}",
        f"/messages?org={quote(HOSTILE)}&channel={quote(HOSTILE_BODY[:60])}",
        "/search?q=%22%3E%3Csvg%20onload%3Dwindow.hurt%3D1%3E",
    ],
)
async def test_hostile_texts_stay_texts(watched: Watched, path: str) -> None:
    page = await watched.open(path)
    for details in await page.locator("details").all():
        await details.locator("summary").click()
    assert await page.evaluate("window.hurt") is None
    assert await page.locator("main img, main script").count() == 0
    if path == "/dead":
        await expect(page.locator("pre")).to_contain_text([HOSTILE_BODY])
    if path == f"/message?id={quote(HOSTILE)}":
        await expect(page.locator("h1")).to_have_text(f"Message {HOSTILE}")


async def test_a_page_without_a_token_says_how_letters_are_worked_on(watched: Watched) -> None:
    page = await watched.open("/dead")
    await expect(page.locator("main")).to_contain_text("set DASHBOARD_TOKEN to a long random text")
    await expect(page.locator("main")).to_contain_text("receipts dead redrive --id ID")
    assert await page.get_by_role("checkbox").count() == 0


async def test_the_ledger_shows_every_record_and_what_differs(watched: Watched, filled: Filled) -> None:
    page = await watched.open(f"/ledger?org={ORG}")
    (counted,) = filled.rows(f"SELECT toString(count()) AS n FROM raw_events WHERE org_id = '{ORG}'")
    await expect(page.get_by_label("Sums")).to_contain_text(f"Received{int(counted['n']):,}")
    await expect(page.get_by_label("Sums")).to_contain_text("adds up")
    await expect(page.locator("main")).to_contain_text("1 difference")
    await expect(page.locator("main")).to_contain_text("a transition without its raw record")
    await expect(page.locator("main")).to_contain_text(HOSTILE_BODY)


async def test_what_nobody_named_is_unknown(watched: Watched) -> None:
    page = await watched.open("/health")
    await expect(page.locator("main")).to_contain_text("Spool\nunknown", use_inner_text=True)
    await expect(page.locator("main")).to_contain_text("Name each ingress in DASHBOARD_INGEST_URLS")


async def test_ids_keep_every_digit(watched: Watched) -> None:
    page = await watched.open(f"/search?q={BIG_ID}")
    await page.get_by_role("link", name="message").click()
    await drawn(page)
    await expect(page.locator("h1")).to_have_text(f"Message {BIG_ID}")
    text = await page.locator("main").inner_text()
    assert "contradicts its old status" in text
    assert "1 lower status not told before" in text
    assert "DELIVERED was never told" in text
    assert "implied by READ, not told" in text


async def test_filters_stay_in_the_address_and_in_links(watched: Watched) -> None:
    page = await watched.open("/")
    await page.locator("#filter-range").select_option("7d")
    await page.wait_for_url("**/?range=7d")
    await drawn(page)
    await row_of(page, WHATSAPP).get_by_role("link").first.click()
    await page.wait_for_url(f"**/channel?range=7d&org={ORG}&channel={WHATSAPP}")
    await drawn(page)
    await page.get_by_role("link", name="Stuck messages").click()
    await page.wait_for_url(f"**/messages?range=7d&org={ORG}&channel={WHATSAPP}&state=stuck")
    await drawn(page)
    await expect(page.locator("main")).to_contain_text(STUCK)
    await page.go_back()
    await expect(page.locator("#filter-range")).to_have_value("7d")


async def test_times_are_the_viewer_s(watched: Watched, filled: Filled) -> None:
    page = await watched.open(f"/message?id={BIG_ID}")
    await expect(page.locator("#zone")).to_have_text("Asia/Kabul")
    (row,) = filled.rows(
        "SELECT formatDateTime(updated_time, '%H:%i:%S', 'Asia/Kabul') AS local FROM transitions "
        f"WHERE message_id = '{BIG_ID}' AND new_status = 'READ'"
    )
    await expect(page.locator("table").first.locator("tbody tr").last).to_contain_text(row["local"])


async def test_the_keyboard_is_enough(watched: Watched) -> None:
    page = await watched.open("/")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.locator("#q").focus()
    await page.keyboard.type(STUCK)
    await page.keyboard.press("Enter")
    await drawn(page)
    await expect(page.locator("h1")).to_have_text(f"Search for {STUCK}")


async def test_a_narrow_screen_scrolls_tables_alone(watched: Watched) -> None:
    await watched.page.set_viewport_size({"width": 360, "height": 640})
    for path in PAGES.values():
        page = await watched.open(path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path


async def test_a_login_by_hand(browser: Browser, guarded: Dashboard) -> None:
    context = await browser.new_context()
    watched = Watched(await context.new_page(), guarded.url)
    page = watched.page
    await page.goto(f"{guarded.url}/health")
    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/health")
    await drawn(page)
    await expect(page.locator("h1")).to_have_text("Pipeline health")
    await page.get_by_role("button", name="Log out").click()
    await page.wait_for_url("**/login")
    await context.close()
    assert watched.wrong == []


async def test_a_dashboard_that_is_gone_is_said(browser: Browser, dashboard: Dashboard) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(dashboard.url)
    await drawn(page)
    await context.set_offline(offline=True)
    await page.locator("#filter-range").select_option("7d")
    await expect(page.get_by_role("alert")).to_contain_text("tries again by itself")
    await context.set_offline(offline=False)
    await expect(page.locator("#channels")).to_be_visible(timeout=20_000)
    await context.close()
