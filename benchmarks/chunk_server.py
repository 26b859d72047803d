"""A loopback server that streams real chunks: those that a Prometheus holds, under the labels of as many tenants."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from struct import pack
from urllib.parse import urlsplit

import google_crc32c
import requests
from remote_write import field, label_fields, varint

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.remote_read import request

METRICS = ("tenant_one", "tenant_two", "tenant_three")
_FRAMES = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"


def _bodies(url: str, window: Window, kinds: tuple[str, ...]) -> list[list[bytes]]:
    """For each day the chunks of every series, as the messages' bytes without labels."""
    days = []
    for day in window.days():
        chunks = []
        for kind in kinds:
            body = request(kind, {}, day.start_ms, day.end_ms)
            headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
            headers["X-Prometheus-Remote-Read-Version"] = "0.1.0"
            answer = requests.post(f"{url}/api/v1/read", data=body, headers=headers, timeout=600)
            chunks += [_without_labels(message) for message in _messages(answer.content)]
        days.append(chunks)
    return days


def _number(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def _messages(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size, at = _number(data, at)
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


def _without_labels(message: bytes) -> bytes:
    """What follows the labels in the one series of a message."""
    _, at = _number(message, 1)
    while message[at] == 0x0A:
        size, at = _number(message, at + 1)
        at += size
    return message[at:]


def _framed(chunks: list[bytes], metric: str, tenants: int) -> bytes:
    frames = []
    for number in range(tenants):
        labels = {"__name__": metric, "instance": "host:8080", "job": "cloudxai", "tenant": f"t{number:05d}"}
        message = field(1, label_fields(labels) + chunks[number % len(chunks)])
        frames.append(varint(len(message)) + pack(">I", google_crc32c.value(message)) + message)
    return b"".join(frames)


@contextmanager
def replaying(url: str, window: Window, kinds: tuple[str, ...], folder: Path) -> Iterator[Callable[[int], str]]:
    """A server in a process of its own; the function gives the base URL under which there are so many tenants."""
    del folder
    command = [sys.executable, __file__, url, window.start.date().isoformat(), str(len(list(window.days()))), *kinds]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment())
    try:
        port = int((process.stdout or sys.stdin).readline())
        yield lambda tenants: f"http://127.0.0.1:{port}/{tenants}"
    finally:
        process.terminate()
        process.wait()


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent / "tests")}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place after it."""
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return number, at


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    days: list[list[bytes]]
    first_day: int
    made: dict[tuple[int, str, int], bytes]

    def do_GET(self) -> None:
        self._say(b'{"status":"success","data":{"version":"replay"}}', "application/json")

    def do_POST(self) -> None:
        import cramjam

        body = self.rfile.read(int(self.headers["Content-Length"]))
        tenants = int(urlsplit(self.path).path.split("/")[1])
        asked = bytes(cramjam.snappy.decompress_raw(body))
        # The query comes first: its tag, its length, then start, end and the matcher of the name.
        start, at = _varint(asked, _varint(asked, 1)[1] + 1)
        end, at = _varint(asked, at + 1)
        metric = next((name for name in METRICS if asked.find(name.encode(), at) > 0), "")
        first, last = ((time - self.first_day) // 86_400_000 for time in (start, end))
        pieces = []
        for day in range(first, last + 1) if metric in METRICS else ():
            key = tenants, metric, day
            if key not in self.made:
                self.made[key] = _framed(self.days[day], metric, tenants)
            pieces.append(self.made[key])
        self._say(b"".join(pieces), _FRAMES)

    def _say(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Nothing."""


def main(url: str, first: str, days: str, *kinds: str) -> None:
    """Serve until ended; the port is printed first."""
    from datetime import UTC, datetime, timedelta

    start = datetime.fromisoformat(first).replace(tzinfo=UTC)
    window = Window(start, start + timedelta(days=int(days)))
    _Handler.days, _Handler.first_day, _Handler.made = _bodies(url, window, kinds), window.start_ms, {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
