"""A tile, the samples and rollups of one metric and day: two Parquet files named by their hashes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import LakeDamaged
from cloudxai_analysis.ground.files import NO_DESCRIPTORS, make_folder, no_descriptors, replace_whole, unfinished_name
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.rollups import EDGES, FIELDS, FLOATS, INTEGERS, roll_up
from cloudxai_analysis.sources.series import SeriesBatch, canonical_labels

KINDS = ("samples", "rollups")
TileKey = tuple[str, str]
TIME = pa.timestamp("us", tz="UTC")
_SERIES = [("labels", pa.string()), ("tenant", pa.string())]
_COUNTS = [(name, pa.int64()) for name in (*INTEGERS, *EDGES)]
_FIGURES = [(name, pa.float64()) for name in FLOATS]
SCHEMAS = {
    "samples": pa.schema([*_SERIES, ("time", TIME), ("value", pa.float64())]),
    "rollups": pa.schema([("series_id", pa.int64()), *_SERIES, ("hour", TIME), *_COUNTS, *_FIGURES]),
}
ROW_GROUP = 1 << 20
_LEFT_OUT = b"cloudxai.left_out"
# Times in near equal steps are smaller, and faster to write, by their differences than compressed.
_PARQUET = {
    "compression": "snappy",
    "use_dictionary": ["series_id", "labels", "tenant"],
    "column_encoding": {"time": "DELTA_BINARY_PACKED", "hour": "DELTA_BINARY_PACKED"},
    "write_page_checksum": True,
    "write_statistics": ["time", "hour"],
    "store_schema": False,
}


@dataclass(frozen=True)
class TileFile:
    """One of the two files of a tile; its name is that in the table's folder, its size is in bytes."""

    kind: str
    metric: str
    date: str
    name: str
    rows: int
    size: int

    @property
    def tile(self) -> TileKey:
        """Metric and date, by which a lake knows its tiles."""
        return self.metric, self.date

    @property
    def asked(self) -> datetime:
        """The moment up to which the tile was asked for."""
        return _asked(self.name)

    def path(self, lake: Path) -> Path:
        """Where it lies in a lake."""
        return lake / self.kind / self.name


@dataclass(frozen=True)
class Tile:
    """A tile that lies there, samples first, with what the source had and it has not, as in `SeriesBatch`."""

    files: list[TileFile]
    left_out: Mapping[str, int]


def write_tile(
    lake: Path, batch: SeriesBatch, day: Window, asked: datetime, tenant_label: str, *, identity: str = "0"
) -> Tile:
    """Write a tile's two files, private and synced; a commit must name them.

    `asked` is up to when the day was asked for; a later pull of the same `identity` may take the
    tile up. Raises OSError where the disk is full, read-only or failing.
    """
    texts = [canonical_labels(labels) for labels in batch.labels]
    ids = series_ids(texts)
    order = np.argsort(ids, kind="stable")
    names = {
        "labels": pa.array([texts[index] for index in order], type=pa.string()),
        "tenant": pa.array([batch.labels[index].get(tenant_label, "") for index in order], type=pa.string()),
    }
    stem = f"{day.name}/{int(asked.timestamp())}-{_file_word(batch.metric)}-{identity}"
    tables = {"samples": _sample_tables(batch, order, names), "rollups": [_rollup_table(batch, order, ids, names)]}
    written = []
    for kind, contents in tables.items():
        data, rows = _packed(contents, batch.left_out if kind == "samples" else {})
        name = f"{stem}-{hashlib.sha256(data).hexdigest()[:32]}.parquet"
        path = lake / kind / name
        for folder in (path.parent.parent, path.parent):
            make_folder(folder, mode=0o700)
        # Two workers may write one tile, where one of them was taken for lost.
        replace_whole(path, memoryview(data), own=uuid4().hex[:8])
        written.append(TileFile(kind, batch.metric, day.name, name, rows, data.size))
    return Tile(written, dict(batch.left_out))


def left_tile(
    lake: Path, metric: str, day: Window, asked: datetime, tenant_label: str, *, identity: str,
    held: TileFile | None = None, least: int = 0,
) -> Tile | None:  # fmt: skip
    """A whole tile that lies there, of so many samples at least, asked for then or later; else None.

    An interrupted pull left it, or the lake holds it (`held`): its rollups are made again.
    """
    for path in sorted((lake / "samples" / day.name).glob(f"*-{_file_word(metric)}-*.parquet"), reverse=True):
        own, at = path.name.split("-")[-2], _asked(path.name)
        if at < asked.replace(microsecond=0) or not (own == identity or (held and path == held.path(lake))):
            continue
        try:
            batch = _batch(metric, read_table(path, ("labels", "time", "value")), _left_out(path))
        except LakeDamaged:
            continue
        if batch.samples >= least:
            return write_tile(lake, batch, day, at, tenant_label, identity=own)
    return None


def remove_unfinished(lake: Path) -> None:
    """Remove the half-written files that a killed pull left; only for who holds the lake's lock."""
    for file in lake.glob(f"*/*/{unfinished_name('*')}"):
        file.unlink()


def checked(path: Path) -> tuple[bytes, str]:
    """The bytes of a tile's file, and how they differ from the SHA-256 in its name, '' if they do not."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b"", "missing"
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:  # says nothing of the file, which must not be set aside for it
            raise no_descriptors(f"Lake file {path}") from None
        return b"", f"unreadable: {error.strerror or type(error).__name__}"
    named = path.stem.split("-")[-1]
    found = hashlib.sha256(content).hexdigest()[: len(named)]
    return content, "" if found == named else f"damaged: its SHA-256 begins with {found}"


def intact(path: Path) -> bytes:
    """The bytes of a tile's file; LakeDamaged where it is missing or not what was written."""
    content, fault = checked(path)
    if fault:
        raise _damaged(path, fault)
    return content


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of a tile's file, decoded from the very bytes that were checked; raises as `intact`."""
    try:
        file = pq.ParquetFile(pa.BufferReader(intact(path)), read_dictionary=["labels"])
        return file.read(list(columns), use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, f"unreadable: {(str(error).splitlines() or [''])[0]}") from None


