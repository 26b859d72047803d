"""What goes into a tile comes out of the lake, every bit and character of it; damage is always named."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from _memory import MemorySnapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import Lake, open_lake
from cloudxai_analysis.lake.tiles import TileFile, series_ids, write_tile
from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = Window(START, START + 2 * DAY)
SECOND = Window(START + DAY, DAYS.end)
START_MS = DAYS.start_ms
MINUTE = 60_000
HOUR_MS = 60 * MINUTE
HOSTILE = [
    "007", "7", "7.0", "2026-11-01", "true", "True", "TRUE", "null", "NaN", "1e3", "../x", "../../etc/passwd", "/x",
    "", " ", "x ", "a\nb", "a\r\nb", "a\tb", "a\\nb", '"', "'; DROP TABLE samples; --", "{}", '{"tenant":"x"}', "a,b",
    "a=b", "👩‍👩‍👧‍👦", "é", "e\u0301", "Straße", "STRASSE", "ACME", "acme", "Acme", "\u202etxt", "\u0000",
    "x" * 10_240, "x" * 10_239 + "y", "metric=a/date=b", "%2e%2e%2f", "__HIVE_DEFAULT_PARTITION__",
]  # fmt: skip
SPECIAL = [
    0x7FF0000000000002,  # staleness marker
    0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001, 0x7FFFFFFFFFFFFFFF,  # other NaN
    0x8000000000000000, 0x0000000000000000, 0x0000000000000001, 0x7FF0000000000000, 0xFFF0000000000000,
    0x7FEFFFFFFFFFFFFF, 0x3FB999999999999A,
]  # fmt: skip


def written(path: Path, batch: SeriesBatch) -> list[TileFile]:
    """A batch as the files of a tile for each day."""
    files = []
    for day in DAYS.days():
        series = []
        for labels, (low, high) in zip(batch.labels, pairwise(batch.offsets), strict=True):
            times, values = batch.times[low:high], batch.values[low:high]
            inside = (times >= day.start_ms) & (times < day.end_ms)
            series.append((labels, times[inside], values[inside]))
        files += write_tile(path, SeriesBatch.of(batch.metric, series), day, day.end, "tenant").files
    return files


def kept(path: Path, *batches: SeriesBatch) -> Snapshot:
    """A lake that holds batches as a tile for each day."""
    open_lake(path).publish([file for batch in batches for file in written(path, batch)], {})
    return open_lake(path).snapshot()


def of_tenants(names: list[str]) -> SeriesBatch:
    """A sample a day of each tenant, whose value is the tenant's number."""
    times = START_MS + np.arange(2, dtype=np.int64) * 24 * HOUR_MS
    return SeriesBatch.of("m", [({"tenant": name}, times, np.full(2, number)) for number, name in enumerate(names)])


