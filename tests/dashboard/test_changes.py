"""Changes of dead letters from a page: who may, once each, and what the pipeline makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BrokerUnavailableError
from core.settings import parse
from dashboard.access import Gate
from dashboard.answers import Change
from dashboard.letters import Work
from dashboard.main import serving
from dashboard.tickets import LIFE_MS, Tickets
from tests.dashboard.conftest import TOKEN

NOW = 1_760_000_000_000
NOWHERE = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "CLICKHOUSE_URL": "http://127.0.0.1:1", "DASHBOARD_PORT": "0"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Pile:
    """Letters 0-0 to 0-4, of which 0-4 is refused whenever it is sent."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.go = asyncio.Event()
        self.error: BrokerUnavailableError | None = None

    async def redrive(self, ids: Sequence[str]) -> list[Change]:
        self.asked.append(tuple(ids))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.go.wait()
        self.at_once -= 1
        if self.error is not None:
            raise self.error
        known = [each for each in ids if each in {f"0-{number}" for number in range(5)}]
        return [Change(each, "open", "no") if each == "0-4" else Change(each, "redriven", "") for each in known]

    async def discard(self, ids: Sequence[str]) -> list[Change]:
        return [Change(each, "discarded", "") for each in ids]


async def test_changes_are_made_one_after_another() -> None:
    pile = Pile()
    work = Work(pile)
    both = [asyncio.create_task(work.run("redrive", ["0-1"])) for _ in range(2)]
    await asyncio.sleep(0)
    pile.go.set()
    assert await asyncio.gather(*both) == [[Change("0-1", "redriven", "")]] * 2
    assert pile.most_at_once == 1


async def test_each_letter_named_is_told_of_once_in_its_place() -> None:
    pile = Pile()
    pile.go.set()
    told = await Work(pile).run("redrive", ["0-4", "9-9", "0-1", "0-4"])
    assert [(each.id, each.state) for each in told] == [("0-4", "open"), ("9-9", "unknown"), ("0-1", "redriven")]


async def test_what_was_begun_ends_though_its_page_has_gone() -> None:
    pile = Pile()
    work = Work(pile)
    page = asyncio.create_task(work.run("redrive", ["0-1"]))
    while not pile.asked:
        await asyncio.sleep(0)
    page.cancel()
    with pytest.raises(asyncio.CancelledError):
        await page
    pile.go.set()
    await work.close()
    assert pile.at_once == 0


@given(st.text(max_size=70))
def test_no_invented_word_lets_a_session_change_anything(word: str) -> None:
    tickets = Tickets(TOKEN)
    ticket = tickets.make(NOW)
    refusal = Gate(tickets).csrf_refusal(ticket, "", word, NOW)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (403, "csrf")


def test_a_session_s_own_word_and_the_token_itself_pass() -> None:
    tickets = Tickets(TOKEN)
    gate, ticket = Gate(tickets), tickets.make(NOW)
    assert gate.csrf_refusal(ticket, "", tickets.csrf(ticket), NOW) is None
    assert gate.csrf_refusal("", f"Bearer {TOKEN}", "", NOW) is None
    assert gate.csrf_refusal("", "", tickets.csrf(""), NOW) is not None
    assert gate.csrf_refusal(ticket, "", tickets.csrf(ticket), NOW + LIFE_MS) is not None
    assert gate.csrf_refusal(ticket, "", tickets.csrf(tickets.make(NOW)), NOW) is not None


@asynccontextmanager
async def visited(pile: Pile, **more: str) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Serve with these letters; yields the URL and a browser's session, logged in where a token is set."""
    async with serving(parse({**NOWHERE, **more}), pile) as port:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=jar) as session:
            if more:
                await session.post("/login", data={"token": TOKEN}, allow_redirects=False)
            yield f"http://127.0.0.1:{port}", session


async def asked(session: aiohttp.ClientSession, ids: Any, **headers: str) -> tuple[int, Any]:
    async with session.post("/api/dead/redrive", json={"ids": ids}, headers=headers) as answer:
        return answer.status, await answer.json()


async def own(session: aiohttp.ClientSession) -> dict[str, str]:
    async with session.get("/api/me") as answer:
        return {"X-CSRF-Token": (await answer.json())["csrf"]}


async def test_without_a_token_nothing_is_changed_and_the_page_says_how() -> None:
    pile = Pile()
    async with visited(pile) as (_, session):
        status, body = await asked(session, ["0-1"])
        assert (status, body["error"]["code"]) == (403, "no_changes")
        assert "set DASHBOARD_TOKEN" in body["error"]["message"]
        async with session.get("/api/me") as answer:
            assert "set DASHBOARD_TOKEN" in (await answer.json())["no_changes"]
    assert pile.asked == []


async def test_a_session_changes_with_its_own_word_alone() -> None:
    pile = Pile()
    pile.go.set()
    async with visited(pile, DASHBOARD_TOKEN=TOKEN) as (url, session):
        assert (await asked(session, ["0-1"]))[0] == 403
        assert (await asked(session, ["0-1"], **{"X-CSRF-Token": "0" * 64}))[0] == 403
        word = await own(session)
        assert (await asked(session, ["0-1"], **word, Origin="https://evil.example"))[0] == 403
        assert pile.asked == []
        status, body = await asked(session, ["0-1"], **word, Origin=url)
        assert (status, body) == (200, {"letters": [{"id": "0-1", "state": "redriven", "detail": ""}]})
        session.cookie_jar.clear()
        assert (await asked(session, ["0-1"]))[0] == 401
        assert (await asked(session, ["0-2"], **BEARER))[0] == 200


@pytest.mark.parametrize("ids", [[], ["0-1"] * 101, ["1"], ["0-1;"], [1], "0-1", None, ["0-1\n"], ["٣-1"]])
async def test_what_is_no_list_of_letters_is_refused(ids: Any) -> None:
    pile = Pile()
    async with visited(pile, DASHBOARD_TOKEN=TOKEN) as (_, session):
        status, body = await asked(session, ids, **BEARER)
        assert (status, body["error"]["code"]) == (400, "bad_query")
    assert pile.asked == []


async def test_a_form_of_another_site_cannot_even_be_written() -> None:
    async with visited(Pile(), DASHBOARD_TOKEN=TOKEN) as (_, session):
        for content_type in ("text/plain", "application/x-www-form-urlencoded"):
            headers = {"Content-Type": content_type, **BEARER}
            async with session.post("/api/dead/discard", data=b'{"ids":["0-1"]}', headers=headers) as answer:
                assert answer.status == 400


async def test_a_part_that_is_away_is_told_and_may_be_asked_again() -> None:
    pile = Pile()
    pile.go.set()
    pile.error = BrokerUnavailableError("Kafka is away", fix="Try again")
    async with visited(pile, DASHBOARD_TOKEN=TOKEN) as (_, session):
        status, body = await asked(session, ["0-1"], **BEARER)
        assert (status, body["error"]["code"]) == (503, "broker_unavailable")
        pile.error = None
        assert (await asked(session, ["0-1"], **BEARER))[0] == 200
