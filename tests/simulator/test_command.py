"""`receipts simulate` as a user runs it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from sandbox.answer_key import answer_of_bodies
from sandbox.simulator import Traffic, events
from tests.simulator.conftest import Receiver, Start
from tests.stack import clean_environ

NOW = "2025-11-23T12:13:20Z"
NOW_MS = 1_763_900_000_000


async def simulate(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "simulate", *arguments),
        env=clean_environ({}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def test_it_sends_what_the_library_makes_and_writes_the_answer_key(start: Start, tmp_path: Path) -> None:
    receiver = await start(Receiver())
    file = tmp_path / "key.json"
    code, output, errors = await simulate(
        *("--url", receiver.url, "--messages", "200", "--seed", "5", "--now", NOW, "--broken", "3"),
        *("--duplicates", "0.2", "--reorder", "0.2", "--missing", "0.1", "--orgs", "2", "--channels", "3"),
        *("--answer-key", str(file)),
    )
    assert code == 0, errors
    traffic = Traffic(
        now_ms=NOW_MS, messages=200, seed=5, broken=3, duplicates=0.2, reorder=0.2, missing=0.1, orgs=2, channels=3
    )
    stream = list(events(traffic))
    arrived = [element for body in receiver.taken for element in json.loads(body)]
    made = [json.loads(event.body) for event in stream]
    assert sorted(map(json.dumps, arrived)) == sorted(map(json.dumps, made))
    assert f"sent {len(stream)} events of 200 messages" in output
    key = json.loads(file.read_bytes())
    expected = answer_of_bodies([event.body for event in stream if event.kind], NOW_MS)
    assert key["ledger"] == expected.ledger
    assert key["format"] == 1
    assert key["duplicates_certain"] is True
    assert sorted(map(str, key["tables"]["transitions"])) == sorted(map(str, expected.tables["transitions"]))


async def test_an_answer_key_that_cannot_be_written_is_refused_before_anything_is_sent(start: Start) -> None:
    receiver = await start(Receiver())
    code, _, errors = await simulate("--url", receiver.url, "--answer-key", "/nowhere/key.json")
    assert code == 2
    assert "/nowhere/key.json" in errors
    assert receiver.taken == []


async def test_without_a_sandbox_it_asks_for_an_url(tmp_path: Path) -> None:
    code, _, errors = await simulate("--state-dir", str(tmp_path))
    assert code == 2
    assert "receipts up" in errors
    assert "--url" in errors


async def test_nonsense_is_refused_with_the_fix() -> None:
    for arguments, told in (
        (("--now", "soon"), "2025-10-09T07:27:19Z"),
        (("--span", "9 weeks"), "48h"),
        (("--span", "3d"), "24 h"),
    ):
        code, _, errors = await simulate(*arguments, "--url", "http://127.0.0.1:9/x")
        assert code == 2
        assert told in errors
