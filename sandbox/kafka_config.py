"""The configuration of the sandbox's Kafka: one node that is broker and controller, on loopback only."""

from __future__ import annotations

from pathlib import Path

from sandbox.ports import LOOPBACK

MIB = 1024 * 1024


def server_properties(*, port: int, controller_port: int, data: Path) -> str:
    """Return the text of `server.properties`.

    Acknowledged records are in the operating system's page cache: they survive the death of the process. Flushing is
    left to the system, as Kafka advises; a production cluster has replicas for the loss of a machine.
    """
    lines = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        # One node: internal topics have one replica and few partitions.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        # Topics come from `receipts topics`; a misspelt one must fail.
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        # A member killed with SIGKILL should not hold its partitions for long in tests.
        "group.min.session.timeout.ms": 1000,
        "log.segment.bytes": 256 * MIB,
        "log.retention.check.interval.ms": 60_000,
        "log.cleaner.dedupe.buffer.size": 32 * MIB,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 2,
        # After a kill the controller waits this long for the old incarnation before it takes the new one.
        "broker.session.timeout.ms": 4000,
        "broker.heartbeat.interval.ms": 1000,
    }
    return "".join(f"{name}={_escaped(str(value))}\n" for name, value in lines.items())


def _escaped(value: str) -> str:
    """Return a value as Java's properties spell it: the file is read as Latin-1, a backslash begins an escape."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)  # noqa: PLR2004 - ASCII


def log4j_xml() -> str:
    """Return the logging configuration: warnings, and the few lines that tell that the broker is up, to stderr."""
    return """<Configuration status="ERROR">
  <Appenders>
    <Console name="stderr" target="SYSTEM_ERR">
      <PatternLayout pattern="%d{yyyy-MM-dd'T'HH:mm:ss.SSS'Z'}{UTC} %p %c{1} %m%n"/>
    </Console>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="stderr"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
  </Loggers>
</Configuration>
"""
