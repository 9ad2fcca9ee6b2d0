"""HTTPS, where a certificate is given."""

from __future__ import annotations

import ssl

from core.errors import ConfigError
from core.settings import Settings


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the server's side of TLS 1.2 or newer, None for plain HTTP. Raises ConfigError."""
    if settings.ingest_tls_cert is None:
        if settings.ingest_tls_key is not None:
            raise ConfigError("INGEST_TLS_KEY is set without INGEST_TLS_CERT", fix="Set both, or neither")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.ingest_tls_cert, settings.ingest_tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"INGEST_TLS_CERT={str(settings.ingest_tls_cert)!r}: the certificate and its key cannot be used ({error})",
            fix="Name a PEM file with the certificate chain, and in INGEST_TLS_KEY its private key without a password",
        ) from None
    return context
