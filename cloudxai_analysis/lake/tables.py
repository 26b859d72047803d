"""The two tables, where they lie, and how they are opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from cloudxai_analysis.errors import LakeDamaged, UsageError
from cloudxai_analysis.lake.kernels import EDGES, FLOATS, INTEGERS
from cloudxai_analysis.lake.read import Snapshot

PARTITIONS = ["metric", "date"]
METADATA = "cloudxai"
_SERIES = [("series_id", pa.int64()), ("labels", pa.string()), ("tenant", pa.string())]
SAMPLES = pa.schema([*_SERIES, ("time", pa.timestamp("us", tz="UTC")), ("value", pa.float64())])
ROLLUPS = pa.schema(
    [
        *_SERIES,
        ("hour", pa.timestamp("us", tz="UTC")),
        *((name, pa.int64()) for name in (*INTEGERS, *EDGES)),
        *((name, pa.float64()) for name in FLOATS),
    ]
)
_KEYS = [("metric", pa.string()), ("date", pa.string())]


class Lake:
    """A folder with the tables `samples` and `rollups`; the commit of `rollups` is the publication."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        """Whether anything has been published."""
        return self._published_version() is not None

    def snapshot(self, version: int | None = None) -> Snapshot:
        """The published pair at a version of `rollups`, by default the newest.

        Raises
        ------
        UsageError
            Nothing has been published, or not at that version.
        LakeDamaged
            The tables or their logs cannot be read.
        """
        newest = self._published_version()
        if newest is None:
            raise UsageError(f"Lake {self.path} is empty. Fill it with `cloudxai pull` or `cloudxai report`.")
        version = newest if version is None else version
        if not 0 < version <= newest:
            raise UsageError(f"Lake {self.path} has no version {version}. It has 1 to {newest}.")
        provenance = commit_metadata(self.path / "rollups", version)
        samples_version = int(provenance["samples_version"])
        return Snapshot(
            self.path,
            version=version,
            samples_version=samples_version,
            provenance=provenance,
            rollup_files=_files(self.path / "rollups", version),
            sample_files=_files(self.path / "samples", samples_version),
        )

    def _published_version(self) -> int | None:
        if not (self.path / "rollups" / "_delta_log").is_dir():
            return None
        version = open_table(self.path / "rollups").version()
        return version or None


def open_lake(path: Path) -> Lake:
    """The lake in a folder, which need not exist yet."""
    return Lake(path)


def open_table(folder: Path, version: int | None = None) -> DeltaTable:
    """A Delta table at a version.

    Raises
    ------
    LakeDamaged
        Its log cannot be read.
    """
    try:
        return DeltaTable(folder, version=version)
    except (DeltaError, TableNotFoundError, OSError, ValueError) as error:
        raise LakeDamaged(
            f"Lake table {folder} cannot be opened at version {version or 'newest'}: {_first_line(error)}. "
            f"Move {folder.parent} away and pull again."
        ) from None


def create_table(folder: Path, schema: pa.Schema) -> DeltaTable:
    """An empty table; version 0 holds nothing and is no publication."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return DeltaTable.create(
        folder,
        schema=pa.schema([*_KEYS, *schema]),
        partition_by=PARTITIONS,
        # Old versions are what old reports were made from: their logs must not be cleaned up behind our back.
        configuration={"delta.enableExpiredLogCleanup": "false"},
    )


def commit_metadata(folder: Path, version: int) -> dict[str, Any]:
    """What was written beside a commit; read from its log, since a pinned table's `history()` numbers wrongly.

    Raises
    ------
    LakeDamaged
        The log's file is missing or holds no such metadata.
    """
    log = folder / "_delta_log" / f"{version:020d}.json"
    try:
        for line in log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if METADATA in entry.get("commitInfo", {}):
                return dict(json.loads(entry["commitInfo"][METADATA]))
    except (OSError, ValueError) as error:
        raise LakeDamaged(f"Lake log {log} cannot be read: {_first_line(error)}. Pull into a new lake.") from None
    raise LakeDamaged(f"Lake log {log} was not written by this suite. Pull into a new lake.")


def _files(folder: Path, version: int) -> list[dict[str, Any]]:
    actions = open_table(folder, version).get_add_actions(flatten=True)
    return pa.table(actions).select(["path", "partition.metric", "partition.date", "num_records"]).to_pylist()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
