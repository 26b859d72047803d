"""Damage is found and the next pull brings back what it can; a vacuum makes room; nothing that is needed goes."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deltalake import DeltaTable
from killed_pull import LATER, START, Mortals, Steady, age, contract, damaged, look, pull_days

from cloudxai_analysis.ground.errors import LakeDamaged, LakeLocked, SourceUnreachable, UsageError
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.lake.pull import Pulled, pull
from cloudxai_analysis.lake.tables import Lake, log_file, open_lake
from cloudxai_analysis.lake.tiles import KINDS
from cloudxai_analysis.lake.upkeep import published_versions, set_aside, set_aside_torn
from cloudxai_analysis.lake.upkeep import vacuum as run_vacuum
from cloudxai_analysis.report.publish import building, publish
from cloudxai_analysis.sources.series import SeriesBatch

DAYS = [f"2026-10-{day:02}" for day in range(5, 9)]
FOUR = Window(START, START + 4 * DAY)


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days of three metrics, of which one has no samples on odd days; the last two came later."""
    path = tmp_path_factory.mktemp("upkeep") / "lake"
    pull_days(str(path), 2)
    pull_days(str(path), 4)
    return path


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions, written long ago: the second day grew twice."""
    path = tmp_path_factory.mktemp("vacuum") / "lake"
    for version, hours in enumerate((30, 34, 0), start=1):
        assert pull_days(str(path), 2, hours=hours) == version
    age(path, 40)
    return path


@pytest.fixture
def lake(pulled: Path, tmp_path: Path) -> Lake:
    shutil.copytree(pulled, tmp_path / "lake")
    return open_lake(tmp_path / "lake")


@pytest.fixture
def old(grown: Path, tmp_path: Path) -> Lake:
    shutil.copytree(grown, tmp_path / "lake")
    return open_lake(tmp_path / "lake")


def seen(lake: Lake, version: int = 0) -> str:
    return look(str(lake.path), version)


def file_of(lake: Lake, kind: str, metric: str, date: str) -> Path:
    return lake.snapshot().by_tile[kind][metric, date].path(lake.path)


def flip(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def pull_again(lake: Lake, source: Steady | None = None, window: Window = FOUR, **how: Any) -> Pulled:
    return pull(source or Steady(), lake, contract(), window, **{"now": LATER, **how})


# --- what is lost comes back, or is told ---

SPOILS = [
    lambda path: (flip(path, 40, 3), set_aside(path)),
    lambda path: (path.write_bytes(b""), set_aside(path)),
    lambda path: path.unlink(),
]


@pytest.mark.parametrize(("spoil", "metric"), [*zip(SPOILS, ["up", "readiness_state", "up"], strict=True)])
@pytest.mark.parametrize("kinds", [["samples"], ["rollups"], ["samples", "rollups"]], ids=" and ".join)
def test_the_next_pull_brings_a_tile_back(
    lake: Lake, kinds: list[str], spoil: Callable[[Path], object], metric: str
) -> None:
    before, first, held = seen(lake), seen(lake, 1), lake.snapshot().files
    for kind in kinds:
        spoil(file_of(lake, kind, metric, DAYS[0]))
    source = Steady()
    # What is lost is brought back whichever days are asked for; where the samples are whole, nobody is asked.
    done = pull_again(lake, source, Window(START + 3 * DAY, START + 4 * DAY))
    assert source.asked == ([] if kinds == ["rollups"] else [(metric, DAYS[0])])
    assert (done.version, done.tiles_pulled, done.warnings) == (3, 1, ())
    # The very same files, so that older versions and their reports are whole, too.
    assert (lake.snapshot().files, damaged(lake)) == (held, [])
    assert (seen(lake), seen(lake, 1)) == (before, first)


def test_what_is_lost_is_asked_for_and_nothing_else(lake: Lake) -> None:
    before, held = seen(lake), lake.snapshot().files
    some = {("up", DAYS[0]), ("up", DAYS[3]), ("readiness_state", DAYS[3]), ("tenant_label_rejections_total", DAYS[1])}
    for lost in (some, {file.tile for file in held}):
        for file in held:
            if file.tile in lost and file.kind == "samples":
                set_aside(file.path(lake.path))
        source = Steady()
        pull_again(lake, source)
        assert (sorted(source.asked), seen(lake)) == (sorted(lost), before)


def test_a_day_that_was_still_growing_is_not_taken_for_whole(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "growing")
    pull_days(str(lake.path), 2, hours=30)
    file_of(lake, "rollups", "up", DAYS[1]).unlink()
    # Its samples are whole, and end in the morning.
    source = Steady()
    pull_again(lake, source, Window(START, START + DAY), now=START + 6 * DAY)
    assert ("up", DAYS[1]) in source.asked
    tiles = lake.snapshot().tiles().query(f"metric == 'up' and date == '{DAYS[1]}'")
    assert (tiles["until"].item(), tiles["samples"].item()) == (START + 2 * DAY, 48)


def test_what_the_source_no_longer_has_is_told_until_it_comes_back(lake: Lake) -> None:
    """Three days of `up` are lost, of which the source has nothing, all but six hours, and all."""
    losses = {("up", DAYS[0]): (0, 48), ("up", DAYS[2]): (36, 48)}
    said = "up on 2026-10-07: 36 of 48 samples; the others were lost, and the source no longer has them"
    for day in (DAYS[0], DAYS[2], DAYS[3]):
        set_aside(file_of(lake, "samples", "up", day))
    retained = START + 2 * DAY + timedelta(hours=6)
    done = pull_again(lake, Steady(since=retained))
    assert (done.version, said in done.warnings) == (3, True)
    snapshot = lake.snapshot()
    assert (snapshot.shrunk, damaged(lake), len(snapshot.samples("up", FOUR))) == (losses, [], 36 + 48 + 48)
    # Reports on those days say it, and others do not; the old files lie beside.
    assert said in snapshot.warnings(FOUR)
    assert snapshot.warnings(Window(START + 3 * DAY, START + 4 * DAY)) == []
    assert len(list(lake.path.glob("samples/*/*.set-aside-1"))) == 3
    # A pull of other days does not ask for it, and does not forget it; one of those days does.
    assert pull_again(lake, window=Window(START + 4 * DAY, START + 5 * DAY)).version == 4
    assert (lake.snapshot().shrunk, said in lake.snapshot().warnings(FOUR)) == (losses, True)
    source = Steady(since=retained)
    assert (pull_again(lake, source).version, sorted(source.asked)) == (4, sorted(losses))
    # It comes back from a copy under its own name, or with the server's memory.
    aside = next(lake.path.glob(f"samples/{DAYS[2]}/*.set-aside-1"))
    aside.rename(aside.with_name(aside.name.removesuffix(".set-aside-1")))
    source = Steady(since=retained)
    pull_again(lake, source)
    assert (source.asked, lake.snapshot().shrunk.keys()) == ([("up", DAYS[0])], {("up", DAYS[0])})
    pull_days(str(lake.path), 6)
    assert (lake.snapshot().shrunk, lake.snapshot().warnings(FOUR)) == ({}, [])


class Leaving(Steady):
    """A source that leaves three histograms a day out of `up`, and may fail after so many reads."""

    def __init__(self, *, fails_from: int = 10**9, **how: Any) -> None:
        super().__init__(**how)
        self._fails_from = fails_from

    def read(self, metric: str, matchers: Any, window: Window) -> SeriesBatch:
        if len(self.asked) >= self._fails_from:
            raise SourceUnreachable("Source steady:// does not answer.")
        batch = super().read(metric, matchers, window)
        return replace(batch, left_out={"histograms were left out.": 3}) if metric == "up" else batch


def test_what_the_source_left_out_is_said_of_its_days_until_they_are_pulled_anew(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    one, two = Window(START, START + DAY), Window(START, START + 2 * DAY)
    said = {one: ["up: 3 histograms were left out."], two: ["up: 6 histograms were left out."]}
    third = Window(START + 2 * DAY, START + 3 * DAY)
    assert list(pull_again(lake, Leaving(), two).warnings) == said[two]
    pull_again(lake, Steady(), third)

    def told() -> list[list[str]]:
        return [lake.snapshot().warnings(window) for window in (one, two, third)]

    assert told() == [said[one], said[two], []]
    # A rollup that is lost is made again of the samples, whose file says it, in whatever folder the lake lies now.
    file_of(lake, "rollups", "up", DAYS[0]).unlink()
    lake = open_lake(lake.path.rename(tmp_path / "moved"))
    run_vacuum(lake, [], older_than=timedelta(hours=1))
    pull_again(lake, Steady(), third)
    assert told() == [said[one], said[two], []]
    # What comes anew speaks for itself.
    file_of(lake, "samples", "up", DAYS[0]).unlink()
    pull_again(lake, Steady(), third)
    assert told() == [[], said[one], []]


def test_what_an_interrupted_pull_left_out_is_said_by_the_one_that_takes_its_tiles_up(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    for fails_from in (3, 5):
        with pytest.raises(SourceUnreachable):
            pull_again(lake, Leaving(fails_from=fails_from), concurrency=1)
    source = Steady()
    done = pull_again(lake, source, concurrency=1)
    left = 4 - [metric for metric, _ in source.asked].count("up")
    assert (done.tiles_resumed, left > 0) == (8, True)
    assert list(done.warnings) == lake.snapshot().warnings(FOUR) == [f"up: {3 * left} histograms were left out."]


def test_samples_that_the_source_forgot_are_not_replaced_by_fewer(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    pull_days(str(lake.path), 1, hours=23)
    done = pull_again(lake, Steady(since=START + DAY), Window(START, START + 2 * DAY))
    assert lake.snapshot().by_tile["samples"]["up", DAYS[0]].rows == 46
    assert f"up on {DAYS[0]}: 46 samples are kept, for the source has 0 of them now" in done.warnings


# --- logs that a power cut left ---


@pytest.mark.parametrize("cut", [0, 300], ids=["nothing", "torn"])
@pytest.mark.parametrize("kinds", [["samples"], ["rollups"], ["samples", "rollups"]], ids=" and ".join)
def test_newest_logs_that_a_power_cut_left_are_set_aside(lake: Lake, kinds: list[str], cut: int) -> None:
    before, first = seen(lake), seen(lake, 1)
    for log in (log_file(lake.path / kind, 2) for kind in kinds):
        log.write_bytes(log.read_bytes()[:cut])
    with pytest.raises(LakeDamaged):
        lake.snapshot()
    aside = set_aside_torn(lake, {1})
    assert aside
    assert all(path.name.endswith(".json.set-aside-1") for path in aside)
    assert (seen(lake), lake.snapshot().version) == (first, 1)
    # What was published is on disk: nothing is asked of the source.
    source = Steady()
    pull_again(lake, source)
    assert (source.asked, seen(lake), set_aside_torn(lake, set())) == ([], before, [])


def test_a_samples_log_that_nothing_published_needs_is_enough(lake: Lake) -> None:
    before, unpublished = seen(lake), log_file(lake.path / "samples", 3)
    unpublished.write_bytes(log_file(lake.path / "samples", 2).read_bytes()[:300])
    with pytest.raises(LakeDamaged):
        lake.publish([], {})
    assert [path.name for path in set_aside_torn(lake, {2})] == [f"{unpublished.name}.set-aside-1"]
    assert (seen(lake), pull_days(str(lake.path), 5)) == (before, 3)


@pytest.mark.parametrize(("version", "published"), [(2, {2}), (1, set())], ids=["a report's", "an older one"])
def test_a_log_that_must_not_go_is_told_and_left(lake: Lake, version: int, published: set[int]) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in lake.path.rglob("*") if path.is_file() and path.name != ".lock"}

    log = log_file(lake.path / "rollups", version)
    log.write_bytes(log.read_bytes()[:300])
    before = files()
    with pytest.raises(LakeDamaged):
        set_aside_torn(lake, published)
    assert files() == before


def test_a_damaged_checkpoint_is_set_aside(lake: Lake) -> None:
    for kind in KINDS:
        DeltaTable(lake.path / kind).create_checkpoint()
    pull_days(str(lake.path), 5)
    before, chance, mended = seen(lake), np.random.default_rng(3), 0
    for checkpoint in [*lake.path.rglob("*.checkpoint.parquet"), *lake.path.rglob("_last_checkpoint")]:
        whole = checkpoint.read_bytes()
        for place in chance.integers(len(whole), size=30).tolist():
            flip(checkpoint, place, place % 7)
            aside = set_aside_torn(lake, set())
            mended += bool(aside)
            assert seen(lake) == before
            for path in aside:
                path.rename(path.with_name(path.name.removesuffix(".set-aside-1")))
            checkpoint.write_bytes(whole)
    assert mended


# --- vacuum ---


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def report(reports: Path, week: str, version: object) -> Path:
    """Publish a report that was made from a version."""
    with building(reports / week) as folder:
        (folder / "summary.json").write_text(json.dumps({"provenance": {"lake": {"rollups": version}}}))
        publish(folder, reports / week)
    return reports / week / "summary.json"


def vacuum(lake: Lake, reports: Path, *, older_than: timedelta = 30 * DAY, **how: Any) -> set[Path]:
    """The files that it removed."""
    return {path for path, _ in run_vacuum(lake, published_versions(reports), older_than=older_than, **how)}


def tiles(lake: Lake) -> set[Path]:
    return set(lake.path.glob("*/[0-9]*/*.parquet"))


def held(lake: Lake, *versions: int) -> set[Path]:
    return {file.path(lake.path) for version in versions for file in lake.snapshot(version).files}


@pytest.mark.parametrize("checkpoint", [False, True])
def test_only_what_old_versions_alone_hold_is_removed(old: Lake, reports: Path, checkpoint: bool) -> None:
    for kind in KINDS if checkpoint else ():
        DeltaTable(old.path / kind).create_checkpoint()
    before, looked, logs = tiles(old), seen(old), set(old.path.rglob("*.json"))
    assert vacuum(old, reports, dry_run=True) == before - held(old, 3)
    assert tiles(old) == before
    removed = vacuum(old, reports)
    # A tile of the second day in two versions: up, readiness, rejections; samples and rollups of each.
    assert (len(removed), tiles(old), removed) == (12, held(old, 3), before - held(old, 3))
    assert (seen(old), damaged(old), old.snapshot(1).lost() != set()) == (looked, [], True)
    # It commits nothing, and may come again.
    assert (set(old.path.rglob("*.json")), vacuum(old, reports), pull_days(str(old.path), 3)) == (logs, set(), 4)


def test_what_reports_name_is_kept_earlier_editions_and_one_under_way_too(old: Lake, reports: Path) -> None:
    (reports / "notes").mkdir(parents=True)
    (reports / "2026-W41.stale").write_text("why")
    assert published_versions(reports) == published_versions(reports / "nowhere") == {}
    report(reports, "2026-W39", 99)  # made from a lake that was moved away
    report(reports, "2026-W41", 1)
    report(reports, "2026-W41", 3)
    named = {1: ["report 2026-W41 (an earlier edition)"], 3: ["report 2026-W41"], 99: ["report 2026-W39"]}
    assert published_versions(reports) == named
    looked = {version: seen(old, version) for version in (1, 3)}
    with building(reports / "2026-W42") as folder:
        (folder / "summary.json").write_text('{"provenance": {"lake": {"rollups": 2}}}')
        assert published_versions(reports)[2] == ["a report under way"]
        assert vacuum(old, reports) == set()
    assert vacuum(old, reports) == held(old, 2) - held(old, 1, 3)
    assert {version: seen(old, version) for version in (1, 3)} == looked


def test_a_report_that_cannot_be_read_or_is_gone_stops_it(old: Lake, reports: Path) -> None:
    summary = report(reports, "2026-W41", 1)
    for spoilt in ("", "{", "[]", '{"provenance": {}}', '{"provenance": {"lake": {"rollups": "1"}}}', None):
        if spoilt is None:
            summary.resolve().parent.rename(reports / "elsewhere")
        else:
            summary.write_text(spoilt)
        with pytest.raises(LakeDamaged, match=r"Report .*2026-W41/summary\.json cannot be read.* Nothing was changed"):
            vacuum(old, reports)


@pytest.mark.parametrize("event", ["c_call", "c_return"])
def test_after_an_interrupted_publication_what_is_published_stays(
    old: Lake, reports: Path, run: Mortals, event: str
) -> None:
    looked = seen(old)
    spoilt = {"die_at": (event, "create_write_transaction", 1)}
    assert run("pull_days", old.path, 4, spoilt=spoilt)["status"] == -signal.SIGKILL
    age(old.path, 40)
    vacuum(old, reports)
    assert (seen(old), damaged(old)) == (looked, [])
    assert pull_days(str(old.path), 4) == 4
    age(old.path, 40)
    vacuum(old, reports)
    assert damaged(old) == []


def test_what_no_log_names_stays(old: Lake, reports: Path, tmp_path: Path) -> None:
    day = old.path / "samples" / "2026-10-06"
    own = next(path for path in held(old, 1) if path.parent == day)
    outside = tmp_path / "outside.parquet"
    foreign = [folder / f"9{own.name}" for folder in (day, day / "deep", old.path, old.path / "samples")]
    foreign += [old.path / "samples" / "_delta_log" / "notes.txt", day / f".{own.name}.unfinished", outside]
    foreign += [own.with_name(f"{own.name}.set-aside-1")]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    links = [day / own.name.replace("-", "9-", 1), old.path / "rollups" / "2026-11-01"]
    links[0].symlink_to(outside)
    links[1].symlink_to(day, target_is_directory=True)
    assert len(vacuum(old, reports)) == 12
    assert all(path.exists() for path in [*foreign, *links])


@pytest.mark.parametrize("times", [1, 7])
def test_killed_in_the_middle_or_on_a_failing_disk(old: Lake, reports: Path, run: Mortals, times: int) -> None:
    looked = seen(old)
    assert run("tidy", old.path, reports, spoilt={"die_at": ("c_call", "unlink", times)}) == {"status": -signal.SIGKILL}
    assert seen(old) == looked
    met = run("tidy", old.path, reports, spoilt={"fail_at": ("unlink", 3)})
    assert (met["kind"], met["code"]) == ("LakeUnwritable", 5)
    vacuum(old, reports)
    assert (tiles(old), seen(old)) == (held(old, 3), looked)


def test_what_stops_a_vacuum(old: Lake, reports: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="under 1h is too young"):
        vacuum(old, reports, older_than=timedelta(hours=0.5))
    with pytest.raises(UsageError, match="is empty"):
        vacuum(open_lake(tmp_path / "none"), reports)
    assert not (tmp_path / "none").exists()
    with old.locked(0), pytest.raises(LakeLocked):
        vacuum(old, reports, lock_seconds=0)
    report(reports, "2026-W41", 2)
    log = log_file(old.path / "rollups", 2)
    log.write_text(log.read_text().replace("readiness_state-", "readiness_stale-", 1))
    before = tiles(old)
    with pytest.raises(LakeDamaged):
        vacuum(old, reports)
    assert tiles(old) == before
