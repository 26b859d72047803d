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
from cloudxai_analysis.lake.lock import locked_lake
from cloudxai_analysis.lake.plan import REWIND, TileKey, Wanted, missing_tiles, wanted_tiles
from cloudxai_analysis.lake.tables import Lake
from cloudxai_analysis.lake.tiles import Tile, remove_unfinished, unpublished_tile, write_tile
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.sources.replicas import LEAD_IN, merge_replicas
from cloudxai_analysis.sources.rules import Ruled, rule_rows
from cloudxai_analysis.sources.series import SeriesBatch, Source

WORKERS = 2
TILE_FORMAT = 3  # raised when the same samples would be written otherwise: what an older pull left is not taken up


@dataclass(frozen=True)
class Pulled:
    """What a pull did: the lake's version after it, tiles asked for and brought, samples, seconds, warnings.

    Of the tiles brought, `tiles_resumed` were taken up from an interrupted pull and not asked for again.
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
    again: Collection[TileKey] = (),
    accept: Callable[[Tile], None] | None = None,
    found_jobs: Sequence[str] = (),
) -> Pulled:
    """Bring into the lake what it lacks of a window.

    A day that was still growing at the last pull, or ended less than `rewind` before it, is pulled again: samples may
    come late. Series that differ in `replica_labels` only are one. `again` names tiles to be pulled although the lake
    has them; `accept` is called with each tile before the commit, and may raise. `progress` is called with tiles done,
    tiles missing and samples so far. Nothing is visible before the one commit at the end; an interrupted pull leaves
    the lake as it was, and the next takes up the tiles that it had finished. `found_jobs` are kept with the lake: those
    that export the contract's metrics, where none of the contract's does.

    Raises
    ------
    NoData
        The source has no sample of any metric of the contract in the whole window; nothing is committed.
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
    with locked_lake(lake, lock_seconds):
        _refuse_other_source(lake, identity)
        wanted = wanted_tiles(contract, window, now, rewind)
        missing = missing_tiles(lake, wanted, again=again)
        if not missing and lake.exists:
            return Pulled(lake.snapshot().version, len(wanted), 0, 0, time.monotonic() - started)

        remove_unfinished(lake.path)
        mark = _mark(identity, described, contract)

        def fetch(tile: Wanted) -> tuple[Tile, bool]:
            left = None if tile.key in again else unpublished_tile(lake.path, tile.metric, tile.day, tile.asked, mark)
            if left:
                return left, True
            kind = by_scope[contract.scope_of(tile.metric)]
            batch = _read(source, tile, kind, replica_labels, counter=contract.counts(tile.metric))
            return write_tile(lake.path, batch, tile.day, tile.asked, contract.tenant_label, identity=mark), False

        fetched = _fetched(fetch, missing, executor, concurrency, progress)
        tiles = [tile for tile, _ in fetched]
        if accept:
            for tile in tiles:
                accept(tile)
        samples = sum(tile.samples for tile in tiles)
        if not samples and not _held(lake, window):
            raise NoData(
                f"Source {described['source']} has no sample of the {contract.platform} contract in {window}. "
                "Choose another week, or check the matchers and the metric names of the contract."
            )
        warnings = tuple(described.get("warnings", ()))
        about = {
            "rules": rule_rows(source.rules()) if isinstance(source, Ruled) and not again else None,
            "found_jobs": list(found_jobs),
        }
        if again:
            # A repair brings the samples of back then, and keeps what was known of them.
            about = {key: lake.snapshot().provenance.get(key) for key in about}
        version = publish(
            lake,
            tiles,
            {
                "source": described,
                "identity": identity,
                "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
                "now": now.isoformat(),
                "contract": contract.version,
                **about,
                "samples_pulled": samples,
                "warnings": list(warnings),
            },
        )
    resumed = sum(taken_up for _, taken_up in fetched)
    return Pulled(version, len(wanted), len(tiles), samples, time.monotonic() - started, warnings, resumed)


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


def _held(lake: Lake, window: Window) -> bool:
    if not lake.exists:
        return False
    days = {day.name for day in window.days()}
    tiles = lake.snapshot().tiles()
    return bool((tiles["date"].isin(days) & (tiles["samples"] > 0)).any())


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
            samples += future.result()[0].samples
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


def _refuse_other_source(lake: Lake, identity: dict[str, Any]) -> None:
    if not lake.exists:
        return
    held = lake.snapshot().provenance["identity"]
    if held != identity:
        raise UsageError(
            f"Lake {lake.path} holds telemetry of {_whose(held)}, not of {_whose(identity)}. "
            "Name another --environment for it."
        )


def _whose(identity: Mapping[str, Any]) -> str:
    known = {"matchers": "matchers", "tenant": "tenant", "replica_labels": "replica labels"}
    said = ", ".join(f"{words} {identity[key]}" for key, words in known.items() if key in identity)
    return f"{identity['source']} ({said})"
