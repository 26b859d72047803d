"""Reading: sorted frames, windows inside days, damage always named, and no compiler loaded for it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ground.window import HOUR, Window
from cloudxai_analysis.lake.commit import publish
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import Lake, open_lake
from cloudxai_analysis.lake.tiles import write_tile
from cloudxai_analysis.sources.series import SeriesBatch

START = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = Window(START, START + timedelta(days=2))
HOUR_MS = 3_600_000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two days of a counter of two tenants; `late` comes on the second day."""
    lake = open_lake(tmp_path / "lake")
    times = DAYS.start_ms + np.arange(48, dtype=np.int64) * HOUR_MS
    series = {
        "early": (times, np.arange(48.0)),
        "late": (times[24:], np.full(24, 5.0)),
        "gone": (times[:1], np.ones(1)),
    }
    tiles = []
    for day in DAYS.days():
        parts = []
        for tenant, (at, values) in series.items():
            inside = (at >= day.start_ms) & (at < day.end_ms)
            parts.append(({"tenant": tenant}, at[inside], values[inside]))
        tiles.append(write_tile(lake.path, SeriesBatch.of("m", parts), day, day.end, "tenant"))
    publish(lake, tiles, {})
    return lake


@pytest.fixture
def snapshot(lake: Lake) -> Snapshot:
    return lake.snapshot()


def test_rows_are_sorted_by_series_and_time_over_all_tiles(snapshot: Snapshot) -> None:
    for found, by in (
        (snapshot.samples("m", DAYS), ["series_id", "time"]),
        (snapshot.hours("m", DAYS), ["series_id", "hour"]),
    ):
        pd.testing.assert_frame_equal(found, found.sort_values(by, ignore_index=True))
        assert found["series_id"].nunique() == 3


def test_a_window_inside_a_day_is_half_open_and_looks_back(snapshot: Snapshot) -> None:
    window = Window(START + 30 * HOUR, START + 33 * HOUR)
    samples = snapshot.samples("m", window, ["tenant"])
    assert samples.query("tenant == 'early'")["value"].tolist() == [30, 31, 32]
    hours = snapshot.hours("m", window, ["tenant"]).query("tenant == 'early'")
    assert hours["hour"].tolist() == [window.start, window.start + HOUR, window.start + 2 * HOUR]
    assert hours["increase"].tolist() == [1, 1, 1]
    assert hours["integral"].tolist() == [30 * 300, 31 * 300, 32 * 300]


def test_increases_of_neighbouring_windows_add_up(snapshot: Snapshot) -> None:
    middle = START + 29 * HOUR
    parts = [snapshot.hours("m", Window(*edges))["increase"].sum() for edges in ((START, middle), (middle, DAYS.end))]
    assert parts == [28, 19]
    assert snapshot.hours("m", DAYS)["increase"].sum() == 47


def test_labels_are_those_of_the_rows_alone(snapshot: Snapshot) -> None:
    second = Window(START + 24 * HOUR, DAYS.end)
    for found in (snapshot.samples("m", second, ["tenant"]), snapshot.hours("m", second, ["tenant"])):
        assert found["tenant"].cat.categories.tolist() == ["early", "late"]


def test_types_of_the_frames(snapshot: Snapshot) -> None:
    samples, hours = snapshot.samples("m", DAYS, ["tenant"]), snapshot.hours("m", DAYS, ["tenant"])
    assert {name: str(kind) for name, kind in samples.dtypes.items()} == {
        "series_id": "int64", "time": "datetime64[us, UTC]", "value": "float64", "tenant": "category",
    }  # fmt: skip
    assert list(hours.columns) == [
        "series_id", "hour", "samples", "first_ts", "last_ts", "resets", "changes", "nan_samples", "stale_markers",
        "first", "last", "min", "max", "sum", "integral", "increase", "anchored", "tenant",
    ]  # fmt: skip
    assert {str(hours[name].dtype) for name in ("hour", "first_ts", "last_ts")} == {"datetime64[us, UTC]"}
    assert {str(hours[name].dtype) for name in ("samples", "resets", "changes")} == {"int64"}


