"""What the front must know of a statement without running it: is it an INSERT with data, and which FORMAT it names.

A tokenizer, no parser: the engine parses. It reads bytes, as the data behind an INSERT need not be text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_TOKEN = re.compile(
    rb"""
      (?P<space>   \s+ | --[^\n]* | \#[ !][^\n]* | /\*.*?\*/ )
    | (?P<quoted>  '(?:[^'\\]|\\.|'')*' | `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" )
    | (?P<heredoc> \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<word>    [A-Za-z_][A-Za-z0-9_]* )
    | (?P<open>    [(\[{] )
    | (?P<close>   [)\]}] )
    | (?P<other>   . )
    """,
    re.VERBOSE | re.DOTALL,
)
_NOT_A_CLAUSE = frozenset({b"AS", b"INTO", b"TABLE", b".", b","})
_AFTER_A_FORMAT = frozenset({b"", b";", b"SETTINGS", b"INTO"})


@dataclass(frozen=True, slots=True)
class Statement:
    """`kind` is `data` for an INSERT whose rows follow the text, `query` for all else.

    `format` is the one that the text names, '' when none. For `data`, `head` is the length of the text up to its
    FORMAT or VALUES, and `data` the offset of the first byte of the rows.
    """

    kind: Literal["data", "query"]
    format: str = ""
    head: int = 0
    data: int = 0


@dataclass(frozen=True, slots=True)
class _Token:
    """A token outside all brackets; words are in upper case, quoted texts are `'`."""

    text: bytes
    start: int
    end: int


def read(text: bytes) -> Statement:
    """Read a statement, of which rows of an INSERT may be the tail."""
    tokens = _outside_brackets(text)
    first = next(tokens, None)
    if first is not None and first.text == b"INSERT":
        return _insert(text, tokens)
    return Statement("query", _trailing_format(text, tokens))


def _insert(text: bytes, tokens: Iterator[_Token]) -> Statement:
    before = b"INSERT"
    for token in tokens:
        if token.text in (b"SELECT", b"WITH"):
            return Statement("query")
        if token.text == b"VALUES":
            return Statement("data", "Values", token.start, token.end)
        if token.text == b"FORMAT" and before not in _NOT_A_CLAUSE:
            named = next(tokens, None)
            if named is not None:
                name = text[named.start : named.end].decode()
                return Statement("data", name, token.start, _first_row(text, named.end))
        before = token.text
    return Statement("data", "Values", len(text), len(text))


def _first_row(text: bytes, end: int) -> int:
    """Return the offset behind the blanks and the one line end that follow the format's name."""
    match = re.compile(rb"[ \t\f]*\r?\n?").match(text, end)
    return match.end() if match else end


def _trailing_format(text: bytes, tokens: Iterator[_Token]) -> str:
    found = ""
    before = b""
    for token in tokens:
        if token.text == b"FORMAT" and before not in _NOT_A_CLAUSE:
            named = next(tokens, None)
            after = next(tokens, None)
            if named is not None and (after.text if after else b"") in _AFTER_A_FORMAT:
                found = text[named.start : named.end].decode()
        before = token.text
    return found


def _outside_brackets(text: bytes) -> Iterator[_Token]:
    depth = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        if kind != "space" and depth == 0:
            yield _Token(b"'" if kind in ("quoted", "heredoc") else match[0].upper(), match.start(), match.end())
