"""Connections of which every wait has an end, even on a line that drips byte by byte."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ssl import SSLEOFError
from threading import Event, Timer
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from cloudxai_analysis.sources.credentials import Credentials
from cloudxai_analysis.sources.tls import pool_options


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
        except SSLEOFError:
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
