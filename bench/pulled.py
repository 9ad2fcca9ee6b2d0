"""The baseline for the sink: ClickHouse's own Kafka engine, pulled by INSERT … SELECT into the product's tables.

A consumer a core, which is as fast as it gets: most of its time goes into reading one message after the other as JSON.

Run with the interpreter of bench.peers: the engine of the sandbox has no consumer that works without a server, an older
release of it has. `python -m bench.pulled BOOTSTRAP TOPIC RECORDS ROWS` stores RECORDS transitions, ROWS a block, and
prints one JSON object: rows, seconds (from the first block to the last), engine_cpu_seconds, version.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from tempfile import TemporaryDirectory

from chdb.session import Session

from sinks.migrate import released

TABLES = ("0001_events.sql", "0002_messages.sql", "0009_no_deduplication_by_token.sql")
"""What an insert of transitions feeds: tables, and materialized views."""
ELSEWHERE = re.compile("alert_acks_log|audits_log|leases_log")
"""Tables of other files."""
PATIENCE_S = 300.0
SOURCE = """
CREATE TABLE pulled
(
    org_id String, channel_id String, session_id String, message_id String, old_status String, new_status String,
    updated_time DateTime64(3, 'UTC'), event_time Nullable(DateTime64(3, 'UTC')), received_time DateTime64(3, 'UTC'),
    time_source String, implied UInt8, out_of_order Bool, contradiction Bool,
    sent_to_delivered_ms Nullable(Int64), delivered_to_read_ms Nullable(Int64), raw_partition UInt32, raw_offset UInt64
)
ENGINE = Kafka
SETTINGS kafka_broker_list = '{kafka}', kafka_topic_list = '{topic}', kafka_format = 'JSONEachRow',
    kafka_group_name = '{group}', kafka_max_block_size = {rows}, kafka_poll_max_batch_size = {rows},
    kafka_num_consumers = {cores}, kafka_commit_on_select = 1, date_time_input_format = 'best_effort'
"""
PULL = """
INSERT INTO transitions_log
SELECT * REPLACE (
    ifNull(event_time, toDateTime64('1900-01-01 00:00:00', 3, 'UTC')) AS event_time,
    ifNull(sent_to_delivered_ms, -9223372036854775808) AS sent_to_delivered_ms,
    ifNull(delivered_to_read_ms, -9223372036854775808) AS delivered_to_read_ms
)
FROM pulled
SETTINGS stream_like_engine_allow_direct_select = 1
"""


def measure(bootstrap: str, topic: str, wanted: int, rows: int) -> dict[str, float | str]:
    """Pull until all is stored."""
    with TemporaryDirectory(prefix="receiptstream-bench-") as folder:
        session = Session(folder)
        session.query("CREATE DATABASE bench; USE bench")
        for migration in released():
            for statement in migration.statements if migration.name in TABLES else ():
                if not ELSEWHERE.search(statement):
                    session.query(statement)
        group = f"bench-{time.monotonic_ns()}"
        session.query(SOURCE.format(kafka=bootstrap, topic=topic, group=group, rows=rows, cores=os.cpu_count()))
        stored = first = 0
        begun = patience = time.perf_counter()
        cpu = time.process_time()
        while stored < wanted and time.perf_counter() - patience < PATIENCE_S:
            session.query(PULL)
            ended = time.perf_counter()
            stored = int(str(session.query("SELECT count() FROM transitions_log")))
            if not first:
                # Joining the group took as long as it took.
                first, begun, cpu = stored, ended, time.process_time()
        found = {"rows": stored - first, "seconds": ended - begun, "engine_cpu_seconds": time.process_time() - cpu}
        return {**found, "version": str(session.query("SELECT version()")).strip().strip('"')}


if __name__ == "__main__":
    kafka, name, total, block = sys.argv[1:]
    print(json.dumps(measure(kafka, name, int(total), int(block))))
