"""The lake's reads straight from a source, with nothing on disk: for evaluation over many seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.lake.frames import hours_frame, samples_frame, series_frame, utc_times
from cloudxai_analysis.lake.rollups import FIELDS, roll_up
from cloudxai_analysis.sources.rules import Ruled, rule_rows
from cloudxai_analysis.sources.series import SeriesBatch, Source, canonical_labels


class MemorySnapshot:
    """Frames of a source without a lake; the same frames as a snapshot's, for the same samples."""

    def __init__(self, source: Source, matchers: Mapping[str, str] | None = None) -> None:
        self._source = source
        self._matchers = dict(matchers or {})

    @property
    def rules(self) -> list[dict[str, Any]] | None:
        """As `Snapshot.rules`."""
        return rule_rows(self._source.rules()) if isinstance(self._source, Ruled) else None

    def samples(
        self, metric: str, window: Window, labels: Sequence[str] = (), *, markers: bool = False
    ) -> pd.DataFrame:
        """As `Snapshot.samples`."""
        batch = self._source.read(metric, self._matchers, window)
        series = _labels(batch, np.repeat(np.arange(len(batch)), np.diff(batch.offsets)))
        table = pa.table({"labels": series, "time": utc_times(batch.times), "value": batch.values})
        return samples_frame(table, window, labels, markers=markers)

    def hours(self, metric: str, window: Window, labels: Sequence[str] = ()) -> pd.DataFrame:
        """As `Snapshot.hours`: an hour's row looks back, and to its day's end."""
        extent = self._source.extent()
        table = self._rolled(metric, Window(window.start - DAY, window.end))
        return hours_frame(table, window, labels, until_ms=extent.end_ms if extent else None)

    def series(self, metric: str, window: Window) -> pd.DataFrame:
        """As `Snapshot.series`."""
        return series_frame(self._rolled(metric, window), window)

    def _rolled(self, metric: str, window: Window) -> pa.Table:
        """The rollups of the whole days that a window touches."""
        days = list(window.days()) or [window]
        batch = self._source.read(metric, self._matchers, Window(days[0].start, days[-1].end))
        rolled = roll_up(batch)
        fields = {name: rolled[name] for name in FIELDS}
        return pa.table({"labels": _labels(batch, rolled["series"]), "hour": utc_times(rolled["hour"]), **fields})


def _labels(batch: SeriesBatch, codes: NDArray[np.integer]) -> pa.DictionaryArray:
    texts = pa.array([canonical_labels(labels) for labels in batch.labels], type=pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), texts)
