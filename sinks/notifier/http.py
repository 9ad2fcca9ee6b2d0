"""Notifications over HTTP: Standard Webhooks, and the incoming webhooks of Slack and Teams."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp
import orjson
from standardwebhooks.webhooks import Webhook as Signer

from core.clock import now_ms
from sinks.notifier.config import Chat, Webhook
from sinks.notifier.content import Notification, plain
from sinks.notifier.sending import GoneError, RefusedError, TryAgainError

READ_BYTES: Final = 2048
"""How much of an answer is looked at."""
LONGEST_ASKED_S: Final = 3600.0
"""No receiver can hold back its alerts for longer by Retry-After."""
_JSON: Final = {"Content-Type": "application/json"}
_REFUSED: Final = frozenset({400, 413, 415, 422})
_SLACK_LIMIT: Final = 35_000
"""Characters; Slack takes 40,000."""
_TEAMS_LIMIT: Final = 20_000
"""Characters; a card may have 28 KB."""


async def post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float
) -> bytes:
    """Post and return the beginning of a 2xx answer. Redirects are not followed.

    Raises TryAgainError, RefusedError (the answer says that this content is wrong) or GoneError.
    """
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False, timeout=timeout) as response:
            answer = await _beginning(response)
    except TimeoutError:
        raise TryAgainError(f"no answer within {timeout_s:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        # The library's text may name the URL, which may be a secret.
        raise TryAgainError(_without_url(error)) from None
    if 200 <= response.status < 300:  # noqa: PLR2004
        return answer
    told = f"HTTP {response.status}"
    if 300 <= response.status < 400:  # noqa: PLR2004
        raise TryAgainError(f"{told}: redirects are not followed; name the final URL")
    if response.status == 410:  # noqa: PLR2004
        raise GoneError(told)
    text = plain(answer.decode(errors="replace"))[:200]
    if response.status in _REFUSED:
        raise RefusedError(f"{told}: {text}")
    after = retry_after(response.headers.get("Retry-After"), now_ms())
    raise TryAgainError(f"{told}: {text}", after=after, status=response.status)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Read no more than is looked at: a receiver may send without end."""
    found = b""
    while len(found) < READ_BYTES:
        chunk = await response.content.read(READ_BYTES - len(found))
        if not chunk:
            break
        found += chunk
    return found


def _without_url(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, aiohttp.ClientConnectorError) and error.__cause__ else error
    reason = getattr(cause, "strerror", None) or str(cause)
    text = reason if isinstance(cause, OSError) and reason else type(error).__name__
    return plain(re.sub(r"https?://\S+", "the URL", text))


def retry_after(value: str | None, now: int) -> float:
    """Return how many seconds a Retry-After header asks for, at most an hour; 0 where it says nothing readable."""
    if value is None:
        return 0.0
    if value.isascii() and value.isdecimal() and len(value) < 10:  # noqa: PLR2004
        return min(float(value), LONGEST_ASKED_S)
    try:
        moment = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(0.0, moment - now / 1000), LONGEST_ASKED_S)


class WebhookSender:
    """Posts in the form of Standard Webhooks."""

    def __init__(self, session: aiohttp.ClientSession, target: Webhook, timeout_s: float) -> None:
        self._session, self._url, self._timeout_s = session, target.url, timeout_s
        self._signers = [Signer(secret.get_secret_value()) for secret in target.secrets]

    async def send(self, notification: Notification) -> None:
        """Sign anew at each try: a receiver refuses old timestamps."""
        body = orjson.dumps(notification.payload)
        await post(self._session, self._url, body, self.headers(notification.id, body, now_ms()), self._timeout_s)

    def headers(self, ident: str, body: bytes, now: int) -> dict[str, str]:
        """Return what goes with a body that is sent at `now` (epoch ms)."""
        at = datetime.fromtimestamp(now // 1000, UTC)
        signatures = [signer.sign(ident, at, body.decode()) for signer in self._signers]
        return {
            **_JSON,
            "webhook-id": ident,
            "webhook-timestamp": str(now // 1000),
            "webhook-signature": " ".join(signatures),
        }


class ChatSender:
    """Posts what people read in a chat."""

    def __init__(self, session: aiohttp.ClientSession, target: Chat, timeout_s: float) -> None:
        self._session, self._target, self._timeout_s = session, target, timeout_s

    async def send(self, notification: Notification) -> None:
        """Post the notification's text."""
        body = teams(notification) if self._target.form == "teams" else slack(notification)
        await post(self._session, self._target.url.get_secret_value(), orjson.dumps(body), _JSON, self._timeout_s)


def slack(notification: Notification) -> dict[str, Any]:
    """Return Slack's form: what stands for markup or mentions in ids is escaped."""
    lines = [f"*{_escaped(notification.title)}*", *map(_escaped, notification.lines)]
    return {"text": _within("\n".join(lines), _SLACK_LIMIT), "mrkdwn": True, "unfurl_links": False}


def _escaped(text: str) -> str:
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, entity)
    # A zero-width space keeps pairs of these from being read as markup.
    return re.sub(r"([*_~`])", "\\1\u200b", text)


def teams(notification: Notification) -> dict[str, Any]:
    """Return an Adaptive Card in the envelope that Teams' incoming webhooks and workflows take."""
    body = [_block(notification.title, weight="Bolder")]
    body.append(_block(_within("\n\n".join(map(_unmarked, notification.lines)), _TEAMS_LIMIT)))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _block(text: str, **more: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **more}


def _unmarked(text: str) -> str:
    return re.sub(r"([\\*_\[\]<>])", r"\\\1", text)


def _within(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"
