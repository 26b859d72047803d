"""Pulling into a lake: tiles of one metric and day, read side by side, committed at once."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cloudxai_analysis.ground.errors import NoData, SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.lake.executor import opened_executor
from cloudxai_analysis.lake.read import Snapshot, losses, omissions
from cloudxai_analysis.lake.tables import Lake
from cloudxai_analysis.lake.tiles import Tile, TileFile, TileKey, left_tile, remove_unfinished, write_tile
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.sources.replicas import LEAD_IN, merge_replicas
from cloudxai_analysis.sources.rules import Ruled, rule_rows
from cloudxai_analysis.sources.series import Foreseeing, Labels, Source

if TYPE_CHECKING:
    from cloudxai_analysis.sources.demo import DemoSource
    from cloudxai_analysis.sources.server import ServerSource

REWIND = timedelta(hours=1)
TILE_FORMAT = 5  # raised when the same samples would be written otherwise
# At most, on disk: a sample with its share of the rollups, and a tile's files without any.
SAMPLE_BYTES, TILE_BYTES = 12, 10_000
Progress = Callable[[int, int, int], None]
Shrunk = dict[TileKey, tuple[int, int]]
Fetched = tuple[Tile, bool]


@dataclass(frozen=True)
class Wanted:
    """One tile to pull: a metric, its day, and the moment at which it counts as asked for."""

    metric: str
    day: Window
    asked: datetime

    @property
    def key(self) -> TileKey:
        """Metric and date, by which a lake knows its tiles."""
        return self.metric, self.day.name

    @property
    def window(self) -> Window:
        """What is asked for: the day, up to now where it is still growing."""
        return Window(self.day.start, min(self.day.end, self.asked))


Task = tuple[Wanted, TileFile | None, int]  # a tile, that of the lake, and how many samples it must have


@dataclass(frozen=True)
class Plan:
    """What a pull would bring, as the source counts it, and the disk that it would take at most."""

    tiles: int
    missing: int
    series: int
    samples: int
    disk_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Pulled:
    """What a pull did; `tiles_resumed` of its tiles were left by an interrupted one."""

    version: int
    tiles: int
    tiles_pulled: int
    samples_pulled: int
    seconds: float
    warnings: tuple[str, ...] = ()
    tiles_resumed: int = 0


def wanted_tiles(
    contract: Contract, window: Window, now: datetime, rewind: timedelta = REWIND, *, also: Iterable[TileKey] = ()
) -> list[Wanted]:
    """A window's tiles up to now, and those named `also`; a day is final `rewind` after its end."""
    names = contract.series_names()
    wanted = {(metric, day.name): day for day in window.days() for metric in names}
    for metric, date in sorted(also):
        if metric in names:
            start = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC)
            wanted.setdefault((metric, date), Window(start, start + DAY, date))
    return [Wanted(key[0], day, min(day.end + rewind, now)) for key, day in wanted.items() if day.start < now]


def missing_tiles(lake: Lake, wanted: Sequence[Wanted]) -> list[Wanted]:
    """The wanted tiles that were never pulled, have grown since, or lost a file or samples."""
    if not lake.exists:
        return list(wanted)
    snapshot = lake.snapshot()
    again = snapshot.lost() | snapshot.shrunk.keys()
    held = {key: file.asked for key, file in snapshot.by_tile["samples"].items() if key not in again}
    return [tile for tile in wanted if held.get(tile.key, tile.day.start) < tile.asked]


def estimate(
    source: DemoSource | ServerSource,
    lake: Lake,
    contract: Contract,
    wanted: Sequence[Wanted],
    matchers: Mapping[str, Labels],
) -> Plan:
    """What pulling the missing tiles would bring and take; the source counts each day's samples."""
    missing = sorted(missing_tiles(lake, wanted), key=lambda tile: tile.metric)
    series = samples = 0
    for metric, tiles in groupby(missing, key=lambda tile: tile.metric):
        counted = source.counts(metric, matchers[contract.scope_of(metric)], [tile.day for tile in tiles])
        series += max(found for found, _ in counted)
        samples += sum(count for _, count in counted)
    folder = next(folder for folder in (lake.path.absolute(), *lake.path.absolute().parents) if folder.exists())
    disk = SAMPLE_BYTES * samples + TILE_BYTES * len(missing)
    return Plan(len(wanted), len(missing), series, samples, disk, shutil.disk_usage(folder).free)


