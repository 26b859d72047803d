"""From tables of samples or rollups to the frames that the measures take."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.rollups import EDGES, FIELDS, FLOATS, join_hours

SAMPLE_COLUMNS = ("labels", "time", "value")
ROLLUP_COLUMNS = ("labels", "hour", *FIELDS)
SERIES_COLUMNS = ("labels", "hour", "samples", "first_ts", "last_ts")
_TIMES = ("hour", "first_ts", "last_ts")


def samples_frame(table: pa.Table, window: Window, labels: Sequence[str], *, markers: bool) -> pd.DataFrame:
    """The samples frame of a table with `SAMPLE_COLUMNS`, in which the times of each series stand in order."""
    time = _microseconds(table["time"])
    keep = (time >= window.start_ms * 1_000) & (time < window.end_ms * 1_000)
    value = _numpy(table["value"])
    if not markers:
        keep &= ~np.isnan(value)
    codes, texts, ids = _series(table["labels"])
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    frame = {"series_id": ids[codes[rows]], "time": _utc(time[rows]), "value": value[rows]}
    return pd.DataFrame(frame | _label_columns(codes[rows], texts, labels), copy=False)


def hours_frame(table: pa.Table, window: Window, labels: Sequence[str], *, until_ms: int | None = None) -> pd.DataFrame:
    """The hours frame of a table with `ROLLUP_COLUMNS`, known up to `until_ms`; the hours of a series in order."""
    codes, texts, ids = _series(table["labels"])
    order = np.argsort(codes, kind="stable")
    codes, hour = codes[order], _microseconds(table["hour"])[order] // 1_000
    fields = {name: _numpy(table[name])[order] for name in FIELDS}
    joined = join_hours(pd.DataFrame({"series_id": ids[codes], "hour": hour, **fields}, copy=False), until_ms=until_ms)
    inside = (hour >= window.start_ms) & (hour < window.end_ms)
    frame = joined[inside].drop(columns=list(EDGES)).reset_index(drop=True)
    unseen = frame["samples"].to_numpy() == 0
    for name in _TIMES:
        time = frame[name].to_numpy() * 1_000
        if name != "hour":
            time[unseen] = np.iinfo(np.int64).min
        frame[name] = _utc(time)
    return frame.assign(**_label_columns(codes[inside], texts, labels))


def series_frame(table: pa.Table, window: Window) -> pd.DataFrame:
    """The series of a table with `SERIES_COLUMNS` that have a sample in the hours that begin in a window."""
    hour, samples = _microseconds(table["hour"]), _numpy(table["samples"])
    keep = (hour >= window.start_ms * 1_000) & (hour < window.end_ms * 1_000) & (samples > 0)
    codes, texts, ids = _series(table["labels"])
    rows = pd.DataFrame({name: _numpy(table[name])[keep] for name in ("samples", "first_ts", "last_ts")})
    by_series = rows.groupby(codes[keep])
    found = by_series.agg(first_seen=("first_ts", "min"), last_seen=("last_ts", "max"), samples=("samples", "sum"))
    present = found.index.to_numpy()
    frame = pd.DataFrame(
        {"series_id": ids[present], "labels": pd.Series([texts[code] for code in present], dtype="str")}
    )
    for name in ("first_seen", "last_seen"):
        frame[name] = _utc(found[name].to_numpy(dtype=np.int64) * 1_000)
    return frame.assign(samples=found["samples"].to_numpy(dtype=np.int64))


def series_ids(labels: Sequence[str]) -> NDArray[np.int64]:
    """Stable 64-bit ids of canonical label sets: the first eight bytes of their SHA-256, signed.

    Raises
    ------
    LakeDamaged
        Two label sets share an id; both are named.
    """
    ids = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True) for text in labels]
    seen: dict[int, str] = {}
    for number, text in zip(ids, labels, strict=True):
        if seen.setdefault(number, text) != text:
            raise LakeDamaged(f"Series {seen[number]} and {text} share the id {number}. Report this pair of labels.")
    return np.array(ids, dtype=np.int64)


def empty_table(columns: Sequence[str]) -> pa.Table:
    """A table without a row, with the types that the frames are made from."""
    return pa.table({name: pa.array([], type=_type(name)) for name in columns})


def utc_times(milliseconds: NDArray[np.int64]) -> pa.Array:
    """Milliseconds since the epoch as the lake's times."""
    return pa.array(milliseconds * 1_000, type=pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def _type(name: str) -> pa.DataType:
    if name == "labels":
        return pa.dictionary(pa.int32(), pa.string())
    if name in ("time", "hour"):
        return pa.timestamp("us", tz="UTC")
    return pa.float64() if name == "value" or name in FLOATS else pa.int64()


def _series(labels: pa.ChunkedArray) -> tuple[NDArray[np.integer], list[str], NDArray[np.int64]]:
    """Of each row the rank of its series by id; of each rank the canonical labels and the id."""
    combined = labels.combine_chunks() if labels.num_chunks else pa.array([], type=labels.type)
    if not pa.types.is_dictionary(combined.type):
        combined = pc.dictionary_encode(combined)
    texts = combined.dictionary.to_pylist()
    ids = series_ids(texts)
    order = np.argsort(ids, kind="stable")
    # Small integers sort fastest.
    rank = np.empty(len(order), dtype=np.int16 if len(order) < np.iinfo(np.int16).max else np.int32)
    rank[order] = np.arange(len(order))
    return rank[_numpy(combined.indices)], [texts[index] for index in order], ids[order]


def _label_columns(
    codes: NDArray[np.integer], texts: Sequence[str], labels: Sequence[str]
) -> dict[str, pd.Categorical]:
    present = np.flatnonzero(np.bincount(codes, minlength=len(texts))) if len(texts) else np.empty(0, dtype=np.int64)
    parsed = [json.loads(texts[int(code)]) for code in present]
    columns = {}
    for name in labels:
        values = [found.get(name, "") for found in parsed]
        categories = sorted(set(values))
        position = {value: index for index, value in enumerate(categories)}
        lookup = np.zeros(len(texts), dtype=np.int32)
        lookup[present] = [position[value] for value in values]
        columns[name] = pd.Categorical.from_codes(lookup[codes], categories=pd.Index(categories, dtype="str"))
    return columns


def _utc(microseconds: NDArray[np.int64]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(microseconds.view("datetime64[us]"), tz=UTC)


def _microseconds(times: pa.ChunkedArray) -> NDArray[np.int64]:
    return _numpy(times.cast(pa.int64()))


def _numpy(column: pa.ChunkedArray | pa.Array) -> NDArray:
    return column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
