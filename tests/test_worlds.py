"""Worlds: each is what its title says, held against the demo that it is made from."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from worlds import WorldSource, worlds

from cloudxai_analysis.checks.judge import KEYS
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import DAY, Window, last_whole_week
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT, Scenario
from cloudxai_analysis.sources.series import SeriesBatch

COST = "tenant_cost_estimate"
CLEAN = DemoSource(3, Scenario(name="clean"))


def hourly(source: WorldSource | DemoSource, metric: str = COST) -> pd.DataFrame:
    """Mean by hour (rows, UTC) and tenant (columns)."""
    batch = source.read(metric, {}, source.extent())
    by_tenant = {}
    for index, labels in enumerate(batch.labels):
        own = slice(batch.offsets[index], batch.offsets[index + 1])
        times = pd.DatetimeIndex(batch.times[own].astype("datetime64[ms]"), tz="UTC")
        by_tenant[labels["tenant"], labels["instance"]] = pd.Series(batch.values[own], index=times).resample("h").mean()
    return pd.DataFrame(by_tenant)


def rows(batch: SeriesBatch, **labels: str) -> tuple[np.ndarray, np.ndarray]:
    """Times and values of the only series with these labels."""
    (index,) = [i for i, own in enumerate(batch.labels) if all(own[key] == value for key, value in labels.items())]
    own = slice(batch.offsets[index], batch.offsets[index + 1])
    return batch.times[own], batch.values[own]


@pytest.mark.parametrize("name", list(worlds()))
def test_every_world_has_its_judged_week_in_order(name: str) -> None:
    source = WorldSource(name, 3)
    week = last_whole_week(source.extent().end)
    assert week.end == source.extent().end
    assert set(source.world.told) <= set(KEYS)
    for metric in ("up", "process_start_time_seconds", COST, "ALERTS"):
        batch = source.read(metric, {}, Window(week.end - 2 * DAY, week.end))
        for low, high in pairwise(batch.offsets.tolist()):
            assert np.all(np.diff(batch.times[low:high]) > 0)
        assert len(batch) or metric == "ALERTS"


def test_an_unknown_world_names_the_near_one() -> None:
    with pytest.raises(UsageError, match="'month_end_batch'"):
        WorldSource("month_end_bach", 1)


def test_the_clean_world_is_the_demo() -> None:
    mine, demo = WorldSource("clean", 3), CLEAN
    for metric in ("up", COST, "tenant_cost_estimate_rolling", "readiness_check_duration_seconds_bucket"):
        ours, theirs = mine.read(metric, {}, EXTENT), demo.read(metric, {}, EXTENT)
        assert ours.labels == theirs.labels
        assert np.array_equal(ours.times, theirs.times)
        assert np.array_equal(ours.values, theirs.values)


def test_office_hours_cost_eight_times_on_weekdays_alone() -> None:
    ratio = hourly(WorldSource("office_hours", 3)) / hourly(CLEAN)
    times = ratio.index
    office = (times.day_of_week < 5) & (times.hour >= 8) & (times.hour < 18)
    assert np.nanmin(ratio[office]) == pytest.approx(8) == np.nanmax(ratio[office])
    assert np.nanmin(ratio[~office]) == pytest.approx(1) == np.nanmax(ratio[~office])


def test_office_hours_move_by_an_hour_when_the_clocks_do() -> None:
    """In Berlin 8 to 18 is 6 to 16 UTC until 25 October 2026, and 7 to 17 from then on."""
    source = WorldSource("clock_change", 3)
    assert last_whole_week(source.extent().end).name == "2026-W44"
    moved = hourly(source).to_numpy()
    with np.errstate(invalid="ignore"):
        ratio = pd.DataFrame(moved / hourly(CLEAN).to_numpy(), index=hourly(source).index).median(axis=1).round(6)
    assert ratio[ratio == 8].loc["2026-10-23"].index.hour.tolist() == list(range(6, 16))
    assert ratio[ratio == 8].loc["2026-10-26"].index.hour.tolist() == list(range(7, 17))


def test_the_batch_runs_on_the_last_evening_of_each_month() -> None:
    source = WorldSource("month_end_batch", 3)
    ratio = pd.DataFrame(hourly(source).to_numpy() / hourly(CLEAN).to_numpy(), index=hourly(source).index)
    busy = ratio.index[(ratio > 4.9).any(axis=1)]
    assert sorted({f"{hour:%m-%d}" for hour in busy}) == ["10-31", "11-30"]
    assert sorted(set(busy.hour)) == list(range(18, 24))
    assert 0.15 < (ratio.loc[busy[0]] > 4.9).mean() < 0.5


def test_a_job_lasts_four_hours_and_most_who_have_one_have_one() -> None:
    """0.05 a week are 0.3 in six weeks: of a hundred tenants 74 have none, 22 one and 4 more (Poisson)."""
    ratio = hourly(WorldSource("first_jobs", 3)).to_numpy() / hourly(CLEAN).to_numpy()
    lasting = np.nansum(ratio - 1, axis=0) / 3  # hours at four times the cost
    assert 0.5 < (lasting < 0.1).mean() < 0.95
    assert np.median(lasting[lasting > 0.1]) == pytest.approx(4, abs=0.1)


def test_heavy_tails_are_those_of_students_t() -> None:
    """Of three degrees of freedom half of all values lie within 0.765 of 0, and 1 % beyond 5.84."""
    strays = np.log(hourly(WorldSource("heavy_tails", 3)).to_numpy() / hourly(CLEAN).to_numpy()) / 0.1
    strays = np.abs(strays[np.isfinite(strays)])
    assert np.quantile(strays, [0.5, 0.99]) == pytest.approx([0.765, 5.84], rel=0.05)  # hours straddle


def test_a_price_rises_for_everybody_on_a_wednesday_at_noon() -> None:
    moved = hourly(WorldSource("price_change", 3))
    ratio = moved.to_numpy() / hourly(CLEAN).to_numpy()
    after = moved.index >= "2026-11-11T12:00Z"
    assert np.nanmax(np.abs(ratio[after] - 1.15)) < 1e-9 > np.nanmax(np.abs(ratio[~after] - 1))


def test_guests_come_when_they_are_said_to_and_stay() -> None:
    found = hourly(WorldSource("numbered_shops", 3))
    shops = found[[column for column in found if column[0].startswith("shop-")]]
    assert len(shops.columns) == 20
    first = shops.apply(pd.Series.first_valid_index).sort_values()
    assert first.iloc[0] >= EXTENT.start + 2 * DAY
    assert first.iloc[-1] < EXTENT.start + 41 * DAY
    assert first.diff().dropna().between(pd.Timedelta("1.8D"), pd.Timedelta("2.1D")).all()
    assert shops.iloc[-1].notna().all()
    flips = WorldSource("numbered_shops", 3).read("tenant_readiness_transitions_total", {}, EXTENT)
    late = [n for n, labels in enumerate(flips.labels) if labels["tenant"].startswith("shop-")]
    assert {flips.values[flips.offsets[n]] for n in late} == {0}


def test_a_fleet_has_the_size_that_is_said() -> None:
    ready = "tenant_readiness_state"
    assert len(set(hourly(WorldSource("few_tenants", 3), ready).columns.get_level_values(0))) == 3
    last = hourly(WorldSource("at_the_cap_edge", 3), ready)
    assert (last.notna().sum(axis=1).nunique(), last.iloc[0].notna().sum()) == (1, last.iloc[-1].notna().sum())


def test_a_rollout_renames_every_pod_and_counts_from_0() -> None:
    source = WorldSource("rollouts", 3)
    starts = source.read("process_start_time_seconds", {}, EXTENT)
    pods = {labels["instance"].split(".")[1] for labels in starts.labels}
    assert pods == {"0", "1", "2"}
    deploys = [entry for entry in source.ledger_entries() if entry["kind"] == "deploy"]
    assert 18 <= len(deploys) <= 30
    assert len(starts.labels) == 3 * (len(deploys) + 1)
    checks = source.read("readiness_check_duration_seconds_count", {}, EXTENT)
    for index, labels in enumerate(checks.labels):
        first = checks.values[checks.offsets[index]]
        assert first <= 6 * 10 or labels["instance"].endswith(".10:8080")
    begins, values = rows(starts, instance="10.1.0.12:8080")
    assert 0 < begins[0] / 1000 - values[0] <= 60
    assert np.unique(values).size == 1


def test_markers_end_the_series_of_old_pods() -> None:
    with_markers = WorldSource("rollouts_with_markers", 3).read("readiness_state", {}, EXTENT)
    marked = [np.isnan(with_markers.values[end - 1]) for end in with_markers.offsets[1:]]
    assert marked.count(False) == 3
    assert int(np.isnan(with_markers.values).sum()) == marked.count(True)


def test_the_interval_changes_on_wednesday_at_noon() -> None:
    source = WorldSource("interval_changes", 3)
    noon = EXTENT.end - 4.5 * DAY
    for instance in ("cloudxai-0:8080", "cloudxai-1:8080"):
        for start, step in ((noon - DAY, 15_000), (noon, 60_000)):
            times, _ = rows(source.read("up", {}, Window(start, start + DAY)), instance=instance)
            assert set(np.diff(times)) == {step}
    # Values are held, so that a counter rises by the same.
    ours = source.read("readiness_check_duration_seconds_count", {}, EXTENT)
    theirs = CLEAN.read("readiness_check_duration_seconds_count", {}, EXTENT)
    assert ours.values[ours.offsets[1:] - 1].tolist() == theirs.values[theirs.offsets[1:] - 1].tolist()


def test_failed_scrapes_stand_alone() -> None:
    source = WorldSource("failed_scrapes", 3)
    for instance in ("cloudxai-0:8080", "cloudxai-1:8080"):
        _, up = rows(source.read("up", {}, EXTENT), instance=instance)
        assert 100 < (up == 0).sum() < 320
        assert not np.any((up[1:] == 0) & (up[:-1] == 0))
        times, _ = rows(source.read("readiness_state", {}, EXTENT), instance=instance)
        assert len(times) == (up == 1).sum()


def test_a_young_platform_and_a_short_retention_have_no_earlier_sample() -> None:
    for name, days in (("short_retention", 15), ("ten_days_old", 10)):
        source = WorldSource(name, 3)
        batch = source.read("process_start_time_seconds", {}, EXTENT)
        assert batch.times.min() == Window(EXTENT.end - days * DAY, EXTENT.end).start_ms
        young = batch.values.min() * 1000 > EXTENT.end_ms - (days * 86_400_000 + 60_000)
        assert young == (name == "ten_days_old")


def test_events_come_as_often_as_is_said_and_are_noted() -> None:
    source = WorldSource("noted_deploys", 3)
    notes = [entry for entry in source.ledger_entries() if entry["kind"] == "deploy"]
    assert 12 <= len(notes) <= 36
    truth = source.truth()
    restarts = truth[truth["kind"] == "restart"]
    assert len(restarts) == len(notes)
    for at in restarts["start"]:
        assert any(entry["start"] <= at <= entry["end"] for entry in notes)
