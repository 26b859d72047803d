"""Vacuum: it makes room, and nothing that anybody may still want to read goes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from killed_pull import Mortals, age, look, mortals, pull_days

from cloudxai_analysis.ground.errors import LakeDamaged, LakeLocked, LakeUnwritable, UsageError
from cloudxai_analysis.lake.lock import locked_lake
from cloudxai_analysis.lake.tables import Lake, open_lake
from cloudxai_analysis.lake.upkeep import damages, ever_named, found_files, held_files
from cloudxai_analysis.lake.vacuum import Removed, kept_versions, published_versions, said_versions, vacuum
from cloudxai_analysis.report.publish import building, publish

DAYS_OLD = 40


@pytest.fixture(scope="module")
def run() -> Iterator[Mortals]:
    with mortals() as program:
        yield program


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three versions, written long ago: the second day grew twice."""
    path = tmp_path / "lake"
    for version, hours in enumerate((30, 34, 0), start=1):
        assert pull_days(str(path), 2, hours=hours) == version
    age(path, DAYS_OLD)
    return open_lake(path)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def report(reports: Path, week: str, version: object) -> Path:
    """Publish a report that was made from a version."""
    with building(reports / week) as folder:
        stated = {"provenance": {"lake": {"rollups": version, "samples": version}}}
        (folder / "summary.json").write_text(json.dumps(stated))
        publish(folder, reports / week)
    return reports / week / "summary.json"


def tiles(lake: Lake) -> set[Path]:
    return set(found_files(lake).tiles)


def seen(lake: Lake) -> dict[int, str]:
    """What each version looks like."""
    return {version: look(str(lake.path), version) for version in range(1, lake.snapshot().version + 1)}


def test_only_what_old_versions_alone_hold_is_removed(lake: Lake, reports: Path) -> None:
    before, newest = tiles(lake), {file.path for file in held_files([lake.snapshot()])}
    looked = seen(lake)
    logs = set(lake.path.rglob("*.json"))
    removed = vacuum(lake, reports)
    assert removed.kept == (3,)
    # A tile of the second day in two versions: up, readiness, rejections; samples and rollups of each.
    assert len(removed.files) == 12
    assert removed.size > 12 * 1_000
    assert tiles(lake) == newest == before - set(removed.files)
    assert look(str(lake.path)) == looked[3]
    assert logs <= set(lake.path.rglob("*.json"))
    assert not list(damages(held_files([lake.snapshot()])))


def test_a_version_that_lost_nothing_stays_readable(tmp_path: Path, reports: Path) -> None:
    path = tmp_path / "lake"
    for days in (1, 2):
        pull_days(str(path), days)
    for hours in (60, 0):
        pull_days(str(path), 3, hours=hours)
    age(path, DAYS_OLD)
    lake = open_lake(path)
    first = look(str(path), 1)
    assert vacuum(lake, reports).kept == (4,)
    assert look(str(path), 1) == first
    assert lake.snapshot(3).lost()


def test_what_a_report_names_is_kept(lake: Lake, reports: Path) -> None:
    report(reports, "2026-W41", 1)
    assert published_versions(reports) == {1: {"2026-W41"}}
    looked = seen(lake)
    removed = vacuum(lake, reports)
    assert (removed.kept, len(removed.files)) == ((1, 3), 6)
    assert {version: look(str(lake.path), version) for version in (1, 3)} == {1: looked[1], 3: looked[3]}


def test_earlier_editions_of_a_report_and_one_under_way_are_kept(lake: Lake, reports: Path) -> None:
    report(reports, "2026-W41", 1)
    report(reports, "2026-W41", 3)
    assert published_versions(reports) == {1: {"2026-W41"}, 3: {"2026-W41"}}
    with building(reports / "2026-W42") as folder:
        (folder / "summary.json").write_text('{"provenance": {"lake": {"rollups": 2}}}')
        assert published_versions(reports)[2] == {"one under way"}
        assert vacuum(lake, reports).files == ()


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"provenance": {}}', '{"provenance": {"lake": {"rollups": "1"}}}'])
def test_a_report_that_cannot_be_read_stops_it(lake: Lake, reports: Path, spoilt: str) -> None:
    summary = report(reports, "2026-W41", 1)
    summary.write_text(spoilt)
    before = tiles(lake)
    with pytest.raises(LakeDamaged, match=r"Report .*summary\.json cannot be read .* Nothing was removed"):
        vacuum(lake, reports)
    assert tiles(lake) == before


