"""Publishing a pull: one commit of samples, then one of rollups that names and seals it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import AddAction, CommitProperties, RemoveAction

from cloudxai_analysis.lake.tables import (
    METADATA,
    PARTITIONS,
    ROLLUPS,
    SAMPLES,
    Lake,
    create_table,
    is_table,
    open_table,
    seal,
    table_files,
)
from cloudxai_analysis.lake.tiles import Tile

_File = Mapping[str, Any]


def publish(lake: Lake, tiles: Sequence[Tile], provenance: dict[str, Any]) -> int:
    """Commit the tiles, replacing those of the same metric and day, and return the version of `rollups`.

    A reader opens the pair that the newest commit of `rollups` names, so it sees all of a pull or none of it. Both
    commits go by what is published: what an interrupted publication left in `samples` is taken out, and what it took
    out is put back.
    """
    samples = _opened(lake.path / "samples", SAMPLES)
    rollups = _opened(lake.path / "rollups", ROLLUPS)
    published = lake.snapshot().files if lake.exists else {"samples": [], "rollups": []}
    fresh = {(tile.metric, tile.date) for tile in tiles}
    wanted = {
        "samples": _wanted(published["samples"], fresh, [tile.added_samples for tile in tiles]),
        "rollups": _wanted(published["rollups"], fresh, [tile.added_rollups for tile in tiles]),
    }
    stated = {**provenance, "samples_version": _commit(samples, wanted["samples"], {})}
    sealed = seal(stated, {kind: map(_listed, adds) for kind, adds in wanted.items()})
    return _commit(rollups, wanted["rollups"], {**stated, "seal": sealed})


def _opened(folder: Path, schema: pa.Schema) -> DeltaTable:
    return open_table(folder) if is_table(folder) else create_table(folder, schema)


def _wanted(published: Iterable[_File], fresh: set[tuple[str, str]], adds: list[AddAction]) -> list[AddAction]:
    kept = [_added(file) for file in published if (file["partition.metric"], file["partition.date"]) not in fresh]
    return [*kept, *adds]


def _added(file: _File) -> AddAction:
    return AddAction(
        path=file["path"],
        size=file["size_bytes"],
        partition_values=_partition(file),
        modification_time=file["modification_time"],
        data_change=True,
        stats=json.dumps({"numRecords": file["num_records"]}),
    )


def _removed(file: _File) -> RemoveAction:
    return RemoveAction(
        path=file["path"],
        data_change=True,
        deletion_timestamp=int(datetime.now(UTC).timestamp() * 1_000),
        size=file["size_bytes"],
        partition_values=_partition(file),
    )


def _partition(file: _File) -> dict[str, str | None]:
    return {"metric": file["partition.metric"], "date": file["partition.date"]}


def _listed(add: AddAction) -> _File:
    """What the table will list of a file that is added to it."""
    named = {f"partition.{name}": value for name, value in add.partition_values.items()}
    records = json.loads(add.stats)["numRecords"]
    return {"path": add.path, **named, "num_records": records, "size_bytes": add.size}


def _commit(table: DeltaTable, wanted: list[AddAction], metadata: dict[str, Any]) -> int:
    """Bring the table to hold the wanted files and no others; return its version."""
    held = {file["path"]: file for file in table_files(table)}
    paths = {add.path for add in wanted}
    table.create_write_transaction(
        [add for add in wanted if add.path not in held]
        + [_removed(file) for path, file in held.items() if path not in paths],
        mode="append",
        schema=table.schema(),
        partition_by=PARTITIONS,
        commit_properties=CommitProperties(custom_metadata={METADATA: json.dumps(metadata, sort_keys=True)}),
    )
    table.update_incremental()
    return table.version()
