"""Senders against servers on this machine, and the guard against addresses that are not public."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook as Verifier

from schemas.alert_rules import DEFAULT
from sinks.notifier import guard
from sinks.notifier.config import Chat, Email, Webhook, ZohoDeskTask
from sinks.notifier.content import Item, Notification, compose
from sinks.notifier.http import ChatSender, WebhookSender, retry_after
from sinks.notifier.mail import MailSender
from sinks.notifier.sending import GoneError, RefusedError, TryAgainError
from sinks.notifier.zoho import ZohoSender
from tests.notifier.alerts import NOW, alert
from tests.notifier.places import SECRET, Receiver, mailing, receiving, serving

OLD = "whsec_" + "b2xkLXNlY3JldC1vZi10ZXN0cy0wMDAwMDA="
TOLD = compose([Item(alert(5))], DEFAULT, lambda _, channel: f"channel {channel}", NOW)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with guard.session(private=True) as opened:
        yield opened


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


def webhook(session: aiohttp.ClientSession, url: str, timeout_s: float = 5) -> WebhookSender:
    return WebhookSender(session, Webhook(url, (SecretStr(SECRET), SecretStr(OLD))), timeout_s)


async def test_old_and_new_secret_both_verify(session: aiohttp.ClientSession, receiver: Receiver) -> None:
    await webhook(session, receiver.url).send(TOLD)
    (got,) = receiver.got
    for secret in (SECRET, OLD):
        assert Verifier(secret).verify(got.body, got.headers)["type"] == "alert.opened"
    assert got.headers["webhook-id"] == TOLD.id


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, TryAgainError) for status in (500, 401, 404, 429, 301)),
        *((status, RefusedError) for status in (400, 413, 422)),
        (410, GoneError),
    ],
)
async def test_answers_mean_what_they_say(
    session: aiohttp.ClientSession, receiver: Receiver, status: int, error: type[Exception]
) -> None:
    receiver.answers = [status]
    receiver.headers = {"Location": "/elsewhere", "Retry-After": "7"}
    with pytest.raises(error) as raised:
        await webhook(session, receiver.url).send(TOLD)
    assert receiver.tried == 1, "redirects are not followed"
    if status == 429:
        assert isinstance(raised.value, TryAgainError)
        assert raised.value.after == 7


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, 0), ("120", 120), ("999999999", 3600), ("-1", 0), ("soon", 0), ("Thu, 09 Oct 2025 08:54:20 GMT", 60)],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


async def test_a_receiver_that_does_not_end_or_answer_is_left(session: aiohttp.ClientSession) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async def mute(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.Response()

    async with serving(endless) as url:
        await webhook(session, url).send(TOLD)  # a success is one, whatever follows
    async with serving(mute) as url:
        with pytest.raises(TryAgainError, match=r"no answer within 0\.2 s"):
            await webhook(session, url, timeout_s=0.2).send(TOLD)


async def test_errors_do_not_name_the_url_of_a_chat(session: aiohttp.ClientSession) -> None:
    for url in ("http://127.0.0.1:1/hush", "http://hush.invalid/hush"):
        with pytest.raises(TryAgainError) as raised:
            await ChatSender(session, Chat("slack", SecretStr(url)), 2).send(TOLD)
        assert "/hush" not in str(raised.value)
        assert str(raised.value)


@pytest.mark.parametrize("form", ["slack", "teams"])
async def test_chats_get_their_form(session: aiohttp.ClientSession, receiver: Receiver, form: Any) -> None:
    await ChatSender(session, Chat(form, SecretStr(receiver.url)), 5).send(TOLD)
    told = receiver.got[0].json
    if form == "slack":
        assert told["text"].startswith("*Message 5 on channel 77 has stayed in SENT for more than 15 min*\n")
    else:
        assert told["type"] == "message"
        assert told["attachments"][0]["content"]["body"][0]["text"] == TOLD.title


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "fec0::1", "192.0.2.1"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not guard.is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_addresses_that_are_public(address: str) -> None:
    assert guard.is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "127.1", "0x7f.1", "0"])
async def test_a_private_receiver_is_never_connected_to(receiver: Receiver, host: str) -> None:
    port = receiver.url.rpartition(":")[2]
    async with guard.session(private=False) as session:
        with pytest.raises(TryAgainError):
            await webhook(session, f"http://{host}:{port}").send(TOLD)
    assert receiver.tried == 0


async def test_a_name_that_turns_private_is_refused_when_it_is_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(receiver.url.rpartition(":")[2])
    loop = asyncio.get_running_loop()
    answers = iter(["93.184.216.34", "127.0.0.1"])

    async def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        return [(2, 1, 6, "", (next(answers), port))]

    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    found = await guard.addresses("rebinding.example", port, private=False)
    assert found == [(2, ("93.184.216.34", port))], "what was checked is what is connected to"
    with pytest.raises(guard.ForbiddenAddressError):
        await guard.connect("rebinding.example", port, private=False)
    assert receiver.tried == 0


# --- mail -----------------------------------------------------------------------------------------------------------


def mail(port: int, **more: Any) -> Email:
    fields: dict[str, Any] = {"security": "none", "user": "", "password": SecretStr("")} | more
    return Email(host="localhost", port=port, sender="r@example.com", to=("a@b.c", "d@e.f"), **fields)


async def test_a_mail_is_readable_and_known_again() -> None:
    async with mailing() as (mailbox, port):
        for _ in range(2):
            await MailSender(mail(port), 5, private=True).send(TOLD)
    first, again = mailbox.mails
    assert first["Subject"] == "[Receiptstream] Message 5 on channel 77 has stayed in SENT for more than 15 min"
    assert first["Message-ID"] == again["Message-ID"]
    assert "Timeline: receipts message 5" in first.get_content()
    assert mailbox.to == [["a@b.c", "d@e.f"]] * 2


async def test_what_a_mail_server_says_is_understood() -> None:
    async with mailing() as (mailbox, port):
        sender = MailSender(mail(port), 5, private=True)
        mailbox.refuse_with = "451 later"
        with pytest.raises(TryAgainError, match="SMTP 451: later"):
            await sender.send(TOLD)
        mailbox.refuse_with = "550 spam"
        with pytest.raises(RefusedError, match="SMTP 550: spam"):
            await sender.send(TOLD)
        with pytest.raises(TryAgainError, match="private address"):
            await MailSender(mail(port), 5, private=False).send(TOLD)
    with pytest.raises(TryAgainError):
        await MailSender(mail(1), 5, private=True).send(TOLD)


async def test_mail_goes_encrypted_to_a_server_whose_certificate_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert = _certificate(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert)

    def known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"u", b"hush")
        return AuthResult(success=good, handled=False)

    options = {"tls_context": server, "require_starttls": True, "authenticator": known, "auth_required": True}
    async with mailing(**options) as (mailbox, port):
        target = mail(port, security="starttls", user="u", password=SecretStr("hush"))
        with pytest.raises(TryAgainError, match="certificate"):
            await MailSender(target, 5, private=True).send(TOLD)
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        with pytest.raises(TryAgainError, match="SMTP 535"):
            await MailSender(mail(port, security="starttls", user="u", password=SecretStr("no")), 5, private=True).send(
                TOLD
            )
        await MailSender(target, 5, private=True).send(TOLD)
    assert len(mailbox.mails) == 1


def _certificate(folder: Path) -> Path:
    """Write a key and a certificate of localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "both.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + cert.public_bytes(pem))
    return file


