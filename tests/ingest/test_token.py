"""Zoho's signed requests: which token is believed, for how long, and for whose events."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from core.clock import now_ms
from core.errors import ConfigError
from ingest import answers, keys
from ingest.answers import Refused
from ingest.keys import FIRST_RETRY_S, FRESH_S, RETRY_S, KeyStore, NoKeysError, check_url, parse_keys
from ingest.token import Claims, Denied, key_id, read
from ingest.verifier import TokenVerifier
from tests.ingest.conftest import Client, Serve
from tests.ingest.kafka import Reader
from tests.ingest.waiting import until

NOW_S = 1_760_000_000
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = KEY.public_key()


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a token of Zoho's, changed, or without those whose value is `...`."""
    whole = {
        "iss": "orgId:106553778",
        "aud": "webhookId:50007000000099001",
        "iat": NOW_S - 5,
        "exp": NOW_S + 595,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def token(key: Any = KEY, *, kid: Any = "k1", alg: Any = "RS256", **changes: Any) -> str:
    headers = {} if kid is ... else {"kid": kid}
    return jwt.encode(claims(**changes), key, algorithm=alg, headers=headers)


def unsigned(header: Mapping[str, Any], payload: Any) -> str:
    """Return a token with a header of one's own and a signature that is none."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part(header)}.{part(payload)}.c2lnbmF0dXJl"


def signed(text: str | None) -> dict[str, str]:
    """Return the headers of a request with this token."""
    return {} if text is None else {"X-ZDesk-JWT": text}


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def verifier(*, now_s: float = NOW_S, max_age_s: float = 600, webhook_ids: tuple[str, ...] = ()) -> TokenVerifier:
    async def fetch() -> dict[str, rsa.RSAPublicKey]:
        return {"k1": PUBLIC}

    return TokenVerifier(
        KeyStore(fetch, Clock()), lambda: int(now_s * 1000), max_age_s=max_age_s, webhook_ids=frozenset(webhook_ids)
    )


async def refusal(believed: TokenVerifier, text: str | None) -> answers.Refusal:
    with pytest.raises(Refused) as caught:
        await believed.org_of(signed(text))
    return caught.value.refusal


async def test_a_valid_token_names_the_org() -> None:
    assert await verifier().org_of(signed(token())) == "106553778"


async def test_times_may_be_seconds_or_milliseconds() -> None:
    for factor in (1, 1000, 1.0):
        changes = {"iat": (NOW_S - 5) * factor, "exp": (NOW_S + 595) * factor}
        assert await verifier().org_of(signed(token(**changes))) == "106553778"
    late = token(iat=(NOW_S - 700) * 1000, exp=(NOW_S + 595) * 1000)
    assert (await refusal(verifier(), late)).code == "token_too_old"


async def test_the_clocks_may_differ_by_a_minute_and_no_more() -> None:
    for good in (
        {"exp": NOW_S - 60},
        {"iat": NOW_S - 660},
        {"iat": NOW_S + 60},
        {"nbf": NOW_S + 60},
    ):
        assert await verifier().org_of(signed(token(**good))) == "106553778"
    for bad, code in (
        ({"exp": NOW_S - 61}, "token_expired"),
        ({"iat": NOW_S - 661}, "token_too_old"),
        ({"iat": NOW_S + 61}, "token_from_the_future"),
        ({"nbf": NOW_S + 61}, "token_from_the_future"),
    ):
        refused = await refusal(verifier(), token(**bad))
        assert (refused.status, refused.code) == (401, code)


async def test_a_token_that_was_good_once_ages_all_the_same() -> None:
    now = [NOW_S * 1000]

    async def fetch() -> dict[str, rsa.RSAPublicKey]:
        return {"k1": PUBLIC}

    believed = TokenVerifier(KeyStore(fetch, Clock()), lambda: now[0], max_age_s=600, webhook_ids=frozenset())
    text = token()
    assert await believed.org_of(signed(text)) == "106553778"
    now[0] += 656_000
    assert (await refusal(believed, text)).code == "token_expired"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "token_missing"),
        ("", "token_missing"),
        ("x", "token_malformed"),
        ("a.b.c", "token_malformed"),
        ("é.é.é", "token_malformed"),
        (token(kid=...), "token_malformed"),
        (token(kid=""), "token_malformed"),
        (unsigned({"alg": "RS256", "kid": 7}, claims()), "token_malformed"),
        (unsigned({"alg": "RS256", "kid": "k1"}, claims()), "token_signature"),
        (unsigned({"alg": "none", "kid": "k1"}, claims()), "token_algorithm"),
        (unsigned({"alg": "HS256", "kid": "k1"}, claims()), "token_algorithm"),
        (unsigned({"alg": ["RS256"], "kid": "k1"}, claims()), "token_algorithm"),
        (token(alg="RS512"), "token_algorithm"),
        (token(ec.generate_private_key(ec.SECP256R1()), alg="ES256"), "token_algorithm"),
        (token(OTHER_KEY), "token_signature"),
        (token(kid="unknown"), "token_key"),
        (token(iat=...), "token_malformed"),
        (token(exp=...), "token_malformed"),
        (token(iat="x"), "token_malformed"),
        (token(iat=True), "token_malformed"),
        (token(exp=-1), "token_malformed"),
        (token(exp=1e300), "token_malformed"),
        (token(nbf="x"), "token_malformed"),
        (token(iss=...), "token_malformed"),
        (token(iss="106553778"), "token_malformed"),
        (token(iss="orgId:"), "token_malformed"),
        (token()[:-3], "token_signature"),
    ],
)
async def test_any_other_token_is_refused_with_its_reason(text: str | None, code: str) -> None:
    refused = await refusal(verifier(), text)
    assert refused.status == 401
    assert refused.code in (code, "token_malformed")
    assert text is None or len(text) < 10 or text not in refused.message


@pytest.mark.parametrize(
    ("audience", "believed"),
    [
        ("webhookId:50007000000099001", True),
        (["x", "webhookId:50007000000099001"], True),
        ("webhookId:2", False),
        ("50007000000099001", False),
        ([], False),
        ({}, False),
        (..., False),
    ],
)
async def test_only_our_webhooks_are_believed_where_they_are_named(audience: Any, *, believed: bool) -> None:
    text = token(aud=audience)
    ours = verifier(webhook_ids=("1", "50007000000099001"))
    if believed:
        assert await ours.org_of(signed(text)) == "106553778"
    else:
        assert (await refusal(ours, text)).code == "token_webhook"
    assert await verifier().org_of(signed(text)) == "106553778", "without ZOHO_WEBHOOK_IDS any webhook is"


@given(st.text(max_size=80))
def test_no_text_makes_the_reading_raise(text: str) -> None:
    assert isinstance(key_id(text), str | Denied)
    assert isinstance(read(text, PUBLIC), Denied)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["iss", "aud", "iat", "exp", "nbf", "sub", "jti"]), json_values))
def test_no_claims_make_the_reading_raise(payload: dict[str, Any]) -> None:
    text = jwt.api_jws.encode(json.dumps(payload).encode(), KEY, algorithm="RS256", headers={"kid": "k1"})
    assert isinstance(read(text, PUBLIC), Claims | Denied)


def jwk(key: rsa.RSAPrivateKey = KEY, **changes: Any) -> dict[str, Any]:
    found = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**found, "kid": "k1", "alg": "RS256", "use": "sig", **changes}


def test_only_usable_keys_of_a_set_are_taken() -> None:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 -- refused for that
    listed = [
        jwk(),
        jwk(kid="enc", use="enc"),
        jwk(kid="alg", alg="RS512"),
        jwk(kid="kty", kty="oct"),
        jwk(kid="broken", n="!"),
        jwk(kid=7),
        jwk(small, kid="small"),
        "x",
        {},
    ]
    assert list(parse_keys(json.dumps({"keys": listed}).encode())) == ["k1"]
    for text in (b"", b"[]", b"{}", b'{"keys":{}}', b"<html>"):
        with pytest.raises(ValueError, match=r"."):
            parse_keys(text)


class Source:
    """Zoho's key endpoint, as the key store sees it."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPublicKey] | None = None
        self.calls = 0

    async def __call__(self) -> dict[str, rsa.RSAPublicKey]:
        self.calls += 1
        await asyncio.sleep(0)
        if self.keys is None:
            raise TimeoutError
        return self.keys


async def test_before_the_first_fetch_there_is_no_answer_and_no_storm() -> None:
    source, clock = Source(), Clock()
    store = KeyStore(source, clock)
    for _ in range(3):
        with pytest.raises(NoKeysError):
            await store.get("k1")
    assert source.calls == 1
    clock.s += FIRST_RETRY_S
    source.keys = {"k1": PUBLIC}
    found = await asyncio.gather(*(store.get("k1") for _ in range(10)))
    assert found == [PUBLIC] * 10
    assert source.calls == 2, "all who wait share one fetch"


async def test_an_unknown_key_is_asked_for_at_most_once_in_a_while() -> None:
    source, clock = Source(), Clock()
    source.keys = {"k1": PUBLIC}
    store = KeyStore(source, clock)
    await store.get("k1")
    for _ in range(3):
        assert await store.get("k2") is None
    assert source.calls == 1, "the keys are only a moment old"
    clock.s += RETRY_S
    source.keys = {"k2": PUBLIC}
    assert await store.get("k2") is PUBLIC
    assert await store.get("k1") is None, "a key that Zoho withdrew serves no more"
    assert source.calls == 2


async def test_old_keys_serve_while_new_ones_cannot_be_fetched() -> None:
    source, clock = Source(), Clock()
    source.keys = {"k1": PUBLIC}
    store = KeyStore(source, clock)
    await store.get("k1")
    source.keys = None
    clock.s += FRESH_S + 1
    for _ in range(3):
        assert await store.get("k1") is PUBLIC
        await asyncio.sleep(0)
    await store.close()
    assert source.calls == 2


@pytest.mark.parametrize(
    "url", ["https://desk.zoho.eu/x", "http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]:8/x"]
)
def test_keys_come_from_https_or_this_machine(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize("url", ["http://desk.zoho.eu/x", "http://10.0.0.1/", "ftp://127.0.0.1/", "https://", "x", ""])
def test_keys_from_anywhere_else_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="ZOHO_JWKS_URL"):
        check_url(url)


class Zoho:
    """Zoho's key endpoint over HTTP."""

    def __init__(self) -> None:
        self.status = 200
        self.keys = [jwk()]
        self.url = ""

    async def answer(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": self.keys}, status=self.status)


@asynccontextmanager
async def zoho() -> AsyncIterator[Zoho]:
    server = Zoho()
    app = web.Application()
    app.router.add_get("/jwks.json", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks.json"
        yield server
    finally:
        await runner.cleanup()


def fresh(**changes: Any) -> str:
    """Return a token of this moment."""
    now_s = now_ms() // 1000
    return token(**{"iat": now_s - 5, "exp": now_s + 595, **changes})


EVENT = b'{"eventType":"New","orgId":"106553778"}'
OTHER = b'{"eventType":"New","orgId":"2"}'


@asynccontextmanager
async def verifying(serve: Serve, **changes: str) -> AsyncIterator[tuple[Client, Zoho]]:
    async with zoho() as source, serve(ZOHO_JWT_MODE="verify", ZOHO_JWKS_URL=source.url, **changes) as client:
        yield client, source


async def test_signed_events_are_taken_and_others_are_not(serve: Serve, raw: Reader, dead: Reader) -> None:
    async with verifying(serve) as (client, _):
        good = fresh()
        assert await client.post(EVENT, X_ZDesk_JWT=good) == (200, {"accepted": 1, "parked": 0})
        parked = b'[{"orgId":106553778,"a":1},' + EVENT + b"]"
        assert await client.post(parked, X_ZDesk_JWT=good) == (200, {"accepted": 1, "parked": 1})
        for body in (b"[" + EVENT + b"," + OTHER + b"]", b'[{"eventType":"New"}]', b"[1," + EVENT + b"]", b"7"):
            status, answer = await client.post(body, X_ZDesk_JWT=good)
            assert (status, answer["error"]["code"]) == (403, "wrong_org")
        for text in ({}, {"X_ZDesk_JWT": "x"}, {"X_ZDesk_JWT": fresh(key=OTHER_KEY)}, {"X_ZDesk_JWT": token()}):
            for body in (EVENT, b"nope"):
                assert (await client.post(body, **text))[0] == 401
        assert (await client.post(b"nope", X_ZDesk_JWT=good))[0] == 400
        assert (await client.post(b"nope", X_ZDesk_JWT=good, Content_Encoding="gzip"))[0] == 400
        assert (await client.post(b"nope", Content_Encoding="gzip"))[0] == 401
        assert (await client.post(b"nope", Content_Encoding="br"))[0] == 415
    assert len(await raw.read()) == 2
    assert len(await dead.read()) == 3


async def test_the_setup_check_needs_no_signature(serve: Serve) -> None:
    async with verifying(serve) as (client, _):
        assert (await client.call("GET"))[0] == 200
        for body in (b"", b"{}", b"[]", b"%7B%7D"):
            assert await client.post(body) == (200, {"accepted": 0, "parked": 0})


async def test_without_keys_signed_events_are_told_to_come_back(serve: Serve) -> None:
    async with zoho() as source:
        source.status = 500
        async with serve(ZOHO_JWT_MODE="verify", ZOHO_JWKS_URL=source.url) as client:
            status, answer = await client.post(EVENT, X_ZDesk_JWT=fresh())
            assert (status, answer["error"]["code"]) == (503, "no_keys")
            assert (await client.post(EVENT))[0] == 401
            assert (await client.post(b"{}"))[0] == 200
            status, readiness = await client.call("GET", client.root + "/readyz")
            assert (status, readiness["ready"]) == (503, False)
            assert "ZOHO_JWKS_URL" in readiness["reason"]
            source.status = 200

            async def taken() -> bool:
                return (await client.post(EVENT, X_ZDesk_JWT=fresh()))[0] == 200

            await until(taken)
            assert (await client.readiness())["ready"]


async def test_keys_are_fetched_again_though_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    source, clock = Source(), Clock()
    store = KeyStore(source, clock)
    monkeypatch.setattr(keys, "RETRY_S", 0.01)
    running = asyncio.create_task(store.run())
    try:
        await until(lambda: source.calls > 0)
        assert not store.known
        source.keys = {"k1": PUBLIC}
        clock.s += 60
        await until(lambda: store.known)
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_webhook_ids_and_age_come_from_the_settings(serve: Serve) -> None:
    async with verifying(serve, ZOHO_WEBHOOK_IDS="1, 2", ZOHO_JWT_MAX_AGE_SECONDS="30") as (client, _):
        assert (await client.post(EVENT, X_ZDesk_JWT=fresh(aud="webhookId:2")))[0] == 200
        assert (await client.post(EVENT, X_ZDesk_JWT=fresh(aud="webhookId:3")))[1]["error"]["code"] == "token_webhook"

        old = fresh(aud="webhookId:2", iat=now_ms() // 1000 - 100)
        assert (await client.post(EVENT, X_ZDesk_JWT=old))[1]["error"]["code"] == "token_too_old"
