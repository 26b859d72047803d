"""No impossible number in `summary.json`, whatever a platform exports: shares are shares, counts are counts."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from small_platform import Written, demo_of, demo_study_of, event, study_of

from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.report.run import SCHEMA
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import KINDS
from cloudxai_analysis.study.study import Study

WEEK = parse_window("2026-W46")
VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
SHARES = {
    *("readiness.availability_week", "readiness.availability_30d", "cardinality.churn_most", "cost.top10_share"),
    *("cost.gini", "alerts.judged_share", *(f"alerts.false_positive_rate{end}" for end in ("", "_low", "_high"))),
}
COUNTS = {
    *("readiness.outages", "cardinality.active_tenants_most", "alerts.episodes", "alerts.trials", "telemetry.samples"),
    *("telemetry.series", *(f"cardinality.tenants_{name}" for name in ("new", "returning", "stayed", "lost"))),
}
UNITS_OF_COUNTS = {"scrapes", "restarts", "labels", "requests", "tenants", "episodes", "storms", "outages", "incidents"}
NO_WORDS = {"nan", "inf", "-inf", "nat", "none,", "<na>"}


def between(low: float, value: float | None, high: float, *, whole: bool = False) -> bool:
    return value is None or (low <= value <= high and (not whole or float(value).is_integer()))


def wrong(unit: str, value: float | None) -> bool:
    count, share = unit in UNITS_OF_COUNTS, unit == "share"
    return (share and not between(0, value, 1)) or (count and not between(0, value, math.inf, whole=True))


def impossible(summary: dict[str, Any], *, minutes: float, most_held: int) -> Iterator[Any]:
    """What of a summary cannot be; `minutes` is the window's length, `most_held` the tenants that one scrape showed."""
    yield from (error.message for error in VALIDATOR.iter_errors(summary))
    numbers, cap, coverage = summary["numbers"], summary["contract"]["cap"], summary["coverage"]

    def free(value: float | None) -> bool:
        # No labels left below 0, unless one scrape showed more tenants than the cap.
        return between(-max(most_held - cap, 0), value, cap, whole=True)

    rates = [numbers[f"alerts.false_positive_rate{end}"] for end in ("_low", "", "_high")]
    possible = {
        "shares": not any(wrong("share", numbers[key]) for key in SHARES),
        "counts": not any(wrong("tenants", numbers[key]) for key in COUNTS),
        "headroom": free(numbers["cardinality.headroom_least"]),
        "budget used": between(0, numbers["readiness.error_budget_used_minutes"], 43_200),
        "budget left": between(-math.inf, numbers["readiness.error_budget_remaining_share"], 1),
        "false positives": None in rates or rates == sorted(rates),
        "coverage": between(0, coverage["value"], 1),
        "seen": 0 <= (coverage["seen_minutes"] or 0) <= coverage["expected_minutes"] <= minutes,
        # An episode that began in the window may outlast it only by what was seen.
        "episodes": all(between(0, alert["minutes"], minutes + 60) for alert in summary["template"]["alerts"]),
    }
    yield from (name for name, can_be in possible.items() if not can_be)
    for check in summary["checks"]:
        key, value, unit = check["key"], check["value"], check["unit"]
        drift = key in ("reconciliation", "agreement", "conservation")
        no_number = not free(value) if key == "headroom" and unit == "labels" else wrong(unit, value) and not drift
        said = " ".join(check[name] for name in ("finding", "size", "action")).lower().split()
        if no_number or (check["status"] == "unknown" and value == 0) or NO_WORDS & set(said):
            yield check
    for tile in summary["tiles"]:
        unit, value = "share" if tile["unit"] == "share" else "", tile["value"]
        no_share = any(wrong(unit, one) for one in (value, tile["median4"], *tile["spark"]))
        if (
            no_share
            or (tile["key"] == "headroom" and not free(value))
            or (value is None and tile["status"] != "unknown")
        ):
            yield tile
    yield from (one for key, one in summary["template"].items() if key != "alerts" and wrong("tenants", one["value"]))


