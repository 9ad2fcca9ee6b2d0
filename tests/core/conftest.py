"""The ingress in the tests' own process, as its own tests have it."""

from tests.ingest.conftest import raw, serve

__all__ = ["raw", "serve"]
