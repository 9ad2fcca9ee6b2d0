"""A small warehouse made by hand: two orgs, channels that report all, some and nothing, and texts meant to do harm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import orjson

from core.clickhouse import HttpClickHouse
from core.clock import iso
from schemas import sketch

HOUR_MS: Final = 3_600_000
ORG: Final = "106553778"
OTHER_ORG: Final = "99"
OLD_ORG: Final = "98"
"""Its alerts were due long ago."""
WHATSAPP: Final = "50007000000004080"
INSTAGRAM: Final = "50007000000004081"
CHAT: Final = "50007000000004082"
SESSION: Final = "50007000000004136"
BIG_ID: Final = "50007000000006017"
"""Past 2^53: a page that takes it for a number shows another one."""
STUCK: Final = "500070000000060170001"
HOSTILE: Final = '<img src=x onerror="window.hurt=1">'
HOSTILE_BODY: Final = '</pre><script>window.hurt=1</script>{"a": "b\\n"}'


@dataclass
class Rows:
    """Rows by table, on their way."""

    now: int
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    offset: int = 0

    def add(self, table: str, **row: Any) -> None:
        """Keep a row."""
        self.tables.setdefault(table, []).append(row)

    def tell(
        self,
        message: str,
        status: str,
        at: int,
        *,
        org: str = ORG,
        channel: str = WHATSAPP,
        session: str = SESSION,
        **more: Any,
    ) -> None:
        """Keep a transition and its raw record."""
        common = {"org_id": org, "channel_id": channel, "session_id": session, "message_id": message}
        place = {"raw_partition": 0, "raw_offset": self.offset}
        self.offset += 1
        times = {"updated_time": iso(at), "event_time": iso(at + 80), "received_time": iso(at + 300)}
        marks = {"time_source": "updated", "implied": 0, "out_of_order": False, "contradiction": False}
        self.add(
            "transitions_log", **common, **place, **times, **{**marks, "old_status": "", "new_status": status, **more}
        )
        self.record("IM_Message_Status", at + 300, {"status": status}, status=status, **common, **place)

    def record(self, kind: str, at: int, payload: dict[str, Any], **more: Any) -> None:
        """Keep a raw record."""
        body = more.pop("body", orjson.dumps({"eventType": kind, "payload": payload}).decode())
        row = {"event_type": kind, "received_time": iso(at), "source": "webhook", "body": body}
        if "raw_offset" not in more:
            more |= {"raw_partition": 0, "raw_offset": self.offset}
            self.offset += 1
        self.add("raw_events_log", **row, **more)

    def lives(self, count: int, *, read: int, delivered: int, at: int, **where: Any) -> None:
        """Keep messages of which so many were delivered and read, and the window of their minute."""
        where["session"] = "another"
        prefix = f"{where.get('org', ORG)}{where.get('channel', WHATSAPP)}{at}"
        for number in range(count):
            name = f"{prefix}-{number}"
            self.tell(name, "SENT", at, **where)
            if number < delivered:
                self.tell(name, "DELIVERED", at + 2_000, old_status="SENT", sent_to_delivered_ms=2_000, **where)
            if number < read:
                self.tell(name, "READ", at + 60_000, old_status="DELIVERED", delivered_to_read_ms=58_000, **where)
        place = {name: where[name] for name in ("org", "channel") if name in where}
        self.window(at, sent=count, delivered=delivered, read=read, **place)

    def window(
        self,
        at: int,
        *,
        sent: int,
        delivered: int,
        read: int,
        org: str = ORG,
        channel: str = WHATSAPP,
        version: int = 1,
    ) -> None:
        """Keep a channel's minute."""
        counts = {"sent": sent, "delivered": delivered, "read": read}
        zero = dict.fromkeys(("other", "duplicates", "late", "out_of_order", "contradictions", "negative_latencies"), 0)
        sketches = {
            "sent_to_delivered_sketch": {str(sketch.bucket_of(2_000)): delivered},
            "delivered_to_read_sketch": {str(sketch.bucket_of(58_000)): read},
        }
        start = iso(at - at % 60_000)
        self.add(
            "channel_windows_log",
            org_id=org,
            channel_id=channel,
            window_start=start,
            version=version,
            **counts,
            **zero,
            **sketches,
        )

    def alert(
        self, message: str, rule: str, state: str, *, followup: bool = False, org: str = ORG, age: int = 2 * HOUR_MS
    ) -> None:
        """Keep an alert."""
        due = iso(self.now - age)
        self.add(
            "alerts_log",
            alert_id=f"{rule}:{org}:{message}",
            rule=rule,
            state=state,
            followup=followup,
            org_id=org,
            channel_id=WHATSAPP,
            session_id=SESSION,
            message_id=message,
            due_time=due,
            opened_time=due,
        )

    async def insert(self, clickhouse: HttpClickHouse) -> None:
        """Send all."""
        for table, rows in self.tables.items():
            lines = b"\n".join(orjson.dumps(row) for row in rows)
            await clickhouse.insert(table, lines, token=f"{table}-{uuid4()}")
        self.tables.clear()


