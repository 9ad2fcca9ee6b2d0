"""ClickHouse's own engine behind ClickHouse's HTTP protocol, in one process, on loopback only."""
