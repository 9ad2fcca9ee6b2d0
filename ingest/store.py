"""Makes deliveries durable: in Kafka."""

from __future__ import annotations

from ingest.delivery import Delivery
from ingest.publisher import Outcome, Publisher


class KafkaStore:
    """Keeps deliveries in Kafka alone."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def keep(self, delivery: Delivery) -> bool:
        """Return True once all in-sync replicas have all of it."""
        return await self._publisher.submit(delivery) is Outcome.STORED

    def readiness(self) -> dict[str, object]:
        """Say whether Kafka takes events."""
        ready = self._publisher.available
        return {"ready": ready, "reason": "" if ready else "Kafka is away or too slow", "via": "kafka"}
