"""Repairing a lake: tiles that are damaged or lost come again from their own samples, or else from the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cloudxai_analysis.ground.errors import CloudxaiError, LakeDamaged
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.lake.plan import REWIND
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.read import Snapshot, tile_asked
from cloudxai_analysis.lake.tables import Lake
from cloudxai_analysis.lake.tiles import Tile
from cloudxai_analysis.lake.upkeep import Damage, HeldFile, damages, held_files
from cloudxai_analysis.platform.contract import Contract, Metric
from cloudxai_analysis.sources.series import Labels, SeriesBatch, Source

Key = tuple[str, str]
Counts = dict[Key, tuple[int, int]]


@dataclass
class Repaired:
    """What a repair did, by tile (metric, date): rolled up again, pulled again, accepted with loss, left as they are.

    Of the last two, how many samples the source still has and how many the lake held. `version` is the newest.
    """

    version: int
    rolled_up: list[Key] = field(default_factory=list)
    pulled: list[Key] = field(default_factory=list)
    accepted: Counts = field(default_factory=dict)
    left: Counts = field(default_factory=dict)


def repair(
    found: Collection[Damage],
    lake: Lake,
    contract: Contract,
    open_source: Callable[[], Source],
    *,
    accept_loss: bool = False,
    rewind: timedelta = REWIND,
    **how: Any,
) -> Repaired:
    """Bring damaged and lost tiles of the newest version back, and publish them.

    A tile whose samples are whole is rolled up again, and no source is asked. The others are pulled again, up to the
    moment of the newest version; `how` are the further arguments of `pull`. Where the source has fewer samples than the
    lake held, the tile is left as it is unless `accept_loss`.

    Raises
    ------
    CloudxaiError
        Whatever the source or the lake raises; what was repaired before stays.
    """
    snapshot = lake.snapshot()
    now = datetime.fromisoformat(snapshot.provenance["now"])
    samples = {file.tile: file for file in held_files([snapshot]) if file.kind == "samples"}
    spoilt = {damage.file.tile for damage in found}
    whole = {tile for tile in spoilt if _complete(samples[tile], now, rewind)}
    whole -= {damage.file.tile for damage in found if damage.file.kind == "samples"}
    repaired = Repaired(snapshot.version)

    def again(origin: Source, tiles: Iterable[Key], done: list[Key], accept: Callable[[Tile], None] | None) -> None:
        for window, block in _blocks(tiles):
            narrow = _narrowed(contract, {metric for metric, _ in block})
            pulled = pull(origin, lake, narrow, window, now=now, rewind=rewind, again=block, accept=accept, **how)
            repaired.version = pulled.version
            done += sorted(block)

    again(_OfSamples(snapshot, samples), whole, repaired.rolled_up, None)
    if not spoilt - whole:
        return repaired
    source = open_source()
    fewer: Counts = {}
    for _, block in _blocks(spoilt - whole):
        try:
            again(source, block, repaired.pulled, _Weighing({tile: samples[tile].rows for tile in block}))
        except _Shrunk as shrunk:
            fewer |= shrunk.fewer
            again(source, block - shrunk.fewer.keys(), repaired.pulled, None)
    if accept_loss:
        again(_Lossy(source, fewer), fewer, [], None)
    repaired.accepted, repaired.left = (fewer, {}) if accept_loss else ({}, fewer)
    return repaired


def _complete(file: HeldFile, now: datetime, rewind: timedelta) -> bool:
    """Whether a pull as of `now` would take the tile for complete: only then are its samples all there is to say."""
    end = datetime.combine(date.fromisoformat(file.date), datetime.min.time(), UTC) + DAY
    return bool(tile_asked(file.path.name) >= min(end + rewind, now))


class _Shrunk(CloudxaiError):
    """The source has less of some tiles than the lake held."""

    def __init__(self, fewer: Counts) -> None:
        super().__init__(f"{len(fewer)} tiles have fewer samples than the lake held.")
        self.fewer = fewer


class _Weighing:
    """Weighs each tile that a pull brings against what the lake held, and objects once all have been seen."""

    def __init__(self, held: Mapping[Key, int]) -> None:
        self._held = held
        self._seen: dict[Key, int] = {}

    def __call__(self, tile: Tile) -> None:
        self._seen[tile.metric, tile.date] = tile.samples
        fewer = {key: (seen, self._held[key]) for key, seen in self._seen.items() if seen < self._held[key]}
        if fewer and self._seen.keys() == self._held.keys():
            raise _Shrunk(fewer)


class _Lossy:
    """A source that says beside its own warnings which samples were lost, so that the report shows it."""

    def __init__(self, source: Source, losses: Counts) -> None:
        self._source = source
        self._losses = losses

    @property
    def name(self) -> str:
        return self._source.name

    def describe(self) -> dict[str, Any]:
        described = self._source.describe()
        lost = [
            f"{metric} on {day}: {seen:,} of {held:,} samples; the others were lost, and the loss was accepted"
            for (metric, day), (seen, held) in sorted(self._losses.items())
        ]
        return {**described, "warnings": [*described.get("warnings", ()), *lost]}

    def extent(self) -> Window | None:
        return self._source.extent()

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        return self._source.read(metric, matchers, window)


class _OfSamples:
    """The lake's own samples as a source, which goes by the name of the one they were pulled from."""

    def __init__(self, snapshot: Snapshot, files: Mapping[Key, HeldFile]) -> None:
        self._described = snapshot.provenance["source"]
        self._files = files

    @property
    def name(self) -> str:
        return str(self._described["source"])

    def describe(self) -> dict[str, Any]:
        return dict(self._described)

    def extent(self) -> Window | None:
        return None

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        del matchers
        *_, day = window.days()
        file = self._files[metric, day.name]
        for damage in damages([file]):
            raise LakeDamaged(f"Lake file {file.path} is {damage.cause}. Run `cloudxai lake repair` again.")
        table = pq.read_table(file.path, columns=["labels", "time", "value"], page_checksum_verification=True)
        return _batch(metric, table)


