"""Alert rules in words, for people."""

from __future__ import annotations

from schemas.alert_rules import ChannelRule, MessageRule

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def duration(ms: float) -> str:
    """Say a duration with its two largest units: `15 min`, `1 d 3 h`; below a second in milliseconds."""
    left, parts = int(abs(ms)), []
    for size, unit in _UNITS:
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    text = " ".join(parts[:2]) or f"{left} ms"
    return f"-{text}" if ms < 0 else text


def ratio(value: float) -> str:
    """Say a ratio in per cent."""
    return f"{value * 100:.4g} %"


def condition(rule: MessageRule | ChannelRule) -> str:
    """Say when a rule holds, as what follows on `a message` or `a channel`."""
    if isinstance(rule, MessageRule):
        return f"stays in {rule.status} for more than {duration(rule.after_ms)}"
    if rule.kind == "silent":
        return (
            f"is silent for more than {duration(rule.after_ms)} and more than {rule.times:g} times its longest "
            f"silence of the last week"
        )
    what = {
        "contradictions_above": "has contradictions in more than",
        "gaps_above": "has statuses missing in more than",
        "delivery_ratio_below": "delivers less than",
    }[rule.kind]
    if rule.share_of_last_week is not None:
        return (
            f"{what} {ratio(rule.share_of_last_week)} of its own last week's ratio within "
            f"{duration(rule.window_ms)} of mature hours"
        )
    of_what = "receipts" if rule.kind == "contradictions_above" else "messages"
    mature = " of mature hours" if rule.kind == "delivery_ratio_below" else ""
    return f"{what} {ratio(rule.bound or 0)} of {of_what} within {duration(rule.window_ms)}{mature}"


def scope(rule: MessageRule | ChannelRule) -> str:
    """Say what a rule is limited to; '' when it is not."""
    limits = [f"at least {rule.min_messages} messages"] if isinstance(rule, ChannelRule) else []
    for name, values in (("orgs", rule.orgs), ("channels", rule.channels)):
        if values:
            limits.append(f"{name} {', '.join(sorted(values))}")
    return f" ({'; '.join(limits)})" if limits else ""
