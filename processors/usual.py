"""The usual record, decided in one go: the fast path.

Nearly all records are a ladder status in the documented shape, with the ingress's own headers and a time that can be
read. For those this module does what the general path of `processors.receipts` does, without its steps in between; of
every other it says so and leaves it alone. A test holds both paths to the same bytes.
"""

from __future__ import annotations

from typing import Final

import msgspec
from mypy_extensions import mypyc_attr

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
_ISO_LENGTH: Final = len("2025-10-09T07:27:19.394Z")
_WORDS: Final = 10**20
_JSON: Final = ("false", "true")
_encode: Final = msgspec.json.Encoder().encode


@mypyc_attr(acyclic=True, free_list_len=1)
class _Told:
    """What a usual record tells. Each field is fetched once: that costs as much as most of what is done with it."""

    __slots__ = (
        "at",
        "event_time",
        "key",
        "message",
        "old",
        "place",
        "rank",
        "session",
        "session_id",
        "status",
        "time",
    )

    def __init__(  # noqa: PLR0917 -- once a record
        self,
        place: Place,
        key: MessageKey,
        message: str,
        session: int | str | None,
        rank: int,
        status: str,
        time: str,
        old: str,
        event_time: object,
        at: Moment,
    ) -> None:
        self.place = place
        self.key = key
        self.message = message
        """The key as text."""
        self.session = session
        """As it was written."""
        self.session_id = text_of(session)
        self.rank = rank
        self.status = status
        self.time = time
        """ISO 8601 with milliseconds and Z."""
        self.old = old
        self.event_time = event_time
        self.at = at

    @property
    def plain(self) -> bool:
        """Whether all its texts stand in a key and in JSON as they are."""
        return (
            self.place.plain
            and self.message.isalnum()
            and (type(self.session) is int or not self.session_id or self.session_id.isalnum())
            and (not self.old or self.old.isalnum())
        )


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
        self._decode = decode_documented
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
        told = self._read(record, received) if received else None
        if told is None:
            return 0
        place, key, rank, at = told.place, told.key, told.rank, told.at
        known = self._state.ladder(place.org_id, key)
        outcome = rules.decide(known, rank, at.time, at.offset, told.old)
        if type(outcome) is not rules.Applied:
            self.tally.duplicate += 1
            self._partials.count_usual(place, at, rank, outcome, watermark)
            return received

        self._write(told, outcome, out)
        after = known
        if not known >> rank * rules.FACT_BITS & rules.FACT_MASK:  # else it is this very record, after a crash
            after = known | rules.pack(at.time, at.offset, received) << rank * rules.FACT_BITS
            self._state.put(place.org_id, key, known, after, received, (place.channel_id, told.session))
        if not place.told >> rank & 1:  # later offsets teach nothing more
            place.told |= 1 << rank
            self._abilities.learn_status(place.org_id, place.channel_id, rank, at.offset)
        if not self._alerts.told_usual(place, (key, told.session), rank, at, after):
            first = Told(place.org_id, key, place.channel_id, told.session_id, rank, at.time, received, at.offset)
            self._alerts.told(first, after, out.kept, out.alerts)
        self.tally.applied += 1
        self._partials.count_usual(place, at, rank, outcome, watermark)
        return received

    def _read(self, record: Record, received: int) -> _Told | None:
        """Return what a record tells; None where it is not a usual one."""
        try:
            envelope = self._decode(record.value or b"")
        except UNREADABLE:
            return None
        payload = envelope.payload
        new = payload.messageNewStatus
        status: str = new.status
        rank = rules.RANKS.get(status, -1)
        written = new.updatedTime
        time = parse_iso(written)
        if rank < 0 or time is None:
            return None
        if len(written) != _ISO_LENGTH or written[-1] != "Z":
            written = to_iso(time)
        key: MessageKey = payload.messageId
        message = str(key)
        if type(key) is not int or not 0 < key < _WORDS:
            key = message_key(message)
        old = payload.messageOldStatus
        if type(old) is not str or len(old) > MAX_STATUS_LENGTH:
            old = ""
        place = self._places.of(envelope.orgId, payload.channelId)
        at = Moment(time, received, record.offset)
        return _Told(place, key, message, payload.sessionId, rank, status, written, old, envelope.eventTime, at)

    def _write(self, told: _Told, outcome: rules.Applied, out: Outputs) -> None:
        """Append the transition and the fact."""
        place, at = told.place, told.at
        if told.plain:
            out.transitions(told.message.encode(), self._plain_row(told, outcome))
            name, fact = plain_fact(place.org_id, told.message, told.status, at, place.channel_id, told.session_id)
            out.facts(name, fact)
        else:
            out.transitions(told.message.encode(), self._row(told, outcome))
            out.facts(
                join(place.org_id, told.message, told.status),
                encode_fact(at.time, at.offset, at.received, place.channel_id, told.session_id),
            )

    def _row(self, told: _Told, outcome: rules.Applied) -> bytes:
        """Return the value of `im.transitions`."""
        return _encode(
            Transition(
                told.place.org_id,
                told.place.channel_id,
                told.session_id,
                told.message,
                told.old,
                told.status,
                told.time,
                epoch_to_iso(told.event_time),
                self._received_text,
                "updated",
                outcome.implied,
                outcome.out_of_order,
                outcome.contradiction,
                outcome.sent_to_delivered_ms,
                outcome.delivered_to_read_ms,
                self._partition,
                told.at.offset,
            )
        )

    def _plain_row(self, told: _Told, outcome: rules.Applied) -> bytes:
        """Return the same, of texts that stand in JSON as they are: half of the time where this is compiled."""
        event = epoch_to_iso(told.event_time)
        event_time = "null" if event is None else f'"{event}"'
        delivery, reading = outcome.sent_to_delivered_ms, outcome.delivered_to_read_ms
        sent_to_delivered = "null" if delivery is None else str(delivery)
        delivered_to_read = "null" if reading is None else str(reading)
        return (
            f'{told.place.head}{told.session_id}","message_id":"{told.message}","old_status":"{told.old}",'
            f'"new_status":"{told.status}","updated_time":"{told.time}","event_time":{event_time},'
            f'"received_time":"{self._received_text}","time_source":"updated","implied":{outcome.implied},'
            f'"out_of_order":{_JSON[outcome.out_of_order]},"contradiction":{_JSON[outcome.contradiction]},'
            f'"sent_to_delivered_ms":{sent_to_delivered},"delivered_to_read_ms":{delivered_to_read},'
            f'"raw_partition":{self._partition},"raw_offset":{told.at.offset}}}'
        ).encode()

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
