"""The HTTP client: several senders side by side, each waiting for one answer before its next call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import aiohttp

from core.clock import now_ms
from core.errors import ConfigError, IngressRefusedError, IngressUnavailableError
from sandbox.simulator.traffic import Call

ANSWER_TIMEOUT_S = 10.0
BUSY = 429
HEADERS = {"Content-Type": "application/json", "User-Agent": "receiptstream-simulator"}
_FIXES = {
    404: "The secret at the end of the path is missing or wrong: take the URL that `receipts up` prints",
    401: "The ingress wants signed requests: send to one with ZOHO_JWT_MODE=off",
    403: "The ingress wants signed requests: send to one with ZOHO_JWT_MODE=off",
}


@dataclass(slots=True)
class Outcome:
    """What became of the calls."""

    calls: int = 0
    events: int = 0
    accepted: int = 0
    parked: int = 0
    retries: int = 0
    """Calls sent again after a failure; each may have been taken twice."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast to send: everything at once, so many events a second, or each call at its own time."""

    rate: float | None = None
    live: bool = False
    patience_s: float = 60.0
    """How long a call is tried again before the run fails."""


async def send(
    url: str,
    calls: Iterable[Call],
    *,
    senders: int,
    pace: Pace | None = None,
    on_sent: Callable[[Call], None] = lambda _: None,
) -> Outcome:
    """Send all calls; `on_sent` is told each one when it is answered, in order within a sender.

    Raises IngressUnavailableError when the URL does not answer in time, IngressRefusedError when it refuses.
    """
    pace = pace or Pace()
    outcome = Outcome()
    started = monotonic()
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    connector = aiohttp.TCPConnector(limit=senders)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector, headers=HEADERS) as session:
        await _probe(session, url)
        queues: list[asyncio.Queue[Call | None]] = [asyncio.Queue(8) for _ in range(senders)]
        try:
            async with asyncio.TaskGroup() as group:
                for queue in queues:
                    group.create_task(_sender(session, url, queue, pace, outcome, on_sent))
                await _feed(queues, calls, pace)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
    outcome.seconds = monotonic() - started
    return outcome


async def _probe(session: aiohttp.ClientSession, url: str) -> None:
    """Ask the URL as the source does when a webhook is set up: with GET."""
    try:
        async with session.get(url) as response:
            if response.status != 200:  # noqa: PLR2004 -- the one answer that means yes
                raise _refusal(url, response.status, await response.text())
    except aiohttp.InvalidURL:
        raise ConfigError(f"{url!r} is no URL", fix="Name one such as http://127.0.0.1:8080/webhooks/…") from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _unavailable(url, str(error) or "no answer in time") from None


async def _feed(queues: list[asyncio.Queue[Call | None]], calls: Iterable[Call], pace: Pace) -> None:
    started, events = monotonic(), 0
    for call in calls:
        if pace.live:
            await asyncio.sleep(max(0, call.events[-1].at_ms - now_ms()) / 1000)
        elif pace.rate:
            await asyncio.sleep(max(0.0, started + events / pace.rate - monotonic()))
        events += len(call.events)
        await queues[call.sender].put(call)
    for queue in queues:
        await queue.put(None)


async def _sender(  # noqa: PLR0917 -- a task's state
    session: aiohttp.ClientSession,
    url: str,
    queue: asyncio.Queue[Call | None],
    pace: Pace,
    outcome: Outcome,
    on_sent: Callable[[Call], None],
) -> None:
    while (call := await queue.get()) is not None:
        accepted, parked = await _deliver(session, url, call, pace, outcome)
        outcome.calls += 1
        outcome.events += len(call.events)
        outcome.accepted += accepted
        outcome.parked += parked
        on_sent(call)


async def _deliver(
    session: aiohttp.ClientSession, url: str, call: Call, pace: Pace, outcome: Outcome
) -> tuple[int, int]:
    """Send one call until it is taken; returns how many elements were accepted and parked."""
    body = call.body
    deadline = monotonic() + pace.patience_s
    wait_s = 0.1
    while True:
        problem = ""
        try:
            async with session.post(url, data=body) as response:
                if response.status == 200:  # noqa: PLR2004 -- the one answer that means yes
                    return await _counts(response, call)
                if response.status != BUSY and response.status < 500:  # noqa: PLR2004 -- a retry would not help
                    raise _refusal(url, response.status, await response.text())
                problem = f"it answers {response.status}"
                with suppress(ValueError):
                    wait_s = max(wait_s, float(response.headers.get("Retry-After", "0")))
        except (aiohttp.ClientError, TimeoutError) as error:
            problem = str(error) or "no answer in time"
        if monotonic() + wait_s > deadline:
            raise _unavailable(url, problem)
        outcome.retries += 1
        await asyncio.sleep(wait_s)
        wait_s = min(2.0, wait_s * 2)


async def _counts(response: aiohttp.ClientResponse, call: Call) -> tuple[int, int]:
    """Read `{"accepted":N,"parked":M}`; a receiver that answers otherwise has taken all."""
    with suppress(aiohttp.ClientError, ValueError, TypeError, KeyError):
        answer = await response.json(content_type=None)
        return int(answer["accepted"]), int(answer["parked"])
    return len(call.events), 0


def shown(url: str) -> str:
    """Return a webhook URL without the secret at its end."""
    head, found, _ = url.partition("/webhooks/zoho-desk/")
    return f"{head}{found}…" if found else url


def _refusal(url: str, status: int, text: str) -> IngressRefusedError:
    fix = _FIXES.get(status, f"Its answer was: {text[:200]}")
    return IngressRefusedError(f"{shown(url)} answers {status}", fix=fix)


def _unavailable(url: str, problem: str) -> IngressUnavailableError:
    return IngressUnavailableError(
        f"{shown(url)} cannot be reached: {problem}", fix="Start the stack with `receipts up`, or name another --url"
    )
