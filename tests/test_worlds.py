"""The worlds of the benchmark: each is what its title says, held against the demo that it is made from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from _worlds import COST, WorldSource, worlds

from cloudxai_analysis.checks.judge import KEYS
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import DAY, Window, last_whole_week
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT, Scenario

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


def clock_change(ratio: pd.DataFrame) -> bool:
    """In Berlin 8 to 18 is 6 to 16 UTC until 25 October 2026, and 7 to 17 from then on."""
    usual = ratio.median(axis=1).round(6)
    busy = [usual[usual == 8].loc[day].index.hour.tolist() for day in ("2026-10-23", "2026-10-26")]
    return busy == [list(range(6, 16)), list(range(7, 17))]


def month_end_batch(ratio: pd.DataFrame) -> bool:
    busy = ratio.index[(ratio > 4.9).any(axis=1)]
    nights = ({f"{hour:%m-%d}" for hour in busy}, set(busy.hour)) == ({"10-31", "11-30"}, set(range(18, 24)))
    return nights and 0.15 < (ratio.loc[busy[0]] > 4.9).mean() < 0.5


@pytest.mark.parametrize("holds", [clock_change, month_end_batch])
def test_costs_are_bent_as_is_said(holds: Callable[[pd.DataFrame], bool]) -> None:
    bent, clean = hourly(WorldSource(holds.__name__, 3)), hourly(DemoSource(3, Scenario(name="clean"))).to_numpy()
    with np.errstate(invalid="ignore"):
        assert holds(pd.DataFrame(bent.to_numpy() / clean, index=bent.index))


def test_a_rollout_renames_every_pod_and_counts_from_0_and_a_failed_scrape_leaves_no_other_sample() -> None:
    source = WorldSource("rollouts", 3)
    deploys = [entry for entry in source.ledger_entries() if entry["kind"] == "deploy"]
    assert 18 <= len(deploys) <= 30
    assert len(series(source, "process_start_time_seconds")) == 3 * (len(deploys) + 1)
    for labels, _, values in series(source, "readiness_check_duration_seconds_count"):
        assert values[0] <= 6 * 10 or labels["instance"].endswith(".10:8080")
    failing = WorldSource("failed_scrapes", 3)
    for (_, _, up), (_, times, _) in zip(series(failing, "up"), series(failing, "readiness_state"), strict=True):
        assert 100 < (up == 0).sum() < 320
        assert len(times) == (up == 1).sum()
    young = WorldSource("ten_days_old", 3).read("process_start_time_seconds", {}, EXTENT)
    assert young.times.min() == Window(EXTENT.end - 10 * DAY, EXTENT.end).start_ms
