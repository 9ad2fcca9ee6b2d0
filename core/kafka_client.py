"""How every client of every role connects to Kafka: addresses, TLS, log-in, tokens, and why it fails."""

from __future__ import annotations

import asyncio
import socket
import ssl
from time import monotonic
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import orjson
from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from core.errors import BrokerRefusedError, BrokerUnavailableError
from core.settings import Settings
from core.tls import tls_context

Kafka = Settings | str
"""Where Kafka is: the settings, or the bootstrap servers of one that asks for nothing, as the sandbox's own."""

PROBE_TIMEOUT_S = 5.0
TOKEN_TIMEOUT_S = 10.0
DEFAULT_LIFETIME_S = 300.0
"""Of a token whose answer does not tell it."""
SERVER_ERROR = 500
RENEW_AT = 0.8
"""The part of its lifetime after which a token is renewed; while that fails, it is used to its end."""


def address_of(kafka: Kafka) -> str:
    """Return the bootstrap servers, for messages."""
    return kafka if isinstance(kafka, str) else kafka.kafka_bootstrap_servers


def client_options(kafka: Kafka) -> dict[str, Any]:
    """Return the aiokafka options that every client shares. Raises ConfigError where a file cannot be used."""
    if isinstance(kafka, str):
        return {"bootstrap_servers": kafka}
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.kafka_bootstrap_servers,
        "client_id": kafka.kafka_client_id,
        "security_protocol": kafka.kafka_security_protocol,
    }
    if kafka.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = tls_context(
            kafka.kafka_ssl_ca_file,
            kafka.kafka_ssl_cert_file,
            kafka.kafka_ssl_key_file,
            kafka.kafka_ssl_key_password.get_secret_value(),
            names=("KAFKA_SSL_CA_FILE", "KAFKA_SSL_CERT_FILE"),
        )
    if kafka.kafka_security_protocol.startswith("SASL"):
        options |= _log_in(kafka)
    return options


def consumer_options(kafka: Kafka) -> dict[str, Any]:
    """Return the options of a consumer: those of every client, and the rack to fetch from."""
    rack = "" if isinstance(kafka, str) else kafka.kafka_client_rack
    return client_options(kafka) | ({"client_rack": rack} if rack else {})


def _log_in(settings: Settings) -> dict[str, Any]:
    mechanism = settings.kafka_sasl_mechanism
    if mechanism == "OAUTHBEARER":
        return {"sasl_mechanism": mechanism, "sasl_oauth_token_provider": ClientCredentials(settings)}
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
    }


class TokenError(KafkaConnectionError):  # type: ignore[misc] # aiokafka ships no types
    """No token was to be had: to a client that is a connection that failed, and it tries again."""


