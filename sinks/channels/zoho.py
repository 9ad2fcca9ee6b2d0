"""Zoho Desk's own list of channels: GET /api/v1/im/channels with a refreshed OAuth token."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from core.errors import ConfigError, ReceiptstreamError
from core.settings import Settings
from sinks.channels.listing import Channel, from_zoho

_CREDENTIALS: Final = {
    "ZOHO_CLIENT_ID": "zoho_client_id",
    "ZOHO_CLIENT_SECRET": "zoho_client_secret",
    "ZOHO_REFRESH_TOKEN": "zoho_refresh_token",
}
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_OK, _NO_CONTENT, _UNAUTHORIZED = 200, 204, 401
_NO_PAGES: Final = frozenset({400, 404, 422})
MOST_PAGES: Final = 1000


class ZohoError(ReceiptstreamError):
    """Zoho did not give what it was asked for."""

    tag = "zoho"
    retryable = True


class ZohoChannels:
    """Reads the channels of orgs. `session` is used for Zoho alone."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        missing = [name for name, field in _CREDENTIALS.items() if not _plain(getattr(settings, field))]
        if missing:
            raise ConfigError(
                f"{', '.join(missing)} not set",
                fix="Make a client in Zoho's API console that may read Desk's channels, and set its values",
            )
        for name, url in (("ZOHO_API_URL", settings.zoho_api_url), ("ZOHO_ACCOUNTS_URL", settings.zoho_accounts_url)):
            parts = urlsplit(url)
            if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
                raise ConfigError(f"{name}={url}: credentials go over https alone", fix="Write an https:// URL")
        self._session = session
        self._settings = settings
        self._token = ""

    async def of_org(self, org_id: str) -> list[Channel]:
        """Return all channels of an org. Raises ZohoError.

        Zoho does not tell whether the list comes in pages: what follows is asked for until nothing new comes.
        """
        found: dict[str, dict[str, Any]] = {}
        for _ in range(MOST_PAGES):
            page = await self._page(org_id, len(found))
            new = {str(row.get("id")): row for row in page if str(row.get("id")) not in found}
            if not new:
                break
            found |= new
        return from_zoho(found.values(), org_id)

    async def _page(self, org_id: str, start: int) -> list[dict[str, Any]]:
        query = {"from": str(start)} if start else {}
        for fresh in (False, True):
            headers = {"Authorization": f"Zoho-oauthtoken {await self._access(fresh=fresh)}", "orgId": org_id}
            url = f"{self._settings.zoho_api_url}/api/v1/im/channels"
            status, answer = await self._ask("GET", url, headers=headers, params=query)
            if status != _UNAUTHORIZED:
                break
        if status == _NO_CONTENT or (start and status in _NO_PAGES):
            return []
        if status != _OK or not isinstance(answer.get("data"), list):
            raise ZohoError(
                f"Zoho's list of channels of org {org_id}: HTTP {status} {answer.get('errorCode', '')}".rstrip(),
                fix="Check the org id, the scope of the token, and ZOHO_API_URL (each data centre has its own)",
            )
        return list(answer["data"])

    async def _access(self, *, fresh: bool) -> str:
        """Return the access token; a fresh one when the last was refused."""
        if self._token and not fresh:
            return self._token
        form = {"grant_type": "refresh_token"} | {
            field.removeprefix("zoho_"): _plain(getattr(self._settings, field)) for field in _CREDENTIALS.values()
        }
        url = f"{self._settings.zoho_accounts_url}/oauth/v2/token"
        status, answer = await self._ask("POST", url, data=form)
        # Zoho answers 200 also when it refuses, with an `error`.
        if not isinstance(answer.get("access_token"), str):
            raise ZohoError(
                f"Zoho gave no access token: HTTP {status} {answer.get('error', '')}".rstrip(),
                fix="Check ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET, ZOHO_REFRESH_TOKEN and ZOHO_ACCOUNTS_URL",
            )
        self._token = answer["access_token"]
        return self._token

    async def _ask(self, method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
        try:
            async with self._session.request(method, url, allow_redirects=False, **options) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ZohoError(f"{urlsplit(url).netloc} does not answer: {type(error).__name__}") from None
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            answer = None
        return response.status, answer if isinstance(answer, dict) else {}


def _plain(value: Any) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)
