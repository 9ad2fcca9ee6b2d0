"""The TLS context of a client, from files that the settings name."""

from __future__ import annotations

import ssl
from pathlib import Path

from core.errors import ConfigError


def tls_context(
    ca: Path | None, cert: Path | None, key: Path | None, password: str = "", *, names: tuple[str, str]
) -> ssl.SSLContext:
    """Make a client's TLS context: `ca` instead of the system's authorities, `cert` and `key` to show who we are.

    `names` are the settings of `ca` and `cert`, for the ConfigError that is raised where a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{names[0]}={str(ca)!r}: {error}", fix="Name a readable PEM file of certificates") from None
    if cert:
        try:
            # A password is always given: OpenSSL would ask at the terminal for one that is missing.
            context.load_cert_chain(cert, key, password)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{names[1]}={str(cert)!r} with key {str(key or cert)!r}: {error}",
                fix="Name PEM files of one certificate and its key, and the key's password where it has one",
            ) from None
    return context