def series_ids(labels: Sequence[str]) -> NDArray[np.int64]:
    """Stable 64-bit ids of canonical label sets, by SHA-256; LakeDamaged where two share one."""
    ids = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True) for text in labels]
    seen: dict[int, str] = {}
    for number, text in zip(ids, labels, strict=True):
        if seen.setdefault(number, text) != text:
            raise LakeDamaged(f"Series {seen[number]} and {text} share the id {number}. Report this pair of labels.")
    return np.array(ids, dtype=np.int64)


def utc_times(milliseconds: NDArray[np.int64]) -> pa.Array:
    """Milliseconds since the epoch as the lake's times."""
    return pa.array(milliseconds * 1_000, type=pa.int64()).cast(TIME)


def _damaged(path: Path, cause: str) -> LakeDamaged:
    return LakeDamaged(
        f"Lake file {path} is {cause}. Nothing was read from it; `cloudxai lake verify` sets it aside, and the next "
        "`cloudxai pull` brings it back."
    )


def _asked(name: str) -> datetime:
    return datetime.fromtimestamp(int(Path(name).name.split("-", maxsplit=1)[0]), UTC)


def _file_word(metric: str) -> str:
    # Two metrics may have equal samples: the path tells the name, a hostile one only by its hash.
    if re.fullmatch(r"[A-Za-z0-9_]{1,100}", metric):
        return metric
    return hashlib.sha256(metric.encode()).hexdigest()[:16]


def _left_out(path: Path) -> dict[str, int]:
    """What stands in a tile's file of what it has not: so it outlives an interrupted pull."""
    metadata = pq.read_metadata(pa.BufferReader(intact(path))).metadata or {}
    return dict(json.loads(metadata.get(_LEFT_OUT, b"{}")))


def _batch(metric: str, table: pa.Table, left_out: Mapping[str, int]) -> SeriesBatch:
    """The samples of a tile's file, in which each series' rows stand together."""
    labels = table.unify_dictionaries()["labels"].combine_chunks()
    times = table["time"].cast(pa.int64()).to_numpy() // 1_000
    values, codes = table["value"].to_numpy(), labels.indices.to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)] if len(codes) else [0]
    texts = labels.dictionary.to_pylist()
    series = [(json.loads(texts[codes[a]]), times[a:b], values[a:b]) for a, b in pairwise(edges)]
    return SeriesBatch.of(metric, series, left_out)


def _sample_tables(batch: SeriesBatch, order: NDArray[np.int64], names: dict[str, pa.Array]) -> Iterator[pa.Table]:
    """The samples by series and time, a table for each row group: memory holds one at a time."""
    counts = np.diff(batch.offsets)[order]
    groups = (np.cumsum(counts) - counts) // ROW_GROUP
    grouped = [list(places) for _, places in groupby(range(len(order)), key=lambda place: groups[place])]
    for places in grouped or [[]]:
        pieces = [slice(*batch.offsets[order[place] : order[place] + 2]) for place in places]
        times = np.concatenate([np.empty(0, dtype=np.int64), *(batch.times[piece] for piece in pieces)])
        values = np.concatenate([np.empty(0), *(batch.values[piece] for piece in pieces)])
        rows = np.repeat(np.array(places, dtype=np.int32), counts[places])
        yield pa.table({**_spread(rows, names), "time": utc_times(times), "value": pa.array(values)})


def _rollup_table(
    batch: SeriesBatch, order: NDArray[np.int64], ids: NDArray[np.int64], names: dict[str, pa.Array]
) -> pa.Table:
    rolled = roll_up(batch)
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    rows = place[rolled["series"]]
    sort = np.argsort(rows, kind="stable")
    series = _spread(rows[sort], {"series_id": pa.array(ids[order]), **names})
    fields = {name: pa.array(rolled[name][sort]) for name in FIELDS}
    return pa.table({**series, "hour": utc_times(rolled["hour"][sort]), **fields})


def _spread(rows: NDArray[np.int32], columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Columns of a value a series, where `rows` holds the place of each row's series."""
    places, spread = pa.array(rows), {}
    for name, column in columns.items():
        # Of a value that stands twice in a dictionary pyarrow writes one, and memory of anybody's for the other.
        found = column.dictionary_encode()
        own = places if len(found.dictionary) == len(column) else found.indices.take(places)
        # The places are our own, so that they need not be held against the column's bounds again.
        spread[name] = pa.DictionaryArray.from_arrays(own, found.dictionary, safe=False)
    return spread


def _packed(contents: Iterable[pa.Table], left_out: Mapping[str, int]) -> tuple[pa.Buffer, int]:
    """A Parquet file of the tables, a row group each, with what was left out; and its number of rows."""
    sink, writer, rows = pa.BufferOutputStream(), None, 0
    for content in contents:
        writer = writer or pq.ParquetWriter(sink, content.schema, **_PARQUET)
        writer.write_table(content, row_group_size=max(content.num_rows, 1))
        rows += content.num_rows
    if writer:
        if left_out:
            writer.add_key_value_metadata({_LEFT_OUT: json.dumps(dict(left_out), sort_keys=True)})
        writer.close()
    return sink.getvalue(), rows
