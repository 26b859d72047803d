"""Damage is found wherever it is; the next pull brings back what the source still has, and nothing is deleted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deltalake import DeltaTable
from killed_pull import LATER, START, Steady, contract, damaged, fingerprint, look, pull_days

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake.commit import publish
from cloudxai_analysis.lake.files import KINDS
from cloudxai_analysis.lake.pull import Pulled, pull
from cloudxai_analysis.lake.tables import Lake, log_file, open_lake
from cloudxai_analysis.lake.upkeep import set_aside, set_aside_torn

DAYS = [f"2026-10-{day:02}" for day in range(5, 9)]
FOUR = Window(START, START + 4 * DAY)


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days of three metrics, of which one has no samples on odd days; the last two came later."""
    path = tmp_path_factory.mktemp("upkeep") / "lake"
    pull_days(str(path), 2)
    pull_days(str(path), 4)
    return path


@pytest.fixture
def lake(pulled: Path, tmp_path: Path) -> Lake:
    shutil.copytree(pulled, tmp_path / "lake")
    return open_lake(tmp_path / "lake")


def file_of(lake: Lake, kind: str, metric: str, date: str) -> Path:
    return lake.snapshot().by_tile[kind][metric, date].path(lake.path)


def flip(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def pull_again(lake: Lake, source: Steady | None = None, window: Window = FOUR, **how: Any) -> Pulled:
    return pull(source or Steady(), lake, contract(), window, **{"now": LATER, **how})


SPOILS: list[Callable[[Path], object]] = [
    lambda path: (flip(path, 40, 3), set_aside(path)),
    lambda path: (path.write_bytes(b""), set_aside(path)),
    lambda path: path.unlink(),
]


@pytest.mark.parametrize("spoil", SPOILS, ids=["flipped", "empty", "gone"])
@pytest.mark.parametrize("kinds", [["samples"], ["rollups"], ["samples", "rollups"]], ids=" and ".join)
@pytest.mark.parametrize("metric", ["up", "readiness_state"])
def test_the_next_pull_brings_a_tile_back(
    lake: Lake, kinds: list[str], spoil: Callable[[Path], object], metric: str
) -> None:
    before, old, held = look(str(lake.path)), look(str(lake.path), 1), lake.snapshot().files
    for kind in kinds:
        spoil(file_of(lake, kind, metric, DAYS[0]))
    source = Steady()
    # What is lost is brought back whichever days are asked for.
    done = pull_again(lake, source, Window(START + 3 * DAY, START + 4 * DAY))
    # Where the samples are whole, nobody is asked.
    assert source.asked == ([] if kinds == ["rollups"] else [(metric, DAYS[0])])
    assert (done.version, done.tiles_pulled, done.warnings) == (3, 1, ())
    # The very same files, so that older versions and their reports are whole, too.
    assert lake.snapshot().files == held
    assert damaged(lake) == []
    assert (look(str(lake.path)), look(str(lake.path), 1)) == (before, old)


def test_files_that_are_all_gone_come_back(lake: Lake) -> None:
    before, held = look(str(lake.path)), lake.snapshot().files
    for file in held:
        file.path(lake.path).unlink()
    source = Steady()
    assert (pull_again(lake, source).version, len(source.asked)) == (3, 12)
    assert (lake.snapshot().files, look(str(lake.path))) == (held, before)


def test_what_is_lost_is_asked_for_and_nothing_else(lake: Lake) -> None:
    before = look(str(lake.path))
    lost = {("up", DAYS[0]), ("up", DAYS[3]), ("readiness_state", DAYS[3]), ("tenant_label_rejections_total", DAYS[1])}
    for tile in lost:
        set_aside(file_of(lake, "samples", *tile))
    source = Steady()
    pull_again(lake, source)
    assert (sorted(source.asked), look(str(lake.path))) == (sorted(lost), before)


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


RETAINED = START + 2 * DAY + 6 * HOUR
LOSSES = {("up", DAYS[0]): (0, 48), ("up", DAYS[2]): (36, 48)}
SAID = "up on 2026-10-07: 36 of 48 samples; the others were lost, and the source no longer has them"


@pytest.fixture
def shrunk(lake: Lake) -> Lake:
    """A lake that lost three days of `up`, of which the source has nothing, all but six hours, and all."""
    for day in (DAYS[0], DAYS[2], DAYS[3]):
        set_aside(file_of(lake, "samples", "up", day))
    done = pull_again(lake, Steady(since=RETAINED))
    assert (done.version, SAID in done.warnings) == (3, True)
    return lake


def test_what_the_source_no_longer_has_is_named_and_kept_aside(shrunk: Lake) -> None:
    snapshot = shrunk.snapshot()
    assert snapshot.shrunk == LOSSES
    assert damaged(shrunk) == []
    assert len(snapshot.samples("up", FOUR)) == 36 + 48 + 48
    assert SAID in snapshot.provenance["warnings"]
    # The other metrics are as they were, and the old files lie beside, whole here.
    assert snapshot.tiles().query("metric == 'readiness_state'")["samples"].sum() == 96
    assert len(list(shrunk.path.glob("samples/*/*.set-aside-1"))) == 3


def test_a_loss_is_said_in_later_versions_too(shrunk: Lake) -> None:
    source = Steady(since=RETAINED)
    assert pull_again(shrunk, source).version == 3
    assert sorted(source.asked) == sorted(LOSSES)
    assert pull_days(str(shrunk.path), 6) == 4
    # It is asked for again, and comes back with the server's memory.
    assert shrunk.snapshot().shrunk == {}


def test_a_loss_lasts_where_nobody_asks(shrunk: Lake) -> None:
    later = Window(START + 4 * DAY, START + 5 * DAY)
    assert pull_again(shrunk, window=later).version == 4
    assert (shrunk.snapshot().shrunk, SAID in shrunk.snapshot().provenance["warnings"]) == (LOSSES, True)


def test_a_file_restored_from_a_copy_is_taken_up(shrunk: Lake) -> None:
    for aside in shrunk.path.glob("samples/*/*.set-aside-1"):
        aside.rename(aside.with_name(aside.name.removesuffix(".set-aside-1")))
    source = Steady(since=RETAINED)
    pull_again(shrunk, source)
    assert (source.asked, shrunk.snapshot().shrunk) == ([], {})
    assert len(shrunk.snapshot().samples("up", FOUR)) == 4 * 48


def test_samples_that_the_source_forgot_are_not_replaced_by_fewer(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    pull_days(str(lake.path), 1, hours=23)
    held = lake.snapshot().by_tile["samples"]["up", DAYS[0]].rows
    done = pull_again(lake, Steady(since=START + DAY), Window(START, START + 2 * DAY))
    assert held == lake.snapshot().by_tile["samples"]["up", DAYS[0]].rows == 46
    assert f"up on {DAYS[0]}: 46 samples are kept, for the source has 0 of them now" in done.warnings


CUTS = [pytest.param(lambda data: data[:0], id="nothing"), pytest.param(lambda data: data[:300], id="torn")]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kinds", [["samples"], ["rollups"], ["samples", "rollups"]], ids=" and ".join)
def test_newest_logs_that_a_power_cut_left_are_set_aside(
    lake: Lake, kinds: list[str], cut: Callable[[bytes], bytes]
) -> None:
    before, old = look(str(lake.path)), look(str(lake.path), 1)
    for log in (log_file(lake.path / kind, 2) for kind in kinds):
        log.write_bytes(cut(log.read_bytes()))
    with pytest.raises(LakeDamaged):
        lake.snapshot()
    aside = set_aside_torn(lake, {1})
    assert aside
    assert all(path.name.endswith(".json.set-aside-1") for path in aside)
    assert (look(str(lake.path)), lake.snapshot().version) == (old, 1)
    # What was published is on disk: nothing is asked of the source.
    source = Steady()
    pull_again(lake, source)
    assert (source.asked, look(str(lake.path))) == ([], before)
    assert set_aside_torn(lake, set()) == []


def test_a_samples_log_that_nothing_published_needs_is_enough(lake: Lake) -> None:
    before, unpublished = look(str(lake.path)), log_file(lake.path / "samples", 3)
    unpublished.write_bytes(log_file(lake.path / "samples", 2).read_bytes()[:300])
    with pytest.raises(LakeDamaged):
        publish(lake, [], {})
    assert [path.name for path in set_aside_torn(lake, {2})] == [f"{unpublished.name}.set-aside-1"]
    assert (look(str(lake.path)), lake.snapshot().version) == (before, 2)
    assert pull_days(str(lake.path), 5) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_of_a_newest_log_is_mended_or_changes_nothing(lake: Lake, tmp_path: Path, kind: str) -> None:
    states = {look(str(lake.path)), look(str(lake.path), 1)}
    log, mended = log_file(lake.path / kind, 2), 0
    size = log.stat().st_size
    shutil.copytree(lake.path, tmp_path / "kept")
    for place in np.random.default_rng(5).integers(size, size=25).tolist():
        flip(log, place, place % 7)
        mended += bool(set_aside_torn(lake, set()))
        assert look(str(lake.path)) in states
        shutil.rmtree(lake.path)
        shutil.copytree(tmp_path / "kept", lake.path)
    assert mended


@pytest.mark.parametrize(("version", "published"), [(2, {2}), (1, set())], ids=["a report's", "an older one"])
def test_a_log_that_must_not_go_is_told_and_left(lake: Lake, version: int, published: set[int]) -> None:
    log = log_file(lake.path / "rollups", version)
    log.write_bytes(log.read_bytes()[:300])
    before = {path: path.read_bytes() for path in lake.path.rglob("*") if path.is_file()}
    with pytest.raises(LakeDamaged):
        set_aside_torn(lake, published)
    assert {path: path.read_bytes() for path in lake.path.rglob("*") if path.name != ".lock" and path.is_file()} == {
        path: data for path, data in before.items() if path.name != ".lock"
    }


def test_logs_begun_anew_take_up_what_lies_there(lake: Lake) -> None:
    """What docs/howto/look-after-the-lake.md says of logs that cannot be mended."""
    before = look(str(lake.path))
    for kind in KINDS:
        (lake.path / kind / "_delta_log").rename(lake.path / kind / "_delta_log.damaged")
    source = Steady(since=LATER)  # it has nothing left of those days
    pull_again(lake, source)
    assert (source.asked, look(str(lake.path)), lake.snapshot().version) == ([], before, 1)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_set_aside(lake: Lake) -> None:
    for kind in KINDS:
        DeltaTable(lake.path / kind).create_checkpoint()
    pull_days(str(lake.path), 5)
    before = look(str(lake.path))
    chance = np.random.default_rng(3)
    mended = 0
    for checkpoint in [*lake.path.rglob("*.checkpoint.parquet"), *lake.path.rglob("_last_checkpoint")]:
        whole = checkpoint.read_bytes()
        for place in chance.integers(len(whole), size=30).tolist():
            flip(checkpoint, place, place % 7)
            aside = set_aside_torn(lake, set())
            mended += bool(aside)
            assert look(str(lake.path)) == before
            for path in aside:
                path.rename(path.with_name(path.name.removesuffix(".set-aside-1")))
            checkpoint.write_bytes(whole)
    assert mended
    assert fingerprint(lake.snapshot()) == before
