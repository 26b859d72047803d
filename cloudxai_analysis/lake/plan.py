"""What a pull would bring: the tiles that the lake lacks, and what they will cost before the first of them is asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Protocol

from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake.tables import Lake
from cloudxai_analysis.lake.tiles import TileKey, packed_bytes
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.sources.series import Labels, SeriesBatch, Source

REWIND = timedelta(hours=1)


class Counted(Source, Protocol):
    """A source that counts without reading."""

    def counts(self, metric: str, matchers: Labels, days: Sequence[Window]) -> list[tuple[int, int]]:
        """Series and samples of a metric on each of the days."""


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


@dataclass(frozen=True)
class Plan:
    """What a pull would bring: tiles wanted and missing, series and samples as the source counts them.

    `disk_bytes` is an estimate, NaN where no hour that was tried had a sample; `free_bytes` is what
    the disk has left.
    """

    tiles: int
    missing: int
    series: int
    samples: int
    disk_bytes: float
    free_bytes: int


def wanted_tiles(
    contract: Contract, window: Window, now: datetime, rewind: timedelta = REWIND, *, also: Iterable[TileKey] = ()
) -> list[Wanted]:
    """The tiles of a window, and those named `also`; a day is final when it was asked `rewind` after its end.

    Days in the future are left out, and metrics that the contract does not name.
    """
    names = contract.series_names()
    wanted = {(metric, day.name): day for day in window.days() for metric in names}
    for metric, date in sorted(also):
        if metric in names:
            start = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC)
            wanted.setdefault((metric, date), Window(start, start + DAY, date))
    return [Wanted(key[0], day, min(day.end + rewind, now)) for key, day in wanted.items() if day.start < now]


def missing_tiles(lake: Lake, wanted: Sequence[Wanted]) -> list[Wanted]:
    """What the lake lacks of the wanted tiles: never pulled, grown since, or a file or samples of theirs lost."""
    if not lake.exists:
        return list(wanted)
    snapshot = lake.snapshot()
    again = snapshot.lost() | snapshot.shrunk.keys()
    held = {key: file.asked for key, file in snapshot.by_tile["samples"].items() if key not in again}
    return [tile for tile in wanted if held.get(tile.key, tile.day.start) < tile.asked]


def estimate(
    source: Counted, lake: Lake, contract: Contract, wanted: Sequence[Wanted], matchers: Mapping[str, Labels]
) -> Plan:
    """What pulling the missing tiles would take: each day's samples are counted, and an hour of each metric is read.

    The hour is one of the fullest day; it is packed as the lake packs it, and dropped; nothing is
    written.

    Raises CloudxaiError (whatever the source or the lake raises).
    """
    missing = sorted(missing_tiles(lake, wanted), key=lambda tile: tile.metric)
    empty = packed_bytes(SeriesBatch.of("empty", []))
    series = samples = tried = packed = 0
    for metric, of_metric in groupby(missing, key=lambda tile: tile.metric):
        tiles, own = list(of_metric), matchers[contract.scope_of(metric)]
        counted = source.counts(metric, own, [tile.day for tile in tiles])
        series += max(found for found, _ in counted)
        samples += sum(count for _, count in counted)
        (_, fullest), tile = max(zip(counted, tiles, strict=True), key=lambda pair: pair[0][1])
        if fullest:
            batch = source.read(metric, own, _hour(tile))
            tried, packed = tried + batch.samples, packed + packed_bytes(batch) - empty
    # Of hours without a sample nothing follows for those that have some.
    scale = samples / tried if tried else float("nan") if samples else 0.0
    folder = next(folder for folder in (lake.path.absolute(), *lake.path.absolute().parents) if folder.exists())
    disk = scale * packed + 2 * empty * len(missing)
    return Plan(len(wanted), len(missing), series, samples, disk, shutil.disk_usage(folder).free)


def _hour(tile: Wanted) -> Window:
    """The hour of a day's middle, or, of a day under way, its last one."""
    end = tile.window.end if tile.asked < tile.day.end else tile.day.start + DAY / 2
    return Window(max(tile.day.start, end - HOUR), end)
