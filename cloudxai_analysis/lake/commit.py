"""Publishing a pull: one commit of samples, then one of rollups that names and seals it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from deltalake.transaction import AddAction, CommitProperties, RemoveAction

from cloudxai_analysis.ground.files import sync
from cloudxai_analysis.lake.files import KINDS, TileFile
from cloudxai_analysis.lake.tables import (
    METADATA,
    PARTITIONS,
    SCHEMAS,
    Lake,
    create_table,
    is_table,
    open_table,
    sealed,
    sync_log,
    table_files,
)
from cloudxai_analysis.lake.tiles import Tile


def publish(lake: Lake, tiles: Sequence[Tile], provenance: dict[str, Any]) -> int:
    """Commit the tiles, replacing those of the same metric and day, and return the version of `rollups`.

    A reader opens the pair that the newest commit of `rollups` names, so it sees all of a pull or
    none of it. Both commits go by what is published: what an interrupted publication left in
    `samples` is taken out, and what it took out is put back. Each step is on disk before the next:
    the tiles, the samples' commit, the rollups' commit.
    """
    for kind in KINDS:
        if not is_table(lake.path / kind):
            create_table(lake.path / kind, SCHEMAS[kind])
    published = lake.snapshot().files if lake.exists else []
    fresh = {tile.key for tile in tiles}
    wanted = [file for file in published if file.tile not in fresh]
    wanted += [file for tile in tiles for file in (tile.samples, tile.rollups)]
    stated = {**provenance, "samples_version": _commit(lake, "samples", wanted, {})}
    return _commit(lake, "rollups", wanted, {**stated, "seal": sealed(stated, wanted)})


def _commit(lake: Lake, kind: str, files: list[TileFile], metadata: dict[str, Any]) -> int:
    """Bring a table to hold those of the files that are its, and no others; return its version."""
    folder = lake.path / kind
    # The folders of new days; the files in them were synced as they were written.
    sync(folder)
    table = open_table(folder)
    held = {file.name: file for file in table_files(kind, table)}
    wanted = {file.name: file for file in files if file.kind == kind}
    table.create_write_transaction(
        [_added(wanted[name]) for name in wanted if name not in held]
        + [_removed(held[name]) for name in held if name not in wanted],
        mode="append",
        schema=table.schema(),
        partition_by=PARTITIONS,
        commit_properties=CommitProperties(custom_metadata={METADATA: json.dumps(metadata, sort_keys=True)}),
    )
    table.update_incremental()
    sync_log(folder, table.version())
    return table.version()


def _added(file: TileFile) -> AddAction:
    stats = json.dumps({"numRecords": file.rows})
    return AddAction(**_action(file), modification_time=_now_ms(), stats=stats)


def _removed(file: TileFile) -> RemoveAction:
    return RemoveAction(**_action(file), deletion_timestamp=_now_ms())


def _action(file: TileFile) -> dict[str, Any]:
    partition = {"metric": file.metric, "date": file.date}
    return {"path": file.name, "size": file.size, "partition_values": partition, "data_change": True}


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000)