def test_a_report_that_is_gone_stops_it(lake: Lake, reports: Path) -> None:
    summary = report(reports, "2026-W41", 1)
    summary.resolve().parent.rename(reports / "elsewhere")
    with pytest.raises(LakeDamaged, match="2026-W41"):
        vacuum(lake, reports)


def test_folders_that_are_no_reports_do_not_matter(lake: Lake, reports: Path) -> None:
    (reports / "notes").mkdir(parents=True)
    (reports / "2026-W41.stale").write_text("why")
    assert published_versions(reports) == {}
    assert published_versions(reports / "nowhere") == {}


def test_a_version_is_as_old_as_the_one_that_followed_it(lake: Lake, reports: Path) -> None:
    pull_days(str(lake.path), 3)
    now = open_lake(lake.path).snapshot().version
    # The third was what readers opened until a moment ago, although it was written 40 days before.
    removed = vacuum(lake, reports)
    assert removed.kept == (3, now)


def test_young_files_stay_whoever_holds_them(lake: Lake, reports: Path) -> None:
    young = next(file.path for file in held_files([lake.snapshot(1)]) if file.date == "2026-10-06")
    os.utime(young)
    assert young not in vacuum(lake, reports).files
    assert young.exists()


def test_what_an_interrupted_pull_left_goes_when_it_is_old(lake: Lake, reports: Path, run: Mortals) -> None:
    assert run("pull_days", lake.path, 4, spoilt={"die_at": ("call", "publish", 1)})["status"] == -signal.SIGKILL
    left = tiles(lake) - ever_named(lake)
    assert len(left) == 12
    assert not left & set(vacuum(lake, reports).files)
    age(lake.path, DAYS_OLD)
    assert set(vacuum(lake, reports).files) == left
    assert pull_days(str(lake.path), 4) == 4


def test_foreign_files_and_files_in_the_making_stay(lake: Lake, reports: Path, tmp_path: Path) -> None:
    day = lake.path / "samples" / "2026-10-06"
    held = next(file.path for file in held_files([lake.snapshot(1)]) if file.date == "2026-10-06")
    outside = tmp_path / "outside.parquet"
    outside.write_bytes(held.read_bytes())
    foreign = [
        day / "notes.parquet",
        day / "deep" / held.name,
        lake.path / held.name,
        lake.path / "samples" / held.name,
    ]
    foreign += [lake.path / "samples" / "_delta_log" / "notes.txt", lake.path / "other" / "2026-10-06" / held.name]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    links = [day / held.name.replace("up", "down"), lake.path / "rollups" / "2026-11-01"]
    links[0].symlink_to(outside)
    links[1].symlink_to(day, target_is_directory=True)
    making = held.with_suffix(".77.building")
    making.write_bytes(b"half")
    age(lake.path, DAYS_OLD)
    tree = found_files(lake)
    assert set(tree.foreign) == {*foreign, *links}
    assert tree.making == (making,)
    assert len(vacuum(lake, reports).files) == 12
    assert all(os.path.lexists(path) for path in [*foreign, *links, making, outside])
    assert look(str(lake.path)) == look(str(lake.path), 3)


def test_a_dry_run_removes_nothing(lake: Lake, reports: Path) -> None:
    before = sorted(lake.path.rglob("*"))
    told = vacuum(lake, reports, dry_run=True)
    assert sorted(lake.path.rglob("*")) == before
    assert vacuum(lake, reports) == told


def test_again_is_once(lake: Lake, reports: Path) -> None:
    vacuum(lake, reports)
    assert vacuum(lake, reports) == Removed((), 0, (3,))


