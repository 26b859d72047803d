"""A receiver of Alertmanager's webhooks on the loopback, and what comes to it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Labels = frozenset[tuple[str, str]]
Delivery = tuple[str, Labels, Labels]  # the path that was posted to, the alert's labels, the group's labels
SETTLED_SECONDS = 1.5
LONGEST_SECONDS = 30.0


class Webhooks:
    """What was delivered to receivers, each below a path of its own."""

    def __init__(self, url: str, delivered: set[Delivery]) -> None:
        self.url, self._delivered = url, delivered

    def settled(self, path: str, expected: set[Delivery]) -> set[Delivery]:
        """What came below the path, once all that is expected is there and nothing more has come for a while."""
        until, before, since = time.monotonic() + LONGEST_SECONDS, set[Delivery](), time.monotonic()
        while time.monotonic() < until:
            time.sleep(0.1)
            every = list(self._delivered)
            now = {(place.removeprefix(path), *rest) for place, *rest in every if place.startswith(f"{path}/")}
            if now != before:
                before, since = now, time.monotonic()  # type: ignore[assignment]
            elif expected <= before and time.monotonic() - since > SETTLED_SECONDS:
                break
        return before


@contextmanager
def webhooks() -> Iterator[Webhooks]:
    """A running receiver."""
    delivered: set[Delivery] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            group = frozenset(body["groupLabels"].items())
            delivered.update((self.path, frozenset(alert["labels"].items()), group) for alert in body["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Webhooks(f"http://127.0.0.1:{server.server_port}", delivered)
        server.shutdown()
        thread.join()
