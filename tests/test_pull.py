"""Pulling: told before, only what is missing, all of it or nothing, and the same after any interruption."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
import servers
from _memory import MemorySnapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.cli.report import plan_line
from cloudxai_analysis.ground.errors import NoData, SourceAnswerError, SourceUnreachable, UsageError
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake.pull import Pulled, estimate, pull, wanted_tiles
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import Lake, open_lake
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.sources.series import Labels, SeriesBatch

ROLES = ["up", "readiness", "rejections", "cost_rolling"]  # the last has no sample in the first weeks
WHOLE = load_contract()
CONTRACT = WHOLE.model_copy(update={"metrics": {role: WHOLE.metrics[role] for role in ROLES}})
NAMES = CONTRACT.series_names()
START = EXTENT.start
ONE, THREE = Window(START, START + DAY), Window(START, START + 3 * DAY)
NOW = EXTENT.end
DEMO = DemoSource()
MATCHERS: dict[str, dict[str, str]] = {"target": {}, "rules": {}}


class Watched:
    """The demo, with every read written down, its reads from a number on failing, and described otherwise if asked."""

    name = DEMO.name

    def __init__(self, fails_from: int = 10**9, **described: Any) -> None:
        self.asked: list[tuple[str, dict[str, str], Window]] = []
        self._fails_from, self._described = fails_from, described

    def describe(self) -> dict[str, Any]:
        return {**DEMO.describe(), **self._described}

    def extent(self) -> Window | None:
        return DEMO.extent()

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        self.asked.append((metric, dict(matchers), window))
        if len(self.asked) >= self._fails_from:
            raise SourceUnreachable("Source demo:// does not answer.")
        return DEMO.read(metric, matchers, window)


class Late(Watched):
    """A source with a sample that was not asked for."""

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        del matchers
        return SeriesBatch.of(metric, [({}, np.array([window.end_ms]), np.ones(1))])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path / "lake")


def pulled(lake: Lake, window: Window = THREE, source: Watched | None = None, **how: Any) -> Pulled:
    return pull(source or Watched(), lake, how.pop("contract", CONTRACT), window, **{"now": NOW, **how})


def version(lake: Lake) -> int:
    return lake.snapshot().version if lake.exists else 0


def same(one: Any, other: Any, window: Window = EXTENT) -> None:
    for name in NAMES:
        for read in ("samples", "hours", "series"):
            labels = [] if read == "series" else [["instance"]]
            ours, theirs = (getattr(snapshot, read)(name, window, *labels) for snapshot in (one, other))
            pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The first three days, pulled at once."""
    lake = open_lake(tmp_path_factory.mktemp("pull") / "lake")
    pulled(lake)
    return lake.snapshot()


def test_the_lake_holds_what_the_source_has_and_is_asked_for_it_once(lake: Lake) -> None:
    told: list[tuple[int, int, int]] = []
    first, second = Watched(), Watched()
    before = os.umask(0)
    try:
        done = pulled(lake, source=first, progress=lambda *said: told.append(said))
    finally:
        os.umask(before)
    assert (done.version, done.tiles, done.tiles_pulled, len(first.asked)) == (1, 12, 12, 12)
    assert [said[:2] for said in told] == [(number, 12) for number in range(1, 13)]
    snapshot = lake.snapshot()
    for name in NAMES:
        batch, found = DEMO.read(name, {}, THREE), snapshot.samples(name, THREE)
        assert (len(found), found["value"].sum()) == (batch.samples, batch.values.sum())
        assert sorted(found["time"].astype("int64")) == sorted(batch.times * 1000)
    assert done.samples_pulled == told[-1][2] == sum(DEMO.read(name, {}, THREE).samples for name in NAMES)
    assert snapshot.provenance["source"] == DEMO.describe()
    assert (snapshot.provenance["contract"], snapshot.provenance["now"]) == (CONTRACT.version, NOW.isoformat())
    # Private under any umask; and what has no sample is remembered as empty.
    assert stat.S_IMODE(lake.path.stat().st_mode) == 0o700
    again = pulled(lake, source=second)
    assert (again.version, again.tiles, again.tiles_pulled, again.samples_pulled, second.asked) == (1, 12, 0, 0, [])
    assert snapshot.tiles().query("metric == 'tenant_cost_estimate_rolling'")["samples"].tolist() == [0, 0, 0]


def test_nothing_that_lies_in_the_future_is_asked_for(lake: Lake) -> None:
    source = Watched()
    now = START + timedelta(days=1, hours=7, seconds=1, microseconds=500_000)
    assert pulled(lake, source=source, now=now).tiles == 8
    assert max(window.end for _, _, window in source.asked) == now.replace(microsecond=0)
    assert pulled(lake, now=now).tiles_pulled == 0


