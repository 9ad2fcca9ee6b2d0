"""ClickHouse's errors over HTTP: the status of each code, and the headers and text that clients read."""

from __future__ import annotations

import re

UNKNOWN = 1002
BAD_ARGUMENTS = 36
SYNTAX_ERROR = 62
CANNOT_DECOMPRESS = 271
TOO_MANY_SIMULTANEOUS_QUERIES = 202
NOT_IMPLEMENTED = 48
ACCESS_DENIED = 497
UNKNOWN_COMPRESSION = 89

# Codes by status, as ClickHouse's own server maps them; every other code is 500.
_STATUSES = {
    400: (
        36, 427, 6, 25, 26, 38, 41, 72, 676, 675, 376, 27, 15, 44, 126, 223, 16, 167, 168, 401, 62, 117, 53, 321
    ),
    403: (192, 193, 497, 512, 516),
    401: (194,),
    404: (60, 46, 47, 50, 56, 81, 115, 63, 73, 336, 78, 511, 119, 152),
    408: (159,),
    413: (117_000, 314),
    501: (48,),
    503: (209, 439, 76),
}  # fmt: skip
_STATUS_OF = {code: status for status, codes in _STATUSES.items() for code in codes}


class QueryError(Exception):
    """What the engine, or the front in its place, answers to a statement it refuses."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS_OF.get(self.code, 500)


def refuse(code: int, name: str, message: str) -> QueryError:
    """Make an error of the front in the engine's own words."""
    return QueryError(code, f"Code: {code}. DB::Exception: {message}. ({name})")


def from_engine(error: Exception) -> QueryError:
    """Translate what the engine's library raised."""
    text = str(error).strip()
    match = re.search(r"Code: (\d+)\. ", text)
    if match is None:
        return QueryError(
            UNKNOWN, f"Code: {UNKNOWN}. DB::Exception: {text or type(error).__name__}. (UNKNOWN_EXCEPTION)"
        )
    return QueryError(int(match[1]), text[match.start() :])
