"""A load generator for HTTP: keep-alive connections, each with one request under way, on bare sockets.

`python -m bench.load PORT PATH CONNECTIONS SECONDS EVENTS` prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter

import uvloop

EVENT = (
    '{"payload":{"messageOldStatus":"SENT","messageNewStatus":{"updatedTime":"2025-10-09T07:27:19.394Z",'
    '"status":"DELIVERED"},"messageId":%d,"sessionId":50007000000004136,"channelId":50007000000004080},'
    '"eventTime":"1751022087019","eventType":"IM_Message_Status","orgId":"106553778"}'
)
WARM_UP_S = 1.0


def request(path: str, number: int, events: int) -> bytes:
    """Return the bytes of a request with that many events."""
    body = "[" + ",".join(EVENT % (50007000000000000 + number * events + each) for each in range(events)) + "]"
    head = (f"POST {path} HTTP/1.1", "Host: bench", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one was answered."""

    def __init__(self, requests: list[bytes], times: list[float]) -> None:
        self.requests = requests
        self.times = times
        self.number = 0
        self.sent = 0.0
        self.answer = b""
        self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.send()

    def send(self) -> None:
        """Send the next request."""
        self.sent = perf_counter()
        self.transport.write(self.requests[self.number % len(self.requests)])
        self.number += 1

    def data_received(self, data: bytes) -> None:
        """Read an answer to its end: all answers here have a body that ends with a brace."""
        self.answer += data
        if not self.answer.endswith(b"}"):
            return
        if not self.answer.startswith(b"HTTP/1.1 200"):
            self.failed += 1
        self.times.append(perf_counter() - self.sent)
        self.answer = b""
        self.send()


async def run(port: int, path: str, connections: int, seconds: float, events: int) -> dict[str, float]:
    """Load a server of this machine and return requests a second and latencies in milliseconds."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    each = max(2, 2000 // connections // events)
    lists = [[request(path, (n * each + at), events) for at in range(each)] for n in range(connections)]
    made = [await loop.create_connection(lambda own=own: Connection(own, times), "127.0.0.1", port) for own in lists]
    await asyncio.sleep(WARM_UP_S)
    times.clear()
    begun = perf_counter()
    await asyncio.sleep(seconds)
    took = perf_counter() - begun
    found = sorted(times)
    for transport, _ in made:
        transport.abort()
    return {
        "requests": sum(protocol.number for _, protocol in made),
        "requests_per_s": len(found) / took,
        "p50_ms": found[len(found) // 2] * 1000,
        "p99_ms": found[len(found) * 99 // 100] * 1000,
        "failed": sum(protocol.failed for _, protocol in made),
    }


def main() -> None:
    """Run with the command line's arguments."""
    port, path, connections, seconds, events = sys.argv[1:]
    found = uvloop.run(run(int(port), path, int(connections), float(seconds), int(events)))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
