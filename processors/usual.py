"""The usual record, decided in one go: the fast path.

Nine of ten records are a ladder status in the documented shape, with the ingress's own headers, whose time has the form
that Zoho sends. For those this module does what the general path of `processors.receipts` does, without its steps in
between; of every other it says so and leaves it alone. A test holds both paths to the same bytes.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from core.kafka_reader import Headers
from processors import rules
from processors.abilities import Abilities
from processors.alerts import Alerts, Told
from processors.codec import encode_fact, plain_fact
from processors.expiry import MessageKey
from processors.outputs import Outputs
from processors.partials import Partials
from processors.places import Place, Places, text_of
from processors.ports import Record
from processors.state import State, message_key
from processors.tally import Tally
from processors.windows import Moment
from schemas import topics
from schemas.events import UNREADABLE
from schemas.keys import join
from schemas.records import Transition
from schemas.shapes import MAX_STATUS_LENGTH, decode_documented
from schemas.times import epoch_to_iso, parse_iso, to_iso

_OWN: Final = 5
"""Headers of the ingress's own; a record whose request is traced has one more."""
_LONGEST_TIME: Final = 13
_ZOHO_TIME: Final = len("2025-10-09T07:27:19.394Z")
_WORDS: Final = 10**20
_encode: Final = msgspec.json.Encoder().encode


class Usual:
    """The fast path of one raw partition, on the parts of its engine."""

    def __init__(  # noqa: PLR0917 -- the parts of one engine
        self,
        partition: int,
        state: State,
        partials: Partials,
        alerts: Alerts,
        abilities: Abilities,
        places: Places,
    ) -> None:
        self.tally = Tally()
        self._partition = partition
        self._state = state
        self._partials = partials
        self._alerts = alerts
        self._abilities = abilities
        self._places = places
        # The last received time as it was written, in epoch ms, and as ISO text: a request's records share it, and
        # the headers themselves where they were read by `core.kafka_reader`.
        self._headers: Headers = []
        self._written: bytes | None = b""
        self._received = 0
        self._received_text = ""

    def take(self, record: Record, out: Outputs, watermark: int) -> int:
        """Decide on a record and return its received time, epoch ms; 0 when it is not a usual one: nothing is done."""
        received = self._receive(record.headers)
        if not received:
            return 0
        try:
            envelope = decode_documented(record.value or b"")
        except UNREADABLE:
            return 0
        payload = envelope.payload
        told = payload.messageNewStatus
        rank = rules.RANKS.get(told.status)
        time = parse_iso(told.updatedTime)
        if rank is None or time is None or len(told.updatedTime) != _ZOHO_TIME or told.updatedTime[-1] != "Z":
            return 0
        place = self._places.of(envelope.orgId, payload.channelId)
        org = place.org_id
        message = str(payload.messageId)
        key: MessageKey = payload.messageId
        if type(key) is not int or not 0 < key < _WORDS:
            key = message_key(message)
        old = payload.messageOldStatus
        if type(old) is not str or len(old) > MAX_STATUS_LENGTH:
            old = ""

        at = Moment(time, received, record.offset)
        known = self._state.ladder(org, key)
        outcome = rules.decide(known, rank, time, record.offset, old)
        if type(outcome) is not rules.Applied:
            self.tally.duplicate += 1
            self._partials.count_usual(place, at, rank, outcome, watermark)
            return received

        self._write(envelope, place, message, old, at, outcome, out)
        after = known
        if not known >> rank * rules.FACT_BITS & rules.FACT_MASK:  # else it is this very record, after a crash
            after = known | rules.pack(time, record.offset, received) << rank * rules.FACT_BITS
            self._state.put(org, key, known, after, (place.channel_id, text_of(payload.sessionId)))
        if not place.told >> rank & 1:  # later offsets teach nothing more
            place.told |= 1 << rank
            self._abilities.learn_status(org, place.channel_id, rank, record.offset)
        if not self._alerts.told_usual(place, (key, payload.sessionId), rank, at, after):
            first = Told(org, key, place.channel_id, text_of(payload.sessionId), rank, time, received, record.offset)
            self._alerts.told(first, after, out.kept, out.alerts)
        self.tally.applied += 1
        self._partials.count_usual(place, at, rank, outcome, watermark)
        return received

    def _write(  # noqa: PLR0917 -- once a record
        self, envelope: Any, place: Place, message: str, old: str, at: Moment, outcome: rules.Applied, out: Outputs
    ) -> None:
        """Append the transition and the fact."""
        told = envelope.payload.messageNewStatus
        session = text_of(envelope.payload.sessionId)
        row = Transition(
            place.org_id,
            place.channel_id,
            session,
            message,
            old,
            told.status,
            told.updatedTime,
            epoch_to_iso(envelope.eventTime),
            self._received_text,
            "updated",
            outcome.implied,
            outcome.out_of_order,
            outcome.contradiction,
            outcome.sent_to_delivered_ms,
            outcome.delivered_to_read_ms,
            self._partition,
            at.offset,
        )
        out.transitions(message.encode(), _encode(row))
        payload = envelope.payload
        if place.plain and type(payload.messageId) is int and type(payload.sessionId) is int:
            out.facts(*plain_fact(place.org_id, message, told.status, at, place.channel_id, session))
        else:
            out.facts(
                join(place.org_id, message, told.status),
                encode_fact(at.time, at.offset, at.received, place.channel_id, session),
            )

    def _receive(self, headers: Headers) -> int:
        """Return the received time in the ingress's own headers, 0 where the headers are others."""
        if headers is self._headers:
            return self._received
        if len(headers) != _OWN and not (len(headers) == _OWN + 1 and headers[_OWN][0] == topics.HEADER_TRACE):
            return 0
        # One after the other: unpacked or compared as tuples they would take twice the time.
        if (
            headers[0][0] != topics.HEADER_ORG
            or headers[1][0] != topics.HEADER_TYPE
            or headers[2][0] != topics.HEADER_RECEIVED
            or headers[3][0] != topics.HEADER_DELIVERY
            or headers[4][0] != topics.HEADER_SOURCE
        ):
            return 0
        written = headers[2][1]
        if written != self._written:
            if not written or not written.isdigit() or len(written) > _LONGEST_TIME:
                return 0
            self._written = written
            self._received = int(written)
            self._received_text = to_iso(self._received)
        self._headers = headers
        return self._received
