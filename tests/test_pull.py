"""Pulling: only what is missing, all of it or nothing, and after any interruption the same as without it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import (
    NoData,
    SourceAnswerError,
    SourceUnreachable,
    UsageError,
)
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.lake.pull import Pulled, pull
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import Lake, open_lake
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.sources.series import Labels, SeriesBatch

ROLES = ["up", "readiness", "rejections", "cost_rolling"]  # the last has no sample in the first weeks
WHOLE = load_contract()
CONTRACT = WHOLE.model_copy(update={"metrics": {role: WHOLE.metrics[role] for role in ROLES}})
NAMES = CONTRACT.series_names()
START = EXTENT.start
THREE = Window(START, START + 3 * DAY)
NOW = EXTENT.end
DEMO = DemoSource()


class Watched:
    """The demo, with every read written down, and with something done before it."""

    def __init__(self, before: Callable[[int], None] | None = None, source: DemoSource = DEMO) -> None:
        self.asked: list[tuple[str, dict[str, str], Window]] = []
        self._before = before
        self._source = source

    @property
    def name(self) -> str:
        return self._source.name

    def describe(self) -> dict[str, Any]:
        return self._source.describe()

    def extent(self) -> Window | None:
        return self._source.extent()

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        self.asked.append((metric, dict(matchers), window))
        if self._before:
            self._before(len(self.asked))
        return self._source.read(metric, matchers, window)


class Tenants(Watched):
    """One tenant of a source that keeps several."""

    def __init__(self, tenant: str) -> None:
        super().__init__()
        self._tenant = tenant

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "tenant": self._tenant}


class Late(Watched):
    """A source with a sample that was not asked for."""

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        del matchers
        return SeriesBatch.of(metric, [({}, np.array([window.end_ms]), np.ones(1))])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path / "lake")


def pulled(
    lake: Lake, window: Window = THREE, *, source: Watched | None = None, now: datetime = NOW, **how: Any
) -> Pulled:
    return pull(source or Watched(), lake, CONTRACT, window, now=now, **how)


def frames(snapshot: Snapshot, window: Window = EXTENT) -> list[pd.DataFrame]:
    found = [snapshot.tiles().sort_values(["metric", "date"], ignore_index=True)]
    for name in NAMES:
        found += [snapshot.samples(name, window, ["instance"]), snapshot.hours(name, window, ["instance"])]
    return found


def same(one: Snapshot, other: Snapshot) -> None:
    for ours, theirs in zip(frames(one), frames(other), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The first three days, pulled at once."""
    lake = open_lake(tmp_path_factory.mktemp("pull") / "lake")
    pulled(lake)
    return lake.snapshot()


def test_the_lake_holds_what_the_source_has(undisturbed: Snapshot) -> None:
    for name in NAMES:
        batch = DEMO.read(name, {}, THREE)
        found = undisturbed.samples(name, THREE)
        assert len(found) == batch.samples
        assert found["value"].sum() == batch.values.sum()
        assert sorted(found["time"].astype("int64")) == sorted(batch.times * 1000)
    assert undisturbed.provenance["source"] == DEMO.describe()
    assert undisturbed.provenance["contract"] == CONTRACT.version
    assert undisturbed.provenance["now"] == NOW.isoformat()


def test_pulling_twice_is_pulling_once_and_asks_nothing(lake: Lake) -> None:
    first, second = Watched(), Watched()
    done = pulled(lake, source=first)
    assert (done.version, done.tiles, done.tiles_pulled) == (1, 12, 12)
    # 60 s scrapes of two targets over three days, less what the demo's own gaps leave out of one.
    assert done.samples_pulled == sum(DEMO.read(name, {}, THREE).samples for name in NAMES)
    again = pulled(lake, source=second)
    assert (again.version, again.tiles, again.tiles_pulled, again.samples_pulled) == (1, 12, 0, 0)
    assert len(first.asked) == 12
    # What has no sample is remembered as empty.
    tiles = lake.snapshot().tiles().query("metric == 'tenant_cost_estimate_rolling'")
    assert (second.asked, tiles["samples"].tolist()) == ([], [0, 0, 0])


