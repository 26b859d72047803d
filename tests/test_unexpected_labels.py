"""Labels that nobody declared: named, never merged in silence, and what rests on them is not known until they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import servers
from small_platform import Written, pulled, says, study_of

from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.study.study import Study

WEEK = parse_window("2026-W46")
HOURS = 48
Platform = dict[str, list[Written]]
Spans = Sequence[tuple[float, float]]
REJECTED = "tenant_label_rejections_total"


def minutes(first: float, last: float) -> np.ndarray:
    """Scrapes each minute from hour `first` to hour `last` of the week, in milliseconds."""
    return WEEK.start_ms + np.arange(int(first * 60), int(last * 60), dtype=np.int64) * 60_000


def platform(copies: Sequence[Labels], spans: Sequence[Spans] = ()) -> Platform:
    """One process with two tenants at 3 EUR an hour, whose every series carries in turn the labels of `copies`."""
    series: Platform = {}
    for number, (copy, own) in enumerate(zip(copies, spans or [[(0, HOURS)]] * len(copies), strict=True)):
        times = np.concatenate([minutes(*span) for span in own]) + 7_000 * number
        target = {"job": "cloudxai", "instance": "10.0.0.1:80", **copy}
        common = {"up": 1.0, "readiness_state": 1.0, "process_start_time_seconds": WEEK.start_ms / 1000 - 86_400}
        for metric, value in {**common, REJECTED: 0.0}.items():
            series.setdefault(metric, []).append((target, times, np.full(len(times), value)))
        for tenant in ("acme", "beta"):
            for metric, value in {"tenant_readiness_state": 1.0, "tenant_cost_estimate": 3.0}.items():
                of = {"tenant": tenant, **target}
                series.setdefault(metric, []).append((of, times, np.full(len(times), value)))
    return series


def with_more(metric: str, change: Callable[[Labels], Labels]) -> Platform:
    """One process, of whose metric the first series is there a second time under other labels."""
    series = platform([{}])
    labels, times, values = series[metric][0]
    series[metric] = [*series[metric], (change(labels), times, values)]
    return series


def gaining_currency() -> Platform:
    series = platform([{}])
    series["tenant_cost_estimate"] = [
        (of, times, np.full(len(times), 3.0))
        for labels, _, _ in series["tenant_cost_estimate"]
        for of, times in ((labels, minutes(0, 20)), ({**labels, "currency": "EUR"}, minutes(20, HOURS)))
    ]
    return series


def gaining_tenant() -> Platform:
    """An old build counts 5 refusals without a name, the new one 3 by name after its restart at hour 20."""
    series = platform([{}])
    target, times, _ = series[REJECTED][0]
    old, new = minutes(0, 20), minutes(20, HOURS)
    began = np.where(times < WEEK.start_ms + 20 * 3_600_000, WEEK.start_ms - 86_400_000, WEEK.start_ms + 72_000_000)
    series["process_start_time_seconds"] = [(target, times, began / 1000)]
    series[REJECTED] = [
        (target, old, np.minimum(np.arange(len(old)), 5).astype(float)),
        ({**target, "tenant": "zeta"}, new, np.minimum(np.arange(len(new)), 3).astype(float)),
    ]
    return series


def without_tenant(labels: Labels) -> Labels:
    return {name: value for name, value in labels.items() if name != "tenant"}


def only_acme(series: Platform) -> Platform:
    return {metric: [one for one in own if one[0].get("tenant") != "beta"] for metric, own in series.items()}


PAIR, CLUSTERS = [{"replica": "a"}, {"replica": "b"}], [{"cluster": "eu"}, {"cluster": "us"}]
VERSIONS, PASSES = [{"version": "1.0"}, {"version": "1.1"}], ["labels pass"]
# Of a rollout the series goes on, after a silence, in mid-hour, back again, and where both are there for minutes.
ROLLOUTS: list[list[Spans]] = [
    *([[(0, 20)], [(20, HOURS)]], [[(0, 20)], [(22, HOURS)]], [[(0, 20.4)], [(20.45, HOURS)]]),
    *([[(0, 20), (30, HOURS)], [(20, 30)]], [[(0, 20.1), (20.7, HOURS)], [(20.15, 20.65)]]),
    [[(0, 20 + 4 / 60)], [(20, HOURS)]],
]
# Each kind of label has the setting that says what it is.
SETTINGS = [
    ("exported_tenant", ("x", "y"), 'tenant_label = "exported_tenant"'),
    ("prometheus_replica", ("p-0", "p-1"), 'replica_labels = ["prometheus_replica"]'),
    ("__replica__", ("0", "1"), 'replica_labels = ["__replica__"]'),
    ("pod", ("web-1", "web-2"), 'process_labels, with "pod" added'),
    ("exported_instance", ("1", "2"), 'process_labels, with "exported_instance" added'),
    ("cluster", ("eu", "us"), "or 'matchers' of the environment"),
    ("region", ("eu", ""), 'process_labels, with "region" added'),
    ("flavour", ("a", "b"), "or a label of the metric in the contract"),
]
# A platform, the contract's settings, what must be said, and the cost of 48 hours where it is known.
PLATFORMS: dict[str, tuple[Platform, dict[str, Any], list[str], float | None]] = {
    "without such a label": (platform([{"pod": "p-0", "zone": "a"}]), {}, PASSES, 288),
    **{
        f"a label that changes at a rollout, {number}": (platform(VERSIONS, spans), {}, ["labels,cost_data pass"], None)
        for number, spans in enumerate(ROLLOUTS)
    },
    **{
        f"told apart by {label}": (
            platform([{label: value} for value in values]),
            *({}, [f"labels warn {said}", "headroom unknown"], None),
        )
        for label, values, said in SETTINGS
    },
    "ten minutes of a pair": (platform(PAIR, [[(0, 1 / 6)]] * 2), {}, ["labels warn 'replica' (a, b)"], None),
    # Parts that one exposition tells apart, at the very same times: the contract takes them for one cost.
    "two series of one scrape": (
        with_more("tenant_cost_estimate", lambda labels: {**labels, "part": "storage"}),
        *({}, ["labels warn 'part' (none, storage)", "anomalies,cost_data unknown", "headroom pass"], None),
    ),
    # Two clusters behind one server cost twice 288 EUR; two tenants called by their cluster cost it once.
    "processes of clusters": (platform(CLUSTERS), {"process_labels": ("cluster", "job", "instance")}, PASSES, 576),
    "tenants by cluster": (
        only_acme(platform(CLUSTERS)),
        {"tenant_label": "cluster", "process_labels": ("job", "instance", "cluster")},
        *(PASSES, 288),
    ),
    # A process at its cap of two, with a total that carries no tenant beside them: the guard kept its promise.
    "a series without a tenant is no tenant": (
        with_more("tenant_readiness_state", without_tenant),
        *({"tenant_cap": 2}, ["guard pass at most 2 tenants of 2", "headroom fail all 2 are held"], 288),
    ),
    # The last value of the old series is held for five minutes at most: what is unknown is no more than that.
    "a cost gauge that gains a currency": (gaining_currency(), {}, PASSES, 288),
    "a refusal counter that gains a tenant": (gaining_tenant(), {}, [*PASSES, "rejections warn 8 requests"], 288),
}


def study(series: Platform, folder: Path, **settled: Any) -> Study:
    contract = load_contract().model_copy(update=settled)
    return study_of(series, folder, WEEK, now=WEEK.start + timedelta(hours=HOURS), contract=contract)


@pytest.mark.parametrize("case", PLATFORMS)
def test_a_label_is_named_where_it_tells_series_apart_at_the_same_time(case: str, tmp_path: Path) -> None:
    series, settled, expected, cost = PLATFORMS[case]
    own = study(series, tmp_path, **settled)
    says(own, expected)
    if cost:
        assert own.cost.costs["cost"].sum() == pytest.approx(cost, abs=0.6)


def test_an_unlabelled_pair_is_named_and_its_costs_are_not_doubled_in_silence(tmp_path: Path) -> None:
    """Two tenants at 3 EUR an hour cost 288 EUR in 48 hours; both copies together would be 576."""
    own = study(platform(PAIR), tmp_path)
    says(own, ['labels warn replica_labels = ["replica"]'])
    says(own, ["anomalies,semantics,reconciliation,agreement,conservation,cost_data unknown"])
    says(own, ["headroom,guard,availability,outages unknown"])
    summary = summarise(own)
    assert summary["numbers"]["cost.total"] is None
    tiles = {tile["key"]: tile for tile in summary["tiles"]}
    assert {tiles[key]["value"] for key in ("cost", "headroom", "error_budget")} == {None}
    assert "replica" in tiles["cost"]["missing"]


@pytest.mark.server
def test_a_pair_in_one_server_is_one_once_the_setting_says_so(
    start_prometheus: Callable[..., servers.Server], tmp_path: Path
) -> None:
    """Two Prometheus wrote into one server, which was not told that `replica` tells them apart; then it was."""
    server = start_prometheus(SeriesBatch.of(metric, own) for metric, own in platform(PAIR).items())
    now = WEEK.start + timedelta(hours=HOURS)
    for replicas, status, cost in (((), "warn", 576), (("replica",), "pass", 288)):
        own = pulled(server.url, tmp_path / status, WEEK, now=now, replica_labels=replicas)
        says(own, [f"labels {status}"])
        assert (judge.check(own, "cost_data").status == "pass") == (status == "pass")
        assert own.cost.costs["cost"].sum() == pytest.approx(cost, abs=0.5)
