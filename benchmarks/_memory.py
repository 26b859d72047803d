"""The lake's reads straight from a source, with nothing on disk: for evaluation over many seeds, and for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.read import Frames
from cloudxai_analysis.lake.rollups import FIELDS, roll_up
from cloudxai_analysis.lake.tiles import utc_times
from cloudxai_analysis.sources.rules import Ruled, rule_rows
from cloudxai_analysis.sources.series import Source, canonical_labels


class MemorySnapshot(Frames):
    """Frames of a source without a lake; the same frames as a snapshot's, for the same samples."""

    def __init__(self, source: Source, matchers: Mapping[str, str] | None = None) -> None:
        self._source = source
        self._matchers = dict(matchers or {})

    @property
    def rules(self) -> list[dict[str, Any]] | None:
        """As the source has them now."""
        return rule_rows(self._source.rules()) if isinstance(self._source, Ruled) else None

    def _table(self, kind: str, metric: str, window: Window, columns: Sequence[str]) -> tuple[pa.Table, int | None]:
        days = list(window.days())
        if kind == "rollups" and days:
            window = Window(days[0].start, days[-1].end)
        batch = self._source.read(metric, self._matchers, window)
        if kind == "samples":
            codes = np.repeat(np.arange(len(batch)), np.diff(batch.offsets))
            fields = {"time": utc_times(batch.times), "value": batch.values}
        else:
            rolled = roll_up(batch)
            codes = rolled["series"]
            fields = {"hour": utc_times(rolled["hour"]), **{name: rolled[name] for name in FIELDS}}
        texts = pa.array([canonical_labels(labels) for labels in batch.labels], type=pa.string())
        labels = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), texts)
        extent = self._source.extent()
        return pa.table({"labels": labels, **fields}).select(columns), extent.end_ms if extent else None
