"""Rules files: what is understood, and how each mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from schemas.alert_rules import DEFAULT, ChannelRule, MessageRule, alert_id, channel_alert_id, load, parse
from schemas.rule_words import condition, duration, scope
from tests.stack import run

GOOD = """
channel_rules_every = "30s"
[[rule]]
name = "stuck_in_sent"
status = "SENT"
after = "15m"
[[rule]]
name = "vip_not_read"
status = "DELIVERED"
after = "1.5h"
followup = true
orgs = [106553778]
channels = ["WHATSAPP", "50007000000001"]
[[channel_rule]]
name = "few_delivered"
kind = "delivery_ratio_below"
bound = 0.9
[[channel_rule]]
name = "worse_than_usual"
kind = "delivery_ratio_below"
share_of_last_week = 0.8
window = "6h"
min_messages = 200
[[channel_rule]]
name = "silent"
kind = "silent"
after = "2h"
times = 3
[[channel_rule]]
name = "contradicted"
kind = "contradictions_above"
bound = 0.05
channels = ["WHATSAPP"]
[[channel_rule]]
name = "gaps"
kind = "gaps_above"
bound = 0.1
"""


def test_every_kind_is_understood() -> None:
    rules = parse(GOOD, "f")
    assert rules.channel_rules_every_ms == 30_000
    assert rules.message_rules == (
        MessageRule("stuck_in_sent", "SENT", 900_000),
        MessageRule(
            "vip_not_read",
            "DELIVERED",
            5_400_000,
            followup=True,
            orgs=frozenset({"106553778"}),
            channels=frozenset({"WHATSAPP", "50007000000001"}),
        ),
    )
    few, worse, silent, contradicted, gaps = rules.channel_rules
    assert (few.bound, few.share_of_last_week, few.window_ms) == (0.9, None, 86_400_000)
    assert (worse.bound, worse.share_of_last_week, worse.window_ms, worse.min_messages) == (None, 0.8, 21_600_000, 200)
    assert (silent.after_ms, silent.times) == (7_200_000, 3.0)
    assert (contradicted.channels, contradicted.window_ms) == (frozenset({"WHATSAPP"}), 3_600_000)
    assert gaps.kind == "gaps_above"


def test_without_a_file_the_two_documented_rules_hold() -> None:
    assert load(None) == DEFAULT
    assert [(rule.name, rule.status, rule.after_ms, rule.followup) for rule in DEFAULT.message_rules] == [
        ("stuck_in_sent", "SENT", 900_000, False),
        ("delivered_not_read", "DELIVERED", 86_400_000, True),
    ]


def test_an_empty_file_has_no_rules() -> None:
    assert parse("", "f").message_rules == ()


RULE = '[[rule]]\nname = "a"\nstatus = "SENT"\nafter = "15m"\n'
CHANNEL = '[[channel_rule]]\nname = "b"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rule]", "not TOML"),
        ("[rule]\nname = 'a'", "with two brackets"),
        ('rules = ["a"]', "rules: is no key here (do you mean rule?)"),
        ('[[rule]]\nstatus = "SENT"\nafter = "1m"', "[[rule]] number 1: name: is missing"),
        (RULE.replace('"a"', '"Not Read"'), "name = 'Not Read': write at most 64 of a-z, 0-9 and _"),
        (RULE.replace('"a"', '"größe"'), "name = 'größe'"),
        (RULE.replace('"a"', "7"), "name = 7"),
        (RULE + RULE, "[[rule]] number 2 (a): name = 'a': another rule has this name"),
        (
            RULE + CHANNEL.replace('"b"', '"a"') + 'kind = "silent"',
            "[[channel_rule]] number 1 (a): name = 'a': another",
        ),
        (RULE.replace("SENT", "READ"), "status = 'READ': write SENT or DELIVERED"),
        (RULE.replace("SENT", "sent"), "status = 'sent': write SENT or DELIVERED"),
        (RULE.replace('"15m"', '"soon"'), "after = 'soon': write a number and a unit"),
        (RULE.replace('"15m"', "15"), "after = 15: write a number and a unit as text"),
        (RULE.replace('"15m"', "true"), "after = True: write"),
        (RULE.replace('"15m"', '"0s"'), "after = '0s': write"),
        (RULE.replace('"15m"', '"31d"'), "at most 30d"),
        (RULE.replace('"15m"', f'"{"9" * 400}d"'), "at most 30d"),
        (RULE + "folowup = true", "folowup: is no key here (do you mean followup?)"),
        (RULE + 'followup = "yes"', "followup = 'yes': write true or false"),
        (RULE + 'orgs = "1"', "orgs = '1': write a list"),
        (RULE + "orgs = [1.0]", "orgs = [1.0]: write a list"),
        (RULE + "channels = []", "names none"),
        (CHANNEL, "kind: is missing: one of delivery_ratio_below"),
        (CHANNEL + 'kind = "silence"', "kind = 'silence': write one of"),
        (CHANNEL + "kind = [1]", "kind = [1]: write one of"),
        (CHANNEL + 'kind = "silent"\nbound = 0.5', "bound: is no key here"),
        (CHANNEL + 'kind = "silent"\ntimes = nan', "times = nan: write a number"),
        (CHANNEL + 'kind = "gaps_above"', "bound: is missing: a ratio"),
        (CHANNEL + 'kind = "gaps_above"\nbound = 5', "bound = 5: write a ratio between 0 and 1"),
        (CHANNEL + 'kind = "gaps_above"\nbound = true', "bound = True: write a ratio"),
        (CHANNEL + 'kind = "delivery_ratio_below"', "either bound or share_of_last_week"),
        (CHANNEL + 'kind = "delivery_ratio_below"\nbound = 0.5\nshare_of_last_week = 0.5', "one of the two"),
        (CHANNEL + 'kind = "silent"\nmin_messages = 0', "min_messages = 0: write a whole number"),
        ('channel_rules_every = "x"', "the file: channel_rules_every = 'x'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_fix(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, "rules.toml")
    assert str(raised.value).startswith("RULES_FILE=rules.toml: ")
    assert told in str(raised.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "latin").write_bytes(b"# \xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "latin")


def test_ids_tell_apart_what_contains_a_colon() -> None:
    assert alert_id("r", "1", "2") == "r:1:2"
    assert alert_id("r", "1:2", "3") != alert_id("r", "1", "2:3")
    assert channel_alert_id("r", "1", "2", 3) == "r:1:2:3"


def test_rules_are_said_in_words() -> None:
    rules = parse(GOOD, "f")
    every: list[MessageRule | ChannelRule] = [*rules.message_rules, *rules.channel_rules]
    said = [f"{condition(rule)}{scope(rule)}" for rule in every]
    assert said == [
        "stays in SENT for more than 15 min",
        "stays in DELIVERED for more than 1 h 30 min (orgs 106553778; channels 50007000000001, WHATSAPP)",
        "delivers less than 90 % of messages within 1 d of mature hours (at least 50 messages)",
        "delivers less than 80 % of its own last week's ratio within 6 h of mature hours (at least 200 messages)",
        "is silent for more than 2 h and more than 3 times its longest silence of the last week (at least 50 messages)",
        "has contradictions in more than 5 % of receipts within 1 h (at least 50 messages; channels WHATSAPP)",
        "has statuses missing in more than 10 % of messages within 1 h (at least 50 messages)",
    ]


@pytest.mark.parametrize(
    ("ms", "said"), [(0, "0 ms"), (999, "999 ms"), (61_000, "1 min 1 s"), (90_061_000, "1 d 1 h"), (-5000, "-5 s")]
)
def test_durations_are_said_with_two_units(ms: int, said: str) -> None:
    assert duration(ms) == said


def test_the_command_prints_what_it_understood_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RULE)
    good = run("rules", "check", str(file))
    assert (good.returncode, good.stdout) == (
        0,
        f"{file}: 1 rule\n  a: alert when a message stays in SENT for more than 15 min\n",
    )
    file.write_text(RULE.replace("SENT", "READ"))
    bad = run("rules", "check", environ={"RULES_FILE": str(file)})
    assert bad.returncode == 2
    assert bad.stderr == (
        f"receipts: RULES_FILE={file}: [[rule]] number 1 (a): status = 'READ': "
        "write SENT or DELIVERED: no status is awaited after another\n"
    )


def test_a_channel_rule_is_hashable() -> None:
    assert len({ChannelRule("a", "silent"), ChannelRule("a", "silent")}) == 1
