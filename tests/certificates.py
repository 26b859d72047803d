"""Certificates for servers and clients on the loopback, made by openssl as a test wants them."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, in PEM files."""

    file: Path
    key: Path


@dataclass(frozen=True)
class Authority(Certificate):
    """A certificate that signs others."""

    folder: Path

    def issue(self, name: str, *, valid_for: str = "IP:127.0.0.1", days: int = 2) -> Certificate:
        """A certificate for a server or client; with days below zero it has expired."""
        made, request = _place(self.folder, name), self.folder / f"{name}.csr"
        names = ["-addext", f"subjectAltName={valid_for}"] if valid_for else []
        _openssl(
            *["req", "-new", *_KEY, "-subj", f"/CN={name}", *names, "-addext", "basicConstraints=critical,CA:false"],
            *["-keyout", made.key, "-out", request],
        )
        _openssl(
            *["x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-days", str(days)],
            *["-copy_extensions", "copyall", "-out", made.file],
        )
        return made


def new_authority(folder: Path, name: str = "authority") -> Authority:
    """An authority whose files, and those of all that it issues, lie in `folder`."""
    made = _place(folder, name)
    extensions = ["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}", *extensions]
    _openssl(*command, "-keyout", made.key, "-out", made.file)
    return Authority(made.file, made.key, folder)


def server_context(shown: Certificate, *, clients: Authority | None = None) -> ssl.SSLContext:
    """The context of a server that shows a certificate, and demands one that `clients` signed if given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.file, shown.key)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.file)
    return context


def _place(folder: Path, name: str) -> Certificate:
    return Certificate(folder / f"{name}.pem", folder / f"{name}.key")


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
