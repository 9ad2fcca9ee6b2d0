"""No secret stands in the repository, and none of the settings' shows itself."""

from __future__ import annotations

import re
import subprocess
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel, Field, SecretStr

from core.errors import ConfigError
from core.settings import Settings, parse

ROOT = Path(__file__).parents[2]
LARGEST = 2 * 1024 * 1024
SECRET_NAME = re.compile(r"(?:SECRET|PASSWORD|TOKEN|SECRETS|KEY)$")

PATTERNS = {
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "JSON Web Token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "Standard Webhooks secret": r"\bwhsec_[A-Za-z0-9+/]{20,}={0,2}",
    "GitHub token": r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}",
    "AWS key": r"\bAKIA[A-Z0-9]{16}\b",
    "Slack": r"\bxox[abprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T[A-Z0-9]{6,}",
    "Zoho OAuth token": r"\b1000\.[0-9a-f]{32}\.[0-9a-f]{32}\b",
    "password in a URL": r"\b[a-z][a-z0-9+]*://[^\s/:@'\"{}<>]+:[^\s/:@'\"{}<>]+@",
}
SCAN = re.compile("|".join(f"(?P<p{number}>{pattern})" for number, pattern in enumerate(PATTERNS.values())))
TEST_VALUES = {
    "tests/core/test_connections.py": 1,
    "tests/dashboard/test_spools.py": 1,
    "tests/notifier/test_config.py": 2,
}
"""Files with something that looks like a secret and is none, and how often: made-up log-ins in URLs."""


def tracked() -> list[Path]:
    """Return the files of the repository: those that git follows, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no checkout: there is no list of its files")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def secrets_in(text: str) -> Iterator[str]:
    """Yield what looks like a secret."""
    yield from (match[0] for match in SCAN.finditer(text))


def test_no_file_has_a_secret() -> None:
    found = Counter(
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.stat().st_size < LARGEST
        for _ in secrets_in(path.read_text(errors="replace"))
    )
    assert found == TEST_VALUES


@pytest.mark.parametrize(
    "parts",
    [
        ("-----BEGIN RSA ", "PRIVATE KEY-----"),
        ("-----BEGIN ", "PRIVATE KEY-----"),
        ("eyJhbGciOiJSUzI1NiJ9", ".eyJpc3MiOiJvcmdJZDoxIn0", ".c2lnbmF0dXJlc2lnbmF0dXJl"),
        ("whsec_", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
        ("ghp_", "a" * 36),
        ("AKIA", "ABCDEFGHIJKLMNOP"),
        ("https://hooks.slack.com/services/", "T0123456"),
        ("1000.", "a" * 32, ".", "b" * 32),
        ("https://ada:", "lovelace@example.com/"),
    ],
)
def test_what_looks_like_a_secret_is_noticed(parts: tuple[str, ...]) -> None:
    """In parts, for this file is scanned, too."""
    assert len(list(secrets_in(f"x = '{''.join(parts)}'"))) == 1


def is_masked(annotation: Any) -> bool:
    """Tell whether a type shows nothing of its value: SecretStr, or a tuple of it."""
    if annotation is SecretStr:
        return True
    if get_origin(annotation) in (tuple, types.UnionType):
        return all(is_masked(each) for each in get_args(annotation) if each not in (Ellipsis, types.NoneType))
    return False


def unmasked(settings: type[BaseModel]) -> set[str]:
    """Return the variables whose names say that they are secret, and whose types show them."""
    return {
        str(field.alias)
        for field in settings.model_fields.values()
        if SECRET_NAME.search(str(field.alias)) and not is_masked(field.annotation)
    }


def test_every_secret_setting_is_masked() -> None:
    # A path to a key is none: its file is.
    assert unmasked(Settings) == {"INGEST_TLS_KEY"}


def test_a_secret_that_is_not_masked_is_noticed() -> None:
    class Bad(BaseModel):
        some_token: str = Field(default="", alias="SOME_TOKEN")
        other_token: SecretStr | None = Field(default=None, alias="OTHER_TOKEN")

    assert unmasked(Bad) == {"SOME_TOKEN"}


def test_no_secret_shows_in_the_settings_text() -> None:
    names = [str(field.alias) for field in Settings.model_fields.values() if is_masked(field.annotation)]
    log_in = {"KAFKA_BOOTSTRAP_SERVERS": "broker:9093", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
    plain = {"KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "ada", "KAFKA_SSL_CERT_FILE": "/cert.pem"}
    given = {name: f"hidden-{name}" for name in names if name != "KAFKA_OAUTH_CLIENT_SECRET"}
    settings = parse({**log_in, **plain, **given})
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "hidden" not in shown
    assert settings.dashboard_token.get_secret_value() == "hidden-DASHBOARD_TOKEN"


def test_no_secret_shows_in_the_error_that_refuses_it() -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"KAFKA_SASL_PASSWORD": "hidden", "KAFKA_OAUTH_CLIENT_SECRET": "hidden", "INGEST_PORT": "x"})
    assert "hidden" not in str(caught.value)
    assert "INGEST_PORT" in str(caught.value)
