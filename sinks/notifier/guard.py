"""Where a notification may go: addresses of the public Internet, unless the settings allow private ones.

A name is resolved once, every address it has is checked, and the connection goes to a checked address: a name that
answers differently the next time gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64: Final = IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(OSError):
    """The host is, or resolves to, an address that is not public."""


def is_public(text: str) -> bool:
    """Tell whether an IP address is one of the public Internet; IPv4 within IPv6 counts as what it is."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_unspecified and not address.is_reserved


async def addresses(host: str, port: int, *, private: bool) -> list[tuple[int, tuple[Any, ...]]]:
    """Resolve a host to (family, socket address), all of them allowed.

    Raises ForbiddenAddressError when one of them is not allowed, OSError when the host has none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places: list[tuple[int, tuple[Any, ...]]] = [(family, address) for family, _, _, _, address in found]
    if not private:
        for _, address in places:
            if not is_public(str(address[0])):
                raise ForbiddenAddressError(
                    f"{host} is the private address {address[0]}: set NOTIFY_ALLOW_PRIVATE=true if that is meant"
                )
    if not places:
        raise OSError(f"{host} has no address")
    return places


class _Resolver(AbstractResolver):
    """Resolves for aiohttp, and refuses what `addresses` refuses."""

    def __init__(self, *, private: bool) -> None:
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, address in await addresses(host, port, private=self._private)
            if family in (socket.AF_UNSPEC, found)
        ]

    async def close(self) -> None:
        """Nothing is open."""


class _Connector(aiohttp.TCPConnector):
    """Asks the guard also where the host is an IP address already, which the library does not resolve."""

    def __init__(self, *, private: bool) -> None:
        super().__init__(resolver=_Resolver(private=private), use_dns_cache=False, limit=0)
        self._private = private

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        if not self._private:
            await addresses(host, port, private=False)
        return await super()._resolve_host(host, port, traces)


def session(*, private: bool) -> aiohttp.ClientSession:
    """Return an HTTP client that connects to allowed addresses only, follows no proxy and keeps no cookie."""
    return aiohttp.ClientSession(
        connector=_Connector(private=private),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"User-Agent": "Receiptstream"},
    )


async def connect(host: str, port: int, *, private: bool) -> socket.socket:
    """Return a connected socket to one of the host's addresses. Raises as `addresses`, and what connecting raises."""
    loop = asyncio.get_running_loop()
    failed: OSError = OSError(f"{host} has no address")
    for family, address in await addresses(host, port, private=private):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failed = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failed
