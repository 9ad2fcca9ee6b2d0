"""The spool: events on this machine's disk while Kafka is away. Append-only segments, checksummed, fsynced."""
