"""What a caller is told when an answer cannot be given, and what it does about it."""

from __future__ import annotations

from typing import ClassVar

from core.errors import ReceiptstreamError


class BadQueryError(ReceiptstreamError):
    """A parameter cannot be used: 400."""

    tag: ClassVar[str] = "bad_query"


class NotYetError(ReceiptstreamError):
    """The numbers are still being worked out: 503, with Retry-After."""

    tag: ClassVar[str] = "computing"
    retryable: ClassVar[bool] = True
