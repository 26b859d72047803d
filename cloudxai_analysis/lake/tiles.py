"""One tile, the samples and rollups of one metric and day, as a pair of Parquet files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import LakeUnwritable
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.fields import FIELDS, series_ids
from cloudxai_analysis.lake.frames import utc_times
from cloudxai_analysis.lake.rollups import roll_up
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
    """A written but uncommitted tile."""

    metric: str
    date: str
    samples: int
    added_samples: AddAction
    added_rollups: AddAction


def write_tile(
    lake: Path, batch: SeriesBatch, day: Window, asked: datetime, tenant_label: str, *, identity: str = NO_IDENTITY
) -> Tile:
    """Write a tile's two files, private and synced; nothing names them until they are committed.

    `asked` is the moment at which the day was asked for: what the lake holds of it ends there, or with the day.
    `identity` stands for all that an unpublished tile must share with a later pull for it to be taken up there.

    Raises
    ------
    LakeUnwritable
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
    partition = {"metric": batch.metric, "date": day.name}
    stem = f"{day.name}/{int(asked.timestamp())}-{_file_word(batch.metric)}-{identity}"
    samples = _write(lake / "samples", stem, _sample_tables(batch, order, series), partition)
    # A tile's files are found again as a pair by the hash of its samples, which its rollups carry in their name.
    stem = f"{stem}-{samples.path.split('-')[-1][:16]}"
    rollups = _write(lake / "rollups", stem, [_rollup_table(batch, order, series)], partition)
    return Tile(batch.metric, day.name, batch.samples, samples, rollups)


def packed_bytes(batch: SeriesBatch) -> int:
    """How many bytes a batch's samples take in the lake, its rollups left out; nothing is written."""
    texts = [canonical_labels(labels) for labels in batch.labels]
    series = _Series(series_ids(texts), texts, [""] * len(texts))
    return _packed(_sample_tables(batch, np.arange(len(batch)), series))[0].size


def unpublished_tile(lake: Path, metric: str, day: Window, asked: datetime, identity: str) -> Tile | None:
    """A whole tile that an interrupted pull left behind, asked for at that moment or later; None where there is none.

    Both of its files are held against their hashes.
    """
    stem = f"*-{_file_word(metric)}-{identity}"
    partition = {"metric": metric, "date": day.name}
    for file in sorted((lake / "samples" / day.name).glob(f"{stem}-*.parquet"), reverse=True):
        digest = file.stem.split("-")[-1]
        pairs = (lake / "rollups" / day.name).glob(f"{file.name.split('-')[0]}{stem[1:]}-{digest[:16]}-*.parquet")
        for pair in pairs:
            if int(file.name.split("-")[0]) >= int(asked.timestamp()) and _is_whole(file) and _is_whole(pair):
                samples, rollups = (
                    _added(whole.relative_to(lake / kind).as_posix(), whole.stat().st_size, _rows(whole), partition)
                    for kind, whole in (("samples", file), ("rollups", pair))
                )
                return Tile(metric, day.name, _rows(file), samples, rollups)
    return None


def remove_unfinished(lake: Path) -> None:
    """Remove the half-written files that a killed pull left; only for who holds the lake's lock."""
    for file in lake.glob("*/*/*.building"):
        file.unlink()


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


def _is_whole(file: Path) -> bool:
    """Whether a file is what was written under its name."""
    digest = file.stem.split("-")[-1]
    return hashlib.sha256(file.read_bytes()).hexdigest()[: len(digest)] == digest


def _rows(file: Path) -> int:
    return int(pq.read_metadata(file).num_rows)


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


def _write(table: Path, stem: str, contents: Iterable[pa.Table], partition: dict[str, str]) -> AddAction:
    data, rows = _packed(contents)
    path = f"{stem}-{hashlib.sha256(data).hexdigest()[:32]}.parquet"
    try:
        _write_private(table / path, data)
    except OSError as error:
        raise LakeUnwritable(
            f"Lake file {table / path} cannot be written: {error.strerror or error}. Nothing was published; make room "
            "or mend the disk, and run again: what was pulled before is taken up."
        ) from None
    return _added(path, data.size, rows, partition)


def _added(path: str, size: int, rows: int, partition: dict[str, str]) -> AddAction:
    return AddAction(
        path=path,
        size=size,
        partition_values=partition,
        modification_time=int(datetime.now(UTC).timestamp() * 1_000),
        data_change=True,
        stats=json.dumps({"numRecords": rows}),
    )


def _write_private(file: Path, data: pa.Buffer) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    building = file.with_suffix(f".{os.getpid()}.building")
    descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as sink:
        sink.write(data)
        sink.flush()
        os.fsync(sink.fileno())
    building.replace(file)
