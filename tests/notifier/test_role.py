"""The notifier role on a real Kafka: at least once, the same id, each destination for itself."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from standardwebhooks.webhooks import Webhook

from schemas import topics
from tests.notifier.alerts import alert, publish
from tests.notifier.places import SECRET, Received, Receiver, mailing, receiving
from tests.sandbox.role import Role

pytestmark = pytest.mark.stack


async def eventually(ask: Callable[[], object], what: str, within_s: float = 40) -> None:
    try:
        async with asyncio.timeout(within_s):
            while not ask():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"{what} did not come true in {within_s:.0f} s")


class Bench:
    """A notifier with destinations of its own: names, and so groups, that no other test has; and an org."""

    def __init__(self, kafka: str, tmp_path: Path) -> None:
        self.kafka, self.folder = kafka, tmp_path
        self.mark = uuid4().hex[:8]
        self.org = f"org{self.mark}"
        self.file = tmp_path / "notify.toml"
        self.file.write_text("")
        self.number = 0

    def to(self, name: str, receiver: Receiver | str, kind: str = "webhook", **more: Any) -> None:
        """Add a destination."""
        url = receiver if isinstance(receiver, str) else f"{receiver.url}/{name}"
        fields = {
            "name": f"{name}-{self.mark}",
            "kind": kind,
            "orgs": [self.org],
            "per_minute": 6000,
            "digest_within": "0s",
            **({"url": url} if kind != "email" else {}),
            **({"secret": SECRET} if kind == "webhook" else {}),
            **more,
        }
        lines = [f"{key} = {value!r}" for key, value in fields.items()]
        self.file.write_text(self.file.read_text() + "\n".join(["[[destination]]", *lines, ""]))

    def role(self, **environ: str) -> Role:
        self.number += 1
        return Role(
            "notifier",
            self.folder / str(self.number),
            {
                "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
                "NOTIFY_FILE": str(self.file),
                "NOTIFY_ALLOW_PRIVATE": "true",
                # It takes its partitions back at once, whatever killed the one before.
                "INSTANCE_ID": "a",
                **environ,
            },
        )

    async def assigned(self, role: Role) -> None:
        """Wait until each destination knows its place."""
        number = self.file.read_text().count("[[destination]]")
        await eventually(lambda: role.log.count('"event":"assigned"') >= number, f"assignment: {role.log}")

    async def publish(self, numbers: range, state: str = "open") -> None:
        await publish(self.kafka, [alert(number, state, org=self.org) for number in numbers])

    def ids(self, numbers: range, state: str = "open") -> set[str]:
        return {f"stuck_in_sent:{self.org}:{number}:{state}" for number in numbers}


@pytest.fixture
def bench(kafka: str, tmp_path: Path) -> Bench:
    return Bench(kafka, tmp_path)


async def test_openings_and_resolutions_are_told_in_order_and_signed(bench: Bench) -> None:
    async with receiving() as receiver, mailing() as (mailbox, port):
        bench.to("ops", receiver, digest_max=1)
        bench.to("chat", receiver, "slack", digest_within="1s")
        bench.to(
            "mail", "", "email", host="127.0.0.1", port=port, security="none", sender="r@example.com", to=["a@b.c"]
        )
        with bench.role() as role:
            await bench.assigned(role)
            await bench.publish(range(3))
            await bench.publish(range(3), "expired")
            await publish(bench.kafka, [alert(1, org="another")])
            await bench.publish(range(3), "resolved")
            await bench.publish(range(3))  # as after a replay
            await bench.publish(range(3, 4))
            wanted = bench.ids(range(4)) | bench.ids(range(3), "resolved")
            await eventually(lambda: {each.headers["webhook-id"] for each in hooks(receiver)} == wanted, "the webhooks")
            await eventually(lambda: len(mailbox.mails) > 0, "a mail")
            await eventually(lambda: any(each.path.startswith("/chat") for each in receiver.got), "a post")
            assert role.end(signal.SIGTERM) == 0
    order = [each.headers["webhook-id"] for each in hooks(receiver)]
    assert len(order) == 7, "what is told once is not told again"
    for number in range(3):
        (opened,), (resolved,) = bench.ids(range(number, number + 1)), bench.ids(range(number, number + 1), "resolved")
        assert order.index(opened) < order.index(resolved)
    for each in hooks(receiver):
        told = Webhook(SECRET).verify(each.body, each.headers)
        assert told["data"]["alerts"][0]["id"] == each.headers["webhook-id"]
    assert all(to == ["a@b.c"] for to in mailbox.to)


async def test_a_new_destination_begins_now(bench: Bench) -> None:
    async with receiving() as receiver:
        await bench.publish(range(5))
        bench.to("new", receiver)
        with bench.role() as role:
            await bench.assigned(role)
            assert role.end(signal.SIGKILL) == -signal.SIGKILL
        await bench.publish(range(5, 8))
        with bench.role():
            await eventually(lambda: len(receiver.ids()) >= 3, "what came while it was dead")
    assert set(receiver.ids()) == bench.ids(range(5, 8))


async def test_a_notifier_killed_between_delivery_and_commit_tells_the_same_ids_again(bench: Bench) -> None:
    async with receiving() as receiver:
        bench.to("kill", receiver, digest_max=10)
        for number in range(2):
            with bench.role(FAILPOINT=f"notifier.delivered:{1 + number}") as doomed:
                await bench.assigned(doomed)
                await bench.publish(range(number * 50, number * 50 + 50))
                assert doomed.process is not None
                assert await asyncio.to_thread(doomed.process.wait, 40) == -signal.SIGKILL
        with bench.role():
            await eventually(lambda: set(receiver.ids()) >= bench.ids(range(100)), "all of them")
    assert set(receiver.ids()) == bench.ids(range(100))
    assert len(receiver.ids()) > 100, "the first was told before the kill, and again"


async def test_a_destination_that_is_down_delays_no_other_and_gets_all_later(bench: Bench) -> None:
    async with receiving() as well, receiving() as down, receiving() as silent:
        down.down, silent.silent = True, True
        bench.to("well", well)
        bench.to("down", down)
        bench.to("silent", silent, timeout="1s")
        with bench.role() as role:
            await bench.assigned(role)
            await bench.publish(range(20))
            await eventually(lambda: set(well.ids()) == bench.ids(range(20)), "the well one")
            await eventually(lambda: down.tried >= 2 and silent.tried >= 1, "tries")
            assert down.ids() == []
            down.down = False
            await eventually(lambda: set(down.ids()) == bench.ids(range(20)), "the one that was down")
            # It ends in time although one delivery hangs.
            assert role.end(signal.SIGTERM) == 0
        silent.silent = False
        with bench.role():
            await eventually(lambda: set(silent.ids()) == bench.ids(range(20)), "the silent one")


async def test_what_is_refused_or_given_up_is_parked_and_the_rest_goes_on(bench: Bench) -> None:
    async with receiving() as picky, receiving() as dead:
        picky.refuse, dead.down = f'"{bench.org}":poison'.replace('"', ""), True
        bench.to("picky", picky, digest_within="1s")
        bench.to("dead", dead, give_up_after="1s", digest_max=2)
        dead_letters = AIOKafkaConsumer(topics.DEAD, bootstrap_servers=bench.kafka, auto_offset_reset="latest")
        await dead_letters.start()
        try:
            for tp in dead_letters.assignment():
                await dead_letters.position(tp)
            with bench.role() as role:
                await bench.assigned(role)
                await publish(bench.kafka, [alert(number, org=bench.org) for number in (1, "poison", 2)])
                await eventually(lambda: set(picky.ids()) == bench.ids(range(1, 3)), f"the rest: {role.log}")
                parked = await letters(dead_letters, bench.org, 4)
        finally:
            await dead_letters.stop()
    found = {(row["reason"], row["detail"].partition("-")[0]) for row in parked}
    assert found == {("refused", "picky"), ("destination_disabled", "dead")}
    assert {row["stage"] for row in parked} == {"notifier"}
    assert [row["value"].count(b"poison") for row in parked if row["reason"] == "refused"] == [2]


def hooks(receiver: Receiver) -> list[Received]:
    """Return what came to the webhook."""
    return [each for each in receiver.got if each.path.startswith("/ops")]


async def letters(consumer: AIOKafkaConsumer, org: str, number: int) -> list[dict[str, Any]]:
    """Return so many dead letters of an org, each with its headers and its value."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(40):
        while len(found) < number:
            record = await consumer.getone()
            if org.encode() in record.value:
                found.append({name: value.decode() for name, value in record.headers} | {"value": record.value})
    return found


async def test_two_notifiers_share_the_work(bench: Bench) -> None:
    async with receiving() as receiver:
        bench.to("both", receiver)
        with bench.role(INSTANCE_ID="a") as first, bench.role(INSTANCE_ID="b") as second:
            await bench.assigned(first)
            await bench.assigned(second)
            await bench.publish(range(40))
            await eventually(lambda: set(receiver.ids()) >= bench.ids(range(40)), "all of them")
            assert first.end(signal.SIGTERM) == second.end(signal.SIGTERM) == 0


async def test_without_destinations_it_idles(bench: Bench) -> None:
    with bench.role(KAFKA_BOOTSTRAP_SERVERS="") as role:
        await eventually(lambda: "notifier_started" in role.log, "the start")
        assert role.end(signal.SIGTERM) == 0


def test_a_wrong_destination_refuses_to_start(bench: Bench) -> None:
    bench.to("bad", "ftp://example.com")
    with bench.role() as role:
        assert role.process is not None
        assert role.process.wait(30) == 2
        assert "url = 'ftp://example.com': is no URL" in role.log
