"""Names and types of channels from files and from Zoho's own list."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from core.clickhouse import HttpClickHouse, connect
from core.errors import ConfigError
from core.settings import Settings, parse
from sinks.channels.listing import Channel, from_zoho, read
from sinks.channels.store import listed, orgs_heard, store
from sinks.channels.zoho import ZohoChannels, ZohoError
from sinks.migrate import migrate, released
from tests.stack import run

ORG = "106553778"
# As GET /api/v1/im/channels answers.
ZOHO: list[dict[str, Any]] = [
    {
        "id": "50007000000004080",
        "name": "Support line",
        "integrationServiceType": "WHATSAPP",
        "accountName": "+1 555 0100",
        "departmentId": "50007000000001001",
        "isActive": True,
        "isSandBox": False,
        "isDeleted": False,
    },
    {"id": "50007000000004082", "name": "Old page", "integrationServiceType": "FACEBOOKMESSENGER", "isDeleted": True},
]


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_csv_file_is_read_with_every_digit_and_in_any_order_of_columns() -> None:
    text = "\ufeffname,channel_id,type,org_id\nMy line , 50007000000006017,whatsapp,9\n,50007000000006018,UNKNOWN,\n"
    assert read(text, json=False, org_id=ORG) == [
        Channel("9", "50007000000006017", "WHATSAPP", "My line"),
        Channel(ORG, "50007000000006018"),
    ]


def test_a_json_file_may_be_a_list_or_zohos_own_answer() -> None:
    listing = [{"channel_id": 50007000000006017, "type": "LINE", "active": False, "department_id": "4"}]
    assert read(json.dumps(listing), json=True, org_id=ORG) == [
        Channel(ORG, "50007000000006017", "LINE", department_id="4", active=False)
    ]
    assert [each.name for each in read(json.dumps({"data": ZOHO}), json=True, org_id=ORG)] == [
        "Support line",
        "Old page",
    ]


@pytest.mark.parametrize(
    ("text", "is_json", "named"),
    [
        ("channel_id,type\n", False, "no channels"),
        ("type\nWHATSAPP\n", False, "row 1 names no channel"),
        ("channel_id\n7\n", False, "row 1 .channel 7. names no org"),
        ("channel_id,org_id,active\n7,9,perhaps\n", False, "row 1: active is 'perhaps'"),
        ("{", True, "is no JSON"),
        ("[7]", True, "no JSON list of objects"),
        ('[{"channel_id": 5.0007e16, "org_id": 9}]', True, "has lost digits"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(text: str, is_json: bool, named: str) -> None:  # noqa: FBT001 -- a parameter
    with pytest.raises(ConfigError, match=named):
        read(text, json=is_json)


def test_what_zoho_has_deleted_is_not_active() -> None:
    assert [(each.channel_type, each.active) for each in from_zoho(ZOHO, ORG)] == [
        ("WHATSAPP", True),
        ("FACEBOOKMESSENGER", False),
    ]


# --- Zoho -------------------------------------------------------------------------------------------------------------


class Zoho:
    """A Zoho of our own: tokens live for one page, lists come in pages of one."""

    def __init__(self, *, paged: bool) -> None:
        self.paged = paged
        self.tokens = 0
        self.asked: list[tuple[str, str]] = []

    async def token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        if form != {"grant_type": "refresh_token", "client_id": "c", "client_secret": "s", "refresh_token": "r"}:
            return web.json_response({"error": "invalid_client"})
        self.tokens += 1
        return web.json_response({"access_token": f"t{self.tokens}", "expires_in": 3600})

    async def channels(self, request: web.Request) -> web.Response:
        start = int(request.query.get("from", "0"))
        self.asked.append((request.headers["orgId"], request.query_string))
        # Each token is good for two requests.
        if request.headers["Authorization"] != f"Zoho-oauthtoken t{1 + (len(self.asked) - 1) // 2}":
            self.asked.pop()
            return web.json_response({"errorCode": "INVALID_OAUTH"}, status=401)
        if not self.paged:
            return web.json_response({"data": ZOHO})
        if start >= len(ZOHO):
            return web.Response(status=204)
        return web.json_response({"data": ZOHO[start : start + 1]})


@pytest.fixture(params=[True, False], ids=["paged", "whole"])
async def zoho(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Zoho, str]]:
    made = Zoho(paged=request.param)
    app = web.Application()
    app.router.add_post("/oauth/v2/token", made.token)
    app.router.add_get("/api/v1/im/channels", made.channels)
    async with TestServer(app) as server:
        yield made, str(server.make_url("")).rstrip("/")


def credentials(url: str, **more: str) -> Settings:
    return parse(
        {
            "ZOHO_API_URL": url,
            "ZOHO_ACCOUNTS_URL": url,
            "ZOHO_CLIENT_ID": "c",
            "ZOHO_CLIENT_SECRET": "s",
            "ZOHO_REFRESH_TOKEN": "r",
        }
        | more
    )


async def test_all_pages_are_read_and_a_refused_token_is_refreshed(zoho: tuple[Zoho, str]) -> None:
    server, url = zoho
    async with aiohttp.ClientSession() as session:
        found = await ZohoChannels(session, credentials(url)).of_org(ORG)
    assert [each.channel_id for each in found] == [row["id"] for row in ZOHO]
    assert found[0] == Channel(ORG, ZOHO[0]["id"], "WHATSAPP", "Support line", "+1 555 0100", "50007000000001001")
    assert {org for org, _ in server.asked} == {ORG}
    assert server.tokens == (2 if server.paged else 1)


async def test_what_zoho_refuses_is_said_without_a_secret(zoho: tuple[Zoho, str]) -> None:
    _, url = zoho
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ZohoError, match="gave no access token: HTTP 200 invalid_client") as caught:
            await ZohoChannels(session, credentials(url, ZOHO_CLIENT_SECRET="wrong")).of_org(ORG)
        assert "wrong" not in str(caught.value)
        with pytest.raises(ConfigError, match="ZOHO_REFRESH_TOKEN not set"):
            ZohoChannels(session, credentials(url, ZOHO_REFRESH_TOKEN=""))
        with pytest.raises(ConfigError, match="over https alone"):
            ZohoChannels(session, credentials("http://desk.example.com"))


# --- ClickHouse -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def database(warehouse: str) -> AsyncIterator[tuple[HttpClickHouse, dict[str, str]]]:
    name = f"channels_{uuid4().hex[:12]}"
    environ = {"CLICKHOUSE_URL": warehouse, "CLICKHOUSE_DATABASE": name}
    settings = parse(environ)
    async with connect(settings, database="default") as server, connect(settings) as clickhouse:
        await server.command(f"CREATE DATABASE {name}")
        await migrate(clickhouse, released())
        yield clickhouse, environ
        await server.command(f"DROP DATABASE {name}")


async def hear(clickhouse: HttpClickHouse, channel: str, status: str) -> None:
    row = {
        "org_id": ORG,
        "channel_id": channel,
        "message_id": f"{channel}-{status}",
        "new_status": status,
        "updated_time": "2025-10-09T12:00:00.000Z",
        "received_time": "2025-10-09T12:00:01.000Z",
        "time_source": "updated",
    }
    await clickhouse.insert("transitions_log", json.dumps(row).encode(), token=uuid4().hex)


@pytest.mark.stack
async def test_a_listed_type_says_what_an_unknown_channel_reports(
    database: tuple[HttpClickHouse, dict[str, str]],
) -> None:
    clickhouse, _ = database
    await hear(clickhouse, "7", "SENT")
    assert [row["type"] for row in await listed(clickhouse)] == ["UNKNOWN"]
    await store(clickhouse, [Channel(ORG, "7", "WHATSAPP", "Mine"), Channel(ORG, "8", "LINE")], "file", 1)
    rows = {row["channel_id"]: row for row in await listed(clickhouse)}
    assert (rows["7"]["type"], rows["7"]["name"], rows["7"]["listed"]) == ("WHATSAPP", "Mine", True)
    assert (rows["8"]["type"], rows["8"]["last_heard"]) == ("LINE", None)
    (rate,) = await clickhouse.rows("SELECT * FROM channel_rates")
    assert (rate["channel_type"], rate["delivery_ratio"], rate["read_ratio"]) == ("WHATSAPP", 0.0, 0.0)
    assert await orgs_heard(clickhouse) == [ORG]


@pytest.mark.stack
async def test_the_latest_word_holds(database: tuple[HttpClickHouse, dict[str, str]]) -> None:
    clickhouse, _ = database
    for name, moment in (("new", 2000), ("old", 1000)):
        await store(clickhouse, [Channel(ORG, "7", "WHATSAPP", name)], "zoho", moment)
    (row,) = await listed(clickhouse)
    assert row["name"] == "new"


@pytest.mark.stack
def test_the_command_imports_and_lists(database: tuple[HttpClickHouse, dict[str, str]], tmp_path: Path) -> None:
    _, environ = database
    file = tmp_path / "channels.csv"
    file.write_text("channel_id,type,name\n50007000000004080,WHATSAPP,Support\n")
    assert run("channels", "list", "--json", environ=environ).returncode == 1
    assert "would store 1" in run("channels", "import", str(file), "--org", ORG, "--dry-run", environ=environ).stdout
    done = run("channels", "import", str(file), "--org", ORG, environ=environ)
    assert (done.returncode, done.stdout) == (0, "stored 1 channels\n"), done.stderr
    found = run("channels", "list", "--json", environ=environ)
    assert [(row["channel_id"], row["name"]) for row in json.loads(found.stdout)] == [("50007000000004080", "Support")]
    assert "Support" in run("channels", "list", "--org", ORG, environ=environ).stdout
    refused = run("channels", "sync", environ=environ)
    assert (refused.returncode, "ZOHO_CLIENT_ID" in refused.stderr) == (2, True)
