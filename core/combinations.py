"""Settings that are each right and together are not: how Kafka and ClickHouse are reached. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TLS = ("kafka_ssl_ca_file", "kafka_ssl_cert_file", "kafka_ssl_key_file", "kafka_ssl_key_password")
_USER = ("kafka_sasl_username", "kafka_sasl_password")
_OAUTH = ("kafka_oauth_token_url", "kafka_oauth_client_id", "kafka_oauth_client_secret")


def wrong(settings: Any) -> Iterator[str]:
    """Yield what is wrong in the settings, as variable, value and fix. They are untyped: core.settings imports this."""
    yield from _kafka_protocol(settings)
    yield from _kafka_log_in(settings)
    yield from _pair(settings, "kafka_ssl_key_file", "kafka_ssl_cert_file")
    yield from _pair(settings, "kafka_ssl_key_password", "kafka_ssl_cert_file")
    yield from _clickhouse(settings)


def _kafka_protocol(settings: Any) -> Iterator[str]:
    protocol = settings.kafka_security_protocol
    given = f"KAFKA_SECURITY_PROTOCOL={protocol!r}"
    if protocol != "PLAINTEXT" and not settings.kafka_bootstrap_servers:
        yield f"{given}: the sandbox's own Kafka speaks PLAINTEXT; set KAFKA_BOOTSTRAP_SERVERS too, or unset it"
    if "SASL" not in protocol:
        for name in _given(settings, ("kafka_sasl_mechanism", *_USER, *_OAUTH, "kafka_oauth_scope")):
            yield f"{_shown(settings, name)}: {given} does not log in; set it to SASL_SSL, or unset {name.upper()}"
    if "SSL" not in protocol:
        for name in _given(settings, _TLS):
            # The issuer of tokens may need the authority although the brokers do not.
            if name != "kafka_ssl_ca_file" or settings.kafka_sasl_mechanism != "OAUTHBEARER":
                yield f"{_shown(settings, name)}: {given} has no TLS; set SSL or SASL_SSL, or unset {name.upper()}"


def _kafka_log_in(settings: Any) -> Iterator[str]:
    mechanism = settings.kafka_sasl_mechanism
    if "SASL" not in settings.kafka_security_protocol:
        return
    if not mechanism:
        yield (
            f"KAFKA_SASL_MECHANISM='': KAFKA_SECURITY_PROTOCOL={settings.kafka_security_protocol!r} needs one; "
            "set PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
        )
        return
    needed, useless = (_OAUTH, _USER) if mechanism == "OAUTHBEARER" else (_USER, _OAUTH)
    for name in needed:
        if not _value(settings, name):
            yield f"{name.upper()}='': KAFKA_SASL_MECHANISM={mechanism!r} needs it; set it"
    for name in _given(settings, useless):
        yield f"{_shown(settings, name)}: KAFKA_SASL_MECHANISM={mechanism!r} does not use it; unset it"


def _clickhouse(settings: Any) -> Iterator[str]:
    if "@" in settings.clickhouse_url.partition("://")[2].partition("/")[0]:
        # Addresses stand in errors and logs.
        yield "CLICKHOUSE_URL: it carries a user or password; name them in CLICKHOUSE_USER and CLICKHOUSE_PASSWORD"
    if not settings.clickhouse_url.startswith("https:"):
        for name in _given(settings, ("clickhouse_ca_file", "clickhouse_cert_file", "clickhouse_key_file")):
            yield (
                f"{_shown(settings, name)}: CLICKHOUSE_URL={settings.clickhouse_url!r} has no TLS; "
                f"write https://, or unset {name.upper()}"
            )
    yield from _pair(settings, "clickhouse_key_file", "clickhouse_cert_file")


def _pair(settings: Any, name: str, needs: str) -> Iterator[str]:
    if _value(settings, name) and not _value(settings, needs):
        yield f"{_shown(settings, name)}: it belongs to a certificate; set {needs.upper()} too, or unset it"


def _given(settings: Any, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if _value(settings, name)]


def _value(settings: Any, name: str) -> str:
    value = getattr(settings, name)
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value or "")


def _shown(settings: Any, name: str) -> str:
    secret = hasattr(getattr(settings, name), "get_secret_value")
    return f"{name.upper()}={'***' if secret else repr(_value(settings, name))}"
