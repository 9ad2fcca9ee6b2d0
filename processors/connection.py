"""Kafka's connection options in Faust's words: its consumer and producer are made of credentials of its own kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT


def credentials(options: Mapping[str, Any]) -> CredentialsT | None:
    """Return Faust's credentials for `core.kafka.client_options`; None where Kafka asks for nothing."""
    context = options.get("ssl_context")
    if options["security_protocol"] == "PLAINTEXT":
        return None
    if options["security_protocol"] == "SSL":
        return SSLCredentials(context=context)
    if "sasl_oauth_token_provider" in options:
        return OAuthCredentials(oauth_cb=options["sasl_oauth_token_provider"], ssl_context=context)
    return SASLCredentials(
        mechanism=options["sasl_mechanism"],
        username=options["sasl_plain_username"],
        password=options["sasl_plain_password"],
        ssl_context=context,
    )
