"""A small HTTP proxy on the loopback: it passes requests on, and opens tunnels for TLS."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import urlsplit

from hostile_server import serving


@dataclass
class Proxy:
    """A running proxy: what it was asked for, as (method, target, headers)."""

    port: int
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    refuses: bool = False
    drips: bool = False
    over: Event = field(default_factory=Event)

    @property
    def url(self) -> str:
        """The proxy's URL."""
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_CONNECT(self) -> None:
        proxy = self._noted()
        self.close_connection = True
        if proxy.drips:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            with suppress(OSError):
                while not proxy.over.wait(0.02):
                    self.wfile.write(b"z")
            return
        if proxy.refuses:
            self.send_error(407)
            return
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            back = Thread(target=_pump, args=(there, self.connection))
            back.start()
            _pump(self.connection, there)
            back.join()

    def do_POST(self) -> None:
        self._noted()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = urlsplit(self.path)
        there = HTTPConnection(target.hostname or "", target.port or 80)
        there.request(self.command, target.path, body, {name: self.headers[name] for name in ("Content-Type",)})
        answer = there.getresponse()
        content = answer.read()
        there.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _noted(self) -> Proxy:
        self.server.proxy.seen.append((self.command, self.path, dict(self.headers)))
        return self.server.proxy

    def log_message(self, *words: object) -> None:
        """Nothing: the tests look at `seen`."""


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Proxy


@contextmanager
def loopback_proxy() -> Iterator[Proxy]:
    """A proxy that runs until the end of the block."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.proxy = Proxy(server.server_port)
    with serving(server, server.proxy.over):
        yield server.proxy
