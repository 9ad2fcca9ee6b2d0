"""The read API, one line an endpoint: the routes and the OpenAPI document are both made from this list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboard import answers, health, ledger, listings, overview, stories
from dashboard.listings import Listing
from dashboard.params import DEFAULT_RANGE, EVER, LONGEST_ID, MOST_ROWS, PAGE, RANGES
from dashboard.parts import Parts

Handler = Callable[[Parts, Mapping[str, str]], Awaitable[Any]]
_ID: Final = {"type": "string", "maxLength": LONGEST_ID}

PARAMETERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "range": (
        "So many full hours and the present one; `from` and `to` go before it.",
        {"type": "string", "enum": list(RANGES), "default": DEFAULT_RANGE},
    ),
    "from": ("Beginning, included.", {"type": "string", "format": "date-time"}),
    "to": ("End, excluded.", {"type": "string", "format": "date-time"}),
    "tz": ("IANA time zone of hours, days and weekdays.", {"type": "string", "default": "UTC"}),
    "org": ("Only this org.", _ID),
    "channel": ("Only this channel.", _ID),
    "id": ("The id, whole.", _ID),
    "q": ("The id of a message, session or channel, whole.", _ID),
    "rule": ("Only this rule.", _ID),
    "stage": ("Only what this stage parked.", _ID),
    "reason": ("Only this reason.", _ID),
    "cursor": ("`next_cursor` of the page before.", {"type": "string"}),
    "limit": ("Most rows.", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": PAGE}),
    "format": (
        "`csv`: the rows as CSV, up to 100,000.",
        {"type": "string", "enum": ["json", "csv"], "default": "json"},
    ),
}
PERIOD: Final = ("range", "from", "to")
PLACE: Final = ("org", "channel")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A GET route: what it answers, which parameters it reads, `needed` ones first."""

    path: str
    summary: str
    answer: Any
    handler: Handler
    needed: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    listing: Listing[Any] | None = None

    def parameters(self) -> list[tuple[str, str, dict[str, Any], bool]]:
        """Return name, description, JSON schema and whether it must be given."""
        plain = [(name, *PARAMETERS[name], name in self.needed) for name in (*self.needed, *self.reads)]
        if self.listing is None:
            return plain
        named = (*PERIOD, *self.listing.ids, "cursor", "limit", "format")
        choices = [
            (name, "Only these.", {"type": "string", "enum": list(words), "default": words[0]}, False)
            for name, words in self.listing.choices.items()
        ]
        plain = [(name, *PARAMETERS[name], False) for name in named]
        if self.listing.ever:
            told, schema = PARAMETERS["range"]
            plain[0] = ("range", f"{told} `all` is all there is.", {**schema, "enum": [*RANGES, EVER]}, False)
        return [*plain, *choices]


def _listed(path: str, summary: str, listing: Listing[Any]) -> Endpoint:
    page: Any = answers.Page
    return Endpoint(path, summary, page[listing.kind], listing.page, listing=listing)


ENDPOINTS: Final = (
    Endpoint(
        "/api/overview",
        "All channels over a period: receipts, rates, latencies, open alerts",
        answers.Overview,
        overview.overview,
        reads=(*PERIOD, *PLACE),
    ),
    Endpoint(
        "/api/channel",
        "One channel: over time, hours of reading, latencies",
        answers.ChannelDetail,
        overview.channel,
        needed=PLACE,
        reads=(*PERIOD, "tz"),
    ),
    Endpoint(
        "/api/channels",
        "What each channel reports, and when it was heard",
        answers.Page[answers.Channel],
        health.channels,
        reads=PLACE,
    ),
    _listed("/api/rates", "Rates by cohort: the messages of one hour", listings.COHORTS),
    _listed("/api/windows", "Receipts by minute", listings.WINDOWS),
    _listed("/api/messages", "Messages that nobody has read: stuck in SENT, unread, all", listings.MESSAGES),
    Endpoint(
        "/api/message",
        "What became of one message: statuses, clocks, marks, alerts, records",
        answers.Page[answers.Timeline],
        stories.message,
        needed=("id",),
        reads=("org",),
    ),
    Endpoint("/api/session", "A session's journey", answers.Journey, stories.session, needed=("id",), reads=("org",)),
    _listed("/api/alerts", "Alerts", listings.ALERTS),
    _listed("/api/followups", "Open alerts of follow-up rules, with their messages' facts", listings.FOLLOWUPS),
    _listed("/api/dead", "Dead letters", listings.DEAD),
    Endpoint(
        "/api/ledger",
        "What became of every record, by org, channel and hour of receipt; what the last audit found",
        answers.Ledger,
        ledger.ledger,
        listing=ledger.LEDGER,
    ),
    Endpoint("/api/health", "How the pipeline does", answers.Health, health.health),
    Endpoint(
        "/api/search", "Find a message, session or channel by its id", answers.Found, stories.search, needed=("q",)
    ),
)
