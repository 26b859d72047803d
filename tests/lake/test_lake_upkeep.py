"""Damage is found wherever it is, and repaired: from the lake's own samples, from the source, or not in silence."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deltalake import DeltaTable
from killed_pull import LATER, START, Steady, contract, fingerprint, look, pull_days

from cloudxai_analysis.ground.errors import LakeDamaged, UsageError
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake.commit import publish
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.repair import Repaired, repair
from cloudxai_analysis.lake.tables import Lake, open_lake
from cloudxai_analysis.lake.torn import set_aside_torn
from cloudxai_analysis.lake.upkeep import Damage, HeldFile, damages, ever_named, found_files, held_files

PLACES = 150
DAYS = [f"2026-10-{day:02}" for day in range(5, 9)]


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


def file_of(lake: Lake, kind: str, metric: str, date: str) -> HeldFile:
    return next(
        file for file in held_files([lake.snapshot()]) if (file.kind, file.metric, file.date) == (kind, metric, date)
    )


def flip(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def all_damages(lake: Lake) -> list[Damage]:
    return list(damages(held_files([lake.snapshot()])))


def mend(lake: Lake, source: Steady | None = None, **how: Any) -> Repaired:
    return repair(all_damages(lake), lake, contract(), lambda: source or Steady(), **how)


def test_held_files_are_each_version_s_once(lake: Lake) -> None:
    one, both = held_files([lake.snapshot(1)]), held_files([lake.snapshot(1), lake.snapshot()])
    assert (len(one), len(both)) == (2 * 3 * 2, 4 * 3 * 2)
    assert set(one) < set(both)
    assert {file.path for file in both} == set(found_files(lake).tiles) == ever_named(lake)
    assert sum(file.rows for file in both if file.kind == "samples") == 4 * 2 * 48 + 2 * 48
    assert all(file.size == file.path.stat().st_size for file in both)


def test_a_whole_lake_has_no_damage_and_nothing_foreign(lake: Lake) -> None:
    assert all_damages(lake) == []
    tree = found_files(lake)
    assert (tree.making, tree.foreign) == ((), ())


def test_a_flipped_bit_anywhere_in_any_file_is_caught(lake: Lake) -> None:
    chance = np.random.default_rng(7)
    window = Window(START, START + 4 * DAY)
    for file in held_files([lake.snapshot()]):
        whole = file.path.read_bytes()
        for place in chance.integers(len(whole), size=PLACES).tolist():
            flip(file.path, place, place % 8)
            (damage,) = damages([file])
            assert damage.cause.startswith("damaged: its SHA-256 begins with ")
            file.path.write_bytes(whole)
        if file.rows:
            flip(file.path, 10, 0)
            with pytest.raises(LakeDamaged) as caught:
                getattr(lake.snapshot(), {"samples": "samples", "rollups": "hours"}[file.kind])(file.metric, window)
            assert str(file.path) in str(caught.value)
            file.path.write_bytes(whole)
    assert all_damages(lake) == []


def test_files_that_are_gone_or_cannot_be_read(lake: Lake) -> None:
    gone, folder = held_files([lake.snapshot()])[:2]
    gone.path.unlink()
    folder.path.unlink()
    folder.path.mkdir()
    assert [(damage.file, damage.cause) for damage in all_damages(lake)] == [
        (gone, "missing"),
        (folder, "unreadable: Is a directory"),
    ]


SPOILS: list[Callable[[Path], object]] = [
    lambda path: flip(path, 40, 3),
    lambda path: path.write_bytes(b""),
    lambda path: path.unlink(),
]


@pytest.mark.parametrize("spoil", SPOILS, ids=["flipped", "empty", "gone"])
@pytest.mark.parametrize("kinds", [["samples"], ["rollups"], ["samples", "rollups"]], ids=" and ".join)
def test_repair_brings_a_tile_back(lake: Lake, kinds: list[str], spoil: Callable[[Path], object]) -> None:
    before, held = look(str(lake.path)), held_files([lake.snapshot()])
    old = look(str(lake.path), 1)
    for kind in kinds:
        spoil(file_of(lake, kind, "up", DAYS[1]).path)
    source = Steady()
    done = mend(lake, source)
    tile = ("up", DAYS[1])
    # Where the samples are whole, nobody is asked.
    asked = [] if kinds == ["rollups"] else [tile]
    assert (source.asked, done.pulled, done.rolled_up) == (asked, asked, [] if asked else [tile])
    assert (done.version, done.left, done.accepted) == (3, {}, {})
    # The very same files, so that older versions and their reports are whole, too.
    assert held_files([lake.snapshot()]) == held
    assert all_damages(lake) == []
    assert (look(str(lake.path)), look(str(lake.path), 1)) == (before, old)


def test_repair_of_a_tile_without_samples(lake: Lake) -> None:
    before = look(str(lake.path))
    for kind in ("samples", "rollups"):
        flip(file_of(lake, kind, "readiness_state", DAYS[2]).path, 100, 1)
    assert mend(lake).pulled == [("readiness_state", DAYS[2])]
    assert look(str(lake.path)) == before


def test_repair_of_a_lake_whose_files_are_all_gone(lake: Lake) -> None:
    before, held = look(str(lake.path)), held_files([lake.snapshot()])
    for file in held:
        file.path.unlink()
    source = Steady()
    done = mend(lake, source)
    assert len(source.asked) == len(done.pulled) == 12
    # Neighbouring days of the same metrics are one pull.
    assert done.version == 3
    assert held_files([lake.snapshot()]) == held
    assert look(str(lake.path)) == before


def test_repair_asks_for_what_is_damaged_and_for_nothing_else(lake: Lake) -> None:
    before = look(str(lake.path))
    spoilt = {
        ("up", DAYS[0]),
        ("up", DAYS[3]),
        ("readiness_state", DAYS[3]),
        ("tenant_label_rejections_total", DAYS[1]),
    }
    for metric, day in spoilt:
        flip(file_of(lake, "samples", metric, day).path, 99, 2)
    source = Steady()
    done = mend(lake, source)
    assert sorted(source.asked) == sorted(done.pulled) == sorted(spoilt)
    assert look(str(lake.path)) == before


def test_a_day_that_was_still_growing_is_not_taken_for_whole(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "growing")
    pull_days(str(lake.path), 2, hours=30)
    later = Window(START + 5 * DAY, START + 6 * DAY)
    pull(Steady(), lake, contract(), later, now=later.start + 6 * HOUR)
    flip(file_of(lake, "rollups", "up", DAYS[1]).path, 70, 1)
    # Its samples are whole, and end in the morning: the lake's clock has gone on since.
    assert mend(lake).pulled == [("up", DAYS[1])]
    tiles = lake.snapshot().tiles().query(f"metric == 'up' and date == '{DAYS[1]}'")
    assert (tiles["until"].item(), tiles["samples"].item()) == (START + 2 * DAY, 48)
    assert lake.snapshot().provenance["now"] == (later.start + 6 * HOUR).isoformat()
    assert all_damages(lake) == []


def retained(lake: Lake, days: Iterable[str]) -> Steady:
    """A source that has nothing before the third day, and not its first six hours; `days` of `up` are lost here."""
    for day in days:
        file_of(lake, "samples", "up", day).path.unlink()
    return Steady(since=START + 2 * DAY + 6 * HOUR)


def test_what_the_source_no_longer_has_is_left_and_named(lake: Lake) -> None:
    source = retained(lake, [DAYS[0], DAYS[2], DAYS[3]])
    done = mend(lake, source)
    assert done.left == {("up", DAYS[0]): (0, 48), ("up", DAYS[2]): (36, 48)}
    assert (done.pulled, done.accepted) == ([("up", DAYS[3])], {})
    assert lake.snapshot().version == done.version == 3
    assert {damage.file.tile for damage in all_damages(lake)} == set(done.left)
    last = Window(START + 3 * DAY, START + 4 * DAY)
    assert len(lake.snapshot().samples("up", last)) == 48
    # The rollups of those days are whole, and still there.
    assert len(lake.snapshot().hours("up", Window(START, START + DAY))) == 48


def test_nothing_is_published_where_nothing_can_be_brought_back(lake: Lake) -> None:
    done = mend(lake, retained(lake, [DAYS[0], DAYS[1]]))
    assert (done.version, lake.snapshot().version, len(done.left)) == (2, 2, 2)


def test_a_loss_that_is_accepted_is_said_in_the_provenance(lake: Lake) -> None:
    source = retained(lake, [DAYS[0], DAYS[2]])
    done = mend(lake, source, accept_loss=True)
    assert done.accepted == {("up", DAYS[0]): (0, 48), ("up", DAYS[2]): (36, 48)}
    assert (done.left, done.pulled) == ({}, [])
    assert all_damages(lake) == []
    snapshot = lake.snapshot()
    assert len(snapshot.samples("up", Window(START, START + 4 * DAY))) == 36 + 2 * 48
    assert "up on 2026-10-07: 36 of 48 samples; the others were lost, and the loss was accepted" in str(
        snapshot.provenance["warnings"]
    )
    assert snapshot.tiles().query("metric == 'readiness_state'")["samples"].sum() == 96


def test_repair_goes_by_the_lakes_own_source(lake: Lake) -> None:
    class Other(Steady):
        name = "other://"

    file_of(lake, "samples", "up", DAYS[0]).path.unlink()
    with pytest.raises(UsageError, match="holds telemetry of steady://"):
        mend(lake, Other())


def newest(lake: Lake, kind: str) -> Path:
    return max((lake.path / kind / "_delta_log").glob("*.json"))


CUTS = [pytest.param(lambda data: data[:0], id="nothing"), pytest.param(lambda data: data[:300], id="torn")]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kinds", [["samples"], ["rollups"], ["samples", "rollups"]], ids=" and ".join)
def test_newest_logs_that_a_power_cut_left_are_set_aside(
    lake: Lake, kinds: list[str], cut: Callable[[bytes], bytes]
) -> None:
    before, old = look(str(lake.path)), look(str(lake.path), 1)
    for kind in kinds:
        newest(lake, kind).write_bytes(cut(newest(lake, kind).read_bytes()))
    with pytest.raises(LakeDamaged):
        lake.snapshot()
    aside = set_aside_torn(lake, {1})
    assert all(path.name.endswith(".json.set-aside-1") for path in aside)
    assert (look(str(lake.path)), lake.snapshot().version) == (old, 1)
    assert found_files(lake).foreign == ()
    # What was published is on disk: nothing is asked of the source.
    source = Steady()
    pull(source, lake, contract(), Window(START, START + 4 * DAY), now=LATER)
    assert (source.asked, look(str(lake.path))) == ([], before)
    assert set_aside_torn(lake, set()) == []


def test_a_samples_log_that_nothing_published_needs_is_enough(lake: Lake) -> None:
    before = look(str(lake.path))
    unpublished = lake.path / "samples" / "_delta_log" / f"{3:020d}.json"
    unpublished.write_bytes(newest(lake, "samples").read_bytes()[:300])
    with pytest.raises(LakeDamaged):
        publish(lake, [], {})
    assert [path.name for path in set_aside_torn(lake, {2})] == [f"{unpublished.name}.set-aside-1"]
    assert (look(str(lake.path)), lake.snapshot().version) == (before, 2)
    assert pull_days(str(lake.path), 5) == 3


@pytest.mark.parametrize("kind", ["samples", "rollups"])
def test_a_flipped_bit_of_a_newest_log_is_mended_or_changes_nothing(lake: Lake, tmp_path: Path, kind: str) -> None:
    states = {look(str(lake.path)), look(str(lake.path), 1)}
    log, mended = newest(lake, kind), 0
    size = log.stat().st_size
    shutil.copytree(lake.path, tmp_path / "kept")
    for place in np.random.default_rng(5).integers(size, size=25).tolist():
        flip(log, place, place % 7)
        mended += bool(set_aside_torn(lake, set()))
        assert look(str(lake.path)) in states
        shutil.rmtree(lake.path)
        shutil.copytree(tmp_path / "kept", lake.path)
    assert mended


def test_a_version_that_a_report_names_is_not_set_aside(lake: Lake) -> None:
    log = newest(lake, "rollups")
    log.write_bytes(b"")
    with pytest.raises(LakeDamaged, match=log.name):
        set_aside_torn(lake, {2})
    assert not list(lake.path.rglob("*.set-aside*"))


def test_an_older_log_that_is_damaged_is_told_and_left(lake: Lake) -> None:
    log = lake.path / "rollups" / "_delta_log" / f"{1:020d}.json"
    log.write_bytes(log.read_bytes()[:300])
    before = {path: path.read_bytes() for path in lake.path.rglob("*.json")}
    with pytest.raises(LakeDamaged):
        set_aside_torn(lake, set())
    assert {path: path.read_bytes() for path in lake.path.rglob("*.json")} == before


def test_logs_begun_anew_take_up_what_lies_there(lake: Lake) -> None:
    """What docs/howto/look-after-the-lake.md says of logs that cannot be mended."""
    before = look(str(lake.path))
    for kind in ("samples", "rollups"):
        (lake.path / kind / "_delta_log").rename(lake.path / kind / "_delta_log.damaged")
    source = Steady(since=LATER)  # it has nothing left of those days
    pull(source, lake, contract(), Window(START, START + 4 * DAY), now=LATER)
    assert (source.asked, look(str(lake.path)), lake.snapshot().version) == ([], before, 1)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_set_aside(lake: Lake) -> None:
    for kind in ("samples", "rollups"):
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
