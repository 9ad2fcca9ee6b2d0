"""How the ingress is served: described, over TLS, by several processes on one port."""

from __future__ import annotations

import datetime as dt
import re
import signal
import ssl
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.clock import now_ms
from core.errors import ConfigError
from core.settings import parse
from ingest import answers
from ingest.answers import Refusal
from ingest.tls import tls_context
from sandbox.ports import free_port
from tests.ingest.conftest import SECRET, Client, Serve, client_of, settings_for
from tests.ingest.process import Process
from tests.ingest.waiting import until

pytestmark = pytest.mark.stack
EVENT = b'[{"eventType":"New","orgId":"1"}]'


async def test_the_description_names_every_answer_that_is_given(serve: Serve) -> None:
    async with serve() as client:
        status, found = await client.call("GET", client.root + "/openapi.json")
    assert status == 200
    assert found["openapi"].startswith("3.1")
    documented = found["paths"]["/webhooks/zoho-desk/{secret}"]["post"]["responses"]
    given = {refusal.status for refusal in vars(answers).values() if isinstance(refusal, Refusal)} | {200, 400, 401}
    assert {int(code) for code in documented} == given
    assert set(found["paths"]) == {
        "/webhooks/zoho-desk/{secret}",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
    }


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a certificate for this machine and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.fromtimestamp(now_ms() / 1000, dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


async def test_with_a_certificate_it_speaks_https(kafka: str, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    settings = settings_for(kafka, tmp_path, INGEST_TLS_CERT=str(cert), INGEST_TLS_KEY=str(key))
    trusted = ssl.create_default_context(cafile=str(cert))
    async with client_of(settings) as client:
        url = f"https://localhost:{client.port}/webhooks/zoho-desk/{SECRET}"
        assert await client.call("POST", url, data=EVENT, ssl=trusted) == (200, {"accepted": 1, "parked": 0})
        with pytest.raises(aiohttp.ClientError):
            await client.call("GET", client.root + "/healthz")
        # aiokafka leaves a connection open whose making is cancelled.
        await until(partial(reaches_kafka, client, ssl=trusted))


def test_a_certificate_that_cannot_be_used_refuses_to_start(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    (tmp_path / "junk.pem").write_text("junk")
    for changes in (
        {"INGEST_TLS_CERT": str(tmp_path / "missing.pem")},
        {"INGEST_TLS_CERT": str(tmp_path / "junk.pem")},
        {"INGEST_TLS_CERT": str(cert)},
        {"INGEST_TLS_KEY": str(key)},
    ):
        with pytest.raises(ConfigError, match="INGEST_TLS"):
            tls_context(parse(changes))


async def test_several_processes_share_one_port_and_one_spool_directory(kafka: str, tmp_path: Path) -> None:
    port = str(free_port())
    processes = [Process(kafka, tmp_path, port, INGEST_REUSE_PORT="true") for _ in range(2)]
    try:
        async with processes[0].client() as client:
            for process in processes:
                await until(partial(connected, process))
            assert {path.name for path in (tmp_path / "spool").iterdir()} == {"0", "1"}
            for _ in range(20):
                assert (await fresh_call(client)) == 200
            counted = [await client.outcomes(f"http://127.0.0.1:{metrics_port(process)}") for process in processes]
            assert sum(counts.get("accepted", 0) for counts in counted) == 20
            status, _ = await client.call("POST", f"http://127.0.0.1:{metrics_port(processes[0])}/webhooks/zoho-desk")
            assert status == 404
    finally:
        for process in processes:
            assert process.end(signal.SIGTERM) == 0


async def reaches_kafka(client: Client, **options: Any) -> bool:
    """Tell whether an ingress that speaks HTTPS has found Kafka."""
    _, found = await client.call("GET", f"https://localhost:{client.port}/readyz", **options)
    return bool(found["kafka"] == "available")


def connected(process: Process) -> bool:
    """Tell whether a process has found Kafka."""
    return "kafka connected" in process.log.read_text()


def metrics_port(process: Process) -> int:
    """Return where a process tells its own numbers."""
    found = re.search(r'"port": ?(\d+)[^}]*"event": ?"metrics of this process"', process.log.read_text())
    assert found is not None
    return int(found[1])


async def fresh_call(client: Client) -> int:
    """Post over a connection of its own, which the kernel gives to either process."""
    async with aiohttp.ClientSession() as session, session.post(client.url, data=EVENT) as response:
        return response.status