def held_against(study: Study) -> list[Any]:
    """What is impossible in the summary of a study; it must be JSON without NaN, and the same when read again."""
    summary = json.loads(json.dumps(summarise(study), allow_nan=False))
    samples = study.cardinality.tenant_samples
    at_once = samples.groupby(["job", "instance", "time"], observed=True)["tenant"].nunique()
    minutes = study.seen.duration.total_seconds() / 60
    return list(impossible(summary, minutes=minutes, most_held=int(at_once.max()) if len(at_once) else 0))


# A platform by chance: few processes and tenants, a short time, and whatever a gauge or a counter can hold.
ODD = (0.0, -0.0, -1.0, 5e-324, math.nan, 1e-9, 3.5, 1e9)
HOSTILE = (*ODD, 1e308, -1e308, math.inf, -math.inf, 1e17)
TENANTS = ("acme", "beta", "", "007", "9f86d081-884c-4d65-9a2f-eaa0c55ad015", "sess-1", "ünï", "NA")
NO_EXPORT = ("up", "process_start", "readiness", "cost", "tenants", "counter")
TOLD_APART: tuple[dict[str, tuple[str, ...]], ...] = ({}, {}, {"replica": ("a", "b")}, {"version": ("1", "2")})


class Chance:
    """A platform drawn from one number: its series by metric, and when its telemetry ends."""

    def __init__(self, seed: int, odd: tuple[float, ...], *, several: bool = False) -> None:
        self.odd, self.several = odd, several
        self.random = np.random.default_rng(seed)
        self.series: dict[str, list[Written]] = {}
        hours = self.one_of(0.1, 1, 5, 30, 60)
        step = self.one_of(15, 60, 300) if hours < 30 else 600
        begin = WEEK.start + timedelta(minutes=int(self.random.integers(-1800, 2400)))
        count = max(int(hours * 3600 / step), 1)
        self.times = np.arange(count, dtype=np.int64) * step * 1000 + Window(begin, begin).start_ms
        self.now = WEEK.start + timedelta(days=self.one_of(1, 3, 7))
        self.holes = self.one_of(0, 0, 0.3, 0.95)
        self.missing = {name for name in NO_EXPORT if self.random.random() < 0.15}
        apart = self.one_of(*TOLD_APART)
        for number in range(self.random.integers(1, 4)):
            target = {"job": "cloudxai", "instance": f"10.0.0.{number}:80"}
            began = self._began()
            for copy in [{**target, name: value} for name, values in apart.items() for value in values] or [target]:
                self._process(copy, began)

    def one_of(self, *choices: Any) -> Any:
        return choices[self.random.integers(len(choices))]

    def now_and_then(self, share: float) -> np.ndarray:
        return self.random.random(len(self.times)) < share

    def add(self, role: str, metric: str, labels: dict[str, str], values: np.ndarray) -> None:
        if role not in self.missing:
            kept = ~self.now_and_then(self.holes)
            written = (labels, self.times[kept], np.asarray(values, dtype="float64")[kept])
            self.series.setdefault(metric, []).append(written)

    def _began(self) -> np.ndarray:
        restarts = np.cumsum(self.now_and_then(0.02)) * self.one_of(0, 600, -50)
        began = self.times[0] // 1000 - self.one_of(0, 86_400) + restarts
        # Two processes behind one address show their starts in turns.
        return np.where(np.arange(len(began)) % 2, began, began - self.one_of(0, 4000) * self.several)

    def _process(self, labels: dict[str, str], began: np.ndarray) -> None:
        self.add("up", "up", labels, ~self.now_and_then(self.one_of(0, 0.02, 1)))
        self.add("process_start", "process_start_time_seconds", labels, began)
        ready = np.where(self.now_and_then(0.02), self.one_of(*self.odd), ~self.now_and_then(0.05))
        self.add("readiness", "readiness_state", labels, ready)
        self.add("counter", "tenant_label_rejections_total", labels, self._counter())
        self.add("counter", "readiness_transitions_total", labels, self._counter())
        for bound in ("0.1", "0.2", "+Inf"):
            bucket = {**labels, "le": bound}
            self.add("counter", "readiness_check_duration_seconds_bucket", bucket, self._counter())
        for tenant in self.random.permutation(TENANTS)[: self.random.integers(5)]:
            self._tenant({**labels, "tenant": str(tenant)})

    def _tenant(self, labels: dict[str, str]) -> None:
        self.add("tenants", "tenant_readiness_state", labels, ~self.now_and_then(0.02))
        self.add("tenants", "tenant_readiness_transitions_total", labels, self._counter())
        usual = self.random.random() * 100 * (1 + self.random.random(len(self.times)))
        cost = np.where(self.now_and_then(0.03), self.one_of(0, *self.odd), usual)
        currency = self.one_of({}, {}, {"currency": "eur"}, {"currency": "USD"})
        self.add("cost", "tenant_cost_estimate", {**labels, **currency}, cost)
        self.add("cost", "tenant_cost_estimate_rolling", {**labels, "window": "7d", "currency": "EUR"}, cost)
        billed = np.cumsum(np.abs(usual)) / 60
        billing = {**labels, "billing_window": "2026-11", "currency": "EUR"}
        self.add("cost", "tenant_cost_billing_window", billing, billed)
        if self.random.random() < 0.5:
            alert = {"alertname": "TenantReadinessBreach", "alertstate": "firing", "severity": "page"}
            self.add("alerts", "ALERTS", {**alert, "tenant": labels["tenant"]}, np.ones(len(self.times)))

    def _counter(self) -> np.ndarray:
        """It rises now and then, from 0 or from far up, with resets or not, and may hold what no counter does."""
        counter = np.cumsum(self.now_and_then(self.one_of(0, 0.05, 0.9)) * self.one_of(1, 7, 40)).astype("float64")
        counter = counter % self.one_of(50, 1e9) + self.one_of(0, 29_343)
        whole = [value for value in self.odd if not math.isfinite(value) or value in (0, 1e9)]
        return np.where(self.now_and_then(0.02), self.one_of(*(self.odd if self.several else whole)), counter)


