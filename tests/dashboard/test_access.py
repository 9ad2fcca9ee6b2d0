"""Who may look, and who not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.settings import parse
from dashboard.access import Gate, check_settings, is_loopback, local_path
from dashboard.guess import MOST, WITHIN_MS, Guesses
from dashboard.tickets import LIFE_MS, Tickets

NOW = 1_760_000_000_000
TICKETS = Tickets("the token")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST.", "::1", "[::1]", "127.9.9.9"])
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "example.com", "localhost.example.com", "127.0.0.1.nip.io", "", "10.0.0.1"]
)
def test_names_of_others(host: str) -> None:
    assert not is_loopback(host)


def test_refuses_to_start_where_others_could_look() -> None:
    with pytest.raises(ConfigError, match=r"DASHBOARD_HOST='0\.0\.0\.0'.*Set DASHBOARD_TOKEN"):
        check_settings(parse({"DASHBOARD_HOST": "0.0.0.0"}))
    check_settings(parse({"DASHBOARD_HOST": "0.0.0.0", "DASHBOARD_TOKEN": "t"}))
    check_settings(parse({}))


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost:8090", "[::1]:8090", "localhost"])
def test_own_host_names_pass(host: str) -> None:
    assert Gate(None).host_refusal(host) is None


@pytest.mark.parametrize(
    "host", ["evil.example:8090", "", "127.0.0.1.evil.example", "evil.example:127.0.0.1", "[", "a@127.0.0.1", "::1"]
)
def test_a_name_bound_to_our_address_is_refused(host: str) -> None:
    """DNS rebinding: the page of another site reaches us under its own name."""
    refusal = Gate(None).host_refusal(host)
    assert refusal is not None
    assert refusal.status == 403


def test_a_token_allows_any_name() -> None:
    assert Gate(TICKETS).host_refusal("receipts.example.com") is None


def test_a_ticket_is_good_until_it_expires() -> None:
    ticket, gate = TICKETS.make(NOW), Gate(TICKETS)
    assert gate.may_look("/", ticket, "", NOW)
    assert gate.may_look("/", ticket, "", NOW + LIFE_MS - 1)
    assert not gate.may_look("/", ticket, "", NOW + LIFE_MS)
    assert not Gate(Tickets("another token")).may_look("/", ticket, "", NOW)


@given(st.text(max_size=40), st.integers(0, 200))
def test_no_changed_ticket_passes(noise: str, at: int) -> None:
    ticket = TICKETS.make(NOW)
    changed = ticket[:at] + noise + ticket[at + 1 :]
    assert TICKETS.valid(changed, NOW) == (changed == ticket)


@given(st.text(max_size=80))
def test_no_invented_ticket_passes(ticket: str) -> None:
    assert not TICKETS.valid(ticket, NOW)


def test_the_token_itself_opens_the_api() -> None:
    gate = Gate(TICKETS)
    assert gate.may_look("/api/overview", "", "Bearer the token", NOW)
    assert not gate.may_look("/api/overview", "", "Bearer the toke", NOW)
    assert not gate.may_look("/api/overview", "", "Basic the token", NOW)
    assert not gate.may_look("/metrics", "", "", NOW)


@pytest.mark.parametrize("text", ["ü", "\udcff", "the tokeñ"])
def test_text_beyond_ascii_is_only_a_wrong_one(text: str) -> None:
    """A header's bytes that are no UTF-8 stand in it as lone surrogates."""
    gate, ticket = Gate(TICKETS), TICKETS.make(NOW)
    assert not gate.may_look("/api/overview", "", f"Bearer {text}", NOW)
    assert not gate.may_look("/api/overview", text, "", NOW)
    assert gate.csrf_refusal(ticket, "", text, NOW) is not None
    assert TICKETS.csrf(text)


def test_a_token_beyond_ascii_opens_as_any_other() -> None:
    for token in ("schlüssel", "\udcfc"):
        assert Gate(Tickets(token)).may_look("/api/overview", "", f"Bearer {token}", NOW)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/login", "/static/style.css"])
def test_what_anyone_may_see(path: str) -> None:
    assert Gate(TICKETS).may_look(path, "", "", NOW)


def test_changes_come_from_our_own_pages() -> None:
    gate = Gate(TICKETS)
    own = {"Origin": "https://a.example", "Sec-Fetch-Site": "same-origin"}
    assert gate.change_refusal("POST", own, "a.example") is None
    assert gate.change_refusal("GET", {"Origin": "https://evil.example"}, "a.example") is None
    assert gate.change_refusal("POST", {"Origin": "https://evil.example"}, "a.example") is not None
    assert gate.change_refusal("POST", {"Origin": "null"}, "a.example") is not None
    assert gate.change_refusal("POST", {"Sec-Fetch-Site": "cross-site"}, "a.example") is not None


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "", "javascript:1", "/a\r\nb"]
)
def test_the_login_leads_nowhere_else(target: str) -> None:
    assert local_path(target) == "/"


def test_the_login_leads_back() -> None:
    assert local_path("/message?id=1&org=2") == "/message?id=1&org=2"


def test_many_wrong_tokens_have_to_wait() -> None:
    guesses = Guesses()
    for _ in range(MOST):
        assert guesses.wait_ms(NOW) == 0
        guesses.wrong(NOW)
    assert guesses.wait_ms(NOW) == WITHIN_MS
    assert guesses.wait_ms(NOW + WITHIN_MS) == 0
