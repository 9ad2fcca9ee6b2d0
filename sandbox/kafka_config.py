"""The configuration of the sandbox's Kafka: nodes that are broker and controller, on loopback only."""

from __future__ import annotations

from pathlib import Path

from sandbox.node import Node
from sandbox.ports import LOOPBACK

MIB = 1024 * 1024


def server_properties(node: Node, *, port: int, data: Path) -> str:
    """Return the text of `server.properties`.

    Acknowledged records are in the operating system's page cache: they survive the death of the process. Flushing is
    left to the system, as Kafka advises; what survives the loss of a broker is what the others have too.
    """
    replicas, in_sync = node.replicas, node.in_sync
    lines = {
        "process.roles": "broker,controller",
        "node.id": node.id,
        "controller.quorum.voters": ",".join(f"{id_}@{LOOPBACK}:{at}" for id_, at in sorted(node.voters.items())),
        **_listeners(node, port),
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        # The default of every topic, changelogs and the groups' offsets included.
        "min.insync.replicas": in_sync,
        "default.replication.factor": replicas,
        # One machine: internal topics have few partitions.
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
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


def _listeners(node: Node, port: int) -> dict[str, str]:
    """Return the listeners: one for all, one for controllers, and one for clients that come by way of a proxy."""
    listens = [f"PLAINTEXT://{LOOPBACK}:{port}", f"CONTROLLER://{LOOPBACK}:{node.voters[node.id]}"]
    advertises = [f"PLAINTEXT://{LOOPBACK}:{port}"]
    if node.front is not None:
        listens.append(f"FRONT://{LOOPBACK}:{node.front.listens}")
        advertises.append(f"FRONT://{LOOPBACK}:{node.front.advertises}")
    protocols = ("PLAINTEXT", "CONTROLLER", "FRONT")
    return {
        "listeners": ",".join(listens),
        "advertised.listeners": ",".join(advertises),
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in protocols),
    }


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
