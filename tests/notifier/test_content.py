"""What notifications say, to programs and to people, whatever the ids contain."""

from __future__ import annotations

import re

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from schemas.alert_rules import DEFAULT, ChannelRule, RulesFile
from schemas.records import Alert
from sinks.notifier.config import Email
from sinks.notifier.content import Item, compose
from sinks.notifier.http import slack, teams
from sinks.notifier.mail import message
from tests.notifier.alerts import NOW, alert

MAIL = Email("h", 25, "none", "", SecretStr(""), "r@example.com", ("a@example.com",))


def called(org_id: str, channel_id: str) -> str:
    return f"WHATSAPP channel {channel_id}"


def test_one_alert_is_told_in_a_sentence_with_where_to_look() -> None:
    told = compose([Item(alert(5))], DEFAULT, called, NOW)
    assert told.id == "stuck_in_sent:1:5:open"
    assert told.title == "Message 5 on WHATSAPP channel 77 has stayed in SENT for more than 15 min"
    assert told.lines == (
        "Alert of rule stuck_in_sent, org 1",
        "Since 2025-10-09T08:38:20.000Z",
        "Timeline: receipts message 5",
    )
    assert told.payload["type"] == "alert.opened"
    assert told.payload["data"]["alerts"][0]["channel_name"] == "WHATSAPP channel 77"


def test_a_resolution_tells_how_long_it_took() -> None:
    told = compose([Item(alert(5, "resolved"))], DEFAULT, called, NOW)
    assert told.title == "Resolved: message 5 on WHATSAPP channel 77 left SENT after 16 min"
    assert told.payload["type"] == "alert.resolved"


def test_a_rule_that_is_gone_is_named() -> None:
    told = compose([Item(alert(5, rule="old"))], DEFAULT, called, NOW)
    assert told.title == "Message 5 on WHATSAPP channel 77 broke the rule old"


def test_many_alerts_are_counted_and_some_of_them_listed() -> None:
    items = [Item(alert(number)) for number in range(40)] + [Item(alert(0, "resolved"))]
    told = compose(items, DEFAULT, called, NOW)
    assert told.title == "41 alerts: 40 opened, 1 resolved"
    assert told.lines[:2] == (
        "40 opened: stuck_in_sent on WHATSAPP channel 77",
        "1 resolved: stuck_in_sent on WHATSAPP channel 77",
    )
    assert told.lines[-1] == "and 16 more: receipts alerts list"
    assert told.payload["type"] == "alert.digest"
    assert (told.payload["data"]["opened"], told.payload["data"]["resolved"]) == (40, 1)
    assert compose(items, DEFAULT, called, NOW + 1).id == told.id
    assert compose(items[1:], DEFAULT, called, NOW).id != told.id


def test_an_alert_on_a_channel_tells_what_was_measured() -> None:
    rules = RulesFile((), (ChannelRule("few", "delivery_ratio_below", bound=0.9),))
    of = msgspec.structs.replace(alert("", rule="few"), session_id="")
    told = compose([Item(of, "80 of 100 messages delivered (80 %)")], rules, called, NOW)
    assert told.title == "WHATSAPP channel 77 delivers less than 90 % of messages within 1 d of mature hours"
    assert told.lines[0] == "80 of 100 messages delivered (80 %)"


def test_marks_and_mentions_in_ids_do_nothing_in_a_chat() -> None:
    told = compose([Item(alert("<!channel> *x* [a](http://b)"))], DEFAULT, called, NOW)
    text = slack(told)["text"]
    assert "<" not in text
    assert "&lt;!channel&gt;" in text
    card = teams(told)["attachments"][0]["content"]
    assert r"\[a\](http://b)" in card["body"][1]["text"]


hostile = st.text(st.characters(codec="utf-8"), min_size=1, max_size=64)


@given(hostile, hostile, hostile)
def test_no_id_breaks_a_form(org: str, channel: str, number: str) -> None:
    of = msgspec.structs.replace(alert(number, org=org), channel_id=channel)
    assert isinstance(of, Alert)
    for items in ([Item(of)], [Item(of), Item(alert(1))]):
        told = compose(items, DEFAULT, lambda _, channel_id: channel_id, NOW)
        assert re.fullmatch(r"[A-Za-z0-9_:%-]+", told.id)
        assert all(line.isprintable() for line in (told.title, *told.lines))
        orjson.dumps((told.payload, slack(told), teams(told)))
        mail = message(told, MAIL, NOW).as_bytes()
        head = mail.partition(b"\r\n\r\n")[0]
        assert head.count(b"\r\nSubject:") + head.count(b"\r\nTo:") == 2
