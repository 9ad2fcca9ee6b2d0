"""Kafka to ClickHouse: workers, tables and views, migrations."""
