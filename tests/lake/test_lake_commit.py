"""Publication: all of a pull or none of it, whatever a crash or a damaged log leaves behind."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable

from cloudxai_analysis.ground.errors import LakeDamaged, RefusedForSecurity, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import Lake, open_lake
from cloudxai_analysis.lake.tiles import TileFile, remove_unfinished, write_tile
from cloudxai_analysis.sources.series import SeriesBatch

MONDAY, TUESDAY, WEDNESDAY = Window(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 5, tzinfo=UTC)).days()
DAYS = Window(MONDAY.start, WEDNESDAY.end)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path / "lake")


def tile(lake: Lake, day: Window, value: float, *, hours: int = 24) -> list[TileFile]:
    """A day of one sample, asked for up to so many hours."""
    batch = SeriesBatch.of("m", [({"a": "b"}, np.array([day.start_ms]), np.array([value]))])
    return write_tile(lake.path, batch, day, day.start + timedelta(hours=hours), "tenant").files


@pytest.fixture
def two(lake: Lake) -> Lake:
    """A lake with two days, the second of which was still growing."""
    assert lake.publish([*tile(lake, MONDAY, 1), *tile(lake, TUESDAY, 2, hours=9)], {"source": "x"}) == 1
    return lake


def values(snapshot: Snapshot) -> list[float]:
    """The lake's samples by day; rollups must tell the same."""
    samples = snapshot.samples("m", DAYS)["value"].tolist()
    assert snapshot.hours("m", DAYS)["last"].tolist() == samples
    assert len(snapshot.tiles()) == len(samples)
    return samples


def newest_log(lake: Lake, table: str) -> Path:
    return max((lake.path / table / "_delta_log").glob("*.json"))


def test_a_publication_adds_and_replaces_and_older_versions_stay(lake: Lake, request: pytest.FixtureRequest) -> None:
    with pytest.raises(UsageError, match="is empty"):
        lake.snapshot()
    two: Lake = request.getfixturevalue("two")
    old = two.snapshot()
    assert two.publish([*tile(two, TUESDAY, 3), *tile(two, WEDNESDAY, 4)], {"source": "y"}) == 2
    assert values(two.snapshot()) == [1, 3, 4]
    assert values(old) == values(open_lake(two.path).snapshot(1)) == [1, 2]
    assert [two.snapshot(version).provenance["source"] for version in (1, 2)] == ["x", "y"]
    assert two.snapshot(1).tiles()["until"].tolist() == [MONDAY.end, TUESDAY.start + timedelta(hours=9)]
    for version in (-1, 3):
        with pytest.raises(UsageError, match=f"no version {version}. It has 1 to 2"):
            two.snapshot(version)


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        pytest.param([(TUESDAY, 3), (WEDNESDAY, 4)], [1, 3, 4], id="the same pull"),
        pytest.param([(WEDNESDAY, 5)], [1, 2, 5], id="another day: what was taken out comes back"),
        pytest.param([(MONDAY, 1)], [1, 2], id="nothing new"),
        pytest.param([], [1, 2], id="nothing at all"),
    ],
)
def test_publication_after_an_interrupted_one(two: Lake, again: list, expected: list[float]) -> None:
    """A crash between the two commits leaves a commit of samples that no commit of rollups names."""
    two.publish([*tile(two, TUESDAY, 3), *tile(two, WEDNESDAY, 4)], {})
    newest_log(two, "rollups").unlink()
    assert values(two.snapshot()) == [1, 2]
    two.publish([file for day, value in again for file in tile(two, day, value)], {})
    assert values(two.snapshot()) == expected
    assert values(two.snapshot(1)) == [1, 2]


@pytest.mark.parametrize("how", ["between the commits", "samples", "rollups"])
def test_the_first_publication_interrupted(lake: Lake, how: str) -> None:
    if how == "between the commits":
        lake.publish(tile(lake, MONDAY, 1), {})
        newest_log(lake, "rollups").unlink()
    else:
        (lake.path / how / "_delta_log").mkdir(parents=True)
    assert not lake.exists
    lake.publish(tile(lake, TUESDAY, 2), {})
    assert values(lake.snapshot()) == [2]


def test_foreign_files_in_the_tree_are_left_alone(two: Lake) -> None:
    whole = next(two.path.glob("samples/2026-11-02/*"))
    foreign, unfinished = whole.with_name("notes.txt"), whole.with_name(f".{whole.name}.unfinished")
    for path in (foreign, unfinished):
        path.write_text("mine")
    remove_unfinished(two.path)
    two.publish(tile(two, WEDNESDAY, 3), {})
    assert values(two.snapshot()) == [1, 2, 3]
    assert (foreign.read_text(), unfinished.exists()) == ("mine", False)


