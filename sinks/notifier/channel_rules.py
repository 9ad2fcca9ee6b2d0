"""Which channel rules hold, and what follows: pure.

An alert's id names its rule, its channel and its episode, so that the same trouble, found again after a restart or by
two notifiers at once, has the same id. What is open is asked of the warehouse; what this process has published and the
warehouse does not show yet, it remembers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from schemas.alert_rules import ChannelRule, channel_alert_id
from schemas.records import Alert
from schemas.rule_words import duration, ratio
from schemas.times import to_iso
from sinks.notifier.measures import Channel, Measure, Open

RESOLVE_MARGIN: Final = 0.02
"""A ratio must be back within its bound by this share of it, so that one on the verge does not open and close."""


class Verdict(NamedTuple):
    """What a rule says of a channel."""

    holds: bool
    """Whether an alert is to be open."""
    clear: bool
    """Whether an open alert is over. Neither: too little is known, or it is on the verge."""
    detail: str
    episode: int
    """Epoch ms: the same as long as this trouble lasts, or for its first window."""


class News(NamedTuple):
    """An alert to publish, with what was measured."""

    alert: Alert
    detail: str


def judge(rule: ChannelRule, found: Measure | None, now: int) -> Verdict:
    """Judge a channel by what was measured; None where nothing was."""
    window = now - now % rule.window_ms
    if rule.kind == "silent":
        return _silence(rule, found, now)
    if found is None or found.messages < rule.min_messages:
        return Verdict(holds=False, clear=False, detail="", episode=window)
    if rule.kind == "delivery_ratio_below":
        return _delivery(rule, found)
    share, bound = found.bad / found.messages, rule.bound or 0.0
    what = "receipts contradict" if rule.kind == "contradictions_above" else "messages lack a status"
    detail = f"{found.bad} of {found.messages} {what} ({ratio(share)})"
    return Verdict(share > bound, share <= bound * (1 - RESOLVE_MARGIN), detail, window)


def _delivery(rule: ChannelRule, found: Measure) -> Verdict:
    share = found.good / found.messages
    detail = f"{found.good} of {found.messages} messages delivered ({ratio(share)})"
    if rule.bound is not None:
        bound = rule.bound
    elif found.before_messages >= rule.min_messages:
        before = found.before_good / found.before_messages
        bound = before * (rule.share_of_last_week or 0.0)
        detail += f", {ratio(before)} in the week before"
    else:
        return Verdict(holds=False, clear=False, detail=detail, episode=found.at)
    return Verdict(share < bound, share >= min(1.0, bound * (1 + RESOLVE_MARGIN)), detail, found.at)


def _silence(rule: ChannelRule, found: Measure | None, now: int) -> Verdict:
    if found is None:
        # A whole week: whatever is open stays open, and a channel that never spoke is none of ours.
        return Verdict(holds=False, clear=False, detail="", episode=0)
    silent = now - found.at
    allowed = max(rule.after_ms, int(found.longest_ms * rule.times))
    detail = f"silent for {duration(silent)}, its longest silence before was {duration(found.longest_ms)}"
    # Its silences tell nothing while it has hardly spoken.
    usual = found.messages >= rule.min_messages
    return Verdict(usual and silent > allowed, silent <= rule.after_ms, detail, found.at)


class Watch:
    """Turns what was measured into openings and resolutions, each once."""

    def __init__(self) -> None:
        self._opened: dict[str, Open] = {}
        """Published by this process, not seen in the warehouse yet."""
        self._resolved: set[str] = set()
        """Published as resolved by this process, and still seen open."""

    def saw(self, shown: Iterable[Open]) -> list[Open]:
        """Take the alerts that the warehouse shows as open, and return all that are."""
        seen = {each.alert_id: each for each in shown}
        self._resolved &= seen.keys()
        for ident in seen.keys() & self._opened.keys():
            del self._opened[ident]
        return [each for ident, each in {**seen, **self._opened}.items() if ident not in self._resolved]

    def news(
        self,
        rule: ChannelRule,
        channels: Iterable[Channel],
        found: Mapping[tuple[str, str], Measure],
        open_: Iterable[Open],
        now: int,
    ) -> list[News]:
        """Return what is to be published of a rule."""
        standing: dict[tuple[str, str], list[Open]] = {}
        for each in open_:
            if each.rule == rule.name:
                standing.setdefault((each.org_id, each.channel_id), []).append(each)
        told: list[News] = []
        for channel in channels:
            place = (channel.org_id, channel.channel_id)
            verdict = judge(rule, found.get(place), now)
            alerts = standing.get(place, [])
            if not _concerns(rule, channel):
                # The rule was narrowed since.
                verdict = verdict._replace(holds=False, clear=True)
            if verdict.clear:
                told.extend(News(self._resolve(each, now), verdict.detail) for each in alerts)
            elif verdict.holds and not alerts:
                told.append(News(self._open(rule, channel, verdict, now), verdict.detail))
        return told

    def unruled(self, names: set[str], open_: Iterable[Open], now: int) -> list[News]:
        """Return the resolutions of alerts whose rule is gone."""
        return [
            News(self._resolve(each, now), "the rule was taken out of RULES_FILE")
            for each in open_
            if each.rule not in names
        ]

    def _open(self, rule: ChannelRule, channel: Channel, verdict: Verdict, now: int) -> Alert:
        ident = channel_alert_id(rule.name, channel.org_id, channel.channel_id, verdict.episode)
        self._opened[ident] = Open(ident, rule.name, channel.org_id, channel.channel_id, verdict.episode, now)
        return _alert(self._opened[ident], "open")

    def _resolve(self, alert: Open, now: int) -> Alert:
        self._opened.pop(alert.alert_id, None)
        self._resolved.add(alert.alert_id)
        return _alert(alert, "resolved", resolved=now)


def _alert(of: Open, state: str, *, resolved: int | None = None) -> Alert:
    return Alert(
        alert_id=of.alert_id,
        rule=of.rule,
        state=state,  # type: ignore[arg-type]  # one of the three
        followup=False,
        org_id=of.org_id,
        channel_id=of.channel_id,
        session_id="",
        message_id="",
        due_time=to_iso(of.episode),
        opened_time=to_iso(of.opened_ms),
        resolved_time=None if resolved is None else to_iso(resolved),
    )


def _concerns(rule: ChannelRule, channel: Channel) -> bool:
    if rule.orgs and channel.org_id not in rule.orgs:
        return False
    return not rule.channels or channel.channel_id in rule.channels or channel.type in rule.channels
