"""The processor role: runs the Faust app until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal

import uvloop

from core import failpoints, logs, ops
from core.errors import ReceiptstreamError
from core.kafka import create_topics
from core.settings import Settings
from core.tracing import tracing
from processors.app import Processor, build
from processors.monitor import Monitor, why_not_ready
from schemas import topics

log = logs.get(__name__)

LOOK_EVERY_S = 1.0


class ProcessorCrashedError(ReceiptstreamError):
    """Faust stopped by itself; what was not acknowledged was not committed."""

    tag = "processor_crashed"
    retryable = True


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then finish and commit what was begun.

    Raises ConfigError when topics exist with other partition counts, BrokerUnavailableError when Kafka is away.
    """
    # State is millions of small objects that live for days: walking them again and again would be half the work.
    failpoints.arm(settings.failpoint)
    gc.set_threshold(1_000_000, 50, 1000)
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    await create_topics(
        settings,
        topics.specs(settings),
        partitions=settings.raw_partitions,
        replication=settings.replication_factor,
    )
    (settings.state_dir / "processor").mkdir(parents=True, exist_ok=True)
    for name in ("faust", "mode", "aiokafka", "processors.batched"):
        # Faust's services log by the module of their class, ours included, each start and stop at level info.
        logging.getLogger(name).setLevel(logging.WARNING)
    # A busy second delays a timer: that is no news.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)
    with tracing(settings, "processor") as tracer:
        await _serve(settings, build(settings, tracer))


async def _serve(settings: Settings, processor: Processor) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with ops.serving(settings.metrics_host, settings.metrics_port, lambda: why_not_ready(processor)) as port:
        log.info("processor_started", metrics_port=port)
        await _work(processor, Monitor(processor, settings.processor_stall.total_seconds()), stop)


async def _work(processor: Processor, monitor: Monitor, stop: asyncio.Event) -> None:
    app = processor.app
    app.finalize()
    await app.start()
    try:
        while not stop.is_set() and not app.should_stop:
            monitor.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
    finally:
        crashed = app.crash_reason
        await app.stop()
    if crashed is not None:
        raise ProcessorCrashedError(
            f"the stream worker crashed: {crashed!r}", fix="See the log above; it restarts by itself"
        )