def typed(rows: Rows, channel: str, kind: str, org: str = ORG) -> None:
    """Tell a channel's type, as the creation of a message does."""
    payload = {"integration": kind, "direction": "OUT", "createdTime": str(rows.now - 9 * HOUR_MS)}
    rows.record(
        "IM_Message_Add", rows.now - 9 * HOUR_MS, payload, org_id=org, channel_id=channel, message_id=f"made-{channel}"
    )


def fill(rows: Rows) -> None:
    """Make what the tests look at."""
    now = rows.now
    for channel, kind in ((WHATSAPP, "WHATSAPP"), (INSTAGRAM, "INSTAGRAM"), (CHAT, "IM_TALK")):
        typed(rows, channel, kind)
    typed(rows, WHATSAPP, "WHATSAPP", OTHER_ORG)
    # A hundred reads within a minute let older hours count as mature.
    rows.lives(160, delivered=150, read=120, at=now - 5 * HOUR_MS)
    rows.lives(10, delivered=5, read=1, at=now - 60_000)
    rows.lives(20, delivered=0, read=8, at=now - 3 * HOUR_MS, channel=INSTAGRAM)
    rows.lives(7, delivered=0, read=0, at=now - 3 * HOUR_MS, channel=CHAT)
    rows.lives(4, delivered=4, read=0, at=now - 3 * HOUR_MS, org=OTHER_ORG)
    rows.tell(STUCK, "SENT", now - 4 * HOUR_MS)
    rows.tell(BIG_ID, "READ", now - 2 * HOUR_MS, old_status="SENT", implied=1, out_of_order=False, contradiction=True)
    rows.tell(BIG_ID, "SENT", now - 2 * HOUR_MS - 9_000, out_of_order=True, time_source="event")
    rows.record(
        "IM_Message_Status",
        now,
        {},
        org_id=ORG,
        channel_id=WHATSAPP,
        session_id=SESSION,
        message_id=BIG_ID,
        status="READ",
        body=HOSTILE_BODY,
    )
    rows.record("IM_Session_Status", now, {"sessionStatus": "CLOSED"}, org_id=ORG, session_id=SESSION)
    rows.tell(HOSTILE, HOSTILE, now - HOUR_MS, org=HOSTILE, channel=HOSTILE, old_status=HOSTILE)
    rows.alert(STUCK, "stuck_in_sent", "open")
    rows.alert(BIG_ID, "delivered_not_read", "open", followup=True)
    rows.alert("gone", "stuck_in_sent", "resolved")
    rows.tell("old", "SENT", now - HOUR_MS, org=OLD_ORG, session="old")
    rows.alert("old", "stuck_in_sent", "open", org=OLD_ORG, age=5000 * HOUR_MS)
    rows.alert("old", "delivered_not_read", "open", org=OLD_ORG, age=5000 * HOUR_MS, followup=True)
    rows.add(
        "audits_log",
        audit_time=iso(now),
        since=iso(now - 24 * HOUR_MS),
        until=iso(now),
        differences=[{"check": "not_told", "meaning": "a transition without its raw record", "row": HOSTILE_BODY}],
    )
    rows.add(
        "dead_letters_log",
        stage="ingress",
        reason="not_json",
        detail=HOSTILE,
        failed_at=iso(now - HOUR_MS),
        org_id="",
        body=HOSTILE_BODY,
        dead_partition=1,
        dead_offset=7,
    )
