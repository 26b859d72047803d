"""What a pull would bring: the tiles that the lake lacks, and what they will cost before the first of them is asked."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import numpy as np

from cloudxai_analysis.contract import Contract
from cloudxai_analysis.lake.tables import Lake
from cloudxai_analysis.lake.tiles import packed_bytes
from cloudxai_analysis.sources.series import SeriesBatch, Source
from cloudxai_analysis.window import Window

REWIND = timedelta(hours=1)
PROBED_DAYS = 3
_PROBE = timedelta(hours=1)
TileKey = tuple[str, str]


@runtime_checkable
class Counts(Protocol):
    """A source that counts the bytes it received."""

    @property
    def received(self) -> int:
        """Bytes of all bodies so far."""


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
    """What a pull would bring: tiles wanted and missing, and estimates of all else.

    Series, samples, bytes over the wire, seconds, bytes in the lake; `free_bytes` is what its disk has left.
    """

    tiles: int
    missing: int
    series: int
    samples: int
    wire_bytes: int
    seconds: float
    disk_bytes: int
    free_bytes: int


def wanted_tiles(contract: Contract, window: Window, now: datetime, rewind: timedelta = REWIND) -> list[Wanted]:
    """The tiles of a window, days in the future left out; a day is final when it was asked `rewind` after its end."""
    return [
        Wanted(metric, day, min(day.end + rewind, now))
        for day in window.days()
        if day.start < now
        for metric in contract.series_names()
    ]


def missing_tiles(lake: Lake, wanted: Sequence[Wanted], *, again: Collection[TileKey] = ()) -> list[Wanted]:
    """What the lake lacks of the wanted tiles: never pulled, grown since, a file of theirs gone, or named `again`."""
    if not lake.exists:
        return list(wanted)
    snapshot = lake.snapshot()
    tiles = snapshot.tiles()
    asked = dict(zip(zip(tiles["metric"], tiles["date"], strict=True), tiles["asked"], strict=True))
    for key in {*snapshot.lost(), *again}:
        asked.pop(key, None)
    return [tile for tile in wanted if asked.get(tile.key, tile.day.start) < tile.asked]


def estimate(
    source: Source,
    lake: Lake,
    contract: Contract,
    wanted: Sequence[Wanted],
    *,
    matchers: Mapping[str, Mapping[str, str]],
    concurrency: int,
) -> Plan:
    """What pulling the missing tiles would take, from an hour of each metric on up to three of their days.

    Each of those hours is read, packed as the lake packs it, and dropped; nothing is written. Hours that differ from
    them (a night, a day before the platform began) are what the estimate cannot know.

    Raises
    ------
    CloudxaiError
        Whatever the source or the lake raises.
    """
    missing = missing_tiles(lake, wanted)
    days = list(dict.fromkeys(tile.day for tile in missing))
    chosen = {days[index] for index in np.linspace(0, len(days) - 1, min(PROBED_DAYS, len(days)), dtype=int)}
    probes = [_probe(source, tile, matchers[contract.scope_of(tile.metric)]) for tile in missing if tile.day in chosen]
    hours = sum((tile.window.end - tile.window.start) / _PROBE for tile in missing)
    scale = hours / max(len(probes), 1)
    empty = packed_bytes(SeriesBatch.of("empty", []))
    fixed, per_sample = _cost(probes)
    samples = sum(probe["samples"] for probe in probes) * scale
    series: dict[str, int] = {}
    for probe in probes:
        series[probe["metric"]] = max(series.get(probe["metric"], 0), probe["series"])
    folder = next(folder for folder in (lake.path.absolute(), *lake.path.absolute().parents) if folder.exists())
    return Plan(
        tiles=len(wanted),
        missing=len(missing),
        series=sum(series.values()),
        samples=round(samples),
        wire_bytes=round(sum(probe["wire"] for probe in probes) * scale),
        seconds=(fixed * len(missing) + per_sample * samples) / concurrency,
        disk_bytes=round(sum(probe["disk"] - empty for probe in probes) * scale) + 2 * empty * len(missing),
        free_bytes=shutil.disk_usage(folder).free,
    )


def _probe(source: Source, tile: Wanted, matchers: Mapping[str, str]) -> dict[str, Any]:
    middle = tile.window.start + (tile.window.end - tile.window.start) / 2
    received = source.received if isinstance(source, Counts) else 0
    started = time.perf_counter()
    batch = source.read(tile.metric, matchers, Window(middle, min(middle + _PROBE, tile.window.end)))
    packed = packed_bytes(batch)
    return {
        "metric": tile.metric,
        "series": len(batch),
        "samples": batch.samples,
        "wire": (source.received if isinstance(source, Counts) else 0) - received,
        "disk": packed,
        "seconds": time.perf_counter() - started,
    }


def _cost(probes: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Seconds for each request and for each sample; of a metric's probes the quickest counts.

    The first ones also load libraries, open the connection and warm the source.
    """
    quickest: dict[str, Mapping[str, Any]] = {}
    for probe in sorted(probes, key=lambda probe: probe["seconds"], reverse=True):
        quickest[probe["metric"]] = probe
    fixed = min((probe["seconds"] for probe in quickest.values()), default=0.0)
    samples = sum(probe["samples"] for probe in quickest.values())
    return fixed, sum(probe["seconds"] - fixed for probe in quickest.values()) / max(samples, 1)
