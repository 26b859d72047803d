"""Whom to trust and what to show: the TLS context of a source, made anew when a file of it has changed."""

from __future__ import annotations

import ssl
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.platform.http_config import TlsConfig

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
# What OpenSSL says, and what to do then; the first that fits.
_ADVICE = (
    ("certificate required", "It asks for a client certificate: name one in `tls_config`, `cert_file` and `key_file`."),
    ("handshake failure", "It may ask for a client certificate: see `cert_file` and `key_file` of `tls_config`."),
    ("unknown ca", "It does not know the authority of the client certificate in `tls_config.cert_file`."),
    ("protocol version", "It speaks another version of TLS: see `min_version` and `max_version` of `tls_config`."),
    ("unsupported protocol", "It speaks another version of TLS: see `min_version` and `max_version` of `tls_config`."),
    ("eof occurred", "It may ask for a client certificate, or refuse the one in `tls_config.cert_file`."),
    ("alert", "It refuses the client certificate in `tls_config.cert_file`, or the whole connection: see its log."),
    ("record layer", "It may speak plain http."),
    ("wrong version number", "It may speak plain http."),
    ("mismatch", "Ask it by the name in its certificate, or say that name in `tls_config.server_name`."),
    ("expired", "Have its certificate renewed."),
    ("not yet valid", "Look at its certificate, and at the clocks."),
    ("verify failed", "If that is the server meant, name its authority in `tls_config.ca_file`."),
)


class Trust:
    """The TLS context that `config` describes.

    A named authority is trusted instead of the bundled ones, and may stand anywhere above the server's certificate, as
    with Prometheus. Nothing comes from the machine's environment, not even a file for key logs.
    """

    def __init__(self, config: TlsConfig) -> None:
        self._config = config
        self._made: tuple[bytes, ssl.SSLContext] | None = None
        self._lock = Lock()

    def pool_options(self) -> dict[str, Any]:
        """How urllib3's pool is to connect; a changed file means another context, and so new connections.

        Raises
        ------
        UsageError
            A file cannot be read, or is none of certificates or keys.
        """
        options: dict[str, Any] = {"ssl_context": self._context(), "cert_reqs": "CERT_REQUIRED"}
        if self._config.server_name is not None:
            options["server_hostname"] = self._config.server_name
        return options

    def _context(self) -> ssl.SSLContext:
        files = {key: getattr(self._config, key) for key in self._config.given("ca_file", "cert_file", "key_file")}
        contents = {key: _content(key, file) for key, file in files.items()}
        state = sha256(b"".join(sha256(content).digest() for content in contents.values())).digest()
        with self._lock:
            if self._made is None or self._made[0] != state:
                self._made = state, self._new_context(contents)
            return self._made[1]

    def _new_context(self, contents: dict[str, bytes]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and name
        context.hostname_checks_common_name = False
        context.post_handshake_auth = True  # a server may ask for the client's certificate only then
        context.minimum_version = _VERSIONS[self._config.min_version or "TLS12"]
        if self._config.max_version:
            context.maximum_version = _VERSIONS[self._config.max_version]
        if self._config.given("ca", "ca_file"):
            self._trust_only(context, contents["ca_file"] if self._config.ca is None else self._config.ca.encode())
        else:
            context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        if "key_file" in contents:
            self._show(context, contents["key_file"])
        return context

    def _trust_only(self, context: ssl.SSLContext, authorities: bytes) -> None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            # Comments between the certificates may be in any script; certificates are ASCII.
            context.load_verify_locations(cadata=authorities.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError):
            key = "ca_file" if self._config.ca_file else "ca"
            raise UsageError(_fault(key, self._config.ca_file, "holds no certificate in PEM form")) from None

    def _show(self, context: ssl.SSLContext, key: bytes) -> None:
        certificate_file, key_file = self._config.cert_file, self._config.key_file
        if b"ENCRYPTED" in key:
            raise UsageError(_fault("key_file", key_file, "is encrypted; a key without a passphrase is needed"))
        try:
            # With a password given OpenSSL never asks for one at the terminal.
            context.load_cert_chain(str(certificate_file), str(key_file), password="")
        except (ssl.SSLError, OSError) as error:
            what = f"and `tls_config.key_file`, {key_file}, are no certificate and its key ({_reason(error)})"
            raise UsageError(_fault("cert_file", certificate_file, what)) from None


def advice(said: str) -> str:
    """What to do about a connection that failed with these words of OpenSSL."""
    low = said.lower()
    return next((do for words, do in _ADVICE if words in low), "Check https in the URL, and `tls_config`.")


def _content(key: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(_fault(key, file, f"cannot be read: {error.strerror}")) from None


def _fault(key: str, file: Path | None, what: str) -> str:
    place = f", {file}," if file else ""
    return f"cannot be asked: `tls_config.{key}`{place} {what}. Correct it."


def _reason(error: OSError) -> str:
    said = getattr(error, "reason", None) or error.strerror or "unreadable"
    return said.lower().replace("_", " ")
