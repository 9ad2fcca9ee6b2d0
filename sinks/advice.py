"""What it means when the ingress refused a request, by the outcome that it counts, and what to do about it."""

from __future__ import annotations

from typing import Final

Advice = tuple[str, str]
"""What happened, what to do."""

_CLOCKS = "Set this machine's clock right (NTP)"
_ZOHO_TOKEN = "Either a stranger sends, or Zoho's header is lost on the way: let proxies pass X-ZDesk-JWT on unchanged"  # noqa: S105 -- advice

STRANGERS: Final[dict[str, Advice]] = {
    "wrong_secret": (
        "the path's secret was wrong or missing",
        "Compare the URL in Zoho Desk with INGEST_PATH_SECRETS; while a secret is changed, name both",
    ),
    "token_missing": ("no X-ZDesk-JWT", _ZOHO_TOKEN),
    "token_malformed": ("X-ZDesk-JWT cannot be read", _ZOHO_TOKEN),
    "token_algorithm": ("X-ZDesk-JWT is not signed with RS256", _ZOHO_TOKEN),
    "token_signature": ("X-ZDesk-JWT has a wrong signature", _ZOHO_TOKEN),
    "token_key": (
        "X-ZDesk-JWT names a key that ZOHO_JWKS_URL does not have",
        "Set ZOHO_JWKS_URL to the data centre of the org (.com, .eu, .in, .com.au, .jp, .ca, .sa, .uk)",
    ),
    "token_expired": ("X-ZDesk-JWT has expired", _CLOCKS),
    "token_from_the_future": ("X-ZDesk-JWT is not valid yet", _CLOCKS),
    "token_too_old": (
        "X-ZDesk-JWT is too old",
        f"{_CLOCKS}; where deliveries wait long, raise ZOHO_JWT_MAX_AGE_SECONDS",
    ),
    "token_webhook": (
        "X-ZDesk-JWT was made for another webhook",
        "Add the webhook's id to ZOHO_WEBHOOK_IDS, or delete that webhook in Zoho Desk",
    ),
    "wrong_org": (
        "the token's org is not that of every element",
        "Nobody but a stranger with a captured token does this: change the path's secret",
    ),
    "no_keys": ("Zoho's public keys were never fetched", "Let this machine reach ZOHO_JWKS_URL"),
    "method_not_allowed": ("the method was none of GET, HEAD, POST", "Point nothing but the webhook at this URL"),
}
"""Those who were not let in: why no events come."""

LOST: Final[dict[str, Advice]] = {
    "busy": (
        "too many were in flight",
        "Start more ingress processes (INGEST_REUSE_PORT), or raise INGEST_MAX_IN_FLIGHT_REQUESTS and _BYTES",
    ),
    "unavailable": (
        "neither Kafka nor the spool took the events",
        "Bring Kafka back, give the spool room (SPOOL_MAX_BYTES, SPOOL_DIR)",
    ),
    "body_too_large": ("the body was too large", "Raise INGEST_MAX_BODY_BYTES"),
    "unsupported_encoding": ("an unknown Content-Encoding", "Let proxies pass the body plain, or as gzip or deflate"),
    "headers_timeout": ("the headers did not come in time", "Look at the proxy in front, and at the line"),
    "body_timeout": ("the body did not come in time", "Look at the proxy in front, and at the line"),
    "broken_body": ("the body ended early", "Look at the proxy in front: its own limits of time and size"),
    "bad_request": ("no valid HTTP", "Strangers scan every public address; else look at the proxy in front"),
    "not_json": ("the body is not JSON", "Look at it: receipts dead list --stage ingress --reason not_json"),
    "invalid_utf8": ("the body is not UTF-8", "Look at it: receipts dead list --stage ingress --reason invalid_utf8"),
    "too_deep": ("the body is nested too deep", "Look at it: receipts dead list --stage ingress --reason too_deep"),
    "broken_encoding": (
        "the body cannot be decompressed",
        "Look at it: receipts dead list --stage ingress --reason broken_encoding",
    ),
    "internal": ("the ingress failed", "Look into its log for `request failed`, and report it"),
}
"""Deliveries that were refused: why the data is incomplete. Zoho documents no second try."""

NOISE: Final = frozenset({"bad_request", "broken_body", "headers_timeout", "method_not_allowed"})
"""What every public address sees from passers-by: no problem by itself."""
