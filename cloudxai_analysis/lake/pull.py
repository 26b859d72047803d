"""Pulling telemetry into a lake: tiles of one metric and day, read side by side, committed at once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudxai_analysis.ground.errors import NoData, SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.plan import REWIND, Wanted, missing_tiles, wanted_tiles
from cloudxai_analysis.lake.read import Snapshot, losses
from cloudxai_analysis.lake.tables import Lake
from cloudxai_analysis.lake.tiles import TileFile, TileKey, left_tile, remove_unfinished, write_tile
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.sources.replicas import LEAD_IN, merge_replicas
from cloudxai_analysis.sources.rules import Ruled, rule_rows
from cloudxai_analysis.sources.series import SeriesBatch, Source

TILE_FORMAT = 3  # raised when the same samples would be written otherwise: what an older pull left is not taken up
Progress = Callable[[int, int, int], None]
Shrunk = dict[TileKey, tuple[int, int]]
Fetched = tuple[list[TileFile], bool]


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
    concurrency: int = 2,
    progress: Progress | None = None,
    lock_seconds: float = 10.0,
    found_jobs: Sequence[str] = (),
) -> Pulled:
    """Bring into the lake what it lacks of a window, and what it has lost of any.

    A day that was still growing at the last pull, or ended less than `rewind` before it, is pulled
    again: samples may come late. So is a tile of which a file is gone; its rollups are made of its
    samples where these are whole. A tile never gives way to one of fewer samples, unless its files
    are gone: what was lost, and what the source left out, is told of that tile until it is brought
    anew. Series that differ in `replica_labels` only are one. `progress` is called with tiles done,
    tiles missing and samples so far. Nothing is visible before the one commit at the end; an
    interrupted pull leaves the lake as it was, and the next takes up the tiles that it had
    finished. `found_jobs` are kept with the lake: those that export the contract's metrics, where
    none of the contract's does.

    Raises NoData (the source has no sample of any metric of the contract in the whole window;
    nothing is committed); UsageError (the lake holds telemetry of another source or other
    matchers); LakeLocked (another pull holds the lake longer than `lock_seconds`);
    SourceAnswerError (the source gave samples that were not asked for); CloudxaiError (whatever the
    source or the lake raises).
    """
    started = time.monotonic()
    # A tile's name says to the second how far it was asked for.
    now = Window(now, now).start.replace(microsecond=0)
    described = source.describe()
    identity: dict[str, Any] = {key: described[key] for key in ("source", "tenant") if key in described}
    identity["matchers"] = {"target": dict(matchers or {}), "rules": dict(rule_matchers or {})}
    if replica_labels:
        identity["replica_labels"] = sorted(replica_labels)
    with lake.locked(lock_seconds):
        held = _Held(lake.snapshot() if lake.exists else None)
        _refuse_other_source(held.before, identity)
        wanted = wanted_tiles(contract, window, now, rewind, also=held.lost)
        missing = missing_tiles(lake, wanted)
        if held.before and not missing:
            return Pulled(held.before.version, len(wanted), 0, 0, time.monotonic() - started)
        remove_unfinished(lake.path)
        fetch = _fetching(source, lake, contract, held, identity, described)
        fetched = _fetched(fetch, missing, concurrency, progress)
        taken, shrunk, refused = held.weighed([files for files, _ in fetched])
        lines = described.get("warnings", ())
        warnings = (*lines, *losses(shrunk), *refused)
        if held.before and not taken:
            return Pulled(held.before.version, len(wanted), 0, 0, time.monotonic() - started, warnings)
        samples = sum(files[0].rows for files in taken)
        days = {day.name for day in window.days()}
        if not samples and not any(file.rows for (_, date), file in held.tiles.items() if date in days):
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
            "found_jobs": list(found_jobs),
            "samples_pulled": samples,
            "notes": held.notes({files[0].tile for files in taken}, lines),
            "shrunk": [[*key, *counts] for key, counts in sorted(shrunk.items())],
        }
        version = lake.publish([file for files in taken for file in files], stated)
    resumed = sum(taken_up for _, taken_up in fetched)
    return Pulled(version, len(wanted), len(taken), samples, time.monotonic() - started, warnings, resumed)


class _Held:
    """What the lake held before a pull: its tiles' samples, what is lost of them, and how many there have been."""

    def __init__(self, before: Snapshot | None) -> None:
        self.before = before
        self.lost = before.lost() if before else set()
        self.shrunk: Shrunk = before.shrunk if before else {}
        self.tiles = before.by_tile["samples"] if before else {}
        self.most = {key: file.rows for key, file in self.tiles.items()}
        self.most |= {key: most for key, (_, most) in self.shrunk.items()}

    def weighed(self, fetched: Sequence[list[TileFile]]) -> tuple[list[list[TileFile]], Shrunk, list[str]]:
        """Those that take their place, what is then left of which shrunken ones, and a line on each refused.

        What the lake holds and the source no longer has is the only copy.
        """
        taken, refused, left = [], [], dict(self.shrunk)
        for files in fetched:
            key, seen = files[0].tile, files[0].rows
            there = self.tiles[key].rows if key in self.tiles else 0
            if key not in self.lost and seen < there:
                said = f"{there:,} samples are kept, for the source has {seen:,} of them now"
                refused.append(f"{key[0]} on {key[1]}: {said}")
            elif key in self.lost or key not in self.shrunk or seen > there:
                taken.append(files)
                left.pop(key, None)
                if seen < self.most.get(key, 0):
                    left[key] = (seen, self.most[key])
        return taken, left, refused

    def notes(self, fresh: set[TileKey], lines: Sequence[str]) -> list[dict[str, Any]]:
        """What is told of which days: what was told of tiles that stay, and of fresh ones the source's own lines."""
        found = []
        for note in self.before.provenance.get("notes", []) if self.before else []:
            if dates := [date for date in note["dates"] if (note["metric"], date) not in fresh]:
                found.append({**note, "dates": dates})
        for line in lines:
            metric = line.partition(": ")[0]
            dates = sorted({date for name, date in fresh if name == metric} or {date for _, date in fresh})
            found.append({"metric": metric, "dates": dates, "text": line})
        return found


