"""What is particular to Zoho: the set-up check and the path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.body import strip
from ingest.zoho import WebhookPath, is_setup_check

BARE = ["", " ", "\ufeff", "\ufeff {}", "{}", "[]", " { } ", "[\n]"]
FORM = ["%7B%7D", "%7B%7D=", "={}", "{}=", "%5B%5D", "%7b%7d"]
OTHER = ["{", "0", "null", "[{}]", "[[]]", "{}{}", '{"a":1}', "[1]", "%7B", "=", "x=1", "\x0b"]


@pytest.mark.parametrize("body", BARE + FORM)
def test_empty_bodies_in_all_their_forms_are_the_setup_check(body: str) -> None:
    assert is_setup_check(strip(body.encode()))


@pytest.mark.parametrize("body", OTHER)
def test_nothing_else_is(body: str) -> None:
    assert not is_setup_check(strip(body.encode()))


@given(st.binary(max_size=80))
def test_no_body_makes_the_check_raise(body: bytes) -> None:
    assert is_setup_check(strip(body)) in (True, False)


def test_each_secret_opens_and_nothing_else_does() -> None:
    path = WebhookPath(("first-secret", "größe/2 %"))
    assert path.matches("/webhooks/zoho-desk/first-secret")
    assert path.matches("/webhooks/zoho-desk/first%2Dsecret?x=1")
    assert path.matches("/webhooks/zoho-desk/gr%C3%B6%C3%9Fe%2F2%20%25")
    for wrong in (
        "/webhooks/zoho-desk",
        "/webhooks/zoho-desk/",
        "/webhooks/zoho-desk/first-secre",
        "/webhooks/zoho-desk/first-secret/",
        "/webhooks/zoho-desk/FIRST-SECRET",
        "/webhooks/zoho-desk?first-secret",
        "/webhooks/zoho-desk/%ff%00",
        "//webhooks/zoho-desk/first-secret",
        "/",
        "",
        "*",
    ):
        assert not path.matches(wrong)


def test_without_secrets_the_bare_path_is_the_webhook() -> None:
    path = WebhookPath(())
    assert path.matches("/webhooks/zoho-desk")
    assert path.matches("/webhooks/zoho-desk?x")
    assert not path.matches("/webhooks/zoho-desk/")
    assert not path.matches("/webhooks/zoho-desk/x")


@given(st.text(max_size=30))
def test_no_path_makes_it_raise(tail: str) -> None:
    assert WebhookPath(("s",)).matches("/webhooks/zoho-desk/" + tail) in (True, False)
