"""docs/security.md names settings, files and roles that exist, and every role of the grants."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.settings import Settings
from tests.security.rights import granted

ROOT = Path(__file__).parents[2]
PAGES = ("docs/security.md", "SECURITY.md", "CONTRIBUTING.md")
FOLDERS = tuple(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
SETTINGS = {str(field.alias) for field in Settings.model_fields.values()}
FAMILIES = tuple({name.partition("_")[0] + "_" for name in SETTINGS})


def words(text: str) -> set[str]:
    """Return what stands in code."""
    return {word for code in re.findall(r"`([^`\n]+)`", text) for word in code.split()}


def missing(text: str) -> set[str]:
    """Return files and settings that a text names and that do not exist."""
    found = set()
    for word in words(text):
        path = word.partition("#")[0].partition("::")[0].rstrip(":,;")
        named = path.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and "NAME" not in path
        if named and not any(ROOT.glob(path.rstrip("/"))):
            found.add(word)
        setting = word.partition("=")[0]
        if re.fullmatch(r"[A-Z]+(?:_[A-Z0-9]+)+", setting) and setting.startswith(FAMILIES) and setting not in SETTINGS:
            found.add(setting)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_files_and_settings_exist(page: str) -> None:
    assert missing((ROOT / page).read_text()) == set()


def test_what_does_not_exist_is_noticed() -> None:
    text = (
        "`docs/nowhere.md` and `docs/kafka.md#rights`, `INGEST_PASSWORD=x` and `INGEST_PORT=1`, `python -m bench.scale`"
    )
    assert missing(text) == {"docs/nowhere.md", "INGEST_PASSWORD"}


def test_the_page_tells_of_each_role() -> None:
    page = (ROOT / "docs/security.md").read_text()
    assert [role for role in granted() if f"| `{role}` |" not in page] == []
