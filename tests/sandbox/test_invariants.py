"""What a torture run looks for: each thing is found where it is, and nothing where all is well."""

from __future__ import annotations

from pathlib import Path

import orjson

from sandbox.answer_key.records import RawRecord
from sandbox.torture import invariants
from sandbox.torture.answers import Answers
from sandbox.torture.faults import SUPERVISOR, Fault
from sandbox.torture.watch import Process, Sample


def _transition(offset: int, status: str, raw: int, partition: int = 0) -> RawRecord:
    row = {"org_id": "7", "message_id": "1", "new_status": status, "raw_partition": 0, "raw_offset": raw}
    return RawRecord(partition, offset, orjson.dumps(row), 0)


def test_an_order_that_a_crash_repeats_is_an_order() -> None:
    again = [_transition(0, "SENT", 5), _transition(1, "READ", 9), _transition(2, "SENT", 5), _transition(3, "READ", 9)]
    assert list(invariants.disordered(again)) == []


def test_an_overtaken_status_and_a_foreign_partition_are_named() -> None:
    assert list(invariants.disordered([_transition(0, "READ", 9), _transition(1, "SENT", 5)]))
    assert list(invariants.disordered([_transition(0, "SENT", 5, partition=1)]))


def test_a_secret_in_any_log_is_named_but_not_shown(tmp_path: Path) -> None:
    (tmp_path / "ingest.log").write_text("POST /webhooks/zoho-desk/abc-def 200\n")
    (tmp_path / "sink.log.1").write_text("nothing\n")
    found = invariants.leaked(tmp_path, {"INGEST_PATH_SECRETS": "abc-def", "DASHBOARD_TOKEN": "xyz"})
    assert found == ["ingest.log holds INGEST_PATH_SECRETS"]


def test_what_grows_is_named() -> None:
    def sample(mib: float, files: int) -> Sample:
        return Sample(0.0, {"ingest": Process(mib, files)}, 0, 0, None, None)

    usual = [sample(100, 40)] * 5
    assert invariants.grown(usual, sample(250, 90)) == []
    assert [text[:14] for text in invariants.grown(usual, sample(400, 300))] == ["ingest has 300", "ingest has 400"]


def test_a_broker_may_open_files() -> None:
    few, many = (Sample(0.0, {"broker-2": Process(100, files)}, 0, 0, None, None) for files in (40, 400))
    assert invariants.grown([few], many) == []


def test_a_gone_a_strange_and_a_late_answer_are_wrong() -> None:
    answers = Answers()
    for status in (200, 429, 503, 0):
        answers.note(100.0, 1.0, status)
    assert answers.wrong([], 0.0) == []
    answers.note(100.0, 0.1, 410)
    answers.note(100.0, 5.5, 200)
    assert answers.wrong([], 0.0) == ["1 answers 410", "at 100.0 s an answer (200) took 5.5 s"]


def test_the_time_of_a_stopped_ingress_does_not_count() -> None:
    answers = Answers()
    answers.note(100.0, 14.0, 200)
    paused = Fault(91.0, "pause", "ingest", 20.0)
    assert answers.wrong([paused], 10.0) == []
    assert answers.wrong([paused._replace(target="sink-1")], 10.0)
    assert answers.wrong([paused._replace(seconds=3.0)], 10.0)
    assert answers.wrong([Fault(91.0, "kill", SUPERVISOR, 20.0)], 10.0) == []
