"""A small platform for tests: an exporter on the loopback, and a Prometheus that scrapes it as it is told."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np
import servers
from hostile_server import hostile_server

from cloudxai_analysis.sources.series import SeriesBatch

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


def history(step: int, scrapes: int, **target: str) -> Iterator[SeriesBatch]:
    """What so many scrapes of `METRICS`, so many seconds apart, gave until a moment ago."""
    end = int(time.time()) * 1000 - 5_000
    times = np.arange(end - 1000 * step * scrapes, end, 1000 * step, dtype=np.int64)
    found: dict[str, list[Any]] = {}
    for name, labels, value in re.findall(r"^(\w+)(?:{(.*)})? (\d+)$", f"{METRICS}up 1\n", re.MULTILINE):
        own = dict(re.findall(r'(\w+)="(\w+)"', labels))
        found.setdefault(name, []).append(({**target, **own}, times, np.full(len(times), float(value))))
    return (SeriesBatch.of(name, series) for name, series in found.items())


@contextmanager
def exporter(text: str | Callable[[], str] = METRICS) -> Iterator[str]:
    """A target that exposes `text`, or what it gives at each scrape; gives its address."""

    with hostile_server() as server:
        server.script = lambda handler, _: handler.say(
            (text if isinstance(text, str) else text()).encode(), Content_Type="text/plain; version=0.0.4"
        )
        yield server.url.removeprefix("http://")


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
