"""Pulling telemetry into a lake: tiles of one metric and day, read side by side, committed at once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudxai_analysis.ground.errors import NoData, SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.commit import publish
from cloudxai_analysis.lake.files import TileFile, TileKey
from cloudxai_analysis.lake.plan import REWIND, Wanted, missing_tiles, wanted_tiles
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import Lake
from cloudxai_analysis.lake.tiles import Tile, left_tile, remove_unfinished, write_tile
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.sources.replicas import LEAD_IN, merge_replicas
from cloudxai_analysis.sources.rules import Ruled, rule_rows
from cloudxai_analysis.sources.series import SeriesBatch, Source

WORKERS = 2
Shrunk = dict[TileKey, tuple[int, int]]
TILE_FORMAT = 3  # raised when the same samples would be written otherwise: what an older pull left is not taken up


@dataclass(frozen=True)
class Pulled:
    """What a pull did: the lake's version after it, tiles asked for and brought, samples, seconds, warnings.

    Of the tiles brought, `tiles_resumed` were there already and not asked for: an interrupted pull
    left them.
    """

    version: int
    tiles: int
    tiles_pulled: int
    samples_pulled: int
    seconds: float
    warnings: tuple[str, ...] = ()
    tiles_resumed: int = 0


def pull(
    source: Source,
    lake: Lake,
    contract: Contract,
    window: Window,
    *,
    matchers: Mapping[str, str] | None = None,
    rule_matchers: Mapping[str, str] | None = None,
    replica_labels: Sequence[str] = (),
    now: datetime,
    rewind: timedelta = REWIND,
    concurrency: int = WORKERS,
    executor: Executor | None = None,
    progress: Callable[[int, int, int], None] | None = None,
    lock_seconds: float = 10.0,
    found_jobs: Sequence[str] = (),
) -> Pulled:
    """Bring into the lake what it lacks of a window, and what it has lost of any.

    A day that was still growing at the last pull, or ended less than `rewind` before it, is pulled
    again: samples may come late. So is a tile of which a file is gone; its rollups are made of its
    samples where these are whole. A tile never gives way to one of fewer samples, unless its files
    are gone: what was lost is then named in `warnings`, now and in later versions, and each pull of
    that day asks for it again. Series that differ in `replica_labels` only are one. `progress` is
    called with tiles done, tiles missing and samples so far. Nothing is visible before the one
    commit at the end; an interrupted pull leaves the lake as it was, and the next takes up the
    tiles that it had finished. `found_jobs` are kept with the lake: those that export the
    contract's metrics, where none of the contract's does.

    Raises
    ------
    NoData
        The source has no sample of any metric of the contract in the whole window; nothing is
        committed.
    UsageError
        The lake holds telemetry of another source or other matchers.
    LakeLocked
        Another pull holds the lake longer than `lock_seconds`.
    SourceAnswerError
        The source gave samples that were not asked for.
    CloudxaiError
        Whatever the source or the lake raises.
    """
    started = time.monotonic()
    # A tile's name says to the second how far it was asked for.
    now = Window(now, now).start.replace(microsecond=0)
    by_scope = {"target": dict(matchers or {}), "rules": dict(rule_matchers or {})}
    described = source.describe()
    identity: dict[str, Any] = {"source": described["source"], "matchers": by_scope}
    if "tenant" in described:
        identity["tenant"] = described["tenant"]
    if replica_labels:
        identity["replica_labels"] = sorted(replica_labels)
    with lake.locked(lock_seconds):
        before = lake.snapshot() if lake.exists else None
        if before:
            _refuse_other_source(before, identity)
        lost, shrunk = (before.lost(), before.shrunk) if before else (set(), {})
        held = before.by_tile["samples"] if before else {}
        wanted = wanted_tiles(contract, window, now, rewind, also=lost)
        missing = missing_tiles(lake, wanted)
        if before and not missing:
            return Pulled(before.version, len(wanted), 0, 0, time.monotonic() - started)
        remove_unfinished(lake.path)
        mark = _mark(identity, described, contract)

        def fetch(tile: Wanted) -> tuple[Tile, bool]:
            left = left_tile(
                lake.path,
                tile.metric,
                tile.day,
                tile.asked,
                contract.tenant_label,
                identity=mark,
                held=held.get(tile.key),
                least=_most(tile.key, held, shrunk),
            )
            if left:
                return left, True
            kind = by_scope[contract.scope_of(tile.metric)]
            batch = _read(source, tile, kind, replica_labels, counter=contract.counts(tile.metric))
            return write_tile(lake.path, batch, tile.day, tile.asked, contract.tenant_label, identity=mark), False

        fetched = _fetched(fetch, missing, executor, concurrency, progress)
        tiles, shrunk, refused = _weighed([tile for tile, _ in fetched], held, lost, shrunk)
        warnings = [*described.get("warnings", ()), *_losses(shrunk)]
        if before and not tiles:
            return Pulled(before.version, len(wanted), 0, 0, time.monotonic() - started, (*warnings, *refused))
        samples = sum(tile.samples.rows for tile in tiles)
        days = {day.name for day in window.days()}
        if not samples and not any(file.rows for (_, date), file in held.items() if date in days):
            raise NoData(
                f"Source {described['source']} has no sample of the {contract.platform} contract in {window}. "
                "Choose another week, or check the matchers and the metric names of the contract."
            )
        version = publish(
            lake,
            tiles,
            {
                "source": described,
                "identity": identity,
                "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
                "now": now.isoformat(),
                "contract": contract.version,
                "rules": rule_rows(source.rules()) if isinstance(source, Ruled) else None,
                "found_jobs": list(found_jobs),
                "samples_pulled": samples,
                "warnings": warnings,
                "shrunk": [[*key, *counts] for key, counts in sorted(shrunk.items())],
            },
        )
    resumed = sum(taken_up for _, taken_up in fetched)
    said = (*warnings, *refused)
    return Pulled(version, len(wanted), len(tiles), samples, time.monotonic() - started, said, resumed)


def _most(key: TileKey, held: Mapping[TileKey, TileFile], shrunk: Shrunk) -> int:
    """How many samples the lake has held of a tile."""
    return shrunk[key][1] if key in shrunk else held[key].rows if key in held else 0


def _weighed(
    tiles: Sequence[Tile], held: Mapping[TileKey, TileFile], lost: Collection[TileKey], shrunk: Shrunk
) -> tuple[list[Tile], Shrunk, list[str]]:
    """Those of the tiles that take their place, what is then left of which shrunken ones, and a line on each refused.

    What the lake holds and the source no longer has is the only copy.
    """
    taken, refused, left = [], [], dict(shrunk)
    for tile in tiles:
        key, seen, most = tile.key, tile.samples.rows, _most(tile.key, held, shrunk)
        there = held[key].rows if key in held else 0
        if key not in lost and seen < there:
            refused.append(f"{key[0]} on {key[1]}: {there:,} samples are kept, for the source has {seen:,} of them now")
        elif key in lost or key not in shrunk or seen > there:
            taken.append(tile)
            left.pop(key, None)
            if seen < most:
                left[key] = (seen, most)
    return taken, left, refused


def _losses(shrunk: Shrunk) -> list[str]:
    return [
        f"{metric} on {date}: {seen:,} of {most:,} samples; the others were lost, and the source no longer has them"
        for (metric, date), (seen, most) in sorted(shrunk.items())
    ]


def _mark(identity: dict[str, Any], described: Mapping[str, Any], contract: Contract) -> str:
    """What an unpublished tile must have been made from and by, as a word for its file's name."""
    made = [identity, described.get("way"), contract.tenant_label, TILE_FORMAT]
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:8]