class TokenRefusedError(TokenError):
    """The issuer answers that this client gets none."""


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc] # aiokafka ships no types
    """OAuth 2.0 client credentials: asks for a token when the last one grows old.

    Used from several threads' loops (Faust's consumer has its own), so that nothing is kept but a tuple.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.kafka_oauth_token_url
        self._user = settings.kafka_oauth_client_id
        self._secret = settings.kafka_oauth_client_secret
        self._form = {"grant_type": "client_credentials"}
        if settings.kafka_oauth_scope:
            self._form["scope"] = settings.kafka_oauth_scope
        self._context = ssl.create_default_context()
        if settings.kafka_ssl_ca_file is not None:
            # The issuer of tokens may be certified by the same authority as the brokers, or by a public one.
            self._context.load_verify_locations(settings.kafka_ssl_ca_file)
        self._kept = ("", 0.0, 0.0)
        """Token, when to renew it, when it ends (monotonic seconds)."""

    async def token(self) -> str:
        """Return a token that is valid now. Raises TokenError."""
        token, renew_at, ends = self._kept
        now = monotonic()
        if now < renew_at:
            return token
        try:
            token, lifetime = await self._fetch()
        except TokenError:
            if now < ends:
                return token
            raise
        self._kept = (token, now + lifetime * RENEW_AT, now + lifetime)
        return token

    async def _fetch(self) -> tuple[str, float]:
        # RFC 6749, 2.3.1: both are form-encoded before they are joined.
        user, secret = quote_plus(self._user), quote_plus(self._secret.get_secret_value())
        headers = {"Authorization": aiohttp.encode_basic_auth(user, secret)}
        timeout = aiohttp.ClientTimeout(total=TOKEN_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._url, data=self._form, headers=headers, ssl=self._context) as answer,
            ):
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TokenError(f"KAFKA_OAUTH_TOKEN_URL {self._url} does not answer: {error!r}") from error
        try:
            found = orjson.loads(body)
            return str(found["access_token"]), float(found.get("expires_in", DEFAULT_LIFETIME_S))
        except (ValueError, KeyError, TypeError, AttributeError):
            # Only the standard's own error field is told: the rest may hold what must not be logged.
            told = f" ({_error_field(body)})" if _error_field(body) else ""
            kind = TokenError if answer.status >= SERVER_ERROR else TokenRefusedError
            raise kind(f"KAFKA_OAUTH_TOKEN_URL {self._url} gives no token: it answers {answer.status}{told}") from None


def _error_field(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["error"])[:100]
    except (ValueError, KeyError, TypeError):
        return ""


async def unavailable(kafka: Kafka, error: BaseException) -> BrokerUnavailableError:
    """Return the error to raise when a client could not start: asks a broker once more why.

    A client that cannot start tells only that it could not; the reason (a wrong password, an unknown authority) is
    what a connection of its own is told.
    """
    place = f"Kafka at {address_of(kafka)}"
    try:
        await asyncio.wait_for(_probe(kafka), PROBE_TIMEOUT_S)
    except (SaslAuthenticationFailed, UnsupportedSaslMechanismError) as reason:
        return BrokerRefusedError(
            f"{place} refuses the log-in{_who(kafka)}: {_text(reason)}",
            fix="Check KAFKA_SASL_MECHANISM, and the user and password or the token's client that go with it",
        )
    except TokenRefusedError as reason:
        return BrokerRefusedError(
            f"no log-in to {place}: {_text(reason)}", fix="Check KAFKA_OAUTH_CLIENT_ID and KAFKA_OAUTH_CLIENT_SECRET"
        )
    except ssl.SSLCertVerificationError as reason:
        return BrokerRefusedError(
            f"{place} shows a certificate that is not trusted: {reason.verify_message}",
            fix="Set KAFKA_SSL_CA_FILE to the authority that signed it, and name brokers as their certificates do",
        )
    except TokenError as reason:
        return BrokerUnavailableError(f"no log-in to {place}: {_text(reason)}", fix="Check KAFKA_OAUTH_TOKEN_URL")
    except ssl.SSLEOFError as reason:
        return BrokerUnavailableError(f"{place} closed the connection: {_text(reason)}", fix=_PROTOCOL)
    except ssl.SSLError as reason:
        return BrokerRefusedError(f"{place} and this client agree on no TLS: {reason.reason}", fix=_PROTOCOL)
    except (ConnectionRefusedError, socket.gaierror, TimeoutError) as reason:
        return BrokerUnavailableError(f"{place} does not answer: {reason!r}", fix="Check KAFKA_BOOTSTRAP_SERVERS")
    except (KafkaError, EOFError, OSError) as reason:
        return BrokerUnavailableError(f"{place} closed the connection: {_text(reason)}", fix=_PROTOCOL)
    return BrokerUnavailableError(f"{place} does not serve: {error!r}", fix="Check KAFKA_BOOTSTRAP_SERVERS")


_PROTOCOL = (
    "Check that KAFKA_BOOTSTRAP_SERVERS names a listener that speaks KAFKA_SECURITY_PROTOCOL, and that it has a "
    "certificate (KAFKA_SSL_CERT_FILE) where it asks clients for one"
)


async def _probe(kafka: Kafka) -> None:
    options = client_options(kafka)
    host, port, _ = collect_hosts(options.pop("bootstrap_servers"))[0]
    connection = await create_conn(host, port, request_timeout_ms=int(PROBE_TIMEOUT_S * 1000), **options)
    try:
        await connection.send(MetadataRequest([]))
    finally:
        connection.close()


def _who(kafka: Kafka) -> str:
    if isinstance(kafka, str) or not kafka.kafka_sasl_mechanism:
        return ""
    if kafka.kafka_sasl_username:
        return f" of KAFKA_SASL_USERNAME={kafka.kafka_sasl_username!r} ({kafka.kafka_sasl_mechanism})"
    return f" ({kafka.kafka_sasl_mechanism})"


def _text(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__
