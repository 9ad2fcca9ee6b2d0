"""The errors every package raises: what happened, whether a retry can help, what the operator should do."""

from __future__ import annotations

from typing import ClassVar


class ReceiptstreamError(Exception):
    """Base of all our errors.

    `tag` names the error in logs and metrics; `exit_code` is what a command ends with; `retryable` tells whether
    the same call may succeed later; `fix` is the sentence an operator acts on.
    """

    tag: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, fix: str = "") -> None:
        """Keep `message` (what is wrong) and `fix` (what to do about it)."""
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}. {self.fix}" if self.fix else self.message


class ConfigError(ReceiptstreamError):
    """A setting or an argument cannot be used: the process refuses to start."""

    tag = "config"
    exit_code = 2


class StateDirInUseError(ReceiptstreamError):
    """Another process owns the state directory."""

    tag = "state_dir_in_use"
    exit_code = 2


class PortInUseError(ReceiptstreamError):
    """A port that was asked for is taken by another program."""

    tag = "port_in_use"
    exit_code = 2


class DiskFullError(ReceiptstreamError):
    """Too little room is left on the disk of the state directory."""

    tag = "disk_full"
    retryable = True


class BrokerUnavailableError(ReceiptstreamError):
    """Kafka cannot be reached, or has no leader for a partition."""

    tag = "broker_unavailable"
    retryable = True


class BrokerRefusedError(BrokerUnavailableError):
    """Kafka answers and lets this client do nothing: its log-in, certificate or rights are wrong."""

    tag = "broker_refused"
    exit_code = 2


class WarehouseUnavailableError(ReceiptstreamError):
    """ClickHouse cannot be reached, or is overloaded."""

    tag = "warehouse_unavailable"
    retryable = True


class WarehouseRefusedError(ReceiptstreamError):
    """ClickHouse understood the statement or the rows, and refused them: the same call fails again.

    `code` is ClickHouse's own number of the error, 0 when it told none.
    """

    tag = "warehouse_refused"

    def __init__(self, message: str, *, fix: str = "", code: int = 0) -> None:
        super().__init__(message, fix=fix)
        self.code = code


class NotFoundError(ReceiptstreamError):
    """What was asked for does not exist."""

    tag = "not_found"


class MissingPartError(ReceiptstreamError):
    """A part of the sandbox is not on this machine and cannot be had."""

    tag = "missing_part"
    exit_code = 2


class IngressUnavailableError(ReceiptstreamError):
    """The webhook URL does not answer, or answers that it cannot take events now."""

    tag = "ingress_unavailable"
    retryable = True


class IngressRefusedError(ReceiptstreamError):
    """The webhook URL answers that it will never take this request."""

    tag = "ingress_refused"
