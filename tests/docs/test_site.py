"""The documentation site builds without a warning, has every page, and no link that leads nowhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""Tags whose attribute the browser loads by itself."""


class Page(HTMLParser):
    """What a page links to, what it loads, and the ids in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids |= {value for name in ("id", "name") if (value := found.get(name))}
        if tag == "a" and (href := found.get("href")):
            self.links.append(href)
        if (address := found.get(LOADED.get(tag, ""))) is not None:
            self.loads.append(address)


def pages_of(nav: object) -> Iterator[str]:
    """Return the pages that a navigation names, at any depth."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, list):
        for each in nav:
            yield from pages_of(each)
    elif isinstance(nav, dict):
        for each in nav.values():
            yield from pages_of(each)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """Build the site strictly; return its pages by their files."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    # The page for addresses that do not exist is served at any depth: its links begin at the server's root.
    return {path: Page(path.read_text()) for path in folder.rglob("*.html") if path.name != "404.html"}


def leads_nowhere(page: Path, link: str, site: dict[Path, Page]) -> bool:
    """Return whether a page's link to another place of the site has no such file or no such heading."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return True
    return bool(parts.fragment) and target in site and unquote(parts.fragment) not in site[target].ids


def test_no_link_leads_nowhere(site: dict[Path, Page]) -> None:
    broken = [
        f"{path.name}: {link}"
        for path, page in site.items()
        for link in page.links + page.loads
        if leads_nowhere(path, link, site)
    ]
    assert broken == []


def test_no_page_loads_anything_from_elsewhere(site: dict[Path, Page]) -> None:
    assert {address for page in site.values() for address in page.loads if urlsplit(address).netloc} == set()


def test_the_link_check_notices_what_is_broken(site: dict[Path, Page]) -> None:
    index = next(path for path in site if path.name == "index.html")
    assert leads_nowhere(index, "nowhere.html", site)
    assert leads_nowhere(index, "alerts.html#nowhere", site)
    assert not leads_nowhere(index, "alerts.html#rules", site)


def test_every_page_is_in_the_navigation_once() -> None:
    named = list(pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert len(named) == len(set(named))
    assert {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} == set(named)