def test_every_bit_of_a_value_is_kept(tmp_path: Path) -> None:
    drawn = np.random.default_rng(7).integers(0, 2**64, 500, dtype=np.uint64, endpoint=False)
    values = np.concatenate([np.array(SPECIAL, dtype=np.uint64), drawn]).view(np.float64)
    times = START_MS + np.arange(len(values), dtype=np.int64) * 1_000
    snapshot = kept(tmp_path / "lake", SeriesBatch.of("m", [({}, times, values)]))
    found = snapshot.samples("m", DAYS, markers=True)
    assert found["value"].to_numpy().view(np.uint64).tolist() == values.view(np.uint64).tolist()
    assert (found["time"].astype("int64") // 1_000).tolist() == times.tolist()
    without = snapshot.samples("m", DAYS)["value"].to_numpy()
    assert without.view(np.uint64).tolist() == values[~np.isnan(values)].view(np.uint64).tolist()
    hour = snapshot.hours("m", DAYS).iloc[0]
    numbers = (~np.isnan(values)).sum()
    assert (hour["stale_markers"], hour["nan_samples"], hour["samples"]) == (1, len(values) - 1 - numbers, numbers)
    assert struct.pack("<d", hour["first"]) == struct.pack("<d", -0.0)


# The second list is more text of labels than a dictionary of Parquet's holds.
@pytest.mark.parametrize("names", [HOSTILE, [f"{number:03}" + "x" * 10_240 for number in range(150)]])
def test_hostile_and_number_like_tenants_stay_apart_and_strings(tmp_path: Path, names: list[str]) -> None:
    snapshot = kept(tmp_path / "lake", of_tenants(names))
    for frame, value in (
        (snapshot.samples("m", DAYS, ["tenant"]), "value"),
        (snapshot.hours("m", DAYS, ["tenant"]), "last"),
    ):
        assert frame["series_id"].nunique() == len(names)
        found = {(tenant, number) for tenant, number in zip(frame["tenant"], frame[value], strict=True)}
        assert found == {(name, float(number)) for number, name in enumerate(names)}
        assert all(type(name) is str for name in frame["tenant"].cat.categories)
        assert (frame.groupby("series_id").size() == 2).all()


def test_a_label_that_is_absent_is_empty(tmp_path: Path) -> None:
    one, two = np.array([START_MS]), np.array([START_MS + MINUTE])
    parts = [({"a": "1", "time": "x"}, one, np.zeros(1)), ({"b": "2"}, two, np.zeros(1))]
    snapshot = kept(tmp_path / "lake", SeriesBatch.of("m", parts))
    found = snapshot.samples("m", DAYS, ["a", "b", "c"]).sort_values("time")
    assert found[["a", "b", "c"]].astype("str").to_numpy().tolist() == [["1", "", ""], ["", "2", ""]]
    # printf '%s' '{"tenant":"acme"}' | sha256sum
    assert series_ids(['{"tenant":"acme"}']).tolist() == [0xB9510057A95822A0 - 2**64]


def test_files_are_private_whole_and_named_by_their_hash(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files = written(tmp_path / "lake", of_tenants(["a"]))
    finally:
        os.umask(before)
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert sorted(paths) == sorted(file.path(tmp_path / "lake") for file in files)
    for path in paths:
        until, metric, *_, digest = path.stem.split("-")
        next_day = datetime.strptime(path.parent.name, "%Y-%m-%d").replace(tzinfo=UTC) + DAY
        assert (int(until), metric, len(digest)) == (next_day.timestamp(), "m", 32)
        assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(digest)
        assert pq.read_table(path, page_checksum_verification=True).num_rows == 1


GAPS = [1_000, 15_000, MINUTE, 299_999, 300_001, 30 * MINUTE, 60 * MINUTE, 25 * 60 * MINUTE]
VALUES = st.one_of(st.sampled_from([0.0, 1.0, 7.0, float("nan")]), st.integers(-1000, 1000).map(float))


@st.composite
def batches(draw: st.DrawFn) -> SeriesBatch:
    """Up to three series over the days, in any order of their ids."""
    series = []
    for number in range(draw(st.integers(1, 3))):
        steps = draw(st.lists(st.sampled_from(GAPS), max_size=25))
        times = START_MS + draw(st.integers(0, 24 * 60)) * MINUTE + np.cumsum([0, *steps], dtype=np.int64)
        times = times[times < DAYS.end_ms]
        values = np.array(draw(st.lists(VALUES, min_size=len(times), max_size=len(times))))
        series.append(({"series": str(number)}, times, values))
    return SeriesBatch.of("m", series)


# An example writes, commits and reads a lake: some 60 ms.
@settings(max_examples=max(15, settings().max_examples // 5))
@given(batches(), st.integers(1, 47), st.integers(1, 47))
def test_tiles_and_windows_give_the_hours_of_the_whole(batch: SeriesBatch, one: int, other: int) -> None:
    uncut: Any = SimpleNamespace(read=lambda *_: batch, extent=lambda: DAYS)
    expected = MemorySnapshot(uncut).hours("m", DAYS, ["series"])
    edges = [DAYS.start, *(START + timedelta(hours=hour) for hour in sorted({one, other})), DAYS.end]
    with TemporaryDirectory() as folder:
        snapshot = kept(Path(folder), batch)
        found = snapshot.hours("m", DAYS, ["series"])
        pieces = pd.concat([snapshot.hours("m", Window(*pair), ["series"]) for pair in pairwise(edges)])
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    # A window looks back to the start of the day before it, so only older anchors are not seen from it.
    columns = [name for name in expected if name not in ("increase", "resets", "changes")]
    pieces = pieces.astype({"series": "str"}).sort_values(["series_id", "hour"], ignore_index=True)
    pd.testing.assert_frame_equal(pieces[columns], expected.astype({"series": "str"})[columns], check_exact=True)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two days of a counter of two tenants; `late` comes on the second day, `gone` has one sample, then NaN."""
    times = START_MS + np.arange(48, dtype=np.int64) * HOUR_MS
    series = {
        "early": (times, np.arange(48.0)),
        "late": (times[24:], np.full(24, 5.0)),
        "gone": (times[:2], np.array([1.0, np.nan])),
    }
    batch = SeriesBatch.of("m", [({"tenant": tenant}, *found) for tenant, found in series.items()])
    kept(tmp_path / "lake", batch, SeriesBatch.of("none", []))
    return open_lake(tmp_path / "lake")


@pytest.fixture
def snapshot(lake: Lake) -> Snapshot:
    return lake.snapshot()


def test_rows_are_sorted_half_open_and_look_back(snapshot: Snapshot) -> None:
    for found, time in ((snapshot.samples("m", DAYS), "time"), (snapshot.hours("m", DAYS), "hour")):
        pd.testing.assert_frame_equal(found, found.sort_values(["series_id", time], ignore_index=True))
        assert found["series_id"].nunique() == 3
    window = Window(START + 30 * HOUR, START + 33 * HOUR)
    samples = snapshot.samples("m", window, ["tenant"])
    assert samples.query("tenant == 'early'")["value"].tolist() == [30, 31, 32]
    hours = snapshot.hours("m", window, ["tenant"]).query("tenant == 'early'")
    assert hours["hour"].tolist() == [window.start, window.start + HOUR, window.start + 2 * HOUR]
    assert hours["increase"].tolist() == [1, 1, 1]
    assert hours["integral"].tolist() == [30 * 300, 31 * 300, 32 * 300]
    for found in (snapshot.samples("m", SECOND, ["tenant"]), snapshot.hours("m", SECOND, ["tenant"])):
        assert found["tenant"].cat.categories.tolist() == ["early", "late"]
    middle = START + 29 * HOUR
    parts = [snapshot.hours("m", Window(*edges))["increase"].sum() for edges in ((START, middle), (middle, DAYS.end))]
    assert (parts, snapshot.hours("m", DAYS)["increase"].sum()) == ([28, 19], 47)


def test_types_of_the_frames_are_the_same_without_a_row(snapshot: Snapshot) -> None:
    samples, hours = snapshot.samples("m", DAYS, ["tenant"]), snapshot.hours("m", DAYS, ["tenant"])
    assert {name: str(kind) for name, kind in samples.dtypes.items()} == {
        "series_id": "int64", "time": "datetime64[us, UTC]", "value": "float64", "tenant": "category",
    }  # fmt: skip
    assert list(hours.columns) == [
        "series_id", "hour", "samples", "first_ts", "last_ts", "resets", "changes", "nan_samples", "stale_markers",
        "first", "last", "min", "max", "sum", "integral", "increase", "anchored", "tenant",
    ]  # fmt: skip
    assert {str(hours[name].dtype) for name in ("hour", "first_ts", "last_ts")} == {"datetime64[us, UTC]"}
    later = Window(DAYS.end + 9 * DAY, DAYS.end + 10 * DAY)
    for read in (snapshot.samples, snapshot.hours, snapshot.series):
        for metric, window in (("m", later), ("unknown", DAYS), ("none", DAYS)):
            empty, filled = read(metric, window), read("m", DAYS)
            assert (len(empty), empty.dtypes.equals(filled.dtypes)) == (0, True)


def test_tiles_series_and_extent(snapshot: Snapshot, tmp_path: Path) -> None:
    ends = [START + DAY, DAYS.end]
    assert snapshot.tiles().query("metric == 'm'").drop(columns="metric").to_dict("list") == {
        "date": ["2026-11-02", "2026-11-03"], "asked": ends, "until": ends, "samples": [26, 48],
    }  # fmt: skip
    assert snapshot.extent() == DAYS
    empty = kept(tmp_path / "empty", SeriesBatch.of("m", []))
    assert (empty.extent(), empty.tiles()["samples"].tolist()) == (None, [0, 0])
    found = snapshot.series("m", DAYS).set_index("labels")
    rows = {tenant: found.loc[f'{{"tenant":"{tenant}"}}'] for tenant in ("early", "late", "gone")}
    assert {tenant: row["samples"] for tenant, row in rows.items()} == {"early": 48, "late": 24, "gone": 1}
    assert rows["late"]["first_seen"] == pd.Timestamp(START + DAY)
    assert rows["early"]["last_seen"] == pd.Timestamp(START + 47 * HOUR)
    assert snapshot.series("m", SECOND)["samples"].tolist() == [24, 24]
    gone = snapshot.hours("m", DAYS, ["tenant"]).query("tenant == 'gone'")
    assert (gone["samples"].tolist(), gone["nan_samples"].tolist()) == ([1, 0], [0, 1])
    assert gone["first_ts"].isna().tolist() == gone["last_ts"].isna().tolist() == [False, True]


def read_all(snapshot: Snapshot, kind: str) -> pd.DataFrame:
    return snapshot.samples("m", DAYS) if kind == "samples" else snapshot.hours("m", DAYS)


@pytest.mark.parametrize("kind", ["samples", "rollups"])
def test_a_flipped_bit_anywhere_in_a_file_is_named(lake: Lake, kind: str) -> None:
    for file in sorted((lake.path / kind).rglob("*-m-*.parquet")):
        whole, snapshot = file.read_bytes(), lake.snapshot()
        state = file.stat()
        for place in [*range(0, len(whole), 97), len(whole) - 1]:
            file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
            os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
            with pytest.raises(LakeDamaged) as caught:
                read_all(snapshot, kind)
            assert str(file) in str(caught.value)
            assert len(str(caught.value).splitlines()) == 1
        file.write_bytes(whole)


SPOILS = {
    "nothing": lambda *_: b"",
    "shorter": lambda own, _: own[:-1],
    "longer": lambda own, _: own + b"\0",
    "an intact file of another day": lambda _, other: other,
    "gone": None,
}


@pytest.mark.parametrize("kind", ["samples", "rollups"])
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_file_that_is_another_is_named_and_the_rest_stays_readable(lake: Lake, kind: str, spoil: Any) -> None:
    file, other = sorted((lake.path / kind).glob("*/*-m-*.parquet"))
    file.write_bytes(spoil(file.read_bytes(), other.read_bytes())) if spoil else file.unlink()
    with pytest.raises(LakeDamaged, match=file.name):
        read_all(lake.snapshot(), kind)
    assert len(lake.snapshot().samples("m", SECOND)) == 48
    assert lake.snapshot().lost() == (set() if file.is_file() else {("m", "2026-11-02")})


def test_the_same_samples_are_the_same_bytes_whatever_memory_held_before(tmp_path: Path) -> None:
    """Tenants stand twice, and pyarrow writes what was left in memory for a value that a dictionary has twice."""
    labels = [{"tenant": f"tenant-{number // 2}", "instance": str(number % 2)} for number in range(40)]
    batch = SeriesBatch.of("m", [(one, np.array([START_MS]), np.ones(1)) for one in labels])
    names = set()
    for number in range(1, 30):
        left = [pa.array(np.full(size, number, dtype=np.int64) * 0x0101010101010101) for size in range(20, 200, 7)]
        del left
        names.add(tuple(file.name for file in write_tile(tmp_path, batch, DAYS, DAYS.end, "tenant").files))
    assert len(names) == 1
