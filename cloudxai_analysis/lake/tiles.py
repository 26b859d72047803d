"""One tile, the samples and rollups of one metric and day, as a pair of Parquet files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ground.files import replace_whole, unfinished_name
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.files import TileFile, TileKey, asked_of
from cloudxai_analysis.lake.frames import SAMPLE_COLUMNS, series_ids, utc_times
from cloudxai_analysis.lake.read import read_table
from cloudxai_analysis.lake.rollups import FIELDS, roll_up
from cloudxai_analysis.sources.series import SeriesBatch, canonical_labels

ROW_GROUP = 1 << 20
NO_IDENTITY = "0" * 8
# Times stand in near equal steps: packed by their differences they are smaller, and faster to write, than compressed.
_PARQUET = {
    "compression": "snappy",
    "use_dictionary": ["series_id", "labels", "tenant"],
    "column_encoding": {"time": "DELTA_BINARY_PACKED", "hour": "DELTA_BINARY_PACKED"},
    "write_page_checksum": True,
    "write_statistics": ["time", "hour"],
    "store_schema": False,
}


@dataclass(frozen=True)
class Tile:
    """A written but uncommitted tile: its two files."""

    samples: TileFile
    rollups: TileFile

    @property
    def key(self) -> TileKey:
        """Metric and date."""
        return self.samples.tile


def write_tile(
    lake: Path, batch: SeriesBatch, day: Window, asked: datetime, tenant_label: str, *, identity: str = NO_IDENTITY
) -> Tile:
    """Write a tile's two files, private and synced; nothing names them until they are committed.

    `asked` is the moment at which the day was asked for: what the lake holds of it ends there, or
    with the day. `identity` stands for all that a tile must share with a later pull for its samples
    to be taken up there.

    Raises
    ------
    OSError
        The disk is full, read-only or failing.
    """
    texts = [canonical_labels(labels) for labels in batch.labels]
    ids = series_ids(texts)
    order = np.argsort(ids, kind="stable")
    series = _Series(
        ids[order],
        [texts[index] for index in order],
        [batch.labels[index].get(tenant_label, "") for index in order],
    )
    stem = f"{day.name}/{int(asked.timestamp())}-{_file_word(batch.metric)}-{identity}"
    tables = {"samples": _sample_tables(batch, order, series), "rollups": [_rollup_table(batch, order, series)]}
    written = []
    for kind, contents in tables.items():
        data, rows = _packed(contents)
        name = f"{stem}-{hashlib.sha256(data).hexdigest()[:32]}.parquet"
        path = lake / kind / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_whole(path, memoryview(data))
        written.append(TileFile(kind, batch.metric, day.name, name, rows, data.size))
    return Tile(*written)


def packed_bytes(batch: SeriesBatch) -> int:
    """How many bytes a batch's samples take in the lake, its rollups left out; nothing is written."""
    texts = [canonical_labels(labels) for labels in batch.labels]
    series = _Series(series_ids(texts), texts, [""] * len(texts))
    return _packed(_sample_tables(batch, np.arange(len(batch)), series))[0].size


def left_tile(
    lake: Path,
    metric: str,
    day: Window,
    asked: datetime,
    tenant_label: str,
    *,
    identity: str,
    held: TileFile | None = None,
    least: int = 0,
) -> Tile | None:
    """A tile of samples that lie there, whole, at least so many, asked for at that moment or later; None without.

    An interrupted pull left them, or the lake holds them (`held`) and lost their rollups: these are
    made again.
    """
    for path in sorted((lake / "samples" / day.name).glob(f"*-{_file_word(metric)}-*.parquet"), reverse=True):
        own, at = path.name.split("-")[-2], asked_of(path.name)
        if at < asked.replace(microsecond=0) or not (own == identity or (held and path == held.path(lake))):
            continue
        try:
            batch = _batch(metric, read_table(path, SAMPLE_COLUMNS))
        except LakeDamaged:
            continue
        if batch.samples >= least:
            return write_tile(lake, batch, day, at, tenant_label, identity=own)
    return None


