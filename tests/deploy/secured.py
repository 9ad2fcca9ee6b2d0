"""A Kafka as users have it: TLS, every kind of log-in, and nothing allowed that no rule allows."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from core.settings import parse
from sandbox import java
from sandbox.jars import kafka_jars
from sandbox.kafka_config import server_properties
from sandbox.node import Node
from sandbox.ports import free_port
from tests.deploy.authority import Authority, Certificate

ROOT = Path(__file__).parents[2]
SASL = "org.apache.kafka.common.security"
CLUSTER = "4L6g3nShT-eMCtK--X86sw"
OPERATIONS = {operation.name.replace("_", ""): operation for operation in AclOperation}


@dataclass(frozen=True)
class Secured:
    """A running broker. `inside` asks for nothing and may do all; users' password is their name twice."""

    inside: str
    sasl: str
    mutual: str
    authority: Authority

    def plain(self, user: str) -> dict[str, str]:
        """Return the settings of a user with PLAIN."""
        return self._with("PLAIN", user)

    def scram(self, user: str, bits: int = 512) -> dict[str, str]:
        """Return the settings of a user with SCRAM."""
        return self._with(f"SCRAM-SHA-{bits}", user)

    def token(self, user: str, url: str) -> dict[str, str]:
        """Return the settings of a client that gets its tokens at a URL."""
        return self._over("SASL_SSL", self.sasl) | {
            "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_OAUTH_TOKEN_URL": url,
            "KAFKA_OAUTH_CLIENT_ID": user,
            "KAFKA_OAUTH_CLIENT_SECRET": user * 2,
        }

    def certified(self, certificate: Certificate, password: str = "") -> dict[str, str]:
        """Return the settings of a client that shows a certificate."""
        return self._over("SSL", self.mutual) | {
            "KAFKA_SSL_CERT_FILE": str(certificate.cert),
            "KAFKA_SSL_KEY_FILE": str(certificate.key),
            "KAFKA_SSL_KEY_PASSWORD": password,
        }

    def _with(self, mechanism: str, user: str) -> dict[str, str]:
        return self._over("SASL_SSL", self.sasl) | {
            "KAFKA_SASL_MECHANISM": mechanism,
            "KAFKA_SASL_USERNAME": user,
            "KAFKA_SASL_PASSWORD": user * 2,
        }

    def _over(self, protocol: str, listener: str) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": listener,
            "KAFKA_SECURITY_PROTOCOL": protocol,
            "KAFKA_SSL_CA_FILE": str(self.authority.file),
        }


@contextmanager
def secured_kafka(home: Path, users: Iterable[str]) -> Iterator[Secured]:
    """Run a broker that knows users, each of which may do what deploy/kafka/acls.csv allows the role of its name."""
    users = list(users)
    authority = Authority(home)
    inside, sasl, mutual, controller = (free_port() for _ in range(4))
    properties = home / "server.properties"
    properties.write_text(
        server_properties(Node(1, {1: controller}, ""), port=inside, data=home / "data")
        + _listeners(inside, sasl, mutual, controller)
        + _security(home, authority, users)
    )
    base = [
        str(java.find(os.environ)),
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-cp",
        f"{kafka_jars(parse(os.environ).sandbox_cache_dir)}/*",
    ]
    scram = [
        part
        for user in users
        for bits in (256, 512)
        for part in ("--add-scram", f"SCRAM-SHA-{bits}=[name={user},password={user * 2}]")
    ]
    command = [*base, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(properties), *scram]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with (home / "broker.log").open("wb") as log:
        broker = subprocess.Popen([*base, "kafka.Kafka", str(properties)], stdout=log, stderr=log)
    try:
        secured = Secured(f"127.0.0.1:{inside}", f"localhost:{sasl}", f"localhost:{mutual}", authority)
        allow(secured.inside, users)
        yield secured
    finally:
        broker.kill()
        broker.wait()


def rules() -> list[dict[str, str]]:
    """Return the rows of deploy/kafka/acls.csv."""
    with (ROOT / "deploy/kafka/acls.csv").open() as file:
        return list(csv.DictReader(file))


def allow(bootstrap: str, roles: Iterable[str]) -> None:
    """Give each role its rights."""
    made = [
        AclBinding(
            ResourceType[rule["resource"].upper()],
            rule["name"],
            ResourcePatternType[rule["pattern"].upper()],
            f"User:{rule['role']}",
            "*",
            OPERATIONS[operation.upper()],
            AclPermissionType.ALLOW,
        )
        for rule in rules()
        if rule["role"] in roles
        for operation in rule["operations"].split()
    ]
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for future in client.create_acls(made, request_timeout=60).values():
        future.result(60)


def _listeners(inside: int, sasl: int, mutual: int, controller: int) -> str:
    # The last line of a name counts: these replace the sandbox's own.
    return f"""
listeners=INSIDE://127.0.0.1:{inside},LOGIN://localhost:{sasl},MUTUAL://localhost:{mutual},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=INSIDE://127.0.0.1:{inside},LOGIN://localhost:{sasl},MUTUAL://localhost:{mutual}
listener.security.protocol.map=INSIDE:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INSIDE
"""


def _security(home: Path, authority: Authority, users: list[str]) -> str:
    server = authority.issue("broker")
    plain = " ".join(f'user_{user}="{user * 2}"' for user in users)
    tls = "".join(
        f"listener.name.{name}.ssl.keystore.type=PEM\n"
        f"listener.name.{name}.ssl.keystore.location={server.both}\n"
        f"listener.name.{name}.ssl.truststore.type=PEM\n"
        f"listener.name.{name}.ssl.truststore.location={authority.file}\n"
        for name in ("login", "mutual")
    )
    scram = "".join(
        f"listener.name.login.scram-sha-{bits}.sasl.jaas.config={SASL}.scram.ScramLoginModule required;\n"
        for bits in (256, 512)
    )
    return rf"""{tls}{scram}
listener.name.mutual.ssl.client.auth=required
listener.name.mutual.ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/
listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.login.plain.sasl.jaas.config={SASL}.plain.PlainLoginModule required {plain};
listener.name.login.oauthbearer.sasl.jaas.config={SASL}.oauthbearer.OAuthBearerLoginModule required \
  unsecuredLoginStringClaim_sub="broker";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
