"""Dead letters: listed, shown, sent again to the step that refused them, discarded; each way twice is once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from core.clock import iso, now_ms
from schemas import topics
from tests.end_to_end.apart import audit, named, row, sql, where
from tests.stack import Up, run, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

MIB = 1024 * 1024


def event(message: int) -> bytes:
    told = {"status": "SENT", "updatedTime": iso(now_ms())}
    payload = {"messageNewStatus": told, "messageId": message, "channelId": 7, "sessionId": 1}
    return orjson.dumps({"eventType": "IM_Message_Status", "orgId": "77", "payload": payload})


async def write(up: Up, topic: str, value: bytes, headers: dict[str, str]) -> int:
    """Write a record as another program might; return its offset in partition 0."""
    pairs = [(name, text.encode()) for name, text in headers.items()]
    async with AIOKafkaProducer(bootstrap_servers=up.kafka, max_request_size=4 * MIB) as producer:
        sent = await producer.send_and_wait(topic, value, key=b"k", partition=0, headers=pairs)
        return int(sent.offset)


def letters(up: Up, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(up.receipts("dead", "list", "--json", *options).stdout)
    return found


def one(up: Up, *options: str) -> dict[str, Any]:
    (found,) = until(lambda: letters(up, *options), within_s=30, what=f"a letter of {options}")
    return found


def test_what_is_no_event_is_listed_whole_and_stays_open_when_it_still_is_none(apart: Up) -> None:
    found = until(lambda: [each for each in letters(apart, "--stage", "ingress") if each["body"] == "7"], within_s=30)
    (seven,) = found
    assert (seven["reason"], seven["state"], seven["topic"]) == ("not_an_object", "open", "")
    shown = apart.receipts("dead", "show", "--id", seven["id"])
    assert "the element is not a JSON object" in shown.stdout
    again = apart.receipts("dead", "redrive", "--id", seven["id"])
    assert (again.returncode, again.stdout) == (1, f"{seven['id']}  still refused: the element is not a JSON object\n")
    assert one(apart, "--id", seven["id"])["state"] == "open"


def test_a_discarded_letter_is_kept_and_no_longer_open(apart: Up) -> None:
    seven = next(each for each in letters(apart, "--stage", "ingress") if each["body"] == "7")
    assert apart.receipts("dead", "discard", "--id", seven["id"]).stdout == "1 discarded\n"
    assert letters(apart, "--id", seven["id"]) == []
    assert one(apart, "--id", seven["id"], "--state", "any")["state"] == "discarded"
    assert apart.receipts("dead", "discard", "--id", seven["id"]).returncode == 1


async def test_an_ingress_letter_that_is_an_event_now_comes_in_once(apart: Up) -> None:
    body = event(771)
    headers = {"stage": "ingress", "reason": "older_release", "detail": "-", "failed_at": iso(now_ms())}
    await write(apart, topics.DEAD, body, headers)
    letter = one(apart, "--reason", "older_release")
    for _ in range(2):
        done = apart.receipts("dead", "redrive", "--id", letter["id"])
        assert done.stdout == f"{letter['id']}  redriven\n", done.stderr
        until(lambda: sql(apart, "SELECT count() FROM transitions WHERE message_id = '771'") == "1\n", within_s=30)
        # As if the process had died between sending and marking.
        place = letter["id"].replace("-", ", ")
        sql(
            apart,
            "INSERT INTO dead_letters_log SELECT * REPLACE ('open' AS state, now64(3) AS changed_time) "
            f"FROM dead_letters_log FINAL WHERE (dead_partition, dead_offset) = ({place})",
        )
    assert sql(apart, "SELECT count() FROM raw_events WHERE message_id = '771'") == "1\n"


async def test_a_processor_letter_goes_back_to_the_processor(apart: Up) -> None:
    await write(apart, topics.RAW, event(772), {"origin": "3:999999", "received": str(now_ms())})
    letter = one(apart, "--stage", "processor", "--reason", "bad_origin")
    done = apart.receipts("dead", "redrive", "--id", letter["id"])
    assert done.stdout == f"{letter['id']}  redriven\n", done.stderr
    until(lambda: sql(apart, "SELECT count() FROM transitions WHERE message_id = '772'") == "1\n", within_s=30)
    await write(apart, topics.RAW, b"{", {"org": "77", "type": "x", "received": str(now_ms())})
    broken = one(apart, "--stage", "processor", "--reason", "not_json")
    done = apart.receipts("dead", "redrive", "--id", broken["id"])
    assert done.returncode == 1
    assert "still refused" in done.stdout


async def test_a_sink_letter_becomes_its_row(apart: Up) -> None:
    until(lambda: sql(apart, "SELECT count() FROM transitions WHERE message_id = '772'") == "1\n", within_s=30)
    lost = row(apart, "SELECT raw_partition, raw_offset FROM raw_events WHERE message_id = '772'")
    sql(apart, f"ALTER TABLE raw_events_log DELETE WHERE {where(lost)}")
    headers = {"stage": "sink", "reason": "refused", "detail": "-", "failed_at": iso(now_ms()), "topic": topics.RAW}
    place = {"partition": str(lost["raw_partition"]), "offset": str(lost["raw_offset"])}
    await write(apart, topics.DEAD, b"", headers | place)
    letter = one(apart, "--stage", "sink")
    done = apart.receipts("dead", "redrive", "--id", letter["id"])
    assert done.stdout == f"{letter['id']}  redriven\n", done.stderr
    assert sql(apart, f"SELECT message_id FROM raw_events WHERE {where(lost)}") == "772\n"


def test_after_all_of_this_the_ledger_balances(apart: Up) -> None:
    code, found = audit(apart)
    assert (code, named(found)) == (0, [])
    assert found["totals"]["parked"] == 1


def test_a_list_of_nothing_is_a_no(apart: Up) -> None:
    done = apart.receipts("dead", "list", "--reason", "nothing_like_it", "--json")
    assert (done.returncode, done.stdout) == (1, "[]\n")


async def test_two_at_once_send_a_letter_once(apart: Up) -> None:
    headers = {"stage": "ingress", "reason": "at_once", "detail": "-", "failed_at": iso(now_ms())}
    await write(apart, topics.DEAD, event(775), headers)
    letter = one(apart, "--reason", "at_once")

    def redrive() -> str:
        done = apart.receipts("dead", "redrive", "--id", letter["id"])
        return done.stdout + done.stderr

    told = await asyncio.gather(asyncio.to_thread(redrive), asyncio.to_thread(redrive))
    assert all("redriven" in each or "somebody else" in each or not each for each in told), told
    await asyncio.to_thread(redrive)
    until(lambda: sql(apart, "SELECT count() FROM transitions WHERE message_id = '775'") == "1\n", within_s=30)
    assert sql(apart, "SELECT count() FROM raw_events WHERE message_id = '775'") == "1\n"


async def test_a_letter_too_large_for_kafka_holds_up_no_other_and_goes_once_there_is_room(apart: Up) -> None:
    headers = {"stage": "ingress", "reason": "large", "detail": "-", "failed_at": iso(now_ms())}
    large = event(776)[:-1] + b',"more":"' + b"x" * 2 * MIB + b'"}'
    first = await write(apart, topics.DEAD, large, headers)
    await write(apart, topics.DEAD, event(777), {**headers, "failed_at": iso(now_ms() + 1)})
    until(lambda: len(letters(apart, "--reason", "large")) == 2, within_s=30)
    options = ("dead", "redrive", "--reason", "large", "--state-dir", str(apart.state_dir))
    done = await asyncio.to_thread(run, *options, environ={"INGEST_MAX_BODY_BYTES": "1024"})
    assert f"0-{first}  still refused: Kafka does not take it" in done.stdout, done.stderr
    assert done.stdout.endswith("  redriven\n")
    assert one(apart, "--reason", "large")["id"] == f"0-{first}"
    done = await asyncio.to_thread(apart.receipts, "dead", "redrive", "--reason", "large")
    assert done.stdout == f"0-{first}  redriven\n", done.stderr
    told = "SELECT count() FROM transitions WHERE message_id IN ('776', '777')"
    until(lambda: sql(apart, told) == "2\n", within_s=30)
