"""The baseline: an aiohttp server that publishes each event with `send_and_wait`, as one would write it at first.

`python -m bench.naive PORT BOOTSTRAP` serves until it is terminated. Events are keyed by their message; nothing is
checked, counted or parked.
"""

from __future__ import annotations

import asyncio
import sys

import orjson
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaProducer

from core.kafka import client_options
from schemas import topics


async def serve(port: int, bootstrap: str) -> None:
    """Serve for ever."""
    producer = AIOKafkaProducer(**client_options(bootstrap), acks="all", enable_idempotence=True)
    await producer.start()

    async def handle(request: web.BaseRequest) -> web.Response:
        events = orjson.loads(await request.read())
        # One after the other: all at once, they wait for room in the producer's batches and wake each other up.
        for event in events:
            key = str(event["payload"]["messageId"]).encode()
            await producer.send_and_wait(topics.RAW, orjson.dumps(event), key=key)
        return web.Response(body=b'{"accepted":%d,"parked":0}' % len(events), content_type="application/json")

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
