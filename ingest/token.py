"""Zoho's `X-ZDesk-JWT`: what a token claims, and whether that is to be believed. Pure but for the signature's maths.

The token covers neither body nor time of use: whoever holds one could send another body with it until it expires. So
its age is capped here, and the org it names must be that of every element.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import Options

ALGORITHM: Final = "RS256"
SKEW_S: Final = 60
"""How far Zoho's clock and ours may differ."""

_ORG_PREFIX: Final = "orgId:"
_WEBHOOK_PREFIX: Final = "webhookId:"
_LATEST_SECONDS: Final = 10**11
"""Claims above this are milliseconds: as seconds they would lie past the year 5000."""

_SIGNATURE_ONLY: Final[Options] = {
    # Zoho's times may be milliseconds, its names have prefixes: `judge` looks at them.
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True, slots=True)
class Denied:
    """The token is not believed: a reason for counting, a sentence for the operator of the sender."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token with a good signature says. Times are epoch seconds."""

    org_id: str
    webhook_ids: frozenset[str]
    issued: float
    expires: float
    not_before: float


def key_id(token: str) -> str | Denied:
    """Return the id of the key that a token says it is signed with."""
    try:
        header = jwt.get_unverified_header(token)
    except Exception:  # noqa: BLE001 -- no text of a stranger's may raise anything past here
        return Denied("token_malformed", "X-ZDesk-JWT is not a JSON Web Token")
    if header.get("alg") != ALGORITHM:
        return Denied("token_algorithm", f"X-ZDesk-JWT is not signed with {ALGORITHM}")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        return Denied("token_malformed", "X-ZDesk-JWT names no key (kid)")
    return kid


def read(token: str, key: RSAPublicKey) -> Claims | Denied:
    """Check the signature and read the claims."""
    try:
        claims = jwt.decode(token, key, algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)
    except jwt.InvalidSignatureError:
        return Denied("token_signature", "X-ZDesk-JWT is not signed with the key that it names")
    except Exception:  # noqa: BLE001 -- no text of a stranger's may raise anything past here
        return Denied("token_malformed", "X-ZDesk-JWT cannot be read")
    issued, expires = _seconds(claims.get("iat")), _seconds(claims.get("exp"))
    not_before = _seconds(claims.get("nbf", 0))
    org = _identity(claims.get("iss"), _ORG_PREFIX)
    if issued is None or expires is None or not_before is None:
        return Denied("token_malformed", "X-ZDesk-JWT does not say when it was issued (iat) and expires (exp)")
    if org is None:
        return Denied("token_malformed", "X-ZDesk-JWT names no org (iss)")
    return Claims(org, _webhook_ids(claims.get("aud")), issued, expires, not_before)


def judge(claims: Claims, *, now_s: float, max_age_s: float, webhook_ids: frozenset[str]) -> Denied | None:
    """Return why claims do not hold now, None when they do; an empty `webhook_ids` allows any webhook."""
    if now_s > claims.expires + SKEW_S:
        return Denied("token_expired", "X-ZDesk-JWT has expired")
    if now_s > claims.issued + max_age_s + SKEW_S:
        return Denied("token_too_old", "X-ZDesk-JWT was issued too long ago")
    if max(claims.issued, claims.not_before) > now_s + SKEW_S:
        return Denied("token_from_the_future", "X-ZDesk-JWT is not valid yet: compare the clocks")
    if webhook_ids and not (webhook_ids & claims.webhook_ids):
        return Denied("token_webhook", "X-ZDesk-JWT was made for a webhook that ZOHO_WEBHOOK_IDS does not name")
    return None


def _seconds(value: Any) -> float | None:
    """Return a time claim in epoch seconds, given in seconds or milliseconds; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST_SECONDS * 1000:
        return None
    return float(value) / 1000 if value >= _LATEST_SECONDS else float(value)


def _identity(value: Any, prefix: str) -> str | None:
    if not isinstance(value, str) or not value.startswith(prefix):
        return None
    return value[len(prefix) :] or None


def _webhook_ids(audience: Any) -> frozenset[str]:
    named = audience if isinstance(audience, list) else [audience]
    found = (_identity(name, _WEBHOOK_PREFIX) for name in named)
    return frozenset(name for name in found if name is not None)
