"""The demo as a source: a server's interface without one, and ALERTS as the beta's rules would have set it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo.population import INSTANCES, Integers
from cloudxai_analysis.sources.demo.truth import ledger_entries, truth_table
from cloudxai_analysis.sources.demo.world import CHECKS_A_MINUTE, JOB, Mask, Trace, World, changes
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.scenario import EXTENT, MINUTES, Scenario, named_scenario
from cloudxai_analysis.sources.series import Labels, SeriesBatch

STEP_MS = 60_000
_WITHIN_200_MS = 3  # the first buckets that lie within 0.2 s
_EXPRESSIONS = {
    "TenantReadinessBreach": "tenant_readiness_state == 0",
    "TenantFlapping": "increase(tenant_readiness_transitions_total[10m]) > 10",
    "TenantLabelCardinalityExceeded": "increase(tenant_label_rejections_total[5m]) > 0",
    "ServiceNotReady": "min by (job) (readiness_state) == 0",
    "ReadinessFlapping": "increase(readiness_transitions_total[1h]) > 10",
    "ReadinessLatencyHigh": "histogram_quantile(0.95, sum by (job, instance, le) "
    "(rate(readiness_check_duration_seconds_bucket[5m]))) > 0.2",
}


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
        given = {"seed": "1", "scenario": "beta", **dict(parse_qsl(parts.query, keep_blank_values=True))}
        known = len(given) == 2 and re.fullmatch(r"[0-9]{1,18}", given["seed"])
        if not known or parts.netloc or parts.path.strip("/"):
            raise UsageError(
                f"Source '{url}' is none of the demo's, which has no host or path, and no keys but `seed` (at most 18 "
                "digits) and `scenario`. Write demo://?seed=7&scenario=clean."
            )
        return cls(int(given["seed"]), named_scenario(given["scenario"]))

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process makes the same world anew."""
        return _made_again, (self.seed, self.scenario.model_dump(mode="json"))

    @property
    def name(self) -> str:
        """The demo's URL with everything that decides its samples."""
        return f"demo://?seed={self.seed}&scenario={self.scenario.name}"

    def describe(self) -> dict[str, Any]:
        """Provenance of the samples."""
        made: dict[str, Any] = {"version": "0.9", "way": "generated from a seed", "hides_markers": True}
        if self.scenario.name not in ("beta", "clean"):
            # A file that was edited plants something else under the same name.
            made["scenario"] = hashlib.sha256(self.scenario.model_dump_json().encode()).hexdigest()[:16]
        return {"kind": "demo", "source": self.name, **made}

    def extent(self) -> Window:
        """The demo's six weeks."""
        return EXTENT

    def rules(self) -> list[AlertingRule]:
        """The rules that made its alerts."""
        contract = load_contract()
        return [
            AlertingRule(
                name=name,
                expr=_EXPRESSIONS[name],
                for_seconds=float(rule.for_seconds),
                labels={"severity": rule.severity},
                group=contract.platform,
                interval_seconds=float(contract.evaluation_interval_seconds),
                health="ok",
            )
            for name, rule in contract.alerts.items()
        ]

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
        for labels, minutes, values in self._series(metric):
            if all(labels.get(name, "") == value for name, value in matchers.items()):
                low, high = np.searchsorted(minutes, edges)
                times = EXTENT.start_ms + STEP_MS * minutes[low:high].astype(np.int64)
                parts.append((labels, times, values[low:high]))
        return SeriesBatch.of(metric, parts)

    def _series(self, metric: str) -> list[Trace]:
        with self._lock:
            if metric not in self._by_metric:
                made = _alerts(self._world) if metric == "ALERTS" else self._world.series(metric)
                self._by_metric[metric] = made
            return self._by_metric[metric]


def _made_again(seed: int, scenario: dict[str, Any]) -> DemoSource:
    return DemoSource(seed, Scenario.model_validate(scenario))


def _alerts(world: World) -> list[Trace]:
    """The series of ALERTS, pending and firing, by rule and label set."""
    rules, index, found = load_contract().alerts, np.arange(MINUTES), []
    for name, labels, true in [*_of_tenants(world), *_of_processes(world)]:
        last_false = np.maximum.accumulate(np.where(true, -1, index))
        firing = true & (index - last_false - 1 >= rules[name].for_seconds // 60)
        for state, mask in (("pending", true & ~firing), ("firing", firing)):
            at = np.flatnonzero(mask).astype(np.int32)
            named = {**labels, "alertname": name, "alertstate": state, "severity": rules[name].severity}
            if len(at):
                found.append((named, at, np.ones(len(at))))
    return found


def _of_tenants(world: World) -> Iterator[tuple[str, dict[str, str], Mask]]:
    """Rule, labels, and the minutes in which the rule's expression is true, for each tenant of each process."""
    for one in world.served:
        there = np.zeros(MINUTES, dtype=bool)
        there[one.minutes] = True
        yield "TenantReadinessBreach", one.labels, there & world.tenant_not_ready(one.tenant)
        yield "TenantFlapping", one.labels, there & (_over(there * world.tenant_flips(one.tenant), 10) > 10)


def _of_processes(world: World) -> Iterator[tuple[str, dict[str, str], Mask]]:
    """The same for each process, and for the service of both."""
    for instance in INSTANCES:
        labels, there = {"instance": instance, "job": JOB}, world.scraped[instance]
        yield "TenantLabelCardinalityExceeded", labels, there & (_over(world.population.refused[instance], 5) > 0)
        yield "ReadinessFlapping", labels, there & (_over(changes(world.not_ready), 60) > 10)
        quick = _over(world.checks(instance)[:, :_WITHIN_200_MS].sum(axis=1), 5)
        # The 95th percentile lies over 0.2 s where fewer than 95 % of the checks ended within it.
        slow = 20 * quick < 19 * _over(np.full(MINUTES, CHECKS_A_MINUTE, dtype=np.int64), 5)
        yield "ReadinessLatencyHigh", labels, there & slow
    yield "ServiceNotReady", {"job": JOB}, world.seen & world.not_ready


def _over(steps: Integers, minutes: int) -> Integers:
    total = np.cumsum(steps)
    return total - np.concatenate([np.zeros(minutes, dtype=np.int64), total[:-minutes]])