def test_times_of_an_hour_without_a_value_are_missing(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    day = next(DAYS.days())
    batch = SeriesBatch.of("m", [({}, np.array([day.start_ms, day.start_ms + HOUR_MS]), np.array([np.nan, 1.0]))])
    publish(lake, [write_tile(lake.path, batch, day, day.end, "tenant")], {})
    hours = lake.snapshot().hours("m", DAYS)
    assert hours["samples"].tolist() == [0, 1]
    assert hours["first_ts"].isna().tolist() == [True, False]
    assert hours["last_ts"].isna().tolist() == [True, False]
    assert hours["nan_samples"].tolist() == [1, 0]


def test_tiles_and_extent(snapshot: Snapshot) -> None:
    assert snapshot.tiles().to_dict("list") == {
        "metric": ["m", "m"],
        "date": ["2026-11-02", "2026-11-03"],
        "asked": [START + 24 * HOUR, DAYS.end],
        "until": [START + 24 * HOUR, DAYS.end],
        "samples": [25, 48],
    }
    assert snapshot.extent() == DAYS


def test_a_lake_of_empty_tiles_has_no_extent(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    day = next(DAYS.days())
    publish(lake, [write_tile(lake.path, SeriesBatch.of("m", []), day, day.end, "tenant")], {})
    snapshot = lake.snapshot()
    assert snapshot.extent() is None
    assert snapshot.tiles()["samples"].tolist() == [0]
    assert len(snapshot.samples("m", DAYS)) == len(snapshot.hours("m", DAYS)) == 0


def read_all(snapshot: Snapshot, kind: str) -> pd.DataFrame:
    return snapshot.samples("m", DAYS) if kind == "samples" else snapshot.hours("m", DAYS)


@pytest.mark.parametrize("kind", ["samples", "rollups"])
def test_a_flipped_bit_anywhere_in_a_file_is_named(lake: Lake, kind: str) -> None:
    for file in sorted((lake.path / kind).rglob("*.parquet")):
        whole = file.read_bytes()
        for place in [*range(0, len(whole), 97), len(whole) - 1]:
            file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
            with pytest.raises(LakeDamaged) as caught:
                read_all(lake.snapshot(), kind)
            assert str(file) in str(caught.value)
            assert len(str(caught.value).splitlines()) == 1
        file.write_bytes(whole)
    assert len(read_all(lake.snapshot(), kind)) == 73


SPOILS = {
    "nothing": lambda *_: b"",
    "shorter": lambda own, _: own[:-1],
    "longer": lambda own, _: own + b"\0",
    "an intact file of another day": lambda _, other: other,
    "gone": None,
}


@pytest.mark.parametrize("kind", ["samples", "rollups"])
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_file_that_is_another_is_named_and_the_rest_stays_readable(lake: Lake, kind: str, spoil) -> None:
    file, other = sorted((lake.path / kind).glob("*/*.parquet"))
    file.write_bytes(spoil(file.read_bytes(), other.read_bytes())) if spoil else file.unlink()
    with pytest.raises(LakeDamaged, match=file.name):
        read_all(lake.snapshot(), kind)
    assert len(lake.snapshot().samples("m", Window(START + 24 * HOUR, DAYS.end))) == 48
    assert lake.snapshot().lost() == (set() if file.is_file() else {("m", "2026-11-02")})


def test_a_file_that_rots_after_it_was_read_is_found(lake: Lake, snapshot: Snapshot) -> None:
    assert len(snapshot.samples("m", DAYS)) == 73
    file = next(lake.path.glob("samples/2026-11-02/*.parquet"))
    state = file.stat()
    data = bytearray(file.read_bytes())
    data[10] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(LakeDamaged, match=file.name):
        snapshot.samples("m", DAYS)


def test_reading_loads_no_compiler(lake: Lake) -> None:
    look = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC;"
        "import cloudxai_analysis.study.opening; from cloudxai_analysis.lake.tables import open_lake;"
        "from cloudxai_analysis.ground.window import Window;"
        "days = Window(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC));"
        "snapshot = open_lake(Path(sys.argv[1])).snapshot();"
        "print(len(snapshot.hours('m', days)), len(snapshot.samples('m', days)), 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", look, lake.path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["73", "73", "False"]


def test_series_have_all_their_labels_and_when_they_were_seen(snapshot: Snapshot) -> None:
    found = snapshot.series("m", DAYS).set_index("labels")
    hours = {tenant: found.loc[f'{{"tenant":"{tenant}"}}'] for tenant in ("early", "late", "gone")}
    assert {tenant: row["samples"] for tenant, row in hours.items()} == {"early": 48, "late": 24, "gone": 1}
    assert hours["late"]["first_seen"] == pd.Timestamp(START + timedelta(days=1))
    assert hours["early"]["last_seen"] == pd.Timestamp(START + 47 * HOUR)
    second = Window(START + timedelta(days=1), DAYS.end)
    assert snapshot.series("m", second)["samples"].tolist() == [24, 24]
    assert snapshot.series("none", DAYS).empty
    assert list(snapshot.series("none", DAYS)) == ["series_id", "labels", "first_seen", "last_seen", "samples"]
