"""Whom to trust and what to show: the TLS context of a source, made anew when a file of it has changed."""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.http_config import TlsConfig, content_of

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
# What OpenSSL says, and what to do then; the first that fits.
_ADVICE = {
    "unknown ca": "It does not know the authority of the client certificate in `tls_config.cert_file`.",
    "protocol": "It speaks another version of TLS: see `tls_config.min_version`.",
    "record layer": "It may speak plain http.",
    "wrong version number": "It may speak plain http.",
    "mismatch": "Ask it by the name in its certificate, or say that name in `tls_config.server_name`.",
    "expired": "Have its certificate renewed.",
    "verify failed": "If that is the server meant, name its authority in `tls_config.ca_file`.",
    "": "It may ask for a client certificate, or refuse it: see `cert_file` and `key_file` of `tls_config`.",
}


def pool_options(config: TlsConfig) -> dict[str, Any]:
    """How urllib3's pool is to connect; a changed file means another context, and so new connections.

    Raises UsageError where a file cannot be read, or is none of certificates or keys.
    """
    contents = {}
    for key in config.given("ca_file", "cert_file", "key_file"):
        try:
            contents[key] = content_of(getattr(config, key))
        except OSError as error:
            raise _fault(config, key, f"cannot be read: {error.strerror}") from None
    options = {"ssl_context": _context(config, tuple(contents.items())), "cert_reqs": "CERT_REQUIRED"}
    return options if config.server_name is None else {**options, "server_hostname": config.server_name}


def advice(said: str) -> str:
    """What to do about a connection that failed with these words of OpenSSL."""
    return next(do for words, do in _ADVICE.items() if words in said.lower())


@lru_cache(maxsize=8)
def _context(config: TlsConfig, contents: tuple[tuple[str, bytes], ...]) -> ssl.SSLContext:
    """A context that takes nothing from the machine's environment, not even a file for key logs.

    A named authority is trusted instead of the bundled ones, and may stand anywhere above the server's certificate, as
    with Prometheus.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and name
    context.hostname_checks_common_name = False
    context.post_handshake_auth = True  # a server may ask for the client's certificate only then
    context.minimum_version = _VERSIONS[config.min_version]
    files = dict(contents)
    if "ca_file" not in files:
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    else:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            # Comments between the certificates may be in any script; certificates are ASCII.
            context.load_verify_locations(cadata=files["ca_file"].decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError):
            raise _fault(config, "ca_file", "holds no certificate in PEM form") from None
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
    return UsageError(f"cannot be asked: `tls_config.{key}`, {getattr(config, key)}, {what}. Correct it.")
