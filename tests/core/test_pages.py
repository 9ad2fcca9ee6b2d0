"""The pages made from code are what the code says now."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core import pages
from core.settings import Settings, parse


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_page_made_from_code_is_up_to_date(name: str) -> None:
    assert (pages.DOCS / name).read_text() == pages.PAGES[name](), "run `python -m core.pages`"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(milliseconds=500), "500ms"),
        (timedelta(seconds=90), "90s"),
        (timedelta(minutes=15), "15m"),
        (timedelta(hours=48), "48h"),
        (timedelta(days=14), "14d"),
    ],
)
def test_durations_are_written_as_the_settings_read_them(duration: timedelta, text: str) -> None:
    assert pages.duration_text(duration) == text
    assert parse({"RAW_RETENTION": text}).raw_retention == duration


def test_every_setting_says_what_it_does() -> None:
    for field in Settings.model_fields.values():
        assert field.alias
        assert str(field.description).endswith("."), field.alias
