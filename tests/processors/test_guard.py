"""What the batch transport relies on in faust and aiokafka: fails loudly when a new release moves it."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.consumer.subscription_state import Assignment, TopicPartitionState
from aiokafka.producer.message_accumulator import BatchBuilder
from faust import App
from faust.tables.recovery import Recovery
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver

PINNED = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}


@pytest.mark.parametrize(("package", "release"), PINNED.items())
def test_the_releases_are_those_that_were_read(package: str, release: str) -> None:
    assert version(package) == release, f"read the new {package} for what this file lists, then move the pin"


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (base.Consumer, "_drain_messages", ["self", "fetcher"]),
        (base.Consumer, "_wait_next_records", ["self", "timeout"]),
        (base.Consumer, "_new_offset", ["self", "tp"]),
        (base.Consumer, "perform_seek", ["self"]),
        (base.Consumer, "wait_empty", ["self"]),
        (base.Consumer, "ack", ["self", "message"]),
        (base.Consumer, "on_partitions_revoked", ["self", "revoked"]),
        (base.Consumer, "commit_and_end_transactions", ["self"]),
        (base.Consumer, "maybe_wait_for_commit_to_finish", ["self"]),
        (base.ThreadDelegateConsumer, "seek_wait", ["self", "partitions"]),
        (driver.AIOKafkaConsumerThread, "seek_wait", ["self", "partitions"]),
        (driver.AIOKafkaConsumerThread, "_create_worker_consumer", ["self", "transport"]),
        (driver.Consumer, "_new_consumer_thread", ["self"]),
        (driver.Producer, "_settings_extra", ["self"]),
        (App, "_on_agent_error", ["self", "agent", "exc"]),
        (App, "_new_transport", ["self"]),
        (App, "_new_producer_transport", ["self"]),
        (App, "_new_consumer", ["self"]),
        (Recovery, "need_recovery", ["self"]),
        (Recovery, "_set_recovery_ended", ["self"]),
        (Recovery, "_set_recovery_started", ["self"]),
        (Recovery, "revoke", ["self", "tp"]),
        (fetcher.PartitionRecords, "_unpack_records", ["self"]),
    ],
)
def test_a_hook_is_where_it_was(owner: type, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        (base.Consumer, ["_acked", "_committed_offset", "_unacked_messages", "_read_offset", "suspend_flow"]),
        (AIOKafkaConsumer.__init__, ["self._isolation_level = isolation_level", "self._client_rack = client_rack"]),
        (AIOKafkaConsumer.start, ["isolation_level=self._isolation_level", "key_deserializer=self._key_deserializer"]),
        (AIOKafkaConsumer.start, ["client_rack=self._client_rack", "fetch_min_bytes=self._fetch_min_bytes"]),
        (AIOKafkaConsumer.start, ["fetch_max_wait_ms=self._fetch_max_wait_ms"]),
        (Assignment.state_value, ["self._tp_state.get"]),
        (TopicPartitionState.position.fget, ["self._position"]),
        (fetcher.Fetcher._proc_fetch_request, ["tp_state.timestamp = now_ms", "tp_state.highwater ="]),
        (fetcher.PartitionRecords.__init__, ["self._key_deserializer = key_deserializer"]),
        (base.Consumer._filter_committable_offsets, ["_new_offset", "_should_commit"]),
        (Recovery, ["active_offsets", "standby_offsets", "tp_to_table", "active_tps", "signal_recovery_end"]),
        (Recovery._set_recovery_started, ["self._recovery_started_at = monotonic()"]),
        (Recovery._set_recovery_ended, ["self._recovery_ended_at = monotonic()"]),
        (BatchBuilder, ["_builder", "_relative_offset"]),
        (BatchBuilder.append, ["_builder.append", "_relative_offset"]),
        (fetcher.PartitionRecords._unpack_records, ["_consumer_record", "_aborted_producers", "is_control_batch"]),
    ],
)
def test_an_attribute_is_still_used(owner: Any, words: list[str]) -> None:
    source = inspect.getsource(owner)
    assert [word for word in words if word not in source] == []
