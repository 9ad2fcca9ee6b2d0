"""Notifications as tasks in Zoho Desk: POST /api/v1/tasks, with a refreshed OAuth token."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson

from core.clock import now_ms
from sinks.notifier.config import ZohoDeskTask
from sinks.notifier.content import Notification
from sinks.notifier.http import post
from sinks.notifier.sending import RefusedError, TryAgainError

SUBJECT = 300
DESCRIPTION = 65_535
"""Zoho's own limits, characters."""
EARLY_MS = 60_000
"""A token is renewed this long before it expires."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class ZohoSender:
    """Makes a task of each notification."""

    def __init__(self, session: aiohttp.ClientSession, target: ZohoDeskTask, timeout_s: float) -> None:
        self._session, self._target, self._timeout_s = session, target, timeout_s
        self._token = ""
        self._expires = 0
        """Epoch ms."""

    async def send(self, notification: Notification) -> None:
        """Return when Zoho has made the task."""
        headers = {
            "Authorization": f"Zoho-oauthtoken {await self._fresh_token()}",
            "orgId": self._target.org_id,
            "Content-Type": "application/json",
        }
        body = orjson.dumps(task(notification, self._target))
        try:
            await post(self._session, f"{self._target.url}/api/v1/tasks", body, headers, self._timeout_s)
        except TryAgainError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                self._token = ""
            raise

    async def _fresh_token(self) -> str:
        if self._token and now_ms() < self._expires:
            return self._token
        target = self._target
        form = {
            "grant_type": "refresh_token",
            "client_id": target.client_id,
            "client_secret": target.client_secret.get_secret_value(),
            "refresh_token": target.refresh_token.get_secret_value(),
        }
        url = f"{target.accounts_url}/oauth/v2/token"
        try:
            answer = orjson.loads(await post(self._session, url, urlencode(form).encode(), _FORM, self._timeout_s))
            # Zoho answers 200 also when it refuses, with an `error`.
            token, lasts = answer["access_token"], int(answer.get("expires_in", 3600))
        except (RefusedError, KeyError, TypeError, ValueError):
            raise TryAgainError("Zoho gave no token: check client_id, client_secret and refresh_token") from None
        self._token, self._expires = str(token), now_ms() + lasts * 1000 - EARLY_MS
        return self._token


def task(notification: Notification, target: ZohoDeskTask) -> dict[str, Any]:
    """Return the body of a task."""
    described = "\n".join((notification.title, *notification.lines, f"Id: {notification.id}"))
    body = {
        "departmentId": target.department_id,
        "subject": notification.title[:SUBJECT],
        "description": described[:DESCRIPTION],
        "priority": target.priority,
        "dueDate": notification.payload["timestamp"],
    }
    if target.owner_id:
        body["ownerId"] = target.owner_id
    if target.category:
        body["category"] = target.category
    return body