def _refuse_other_source(before: Snapshot | None, identity: dict[str, Any]) -> None:
    def whose(one: Mapping[str, Any]) -> str:
        words = {"matchers": "matchers", "tenant": "tenant", "replica_labels": "replica labels"}
        return f"{one['source']} ({', '.join(f'{said} {one[key]}' for key, said in words.items() if key in one)})"

    if before and before.provenance["identity"] != identity:
        raise UsageError(
            f"Lake {before.path} holds telemetry of {whose(before.provenance['identity'])}, not of {whose(identity)}. "
            "Name another --environment for it."
        )


def _fetching(
    source: Source, lake: Lake, contract: Contract, held: _Held, identity: dict[str, Any], described: Mapping[str, Any]
) -> Callable[[Wanted], Fetched]:
    """What brings one tile: its files, and whether they were there already."""
    # What an unpublished tile must have been made from and by, as a word for its file's name.
    made = [identity, described.get("way"), contract.tenant_label, TILE_FORMAT]
    mark = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:8]

    def fetch(tile: Wanted) -> Fetched:
        where: dict[str, Any] = {
            "lake": lake.path,
            "day": tile.day,
            "tenant_label": contract.tenant_label,
            "identity": mark,
        }
        least = held.most.get(tile.key, 0)
        left = left_tile(metric=tile.metric, asked=tile.asked, held=held.tiles.get(tile.key), least=least, **where)
        if left:
            return left, True
        own = identity["matchers"][contract.scope_of(tile.metric)]
        replicas = identity.get("replica_labels", ())
        batch = _read(source, tile, own, replicas, counter=contract.counts(tile.metric))
        return write_tile(batch=batch, asked=tile.asked, **where), False

    return fetch


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
    fetch: Callable[[Wanted], Fetched], missing: list[Wanted], concurrency: int, progress: Progress | None
) -> list[Fetched]:
    """All of the missing tiles, or what was raised for the first that failed; no other is begun then."""
    with ThreadPoolExecutor(concurrency) as pool:
        futures = [pool.submit(fetch, tile) for tile in missing]
        samples = 0
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                samples += future.result()[0][0].rows
                if progress:
                    progress(done, len(missing), samples)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]
