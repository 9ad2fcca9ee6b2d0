"""What connects to Kafka and ClickHouse: bad combinations refuse, every client gets the same options."""

from __future__ import annotations

from typing import Any

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from core.errors import ConfigError
from core.kafka import TopicSpec, client_options, consumer_options, differences
from core.kafka_client import ClientCredentials, TokenRefusedError
from core.settings import Settings, parse
from processors.connection import credentials
from tests.deploy.authority import Authority
from tests.deploy.fronts import issuing

KAFKA = {"KAFKA_BOOTSTRAP_SERVERS": "k1:9092,k2:9092"}
TLS = {**KAFKA, "KAFKA_SECURITY_PROTOCOL": "SSL"}
SASL = {**KAFKA, "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
PLAIN = {**SASL, "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "s3cret"}
OAUTH = {
    **SASL,
    "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "KAFKA_OAUTH_TOKEN_URL": "https://login.example.com/token",
    "KAFKA_OAUTH_CLIENT_ID": "c",
    "KAFKA_OAUTH_CLIENT_SECRET": "s3cret",
}


def without(environ: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in environ.items() if key != name}


@pytest.mark.parametrize(
    ("environ", "variable", "fix"),
    [
        (
            without(PLAIN, "KAFKA_BOOTSTRAP_SERVERS"),
            "KAFKA_SECURITY_PROTOCOL='SASL_SSL'",
            "set KAFKA_BOOTSTRAP_SERVERS",
        ),
        ({**PLAIN, "KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL='TLS'", "'SASL_SSL'"),
        ({**PLAIN, "KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_SASL_MECHANISM='PLAIN'", "set it to SASL_SSL"),
        ({**KAFKA, "KAFKA_SASL_PASSWORD": "s3cret"}, "KAFKA_SASL_PASSWORD=***", "unset KAFKA_SASL_PASSWORD"),
        (SASL, "KAFKA_SASL_MECHANISM=''", "set PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"),
        ({**PLAIN, "KAFKA_SASL_MECHANISM": "SCRAM"}, "KAFKA_SASL_MECHANISM='SCRAM'", "SCRAM-SHA-512"),
        (without(PLAIN, "KAFKA_SASL_PASSWORD"), "KAFKA_SASL_PASSWORD=''", "set it"),
        (without(OAUTH, "KAFKA_OAUTH_TOKEN_URL"), "KAFKA_OAUTH_TOKEN_URL=''", "set it"),
        ({**OAUTH, "KAFKA_SASL_USERNAME": "u"}, "KAFKA_SASL_USERNAME='u'", "unset it"),
        ({**PLAIN, "KAFKA_OAUTH_CLIENT_SECRET": "s3cret"}, "KAFKA_OAUTH_CLIENT_SECRET=***", "unset it"),
        ({**KAFKA, "KAFKA_SSL_CA_FILE": "/ca.pem"}, "KAFKA_SSL_CA_FILE='/ca.pem'", "set SSL or SASL_SSL"),
        ({**TLS, "KAFKA_SSL_KEY_FILE": "/k.pem"}, "KAFKA_SSL_KEY_FILE='/k.pem'", "set KAFKA_SSL_CERT_FILE"),
        ({**TLS, "KAFKA_SSL_KEY_PASSWORD": "s3cret"}, "KAFKA_SSL_KEY_PASSWORD=***", "set KAFKA_SSL_CERT_FILE"),
        (
            {"CLICKHOUSE_URL": "http://c:8123", "CLICKHOUSE_CA_FILE": "/ca.pem"},
            "CLICKHOUSE_CA_FILE='/ca.pem'",
            "write https",
        ),
        (
            {"CLICKHOUSE_URL": "https://c:8443", "CLICKHOUSE_KEY_FILE": "/k.pem"},
            "CLICKHOUSE_KEY_FILE='/k.pem'",
            "set CLICKHOUSE_CERT_FILE",
        ),
        ({"CLICKHOUSE_URL": "http://u:s3cret@c:8123"}, "CLICKHOUSE_URL: it carries", "CLICKHOUSE_PASSWORD"),
        ({**KAFKA, "KAFKA_TOPICS": "never"}, "KAFKA_TOPICS='never'", "'check'"),
    ],
)
def test_a_bad_combination_names_variable_value_and_fix(environ: dict[str, str], variable: str, fix: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(environ)
    assert variable in str(refused.value)
    assert fix in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_password_shows_in_no_repr() -> None:
    assert "s3cret" not in repr(parse(PLAIN)) + repr(parse(OAUTH))


@pytest.mark.parametrize("environ", [KAFKA, TLS, PLAIN, OAUTH, {**PLAIN, "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256"}])
def test_faust_connects_with_the_options_of_every_client(environ: dict[str, str]) -> None:
    options = client_options(parse(environ))
    given = {"bootstrap_servers", "client_id"}
    auth = credentials_to_aiokafka_auth(credentials(options), None)
    assert {name: value for name, value in auth.items() if value is not None} == {
        name: value for name, value in options.items() if name not in given
    }


def test_a_consumer_tells_its_rack_and_nobody_else_does() -> None:
    settings = parse({**KAFKA, "KAFKA_CLIENT_RACK": "eu-1a"})
    assert consumer_options(settings)["client_rack"] == "eu-1a"
    assert "client_rack" not in client_options(settings)
    assert "client_rack" not in consumer_options(parse(KAFKA))


def settings_of(url: str, secret: str) -> Settings:
    return parse({**OAUTH, "KAFKA_OAUTH_TOKEN_URL": url, "KAFKA_OAUTH_CLIENT_SECRET": secret})


async def test_a_token_is_asked_for_once_in_its_lifetime() -> None:
    with issuing() as issuer:
        provider = ClientCredentials(settings_of(issuer.url, "cc"))
        first = await provider.token()
        assert await provider.token() == first
        assert issuer.asked == 1


async def test_a_token_is_renewed_before_its_end_and_used_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("core.kafka_client.monotonic", lambda: now)
    with issuing() as issuer:
        provider = ClientCredentials(settings_of(issuer.url, "cc"))
        first = await provider.token()
        now += 17
        second = await provider.token()
        assert issuer.asked == 2
        assert second != first
    now += 17
    assert await provider.token() == second


async def test_an_issuer_that_refuses_is_told_without_the_secret() -> None:
    with issuing() as issuer:
        provider = ClientCredentials(settings_of(issuer.url, "s3cret"))
        with pytest.raises(TokenRefusedError, match=r"it answers 401 \(invalid_client\)") as refused:
            await provider.token()
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("shape", "config", "found"),
    [
        ((4, 3), {"retention.ms": "1000"}, []),
        ((4, 3), {"retention.ms": "-1"}, []),
        ((4, 3), {"retention.ms": "999"}, ["has retention.ms=999, not 1000"]),
        ((3, 3), {"retention.ms": "1000"}, ["has 3 partitions, not 4 (RAW_PARTITIONS)"]),
        ((4, 1), {"retention.ms": "1000"}, ["has 1 replicas, not 3 (REPLICATION_FACTOR)"]),
        ((4, 3), {"retention.ms": "1000", "cleanup.policy": "delete"}, ["has cleanup.policy=delete, not compact"]),
        ((4, 3), {"retention.ms": "1000", "max.message.bytes": "9"}, ["has max.message.bytes=9, not 10"]),
        ((4, 3), {"retention.ms": "1000", "max.message.bytes": "11", "segment.ms": "5"}, []),
    ],
)
def test_a_topic_differs_where_something_would_be_lost(
    shape: tuple[int, int], config: dict[str, str], found: list[str]
) -> None:
    wanted = {
        "retention.ms": "1000",
        "cleanup.policy": "compact",
        "max.message.bytes": "10",
        "segment.ms": "7",
    }
    configs = {"t": {"cleanup.policy": "compact", "max.message.bytes": "10", "segment.ms": "7", **config}}
    assert differences(TopicSpec("t", config=wanted), 4, 3, shape, configs) == found


def test_a_topic_whose_settings_nobody_tells_is_not_taken_as_right() -> None:
    assert differences(TopicSpec("t"), 4, 1, (4, 1), {}) == [
        "does not tell this user its settings (right DescribeConfigs)"
    ]


def test_a_certificate_and_an_encrypted_key_are_read(tmp_path: Any) -> None:
    authority = Authority(tmp_path)
    made = authority.issue("somebody", "pass phrase")
    environ = {
        **TLS,
        "KAFKA_SSL_CA_FILE": str(authority.file),
        "KAFKA_SSL_CERT_FILE": str(made.cert),
        "KAFKA_SSL_KEY_FILE": str(made.key),
    }
    assert client_options(parse({**environ, "KAFKA_SSL_KEY_PASSWORD": "pass phrase"}))["ssl_context"]
    for password in ("", "another"):
        with pytest.raises(ConfigError, match="the key's password"):
            client_options(parse({**environ, "KAFKA_SSL_KEY_PASSWORD": password}))
