"""Keys of several ids: no two are alike, and what was joined is read back."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import example, given
from hypothesis import strategies as st

from schemas import keys

PARTS = st.lists(
    st.one_of(st.text(max_size=5), st.text("0123456789:-.TZ%", max_size=24), st.integers(0, 10**20).map(str)),
    min_size=1,
)


@given(PARTS)
@example(["1", "2", "2025-10-09T07:27:00.000Z"])
@example([":", "-.", ":a"])
def test_a_key_is_read_back(parts: list[str]) -> None:
    assert keys.split(keys.join(*parts)) == parts


@given(PARTS)
@example(["1", "2025-10-09T07:27:00.000Z"])
def test_what_is_quoted_is_quoted_in_one_way(parts: list[str]) -> None:
    quoted = [quote(part, safe=" /?#[]@!$&'()*+,;=") for part in parts]
    # Parts without a colon or percent sign stand as they are.
    stand = not any(":" in part or "%" in part for part in parts)
    assert keys.join(*parts) == ":".join(parts if stand else quoted).encode()
