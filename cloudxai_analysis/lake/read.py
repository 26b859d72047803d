"""Reading one published version: every file's hash and page checksums are verified before a number leaves it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cloudxai_analysis.errors import LakeDamaged
from cloudxai_analysis.lake.rollups import FIELDS, join_hours
from cloudxai_analysis.window import DAY, Window

_VERIFIED: set[Path] = set()
_TIMES = ("first_ts", "last_ts")


class Snapshot:
    """One published pair of tables, read only; `version` is that of `rollups`."""

    def __init__(
        self,
        path: Path,
        *,
        version: int,
        samples_version: int,
        provenance: dict[str, Any],
        rollup_files: list[dict[str, Any]],
        sample_files: list[dict[str, Any]],
    ) -> None:
        self.path = path
        self.version = version
        self.samples_version = samples_version
        self.provenance = provenance
        self._files = {"rollups": _by_tile(rollup_files), "samples": _by_tile(sample_files)}

    def tiles(self) -> pd.DataFrame:
        """One row per tile: `metric`, `date` (str), `until` (time up to which it was asked for), `samples` (int)."""
        rows = [
            {"metric": metric, "date": date, "until": tile_until(file["path"]), "samples": file["num_records"]}
            for (metric, date), file in self._files["samples"].items()
        ]
        return pd.DataFrame(rows, columns=["metric", "date", "until", "samples"])

    def samples(
        self, metric: str, window: Window, labels: Sequence[str] = (), *, markers: bool = False
    ) -> pd.DataFrame:
        """Raw samples of a metric in a window, sorted by series and time.

        Parameters
        ----------
        labels : sequence of str
            Label names that become columns; "" where a series has no such label.
        markers : bool
            Keep staleness markers and other NaN as NaN.

        Returns
        -------
        DataFrame
            `series_id` (int64), `time` (UTC), `value` (float64), and a categorical column for each label.

        Raises
        ------
        LakeDamaged
            A file is missing or not what was written; it is named.
        """
        table = self._table("samples", metric, window, ["series_id", "labels", "time", "value"])
        return samples_frame(table, window, labels, markers=markers)

    def hours(self, metric: str, window: Window, labels: Sequence[str] = ()) -> pd.DataFrame:
        """Hourly rollups of a metric in a window, what reaches over from the hour before included.

        The anchor is looked for in the window's days and the whole day before it.

        Returns
        -------
        DataFrame
            `series_id` (int64), `hour` (UTC, its start), a categorical column for each label, and the fields of
            `lake.rollups.roll_up`, with `first_ts`, `last_ts` as UTC times.

        Raises
        ------
        LakeDamaged
            A file is missing or not what was written; it is named.
        """
        wide = Window(window.start - DAY, window.end)
        table = self._table("rollups", metric, wide, ["series_id", "labels", "hour", *FIELDS])
        return hours_frame(table, window, labels)

    def extent(self) -> Window | None:
        """From the first day with a sample to the end of what was asked for, or None."""
        tiles = self.tiles()
        held = tiles[tiles["samples"] > 0]
        if held.empty:
            return None
        start = datetime.strptime(held["date"].min(), "%Y-%m-%d").replace(tzinfo=UTC)
        return Window(start, held["until"].max().to_pydatetime())

    def _table(self, kind: str, metric: str, window: Window, columns: list[str]) -> pa.Table:
        files = self._files[kind]
        days = [day.name for day in window.days() if (metric, day.name) in files]
        paths = [self.path / kind / files[metric, day]["path"] for day in days if files[metric, day]["num_records"]]
        with ThreadPoolExecutor(2) as pool:
            tables = list(pool.map(lambda path: _read(path, columns), paths))
        if not tables:
            return pa.table({name: pa.array([], type=_empty_type(name)) for name in columns})
        return pa.concat_tables(tables).unify_dictionaries()


def tile_until(path: str) -> pd.Timestamp:
    """The moment up to which a tile was asked for, from its file's name."""
    return pd.Timestamp(int(Path(path).name.split("-")[0]), unit="s", tz="UTC")


