"""Traffic as the source would send it: seeded lives of messages, told by webhooks that may go astray."""

from sandbox.simulator.config import Traffic
from sandbox.simulator.traffic import Call, Event, calls, events

__all__ = ["Call", "Event", "Traffic", "calls", "events"]
