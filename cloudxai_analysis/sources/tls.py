"""Whom to trust and what to show: the TLS context of a source, made anew when a file of it has changed."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.http_config import TlsConfig

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OTHER_VERSION = "It speaks another version of TLS: see `min_version` and `max_version` of `tls_config`."
# What OpenSSL says, and what to do then; the first that fits.
_ADVICE = {
    "certificate required": "It asks for a client certificate: see `cert_file` and `key_file` of `tls_config`.",
    "handshake failure": "It may ask for a client certificate: see `cert_file` and `key_file` of `tls_config`.",
    "unknown ca": "It does not know the authority of the client certificate in `tls_config.cert_file`.",
    "protocol version": _OTHER_VERSION,
    "unsupported protocol": _OTHER_VERSION,
    "eof occurred": "It may ask for a client certificate, or refuse the one in `tls_config.cert_file`.",
    "alert": "It refuses the client certificate in `tls_config.cert_file`, or the whole connection: see its log.",
    "record layer": "It may speak plain http.",
    "wrong version number": "It may speak plain http.",
    "mismatch": "Ask it by the name in its certificate, or say that name in `tls_config.server_name`.",
    "expired": "Have its certificate renewed.",
    "not yet valid": "Look at its certificate, and at the clocks.",
    "verify failed": "If that is the server meant, name its authority in `tls_config.ca_file`.",
}


def pool_options(config: TlsConfig) -> dict[str, Any]:
    """How urllib3's pool is to connect; a changed file means another context, and so new connections.

    Raises
    ------
    UsageError
        A file cannot be read, or is none of certificates or keys.
    """
    contents = {}
    for key in config.given("ca_file", "cert_file", "key_file"):
        file: Path = getattr(config, key)
        try:
            contents[key] = file.read_bytes()
        except OSError as error:
            raise _fault(config, key, f"cannot be read: {error.strerror}") from None
    options = {"ssl_context": _context(config, tuple(contents.items())), "cert_reqs": "CERT_REQUIRED"}
    return options if config.server_name is None else {**options, "server_hostname": config.server_name}


def advice(said: str) -> str:
    """What to do about a connection that failed with these words of OpenSSL."""
    low = said.lower()
    return next((do for words, do in _ADVICE.items() if words in low), "Check https in the URL, and `tls_config`.")


@lru_cache(maxsize=8)
def _context(config: TlsConfig, contents: tuple[tuple[str, bytes], ...]) -> ssl.SSLContext:
    """A context that takes nothing from the machine's environment, not even a file for key logs.

    A named authority is trusted instead of the bundled ones, and may stand anywhere above the server's certificate, as
    with Prometheus.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and name
    context.hostname_checks_common_name = False
    context.post_handshake_auth = True  # a server may ask for the client's certificate only then
    context.minimum_version, context.maximum_version = _VERSIONS[config.min_version], _VERSIONS[config.max_version]
    files = dict(contents)
    authority = next(iter(config.given("ca", "ca_file")), None)
    if authority is None:
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    else:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        # Comments between the certificates may be in any script; certificates are ASCII.
        named = files.get("ca_file", (config.ca or "").encode()).decode("ascii", "ignore")
        try:
            context.load_verify_locations(cadata=named)
        except (ssl.SSLError, ValueError):
            raise _fault(config, authority, "holds no certificate in PEM form") from None
    if "key_file" in files:
        _show(context, config, files["key_file"])
    return context


def _show(context: ssl.SSLContext, config: TlsConfig, key: bytes) -> None:
    if b"ENCRYPTED" in key:
        raise _fault(config, "key_file", "is encrypted; a key without a passphrase is needed")
    try:
        # With a password given OpenSSL never asks for one at the terminal.
        context.load_cert_chain(str(config.cert_file), str(config.key_file), password="")
    except OSError as error:
        said = (getattr(error, "reason", None) or error.strerror or "unreadable").lower().replace("_", " ")
        what = f"and `tls_config.key_file`, {config.key_file}, are no certificate and its key ({said})"
        raise _fault(config, "cert_file", what) from None


def _fault(config: TlsConfig, key: str, what: str) -> UsageError:
    place = "" if key == "ca" else f", {getattr(config, key)},"
    return UsageError(f"cannot be asked: `tls_config.{key}`{place} {what}. Correct it.")
