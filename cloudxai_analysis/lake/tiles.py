"""One tile, the samples and rollups of one metric and day, as a pair of Parquet files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from cloudxai_analysis.lake.fields import FIELDS, series_ids
from cloudxai_analysis.lake.frames import utc_times
from cloudxai_analysis.lake.rollups import roll_up
from cloudxai_analysis.sources.series import SeriesBatch, canonical_labels
from cloudxai_analysis.window import Window


@dataclass(frozen=True)
class Tile:
    """A written but uncommitted tile."""

    metric: str
    date: str
    samples: int
    added_samples: AddAction
    added_rollups: AddAction


def write_tile(lake: Path, batch: SeriesBatch, day: Window, until: datetime, tenant_label: str) -> Tile:
    """Write a tile's two files, private and synced; nothing names them until they are committed.

    `until` is the moment up to which the day was asked for: the day's end, or earlier while it is growing.
    """
    order, labels, ids = _ordered(batch)
    ordered = _reordered(batch, order)
    series = _series_columns(labels, ids, [batch.labels[index].get(tenant_label, "") for index in order])
    counts = np.diff(ordered.offsets)
    samples = {
        **{name: _spread(column, counts) for name, column in series.items()},
        "time": utc_times(ordered.times),
        "value": pa.array(ordered.values),
    }
    rolled = roll_up(ordered)
    rollups = {
        **{name: _pick(column, rolled["series"]) for name, column in series.items()},
        "hour": utc_times(rolled["hour"]),
        **{name: pa.array(rolled[name]) for name in FIELDS},
    }
    partition = {"metric": batch.metric, "date": day.name}
    stem = f"{day.name}/{int(until.timestamp())}-{_file_word(batch.metric)}"
    return Tile(
        metric=batch.metric,
        date=day.name,
        samples=batch.samples,
        added_samples=_write(lake / "samples", stem, pa.table(samples), partition),
        added_rollups=_write(lake / "rollups", stem, pa.table(rollups), partition),
    )


def remove_unfinished(lake: Path) -> None:
    """Remove the half-written files that a killed pull left; only for who holds the lake's lock."""
    for file in lake.glob("*/*/*.building"):
        file.unlink()


def _file_word(metric: str) -> str:
    # Two metrics may have equal samples, so the name is part of the path; a hostile one only by its hash.
    if re.fullmatch(r"[A-Za-z0-9_]{1,100}", metric):
        return metric
    return hashlib.sha256(metric.encode()).hexdigest()[:16]


def _ordered(batch: SeriesBatch) -> tuple[list[int], list[str], np.ndarray]:
    texts = [canonical_labels(labels) for labels in batch.labels]
    ids = series_ids(texts)
    order = [int(index) for index in np.argsort(ids, kind="stable")]
    return order, [texts[index] for index in order], ids[order]


def _reordered(batch: SeriesBatch, order: list[int]) -> SeriesBatch:
    edges = batch.offsets
    parts = [
        (batch.labels[i], batch.times[edges[i] : edges[i + 1]], batch.values[edges[i] : edges[i + 1]]) for i in order
    ]
    return SeriesBatch.of(batch.metric, parts)


def _series_columns(labels: list[str], ids: np.ndarray, tenants: list[str]) -> dict[str, Any]:
    return {"series_id": ids, "labels": labels, "tenant": tenants}


def _spread(column: Any, counts: np.ndarray) -> pa.Array:
    return _pick(column, np.repeat(np.arange(len(counts), dtype=np.int64), counts))


def _pick(column: Any, index: np.ndarray) -> pa.Array:
    if isinstance(column, np.ndarray):
        return pa.array(column[index])
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(column, type=pa.string()))


def _write(table: Path, stem: str, content: pa.Table, partition: dict[str, str]) -> AddAction:
    sink = pa.BufferOutputStream()
    pq.write_table(
        content,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=["series_id", "labels", "tenant"],
        write_page_checksum=True,
        write_statistics=["time", "hour"],
        store_schema=False,
    )
    data = sink.getvalue()
    digest = hashlib.sha256(data).hexdigest()[:32]
    path = f"{stem}-{digest}.parquet"
    _write_private(table / path, data)
    return AddAction(
        path=path,
        size=data.size,
        partition_values=partition,
        modification_time=int(datetime.now(UTC).timestamp() * 1_000),
        data_change=True,
        stats=json.dumps({"numRecords": content.num_rows}),
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