def pull(
    source: Source,
    lake: Lake,
    contract: Contract,
    window: Window,
    *,
    matchers: Labels | None = None,
    rule_matchers: Labels | None = None,
    replica_labels: Sequence[str] = (),
    now: datetime,
    rewind: timedelta = REWIND,
    concurrency: int = 2,
    executor: str = "threads",
    progress: Progress | None = None,
    lock_seconds: float = 10.0,
    noted: Mapping[str, Any] = MappingProxyType({}),
) -> Pulled:
    """Bring into the lake what it lacks of a window, and what it has lost of any.

    A day that ended less than `rewind` before the last pull is pulled again: samples may come late.
    A tile gives way to one of fewer samples only where a file of it is gone, and what was lost or
    left out is told until it is brought anew. Series that differ in `replica_labels` only are one.
    `progress` is called with tiles done, tiles missing and samples so far. Nothing is visible
    before the one commit at the end, and the next pull takes up what an interrupted one had
    finished. What was `noted` of the source stands in the provenance. Where tiles are made says
    `executor`, in the words of `opened_executor`: their bytes are the same.

    Raises NoData (no sample of the contract in the window), UsageError (the lake holds telemetry of
    another source or other matchers), LakeLocked, SourceAnswerError (samples came that were not
    asked for), and what `opened_executor` does.
    """
    started = time.monotonic()
    # A tile's name says to the second how far it was asked for.
    now = Window(now, now).start.replace(microsecond=0)
    described = source.describe()
    identity: dict[str, Any] = {key: described[key] for key in ("source", "tenant", "scenario") if key in described}
    identity["matchers"] = {"target": dict(matchers or {}), "rules": dict(rule_matchers or {})}
    if replica_labels:
        identity["replica_labels"] = sorted(replica_labels)
    with lake.locked(lock_seconds):
        before = lake.snapshot() if lake.exists else None
        _refuse_other_source(before, identity)
        wanted = wanted_tiles(contract, window, now, rewind, also=before.lost() if before else ())
        missing = missing_tiles(lake, wanted)
        if before and not missing:
            return Pulled(before.version, len(wanted), 0, 0, time.monotonic() - started)
        remove_unfinished(lake.path)
        # What an unpublished tile must have been made from and by, as a word for its file's name.
        made = [identity, described.get("way"), contract.tenant_label, TILE_FORMAT]
        mark = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:8]
        fetch = partial(_fetch, source, lake.path.absolute(), contract, identity, mark)
        if isinstance(source, Foreseeing):
            for metric, tiles in groupby(sorted(missing, key=lambda tile: tile.metric), key=lambda tile: tile.metric):
                windows = [_reached(tile, identity) for tile in tiles]
                source.foresee(metric, identity["matchers"][contract.scope_of(metric)], windows)
        held, most = before.by_tile["samples"] if before else {}, _most(before)
        tasks = [(tile, held.get(tile.key), most.get(tile.key, 0)) for tile in missing]
        with opened_executor(executor, concurrency) as pool:
            fetched = _fetched(fetch, tasks, pool, progress)
        _refuse_other_disk(lake, executor, [file for tile, _ in fetched for file in tile.files])
        taken, shrunk, refused = _weighed(before, [tile.files for tile, _ in fetched])
        fresh = {files[0].tile for files in taken}
        rows = [[*tile.files[0].tile, *one] for tile, _ in fetched for one in sorted(tile.left_out.items())]
        left_out = [row for row in rows if (row[0], row[1]) in fresh]
        warnings = (*omissions(left_out), *losses(shrunk), *refused)
        if before and not taken:
            return Pulled(before.version, len(wanted), 0, 0, time.monotonic() - started, warnings)
        samples = sum(files[0].rows for files in taken)
        days = {day.name for day in window.days()}
        if not samples and not (before and any(file.rows for file in before.files if file.date in days)):
            raise NoData(
                f"Source {described['source']} has no sample of the {contract.platform} contract in {window}. "
                "Choose another week, or check the matchers and the metric names of the contract."
            )
        stated = {
            "source": described,
            "identity": identity,
            "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
            "now": now.isoformat(),
            "contract": contract.version,
            "rules": rule_rows(source.rules()) if isinstance(source, Ruled) else None,
            **noted,
            "samples_pulled": samples,
            "left_out": [*_staying(before, fresh), *left_out],
            "shrunk": [[*key, *counts] for key, counts in sorted(shrunk.items())],
        }
        published = [file for files in taken for file in files]
        version = lake.publish(published, stated, after=before.version if before else 0)
    resumed = sum(taken_up for _, taken_up in fetched)
    return Pulled(version, len(wanted), len(taken), samples, time.monotonic() - started, warnings, resumed)


