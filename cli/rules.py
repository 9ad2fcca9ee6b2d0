"""`receipts rules`: what the alert rules are understood to say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from schemas.alert_rules import ChannelRule, MessageRule


@click.group()
def command() -> None:
    """Check the alert rules."""


@command.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
def check(file: Path | None) -> None:
    """Read rules from FILE (or RULES_FILE, or the built-in ones) and print what was understood.

    Exits 2 when something in it is wrong, naming the rule, the field, the value and the fix.
    """
    from cli._settings import load as settings
    from schemas.alert_rules import load

    path = file or settings().rules_file
    rules = load(path)
    number = len(rules.message_rules) + len(rules.channel_rules)
    click.echo(f"{path or 'built-in rules'}: {number} rule{'' if number == 1 else 's'}")
    for rule in rules.message_rules:
        click.echo(f"  {rule.name}: {message_rule(rule)}")
    for channel_rule_ in rules.channel_rules:
        click.echo(f"  {channel_rule_.name}: {channel_rule(channel_rule_)}")


def message_rule(rule: MessageRule) -> str:
    """Say a rule in words."""
    from schemas.rule_words import condition, scope

    return f"{'follow-up' if rule.followup else 'alert'} when a message {condition(rule)}{scope(rule)}"


def channel_rule(rule: ChannelRule) -> str:
    """Say a rule in words."""
    from schemas.rule_words import condition, scope

    return f"alert when a channel {condition(rule)}{scope(rule)}"
