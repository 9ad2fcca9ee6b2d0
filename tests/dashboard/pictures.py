"""Takes the pictures of docs/images: `python -m tests.dashboard.pictures URL [TOKEN]` of a dashboard with much to show.

With AUDIT_EVERY set, an audit done and some dead letters open, the ledger and the letters have something to show too.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import requests

from tests.dashboard.browser import drawn, started

FOLDER: Final = Path(__file__).parents[2] / "docs" / "images"
SIZE: Final = (1360, 860)


def pages(url: str, headers: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return path and colour scheme of each picture, for what the dashboard has."""
    channel = requests.get(f"{url}/api/channels", headers=headers, timeout=30).json()["rows"][0]
    steps = requests.get(f"{url}/api/alerts?state=resolved", headers=headers, timeout=30).json()["rows"]
    pictures = {
        "overview": ("/", "light"),
        "overview-dark": ("/", "dark"),
        "channel": (f"/channel?org={channel['org_id']}&channel={channel['channel_id']}", "light"),
        "health": ("/health", "light"),
        "ledger": ("/ledger", "light"),
        "dead": ("/dead?state=open", "light"),
    }
    if steps:
        pictures["message"] = (f"/message?id={steps[0]['message_id']}&org={steps[0]['org_id']}", "light")
    return pictures


async def take(url: str, token: str) -> None:
    """Take them all."""
    FOLDER.mkdir(exist_ok=True)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with started() as browser:
        for name, (path, scheme) in pages(url, headers).items():
            page = await browser.new_page(
                viewport={"width": SIZE[0], "height": SIZE[1]},
                color_scheme="dark" if scheme == "dark" else "light",
                locale="en-GB",
                extra_http_headers=headers,
            )
            await page.goto(url + path)
            await drawn(page)
            # The first events of the live stream.
            await asyncio.sleep(4)
            await page.screenshot(path=FOLDER / f"{name}.png", full_page=name in ("channel", "message"))
            await page.close()


if __name__ == "__main__":
    asyncio.run(take(sys.argv[1].rstrip("/"), *(sys.argv[2:3] or [""])))