def test_what_a_younger_vacuum_gave_up_is_not_kept_by_an_older_one(tmp_path: Path, reports: Path) -> None:
    path = tmp_path / "lake"
    for hours in (30, 34, 0):
        pull_days(str(path), 2, hours=hours)
    age(path, 3)
    lake = open_lake(path)
    assert vacuum(lake, reports).kept == (1, 2, 3)
    assert vacuum(lake, reports, older_than=timedelta(days=1)).kept == (3,)
    assert vacuum(lake, reports) == Removed((), 0, (3,))


def test_what_is_left_of_a_damaged_version_that_a_report_names_stays(lake: Lake, reports: Path) -> None:
    report(reports, "2026-W41", 1)
    next(file.path for file in held_files([lake.snapshot(1)]) if file.date == "2026-10-06").unlink()
    before = tiles(lake)
    removed = vacuum(lake, reports)
    assert removed.kept == (1, 3)
    assert not set(removed.files) & {file.path for file in held_files([lake.snapshot(1)])}
    assert tiles(lake) == before - set(removed.files)


@pytest.mark.parametrize("times", [1, 2, 7])
def test_killed_in_the_middle(lake: Lake, reports: Path, run: Mortals, times: int) -> None:
    looked = look(str(lake.path))
    died = run("tidy", lake.path, reports, spoilt={"die_at": ("c_call", "unlink", times)})
    assert died == {"status": -signal.SIGKILL}
    assert look(str(lake.path)) == looked
    assert bool(lake.snapshot(1).lost() | lake.snapshot(2).lost()) == (times > 1)
    vacuum(lake, reports)
    assert tiles(lake) == {file.path for file in held_files([lake.snapshot()])}
    assert look(str(lake.path)) == looked


@pytest.mark.parametrize("hours", [0, 0.5])
def test_an_age_that_readers_may_reach_is_refused(lake: Lake, reports: Path, hours: float) -> None:
    with pytest.raises(UsageError, match="under 1h is too young"):
        vacuum(lake, reports, older_than=timedelta(hours=hours))


def test_an_empty_lake_has_nothing_to_vacuum(tmp_path: Path, reports: Path) -> None:
    with pytest.raises(UsageError, match="is empty"):
        vacuum(open_lake(tmp_path / "none"), reports)
    assert not (tmp_path / "none").exists()


def test_it_waits_for_the_lock(lake: Lake, reports: Path) -> None:
    with locked_lake(lake, 0), pytest.raises(LakeLocked):
        vacuum(lake, reports, lock_seconds=0)
    assert len(vacuum(lake, reports, lock_seconds=0).files) == 12


def test_a_kept_version_that_is_damaged_stops_it(lake: Lake, reports: Path) -> None:
    report(reports, "2026-W41", 2)
    log = lake.path / "rollups" / "_delta_log" / f"{2:020d}.json"
    log.write_text(log.read_text().replace("readiness_state-", "readiness_stale-", 1))
    before = tiles(lake)
    with pytest.raises(LakeDamaged):
        vacuum(lake, reports)
    assert tiles(lake) == before


def test_a_disk_that_fails_is_one_line(lake: Lake, reports: Path, run: Mortals) -> None:
    met = run("tidy", lake.path, reports, spoilt={"fail_at": ("unlink", 3)})
    assert (met["kind"], met["code"]) == (LakeUnwritable.__name__, 5)
    assert vacuum(lake, reports).kept == (3,)


def test_kept_versions_of_a_long_history(tmp_path: Path) -> None:
    path = tmp_path / "lake"
    for hours in range(30, 40):
        pull_days(str(path), 2, hours=hours)
    lake = open_lake(path)
    for version in range(1, 11):
        log = path / "rollups" / "_delta_log" / f"{version:020d}.json"
        os.utime(log, (version * 86_400, version * 86_400))
    kept = kept_versions(
        lake, {3: set(), 99: set()}, older_than=timedelta(days=3), now=datetime(1970, 1, 13, tzinfo=UTC)
    )
    # The eighth was the newest until the ninth came, three days before; the ninth until two days before.
    assert kept == [3, 9, 10]


def test_versions_are_said_in_runs() -> None:
    assert said_versions([3]) == "version 3"
    assert said_versions([7, 1, 4, 5, 6]) == "versions 1, 4 to 7"
