"""Publishing a pull: one commit of samples, then one of rollups that names it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import CommitProperties, RemoveAction

from cloudxai_analysis.lake.tables import METADATA, PARTITIONS, ROLLUPS, SAMPLES, Lake, create_table, open_table
from cloudxai_analysis.lake.tiles import Tile


def publish(lake: Lake, tiles: Sequence[Tile], provenance: dict[str, Any]) -> int:
    """Commit the tiles, replacing those of the same metric and day, and return the version of `rollups`.

    A reader opens the pair that the newest commit of `rollups` names, so it sees all of a pull or none of it. What an
    interrupted publication left in `samples` is taken out in the same commit.
    """
    samples = _opened(lake, "samples", SAMPLES)
    rollups = _opened(lake, "rollups", ROLLUPS)
    fresh = {(tile.metric, tile.date) for tile in tiles}
    published = set()
    if lake.exists:
        published = set(_paths(open_table(lake.path / "samples", lake.snapshot().samples_version)))
    added = {tile.added_samples.path for tile in tiles}
    stray = [
        file
        for path, file in _paths(samples).items()
        if path not in added and (path not in published or _key(file) in fresh)
    ]
    samples_version = _commit(samples, [tile.added_samples for tile in tiles], stray, {})
    added = {tile.added_rollups.path for tile in tiles}
    replaced = [file for path, file in _paths(rollups).items() if path not in added and _key(file) in fresh]
    stated = {**provenance, "samples_version": samples_version}
    return _commit(rollups, [tile.added_rollups for tile in tiles], replaced, stated)


def _opened(lake: Lake, name: str, schema: pa.Schema) -> DeltaTable:
    folder = lake.path / name
    return open_table(folder) if (folder / "_delta_log").is_dir() else create_table(folder, schema)


def _paths(table: DeltaTable) -> dict[str, dict[str, Any]]:
    actions = pa.table(table.get_add_actions(flatten=True))
    return {file["path"]: file for file in actions.to_pylist()}


def _key(file: dict[str, Any]) -> tuple[str, str]:
    return file["partition.metric"], file["partition.date"]


def _commit(table: DeltaTable, adds: list, replaced: list[dict[str, Any]], metadata: dict[str, Any]) -> int:
    deleted = int(datetime.now(UTC).timestamp() * 1_000)
    removes = [
        RemoveAction(
            path=file["path"],
            data_change=True,
            deletion_timestamp=deleted,
            size=file["size_bytes"],
            partition_values={"metric": file["partition.metric"], "date": file["partition.date"]},
        )
        for file in replaced
    ]
    already = set(_paths(table))
    table.create_write_transaction(
        [add for add in adds if add.path not in already] + removes,
        mode="append",
        schema=table.schema(),
        partition_by=PARTITIONS,
        commit_properties=CommitProperties(custom_metadata={METADATA: json.dumps(metadata, sort_keys=True)}),
    )
    table.update_incremental()
    return table.version()
