"""Connections whose answer must begin in time, even on a line that drips byte by byte."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


@contextmanager
def _head_in_time(connection: HTTPConnection) -> Iterator[None]:
    # A socket's time-out begins anew with each byte, and http.client reads status and headers line by line.
    ended = Event()

    def end() -> None:
        ended.set()
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = Timer(float(connection.timeout or 0), end)
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
        with _head_in_time(self):
            return super().getresponse()


class _TlsConnection(HTTPSConnection):
    def getresponse(self) -> Any:  # urllib3's response is not http.client's
        with _head_in_time(self):
            return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class DeadlineAdapter(HTTPAdapter):
    """requests' adapter with such connections; each request needs a read time-out."""

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        """Make the pools, as requests does at construction."""
        super().init_poolmanager(*sizes, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