def _batch(metric: str, table: pa.Table) -> SeriesBatch:
    """The samples of a tile's file, in which each series' rows stand together."""
    labels = table["labels"].combine_chunks().dictionary_encode()
    times = table["time"].cast(pa.int64()).to_numpy() // 1_000
    values, codes = table["value"].to_numpy(), labels.indices.to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)] if len(codes) else [0]
    parts = [slice(low, high) for low, high in pairwise(edges)]
    texts = labels.dictionary.to_pylist()
    return SeriesBatch.of(metric, [(json.loads(texts[codes[part.start]]), times[part], values[part]) for part in parts])


def _blocks(tiles: Iterable[Key]) -> Iterator[tuple[Window, frozenset[Key]]]:
    """The tiles by stretches of neighbouring days of which the same metrics are wanted: each is one pull."""
    by_day: dict[date, frozenset[str]] = {}
    for metric, name in tiles:
        day = date.fromisoformat(name)
        by_day[day] = by_day.get(day, frozenset()) | {metric}
    numbered = enumerate(sorted(by_day.items()))
    for (_, metrics), run in groupby(numbered, key=lambda entry: (entry[1][0].toordinal() - entry[0], entry[1][1])):
        days = [day for _, (day, _) in run]
        start = datetime.combine(days[0], datetime.min.time(), UTC)
        yield (
            Window(start, start + len(days) * DAY),
            frozenset((metric, day.isoformat()) for day in days for metric in metrics),
        )


def _narrowed(contract: Contract, series: Iterable[str]) -> Contract:
    """The contract with these series alone, so that a pull asks for nothing else."""
    metrics = {
        name: Metric(
            name=name,
            kind="counter" if contract.counts(name) else "gauge",
            labels=(),
            unit="",
            scope=contract.scope_of(name),
            help="",
        )
        for name in sorted(series)
    }
    return contract.model_copy(update={"metrics": metrics})
