"""Worlds: each is what its title says, held against the demo that it is made from."""

from __future__ import annotations

from collections.abc import Callable
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


def series(batch: SeriesBatch) -> list[tuple[dict[str, str], np.ndarray, np.ndarray]]:
    parts = pairwise(batch.offsets.tolist())
    return [(dict(own), batch.times[a:b], batch.values[a:b]) for own, (a, b) in zip(batch.labels, parts, strict=True)]


def hourly(source: WorldSource | DemoSource, metric: str = COST) -> pd.DataFrame:
    """Mean by hour (rows, UTC) and tenant (columns)."""
    return pd.DataFrame(
        {
            (labels["tenant"], labels["instance"]): pd.Series(
                values, index=pd.DatetimeIndex(times.astype("datetime64[ms]"), tz="UTC")
            )
            .resample("h")
            .mean()
            for labels, times, values in series(source.read(metric, {}, source.extent()))
        }
    )


@pytest.fixture(scope="module")
def clean_costs() -> np.ndarray:
    return hourly(CLEAN).to_numpy()


@pytest.mark.parametrize("name", list(worlds()))
def test_every_world_has_its_judged_week_in_order(name: str) -> None:
    source = WorldSource(name, 3)
    week = last_whole_week(source.extent().end)
    assert week.end == source.extent().end
    assert set(source.world.told) <= set(KEYS)
    for metric in ("up", "process_start_time_seconds", *([COST] if source.world.cost or source.world.guests else [])):
        found = series(source.read(metric, {}, Window(week.end - 2 * DAY, week.end)))
        assert found
        assert all(np.all(np.diff(times) > 0) for _, times, _ in found)


def test_the_clean_world_is_the_demo_and_an_unknown_one_names_the_near() -> None:
    for metric in ("up", COST, "tenant_cost_estimate_rolling", "readiness_check_duration_seconds_bucket"):
        ours, theirs = (source.read(metric, {}, EXTENT) for source in (WorldSource("clean", 3), CLEAN))
        assert ours.labels == theirs.labels
        assert np.array_equal(ours.times, theirs.times)
        assert np.array_equal(ours.values, theirs.values)
    with pytest.raises(UsageError, match="'month_end_batch'"):
        WorldSource("month_end_bach", 1)


def office_hours(ratio: pd.DataFrame) -> bool:
    office = (ratio.index.day_of_week < 5) & (ratio.index.hour >= 8) & (ratio.index.hour < 18)
    return np.allclose(ratio[office].dropna(axis=1), 8) and np.allclose(ratio[~office].dropna(axis=1), 1)


def clock_change(ratio: pd.DataFrame) -> bool:
    """In Berlin 8 to 18 is 6 to 16 UTC until 25 October 2026, and 7 to 17 from then on."""
    usual = ratio.median(axis=1).round(6)
    busy = [usual[usual == 8].loc[day].index.hour.tolist() for day in ("2026-10-23", "2026-10-26")]
    return busy == [list(range(6, 16)), list(range(7, 17))]


def month_end_batch(ratio: pd.DataFrame) -> bool:
    busy = ratio.index[(ratio > 4.9).any(axis=1)]
    nights = ({f"{hour:%m-%d}" for hour in busy}, set(busy.hour)) == ({"10-31", "11-30"}, set(range(18, 24)))
    return nights and 0.15 < (ratio.loc[busy[0]] > 4.9).mean() < 0.5


def first_jobs(ratio: pd.DataFrame) -> bool:
    """0.05 a week are 0.3 in six weeks: of a hundred tenants 74 have none, 22 one and 4 more (Poisson)."""
    lasting = np.nansum(ratio - 1, axis=0) / 3  # hours at four times the cost
    return 0.5 < (lasting < 0.1).mean() < 0.95 and abs(np.median(lasting[lasting > 0.1]) - 4) < 0.1


def heavy_tails(ratio: pd.DataFrame) -> bool:
    """Of Student's t with three degrees of freedom half lie within 0.765 of 0, and 1 % beyond 5.84."""
    strays = np.abs(np.log(ratio.to_numpy()) / 0.1)
    return np.allclose(np.nanquantile(strays, [0.5, 0.99]), [0.765, 5.84], rtol=0.05)  # hours straddle


def price_change(ratio: pd.DataFrame) -> bool:
    after = ratio.index >= "2026-11-11T12:00Z"
    return np.nanmax(np.abs(ratio[after] - 1.15)) < 1e-9 > np.nanmax(np.abs(ratio[~after] - 1))


