"""A certificate authority of the tests' own, and the certificates it gives."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization as pem

HOSTS = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Certificate:
    """PEM files: the chain, the key (PKCS #8, as Java reads it), and both in one."""

    cert: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._signer = trustme.CA()
        self.file = folder / "ca.pem"
        self._signer.cert_pem.write_to_path(self.file)

    def issue(self, name: str, password: str = "") -> Certificate:
        """Sign a certificate for this machine with a common name; the key is encrypted where a password is given."""
        made = self._signer.issue_cert(*HOSTS, common_name=name)
        key = pem.load_pem_private_key(made.private_key_pem.bytes(), None)
        kept: pem.KeySerializationEncryption = pem.NoEncryption()
        if password:
            kept = pem.BestAvailableEncryption(password.encode())
        text = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, kept)
        chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        files = Certificate(*(self._folder / f"{name}.{kind}" for kind in ("cert", "key", "both")))
        files.cert.write_bytes(chain)
        files.key.write_bytes(text)
        files.both.write_bytes(text + chain)
        return files

    def server_context(self, certificate: Certificate) -> ssl.SSLContext:
        """Return a server's context that asks clients for a certificate of this authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.file)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificate.cert, certificate.key)
        return context
