"""Notifications by e-mail."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate

import aiosmtplib

from core.clock import now_ms
from sinks.notifier import guard
from sinks.notifier.config import Email
from sinks.notifier.content import Notification, plain
from sinks.notifier.sending import RefusedError, TryAgainError

_SUBJECT = 150
"""Most characters of a subject."""


class MailSender:
    """Sends one mail a notification, to all addresses at once."""

    def __init__(self, target: Email, timeout_s: float, *, private: bool) -> None:
        self._target, self._timeout_s, self._private = target, timeout_s, private

    async def send(self, notification: Notification) -> None:
        """Return when the server has taken the mail for at least one address."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._hand_over(message(notification, self._target, now_ms()))
        except TimeoutError:
            raise TryAgainError(f"the mail server did not take it within {self._timeout_s:g} s") from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise TryAgainError(_said(error)) from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            # Each carries its own answer; one that may pass is worth another try.
            if any(each.code < 500 for each in error.recipients):  # noqa: PLR2004
                raise TryAgainError("no recipient was taken yet") from None
            raise RefusedError(f"no recipient was taken: {_said(error.recipients[0])}") from None
        except aiosmtplib.SMTPResponseException as error:
            failed = RefusedError if error.code >= 500 else TryAgainError  # noqa: PLR2004
            raise failed(_said(error)) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TryAgainError(plain(str(error))[:200]) from None

    async def _hand_over(self, mail: EmailMessage) -> None:
        target = self._target
        sock = await guard.connect(target.host, target.port, private=self._private)
        client = aiosmtplib.SMTP(
            hostname=target.host,
            sock=sock,
            timeout=self._timeout_s,
            use_tls=target.security == "tls",
            start_tls=False,
        )
        transport: asyncio.BaseTransport | None = None
        try:
            await client.connect()
            # The library forgets it when the handshake of STARTTLS fails, and would leave it open.
            transport = client.transport
            if target.security == "starttls":
                await client.starttls()
            if target.user:
                await client.login(target.user, target.password.get_secret_value())
            await client.send_message(mail)
        finally:
            # What the server has taken is taken, whatever becomes of the farewell.
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit(timeout=1)
            client.close()
            if transport is None:
                sock.close()
            else:
                transport.close()


def message(notification: Notification, target: Email, now: int) -> EmailMessage:
    """Return the mail. Its Message-ID is made from the notification's id: readers can tell repeats."""
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["From"] = target.sender
    mail["To"] = ", ".join(target.to)
    mail["Subject"] = f"[Receiptstream] {plain(notification.title)}"[:_SUBJECT]
    mail["Date"] = formatdate(now / 1000)
    digest = hashlib.sha256(notification.id.encode()).hexdigest()[:40]
    mail["Message-ID"] = f"<{digest}@{target.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Receiptstream-Id"] = notification.id[:900]
    mail.set_content("\n".join((notification.title, "", *notification.lines)) + "\n")
    return mail


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return plain(f"SMTP {error.code}: {error.message}")[:200]