def samples_frame(table: pa.Table, window: Window, labels: Sequence[str], *, markers: bool) -> pd.DataFrame:
    """The samples frame of a table with `series_id`, `labels`, `time`, `value`."""
    time = _numpy(table["time"].cast(pa.int64()))
    keep = (time >= window.start_ms * 1_000) & (time < window.end_ms * 1_000)
    value = _numpy(table["value"])
    if not markers:
        keep &= ~np.isnan(value)
    codes, texts = _codes(table["labels"])
    rows = np.flatnonzero(keep)
    rows = rows[_series_order(codes[rows])]
    frame = {
        "series_id": _numpy(table["series_id"])[rows],
        "time": pd.DatetimeIndex(time[rows].view("datetime64[us]"), tz=UTC),
        "value": value[rows],
    }
    return pd.DataFrame(frame | _label_columns(codes[rows], texts, labels), copy=False)


def hours_frame(table: pa.Table, window: Window, labels: Sequence[str]) -> pd.DataFrame:
    """The hours frame of a table with `series_id`, `labels`, `hour` and the rollup's fields."""
    codes, texts = _codes(table["labels"])
    hour = _numpy(table["hour"].cast(pa.int64())) // 1_000
    order = _series_order(codes)
    rollups = pd.DataFrame({name: _numpy(table[name])[order] for name in ("series_id", *FIELDS)}, copy=False)
    rollups.insert(1, "hour", hour[order])
    joined = join_hours(rollups)
    inside = (joined["hour"] >= window.start_ms) & (joined["hour"] < window.end_ms)
    columns = _label_columns(codes[order][inside.to_numpy()], texts, labels)
    frame = joined[inside].drop(columns=["first_point_ts", "last_point_ts", "last_point_is_value"])
    frame = frame.reset_index(drop=True)
    seen = frame["samples"] > 0
    for name in ("hour", *_TIMES):
        frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True).astype("datetime64[us, UTC]")
    for name in _TIMES:
        frame[name] = frame[name].where(seen)
    return frame.assign(**columns)


def _by_tile(files: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(file["partition.metric"], file["partition.date"]): file for file in files}


def _read(path: Path, columns: list[str]) -> pa.Table:
    try:
        data = path.read_bytes()
        if path not in _VERIFIED:
            _verify(path, data)
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True, read_dictionary=["labels"])
        return file.read(columns, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, (str(error).splitlines() or [""])[0]) from None


def _verify(path: Path, data: bytes) -> None:
    named = path.stem.split("-")[-1]
    found = hashlib.sha256(data).hexdigest()[: len(named)]
    if found != named:
        raise _damaged(path, f"its SHA-256 begins with {found}, its name says {named}")
    _VERIFIED.add(path)


def _damaged(path: Path, cause: str) -> LakeDamaged:
    return LakeDamaged(
        f"Lake file {path} is damaged: {cause}. Nothing was read from it. Delete it and `cloudxai pull` the day again."
    )


def _codes(labels: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    if not labels.num_chunks:
        return np.zeros(0, dtype=np.int32), []
    combined = labels.combine_chunks()
    if not pa.types.is_dictionary(combined.type):
        combined = pc.dictionary_encode(combined)
    return _numpy(combined.indices).astype(np.int32), combined.dictionary.to_pylist()


def _series_order(codes: np.ndarray) -> np.ndarray:
    # Tiles come day by day, sorted within: a stable sort by series leaves the times of each in order.
    few = codes.astype(np.int16) if len(codes) and codes.max() < np.iinfo(np.int16).max else codes
    return np.argsort(few, kind="stable")


def _label_columns(codes: np.ndarray, texts: list[str], labels: Sequence[str]) -> dict[str, pd.Categorical]:
    parsed = [json.loads(text) for text in texts]
    columns = {}
    for name in labels:
        values = [found.get(name, "") for found in parsed]
        categories = sorted(set(values))
        position = {value: index for index, value in enumerate(categories)}
        lookup = np.array([position[value] for value in values], dtype=np.int32)
        chosen = lookup[codes] if len(codes) else np.zeros(0, dtype=np.int32)
        columns[name] = pd.Categorical.from_codes(chosen, categories=pd.Index(categories, dtype="str"))
    return columns


def _numpy(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()


def _empty_type(name: str) -> pa.DataType:
    if name == "labels":
        return pa.dictionary(pa.int32(), pa.string())
    if name in ("time", "hour"):
        return pa.timestamp("us", tz="UTC")
    floats = ("value", "first", "last", "min", "max", "sum", "integral", "increase")
    return pa.float64() if name in floats else pa.int64()


