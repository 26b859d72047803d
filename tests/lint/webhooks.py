"""A receiver of Alertmanager's webhooks on the loopback, and what comes to it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

Labels = frozenset[tuple[str, str]]
Delivery = tuple[str, Labels, Labels]  # the path that was posted to, the alert's labels, the group's labels
SETTLED_SECONDS = 1.5
LONGEST_SECONDS = 30.0


class Webhooks:
    """A server that keeps each alert that is delivered to it."""

    def __init__(self) -> None:
        self.delivered: set[Delivery] = set()
        self._lock = threading.Lock()
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                group = frozenset(body["groupLabels"].items())
                with hooks._lock:
                    for alert in body["alerts"]:
                        hooks.delivered.add((self.path, frozenset(alert["labels"].items()), group))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def under(self, path: str) -> set[Delivery]:
        """What came to receivers below that path, told by what follows it."""
        with self._lock:
            return {(place.removeprefix(path), *rest) for place, *rest in self.delivered if place.startswith(path)}  # type: ignore[misc]

    def settled(self, path: str, expected: set[Delivery]) -> set[Delivery]:
        """What came below the path, once all that is expected is there and nothing more has come for a while."""
        until, before, since = time.monotonic() + LONGEST_SECONDS, self.under(path), time.monotonic()
        while time.monotonic() < until:
            time.sleep(0.1)
            now = self.under(path)
            if now != before:
                before, since = now, time.monotonic()
            elif expected <= now and time.monotonic() - since > SETTLED_SECONDS:
                break
        return self.under(path)


@contextmanager
def webhooks() -> Iterator[Webhooks]:
    """A running receiver."""
    hooks = Webhooks()
    thread = threading.Thread(target=hooks._server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hooks
    finally:
        hooks._server.shutdown()
        hooks._server.server_close()
        thread.join()


def post_alerts(url: str, alerts: list[dict[str, str]]) -> None:
    """Tell the Alertmanager at `url` that alerts of these labels are firing."""
    content = json.dumps([{"labels": labels} for labels in alerts]).encode()
    request = Request(f"{url}/api/v2/alerts", content, {"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def deliveries(
    alerts: list[dict[str, str]], told: Callable[[dict[str, str]], list[tuple[str, tuple[str, ...] | None]]]
) -> set[Delivery]:
    """What would come if each alert went to the receivers that `told` names, with the labels that they group by."""
    return {
        (
            f"/{receiver}",
            frozenset(labels.items()),
            frozenset((name, value) for name, value in labels.items() if group_by is None or name in group_by),
        )
        for labels in alerts
        for receiver, group_by in told(labels)
    }
