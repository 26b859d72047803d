"""The two tables, where they lie, and how they are opened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from cloudxai_analysis.ground.errors import LakeDamaged, UsageError
from cloudxai_analysis.lake.fields import EDGES, FLOATS, INTEGERS
from cloudxai_analysis.lake.read import Snapshot

PARTITIONS = ["metric", "date"]
METADATA = "cloudxai"
_SERIES = [("labels", pa.string()), ("tenant", pa.string())]
SAMPLES = pa.schema([*_SERIES, ("time", pa.timestamp("us", tz="UTC")), ("value", pa.float64())])
ROLLUPS = pa.schema(
    [
        ("series_id", pa.int64()),
        *_SERIES,
        ("hour", pa.timestamp("us", tz="UTC")),
        *((name, pa.int64()) for name in (*INTEGERS, *EDGES)),
        *((name, pa.float64()) for name in FLOATS),
    ]
)
_KEYS = [("metric", pa.string()), ("date", pa.string())]
_SEALED = ["path", "partition.metric", "partition.date", "num_records", "size_bytes"]
_FILE = [*_SEALED, "modification_time"]


class Lake:
    """A folder with the tables `samples` and `rollups`; the commit of `rollups` is the publication."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        """Whether anything has been published."""
        return self._published() is not None

    def snapshot(self, version: int | None = None) -> Snapshot:
        """The published pair at a version of `rollups`, by default the newest.

        Raises
        ------
        UsageError
            Nothing has been published, or not at that version.
        LakeDamaged
            The tables or their logs cannot be read.
        """
        newest = self._published()
        if newest is None:
            raise UsageError(f"Lake {self.path} is empty. Fill it with `cloudxai pull` or `cloudxai report`.")
        version = newest.version() if version is None else version
        if not 0 < version <= newest.version():
            raise UsageError(f"Lake {self.path} has no version {version}. It has 1 to {newest.version()}.")
        stated = commit_metadata(self.path / "rollups", version)
        samples_version = stated.get("samples_version")
        if not isinstance(samples_version, int):
            raise self._changed(version)
        rollups = newest if version == newest.version() else open_table(self.path / "rollups", version)
        samples = open_table(self.path / "samples", samples_version)
        files = {"rollups": table_files(rollups), "samples": table_files(samples)}
        if stated.pop("seal", None) != seal(stated, files):
            raise self._changed(version)
        return Snapshot(
            self.path,
            version=version,
            samples_version=samples_version,
            provenance=stated,
            rollup_files=files["rollups"],
            sample_files=files["samples"],
        )

    def _changed(self, version: int) -> LakeDamaged:
        return LakeDamaged(
            f"Lake {self.path} does not hold what was committed as version {version}: a log under _delta_log was "
            "changed or damaged. Restore it, or move the lake away and pull again."
        )

    def _published(self) -> DeltaTable | None:
        if not is_table(self.path / "rollups"):
            return None
        table = open_table(self.path / "rollups")
        return table if table.version() else None


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
    except (DeltaError, OSError, ValueError) as error:
        raise LakeDamaged(
            f"Lake table {folder} cannot be opened at version {version or 'newest'}: {_first_line(error)}. "
            f"Move {folder.parent} away and pull again."
        ) from None


def is_table(folder: Path) -> bool:
    """Whether a table was begun there; a log without any commit is what an interrupted beginning leaves."""
    return any((folder / "_delta_log").glob("*.json"))


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
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise LakeDamaged(f"Lake log {log} cannot be read: {_first_line(error)}. Pull into a new lake.") from None
    raise LakeDamaged(f"Lake log {log} was not written by this suite. Pull into a new lake.")


def table_files(table: DeltaTable) -> list[dict[str, Any]]:
    """What a table's version holds, a dict for each file.

    Raises
    ------
    LakeDamaged
        Its log cannot be read.
    """
    try:
        actions = pa.table(table.get_add_actions(flatten=True))
        return actions.select(_FILE).to_pylist()
    except (DeltaError, OSError, ValueError, KeyError) as error:
        raise LakeDamaged(
            f"Lake table {table.table_uri} lists no files of this suite: {_first_line(error)}. "
            "Move the lake away and pull again."
        ) from None


def seal(stated: Mapping[str, Any], files: Mapping[str, Iterable[Mapping[str, Any]]]) -> str:
    """A hash over what a commit states and the files of both tables, whose names hold the hashes of their contents."""
    listed = {kind: sorted([file[name] for name in _SEALED] for file in found) for kind, found in files.items()}
    return hashlib.sha256(json.dumps([stated, listed], sort_keys=True).encode()).hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
