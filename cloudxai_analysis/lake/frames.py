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
TIME = pa.timestamp("us", tz="UTC")
_NEVER = np.iinfo(np.int64).min


def samples_frame(table: pa.Table, window: Window, labels: Sequence[str], *, markers: bool) -> pd.DataFrame:
    """The samples frame of a table with `SAMPLE_COLUMNS`, in which the times of each series stand in order."""
    time, value = _microseconds(table["time"]), table["value"].to_numpy()
    keep = _within(time, window)
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
    codes, hour = codes[order], _microseconds(table["hour"])[order]
    fields = {name: table[name].to_numpy()[order] for name in FIELDS}
    rollups = pd.DataFrame({"series_id": ids[codes], "hour": hour // 1_000, **fields}, copy=False)
    inside = _within(hour, window)
    frame = join_hours(rollups, until_ms=until_ms)[inside].drop(columns=list(EDGES)).reset_index(drop=True)
    seen = frame["samples"].to_numpy() > 0
    times = {name: _utc(np.where(seen, frame[name] * 1_000, _NEVER)) for name in ("first_ts", "last_ts")}
    return frame.assign(hour=_utc(hour[inside]), **times, **_label_columns(codes[inside], texts, labels))


def series_frame(table: pa.Table, window: Window) -> pd.DataFrame:
    """The series of a table with `SERIES_COLUMNS` that have a sample in the hours that begin in a window."""
    keep = _within(_microseconds(table["hour"]), window) & (table["samples"].to_numpy() > 0)
    codes, texts, ids = _series(table["labels"])
    rows = pd.DataFrame({name: table[name].to_numpy()[keep] for name in ("samples", "first_ts", "last_ts")})
    found = rows.groupby(codes[keep]).agg({"first_ts": "min", "last_ts": "max", "samples": "sum"}).astype("int64")
    present = found.index.to_numpy()
    return pd.DataFrame(
        {
            "series_id": ids[present],
            "labels": pd.Series([texts[code] for code in present], dtype="str"),
            "first_seen": _utc(found["first_ts"].to_numpy() * 1_000),
            "last_seen": _utc(found["last_ts"].to_numpy() * 1_000),
            "samples": found["samples"].to_numpy(),
        }
    )


def series_ids(labels: Sequence[str]) -> NDArray[np.int64]:
    """Stable 64-bit ids of canonical label sets: the first eight bytes of their SHA-256, signed.

    Raises LakeDamaged (two label sets share an id; both are named).
    """
    ids = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True) for text in labels]
    seen: dict[int, str] = {}
    for number, text in zip(ids, labels, strict=True):
        if seen.setdefault(number, text) != text:
            raise LakeDamaged(f"Series {seen[number]} and {text} share the id {number}. Report this pair of labels.")
    return np.array(ids, dtype=np.int64)


def empty_table(columns: Sequence[str]) -> pa.Table:
    """A table without a row, with the types that the frames are made from."""
    known = {"labels": pa.dictionary(pa.int32(), pa.string()), "time": TIME, "hour": TIME, "value": pa.float64()}
    known |= dict.fromkeys(FLOATS, pa.float64())
    return pa.table({name: pa.array([], type=known.get(name, pa.int64())) for name in columns})


def utc_times(milliseconds: NDArray[np.int64]) -> pa.Array:
    """Milliseconds since the epoch as the lake's times."""
    return pa.array(milliseconds * 1_000, type=pa.int64()).cast(TIME)


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
    return rank[combined.indices.to_numpy(zero_copy_only=False)], [texts[index] for index in order], ids[order]


def _label_columns(
    codes: NDArray[np.integer], texts: Sequence[str], labels: Sequence[str]
) -> dict[str, pd.Categorical]:
    present = np.flatnonzero(np.bincount(codes))
    parsed = [json.loads(texts[code]) for code in present.tolist()]
    columns = {}
    for name in labels:
        values = pd.Categorical(pd.array([found.get(name, "") for found in parsed], dtype="str"))
        lookup = np.zeros(len(texts), dtype=np.int32)
        lookup[present] = values.codes
        columns[name] = pd.Categorical.from_codes(lookup[codes], categories=values.categories)
    return columns


def _within(microseconds: NDArray[np.int64], window: Window) -> NDArray[np.bool_]:
    return (microseconds >= window.start_ms * 1_000) & (microseconds < window.end_ms * 1_000)


def _utc(microseconds: NDArray[np.int64]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(microseconds.view("datetime64[us]"), tz=UTC)


def _microseconds(times: pa.ChunkedArray) -> NDArray[np.int64]:
    return times.cast(pa.int64()).to_numpy()