def _read(
    source: Source, tile: Wanted, matchers: Mapping[str, str], replica_labels: Sequence[str], *, counter: bool
) -> SeriesBatch:
    asked = tile.window
    if replica_labels:
        # Which replica counts at midnight depends on who was there before.
        asked = Window(asked.start - LEAD_IN, asked.end)
    batch = source.read(tile.metric, matchers, asked)
    # A sample of another day would be counted in two tiles.
    if batch.samples and not asked.start_ms <= batch.times.min() <= batch.times.max() < asked.end_ms:
        raise SourceAnswerError(
            f"Source {source.name} gave samples of {batch.metric} from outside {asked}, which was asked for. "
            "Nothing was pulled; look at the proxy or the adapter between it and this suite."
        )
    return merge_replicas(batch, replica_labels, tile.window, counter=counter) if replica_labels else batch


def _fetched(
    fetch: Callable[[Wanted], tuple[Tile, bool]],
    missing: list[Wanted],
    executor: Executor | None,
    concurrency: int,
    progress: Callable[[int, int, int], None] | None,
) -> list[tuple[Tile, bool]]:
    own = executor is None
    pool = executor or ThreadPoolExecutor(concurrency)
    futures: list[Future[tuple[Tile, bool]]] = [pool.submit(fetch, tile) for tile in missing]
    samples = 0
    try:
        for done, future in enumerate(as_completed(futures), start=1):
            samples += future.result()[0].samples.rows
            if progress:
                progress(done, len(missing), samples)
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    finally:
        if own:
            pool.shutdown(cancel_futures=True)
    return [future.result() for future in futures]


def _refuse_other_source(before: Snapshot, identity: dict[str, Any]) -> None:
    held = before.provenance["identity"]
    if held != identity:
        raise UsageError(
            f"Lake {before.path} holds telemetry of {_whose(held)}, not of {_whose(identity)}. "
            "Name another --environment for it."
        )


def _whose(identity: Mapping[str, Any]) -> str:
    known = {"matchers": "matchers", "tenant": "tenant", "replica_labels": "replica labels"}
    said = ", ".join(f"{words} {identity[key]}" for key, words in known.items() if key in identity)
    return f"{identity['source']} ({said})"