def remove_unfinished(lake: Path) -> None:
    """Remove the half-written files that a killed pull left; only for who holds the lake's lock."""
    for file in lake.glob(f"*/*/{unfinished_name('*')}"):
        file.unlink()


def _batch(metric: str, table: pa.Table) -> SeriesBatch:
    """The samples of a tile's file, in which each series' rows stand together."""
    table = table.unify_dictionaries()
    labels = table["labels"].combine_chunks()
    times = table["time"].cast(pa.int64()).to_numpy() // 1_000
    values, codes = table["value"].to_numpy(), labels.indices.to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)] if len(codes) else [0]
    parts = [slice(low, high) for low, high in pairwise(edges)]
    texts = labels.dictionary.to_pylist()
    return SeriesBatch.of(metric, [(json.loads(texts[codes[part.start]]), times[part], values[part]) for part in parts])


def _file_word(metric: str) -> str:
    # Two metrics may have equal samples, so the name is part of the path; a hostile one only by its hash.
    if re.fullmatch(r"[A-Za-z0-9_]{1,100}", metric):
        return metric
    return hashlib.sha256(metric.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Series:
    """The series of a tile in the order of their ids."""

    ids: NDArray[np.int64]
    labels: list[str]
    tenants: list[str]

    def columns(self, rows: NDArray[np.int32]) -> dict[str, pa.Array]:
        """The columns that name a series, where `rows` holds the place of each row's series."""
        return {"series_id": self._spread(rows, pa.array(self.ids)), **self.texts(rows)}

    def texts(self, rows: NDArray[np.int32]) -> dict[str, pa.Array]:
        """The same without the id: of samples it would be a ninth of the writing, and the labels say the same."""
        columns = {"labels": self.labels, "tenant": self.tenants}
        return {name: self._spread(rows, pa.array(texts, type=pa.string())) for name, texts in columns.items()}

    def _spread(self, rows: NDArray[np.int32], column: pa.Array) -> pa.DictionaryArray:
        # The places are our own, so that they need not be held against the column's bounds again.
        return pa.DictionaryArray.from_arrays(pa.array(rows), column, safe=False)


def _sample_tables(batch: SeriesBatch, order: NDArray[np.int64], series: _Series) -> Iterator[pa.Table]:
    """The samples in the order of series and time, a table for each row group: memory holds one at a time."""
    counts = np.diff(batch.offsets)[order]
    groups = (np.cumsum(counts) - counts) // ROW_GROUP
    for _, grouped in groupby(range(len(order)), key=lambda place: groups[place]):
        places = list(grouped)
        pieces = [slice(*batch.offsets[order[place] : order[place] + 2]) for place in places]
        rows = np.repeat(np.array(places, dtype=np.int32), counts[places])
        times = np.concatenate([batch.times[piece] for piece in pieces])
        values = np.concatenate([batch.values[piece] for piece in pieces])
        yield pa.table({**series.texts(rows), "time": utc_times(times), "value": pa.array(values)})
    if not len(order):
        none = np.empty(0, dtype=np.int32)
        times, values = utc_times(none.astype(np.int64)), pa.array(none.astype(np.float64))
        yield pa.table({**series.texts(none), "time": times, "value": values})


def _rollup_table(batch: SeriesBatch, order: NDArray[np.int64], series: _Series) -> pa.Table:
    rolled = roll_up(batch)
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    rows = place[rolled["series"]]
    sort = np.argsort(rows, kind="stable")
    fields = {name: pa.array(rolled[name][sort]) for name in FIELDS}
    return pa.table({**series.columns(rows[sort]), "hour": utc_times(rolled["hour"][sort]), **fields})


def _packed(contents: Iterable[pa.Table]) -> tuple[pa.Buffer, int]:
    """A Parquet file of the tables, a row group each, and its number of rows."""
    sink, writer, rows = pa.BufferOutputStream(), None, 0
    for content in contents:
        writer = writer or pq.ParquetWriter(sink, content.schema, **_PARQUET)
        writer.write_table(content, row_group_size=max(content.num_rows, 1))
        rows += content.num_rows
    if writer:
        writer.close()
    return sink.getvalue(), rows