def test_a_growing_day_is_pulled_again_and_replaced(lake: Lake, undisturbed: Snapshot) -> None:
    pulled(lake, now=START + timedelta(days=1, hours=10, minutes=30))
    old = lake.snapshot()
    assert old.samples("up", THREE)["time"].max() == START + timedelta(days=1, hours=10, minutes=29)
    before = frames(old)
    source = Watched()
    done = pulled(lake, source=source)
    assert done.tiles_pulled == 8  # the second day of four metrics again, and the third
    assert {window.start for _, _, window in source.asked} == {START + DAY, START + 2 * DAY}
    same(lake.snapshot(), undisturbed)
    for ours, theirs in zip(frames(lake.snapshot(1)), before, strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_nothing_that_lies_in_the_future_is_asked_for(lake: Lake) -> None:
    source = Watched()
    now = START + timedelta(days=1, hours=7, seconds=1, microseconds=500_000)
    done = pulled(lake, source=source, now=now)
    assert done.tiles == 8
    assert max(window.end for _, _, window in source.asked) == now.replace(microsecond=0)
    assert pulled(lake, source=Watched(), now=now).tiles_pulled == 0


@pytest.mark.parametrize("edges", [[24, 48], [30, 31, 70]])
def test_split_windows_are_the_whole(lake: Lake, undisturbed: Snapshot, edges: list[int]) -> None:
    cuts = [START, *(START + hours * HOUR for hours in edges), THREE.end]
    for low, high in pairwise(cuts):
        pulled(lake, Window(low, high))
    same(lake.snapshot(), undisturbed)


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
            if not seen:
                with pytest.raises(NoData) if not until else _NothingPulled(lake):
                    pulled(lake, window, now=now)
                continue
            pulled(lake, window, now=now)
            until |= {day: max(end, until.get(day, end)) for day, end in seen.items()}
        if not until:
            return
        snapshot = lake.snapshot()
        found = snapshot.samples("up", EXTENT).groupby("time").size()
    tiles = snapshot.tiles().query("metric == 'up'")
    assert dict(zip(tiles["date"], tiles["until"], strict=True)) == until
    times = [DEMO.read("up", {}, Window(_midnight(day), end)).times for day, end in until.items()]
    assert sorted(found.index.repeat(found).astype("int64")) == sorted(np.concatenate(times) * 1000)


def _midnight(day: str) -> datetime:
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)


