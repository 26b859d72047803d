"""What goes into a tile comes out of the lake: every bit of a value, every character of a label, every hour."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.commit import publish
from cloudxai_analysis.lake.frames import hours_frame, series_ids, utc_times
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.rollups import FIELDS, roll_up
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.lake.tiles import Tile, write_tile
from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = Window(START, START + timedelta(days=3))
START_MS = DAYS.start_ms
MINUTE = 60_000
# An example writes, commits and reads a lake: some 60 ms.
FEW = settings(max_examples=max(20, settings().max_examples // 5))

HOSTILE = [
    "007", "7", "7.0", "2026-11-01", "true", "True", "TRUE", "null", "NaN", "1e3", "../x", "../../etc/passwd", "/x",
    "", " ", "x ", "a\nb", "a\r\nb", "a\tb", "a\\nb", '"', "'; DROP TABLE samples; --", "{}", '{"tenant":"x"}', "a,b",
    "a=b", "👩‍👩‍👧‍👦", "é", "e\u0301", "Straße", "STRASSE", "ACME", "acme", "Acme", "\u202etxt", "\u0000",
    "x" * 10_240, "x" * 10_239 + "y", "metric=a/date=b", "%2e%2e%2f", "__HIVE_DEFAULT_PARTITION__",
]  # fmt: skip


def bits(*patterns: int) -> np.ndarray:
    return np.array(patterns, dtype=np.uint64).view(np.float64)


def part(batch: SeriesBatch, window: Window) -> SeriesBatch:
    series = []
    for labels, (low, high) in zip(batch.labels, pairwise(batch.offsets), strict=True):
        times, values = batch.times[low:high], batch.values[low:high]
        inside = (times >= window.start_ms) & (times < window.end_ms)
        series.append((labels, times[inside], values[inside]))
    return SeriesBatch.of(batch.metric, series)


def written(path: Path, batch: SeriesBatch, window: Window = DAYS) -> list[Tile]:
    return [write_tile(path, part(batch, day), day, day.end, "tenant") for day in window.days()]


def kept(path: Path, batch: SeriesBatch) -> Snapshot:
    """A lake that holds a batch as a tile for each day."""
    publish(open_lake(path), written(path, batch), {"now": DAYS.end.isoformat()})
    return open_lake(path).snapshot()


def of_tenants(names: list[str]) -> SeriesBatch:
    """A sample a day of each tenant, whose value is the tenant's number."""
    times = START_MS + np.arange(3, dtype=np.int64) * 24 * 60 * MINUTE
    return SeriesBatch.of("m", [({"tenant": name}, times, np.full(3, number)) for number, name in enumerate(names)])


def test_every_bit_of_a_value_is_kept(tmp_path: Path) -> None:
    values = bits(
        0x7FF0000000000002,  # staleness marker
        0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001, 0x7FFFFFFFFFFFFFFF,  # other NaN
        0x8000000000000000, 0x0000000000000000, 0x0000000000000001, 0x7FF0000000000000, 0xFFF0000000000000,
        0x7FEFFFFFFFFFFFFF, 0x3FB999999999999A,
    )  # fmt: skip
    times = START_MS + np.arange(len(values), dtype=np.int64) * MINUTE
    snapshot = kept(tmp_path / "lake", SeriesBatch.of("m", [({}, times, values)]))
    found = snapshot.samples("m", DAYS, markers=True)
    assert found["value"].to_numpy().view(np.uint64).tolist() == values.view(np.uint64).tolist()
    without = snapshot.samples("m", DAYS)["value"].to_numpy()
    assert without.view(np.uint64).tolist() == values[5:].view(np.uint64).tolist()
    hour = snapshot.hours("m", DAYS).iloc[0]
    assert (hour["stale_markers"], hour["nan_samples"], hour["samples"]) == (1, 4, 7)
    assert struct.pack("<d", hour["first"]) == struct.pack("<d", -0.0)


@FEW
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=130))
def test_any_bits_of_a_value_are_kept(patterns: list[int]) -> None:
    times = START_MS + np.arange(len(patterns), dtype=np.int64) * MINUTE
    with TemporaryDirectory() as folder:
        snapshot = kept(Path(folder), SeriesBatch.of("m", [({}, times, bits(*patterns))]))
        found = snapshot.samples("m", DAYS, markers=True)
    assert found["value"].to_numpy().view(np.uint64).tolist() == patterns
    assert (found["time"] - pd.Timestamp(START)).dt.total_seconds().tolist() == [60 * n for n in range(len(patterns))]


def tenants_stay_apart(path: Path, names: list[str]) -> None:
    snapshot = kept(path, of_tenants(names))
    samples = snapshot.samples("m", DAYS, ["tenant"])
    hours = snapshot.hours("m", DAYS, ["tenant"])
    for frame, value in ((samples, "value"), (hours, "last")):
        assert frame["series_id"].nunique() == len(names)
        found = {(tenant, number) for tenant, number in zip(frame["tenant"], frame[value], strict=True)}
        assert found == {(name, float(number)) for number, name in enumerate(names)}
        assert all(type(name) is str for name in frame["tenant"].cat.categories)
    assert (samples.groupby("series_id").size() == 3).all()


def test_hostile_and_number_like_tenants_stay_apart_and_strings(tmp_path: Path) -> None:
    tenants_stay_apart(tmp_path / "lake", HOSTILE)


