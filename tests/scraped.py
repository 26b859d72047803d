"""A small platform for tests: an exporter on the loopback, and a Prometheus that scrapes it as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import servers

METRICS = """# TYPE readiness_state gauge
readiness_state 1
# TYPE readiness_transitions_total counter
readiness_transitions_total 4
# TYPE tenant_readiness_state gauge
tenant_readiness_state{tenant="acme"} 1
tenant_readiness_state{tenant="bolt"} 0
# TYPE tenant_label_rejections_total counter
tenant_label_rejections_total 0
"""


@contextmanager
def exporter(text: str | Callable[[], str] = METRICS) -> Iterator[str]:
    """A target that exposes `text`, or what it gives at each scrape; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (text if isinstance(text, str) else text()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def scraping(
    folder: Path, jobs: list[dict[str, Any]], *, rules: dict[str, Any] | None = None, scrapes: int = 5
) -> Iterator[servers.Server]:
    """A Prometheus that scrapes `jobs` each second, once it has some scrapes of its last target."""
    config: dict[str, Any] = {"global": {"scrape_interval": "1s", "evaluation_interval": "15s"}, "scrape_configs": jobs}
    if rules:
        (folder / "rules.yml").write_text(json.dumps(rules), encoding="utf-8")
        config["rule_files"] = [str(folder / "rules.yml")]
    with servers.prometheus(folder, config=json.dumps(config)) as server:
        last = jobs[-1]["job_name"]
        until = time.monotonic() + 60
        while time.monotonic() < until and _scrapes(server.url, last) < scrapes:
            time.sleep(0.2)
        yield server


def _scrapes(url: str, job: str) -> int:
    query = f"min(count_over_time(up{{job={json.dumps(job)}}}[1h]))"
    with urlopen(f"{url}/api/v1/query?query={quote(query)}") as answer:
        found = json.load(answer)["data"]["result"]
    return int(found[0]["value"][1]) if found else 0
