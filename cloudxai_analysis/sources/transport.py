"""Connections with one server: whom they trust and what they show, and an end of every wait."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.credentials import Credentials, TlsConfig, content_of, tell_if_open

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


@contextmanager
def in_time(line: socket.socket, seconds: float) -> Iterator[None]:
    """Shut a line down when its time is over, whatever is being read from it, and raise TimeoutError then.

    A socket's own time-out begins anew with each byte, and http.client reads heads, the sizes of
    chunks, their extensions and trailers line by line.
    """
    ended = Event()

    def end() -> None:
        ended.set()
        with suppress(OSError):  # closed meanwhile
            line.shutdown(socket.SHUT_RDWR)

    timer = Timer(max(seconds, 0.001), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if ended.is_set():
            raise TimeoutError  # urllib3 makes of it what it makes of a silent server


class _Timed:
    """What a connection of urllib3 lacks: its heads, too, come in time."""

    sock: Any
    timeout: Any

    def getresponse(self) -> Any:
        """The response whose head came in time, with the line on which its body comes."""
        line, response = self.sock, None
        try:
            with in_time(line, self.timeout):
                response = super().getresponse()  # type: ignore[misc]
        except TimeoutError:
            if response is not None:  # a head that was ended looks like a whole one
                response.close()
            raise
        response.line = line
        return response

    def _tunnel(self) -> None:  # http.client's question to a proxy
        with in_time(self.sock, self.timeout):
            super()._tunnel()  # type: ignore[misc]


class _Connection(_Timed, HTTPConnection):
    pass


class _TlsConnection(_Timed, HTTPSConnection):
    def send(self, data: Any) -> None:
        try:
            super().send(data)
        except ssl.SSLEOFError:
            # The server may have said why before it ended, and urllib3 goes on to read it.
            raise BrokenPipeError from None


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def pools_of(credentials: Credentials, *, tls: bool) -> PoolManager:
    """urllib3's pools, which make and keep the connections; only `credentials` say whom to trust and what to show.

    Raises UsageError where a file cannot be read, or is none of certificates or keys.
    """
    options: dict[str, Any] = {"maxsize": 8}
    if tls:
        config = credentials.config.tls_config
        options |= {"ssl_context": _context(config), "server_hostname": config.server_name}
    proxy, headers = credentials.proxy()
    pools = ProxyManager(proxy, proxy_headers=headers, **options) if proxy else PoolManager(**options)
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return pools


def _context(config: TlsConfig) -> ssl.SSLContext:
    """A context that takes nothing from the machine's environment, not even a file for key logs.

    A named authority is trusted instead of the bundled ones, and may stand anywhere above the
    server's certificate, as with Prometheus.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and name
    context.hostname_checks_common_name = False
    context.post_handshake_auth = True  # a server may ask for the client's certificate only then
    context.minimum_version = _VERSIONS[config.min_version]
    if config.ca_file:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    key = ""
    try:
        for key in config.given("ca_file", "cert_file", "key_file"):
            content_of(getattr(config, key))  # OpenSSL would wait for a FIFO
            if key == "key_file":
                tell_if_open(getattr(config, key))
        key = "ca_file"
        context.load_verify_locations(config.ca_file or DEFAULT_CA_BUNDLE_PATH)
        key = "cert_file"
        if config.cert_file:
            # With a password given OpenSSL never asks for one at the terminal.
            context.load_cert_chain(config.cert_file, config.key_file, password="")
    except OSError as error:
        why = (getattr(error, "reason", None) or error.strerror or "unreadable").replace("_", " ")
        raise UsageError(
            f"cannot be asked: `tls_config.{key}`, {getattr(config, key)}, cannot be used: {why}. Certificates are in "
            "PEM form, and that of `cert_file` needs its own key in `key_file`, without a passphrase."
        ) from None
    return context