def _refuse_other_source(before: Snapshot | None, identity: dict[str, Any]) -> None:
    if before and before.provenance["identity"] != identity:
        held, given = (json.dumps(one, sort_keys=True) for one in (before.provenance["identity"], identity))
        raise UsageError(
            f"Lake {before.path} holds telemetry of {held}, not of {given}. Name another --environment for it."
        )


def _most(before: Snapshot | None) -> dict[TileKey, int]:
    """How many samples the lake's tiles have ever had."""
    held = {key: file.rows for key, file in before.by_tile["samples"].items()} if before else {}
    return held | {key: most for key, (_, most) in (before.shrunk if before else {}).items()}


def _weighed(
    before: Snapshot | None, fetched: Sequence[list[TileFile]]
) -> tuple[list[list[TileFile]], Shrunk, list[str]]:
    """Those taken, what is then left of shrunken ones, and a line on each that is refused."""
    if before is None:
        return list(fetched), {}, []
    taken, refused = [], []
    shrunk, lost, most = dict(before.shrunk), before.lost(), _most(before)
    for files in fetched:
        key, seen = files[0].tile, files[0].rows
        there = before.by_tile["samples"][key].rows if key in most else 0
        if key not in lost and seen < there:
            said = f"{there:,} samples are kept, for the source has {seen:,} of them now"
            refused.append(f"{key[0]} on {key[1]}: {said}")
        elif key in lost or key not in shrunk or seen > there:
            taken.append(files)
            shrunk.pop(key, None)
            if seen < most.get(key, 0):
                shrunk[key] = (seen, most[key])
    return taken, shrunk, refused


def _staying(before: Snapshot | None, fresh: set[TileKey]) -> list[list[Any]]:
    """What was left out of tiles that stay: each tile brings its own."""
    held = before.provenance.get("left_out", []) if before else []
    return [row for row in held if (row[0], row[1]) not in fresh]


def _reached(tile: Wanted, identity: Mapping[str, Any]) -> Window:
    """What is asked of the source: which replica counts at midnight depends on who was there before."""
    lead = LEAD_IN if identity.get("replica_labels") else timedelta(0)
    return Window(tile.window.start - lead, tile.window.end)


def _refuse_other_disk(lake: Lake, executor: str, files: Sequence[TileFile]) -> None:
    """What workers on another machine wrote to a disk of their own must not be committed."""
    if unseen := sum(not file.path(lake.path).is_file() for file in files):
        raise UsageError(
            f"Executor '{executor}' wrote {unseen:,} of {len(files):,} files to where Lake {lake.path} is not: nothing "
            "was committed. Give the workers the same folder under the same path."
        )


def _fetch(
    source: Source,
    path: Path,
    contract: Contract,
    identity: Mapping[str, Any],
    mark: str,
    tile: Wanted,
    held: TileFile | None,
    least: int,
) -> Fetched:
    """A tile, and whether an earlier pull had left it; a worker may do it, who has these arguments alone."""
    where = (tile.day, tile.asked, contract.tenant_label)
    left = left_tile(path, tile.metric, *where, identity=mark, held=held, least=least)
    if left:
        return left, True
    replica_labels, asked = identity.get("replica_labels", ()), _reached(tile, identity)
    batch = source.read(tile.metric, identity["matchers"][contract.scope_of(tile.metric)], asked)
    # A sample of another day would be counted in two tiles.
    if batch.samples and not asked.start_ms <= batch.times.min() <= batch.times.max() < asked.end_ms:
        raise SourceAnswerError(
            f"Source {source.name} gave samples of {batch.metric} from outside {asked}, which was asked for. "
            "Nothing was pulled; look at the proxy or the adapter between it and this suite."
        )
    if replica_labels:
        batch = merge_replicas(batch, replica_labels, tile.window, counter=contract.counts(tile.metric))
    return write_tile(path, batch, *where, identity=mark), False


def _fetched(
    fetch: Callable[..., Fetched], tasks: list[Task], pool: Executor, progress: Progress | None
) -> list[Fetched]:
    """The missing tiles, or what was raised for the first that failed; no other is begun then."""
    futures = [pool.submit(fetch, *task) for task in tasks]
    samples = 0
    try:
        for done, future in enumerate(as_completed(futures), start=1):
            samples += future.result()[0].files[0].rows
            if progress:
                progress(done, len(tasks), samples)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    return [future.result() for future in futures]
