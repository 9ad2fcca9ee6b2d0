"""Login tickets: what the session cookie holds. Signed, expiring, kept nowhere. Pure."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

LIFE_MS: Final = 12 * 3600 * 1000
_PARTS: Final = 3


def as_bytes(text: str) -> bytes:
    """Encode what a caller sent: bytes of a header that are no UTF-8 stand in it as lone surrogates."""
    return text.encode(errors="surrogateescape")


class Tickets:
    """Makes and checks tickets. The key comes from the token: a new token ends every session."""

    def __init__(self, token: str) -> None:
        self._token = as_bytes(token)
        self._key = hmac.digest(self._token, b"receiptstream dashboard session", hashlib.sha256)

    def is_token(self, given: str) -> bool:
        """Compare in a time that tells nothing."""
        return hmac.compare_digest(hashlib.sha256(as_bytes(given)).digest(), hashlib.sha256(self._token).digest())

    def make(self, now_ms: int) -> str:
        """Return a new ticket: `expiry.nonce.signature`."""
        plain = f"{now_ms + LIFE_MS}.{secrets.token_hex(16)}"
        return f"{plain}.{self._sign('ticket', plain)}"

    def valid(self, ticket: str, now_ms: int) -> bool:
        """Tell whether we made it and it has not expired."""
        parts = ticket.split(".")
        if len(parts) != _PARTS or not ticket.isascii():
            return False
        expiry, nonce, signature = parts
        if not hmac.compare_digest(signature, self._sign("ticket", f"{expiry}.{nonce}")):
            return False
        return now_ms < int(expiry)

    def csrf(self, ticket: str) -> str:
        """Return the token that a change made with this ticket must carry."""
        return self._sign("csrf", ticket)

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.digest(self._key, as_bytes(f"{purpose}:{text}"), hashlib.sha256).hex()
