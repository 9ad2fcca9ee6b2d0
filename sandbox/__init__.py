"""The one-machine stack: broker, ClickHouse engine, supervisor; the simulator and its answer key."""
