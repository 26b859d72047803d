"""Labels that nobody declared: named, never merged in silence, and what rests on them is not known until they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import servers
from small_platform import Written, study_of, study_over

from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.checks import Check, judge
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.study.study import Study

WEEK = parse_window("2026-W46")
HOURS = 48
Platform = dict[str, list[Written]]
CHECKS_OF_COST = ("anomalies", "semantics", "reconciliation", "agreement", "conservation", "cost_data")


def minutes(first: float, last: float) -> np.ndarray:
    """Scrapes each minute from hour `first` to hour `last` of the week, in milliseconds."""
    return WEEK.start_ms + np.arange(int(first * 60), int(last * 60), dtype=np.int64) * 60_000


def platform(
    copies: Sequence[Labels], spans: Sequence[Sequence[tuple[float, float]]], *, cost: float = 3.0
) -> Platform:
    """One process with two tenants, whose every series carries in turn the labels of `copies`, in its `spans`."""
    series: Platform = {}
    for number, (copy, own) in enumerate(zip(copies, spans, strict=True)):
        times = np.concatenate([minutes(*span) for span in own]) + 7_000 * number
        target = {"job": "cloudxai", "instance": "10.0.0.1:80", **copy}
        common = {"up": 1.0, "readiness_state": 1.0, "process_start_time_seconds": WEEK.start_ms / 1000 - 86_400}
        for metric, value in common.items():
            series.setdefault(metric, []).append((target, times, np.full(len(times), value)))
        series.setdefault("tenant_label_rejections_total", []).append((target, times, np.zeros(len(times))))
        for tenant in ("acme", "beta"):
            for metric, value in {"tenant_readiness_state": 1.0, "tenant_cost_estimate": 3.0}.items():
                of = {"tenant": tenant, **target}
                series.setdefault(metric, []).append((of, times, np.full(len(times), value)))
    return series


def judged(series: Platform, folder: Path, **how: object) -> tuple[Study, Callable[[str], Check]]:
    study = study_of(series, folder, WEEK, now=WEEK.start + timedelta(hours=HOURS), **how)
    return study, partial(judge.check, study)


ALL = [(0, HOURS)]


def test_an_unlabelled_pair_is_named_and_its_costs_are_not_doubled_in_silence(tmp_path: Path) -> None:
    """Two tenants at 3 EUR an hour cost 288 EUR in 48 hours; both copies together would be 576."""
    study, checks = judged(platform([{"replica": "a"}, {"replica": "b"}], [ALL, ALL]), tmp_path)
    found = checks("labels")
    assert found.status == "warn"
    assert "told apart by `replica` (a, b)" in found.finding
    assert '`replica_labels = ["replica"]`' in found.action
    assert {checks(key).status for key in CHECKS_OF_COST} == {"unknown"}
    assert {checks(key).status for key in ("headroom", "guard", "availability", "outages")} == {"unknown"}
    summary = summarise(study)
    assert summary["numbers"]["cost.total"] is None
    tiles = {tile["key"]: tile for tile in summary["tiles"]}
    assert {tiles[key]["value"] for key in ("cost", "headroom", "availability")} == {None}
    assert "replica" in tiles["cost"]["missing"]


@pytest.mark.server
def test_a_pair_in_one_server_is_one_once_the_setting_says_so(
    start_prometheus: Callable[..., servers.Server], tmp_path: Path
) -> None:
    """Two Prometheus wrote into one server, which was not told that `replica` tells them apart; then it was."""
    series = platform([{"replica": "a"}, {"replica": "b"}], [ALL, ALL])
    server = start_prometheus(SeriesBatch.of(metric, own) for metric, own in series.items())
    source = open_source(server.url, limits=Limits(), settings=EnvironmentSettings())
    now = WEEK.start + timedelta(hours=HOURS)
    for replicas, status, cost in (((), "warn", 576), (("replica",), "pass", 288)):
        lake = open_lake(tmp_path / f"lake{len(replicas)}")
        pull(source, lake, load_contract(), Window(WEEK.start, now), replica_labels=replicas, now=now)
        study = study_over(lake.snapshot(), tmp_path, WEEK, now=now)
        assert judge.check(study, "labels").status == status
        assert (judge.check(study, "cost_data").status == "pass") == (status == "pass")
        assert study.cost.costs["cost"].sum() == pytest.approx(cost, abs=0.5)


def test_without_such_a_label_nothing_is_found(tmp_path: Path) -> None:
    study, checks = judged(platform([{"pod": "p-0", "zone": "a"}], [ALL]), tmp_path)
    assert checks("labels").status == "pass"
    assert study.cost.costs["cost"].sum() == pytest.approx(288, abs=0.2)


@pytest.mark.parametrize(
    ("label", "values", "said"),
    [
        ("exported_tenant", ("x", "y"), '`tenant_label = "exported_tenant"`'),
        ("prometheus_replica", ("p-0", "p-1"), '`replica_labels = ["prometheus_replica"]`'),
        ("__replica__", ("0", "1"), '`replica_labels = ["__replica__"]`'),
        ("pod", ("web-1", "web-2"), '`process_labels`, with "pod" added'),
        ("exported_instance", ("1", "2"), '`process_labels`, with "exported_instance" added'),
        ("cluster", ("eu", "us"), "or `matchers` of the environment"),
        ("region", ("eu", ""), '`process_labels`, with "region" added'),
        ("flavour", ("a", "b"), "or a label of the metric in the contract"),
    ],
)
def test_each_kind_of_label_has_the_setting_that_says_what_it_is(
    label: str, values: tuple[str, str], said: str, tmp_path: Path
) -> None:
    copies = [{label: value} for value in values]
    _, checks = judged(platform(copies, [ALL, ALL]), tmp_path)
    assert checks("labels").status == "warn"
    assert f"`{label}`" in checks("labels").finding
    assert said in checks("labels").action
    assert checks("headroom").status == "unknown"


ROLLOUT = {
    "a hand-over": [[(0, 20)], [(20, HOURS)]],
    "after a silence": [[(0, 20)], [(22, HOURS)]],
    "in mid-hour": [[(0, 20.4)], [(20.45, HOURS)]],
    "and back": [[(0, 20), (30, HOURS)], [(20, 30)]],
    "and back within the hour": [[(0, 20.1), (20.7, HOURS)], [(20.15, 20.65)]],
    "both for four minutes": [[(0, 20 + 4 / 60)], [(20, HOURS)]],
}


@pytest.mark.parametrize("spans", ROLLOUT.values(), ids=ROLLOUT)
def test_a_label_that_changes_at_a_rollout_is_one_series_going_on(
    spans: list[list[tuple[float, float]]], tmp_path: Path
) -> None:
    _, checks = judged(platform([{"version": "1.0"}, {"version": "1.1"}], spans), tmp_path)
    assert checks("labels").status == "pass", checks("labels").finding
    assert checks("cost_data").status == "pass"


def test_ten_minutes_of_a_pair_are_enough(tmp_path: Path) -> None:
    ten = [(0, 1 / 6)]
    study = study_of(
        platform([{"replica": "a"}, {"replica": "b"}], [ten, ten]),
        tmp_path,
        WEEK,
        now=WEEK.start + timedelta(minutes=10),
    )
    assert judge.check(study, "labels").status == "warn"


def test_two_series_of_one_scrape_are_two(tmp_path: Path) -> None:
    """Parts that one exposition tells apart, at the very same times: the contract takes them for one cost."""
    series = platform([{}], [ALL])
    labels, times, values = series["tenant_cost_estimate"][0]
    series["tenant_cost_estimate"] += [({**labels, "part": "storage"}, times, values)]
    _, checks = judged(series, tmp_path)
    assert "tenant_cost_estimate that the contract takes" in checks("labels").finding
    assert "`part` (none, storage)" in checks("labels").finding
    assert {checks(key).status for key in ("anomalies", "cost_data")} == {"unknown"}
    assert checks("availability").status != "unknown"
    assert checks("headroom").status != "unknown"


@pytest.mark.parametrize(
    ("settled", "total"),
    [({"process_labels": ("cluster", "job", "instance")}, 576.0), ({"tenant_label": "cluster"}, 288.0)],
)
def test_a_label_that_the_contract_names_is_no_finding(
    settled: dict[str, object], total: float, tmp_path: Path
) -> None:
    """Two clusters behind one server cost twice 288 EUR; two tenants called by their cluster cost it once."""
    series = platform([{"cluster": "eu"}, {"cluster": "us"}], [ALL, ALL])
    if "tenant_label" in settled:
        series = {metric: [one for one in own if one[0].get("tenant") != "beta"] for metric, own in series.items()}
        settled["process_labels"] = ("job", "instance", "cluster")
    study, checks = judged(series, tmp_path, contract=load_contract().model_copy(update=settled))
    assert checks("labels").status == "pass", checks("labels").finding
    assert study.cost.costs["cost"].sum() == pytest.approx(total, abs=0.5)


def test_a_series_without_a_tenant_is_no_tenant(tmp_path: Path) -> None:
    """A process at its cap of two, with a total that carries no tenant beside them: the guard kept its promise."""
    series = platform([{}], [ALL])
    labels, times, values = series["tenant_readiness_state"][0]
    total = {name: value for name, value in labels.items() if name != "tenant"}
    series["tenant_readiness_state"] += [(total, times, values)]
    contract = load_contract().model_copy(update={"tenant_cap": 2})
    study, checks = judged(series, tmp_path, contract=contract)
    assert checks("guard").status == "pass", checks("guard").finding
    assert study.cardinality.active_tenants["tenants"].max() == 2
    assert study.cardinality.headroom["headroom"].min() == 0


def test_a_refusal_counter_that_gains_a_tenant_label_counts_each_request_once(tmp_path: Path) -> None:
    """An old build counts 5 refusals without a name, the new one 3 by name after its restart at hour 20."""
    series = platform([{}], [ALL])
    target, times, _ = series["tenant_label_rejections_total"][0]
    old, new = minutes(0, 20), minutes(20, HOURS)
    began = np.where(times < WEEK.start_ms + 20 * 3_600_000, WEEK.start_ms - 86_400_000, WEEK.start_ms + 72_000_000)
    series["process_start_time_seconds"] = [(target, times, began / 1000)]
    series["tenant_label_rejections_total"] = [
        (target, old, np.minimum(np.arange(len(old)), 5).astype(float)),
        ({**target, "tenant": "zeta"}, new, np.minimum(np.arange(len(new)), 3).astype(float)),
    ]
    study, checks = judged(series, tmp_path)
    assert checks("labels").status == "pass"
    assert study.within(study.cardinality.rejections)["rejections"].sum() == 8


def test_a_cost_gauge_that_gains_a_currency_goes_on(tmp_path: Path) -> None:
    series = platform([{}], [ALL])
    before, after = minutes(0, 20), minutes(20, HOURS)
    series["tenant_cost_estimate"] = [
        (of, times, np.full(len(times), 3.0))
        for labels, _, _ in series["tenant_cost_estimate"]
        for of, times in ((labels, before), ({**labels, "currency": "EUR"}, after))
    ]
    study, checks = judged(series, tmp_path)
    assert checks("labels").status == "pass"
    # The last value of the old series is held for five minutes at most: what is unknown is no more than that.
    assert study.cost.costs["cost"].sum() == pytest.approx(288, abs=0.6)
