"""Every metric of every role, in one place: name, kind, unit and what it tells an operator.

Roles use these objects and define none of their own. Nothing is registered in the library's global registry.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from core import build

REGISTRY = CollectorRegistry()

# --- every role -----------------------------------------------------------------------------------------------------
BUILD = Gauge(
    "receipts_build_info",
    "Always 1: the version that runs, and whether its event path is compiled (true or false).",
    ["version", "compiled"],
    registry=REGISTRY,
)
BUILD.labels(build.version_text(), str(build.COMPILED).lower()).set(1)

# --- ingest ---------------------------------------------------------------------------------------------------------
INGEST_REQUESTS = Counter(
    "receipts_ingest_requests",
    "Webhook requests by outcome (the error code, or accepted).",
    ["outcome"],
    registry=REGISTRY,
)
INGEST_EVENTS = Counter(
    "receipts_ingest_events",
    "Array elements by result (accepted or parked) and org.",
    ["result", "org"],
    registry=REGISTRY,
)
INGEST_BYTES = Counter("receipts_ingest_bytes", "Body bytes received, after decompression.", registry=REGISTRY)
INGEST_ACK_SECONDS = Histogram(
    "receipts_ingest_ack_seconds",
    "Time from a complete request to the acknowledgement of all its events.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
INGEST_IN_FLIGHT = Gauge("receipts_ingest_in_flight_requests", "Requests now waiting for an answer.", registry=REGISTRY)
INGEST_SPOOL = Counter(
    "receipts_ingest_spool_deliveries",
    "Requests that went by the spool, by step (kept, refused, sent, already_stored, set_aside, unreadable).",
    ["step"],
    registry=REGISTRY,
)
INGEST_SPOOL_BYTES = Gauge("receipts_ingest_spool_bytes", "Bytes that wait on disk for Kafka.", registry=REGISTRY)
INGEST_SPOOL_OLDEST = Gauge(
    "receipts_ingest_spool_oldest_timestamp_seconds",
    "When the spool's oldest segment was begun, epoch seconds; 0 when the spool is empty.",
    registry=REGISTRY,
)
INGEST_KAFKA_AVAILABLE = Gauge(
    "receipts_ingest_kafka_available", "1 while Kafka takes events in time, else 0.", registry=REGISTRY
)
INGEST_LAST_EVENT = Gauge(
    "receipts_ingest_last_event_timestamp_seconds",
    "When an org was last heard, epoch seconds.",
    ["org"],
    registry=REGISTRY,
)

# --- processors -----------------------------------------------------------------------------------------------------
PROCESSOR_RECORDS = Counter(
    "receipts_processor_records",
    "Raw records by outcome (applied, duplicate, parked, other).",
    ["outcome"],
    registry=REGISTRY,
)
PROCESSOR_LATE = Counter("receipts_processor_late", "Receipts too old or too new for any window.", registry=REGISTRY)
PROCESSOR_LAG = Gauge(
    "receipts_processor_lag_records", "Raw records not yet processed, by partition.", ["partition"], registry=REGISTRY
)
PROCESSOR_OPEN_MESSAGES = Gauge("receipts_processor_messages", "Messages in the state table.", registry=REGISTRY)
PROCESSOR_OPEN_WINDOWS = Gauge("receipts_processor_windows", "Open window partials.", registry=REGISTRY)
PROCESSOR_DEADLINES = Gauge(
    "receipts_processor_deadlines", "Messages that may still come due for an alert rule.", registry=REGISTRY
)
PROCESSOR_ALERTS = Counter(
    "receipts_processor_alerts", "Alerts published, by rule and state.", ["rule", "state"], registry=REGISTRY
)
PROCESSOR_RECOVERED = Counter(
    "receipts_processor_recovered_records",
    "Changelog records read at recovery, by table.",
    ["table"],
    registry=REGISTRY,
)
PROCESSOR_RECOVERY_REMAINING = Gauge(
    "receipts_processor_recovery_remaining_records",
    "Changelog records still to be read before work goes on; 0 when none is under way.",
    registry=REGISTRY,
)
PROCESSOR_TRANSPORT = Counter(
    "receipts_processor_transport_events",
    "Rare events of the batch transport, by kind (stale batches, gaps, foreign writes).",
    ["kind"],
    registry=REGISTRY,
)

# --- sinks ----------------------------------------------------------------------------------------------------------
SINK_ROWS = Counter("receipts_sink_rows", "Rows acknowledged by ClickHouse, by table.", ["table"], registry=REGISTRY)
SINK_INSERT_SECONDS = Histogram(
    "receipts_sink_insert_seconds", "Time of one insert, by table.", ["table"], registry=REGISTRY
)
SINK_RETRIES = Counter("receipts_sink_retries", "Inserts tried again, by table.", ["table"], registry=REGISTRY)
SINK_PARKED = Counter("receipts_sink_parked", "Rows ClickHouse refused, by table.", ["table"], registry=REGISTRY)
SINK_LAG = Gauge("receipts_sink_lag_records", "Records not yet inserted, by topic.", ["topic"], registry=REGISTRY)
LEDGER_AUDITED = Gauge(
    "receipts_ledger_audited_timestamp_seconds",
    "When the last periodic audit was through, or the first one was due to begin; 0 on a sink that audits nothing.",
    registry=REGISTRY,
)
LEDGER_DIFFERENCES = Gauge(
    "receipts_ledger_differences",
    "Differences that the last periodic audit named (AUDIT_EVERY); anything but 0 is loss, a double or a miscount.",
    registry=REGISTRY,
)

# --- dashboard ------------------------------------------------------------------------------------------------------
DASHBOARD_REQUESTS = Counter(
    "receipts_dashboard_requests", "Requests of the dashboard by status.", ["status"], registry=REGISTRY
)
DASHBOARD_QUERY_SECONDS = Histogram(
    "receipts_dashboard_query_seconds", "Time of one query on ClickHouse, by name.", ["query"], registry=REGISTRY
)
DASHBOARD_VIEWERS = Gauge("receipts_dashboard_viewers", "Open live streams.", registry=REGISTRY)
DASHBOARD_CUT_OFF = Counter(
    "receipts_dashboard_cut_off", "Live streams ended because their reader was too slow.", registry=REGISTRY
)

# --- notifier -------------------------------------------------------------------------------------------------------
NOTIFIER_TRIES = Counter(
    "receipts_notifier_tries",
    "Tries to send a notification, by destination and result (delivered, again, refused, gone).",
    ["destination", "result"],
    registry=REGISTRY,
)
NOTIFIER_ALERTS = Counter(
    "receipts_notifier_alerts",
    "Openings and resolutions by destination and what became of them (delivered, repeated, parked).",
    ["destination", "outcome"],
    registry=REGISTRY,
)
NOTIFIER_DISABLED = Gauge(
    "receipts_notifier_disabled",
    "1 while a destination is disabled after a long failure, else 0.",
    ["destination"],
    registry=REGISTRY,
)
NOTIFIER_LAG = Gauge(
    "receipts_notifier_lag_records", "Alert records a destination has not got yet.", ["destination"], registry=REGISTRY
)
NOTIFIER_CHANNEL_RULES = Counter(
    "receipts_notifier_channel_rule_rounds",
    "Rounds over the channel rules by result (done, failed).",
    ["result"],
    registry=REGISTRY,
)
