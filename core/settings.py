"""The settings: one frozen object, parsed once from an environment mapping.

Only entry points pass `os.environ`. A bad value refuses to start and names the variable, the value and the fix.
`docs/settings.md` is made from this class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from core import combinations
from core.errors import ConfigError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: object) -> object:
    """Turn `15m`, `48h`, `500ms` or bare seconds into a timedelta; other types pass through."""
    if not isinstance(text, str):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", text)
    if match is None:
        raise ValueError("write a number and a unit, such as 500ms, 30s, 15m, 48h or 14d")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])


def parse_list(text: object) -> object:
    """Turn a comma-separated text into a tuple of its non-empty parts; other types pass through."""
    if not isinstance(text, str):
        return text
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write a URL such as http://127.0.0.1:8123")
    return text.rstrip("/")


Duration = Annotated[timedelta, BeforeValidator(parse_duration), Field(gt=timedelta(0))]
Port = Annotated[int, Field(ge=0, le=65535)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(parse_list)]
HttpUrl = Annotated[str, BeforeValidator(_http_url)]


def default_state_dir() -> Path:
    """Return the state directory that all commands share when none is named."""
    return platformdirs.user_state_path("receiptstream")


def env(name: str, default: Any, description: str) -> Any:
    """Declare a setting: its environment variable, its default, and its line in `docs/settings.md`."""
    return Field(default=default, alias=name, description=description)


class Settings(BaseModel):
    """Every setting of every role. Times are timedeltas, sizes bytes, secrets masked in every repr."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    kafka_bootstrap_servers: str = env(
        "KAFKA_BOOTSTRAP_SERVERS", "", "Kafka brokers, host:port comma separated. Empty: the sandbox of STATE_DIR."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = env(
        "KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", "What Kafka's listener speaks: TLS (SSL), a log-in (SASL), both."
    )
    kafka_sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = env(
        "KAFKA_SASL_MECHANISM", "", "How to log in where KAFKA_SECURITY_PROTOCOL has SASL."
    )
    kafka_sasl_username: str = env("KAFKA_SASL_USERNAME", "", "User of PLAIN and SCRAM.")
    kafka_sasl_password: SecretStr = env("KAFKA_SASL_PASSWORD", SecretStr(""), "Password of PLAIN and SCRAM.")
    kafka_oauth_token_url: HttpUrl | Literal[""] = env(
        "KAFKA_OAUTH_TOKEN_URL", "", "Where OAUTHBEARER gets tokens, by OAuth 2.0 client credentials."
    )
    kafka_oauth_client_id: str = env("KAFKA_OAUTH_CLIENT_ID", "", "Client of KAFKA_OAUTH_TOKEN_URL.")
    kafka_oauth_client_secret: SecretStr = env("KAFKA_OAUTH_CLIENT_SECRET", SecretStr(""), "The client's secret.")
    kafka_oauth_scope: str = env("KAFKA_OAUTH_SCOPE", "", "Scopes to ask for, space separated. Empty: none.")
    kafka_ssl_ca_file: Path | None = env(
        "KAFKA_SSL_CA_FILE", None, "Authorities that sign the brokers' certificates, PEM. Empty: the system's."
    )
    kafka_ssl_cert_file: Path | None = env(
        "KAFKA_SSL_CERT_FILE", None, "Client certificate, PEM, where brokers ask for one."
    )
    kafka_ssl_key_file: Path | None = env(
        "KAFKA_SSL_KEY_FILE", None, "Private key of KAFKA_SSL_CERT_FILE, PEM. Empty: it stands in the same file."
    )
    kafka_ssl_key_password: SecretStr = env("KAFKA_SSL_KEY_PASSWORD", SecretStr(""), "Password of the private key.")
    kafka_client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = env(
        "KAFKA_CLIENT_ID", "receiptstream", "How clients name themselves to Kafka: in its logs, metrics and quotas."
    )
    kafka_client_rack: str = env(
        "KAFKA_CLIENT_RACK", "", "Rack or zone of this process: consumers then fetch from a replica there."
    )
    kafka_topics: Literal["create", "check"] = env(
        "KAFKA_TOPICS", "create", "Create missing topics, or only check: refuse to start where one lacks or differs."
    )
    kafka_idempotence: bool = env(
        "KAFKA_IDEMPOTENCE", True, "Idempotent producers. Off only for a broker that has none, as the one in memory."
    )
    clickhouse_url: HttpUrl | Literal[""] = env(
        "CLICKHOUSE_URL", "", "ClickHouse's HTTP interface. Empty: the sandbox of STATE_DIR."
    )
    clickhouse_user: str = env("CLICKHOUSE_USER", "default", "ClickHouse user.")
    clickhouse_password: SecretStr = env("CLICKHOUSE_PASSWORD", SecretStr(""), "ClickHouse password.")
    clickhouse_ca_file: Path | None = env(
        "CLICKHOUSE_CA_FILE", None, "Authorities that sign ClickHouse's certificate, PEM. Empty: the system's."
    )
    clickhouse_cert_file: Path | None = env(
        "CLICKHOUSE_CERT_FILE", None, "Client certificate, PEM, where ClickHouse asks for one."
    )
    clickhouse_key_file: Path | None = env(
        "CLICKHOUSE_KEY_FILE", None, "Private key of CLICKHOUSE_CERT_FILE, PEM. Empty: it stands in the same file."
    )
    clickhouse_database: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = env(
        "CLICKHOUSE_DATABASE", "receipts", "Database of all tables and views."
    )
    clickhouse_cluster: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*$")] = env(
        "CLICKHOUSE_CLUSTER",
        "",
        "Cluster on which `receipts migrate` creates replicated tables, sharded by message. Empty: one server.",
    )
    ttl_raw_events: Duration | None = env(
        "TTL_RAW_EVENTS", None, "How long ClickHouse keeps raw events after their receipt. Empty: for ever."
    )
    ttl_transitions: Duration | None = env(
        "TTL_TRANSITIONS", None, "How long it keeps transitions and message state after the receipt. Empty: for ever."
    )
    ttl_channel_windows: Duration | None = env(
        "TTL_CHANNEL_WINDOWS", None, "How long it keeps channel windows after their minute. Empty: for ever."
    )
    ttl_alerts: Duration | None = env(
        "TTL_ALERTS", None, "How long it keeps alerts after they were due. Empty: for ever."
    )
    ttl_dead_letters: Duration | None = env(
        "TTL_DEAD_LETTERS",
        None,
        "How long it keeps dead letters that were redriven or discarded: `receipts migrate` removes older ones. "
        "Empty: for ever.",
    )

    raw_partitions: Annotated[int, Field(ge=1, le=10_000)] = env(
        "RAW_PARTITIONS", 4, "Partitions of every topic at its creation. It cannot be changed later."
    )
    replication_factor: Annotated[int, Field(ge=1, le=32767)] = env(
        "REPLICATION_FACTOR", 1, "Replicas of every topic at its creation; 3 in production."
    )
    raw_retention: Duration = env("RAW_RETENTION", timedelta(days=14), "How long Kafka keeps im.events.raw.")

    ingest_host: str = env("INGEST_HOST", "127.0.0.1", "Address the ingress listens on.")
    ingest_port: Port = env("INGEST_PORT", 8080, "Port the ingress listens on.")
    ingest_reuse_port: bool = env(
        "INGEST_REUSE_PORT",
        False,
        "Let several ingress processes listen on one port (SO_REUSEPORT); each tells its own numbers on METRICS_PORT.",
    )
    ingest_tls_cert: Path | None = env(
        "INGEST_TLS_CERT", None, "Certificate chain, PEM: the ingress then speaks HTTPS. Empty: HTTP."
    )
    ingest_tls_key: Path | None = env(
        "INGEST_TLS_KEY", None, "Private key of INGEST_TLS_CERT, PEM. Empty: it stands in the same file."
    )
    ingest_path_secrets: Secrets = env(
        "INGEST_PATH_SECRETS", (), "Secrets accepted at the end of the webhook path, comma separated. Empty: no secret."
    )
    ingest_max_body_bytes: Annotated[int, Field(ge=1024)] = env(
        "INGEST_MAX_BODY_BYTES", 10 * 1024 * 1024, "Largest body, before and after decompression."
    )
    ingest_ack_timeout_ms: Annotated[int, Field(ge=100, le=4500)] = env(
        "INGEST_ACK_TIMEOUT_MS", 2500, "How long a request waits for Kafka before its events go to the spool."
    )
    ingest_max_in_flight_bytes: Annotated[int, Field(ge=1024 * 1024)] = env(
        "INGEST_MAX_IN_FLIGHT_BYTES",
        64 * 1024 * 1024,
        "Bodies held at once before new ones get 429; a core takes some 40 MB/s.",
    )
    ingest_max_in_flight_requests: Annotated[int, Field(ge=1)] = env(
        "INGEST_MAX_IN_FLIGHT_REQUESTS", 2000, "Requests held at once before new ones get 429."
    )
    ingest_compression: Literal["none", "lz4"] = env(
        "INGEST_COMPRESSION",
        "none",
        "Compression of what the ingress writes to Kafka. lz4 saves disk where requests carry many events, for a sixth "
        "of the ingress's speed.",
    )
    zoho_jwt_mode: Literal["off", "verify"] = env("ZOHO_JWT_MODE", "off", "Whether X-ZDesk-JWT must be valid.")
    zoho_jwks_url: str = env("ZOHO_JWKS_URL", "https://desk.zoho.com/.well-known/jwks.json", "Zoho's public keys.")
    zoho_jwt_max_age_seconds: Annotated[int, Field(ge=1)] = env(
        "ZOHO_JWT_MAX_AGE_SECONDS", 600, "Oldest token accepted, whatever its own expiry says."
    )
    zoho_webhook_ids: Annotated[tuple[str, ...], BeforeValidator(parse_list)] = env(
        "ZOHO_WEBHOOK_IDS", (), "Webhook ids accepted in a token's audience, comma separated. Empty: any."
    )
    zoho_api_url: HttpUrl = env(
        "ZOHO_API_URL", "https://desk.zoho.com", "Zoho Desk's API for `receipts channels sync`, by data centre."
    )
    zoho_accounts_url: HttpUrl = env(
        "ZOHO_ACCOUNTS_URL", "https://accounts.zoho.com", "Where Zoho refreshes OAuth tokens, by data centre."
    )
    zoho_client_id: str = env("ZOHO_CLIENT_ID", "", "OAuth client of `receipts channels sync`. Empty: off.")
    zoho_client_secret: SecretStr = env("ZOHO_CLIENT_SECRET", SecretStr(""), "The OAuth client's secret.")
    zoho_refresh_token: SecretStr = env("ZOHO_REFRESH_TOKEN", SecretStr(""), "The OAuth client's refresh token.")
    spool_dir: Path | None = env("SPOOL_DIR", None, "Where events wait when Kafka is away. Empty: STATE_DIR/spool.")
    spool_max_bytes: Annotated[int, Field(ge=1024 * 1024)] = env(
        "SPOOL_MAX_BYTES", 1024 * 1024 * 1024, "Largest spool; when it is full the ingress answers 503."
    )
    spool_max_age: Duration = env(
        "SPOOL_MAX_AGE",
        timedelta(hours=24),
        "Longest an event may wait in a spool; windows stay open that much longer.",
    )

    state_dir: Path = env("STATE_DIR", default_state_dir(), "Data of the sandbox, the spool and the processors.")
    state_store: Literal["memory", "rocksdb"] = env("STATE_STORE", "memory", "Where processors keep message state.")
    state_retention: Duration = env(
        "STATE_RETENTION", timedelta(days=14), "A message's state is forgotten this long after its first receipt."
    )
    window_retention: Duration = env(
        "WINDOW_RETENTION", timedelta(hours=48), "A receipt older than this when received belongs to no window."
    )
    processor_checkpoint: Duration = env(
        "PROCESSOR_CHECKPOINT", timedelta(milliseconds=500), "Longest time between two checkpoints of a partition."
    )
    processor_compression: Literal["none", "lz4"] = env(
        "PROCESSOR_COMPRESSION",
        "lz4",
        "Compression of what processors write to Kafka. Without it they work a sixth faster, on many times the disk.",
    )
    processor_standbys: Annotated[int, Field(ge=0, le=9)] = env(
        "PROCESSOR_STANDBYS",
        0,
        "How many other processors keep a copy of each partition's state, to go on at once when its own one dies.",
    )
    processor_stall: Duration = env(
        "PROCESSOR_STALL",
        timedelta(minutes=2),
        "A processor that has records to process and gets none done for this long ends itself, to be started anew.",
    )
    rules_file: Path | None = env("RULES_FILE", None, "Alert rules, TOML. Empty: the two built-in rules.")

    instance_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@:-]{0,200}$")] = env(
        "INSTANCE_ID",
        "",
        "A name that a processor or sink keeps over restarts, unique among all of them: it then takes its partitions "
        "back at once instead of after a session time-out. Empty: none.",
    )
    sink_batch_rows: Annotated[int, Field(ge=1, le=1_000_000)] = env(
        "SINK_BATCH_ROWS", 50_000, "Most rows in one insert."
    )
    sink_batch_age: Duration = env(
        "SINK_BATCH_AGE", timedelta(milliseconds=300), "Longest a row waits for its insert to fill."
    )
    audit_every: Duration | None = env(
        "AUDIT_EVERY",
        None,
        "How often a sink audits the last 24 hours and tells the differences as a metric. Empty: never.",
    )

    notify_file: Path | None = env("NOTIFY_FILE", None, "Destinations of alerts, TOML.")
    notify_url: str = env("NOTIFY_URL", "", "One Standard Webhooks destination of alerts.")
    notify_secret: SecretStr = env("NOTIFY_SECRET", SecretStr(""), "Signs what is sent to NOTIFY_URL.")
    notify_allow_private: bool = env("NOTIFY_ALLOW_PRIVATE", False, "Allow private and loopback destinations.")

    dashboard_host: str = env("DASHBOARD_HOST", "127.0.0.1", "Address of the dashboard.")
    dashboard_port: Port = env("DASHBOARD_PORT", 8090, "Port of the dashboard.")
    dashboard_token: SecretStr = env("DASHBOARD_TOKEN", SecretStr(""), "Needed when DASHBOARD_HOST is not loopback.")

    dashboard_ingest_urls: Annotated[tuple[HttpUrl, ...], BeforeValidator(parse_list)] = env(
        "DASHBOARD_INGEST_URLS",
        (),
        "Where each ingress serves /metrics, comma separated: the dashboard tells its spool. Empty: it is not known.",
    )

    sandbox_kafka_port: Port = env("SANDBOX_KAFKA_PORT", 9092, "Port of the sandbox's Kafka; 0: any free one.")
    sandbox_clickhouse_port: Port = env(
        "SANDBOX_CLICKHOUSE_PORT", 8123, "Port of the sandbox's ClickHouse engine; 0: any free one."
    )
    sandbox_broker: Literal["auto", "kafka", "memory"] = env(
        "SANDBOX_BROKER", "auto", "The sandbox's broker: Apache Kafka, one in memory, or Kafka where it can be had."
    )
    sandbox_brokers: Annotated[int, Field(ge=1, le=9)] = env(
        "SANDBOX_BROKERS",
        1,
        "Brokers of the sandbox's Kafka. With 3, every topic has 3 replicas, of which 2 must have a record.",
    )
    sandbox_cache_dir: Path = env(
        "SANDBOX_CACHE_DIR", platformdirs.user_cache_path("receiptstream"), "Where Kafka's jars are kept once resolved."
    )
    sandbox_min_free_bytes: Annotated[int, Field(ge=0)] = env(
        "SANDBOX_MIN_FREE_BYTES", 1024 * 1024 * 1024, "The sandbox refuses to start with less room on its disk."
    )

    metrics_host: str = env("METRICS_HOST", "127.0.0.1", "Address of /metrics of processors and sinks.")
    metrics_port: Port = env("METRICS_PORT", 0, "Port of /metrics of processors and sinks; 0: any free one.")
    otel_exporter_otlp_endpoint: HttpUrl | Literal[""] = env(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "Where OpenTelemetry traces go by OTLP over HTTP, such as http://collector:4318. Empty: no traces.",
    )
    otel_traces_sampler_arg: Annotated[float, Field(ge=0, le=1)] = env(
        "OTEL_TRACES_SAMPLER_ARG", 0.01, "The part of requests whose trace is kept, where the sender does not say."
    )
    failpoint: str = env("FAILPOINT", "", "For tests: where the process kills itself, NAME or NAME:N.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = env("LOG_LEVEL", "INFO", "Least severe line logged.")

    @model_validator(mode="after")
    def _state_outlives_windows(self) -> Settings:
        if self.state_retention <= self.window_retention + self.spool_max_age:
            raise ValueError(
                f"STATE_RETENTION ({self.state_retention}) must be longer than WINDOW_RETENTION plus SPOOL_MAX_AGE "
                f"({self.window_retention + self.spool_max_age}): lengthen STATE_RETENTION"
            )
        return self

    @model_validator(mode="after")
    def _connections_make_sense(self) -> Settings:
        wrong = next(combinations.wrong(self), None)
        if wrong is not None:
            raise ValueError(wrong)
        return self

    @property
    def spool_path(self) -> Path:
        """Directory of the spool."""
        return self.spool_dir or self.state_dir / "spool"


def parse(environ: Mapping[str, str]) -> Settings:
    """Make the settings from an environment mapping; empty values count as unset.

    Raises ConfigError naming each bad variable, its value (secrets masked) and the fix.
    """
    given = {name: value for name, value in environ.items() if value != ""}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(problem) for problem in error.errors())) from None


def _explain(problem: Any) -> str:
    """Say one problem as `NAME='value': fix`."""
    text = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return str(text)
    name = str(problem["loc"][0])
    value = "***" if re.search("SECRET|PASSWORD|TOKEN", name) else repr(problem["input"])
    return f"{name}={value}: {text}"
