"""All that is particular to Zoho Desk's way of calling: path, set-up check, header and hosts of its signature."""

from __future__ import annotations

from hmac import compare_digest
from urllib.parse import unquote_plus, unquote_to_bytes

PATH = "/webhooks/zoho-desk"
JWT_HEADER = "X-ZDesk-JWT"
KEYS_PATH = "/.well-known/jwks.json"
DATA_CENTRES = tuple(f"desk.zoho.{domain}" for domain in ("com", "eu", "in", "com.au", "jp", "ca", "sa", "uk"))
"""The hosts of Zoho Desk, each with the public keys of its own data centre."""

_SETUP_BODIES = frozenset(
    head + value + tail for value in ("{}", "[]") for head in ("", "=") for tail in ("", "=")
) | frozenset({""})
_SETUP_MAX_BYTES = 64
_NO_SPACE = str.maketrans("", "", " \t\r\n")


def is_setup_check(body: bytes) -> bool:
    """Tell whether a stripped body is Zoho's set-up check: empty, `{}`, `[]`, form-encoded `{}`.

    Such a request is unsigned, and nothing of it is published.
    """
    if len(body) > _SETUP_MAX_BYTES:
        return False
    return unquote_plus(body.decode("latin-1")).translate(_NO_SPACE) in _SETUP_BODIES


class WebhookPath:
    """The paths that are this webhook's: one a secret, or the bare one when there is no secret."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = [secret.encode() for secret in secrets]

    @staticmethod
    def is_near(raw_path: str) -> bool:
        """Tell whether a path that is not the webhook's was meant to be."""
        return raw_path.startswith(PATH)

    def matches(self, raw_path: str) -> bool:
        """Tell whether a request's raw path is the webhook's, in a time that says nothing about the secrets."""
        path = raw_path.partition("?")[0]
        if not self._secrets:
            return path == PATH
        if not path.startswith(PATH + "/"):
            return False
        given = unquote_to_bytes(path[len(PATH) + 1 :].encode(errors="surrogateescape"))
        found = False
        for secret in self._secrets:
            found |= compare_digest(given, secret)
        return found
