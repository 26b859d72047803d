"""Pulling telemetry into a lake: tiles of one metric and day, read side by side, committed at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from filelock import FileLock, Timeout

from cloudxai_analysis.contract import Contract
from cloudxai_analysis.errors import LakeLocked, NoData, SourceAnswerError, UsageError
from cloudxai_analysis.lake.commit import publish
from cloudxai_analysis.lake.tables import Lake
from cloudxai_analysis.lake.tiles import Tile, remove_unfinished, write_tile
from cloudxai_analysis.sources.series import SeriesBatch, Source
from cloudxai_analysis.window import Window

WORKERS = 2


@dataclass(frozen=True)
class Pulled:
    """What a pull did: the lake's version after it, tiles asked for and pulled, samples, seconds, warnings."""

    version: int
    tiles: int
    tiles_pulled: int
    samples_pulled: int
    seconds: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """One tile to pull: a metric, its day, and the moment up to which the day is asked for."""

    metric: str
    day: Window
    until: datetime


def pull(
    source: Source,
    lake: Lake,
    contract: Contract,
    window: Window,
    *,
    matchers: Mapping[str, str] | None = None,
    rule_matchers: Mapping[str, str] | None = None,
    now: datetime,
    executor: Executor | None = None,
    progress: Callable[[int, int, int], None] | None = None,
    lock_seconds: float = 10.0,
) -> Pulled:
    """Bring into the lake what it lacks of a window; a day still growing at the last pull is pulled again.

    `progress` is called with tiles done, tiles missing and samples so far. Nothing is visible before the one commit at
    the end, and an interrupted pull leaves the lake as it was.

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
    identity = {"source": described["source"], "matchers": by_scope}
    with _locked(lake, lock_seconds):
        _refuse_other_source(lake, identity)
        wanted = list(_wanted(contract, window, now))
        missing = _missing(lake, wanted)
        if not missing and lake.exists:
            return Pulled(lake.snapshot().version, len(wanted), 0, 0, time.monotonic() - started)

        remove_unfinished(lake.path)

        def fetch(tile: Wanted) -> Tile:
            asked = Window(tile.day.start, tile.until)
            batch = source.read(tile.metric, by_scope[contract.scope_of(tile.metric)], asked)
            _refuse_others(batch, asked, described["source"])
            return write_tile(lake.path, batch, tile.day, tile.until, contract.tenant_label)

        tiles = _fetched(fetch, missing, executor, progress)
        samples = sum(tile.samples for tile in tiles)
        if not samples and not _held(lake, window):
            raise NoData(
                f"Source {described['source']} has no sample of the {contract.platform} contract in {window}. "
                "Choose another week, or check the matchers and the metric names of the contract."
            )
        warnings = tuple(described.get("warnings", ()))
        version = publish(
            lake,
            tiles,
            {
                "source": described,
                "identity": identity,
                "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
                "now": now.isoformat(),
                "contract": contract.version,
                "samples_pulled": samples,
                "warnings": list(warnings),
            },
        )
    return Pulled(version, len(wanted), len(tiles), samples, time.monotonic() - started, warnings)


def _wanted(contract: Contract, window: Window, now: datetime) -> Iterator[Wanted]:
    for day in window.days():
        if day.start < now:
            for metric in contract.series_names():
                yield Wanted(metric, day, min(day.end, now))


def _missing(lake: Lake, wanted: list[Wanted]) -> list[Wanted]:
    """What the lake lacks of the wanted tiles: never pulled, grown since, or with a file that is gone."""
    if not lake.exists:
        return wanted
    snapshot = lake.snapshot()
    tiles = snapshot.tiles()
    until = dict(zip(zip(tiles["metric"], tiles["date"], strict=True), tiles["until"], strict=True))
    for lost in snapshot.lost():
        until.pop(lost, None)
    return [tile for tile in wanted if until.get((tile.metric, tile.day.name), tile.day.start) < tile.until]


def _refuse_others(batch: SeriesBatch, asked: Window, source: str) -> None:
    # A sample of another day would be counted in two tiles.
    if batch.samples and not asked.start_ms <= batch.times.min() <= batch.times.max() < asked.end_ms:
        raise SourceAnswerError(
            f"Source {source} gave samples of {batch.metric} from outside {asked}, which was asked for. "
            "Nothing was pulled; look at the proxy or the adapter between it and this suite."
        )


def _held(lake: Lake, window: Window) -> bool:
    if not lake.exists:
        return False
    days = {day.name for day in window.days()}
    tiles = lake.snapshot().tiles()
    return bool((tiles["date"].isin(days) & (tiles["samples"] > 0)).any())


def _fetched(
    fetch: Callable[[Wanted], Tile],
    missing: list[Wanted],
    executor: Executor | None,
    progress: Callable[[int, int, int], None] | None,
) -> list[Tile]:
    own = executor is None
    pool = executor or ThreadPoolExecutor(WORKERS)
    futures: list[Future[Tile]] = [pool.submit(fetch, tile) for tile in missing]
    samples = 0
    try:
        for done, future in enumerate(as_completed(futures), start=1):
            samples += future.result().samples
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
            f"Lake {lake.path} holds telemetry of {held['source']} (matchers {held['matchers']}), not of "
            f"{identity['source']} (matchers {identity['matchers']}). Name another --environment for it."
        )


@contextmanager
def _locked(lake: Lake, seconds: float) -> Iterator[None]:
    lake.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(lake.path / ".lock", timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        raise LakeLocked(
            f"Lake {lake.path} is being written by another run; waited {seconds:g} s. Wait for it, or raise "
            "`limits.lock_seconds`."
        ) from None
    try:
        yield
    finally:
        lock.release()