@pytest.mark.parametrize("holds", [office_hours, clock_change, month_end_batch, first_jobs, heavy_tails, price_change])
def test_costs_are_bent_as_is_said(holds: Callable[[pd.DataFrame], bool], clean_costs: np.ndarray) -> None:
    bent = hourly(WorldSource(holds.__name__, 3))
    with np.errstate(invalid="ignore"):
        assert holds(pd.DataFrame(bent.to_numpy() / clean_costs, index=bent.index))


def test_guests_come_when_they_are_said_to_and_stay_and_a_fleet_has_its_size() -> None:
    source, ready = WorldSource("numbered_shops", 3), "tenant_readiness_state"
    found = hourly(source)
    shops = found[[column for column in found if column[0].startswith("shop-")]]
    first = shops.apply(pd.Series.first_valid_index).sort_values()
    assert len(shops.columns) == 20
    assert first.between(EXTENT.start + 2 * DAY, EXTENT.start + 41 * DAY).all()
    assert first.diff().dropna().between(pd.Timedelta("1.8D"), pd.Timedelta("2.1D")).all()
    assert shops.iloc[-1].notna().all()
    flips = series(source.read("tenant_readiness_transitions_total", {}, EXTENT))
    assert {values[0] for labels, _, values in flips if labels["tenant"].startswith("shop-")} == {0}
    assert len(set(hourly(WorldSource("few_tenants", 3), ready).columns.get_level_values(0))) == 3


def test_a_rollout_renames_every_pod_counts_from_0_and_may_end_series_by_markers() -> None:
    source = WorldSource("rollouts", 3)
    starts = series(source.read("process_start_time_seconds", {}, EXTENT))
    deploys = [entry for entry in source.ledger_entries() if entry["kind"] == "deploy"]
    assert 18 <= len(deploys) <= 30
    assert len(starts) == 3 * (len(deploys) + 1)
    for labels, _, values in series(source.read("readiness_check_duration_seconds_count", {}, EXTENT)):
        assert values[0] <= 6 * 10 or labels["instance"].endswith(".10:8080")
    ((_, times, values),) = [one for one in starts if one[0]["instance"] == "10.1.0.12:8080"]
    assert 0 < times[0] / 1000 - values[0] <= 60
    ready = series(WorldSource("rollouts_with_markers", 3).read("readiness_state", {}, EXTENT))
    assert [int(np.isnan(values).sum()) for *_, values in ready].count(0) == 3
    assert sum(np.isnan(values[-1]) for *_, values in ready) == len(ready) - 3


def test_the_interval_changes_on_wednesday_at_noon_and_counters_rise_by_the_same() -> None:
    source, noon = WorldSource("interval_changes", 3), EXTENT.end - 4.5 * DAY
    for start, step in ((noon - DAY, 15_000), (noon, 60_000)):
        found = series(source.read("up", {}, Window(start, start + DAY)))
        assert [set(np.diff(times)) for _, times, _ in found] == [{step}] * 2
    name = "readiness_check_duration_seconds_count"
    ends = [[values[-1] for *_, values in series(one.read(name, {}, EXTENT))] for one in (source, CLEAN)]
    assert ends[0] == ends[1]


def test_failed_scrapes_stand_alone_and_retention_is_short() -> None:
    source = WorldSource("failed_scrapes", 3)
    ready = series(source.read("readiness_state", {}, EXTENT))
    for (_, _, up), (_, times, _) in zip(series(source.read("up", {}, EXTENT)), ready, strict=True):
        assert 100 < (up == 0).sum() < 320
        assert not np.any((up[1:] == 0) & (up[:-1] == 0))
        assert len(times) == (up == 1).sum()
    for name, days in (("short_retention", 15), ("ten_days_old", 10)):
        batch = WorldSource(name, 3).read("process_start_time_seconds", {}, EXTENT)
        assert batch.times.min() == Window(EXTENT.end - days * DAY, EXTENT.end).start_ms
        young = batch.values.min() * 1000 > EXTENT.end_ms - (days * 86_400_000 + 60_000)
        assert young == (name == "ten_days_old")


def test_events_come_as_often_as_is_said_and_are_noted() -> None:
    source = WorldSource("noted_deploys", 3)
    notes = [entry for entry in source.ledger_entries() if entry["kind"] == "deploy"]
    restarts = source.truth().query("kind == 'restart'")["start"]
    assert 12 <= len(notes) == len(restarts) <= 36
    assert all(any(entry["start"] <= at <= entry["end"] for entry in notes) for at in restarts)
