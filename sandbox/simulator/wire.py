"""The exact bytes of an event, in the source's own order of fields."""

from __future__ import annotations

from random import Random

from sandbox.simulator.cast import Talk
from sandbox.simulator.lives import DAY_MS, Receipt
from schemas.times import to_iso

TEXTS = (
    "Your order has left our warehouse.",
    "Gern! Ich schaue für Sie nach.",
    "¿Puedo ayudarle con algo más?",
    'He said \\"thanks\\", then left 🙂',
    "ご注文ありがとうございます。",
    "Please send us a photo.\\nThank you!",
)
BROKEN = (
    b"42",
    b'{"payload":{"messageId":1},"orgId":"106560001"}',
    b'{"payload":{"messageNewStatus":{"status":"SENT"}},"eventType":"IM_Message_Status","orgId":"106560001"}',
    b'{"payload":{"messageNewStatus":{"status":"READ"},"messageId":1.5},"eventType":"IM_Message_Status","orgId":"1"}',
    b'{"payload":{"messageNewStatus":{"status":""},"messageId":7},"eventType":"IM_Message_Status","orgId":"1"}',
    b'{"payload":{"messageNewStatus":{"status":"SENT"},"messageId":7},"eventType":"IM_Message_Status"}',
    b'["an array in an array"]',
)
"""Elements that are no event, each for a reason of its own."""


def status(random: Random, talk: Talk, receipt: Receipt) -> bytes:
    """Write an IM_Message_Status."""
    org, channel, session, message = talk
    old = f'"{receipt.old}"' if receipt.old else "null"
    literal = org.literal
    return (
        f'{{"payload":{{"messageOldStatus":{old},"messageNewStatus":{{{_updated(random, receipt)}'
        f'"status":"{receipt.status}"}},"messageId":{literal(message)},"sessionId":{literal(session)},'
        f'"channelId":{literal(channel.id)}}},{_event_time(random, receipt)}"eventType":"IM_Message_Status",'
        f'"orgId":"{org.id}"}}'
    ).encode()


def _updated(random: Random, receipt: Receipt) -> str:
    """Write updatedTime with 0 to 3 fractional digits; now and then it is missing, and eventTime stands in."""
    chance = random.random()
    if chance < 0.002:  # noqa: PLR2004
        return ""
    text = to_iso(receipt.updated_ms)
    if chance < 0.3:  # noqa: PLR2004 -- zeros at the end are not always written
        text = text[:-1].rstrip("0").removesuffix(".") + "Z"
    return f'"updatedTime":"{text}",'


def _event_time(random: Random, receipt: Receipt) -> str:
    """Write eventTime: mostly just after, sometimes months away (as in the source's own sample), or a number.

    It is never missing: where updatedTime is, this one stands in.
    """
    chance = random.random()
    if chance < 0.01:  # noqa: PLR2004
        return f'"eventTime":"{receipt.updated_ms - 104 * DAY_MS}",'
    if chance < 0.015:  # noqa: PLR2004
        return f'"eventTime":{receipt.at_ms},'
    return f'"eventTime":"{receipt.at_ms}",'


def added(random: Random, talk: Talk, created_ms: int, way: str) -> bytes:
    """Write an IM_Message_Add; `way` is IN or OUT. Its ids are strings."""
    org, channel, session, message = talk
    text = TEXTS[int(random.random() * len(TEXTS))]
    who = '"name":"Agent","type":"AGENT"' if way == "OUT" else '"name":"Zoë","type":"CONTACT"'
    return (
        f'{{"payload":{{"actor":{{"contactId":"{session}1","externalId":"{session[-7:]}",{who}}},'
        f'"messageType":"TEXT","meta":{{"DESK_TICKET_ID":"{session}2","DESK_TICKET_NUMBER":"{session[-4:]}"}},'
        f'"integration":"{channel.manners.type}","createdTime":"{created_ms}","sessionId":"{session}",'
        f'"id":"{message}","text":"{text}","channelId":"{channel.id}","direction":"{way}","status":"SAVED"}},'
        f'"eventTime":"{created_ms + 40}","eventType":"IM_Message_Add","orgId":"{org.id}"}}'
    ).encode()


def session_status(talk: Talk, at_ms: int) -> bytes:
    """Write an IM_Session_Status; all its values are strings."""
    org, channel, session, _ = talk
    return (
        f'{{"payload":{{"currentAssigneeId":"{session}3","sessionStatus":"OPEN","replyStatus":"REPLIED",'
        f'"sessionOldStatus":"ON_PROGRESS","sessionId":"{session}","messagesCount":"7","assigneeType":"AGENT",'
        f'"channelId":"{channel.id}"}},"eventTime":"{at_ms}","eventType":"IM_Session_Status","orgId":"{org.id}"}}'
    ).encode()


def unknown(talk: Talk, at_ms: int) -> bytes:
    """Write an event of a type that nobody has told us of."""
    return (
        f'{{"payload":{{"sessionId":"{talk.session}","typing":true}},"eventTime":"{at_ms}",'
        f'"eventType":"IM_Typing_Status","orgId":"{talk.org.id}"}}'
    ).encode()