STEPS = st.tuples(st.integers(0, 4), st.integers(1, 3), st.integers(0, 30))


# An example pulls up to five times: some 0.3 s.
@settings(max_examples=max(8, settings().max_examples // 12))
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_any_row_of_pulls_gives_each_day_as_far_as_it_was_asked_for(steps: list[tuple[int, int, int]]) -> None:
    until: dict[str, datetime] = {}
    now = START + HOUR
    with TemporaryDirectory() as folder:
        lake = open_lake(Path(folder))
        for first, days, later in steps:
            now += later * HOUR
            window = Window(START + first * DAY, START + (first + days) * DAY)
            seen = {day.name: min(day.end, now) for day in window.days() if day.start < now}
            if not seen and not until:
                with pytest.raises(NoData):
                    pulled(lake, window, now=now)
                continue
            held = version(lake)
            assert pulled(lake, window, now=now).version == held or seen
            until |= {day: max(end, until.get(day, end)) for day, end in seen.items()}
        if not until:
            return
        snapshot = lake.snapshot()
        found = snapshot.samples("up", EXTENT).groupby("time").size()
    tiles = snapshot.tiles().query("metric == 'up'")
    assert dict(zip(tiles["date"], tiles["until"], strict=True)) == until
    midnights = {day: datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) for day in until}
    times = [DEMO.read("up", {}, Window(midnights[day], end)).times for day, end in until.items()]
    assert sorted(found.index.repeat(found).astype("int64")) == sorted(np.concatenate(times) * 1000)


def test_a_window_without_any_sample_commits_nothing(lake: Lake) -> None:
    before = Window(START - 9 * DAY, START - 7 * DAY)
    for window in (before, Window(NOW + DAY, NOW + 2 * DAY)):
        with pytest.raises(NoData, match=r"demo://.*has no sample of the CloudxAi contract in"):
            pulled(lake, window)
        assert not lake.exists
    pulled(lake, ONE)
    with pytest.raises(NoData):
        pulled(lake, before)
    assert version(lake) == 1


@pytest.mark.parametrize(
    ("described", "how"),
    [
        pytest.param({"source": "demo://?seed=2"}, {}, id="another source"),
        pytest.param({"tenant": "7"}, {}, id="another tenant"),
        pytest.param({"scenario": "0123456789abcdef"}, {}, id="an edited scenario"),
        pytest.param({}, {"matchers": {"job": "cloudxai"}}, id="other matchers"),
        pytest.param({}, {"rule_matchers": {"job": "cloudxai"}}, id="other matchers of rules"),
        pytest.param({}, {"replica_labels": ["replica"]}, id="replicas as one"),
    ],
)
def test_a_lake_belongs_to_one_source(lake: Lake, described: dict[str, Any], how: dict[str, Any]) -> None:
    pulled(lake, ONE, Watched(tenant="007"))
    other = Watched(**{"tenant": "007", **described})
    with pytest.raises(UsageError, match=r'"tenant": "007"}, not of .*Name another --environment'):
        pulled(lake, EXTENT, other, **how)
    assert (other.asked, version(lake)) == ([], 1)
    assert pulled(lake, ONE, Watched(tenant="007")).tiles_pulled == 0


def test_rules_have_matchers_of_their_own(lake: Lake) -> None:
    contract = WHOLE.model_copy(update={"metrics": {role: WHOLE.metrics[role] for role in ("up", "alerts")}})
    source = Watched()
    matchers = {"matchers": {"instance": "cloudxai-1:8080"}, "rule_matchers": {"severity": "page"}}
    pulled(lake, ONE, source, contract=contract, **matchers)
    assert {(metric, *given) for metric, given, _ in source.asked} == {("up", "instance"), ("ALERTS", "severity")}
    assert len(lake.snapshot().samples("up", THREE)) == 1440


def flip_first(lake: Lake, kind: str) -> None:
    file = sorted((lake.path / kind).glob("*/*.parquet"))[0]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "how", "resumed"),
    [
        pytest.param("", {}, 7, id="as before"),
        pytest.param("samples", {}, 6, id="a damaged tile"),
        pytest.param("rollups", {}, 7, id="rollups are made again of samples that are whole"),
        pytest.param("", {"contract": CONTRACT.model_copy(update={"tenant_label": "customer"})}, 0, id="another label"),
        pytest.param("", {"matchers": {"job": "cloudxai"}}, 0, id="other matchers"),
        pytest.param("", {"replica_labels": ["replica"]}, 0, id="replicas"),
    ],
)
def test_what_an_interrupted_pull_had_finished_is_taken_up_where_it_was_pulled_alike(
    lake: Lake, undisturbed: Snapshot, spoil: str, how: dict[str, Any], resumed: int
) -> None:
    with pytest.raises(SourceUnreachable):
        pulled(lake, source=Watched(8), concurrency=1)
    assert not lake.exists
    if spoil:
        flip_first(lake, spoil)
    rest = Watched()
    done = pulled(lake, source=rest, **how)
    assert (done.tiles_pulled, done.tiles_resumed, len(rest.asked)) == (12, resumed, 12 - resumed)
    if not how:
        same(lake.snapshot(), undisturbed)


