"""What a pull would bring is told before it, near enough to what it then brings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import servers
from servers import series

from cloudxai_analysis.cli.report import plan_line
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.pull import estimate, missing_tiles, pull, wanted_tiles
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.sources.series import SeriesBatch

CONTRACT = load_contract()
WEEK = Window(EXTENT.end - timedelta(days=7), EXTENT.end)
MATCHERS: dict[str, dict[str, str]] = {"target": {}, "rules": {}}


@pytest.fixture(scope="module")
def demo() -> DemoSource:
    return DemoSource()


def test_the_estimate_is_near_what_is_pulled(tmp_path: Path, demo: DemoSource) -> None:
    lake = open_lake(tmp_path / "lake")
    wanted = wanted_tiles(CONTRACT, WEEK, EXTENT.end)
    plan = estimate(demo, lake, CONTRACT, wanted, MATCHERS)
    assert not lake.path.exists()
    done = pull(demo, lake, CONTRACT, WEEK, now=EXTENT.end)
    assert (plan.tiles, plan.missing) == (done.tiles, done.tiles_pulled)
    assert plan.samples == done.samples_pulled
    held = sum(file.stat().st_size for file in lake.path.glob("*/*/*.parquet"))
    assert held < plan.disk_bytes < 10 * held
    names = CONTRACT.series_names()
    assert plan.series <= sum(len(demo.read(name, {}, WEEK)) for name in names) <= 2 * plan.series


def test_a_full_lake_lacks_nothing(tmp_path: Path, demo: DemoSource) -> None:
    lake = open_lake(tmp_path / "lake")
    day = Window(WEEK.start, WEEK.start + timedelta(days=1))
    pull(demo, lake, CONTRACT, day, now=EXTENT.end)
    wanted = wanted_tiles(CONTRACT, day, EXTENT.end)
    assert missing_tiles(lake, wanted) == []
    key = ("up", day.start.date().isoformat())
    next(lake.path.glob(f"rollups/{key[1]}/*-up-*")).unlink()
    assert [tile.key for tile in missing_tiles(lake, wanted)] == [key]
    pull(demo, lake, CONTRACT, day, now=EXTENT.end)
    plan = estimate(demo, lake, CONTRACT, wanted, MATCHERS)
    assert (plan.missing, plan.samples, plan.disk_bytes) == (0, 0, 0)
    assert plan_line(plan) == f"the lake has all {len(wanted)} tiles; nothing would be pulled."


@pytest.mark.server
def test_a_young_server_is_counted_and_not_guessed(
    start_prometheus: Callable[..., servers.Server], tmp_path: Path
) -> None:
    # Ten minutes on one day and seven on the next: no hour that is tried at random has a sample.
    first = WEEK.start_ms + 3 * 86_400_000 - 300_000
    times = [first + 15_000 * step for step in range(40)] + [
        first + 7 * 3_600_000 + 15_000 * step for step in range(28)
    ]
    labels = [{"job": "cloudxai", "instance": name} for name in "ab"]
    batch = SeriesBatch.of("readiness_state", [series(own, times, [1.0] * len(times)) for own in labels])
    server = start_prometheus([batch])
    source = open_source(server.url, limits=Limits(), settings=EnvironmentSettings())
    wanted = wanted_tiles(CONTRACT, WEEK, WEEK.end)
    plan = estimate(source, open_lake(tmp_path / "lake"), CONTRACT, wanted, MATCHERS)
    assert (plan.series, plan.samples) == (2, 2 * 68)
    assert "2 series, 136 samples as the source counts them, " in plan_line(plan)
