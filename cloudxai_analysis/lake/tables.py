"""The lake: two Delta tables, and what was published of them.

A pull is published by one commit of samples, then one of rollups that names and seals it: a reader
opens the pair that the newest commit of `rollups` names, so it sees all of a pull or none of it.
Every file is held against its hash, each time, before a number leaves it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, CommitProperties, PostCommitHookProperties, RemoveAction, Transaction

from cloudxai_analysis.ground.errors import LakeDamaged, LakeLocked, UsageError
from cloudxai_analysis.ground.files import enough_descriptors, make_folder, one_writer, sync
from cloudxai_analysis.lake.read import Snapshot, Stated
from cloudxai_analysis.lake.tiles import KINDS, SCHEMAS, TileFile

KEYS = [("metric", pa.string()), ("date", pa.string())]
_METADATA = "cloudxai"
_INTERVAL = "delta.checkpointInterval"
_LISTED = ["partition.metric", "partition.date", "path", "num_records", "size_bytes"]
_RESCUE = (
    "`cloudxai lake verify` sets aside what a power cut left of it; else restore it from a copy, or move the lake "
    "aside and pull again"
)


class Lake:
    """A folder with the tables `samples` and `rollups`, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        """Whether anything has been published."""
        return self._published() is not None

    def locked(self, seconds: float) -> AbstractContextManager[None]:
        """The lock of the lake, held by who writes to it; it raises as `one_writer` does."""
        return one_writer(self.path / ".lock", seconds, of=f"Lake {self.path}")

    def snapshot(self, version: int | None = None) -> Snapshot:
        """The published pair at a version of `rollups`, by default the newest.

        Raises UsageError (nothing is published, or not at that version), LakeDamaged (a log is not
        what was committed).
        """
        newest = self._published()
        if newest is None:
            raise UsageError(f"Lake {self.path} is empty. Fill it with `cloudxai pull` or `cloudxai report`.")
        version = newest.version() if version is None else version
        if not 0 < version <= newest.version():
            raise UsageError(f"Lake {self.path} has no version {version}. It has 1 to {newest.version()}.")
        stated = _commit_metadata(log_file(self.path / "rollups", version))
        seal, samples_version, files = stated.pop("seal", None), stated.get("samples_version"), []
        if isinstance(samples_version, int):
            rollups = newest if version == newest.version() else open_table(self.path / "rollups", version)
            samples = open_table(self.path / "samples", samples_version)
            files = [*_files("samples", samples), *_files("rollups", rollups)]
        if not isinstance(samples_version, int) or seal != _sealed(stated, files):
            raise LakeDamaged(
                f"Lake {self.path} does not hold what was committed as version {version}: a log under _delta_log was "
                f"changed or damaged. {_RESCUE}."
            )
        return Snapshot(self.path, version, samples_version, stated, files)

    def publish(self, fresh: Iterable[TileFile], stated: Stated, *, after: int | None = None) -> int:
        """Commit tiles, replacing those of the same metric and day, and return the version of `rollups`.

        `after` is the version that they were made beside, 0 for none: the same publication again is
        the one that is there, and LakeLocked is raised where another one has come since.

        Both commits go by what is published: what an interrupted publication left in `samples` is
        taken out, and what it took out is put back. Each step is on disk before the next: the
        tiles, the samples' commit, the rollups'.
        """
        for kind in KINDS:
            if not is_table(self.path / kind):
                _create_table(self.path / kind, SCHEMAS[kind])
        newest = self._published()
        if after is not None and newest is not None and newest.version() != after:
            return self._published_before(stated)
        fresh = list(fresh)
        replaced = {file.tile for file in fresh}
        published = self.snapshot().files if self.exists else []
        wanted = [*(file for file in published if file.tile not in replaced), *fresh]
        sealed = {**stated, "samples_version": self._commit("samples", wanted, {})}
        return self._commit("rollups", wanted, {**sealed, "seal": _sealed(sealed, wanted)})

    def _published(self) -> DeltaTable | None:
        if not is_table(self.path / "rollups"):
            return None
        table = open_table(self.path / "rollups")
        return table if table.version() else None

    def _published_before(self, stated: Stated) -> int:
        newest = self.snapshot()
        there = {name: said for name, said in newest.provenance.items() if name != "samples_version"}
        if there != json.loads(json.dumps(stated)):
            raise _overtaken(self.path)
        return newest.version

    def _commit(self, kind: str, files: Iterable[TileFile], metadata: Mapping[str, Any]) -> int:
        """Bring a table to hold those of the files that are its, no others; return its version."""
        folder = self.path / kind
        # The folders of new days; the files in them were synced as they were written.
        sync(folder)
        table = open_table(folder)
        held = {file.name: file for file in _files(kind, table)}
        wanted = {file.name: file for file in files if file.kind == kind}
        now = int(datetime.now(UTC).timestamp() * 1_000)
        added = [
            AddAction(**_action(file), modification_time=now, stats=json.dumps({"numRecords": file.rows}))
            for name, file in wanted.items()
            if name not in held
        ]
        removed = [
            RemoveAction(**_action(file), deletion_timestamp=now) for name, file in held.items() if name not in wanted
        ]
        # One writer's number is taken but once, even where no lock reaches the other writer.
        own = Transaction(_METADATA, table.version() + 1)
        try:
            table.create_write_transaction(
                [*added, *removed],
                mode="append",
                schema=table.schema(),
                partition_by=[name for name, _ in KEYS],
                commit_properties=CommitProperties({_METADATA: json.dumps(metadata, sort_keys=True)}, None, [own]),
                post_commithook_properties=PostCommitHookProperties(create_checkpoint=False),
            )
            table.update_incremental()
            _sync_log(folder, table.version())
            # A checkpoint whose log a power cut took would end the table: nothing could be committed after it.
            if not (table.version() + 1) % int(table.metadata().configuration.get(_INTERVAL, 100)):
                table.create_checkpoint()
                _sync_log(folder, table.version())
        except DeltaError as error:
            if isinstance(error, CommitFailedError) and "oncurrent transaction" in str(error):
                raise _overtaken(folder) from None
            # As where something else stands in the place of the next log; a disk that fails is an OSError.
            raise LakeDamaged(
                f"Lake table {folder} takes no version after {table.version()}: {_first_line(error)}. {_RESCUE}."
            ) from None
        return table.version()