@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.integers(0, 2**32), st.booleans())
def test_no_impossible_number_whatever_is_exported(seed: int, hostile: bool) -> None:
    platform = Chance(seed, HOSTILE if hostile else ODD, several=hostile)
    with tempfile.TemporaryDirectory() as folder:
        assert held_against(study_of(platform.series, Path(folder), WEEK, now=platform.now)) == []


def every_kind() -> DemoSource:
    """One event of each kind, one after the other."""
    kinds = [kind for kind in KINDS if kind != "arrival"]
    events = [{"kind": kind, "at": WEEK.start + timedelta(hours=16 * n)} for n, kind in enumerate(kinds)]
    return demo_of(*events, seed=7)


def edges() -> DemoSource:
    """Events that overlap one another, gaps and the week's edges."""
    return demo_of(
        event("burst", "11-08T23:45", 45, per_minute=40, stem="sess-"),
        event("readiness_incident", "11-08T23:45", 45),
        event("scrape_gap", "11-09T00:15", 90),
        event("restart", "11-09T00:25", 5),
        event("alert_storm", "11-15T23:55", 4, tenants=16),
        event("cost_spike", "11-15T23:00", 60, factor=50),
        seed=3,
    )


@pytest.mark.parametrize("source", [None, every_kind(), edges()], ids=["nothing", "all", "edges"])
def test_no_impossible_number_of_nothing_of_every_event_and_of_edges(source: DemoSource | None, tmp_path: Path) -> None:
    study = demo_study_of(source, tmp_path, WEEK) if source else study_of({}, tmp_path, WEEK)
    assert held_against(study) == []