@pytest.mark.parametrize("place", ["", "samples/2026-11-04", ".lock"])
def test_a_link_in_the_place_of_a_folder_or_lock_is_not_followed(two: Lake, tmp_path: Path, place: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = two.path / place
    if path.exists():
        path.rename(tmp_path / "aside")
    path.symlink_to(elsewhere / "lock" if place == ".lock" else elsewhere)
    with pytest.raises(RefusedForSecurity, match="is a link, which is not followed"), two.locked(0):
        tile(two, WEDNESDAY, 3)
    assert list(elsewhere.iterdir()) == []


def told(lake: Lake) -> tuple[dict, list]:
    snapshot = lake.snapshot()
    return snapshot.provenance, [snapshot.tiles().to_dict(), snapshot.files, values(snapshot)]


@pytest.mark.parametrize("table", ["samples", "rollups"])
@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_changed_byte_of_a_log_is_refused_or_changes_nothing(
    two: Lake, tmp_path: Path, table: str, version: int
) -> None:
    two.publish([*tile(two, TUESDAY, 3), *tile(two, WEDNESDAY, 4)], {"window": "w", "now": "n"})
    provenance, seen = told(two)
    spoilt = tmp_path / "spoilt"
    shutil.copytree(two.path, spoilt)
    log = spoilt / table / "_delta_log" / f"{version:020d}.json"
    whole = log.read_bytes()
    refused = 0
    for place in range(0, len(whole), 61):
        log.write_bytes(whole[:place] + bytes([whole[place] ^ 0x04]) + whole[place + 1 :])
        try:
            stated, found = told(open_lake(spoilt))
        except LakeDamaged:
            refused += 1
            continue
        assert (found, {name: stated.get(name) for name in provenance}) == (seen, provenance)
    assert refused
    log.unlink()
    if version == 1:
        with pytest.raises(LakeDamaged, match=re.escape(str(spoilt))):
            open_lake(spoilt).snapshot()


def test_a_commit_of_someone_else_is_refused(two: Lake) -> None:
    log = newest_log(two, "rollups")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    stated = next(line["commitInfo"] for line in lines if "commitInfo" in line)
    stated["cloudxai"] = json.dumps({k: v for k, v in json.loads(stated["cloudxai"]).items() if k != "seal"})
    sealed, unsealed = log.read_text(), "\n".join(map(json.dumps, lines))
    log.write_text(unsealed)
    with pytest.raises(LakeDamaged, match="does not hold what was committed as version 1"):
        two.snapshot()
    log.write_text(sealed)
    DeltaTable(two.path / "rollups").delete()
    with pytest.raises(LakeDamaged, match="not written by this suite"):
        two.snapshot()
    assert values(two.snapshot(1)) == [1, 2]


PULL = "import sys; sys.path.insert(0, sys.argv[2]); from killed_pull import pull_days; pull_days(sys.argv[1], 1)"


@pytest.mark.needs("strace")
def test_each_step_is_on_disk_before_the_next(tmp_path: Path) -> None:
    """What a power cut may leave: no tile without its bytes, no commit without its tiles, no publication of neither."""
    calls = ["strace", "-f", "-qq", "-y", "-e", "trace=fsync,rename,linkat", "-o", tmp_path / "calls"]
    lake = tmp_path / "lake"
    subprocess.run([*calls, sys.executable, "-c", PULL, lake, Path(__file__).parents[1]], check=True)
    told = re.findall(
        rf"(fsync|rename|linkat)\([^\n]*?{lake}(/[^>\"]*|)(?:[^\n]*{lake}(/[^\"]*))?", (tmp_path / "calls").read_text()
    )
    steps = [(call, f"{second or first}") for call, first, second in told]
    place = {step: number for number, step in reversed([*enumerate(steps)])}
    tiles = [step for step in steps if step[0] == "rename"]
    assert len(tiles) == 6
    begun = place["linkat", "/samples/_delta_log/00000000000000000000.json"]
    for call in tiles:
        folder, name = call[1].rsplit("/", maxsplit=1)
        (written,) = (step for step in place if step[0] == "fsync" and step[1].startswith(f"{folder}/.{name}"))
        assert place[written] < place[call] < begun
        assert place[call] < max(n for n, step in enumerate(steps) if step == ("fsync", folder)) < begun
    commits = [f"/{kind}/_delta_log/{version:020d}.json" for version in (0, 1) for kind in ("samples", "rollups")]
    for log, after in zip(commits, [*commits[1:], None], strict=True):
        synced = [place["fsync", log], *(n for n, step in enumerate(steps) if step == ("fsync", str(Path(log).parent)))]
        end = place["linkat", after] if after else len(steps)
        assert place["linkat", log] < synced[0] < end
        assert any(synced[0] < number < end for number in synced[1:])