def _overtaken(path: Path) -> LakeLocked:
    return LakeLocked(f"Lake {path} was written by another run meanwhile, and nothing was published. Run again.")


def open_lake(path: Path) -> Lake:
    """The lake in a folder, which need not exist yet."""
    return Lake(path)


def open_table(folder: Path, version: int | None = None) -> DeltaTable:
    """A Delta table at a version; raises LakeDamaged where its log cannot be read."""
    enough_descriptors(f"Lake table {folder}")
    try:
        return DeltaTable(folder, version=version)
    except (DeltaError, OSError, ValueError) as error:
        raise LakeDamaged(
            f"Lake table {folder} cannot be opened at version {version or 'newest'}: {_first_line(error)}. {_RESCUE}."
        ) from None


def is_table(folder: Path) -> bool:
    """Whether a table was begun there; an interrupted beginning leaves a log without a commit."""
    return any((folder / "_delta_log").glob("*.json"))


def log_file(folder: Path, version: int) -> Path:
    """The log of a commit."""
    return folder / "_delta_log" / f"{version:020d}.json"


def _create_table(folder: Path, schema: pa.Schema) -> None:
    """An empty table; version 0 holds nothing and is no publication."""
    make_folder(folder, mode=0o700)
    enough_descriptors(f"Lake table {folder}")
    DeltaTable.create(
        folder,
        schema=pa.schema([*KEYS, *schema]),
        partition_by=[name for name, _ in KEYS],
        configuration={
            # Old reports were made from old versions, whose logs must not be cleaned up.
            "delta.enableExpiredLogCleanup": "false",
            # A checkpoint forgets older removals, whose files no vacuum would find.
            "delta.deletedFileRetentionDuration": "interval 36500 days",
        },
    )
    _sync_log(folder, 0)
    sync(folder.parent)


def _sync_log(folder: Path, version: int) -> None:
    """Have a commit on disk, with a checkpoint that it made, which deltalake does not see to."""
    log = log_file(folder, version)
    made = [log.parent / "_last_checkpoint", *log.parent.glob(f"{version:020d}.*"), log.parent, folder]
    for path in filter(Path.exists, made):
        sync(path)


def _files(kind: str, table: DeltaTable) -> list[TileFile]:
    """What a table's version holds."""
    try:
        listed = pa.table(table.get_add_actions(flatten=True)).select(_LISTED).to_pylist()
        return [TileFile(kind, *(file[name] for name in _LISTED)) for file in listed]
    except (DeltaError, OSError, ValueError, KeyError) as error:
        raise LakeDamaged(
            f"Lake table {table.table_uri} lists no files of this suite: {_first_line(error)}. {_RESCUE}."
        ) from None


def _action(file: TileFile) -> dict[str, Any]:
    partition = {"metric": file.metric, "date": file.date}
    return {"path": file.name, "size": file.size, "partition_values": partition, "data_change": True}


def _sealed(stated: Stated, files: Iterable[TileFile]) -> str:
    """A hash over what a commit states and all files, whose names hold the hashes of their contents."""
    listed: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for file in sorted(files, key=lambda file: (file.name, file.metric, file.date)):
        listed[file.kind].append([file.name, file.metric, file.date, file.rows, file.size])
    return hashlib.sha256(json.dumps([stated, listed], sort_keys=True).encode()).hexdigest()


def _commit_metadata(log: Path) -> dict[str, Any]:
    """What was written beside a commit, from its log: a pinned table's `history()` numbers wrongly."""
    try:
        for line in log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if _METADATA in entry.get("commitInfo", {}):
                return dict(json.loads(entry["commitInfo"][_METADATA]))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise LakeDamaged(f"Lake log {log} cannot be read: {_first_line(error)}. {_RESCUE}.") from None
    raise LakeDamaged(f"Lake log {log} was not written by this suite. {_RESCUE}.")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
