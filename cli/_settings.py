"""How commands get their settings and their parts: the environment, completed by the sandbox of the state directory."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from core.errors import (
    BrokerUnavailableError,
    ConfigError,
    ReceiptstreamError,
    WarehouseRefusedError,
    WarehouseUnavailableError,
)
from core.settings import Settings, parse
from sandbox import endpoints

if TYPE_CHECKING:
    from core.clickhouse import ClickHouse

Answer = TypeVar("Answer")

_MISSING_TOPIC: Final = re.compile(r"topic \S+ does not exist")
"""How a missing topic's ValueError begins: any other ValueError is a defect, and shows as one."""
_NO_TABLES: Final = frozenset({60, 81})
"""ClickHouse's codes of a table and a database that do not exist."""


class UnreachedError(ReceiptstreamError):
    """Kafka or ClickHouse could not be asked: no answer at all, which is not the answer "no"."""

    tag = "unreached"
    exit_code = 2


def state_dir_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--state-dir` to a command."""
    return click.option(
        "--state-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Directory of the sandbox to use.  [default: STATE_DIR, or one for all commands]",
    )(function)


def load(state_dir: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Parse the environment; where it names no Kafka or ClickHouse, take those of the running sandbox, if any.

    `state_dir` overrides STATE_DIR. Raises ConfigError.
    """
    given = dict(os.environ if environ is None else environ)
    if state_dir is not None:
        given["STATE_DIR"] = str(state_dir)
    found = endpoints.read(parse(given).state_dir)
    return parse({**found, **{name: value for name, value in given.items() if value}})


def need(settings: Settings, *, kafka: bool = False, clickhouse: bool = False) -> None:
    """Raise ConfigError where a part that the command needs is named neither by the environment nor by a sandbox."""
    for needed, part, name, value in (
        (kafka, "Kafka", "KAFKA_BOOTSTRAP_SERVERS", settings.kafka_bootstrap_servers),
        (clickhouse, "ClickHouse", "CLICKHOUSE_URL", settings.clickhouse_url),
    ):
        if needed and not value:
            raise ConfigError(
                f"no {part}: {name} is empty and no sandbox runs in {settings.state_dir}",
                fix=f"Set {name}, or start the sandbox with `receipts up`",
            )


@asynccontextmanager
async def reaching(settings: Settings, *, kafka: bool = False, clickhouse: bool = False) -> AsyncIterator[None]:
    """Work with the parts named inside.

    Raises ConfigError as `need` does, and where a topic or a table is missing; UnreachedError where nobody answers, or
    the question is refused (no grant, a quota).
    """
    import logging

    from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

    from core.kafka import unavailable

    need(settings, kafka=kafka, clickhouse=clickhouse)
    # What its clients say of a broker that is away stands in the one error that follows.
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    except (BrokerUnavailableError, WarehouseUnavailableError, WarehouseRefusedError) as error:
        if (untold := _untold(settings, error)) is error:
            raise
        raise untold from error
    except UnknownTopicOrPartitionError as error:
        raise ConfigError("a topic of the pipeline does not exist", fix="Run `receipts topics`") from error
    except (KafkaError, OSError) as error:
        if not kafka:
            raise
        raise _untold(settings, await unavailable(settings, error)) from error
    except ValueError as error:
        if (found := _MISSING_TOPIC.match(str(error))) is None:
            raise
        raise ConfigError(found[0], fix="Run `receipts topics`") from error
    finally:
        log.setLevel(level)


def _untold(settings: Settings, error: ReceiptstreamError) -> ReceiptstreamError:
    """Return why there is no answer: the error itself where its exit code already says so."""
    if error.exit_code != ReceiptstreamError.exit_code:
        return error
    if isinstance(error, WarehouseRefusedError) and error.code in _NO_TABLES:
        missing = f"a table is missing in {settings.clickhouse_database}: {error.message}"
        return ConfigError(missing, fix="Run `receipts migrate`")
    return UnreachedError(error.message, fix=error.fix)


def connected(
    state_dir: Path | None, ask: Callable[[Settings, ClickHouse], Awaitable[Answer]], *, kafka: bool = False
) -> Answer:
    """Return what a coroutine answers that is given the settings and a client; `kafka`: it asks Kafka too."""
    from core.clickhouse import connect

    async def inside() -> Answer:
        settings = load(state_dir)
        async with reaching(settings, kafka=kafka, clickhouse=True), connect(settings) as clickhouse:
            return await ask(settings, clickhouse)

    return asyncio.run(inside())


def moment(text: str | None, default: int) -> int:
    """Read an ISO time given to an option as epoch milliseconds; without a zone it is UTC. Raises BadParameter."""
    from datetime import UTC, datetime

    if text is None:
        return default
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no ISO time: write one such as 2025-10-09T07:27:00Z") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