def test_a_source_that_fails_leaves_the_lake_as_it_was(lake: Lake, undisturbed: Snapshot) -> None:
    pulled(lake, ONE)
    held = lake.snapshot()
    for source, error in (
        (Watched(1), SourceUnreachable),
        (Watched(5), SourceUnreachable),
        (Late(), SourceAnswerError),
    ):
        with pytest.raises(error, match=r"does not answer|samples of [a-z_]+ from outside 2026-10-0"):
            pulled(lake, source=source)
        assert version(lake) == 1
    same(lake.snapshot(), held)
    pulled(lake)
    same(lake.snapshot(), undisturbed)


def test_a_day_is_final_only_when_late_samples_can_no_longer_come(lake: Lake) -> None:
    for minutes, tiles in ((0, 4), (59, 4), (60, 4), (9 * 1440, 0)):
        assert pulled(lake, ONE, now=ONE.end + timedelta(minutes=minutes)).tiles_pulled == tiles
    assert set(lake.snapshot().tiles()["until"]) == {ONE.end}


@pytest.mark.parametrize("edges", [(24, 48), (30, 55), (25.5, 26.5)], ids=["a day", "inside days", "minutes"])
def test_memory_gives_the_frames_of_the_lake(undisturbed: Snapshot, edges: tuple[float, float]) -> None:
    window = Window(*(START + hours * HOUR for hours in edges))
    same(MemorySnapshot(DEMO), undisturbed, window)
    one = MemorySnapshot(DEMO, {"instance": "cloudxai-1:8080"})
    assert one.hours("up", window, ["instance"])["instance"].unique().tolist() == ["cloudxai-1:8080"]


# --- what a pull would bring ---


def test_what_is_told_before_is_what_is_pulled(lake: Lake) -> None:
    wanted = wanted_tiles(CONTRACT, THREE, NOW)
    plan = estimate(DEMO, lake, CONTRACT, wanted, MATCHERS)
    assert not lake.path.exists()
    done = pulled(lake)
    assert (plan.tiles, plan.missing, plan.samples) == (done.tiles, done.tiles_pulled, done.samples_pulled)
    held = sum(file.stat().st_size for file in lake.path.glob("*/*/*.parquet"))
    assert held < plan.disk_bytes < 10 * held
    next(lake.path.glob(f"rollups/{START:%Y-%m-%d}/*-up-*")).unlink()
    assert estimate(DEMO, lake, CONTRACT, wanted, MATCHERS).missing == 1
    pulled(lake)
    plan = estimate(DEMO, lake, CONTRACT, wanted, MATCHERS)
    assert (plan.missing, plan.samples, plan.disk_bytes) == (0, 0, 0)
    assert plan_line(plan) == "the lake has all 12 tiles; nothing would be pulled."


@pytest.mark.server
def test_a_young_server_is_counted_and_not_guessed(start_prometheus: Callable[..., servers.Server], lake: Lake) -> None:
    # Ten minutes on one day and seven on the next.
    first = ONE.end_ms - 300_000
    times = [first + 15_000 * step for step in range(40)] + [
        first + 7 * 3_600_000 + 15_000 * step for step in range(28)
    ]
    labels = [{"job": "cloudxai", "instance": name} for name in "ab"]
    batch = SeriesBatch.of("readiness_state", [servers.series(own, times, [1.0] * len(times)) for own in labels])
    source = open_source(start_prometheus([batch]).url, limits=Limits(), settings=EnvironmentSettings())
    plan = estimate(source, lake, WHOLE, wanted_tiles(WHOLE, THREE, NOW), MATCHERS)
    assert (plan.series, plan.samples) == (2, 2 * 68)
    assert "2 series, 136 samples as the source counts them, at most " in plan_line(plan)
