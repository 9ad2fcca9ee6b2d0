"""The ledger: what was accepted = raw = applied + duplicate + parked + other, in Kafka and in ClickHouse."""

from sinks.ledger.audit import Difference, Ledger, audit

__all__ = ["Difference", "Ledger", "audit"]
