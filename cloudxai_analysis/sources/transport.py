"""Connections: whom they trust and what they show, and an end of every wait, even on a line that drips."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from threading import Event, Timer
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.credentials import Credentials
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


@contextmanager
def in_time(line: socket.socket, seconds: float) -> Iterator[None]:
    """Shut a line down when its time is over, whatever is being read from it, and raise TimeoutError then.

    A socket's own time-out begins anew with each byte, and http.client reads heads, the sizes of chunks, their
    extensions and trailers line by line.
    """
    ended = Event()

    def end() -> None:
        ended.set()
        with suppress(OSError):  # closed meanwhile
            line.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if ended.is_set():
            raise TimeoutError  # urllib3 makes of it what it makes of a silent server


class _Connection(HTTPConnection):
    def getresponse(self) -> Any:  # urllib3's response is not http.client's
        return _begun(self, super().getresponse)


class _TlsConnection(HTTPSConnection):
    _ended = False

    def connect(self) -> None:
        self._ended = False
        super().connect()

    def send(self, data: Any) -> None:
        # As urllib3 does with a broken pipe: the server may have said why before it ended, and reading tells.
        try:
            if not self._ended:
                super().send(data)
        except ssl.SSLEOFError:
            self._ended = True

    def getresponse(self) -> Any:
        return _begun(self, super().getresponse)

    def _tunnel(self) -> None:  # http.client's question to a proxy, whose answer is read line by line, too
        try:
            with in_time(self.sock, float(self.timeout or 0)):
                super()._tunnel()
        except TimeoutError:
            self.close()  # as http.client does at a refusal; else urllib3 takes the silence for the server's
            raise OSError("it gave no answer in time") from None


def _begun(connection: HTTPConnection, head: Any) -> Any:
    """The response whose head came in time, with the line on which its body comes."""
    line, response = connection.sock, None
    try:
        with in_time(line, float(connection.timeout or 0)):
            response = head()
    except TimeoutError:
        if response is not None:  # a head that was ended looks like a whole one
            response.close()
        raise
    response.line = line
    return response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class DeadlineAdapter(HTTPAdapter):
    """requests' adapter with such connections, straight or through a proxy; each request needs a read time-out.

    Only `credentials` say whom to trust, what to show, and what the proxy is told.
    """

    def __init__(self, credentials: Credentials, **sizes: Any) -> None:
        self._credentials = credentials
        super().__init__(**sizes)

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        """Make the pools, as requests does at construction."""
        super().init_poolmanager(*sizes, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """What the proxy alone is told."""
        del proxy
        through = self._credentials.proxy_authorization()
        return {"Proxy-Authorization": through} if through else {}

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:  # a pair of requests' private types
        """Where a request goes, and how."""
        del verify, cert
        place, _ = super().build_connection_pool_key_attributes(request, True)
        return place, pool_options(self._credentials.config.tls_config) if place["scheme"] == "https" else {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: requests would add its bundled authorities to those that are named."""


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
