"""Zoho's public keys: fetched, kept while they cannot be fetched again, and asked for anew when one is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from core.errors import ConfigError
from core.logs import get
from ingest.token import ALGORITHM
from ingest.zoho import DATA_CENTRES, KEYS_PATH

log = get(__name__)

FETCH_TIMEOUT_S = 2.0
MAX_ANSWER_BYTES = 1024 * 1024
FRESH_S = 3600.0
"""Keys older than this are fetched again in the background."""
RETRY_S = 10.0
"""Shortest time between two fetches: a flood of unknown key ids is no flood of fetches."""
FIRST_RETRY_S = 1.0
"""The same while no keys were ever fetched."""
SMALLEST_KEY_BITS = 2048

Keys = Mapping[str, RSAPublicKey]


class NoKeysError(Exception):
    """No keys were ever fetched."""


def check_url(url: str) -> str:
    """Return the URL of the keys. Raises ConfigError unless it is https, or http on this machine."""
    parts = urlsplit(url)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))):
        return url
    raise ConfigError(
        f"ZOHO_JWKS_URL={url!r}: keys from there could be anybody's",
        fix="Write an https URL (or http on a loopback address), that of your data centre: "
        + ", ".join(f"https://{host}{KEYS_PATH}" for host in DATA_CENTRES),
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def parse_keys(text: bytes) -> Keys:
    """Return the usable keys of a JSON Web Key Set by their id. Raises ValueError when it is no key set."""
    found = orjson.loads(text)
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise ValueError("the answer is no JSON Web Key Set")  # noqa: TRY004 -- it is the sender's value that is wrong
    keys = {}
    for item in listed:
        key = _key(item)
        if key is not None:
            keys[item["kid"]] = key
    return keys


def _key(item: Any) -> RSAPublicKey | None:
    """Return an entry's public key, None when it is not one for us."""
    if not isinstance(item, dict) or not isinstance(item.get("kid"), str) or item.get("kty") != "RSA":
        return None
    if item.get("use", "sig") != "sig" or item.get("alg", ALGORITHM) != ALGORITHM:
        return None
    try:
        key = jwt.PyJWK({**item, "alg": ALGORITHM}).key
    except Exception as error:  # noqa: BLE001 -- one strange key must not cost the others
        log.warning("a key of Zoho's cannot be read", error=type(error).__name__)
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_KEY_BITS else None


async def fetch_keys(session: aiohttp.ClientSession, url: str) -> Keys:
    """Fetch the keys. Raises aiohttp.ClientError, TimeoutError, ValueError."""
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
    async with session.get(url, timeout=timeout, allow_redirects=False) as response:
        if response.status != 200:  # noqa: PLR2004 -- HTTP's own number
            raise ValueError(f"the answer's status is {response.status}")
        text = await response.content.read(MAX_ANSWER_BYTES)
        if not response.content.at_eof():
            raise ValueError("the answer is too large")
        return parse_keys(text)


class KeyStore:
    """The keys as they were fetched last; an old one is better than none."""

    def __init__(self, fetch: Callable[[], Awaitable[Keys]], monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: Keys | None = None
        self._fetched = 0.0
        self._tried: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    @property
    def known(self) -> bool:
        """Whether keys were ever fetched."""
        return self._keys is not None

    async def run(self) -> None:
        """Keep the keys fresh, requests or none; ends when cancelled."""
        while True:
            await self._refresh()
            await asyncio.sleep(FRESH_S if self.known else RETRY_S)

    async def get(self, kid: str) -> RSAPublicKey | None:
        """Return a key, None when Zoho has no such key. Raises NoKeysError."""
        if self._keys is None or kid not in self._keys:
            await self._refresh()
        elif self._monotonic() - self._fetched > FRESH_S:
            self.refresh_soon()
        if self._keys is None:
            raise NoKeysError
        return self._keys.get(kid)

    def refresh_soon(self) -> asyncio.Task[None] | None:
        """Fetch in the background, unless that was tried a moment ago."""
        if self._fetching is None:
            now = self._monotonic()
            pause = FIRST_RETRY_S if self._keys is None else RETRY_S
            if self._tried is not None and now - self._tried < pause:
                return None
            self._tried = now
            self._fetching = asyncio.create_task(self._load())
        return self._fetching

    async def _refresh(self) -> None:
        task = self.refresh_soon()
        if task is not None:
            # One fetch serves all who wait; one of them going away must not end it.
            await asyncio.wait({task})

    async def _load(self) -> None:
        try:
            self._keys = await self._fetch()
            self._fetched = self._monotonic()
            log.info("keys fetched", keys=len(self._keys))
        except Exception as error:  # noqa: BLE001 -- whatever keeps the keys away, the old ones still serve
            log.warning("Zoho's keys could not be fetched", error=repr(error), keys=len(self._keys or {}))
        finally:
            self._fetching = None

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})
