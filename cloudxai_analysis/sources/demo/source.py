"""The demo as a source: the same interface as a server's, without one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import near_miss
from cloudxai_analysis.sources.demo.rules import alert_traces, demo_rules
from cloudxai_analysis.sources.demo.truth import ledger_entries, truth_table
from cloudxai_analysis.sources.demo.world import Trace, World
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.scenario import EXTENT, Scenario, named_scenario
from cloudxai_analysis.sources.series import Labels, SeriesBatch

STEP_MS = 60_000
_KEYS = ["seed", "scenario"]


class DemoSource:
    """A seeded CloudxAi from 2026-10-05 to 2026-11-16, scraped each minute; the same samples on every machine."""

    def __init__(self, seed: int = 1, scenario: Scenario | None = None) -> None:
        self.seed = seed
        self.scenario = scenario or named_scenario("beta")
        self._world = World(seed, self.scenario)
        self._by_metric: dict[str, list[Trace]] = {}
        self._lock = Lock()

    @classmethod
    def from_url(cls, url: str) -> DemoSource:
        """The demo that a URL names, `demo://?seed=7&scenario=clean`; UsageError says what in it is none."""
        parts = urlsplit(url)
        if parts.netloc or parts.path.strip("/"):
            raise UsageError(f"Source '{url}': the demo has no host or path. Write demo://?seed=7&scenario=clean.")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        for key in given:
            if key not in _KEYS:
                raise UsageError(f"Source '{url}': unknown key '{key}' of the demo.{near_miss(key, _KEYS)}")
        seed = given.get("seed", "1")
        if not re.fullmatch(r"[0-9]{1,18}", seed):
            raise UsageError(f"Source '{url}': seed '{seed}' is no whole number of at most 18 digits.")
        return cls(int(seed), named_scenario(given.get("scenario", "beta")))

    @property
    def name(self) -> str:
        """The demo's URL with everything that decides its samples."""
        return f"demo://?seed={self.seed}&scenario={self.scenario.name}"

    def describe(self) -> dict[str, Any]:
        """Provenance of the samples."""
        made = {"version": "0.9", "way": "generated from a seed", "hides_markers": True}
        return {"kind": "demo", "source": self.name, **made}

    def extent(self) -> Window:
        """The demo's six weeks."""
        return EXTENT

    def rules(self) -> list[AlertingRule]:
        """The rules that made its alerts."""
        return demo_rules()

    def truth(self) -> pd.DataFrame:
        """The planted events, as `truth_table` gives them."""
        return truth_table(self._world, self._series("ALERTS"))

    def ledger_entries(self) -> list[dict[str, Any]]:
        """What the beta's people wrote into the ledger."""
        return ledger_entries(self._world, self._series("ALERTS"))

    def counts(self, metric: str, matchers: Labels, days: Sequence[Window]) -> list[tuple[int, int]]:
        """Series and samples of `metric` on each of the days."""
        return [(len(batch), batch.samples) for batch in (self.read(metric, matchers, day) for day in days)]

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        """The samples of `metric` in the window, of series whose labels equal `matchers`."""
        edges = [-(-(edge - EXTENT.start_ms) // STEP_MS) for edge in (window.start_ms, window.end_ms)]
        parts = []
        for trace in self._series(metric):
            if all(trace.labels.get(name, "") == value for name, value in matchers.items()):
                low, high = np.searchsorted(trace.minutes, edges)
                times = EXTENT.start_ms + STEP_MS * trace.minutes[low:high].astype(np.int64)
                parts.append((trace.labels, times, trace.values[low:high] / trace.divisor))
        return SeriesBatch.of(metric, parts)

    def _series(self, metric: str) -> list[Trace]:
        with self._lock:
            if metric not in self._by_metric:
                made = alert_traces(self._world) if metric == "ALERTS" else self._world.series(metric)
                self._by_metric[metric] = made
            return self._by_metric[metric]