@FEW
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=12, unique=True))
@example(["007", "7", "\u0000", ""])
def test_any_tenants_stay_apart(names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        tenants_stay_apart(Path(folder), names)


def test_more_label_text_than_a_parquet_dictionary_holds(tmp_path: Path) -> None:
    names = [f"{number:03}" + "x" * 10_240 for number in range(150)]
    tenants_stay_apart(tmp_path / "lake", names)


def test_metrics_with_hostile_names_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "lake"
    names = ["up", "Up", "../up", "a/b", "a=b", "é\n", "x" * 300, "x" * 299 + "y"]
    tiles = []
    for number, name in enumerate(names):
        batch = SeriesBatch.of(name, [({}, np.array([START_MS]), np.array([float(number)]))])
        tiles += written(path, batch)
    publish(open_lake(path), tiles, {})
    snapshot = open_lake(path).snapshot()
    assert [snapshot.samples(name, DAYS)["value"].tolist() for name in names] == [[float(n)] for n in range(len(names))]
    assert {file.parent.parent.name for file in tmp_path.rglob("*.parquet")} == {"samples", "rollups"}


def test_a_label_that_is_absent_is_empty(tmp_path: Path) -> None:
    one, two = np.array([START_MS]), np.array([START_MS + MINUTE])
    parts = [({"a": "1", "time": "x"}, one, np.zeros(1)), ({"b": "2"}, two, np.zeros(1))]
    snapshot = kept(tmp_path / "lake", SeriesBatch.of("m", parts))
    found = snapshot.samples("m", DAYS, ["a", "b", "c"]).sort_values("time")
    assert found[["a", "b", "c"]].astype("str").to_numpy().tolist() == [["1", "", ""], ["", "2", ""]]
    assert snapshot.hours("m", DAYS, ["c"])["c"].tolist() == ["", ""]


def test_series_ids_are_the_same_everywhere() -> None:
    # printf '%s' '{"tenant":"acme"}' | sha256sum
    assert series_ids(['{"tenant":"acme"}']).tolist() == [0xB9510057A95822A0 - 2**64]


def test_files_are_private_synced_whole_and_named_by_their_hash(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        written(tmp_path / "lake", of_tenants(["a"]))
    finally:
        os.umask(before)
    files = list(tmp_path.rglob("*"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in files if file.is_file()} == {0o600}
    assert {file.suffix for file in files if file.is_file()} == {".parquet"}
    for file in tmp_path.rglob("*.parquet"):
        until, metric, *_, digest = file.stem.split("-")
        next_day = datetime.strptime(file.parent.name, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
        assert (int(until), metric) == (next_day.timestamp(), "m")
        assert hashlib.sha256(file.read_bytes()).hexdigest().startswith(digest)
        assert len(digest) == 32
        assert pq.read_table(file, page_checksum_verification=True).num_rows == 1


GAPS = [1_000, 15_000, MINUTE, 299_999, 300_001, 30 * MINUTE, 60 * MINUTE, 25 * 60 * MINUTE]
VALUES = st.one_of(st.sampled_from([0.0, 1.0, 7.0, float("nan")]), st.integers(-1000, 1000).map(float))


@st.composite
def batches(draw: st.DrawFn) -> SeriesBatch:
    """Up to three series over the three days, in any order of their ids."""
    series = []
    for number in range(draw(st.integers(1, 3))):
        steps = draw(st.lists(st.sampled_from(GAPS), max_size=25))
        times = START_MS + draw(st.integers(0, 2 * 24 * 60)) * MINUTE + np.cumsum([0, *steps], dtype=np.int64)
        times = times[times < DAYS.end_ms]
        values = np.array(draw(st.lists(VALUES, min_size=len(times), max_size=len(times))))
        series.append(({"series": str(number)}, times, values))
    return SeriesBatch.of("m", series)


def whole(batch: SeriesBatch) -> pd.DataFrame:
    rolled = roll_up(batch)
    texts = pa.array([f'{{"series":"{labels["series"]}"}}' for labels in batch.labels])
    table = pa.table(
        {
            "labels": pa.DictionaryArray.from_arrays(pa.array(rolled["series"].astype(np.int32)), texts),
            "hour": utc_times(rolled["hour"]),
            **{name: rolled[name] for name in FIELDS},
        }
    )
    return hours_frame(table, DAYS, ["series"], until_ms=DAYS.end_ms)


@FEW
@given(batches(), st.integers(1, 71), st.integers(1, 71))
def test_tiles_and_windows_give_the_hours_of_the_whole(batch: SeriesBatch, one: int, other: int) -> None:
    expected = whole(batch)
    edges = [DAYS.start, *(START + timedelta(hours=hour) for hour in sorted({one, other})), DAYS.end]
    with TemporaryDirectory() as folder:
        snapshot = kept(Path(folder), batch)
        found = snapshot.hours("m", DAYS, ["series"])
        pieces = pd.concat(
            [snapshot.hours("m", Window(low, high), ["series"]) for low, high in pairwise(edges)]
        ).astype({"series": "str"})
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    # A window looks back to the start of the day before it, so only older anchors are not seen from it.
    columns = [name for name in expected if name not in ("increase", "resets", "changes")]
    pieces = pieces.sort_values(["series_id", "hour"], ignore_index=True)
    pd.testing.assert_frame_equal(pieces[columns], expected.astype({"series": "str"})[columns], check_exact=True)


@pytest.mark.parametrize("labels", [[], ["tenant"]])
def test_a_window_without_samples_has_the_columns(tmp_path: Path, labels: list[str]) -> None:
    snapshot = kept(tmp_path / "lake", of_tenants(["a"]))
    later = Window(DAYS.end + timedelta(days=9), DAYS.end + timedelta(days=10))
    for read in (snapshot.samples, snapshot.hours):
        for empty in (read("m", later, labels), read("unknown", DAYS, labels)):
            assert len(empty) == 0
            assert empty.dtypes.drop(labels).equals(read("m", DAYS, labels).dtypes.drop(labels))