class _NothingPulled:
    """A pull that leaves the lake's version as it was."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def __enter__(self) -> None:
        self.version = self.lake.snapshot().version

    def __exit__(self, *_: object) -> None:
        assert self.lake.snapshot().version == self.version


def test_a_window_without_any_sample_commits_nothing(lake: Lake) -> None:
    before = Window(START - 9 * DAY, START - 7 * DAY)
    for window in (before, Window(NOW + DAY, NOW + 2 * DAY)):
        with pytest.raises(NoData, match=r"demo://.*has no sample of the CloudxAi contract in"):
            pulled(lake, window)
        assert not lake.exists
    pulled(lake)
    with pytest.raises(NoData), _NothingPulled(lake):
        pulled(lake, before)


@pytest.mark.parametrize(
    ("source", "how"),
    [
        pytest.param(DemoSource(2), {}, id="another source"),
        pytest.param(DEMO, {"matchers": {"job": "cloudxai"}}, id="other matchers"),
        pytest.param(DEMO, {"rule_matchers": {"job": "cloudxai"}}, id="other matchers of rules"),
        pytest.param(DEMO, {"replica_labels": ["replica"]}, id="replicas as one"),
    ],
)
def test_a_lake_belongs_to_one_source(lake: Lake, source: DemoSource, how: dict[str, Any]) -> None:
    pulled(lake)
    watched = Watched(source=source)
    with pytest.raises(UsageError, match="Name another --environment"), _NothingPulled(lake):
        pulled(lake, EXTENT, source=watched, **how)
    assert watched.asked == []


def test_a_lake_belongs_to_one_tenant_of_a_source(lake: Lake) -> None:
    pulled(lake, source=Tenants("007"))
    with pytest.raises(UsageError, match=r'of .*"tenant": "007"}, not of .*"tenant": "7"}'):
        pulled(lake, source=Tenants("7"))
    assert pulled(lake, source=Tenants("007")).tiles_pulled == 0


def test_rules_have_matchers_of_their_own(lake: Lake) -> None:
    contract = WHOLE.model_copy(update={"metrics": {role: WHOLE.metrics[role] for role in ("up", "alerts")}})
    source = Watched()
    matchers = {"matchers": {"instance": "cloudxai-1:8080"}, "rule_matchers": {"severity": "page"}}
    pull(source, lake, contract, Window(START, START + DAY), now=NOW, **matchers)
    assert {(metric, *given) for metric, given, _ in source.asked} == {("up", "instance"), ("ALERTS", "severity")}
    assert len(lake.snapshot().samples("up", THREE)) == 1440


def test_a_clock_without_a_zone_is_refused(lake: Lake) -> None:
    with pytest.raises(UsageError, match="not in UTC"):
        pulled(lake, now=NOW.replace(tzinfo=None))


def fail_from(number: int) -> Callable[[int], None]:
    """Fail the read of that number and all after it."""

    def fail(asked: int) -> None:
        if asked >= number:
            raise SourceUnreachable("Source demo:// does not answer.")

    return fail


@pytest.mark.parametrize("number", [1, 12])
def test_a_source_that_fails_in_the_middle_leaves_the_lake_as_it_was(
    lake: Lake, undisturbed: Snapshot, number: int
) -> None:
    with pytest.raises(SourceUnreachable):
        pulled(lake, source=Watched(fail_from(number)))
    assert not lake.exists
    pulled(lake, Window(START, START + DAY))
    before = frames(lake.snapshot())
    with pytest.raises(SourceUnreachable), _NothingPulled(lake):
        pulled(lake, source=Watched(fail_from(1)))
    for ours, theirs in zip(frames(lake.snapshot()), before, strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    pulled(lake)
    same(lake.snapshot(), undisturbed)


def test_what_an_interrupted_pull_had_finished_is_taken_up(lake: Lake, undisturbed: Snapshot) -> None:
    with pytest.raises(SourceUnreachable):
        pulled(lake, source=Watched(fail_from(8)), concurrency=1)
    rest = Watched()
    done = pulled(lake, source=rest)
    assert (done.tiles_pulled, done.tiles_resumed, len(rest.asked)) == (12, 7, 5)
    same(lake.snapshot(), undisturbed)


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param({"contract": CONTRACT.model_copy(update={"tenant_label": "customer"})}, id="another tenant label"),
        pytest.param({"matchers": {"job": "cloudxai"}}, id="other matchers"),
        pytest.param({"replica_labels": ["replica"]}, id="replicas"),
    ],
)
def test_what_was_pulled_otherwise_is_not_taken_up(lake: Lake, spoilt: dict[str, Any]) -> None:
    with pytest.raises(SourceUnreachable):
        pulled(lake, source=Watched(fail_from(8)), concurrency=1)
    how = {"contract": CONTRACT, **spoilt}
    assert pull(Watched(), lake, how.pop("contract"), THREE, now=NOW, **how).tiles_resumed == 0


@pytest.mark.parametrize("kind", ["samples", "rollups"])
def test_a_damaged_tile_is_not_taken_up(lake: Lake, undisturbed: Snapshot, kind: str) -> None:
    with pytest.raises(SourceUnreachable):
        pulled(lake, source=Watched(fail_from(8)), concurrency=1)
    file = sorted((lake.path / kind).glob("*/*.parquet"))[0]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    # Rollups are made again of samples that are whole.
    assert pulled(lake).tiles_resumed == (6 if kind == "samples" else 7)
    same(lake.snapshot(), undisturbed)


def test_a_day_is_final_only_when_late_samples_can_no_longer_come(lake: Lake) -> None:
    end = START + DAY
    day = Window(START, end)
    assert pulled(lake, day, now=end).tiles_pulled == 4
    assert pulled(lake, day, now=end + timedelta(minutes=59)).tiles_pulled == 4
    assert pulled(lake, day, now=end + timedelta(minutes=60)).tiles_pulled == 4
    assert pulled(lake, day, now=end + timedelta(days=9)).tiles_pulled == 0
    assert set(lake.snapshot().tiles()["until"]) == {end}


def test_samples_that_were_not_asked_for_are_refused(lake: Lake) -> None:
    with pytest.raises(SourceAnswerError, match=r"samples of [a-z_]+ from outside 2026-10-05 00:00 to 2026-10-06"):
        pulled(lake, Window(START, START + DAY), source=Late())
    assert not lake.exists


def test_progress_tells_every_tile(lake: Lake) -> None:
    told: list[tuple[int, int, int]] = []
    done = pulled(lake, progress=lambda *said: told.append(said))
    assert [said[:2] for said in told] == [(number, 12) for number in range(1, 13)]
    assert told[-1][2] == done.samples_pulled


@pytest.mark.parametrize("edges", [(24, 48), (30, 55), (25.5, 26.5)], ids=["a day", "inside days", "minutes"])
def test_memory_gives_the_frames_of_the_lake(undisturbed: Snapshot, edges: tuple[float, float]) -> None:
    memory, window = MemorySnapshot(DEMO), Window(*(START + hours * HOUR for hours in edges))
    for name in NAMES:
        for of_lake, of_memory in (
            (undisturbed.samples(name, window, ["instance"]), memory.samples(name, window, ["instance"])),
            (undisturbed.series(name, window), memory.series(name, window)),
            (undisturbed.hours(name, window, ["instance"]), memory.hours(name, window, ["instance"])),
        ):
            pd.testing.assert_frame_equal(of_memory, of_lake, check_exact=True)
    one = MemorySnapshot(DEMO, {"instance": "cloudxai-1:8080"})
    assert one.hours("up", window, ["instance"])["instance"].unique().tolist() == ["cloudxai-1:8080"]


def test_the_lake_is_private_under_any_umask(lake: Lake) -> None:
    before = os.umask(0)
    try:
        pulled(lake)
    finally:
        os.umask(before)
    assert stat.S_IMODE(lake.path.stat().st_mode) == 0o700
