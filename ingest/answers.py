"""What a client may be told: every refusal with its code, status and advice. Nothing here quotes the request."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from aiohttp.web import Response

JSON = "application/json"
REQUEST_ID = "X-Request-Id"
RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than 200. `code` names it in metrics and logs, `message` tells the client what to do."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    """The connection is closed, because what follows on it cannot be told from the refused request."""
    outcome: str = ""
    """Its name in metrics and logs, where that tells more than a stranger may know."""

    def response(self, request_id: str = "") -> Response:
        """Make the HTTP response; by the id the operator finds the request in the log."""
        response = Response(
            status=self.status,
            body=orjson.dumps({"error": {"code": self.code, "message": self.message}}),
            content_type=JSON,
            # aiohttp would name itself and its version to whoever asks.
            headers={
                "Server": "receiptstream",
                **dict(self.headers),
                **({REQUEST_ID: request_id} if request_id else {}),
            },
        )
        if self.close:
            response.force_close()
        return response


class Refused(Exception):  # noqa: N818 -- not an error of ours but an answer
    """Carries a refusal out of the steps of a request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


_RETRY = (("Retry-After", str(RETRY_AFTER_S)),)

NOT_FOUND = Refusal(404, "not_found", "No webhook lives here: check the URL, its last part included.")
WRONG_SECRET = Refusal(404, NOT_FOUND.code, NOT_FOUND.message, outcome="wrong_secret")
METHOD_NOT_ALLOWED = Refusal(
    405, "method_not_allowed", "Send events with POST; GET and HEAD check the URL.", (("Allow", "GET, HEAD, POST"),)
)
UNKNOWN_METHOD = Refusal(
    405, METHOD_NOT_ALLOWED.code, METHOD_NOT_ALLOWED.message, METHOD_NOT_ALLOWED.headers, close=True
)
READ_ONLY = Refusal(405, "method_not_allowed", "Use GET or HEAD here.", (("Allow", "GET, HEAD"),))
TOO_LARGE = Refusal(
    413, "body_too_large", "Send fewer events a request, or raise INGEST_MAX_BODY_BYTES at the receiver.", close=True
)
UNSUPPORTED_ENCODING = Refusal(
    415,
    "unsupported_encoding",
    "Send the body plain, or with Content-Encoding gzip or deflate.",
    (("Accept-Encoding", "gzip, deflate, identity"),),
)
HEADERS_TIMEOUT = Refusal(408, "headers_timeout", "Send the request's headers within 10 seconds.", close=True)
BODY_TIMEOUT = Refusal(408, "body_timeout", "Send the whole body within 30 seconds.", close=True)
BUSY = Refusal(429, "busy", "Too many requests are in flight: send again later.", (("Retry-After", "1"),))
UNAVAILABLE = Refusal(
    503, "unavailable", "The events could not be stored durably, none may be lost: send them again later.", _RETRY
)
BAD_REQUEST = Refusal(400, "bad_request", "The request is not valid HTTP: correct the sender.", close=True)
BROKEN_BODY = Refusal(
    400, "broken_body", "The body ended early or is badly framed: send all of it as declared.", close=True
)
NO_KEYS = Refusal(
    503,
    "no_keys",
    "The sender's public keys could not be fetched yet: send again later, and check ZOHO_JWKS_URL.",
    _RETRY,
)
WRONG_ORG = Refusal(
    403, "wrong_org", "The token's org is not that of every element: send the events of one org with that org's token."
)
INTERNAL = Refusal(500, "internal", "The receiver failed on this request: look into its log.", close=True)


def not_json(reason: str, detail: str) -> Refusal:
    """Return the refusal of a body that is no JSON text; `reason` and `detail` come from `ingest.body`."""
    return Refusal(400, reason, f"Send a JSON array of events in UTF-8: {detail}. The body was kept as a dead letter.")


def nothing() -> Response:
    """Return the 200 of a set-up check."""
    return Response(body=b'{"accepted":0,"parked":0}', content_type=JSON)
