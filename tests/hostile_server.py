"""A small HTTP server on the loopback that answers as badly as a test wants, or passes on what it is asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Handler(BaseHTTPRequestHandler):
    """One request, told to the server's script."""

    protocol_version = "HTTP/1.1"
    server: _Server
    body = b""

    def do_GET(self) -> None:
        self._play({})

    def do_CONNECT(self) -> None:
        self.close_connection = True
        self._play({})

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._play({name: values[0] for name, values in parse_qs(self.body.decode(errors="replace")).items()})

    def _play(self, fields: dict[str, str]) -> None:
        hostile = self.server.hostile
        hostile.seen.append(Request(self.command, urlsplit(self.path).path, dict(self.headers), fields, self.path))
        try:
            hostile.script(self, fields)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *words: object) -> None:
        """Nothing: the tests look at `seen`."""

    def head(self, status: int = 200, **headers: str) -> None:
        """Send the status and headers, '_' standing for '-'."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def say(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Send a whole answer."""
        self.head(status, **{"Content_Length": str(len(body)), **headers})
        self.wfile.write(body)

    def document(self, document: object, status: int = 200, **headers: str) -> None:
        """Send a whole answer in JSON."""
        self.say(json.dumps(document).encode(), status, **{"Content_Type": "application/json", **headers})


Script = Callable[[Handler, Mapping[str, str]], None]


@dataclass(frozen=True)
class Request:
    """What a request looked like from the server's side."""

    method: str
    path: str
    headers: dict[str, str]
    fields: dict[str, str]
    target: str


@dataclass
class Hostile:
    """A running hostile server: set `script`, ask, and look at `seen`."""

    url: str
    script: Script
    seen: list[Request] = field(default_factory=list)
    over: Event = field(default_factory=Event)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hostile: Hostile

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: that a client turns away from such a server is what the tests want."""


@contextmanager
def serving(server: ThreadingHTTPServer, over: Event) -> Iterator[None]:
    """Serve on the loopback until the end of the block, which `over` tells the handlers."""
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    try:
        yield
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def hostile_server(tls: SSLContext | None = None) -> Iterator[Hostile]:
    """A server that answers every request by its script, and at first with 404."""
    server = _Server(("127.0.0.1", 0), Handler)
    if tls:
        # The handshake belongs into the request's thread: one that fails must not end the server.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "https" if tls else "http"
    server.hostile = Hostile(f"{scheme}://127.0.0.1:{server.server_port}", lambda handler, _: handler.say(b"no", 404))
    with serving(server, server.hostile.over):
        yield server.hostile


@contextmanager
def loopback_proxy() -> Iterator[Hostile]:
    """A proxy: it passes requests on, and opens tunnels for TLS."""
    with hostile_server() as proxy:
        proxy.script = _pass_on
        yield proxy


def _pass_on(handler: Handler, _: Mapping[str, str]) -> None:
    if handler.command != "CONNECT":
        target, kind = urlsplit(handler.path), {"Content-Type": handler.headers.get("Content-Type", "")}
        with closing(HTTPConnection(target.netloc)) as there:
            there.request(handler.command, target.path, handler.body, kind)
            answer = there.getresponse()
            handler.say(answer.read(), answer.status, Content_Type=answer.getheader("Content-Type", ""))
        return
    host, port = handler.path.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as there:
        handler.head()
        back = Thread(target=_pump, args=(there, handler.connection))
        back.start()
        _pump(handler.connection, there)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def vector(*values: object) -> dict[str, Any]:
    """A success with an instant vector of these values."""
    return success("vector", [{"metric": {}, "value": [0, value]} for value in values])


def matrix(*series: dict[str, Any]) -> dict[str, Any]:
    """A success with these series of samples."""
    return success("matrix", list(series))


def success(kind: str, result: object) -> dict[str, Any]:
    """A success as Prometheus frames it."""
    return {"status": "success", "data": {"resultType": kind, "result": result}}
