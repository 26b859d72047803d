"""Vacuum: it makes room, and nothing that anybody may still want to read goes."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from killed_pull import Mortals, age, damaged, look, mortals, pull_days

from cloudxai_analysis.ground.errors import LakeDamaged, LakeLocked, UsageError
from cloudxai_analysis.ground.window import DAY
from cloudxai_analysis.lake.files import KINDS
from cloudxai_analysis.lake.tables import Lake, log_file, open_lake
from cloudxai_analysis.lake.upkeep import published_versions
from cloudxai_analysis.lake.upkeep import vacuum as run_vacuum
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


def vacuum(lake: Lake, reports: Path, *, older_than: timedelta = 30 * DAY, **how) -> set[Path]:
    """The files that it removed."""
    return {path for path, _ in run_vacuum(lake, published_versions(reports), older_than=older_than, **how)}


def tiles(lake: Lake) -> set[Path]:
    return set(lake.path.rglob("*.parquet"))


def held(lake: Lake, *versions: int) -> set[Path]:
    return {file.path(lake.path) for version in versions for file in lake.snapshot(version).files}


def test_only_what_old_versions_alone_hold_is_removed(lake: Lake, reports: Path) -> None:
    before, looked, logs = tiles(lake), look(str(lake.path)), set(lake.path.rglob("*.json"))
    assert vacuum(lake, reports, dry_run=True) == before - held(lake, 3)
    assert tiles(lake) == before
    removed = vacuum(lake, reports)
    # A tile of the second day in two versions: up, readiness, rejections; samples and rollups of each.
    assert (len(removed), tiles(lake)) == (12, held(lake, 3))
    assert removed == before - held(lake, 3)
    assert (look(str(lake.path)), damaged(lake), lake.snapshot(1).lost() != set()) == (looked, [], True)
    # It commits nothing, and may come again.
    assert (set(lake.path.rglob("*.json")), lake.snapshot().version) == (logs, 3)
    assert vacuum(lake, reports) == set()
    assert pull_days(str(lake.path), 3) == 4


def test_a_version_that_lost_nothing_stays_readable(tmp_path: Path, reports: Path) -> None:
    path = tmp_path / "lake"
    for days in (1, 2):
        pull_days(str(path), days)
    for hours in (60, 0):
        pull_days(str(path), 3, hours=hours)
    age(path, DAYS_OLD)
    first = look(str(path), 1)
    assert vacuum(open_lake(path), reports)
    assert look(str(path), 1) == first
    assert open_lake(path).snapshot(3).lost()


def test_what_a_report_names_is_kept(lake: Lake, reports: Path) -> None:
    report(reports, "2026-W41", 1)
    report(reports, "2026-W39", 99)  # made from a lake that was moved away
    assert published_versions(reports) == {1: ["report 2026-W41"], 99: ["report 2026-W39"]}
    looked = {version: look(str(lake.path), version) for version in (1, 3)}
    assert vacuum(lake, reports) == held(lake, 2) - held(lake, 1, 3)
    assert {version: look(str(lake.path), version) for version in (1, 3)} == looked


def test_earlier_editions_of_a_report_and_one_under_way_are_kept(lake: Lake, reports: Path) -> None:
    report(reports, "2026-W41", 1)
    report(reports, "2026-W41", 3)
    assert published_versions(reports) == {1: ["report 2026-W41 (an earlier edition)"], 3: ["report 2026-W41"]}
    with building(reports / "2026-W42") as folder:
        (folder / "summary.json").write_text('{"provenance": {"lake": {"rollups": 2}}}')
        assert published_versions(reports)[2] == ["a report under way"]
        assert vacuum(lake, reports) == set()


SPOILT = ["", "{", "[]", '{"provenance": {}}', '{"provenance": {"lake": {"rollups": "1"}}}', None]


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_report_that_cannot_be_read_or_is_gone_stops_it(lake: Lake, reports: Path, spoilt: str | None) -> None:
    summary = report(reports, "2026-W41", 1)
    if spoilt is None:
        summary.resolve().parent.rename(reports / "elsewhere")
    else:
        summary.write_text(spoilt)
    with pytest.raises(LakeDamaged, match=r"Report .*2026-W41/summary\.json cannot be read.* Nothing was changed"):
        vacuum(lake, reports)


def test_folders_that_are_no_reports_do_not_matter(reports: Path) -> None:
    (reports / "notes").mkdir(parents=True)
    (reports / "2026-W41.stale").write_text("why")
    assert published_versions(reports) == published_versions(reports / "nowhere") == {}


def test_a_version_is_as_old_as_the_one_that_followed_it(lake: Lake, reports: Path) -> None:
    vacuum(lake, reports)
    assert pull_days(str(lake.path), 2.5, hours=70) == 4
    assert pull_days(str(lake.path), 3) == 5
    age(lake.path, 3)
    # The fourth was what readers opened until three days ago.
    assert vacuum(lake, reports, older_than=4 * DAY) == set()
    assert vacuum(lake, reports, older_than=2 * DAY) == held(lake, 4) - held(lake, 5)


def test_removals_are_remembered_over_checkpoints(lake: Lake, reports: Path) -> None:
    for kind in KINDS:
        DeltaTable(lake.path / kind).create_checkpoint()
    assert len(vacuum(lake, reports)) == 12


@pytest.mark.parametrize("event", ["c_call", "c_return"])
def test_after_an_interrupted_publication_what_is_published_stays(
    lake: Lake, reports: Path, run: Mortals, event: str
) -> None:
    looked = look(str(lake.path))
    spoilt = {"die_at": (event, "create_write_transaction", 1)}
    assert run("pull_days", lake.path, 4, spoilt=spoilt)["status"] == -signal.SIGKILL
    age(lake.path, DAYS_OLD)
    vacuum(lake, reports)
    assert (look(str(lake.path)), damaged(lake)) == (looked, [])
    assert pull_days(str(lake.path), 4) == 4
    age(lake.path, DAYS_OLD)
    vacuum(lake, reports)
    assert damaged(lake) == []


def test_what_no_log_names_stays(lake: Lake, reports: Path, tmp_path: Path) -> None:
    day = lake.path / "samples" / "2026-10-06"
    own = next(path for path in held(lake, 1) if path.parent == day)
    outside = tmp_path / "outside.parquet"
    outside.write_bytes(own.read_bytes())
    places = [day, day / "deep", lake.path, lake.path / "samples", lake.path / "other" / "2026-10-06"]
    foreign = [folder / f"9{own.name}" for folder in places]
    foreign += [lake.path / "samples" / "_delta_log" / "notes.txt", day / f".{own.name}.unfinished"]
    foreign += [own.with_name(f"{own.name}.set-aside-1")]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    links = [day / own.name.replace("-", "9-", 1), lake.path / "rollups" / "2026-11-01"]
    links[0].symlink_to(outside)
    links[1].symlink_to(day, target_is_directory=True)
    assert len(vacuum(lake, reports)) == 12
    assert all(path.exists() for path in [*foreign, *links, outside])


def test_what_is_left_of_a_damaged_version_that_a_report_names_stays(lake: Lake, reports: Path) -> None:
    report(reports, "2026-W41", 1)
    next(path for path in held(lake, 1) if path.parent.name == "2026-10-06").unlink()
    assert not vacuum(lake, reports) & held(lake, 1)


@pytest.mark.parametrize("times", [1, 2, 7])
def test_killed_in_the_middle(lake: Lake, reports: Path, run: Mortals, times: int) -> None:
    looked = look(str(lake.path))
    died = run("tidy", lake.path, reports, spoilt={"die_at": ("c_call", "unlink", times)})
    assert died == {"status": -signal.SIGKILL}
    assert look(str(lake.path)) == looked
    vacuum(lake, reports)
    assert (tiles(lake), look(str(lake.path))) == (held(lake, 3), looked)


@pytest.mark.parametrize("hours", [0, 0.5])
def test_an_age_that_readers_may_reach_is_refused(lake: Lake, reports: Path, hours: float) -> None:
    with pytest.raises(UsageError, match="under 1h is too young"):
        vacuum(lake, reports, older_than=timedelta(hours=hours))


def test_an_empty_lake_has_nothing_to_vacuum(tmp_path: Path, reports: Path) -> None:
    with pytest.raises(UsageError, match="is empty"):
        vacuum(open_lake(tmp_path / "none"), reports)
    assert not (tmp_path / "none").exists()


def test_it_waits_for_the_lock(lake: Lake, reports: Path) -> None:
    with lake.locked(0), pytest.raises(LakeLocked):
        vacuum(lake, reports, lock_seconds=0)
    assert len(vacuum(lake, reports, lock_seconds=0)) == 12


def test_a_kept_version_that_is_damaged_stops_it(lake: Lake, reports: Path) -> None:
    report(reports, "2026-W41", 2)
    log = log_file(lake.path / "rollups", 2)
    log.write_text(log.read_text().replace("readiness_state-", "readiness_stale-", 1))
    before = tiles(lake)
    with pytest.raises(LakeDamaged):
        vacuum(lake, reports)
    assert tiles(lake) == before


def test_a_disk_that_fails_is_one_line(lake: Lake, reports: Path, run: Mortals) -> None:
    met = run("tidy", lake.path, reports, spoilt={"fail_at": ("unlink", 3)})
    assert (met["kind"], met["code"]) == ("LakeUnwritable", 5)
    assert vacuum(lake, reports)