# --- Zoho Desk ------------------------------------------------------------------------------------------------------


class Zoho:
    """Takes what Zoho documents, and nothing else."""

    def __init__(self) -> None:
        self.tasks: list[dict[str, Any]] = []
        self.tokens = 0
        self.revoked = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.path == "/oauth/v2/token":
            form = parse_qs(body.decode())
            good = {
                "grant_type": ["refresh_token"],
                "client_id": ["1000.A"],
                "client_secret": ["hush"],
                "refresh_token": ["refresh"],
            }
            if form != good:
                return web.json_response({"error": "invalid_client"})
            self.tokens += 1
            made = {"access_token": f"token{self.tokens}", "expires_in": 3600, "token_type": "Bearer"}
            return web.json_response(made)
        assert (request.method, request.path) == ("POST", "/api/v1/tasks")
        token = request.headers["Authorization"]
        if token == f"Zoho-oauthtoken {self.revoked}" or token != f"Zoho-oauthtoken token{self.tokens}":
            return web.json_response({"errorCode": "INVALID_OAUTH", "message": "expired"}, status=401)
        assert request.headers["orgId"] == "60001280952"
        task = orjson.loads(body)
        known = {"departmentId", "subject", "description", "priority", "dueDate", "ownerId", "category", "status"}
        valid = task.keys() <= known and {"departmentId", "subject"} <= task.keys()
        if not valid or len(task["subject"]) > 300 or len(task["description"]) > 65_535:
            return web.json_response({"errorCode": "INVALID_DATA"}, status=422)
        self.tasks.append(task)
        return web.json_response({"id": "3000000054002", **task})


def zoho(url: str, secret: str) -> ZohoDeskTask:
    return ZohoDeskTask(
        url, url, "60001280952", "3000000007043", "1000.A", SecretStr(secret), SecretStr("refresh"), "", "High", ""
    )


async def test_a_task_has_the_documented_shape_and_a_token_is_renewed(session: aiohttp.ClientSession) -> None:
    server = Zoho()
    async with serving(server.serve) as url:
        sender = ZohoSender(session, zoho(url, "hush"), 5)
        await sender.send(TOLD)
        long = Notification("i", TOLD.items, "x" * 5000, ("y" * 70_000,), TOLD.payload)
        await sender.send(long)
        assert server.tokens == 1
        server.revoked = "token1"
        with pytest.raises(TryAgainError, match="HTTP 401"):
            await sender.send(TOLD)
        await sender.send(TOLD)
        assert server.tokens == 2
        with pytest.raises(TryAgainError, match="Zoho gave no token"):
            await ZohoSender(session, zoho(url, "wrong"), 5).send(TOLD)
    assert server.tasks[0] == {
        "departmentId": "3000000007043",
        "subject": TOLD.title,
        "description": f"{TOLD.text}\nId: stuck_in_sent:1:5:open",
        "priority": "High",
        "dueDate": "2025-10-09T08:53:20.000Z",
    }
