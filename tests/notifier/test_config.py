"""Destinations: what is understood, and how each mistake is told without telling secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from core.settings import Settings, parse
from sinks.notifier.config import Chat, Destination, Email, Limits, Webhook, ZohoDeskTask, load
from tests.notifier.places import SECRET

EVERY = f"""
[[destination]]
name = "ops"
kind = "webhook"
url = "https://example.com/alerts"
secret_file = "signing"
old_secret = "{SECRET}"
rules = ["stuck_in_sent"]
orgs = [106553778]
states = ["open"]
per_minute = 60
digest_within = "0s"
digest_max = 1
timeout = "5s"
give_up_after = "12h"
probe_every = "10m"
[[destination]]
name = "chat"
kind = "slack"
url = "https://hooks.slack.com/services/T0/B0/hush"
[[destination]]
name = "team"
kind = "teams"
url_file = "teams"
[[destination]]
name = "mail"
kind = "email"
host = "smtp.example.com"
user = "u"
password = "hush"
sender = "receipts@example.com"
to = ["support@example.com"]
[[destination]]
name = "tasks"
kind = "zoho_desk_task"
org_id = 60001280952
department_id = "3000000007043"
client_id = "1000.A"
client_secret = "hush"
refresh_token = "hush"
"""


def settings(tmp_path: Path, text: str, **more: str) -> Settings:
    file = tmp_path / "notify.toml"
    file.write_text(text)
    return parse({"NOTIFY_FILE": str(file), **more})


def test_every_kind_is_understood(tmp_path: Path) -> None:
    (tmp_path / "signing").write_text(SECRET + "\n")
    (tmp_path / "teams").write_text("https://example.webhook.office.com/hush\n")
    ops, chat, team, mail, tasks = load(settings(tmp_path, EVERY))
    assert ops.limits == Limits(
        rules=frozenset({"stuck_in_sent"}),
        orgs=frozenset({"106553778"}),
        states=frozenset({"open"}),
        per_minute=60,
        digest_within=0,
        digest_max=1,
        timeout=5,
        give_up_after=43_200,
        probe_every=600,
    )
    assert isinstance(ops.target, Webhook)
    assert [each.get_secret_value() for each in ops.target.secrets] == [SECRET, SECRET]
    assert (chat.limits, team.name) == (Limits(), "team")
    assert isinstance(team.target, Chat)
    assert team.target.url.get_secret_value() == "https://example.webhook.office.com/hush"
    assert isinstance(mail.target, Email)
    assert (mail.target.port, mail.target.security) == (587, "starttls")
    assert isinstance(tasks.target, ZohoDeskTask)
    assert (tasks.target.url, tasks.target.org_id) == ("https://desk.zoho.com", "60001280952")
    assert tasks.limits.states == {"open"}
    assert "hush" not in repr((ops, chat, team, mail, tasks))


def test_the_environment_names_one_destination() -> None:
    found = load(parse({"NOTIFY_URL": "https://example.com/x", "NOTIFY_SECRET": SECRET}))
    assert [destination.name for destination in found] == ["default"]
    assert load(parse({})) == ()


HOOK = f'[[destination]]\nname = "a"\nkind = "webhook"\nurl = "https://example.com/x"\nsecret = "{SECRET}"\n'
MAIL = '[[destination]]\nname = "a"\nkind = "email"\nhost = "h"\nsender = "a@b.c"\nto = ["a@b.c"]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[destination", "not TOML"),
        ("[destination]\nname = 'a'", "[[destination]]"),
        ("[[destinations]]", "destinations: is no key here (do you mean destination?)"),
        (HOOK + HOOK, "two destinations are named a"),
        (HOOK.replace('"a"', '"A b"'), "name = 'A b': write at most 64"),
        (HOOK.replace('"webhook"', '"carrier_pigeon"'), "kind = 'carrier_pigeon': write one of webhook"),
        (HOOK.replace("https", "http"), "write https"),
        (HOOK.replace("https://", "https://u:hush@"), "carries a name or password"),
        (HOOK.replace("https://example.com/x", "https://[::1"), "is no URL"),
        (HOOK.replace("https://example.com/x", "https:///x"), "is no URL"),
        (HOOK.replace(SECRET, "hush-hush-hush"), "secret: is not base64 of 16 bytes or more; make one with"),
        (HOOK.replace(f'secret = "{SECRET}"', ""), "secret: is missing; make one with"),
        (HOOK + 'secret_file = "x"', "give either secret or secret_file"),
        (HOOK.replace(f'secret = "{SECRET}"', 'secret_file = "none"'), "secret_file = 'none': cannot be read"),
        (HOOK + 'user = "x"', "user: is no key here"),
        (HOOK + "per_minute = 0", "per_minute = 0: write a whole number from 1 to 6000"),
        (HOOK + "digest_max = 501", "digest_max = 501: write"),
        (HOOK + 'timeout = "1y"', "timeout = '1y': write a number and a unit"),
        (HOOK + 'states = ["expired"]', "states = ['expired']: write"),
        (HOOK + 'rules = "a"', "rules = 'a': write a list"),
        (MAIL.replace('["a@b.c"]', '["a@b.c\\nBcc: x@y.z"]'), "to = "),
        (MAIL.replace('"a@b.c"\nto', '"no address"\nto'), "sender = 'no address'"),
        (MAIL + 'security = "none"', "only with NOTIFY_ALLOW_PRIVATE=true"),
        (MAIL + 'user = "x"', "give user and password, or neither"),
        (MAIL + "port = 70000", "port = 70000"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_fix(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(settings(tmp_path, text))
    assert told in str(raised.value)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"NOTIFY_URL": "https://example.com"}, "NOTIFY_SECRET: is missing; make one with"),
        ({"NOTIFY_SECRET": SECRET}, "NOTIFY_SECRET is set, and NOTIFY_URL is not"),
        ({"NOTIFY_URL": "https://me:secret@example.com", "NOTIFY_SECRET": SECRET}, "NOTIFY_URL: carries a name or"),
        ({"NOTIFY_URL": "http://example.com", "NOTIFY_SECRET": SECRET}, "NOTIFY_URL=http://example.com: write https"),
        ({"NOTIFY_FILE": "/none"}, "NOTIFY_FILE=/none: cannot be read"),
    ],
)
def test_a_mistake_in_the_environment_is_told(environ: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(parse(environ))
    assert told in str(raised.value)
    assert "me:secret" not in str(raised.value)


def test_a_destination_needs_no_limits() -> None:
    assert Destination("a", Webhook("u", ())).limits.states == {"open", "resolved"}
