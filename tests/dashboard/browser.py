"""The machine's own chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def installed() -> str:
    """Return the browser's path; '' where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), "")


@asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    """Start it without a window."""
    # Chromium's own sandbox does not work for root.
    arguments = [*QUIET, "--no-sandbox"] if os.geteuid() == 0 else list(QUIET)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=installed(), args=arguments)
        yield browser
        await browser.close()


async def assert_usable(page: Page) -> None:
    """Hold the page against axe-core's rules, in light and dark."""
    # Through the browser's debugger: the pages' own policy lets no such script in.
    await page.evaluate((resources.files("axe_playwright_python") / "axe.min.js").read_text())
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found["violations"]] == []


async def drawn(page: Page) -> None:
    """Wait until the page shows what it asked for."""
    await page.wait_for_selector("main:not([aria-busy])")
