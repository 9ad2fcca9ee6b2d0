"""What the read API answers: one type an answer. The OpenAPI document is made from these.

Times are ISO 8601 with milliseconds and Z, ids text, what is not known null. Each number is the one that the view of
the same name in ClickHouse gives.
"""

from __future__ import annotations

from dashboard.answers.alerts import Alert, Followup
from dashboard.answers.channels import Channel, ChannelRates, Cohort, Rates, Reading, Window
from dashboard.answers.common import Failure, Page, Problem, Ready, Session, row_of
from dashboard.answers.dead import Change, Changes, Chosen, DeadCount, DeadLetter
from dashboard.answers.health import Flow, Health, Lag, Live, Spool
from dashboard.answers.ledger import Audit, Difference, Entry, Fates, Ledger
from dashboard.answers.messages import Found, Hit, Journey, OpenMessage, RawEvent, State, Step, Timeline
from dashboard.answers.overview import Bar, Bucket, ChannelDetail, Heat, Overview, Summary

__all__ = [
    "Alert",
    "Audit",
    "Bar",
    "Bucket",
    "Change",
    "Changes",
    "Channel",
    "ChannelDetail",
    "ChannelRates",
    "Chosen",
    "Cohort",
    "DeadCount",
    "DeadLetter",
    "Difference",
    "Entry",
    "Failure",
    "Fates",
    "Flow",
    "Followup",
    "Found",
    "Health",
    "Heat",
    "Hit",
    "Journey",
    "Lag",
    "Ledger",
    "Live",
    "OpenMessage",
    "Overview",
    "Page",
    "Problem",
    "Rates",
    "RawEvent",
    "Reading",
    "Ready",
    "Session",
    "Spool",
    "State",
    "Step",
    "Summary",
    "Timeline",
    "Window",
    "row_of",
]
