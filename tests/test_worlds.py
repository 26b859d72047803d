"""Worlds: each is what its title says, held against the demo that it is made from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from worlds import COST, WorldSource, worlds

from cloudxai_analysis.checks.judge import KEYS
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import DAY, Window, last_whole_week
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT, Scenario

CLEAN = DemoSource(3, Scenario(name="clean"))
Series = list[tuple[dict[str, str], np.ndarray, np.ndarray]]


def series(source: WorldSource | DemoSource, metric: str, window: Window | None = None) -> Series:
    batch = source.read(metric, {}, window or source.extent())
    cuts = batch.offsets[1:-1]
    return list(zip(map(dict, batch.labels), np.split(batch.times, cuts), np.split(batch.values, cuts), strict=True))


def hourly(source: WorldSource | DemoSource) -> pd.DataFrame:
    """Mean cost by hour (rows, UTC) and tenant (columns)."""
    found = {}
    for labels, times, values in series(source, COST):
        index = pd.DatetimeIndex(times.astype("datetime64[ms]"), tz="UTC")
        found[labels["tenant"], labels["instance"]] = pd.Series(values, index=index).resample("h").mean()
    return pd.DataFrame(found)


@pytest.fixture(scope="module")
def clean_costs() -> np.ndarray:
    return hourly(CLEAN).to_numpy()


def test_every_world_has_its_judged_week_and_an_unknown_one_names_the_near() -> None:
    for name, world in worlds().items():
        source = WorldSource(name, 3)
        assert last_whole_week(source.extent().end).end == source.extent().end
        assert set(world.told) <= set(KEYS)
        found = series(source, "up", Window(source.extent().end - DAY, source.extent().end))
        assert found
        assert all(np.all(np.diff(times) > 0) for _, times, _ in found)
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


def price_change(ratio: pd.DataFrame) -> bool:
    after = ratio.index >= "2026-11-11T12:00Z"
    return np.nanmax(np.abs(ratio[after] - 1.15)) < 1e-9 > np.nanmax(np.abs(ratio[~after] - 1))


BENDS = (office_hours, clock_change, month_end_batch, price_change)


@pytest.mark.parametrize("holds", BENDS)
def test_costs_are_bent_as_is_said(holds: Callable[[pd.DataFrame], bool], clean_costs: np.ndarray) -> None:
    bent = hourly(WorldSource(holds.__name__, 3))
    with np.errstate(invalid="ignore"):
        assert holds(pd.DataFrame(bent.to_numpy() / clean_costs, index=bent.index))


def test_a_rollout_renames_every_pod_counts_from_0_and_may_end_series_by_markers() -> None:
    source = WorldSource("rollouts", 3)
    deploys = [entry for entry in source.ledger_entries() if entry["kind"] == "deploy"]
    assert 18 <= len(deploys) <= 30
    assert len(series(source, "process_start_time_seconds")) == 3 * (len(deploys) + 1)
    for labels, _, values in series(source, "readiness_check_duration_seconds_count"):
        assert values[0] <= 6 * 10 or labels["instance"].endswith(".10:8080")
    ready = series(WorldSource("rollouts_with_markers", 3), "readiness_state")
    assert sum(np.isnan(values[-1]) for *_, values in ready) == len(ready) - 3


def test_scrapes_come_and_fail_as_is_said() -> None:
    noon = EXTENT.end - 4.5 * DAY
    for start, step in ((noon - DAY, 15_000), (noon, 60_000)):
        found = series(WorldSource("interval_changes", 3), "up", Window(start, start + DAY))
        assert [set(np.diff(times)) for _, times, _ in found] == [{step}] * 2
    source = WorldSource("failed_scrapes", 3)
    for (_, _, up), (_, times, _) in zip(series(source, "up"), series(source, "readiness_state"), strict=True):
        assert 100 < (up == 0).sum() < 320
        assert not np.any((up[1:] == 0) & (up[:-1] == 0))
        assert len(times) == (up == 1).sum()
    for name, days in (("short_retention", 15), ("ten_days_old", 10)):
        batch = WorldSource(name, 3).read("process_start_time_seconds", {}, EXTENT)
        assert batch.times.min() == Window(EXTENT.end - days * DAY, EXTENT.end).start_ms
        young = batch.values.min() * 1000 > EXTENT.end_ms - (days * 86_400_000 + 60_000)
        assert young == (name == "ten_days_old")
