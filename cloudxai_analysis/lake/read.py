"""One published version of the lake, and the frames of it that the measures take."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.lake.rollups import EDGES, FIELDS, join_hours
from cloudxai_analysis.lake.tiles import KINDS, SCHEMAS, TileFile, TileKey, read_table, series_ids

Stated = Mapping[str, Any]
_NEVER = np.iinfo(np.int64).min


class Frames(ABC):
    """The frames of what holds samples; a subclass gives `_table`, each series' times in order."""

    def samples(
        self, metric: str, window: Window, labels: Sequence[str] = (), *, markers: bool = False
    ) -> pd.DataFrame:
        """Raw samples of a metric in a window, sorted by series and time; `markers` keeps NaN, staleness markers too.

        Columns: series_id (int64), time (UTC), value (float64), and a categorical for each of
        `labels`, "" where a series has no such label.
        """
        table, _ = self._table("samples", metric, window, ("labels", "time", "value"))
        time, value = _microseconds(table["time"]), table["value"].to_numpy()
        keep = _within(time, window)
        if not markers:
            keep &= ~np.isnan(value)
        codes, texts, ids = _series(table["labels"])
        rows = np.flatnonzero(keep)
        rows = rows[np.argsort(codes[rows], kind="stable")]
        frame = {"series_id": ids[codes[rows]], "time": _utc(time[rows]), "value": value[rows]}
        return pd.DataFrame(frame | _label_columns(codes[rows], texts, labels), copy=False)

    def hours(self, metric: str, window: Window, labels: Sequence[str] = ()) -> pd.DataFrame:
        """Hourly rollups of a metric in a window, what reaches over from the hour before included.

        The anchor is looked for in the window's days and the whole day before it. Columns:
        series_id (int64), hour (UTC, its start), a categorical for each label, the fields of
        `lake.rollups.roll_up`, with first_ts, last_ts as UTC times, and anchored (a value stands
        before).
        """
        looked = Window(window.start - DAY, window.end)
        table, until_ms = self._table("rollups", metric, looked, ("labels", "hour", *FIELDS))
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

    def series(self, metric: str, window: Window) -> pd.DataFrame:
        """The series of a metric that have a sample in the hours that begin in a window.

        Columns: series_id (int64), labels (all of them, canonical JSON text), first_seen, last_seen
        (UTC, of those hours), samples (number).
        """
        columns = ("samples", "first_ts", "last_ts")
        table, _ = self._table("rollups", metric, window, ("labels", "hour", *columns))
        keep = _within(_microseconds(table["hour"]), window) & (table["samples"].to_numpy() > 0)
        codes, texts, ids = _series(table["labels"])
        rows = pd.DataFrame({name: table[name].to_numpy()[keep] for name in columns})
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

    @property
    @abstractmethod
    def rules(self) -> list[dict[str, Any]] | None:
        """The alerting rules that the source had loaded, as `sources.rules.rule_rows` gives them; None: not known."""

    @abstractmethod
    def _table(self, kind: str, metric: str, window: Window, columns: Sequence[str]) -> tuple[pa.Table, int | None]:
        """Columns of the days that a window touches, and until when (ms) they are known, if it is said."""


class Snapshot(Frames):
    """One published pair of tables, read only; `version` is that of `rollups`, `provenance` what the pull stated.

    What reads raises `LakeDamaged` where a file is missing or not what was written, and names it.
    """

    def __init__(self, path: Path, version: int, samples_version: int, stated: Stated, files: list[TileFile]) -> None:
        self.path = path
        self.version = version
        self.samples_version = samples_version
        self.provenance = dict(stated)
        self.files = sorted(files, key=lambda file: (file.date, file.metric, file.kind))
        self.by_tile = {kind: {file.tile: file for file in files if file.kind == kind} for kind in KINDS}

    @property
    def rules(self) -> list[dict[str, Any]] | None:
        """As the pull stated them."""
        return self.provenance.get("rules")

    @property
    def shrunk(self) -> dict[TileKey, tuple[int, int]]:
        """The tiles of which samples were lost: how many there are, and how many there were."""
        return {(metric, date): (now, before) for metric, date, now, before in self.provenance.get("shrunk", [])}

    def warnings(self, window: Window) -> list[str]:
        """What the source left out of a window's days, and what of their samples was lost."""
        days = {day.name for day in window.days()}
        left_out = omissions(row for row in self.provenance.get("left_out", []) if row[1] in days)
        lost = losses({key: counts for key, counts in self.shrunk.items() if key[1] in days})
        return [*left_out, *lost]

    def lost(self) -> set[TileKey]:
        """The metric and date of the tiles of which a file is gone."""
        return {file.tile for file in self.files if not file.path(self.path).is_file()}

    def tiles(self) -> pd.DataFrame:
        """One row per tile: `metric`, `date` (str), `asked` (when), `until` (up to where), `samples`."""
        rows = [
            (file.metric, file.date, at, min(at, pd.Timestamp(file.date, tz="UTC") + DAY), file.rows)
            for file in self.by_tile["samples"].values()
            for at in [pd.Timestamp(file.asked)]
        ]
        return pd.DataFrame(rows, columns=["metric", "date", "asked", "until", "samples"])

    def extent(self) -> Window | None:
        """From the first day with a sample to the end of what was asked for, or None."""
        held = self.tiles().query("samples > 0")
        if held.empty:
            return None
        start = datetime.strptime(held["date"].min(), "%Y-%m-%d").replace(tzinfo=UTC)
        return Window(start, held["until"].max().to_pydatetime())

    def _table(self, kind: str, metric: str, window: Window, columns: Sequence[str]) -> tuple[pa.Table, int | None]:
        held = (self.by_tile[kind].get((metric, day.name)) for day in window.days())
        files = [file for file in held if file and file.rows]
        if not files:
            return SCHEMAS[kind].empty_table().select(columns), None
        table = pa.concat_tables([read_table(file.path(self.path), columns) for file in files])
        return table.unify_dictionaries(), max(int(file.asked.timestamp()) * 1_000 for file in files)


def omissions(rows: Iterable[Sequence[Any]]) -> list[str]:
    """A line on each kind of thing that was left out of a metric's tiles; rows of metric, date, what, how much."""
    found: Counter[tuple[str, str]] = Counter()
    lines = []
    for metric, _, what, *counts in rows:
        if counts:
            found[metric, what] += counts[0]
        else:  # a whole line, as older versions wrote it
            lines.append(what)
    counted = [f"{metric}: {count:,} {what}" for (metric, what), count in sorted(found.items())]
    return [*dict.fromkeys(lines), *counted]


def losses(shrunk: Mapping[TileKey, tuple[int, int]]) -> list[str]:
    """A line on each tile of which samples were lost: how many there are, of how many."""
    return [
        f"{metric} on {date}: {now:,} of {before:,} samples; the others were lost, and the source no longer has them"
        for (metric, date), (now, before) in sorted(shrunk.items())
    ]


def _series(labels: pa.ChunkedArray) -> tuple[NDArray[np.integer], list[str], NDArray[np.int64]]:
    """Of each row the rank of its series by id; of each rank the canonical labels and the id."""
    combined = labels.dictionary_encode().combine_chunks()
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
