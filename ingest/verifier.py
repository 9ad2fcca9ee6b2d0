"""Whether a request is Zoho's: its token, the keys, the clock and the webhooks that are ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ingest import answers, zoho
from ingest.answers import Refusal, Refused
from ingest.keys import KeyStore, NoKeysError
from ingest.token import Claims, Denied, judge, key_id, read

MAX_REMEMBERED = 1000
"""Tokens whose signature was found good: one serves many deliveries, and the maths costs more than the events."""


class Verifier(Protocol):
    """Decides who may send events."""

    @property
    def fault(self) -> str:
        """Why nobody's events can be accepted now, '' when that is not so."""

    async def org_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the only org whose events are accepted, None for any. Raises Refused (401, 503)."""


class AnyOrg:
    """Believes everyone who knows the path (ZOHO_JWT_MODE=off)."""

    fault = ""

    async def org_of(self, headers: Mapping[str, str]) -> str | None:  # noqa: ARG002 -- there is nothing to look at
        """Accept any org."""
        return None


class TokenVerifier:
    """Believes Zoho's signature (ZOHO_JWT_MODE=verify)."""

    def __init__(
        self, keys: KeyStore, now_ms: Callable[[], int], *, max_age_s: float, webhook_ids: frozenset[str]
    ) -> None:
        self._keys = keys
        self._now_ms = now_ms
        self._max_age_s = max_age_s
        self._webhook_ids = webhook_ids
        self._good: dict[str, tuple[RSAPublicKey, Claims]] = {}

    @property
    def fault(self) -> str:
        """Say that no token can be checked, while that is so."""
        return "" if self._keys.known else "the sender's public keys could not be fetched yet: check ZOHO_JWKS_URL"

    async def org_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the org that a valid token names. Raises Refused (401, 503)."""
        token = headers.get(zoho.JWT_HEADER)
        if not token:
            raise Refused(_unauthorized(Denied("token_missing", "the request has no X-ZDesk-JWT")))
        claims = await self._claims(token)
        if isinstance(claims, Claims):
            denied = judge(
                claims, now_s=self._now_ms() / 1000, max_age_s=self._max_age_s, webhook_ids=self._webhook_ids
            )
            if denied is None:
                return claims.org_id
            claims = denied
        raise Refused(_unauthorized(claims))

    async def _claims(self, token: str) -> Claims | Denied:
        kid = key_id(token)
        if isinstance(kid, Denied):
            return kid
        try:
            key = await self._keys.get(kid)
        except NoKeysError:
            raise Refused(answers.NO_KEYS) from None
        if key is None:
            return Denied("token_key", "X-ZDesk-JWT is signed with a key that Zoho does not have")
        remembered = self._good.get(token)
        # What was found good with another key of that id says nothing.
        if remembered is not None and remembered[0] is key:
            return remembered[1]
        claims = read(token, key)
        if isinstance(claims, Claims):
            if len(self._good) >= MAX_REMEMBERED:
                self._good.clear()
            self._good[token] = key, claims
        return claims


def _unauthorized(denied: Denied) -> Refusal:
    return Refusal(401, denied.reason, f"Send events as Zoho Desk does, with a valid token: {denied.detail}.")
