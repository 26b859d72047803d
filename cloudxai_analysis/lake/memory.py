"""The lake's reads straight from a source, with nothing on disk: for evaluation over many seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from cloudxai_analysis.lake.kernels import EDGES, FLOATS, INTEGERS
from cloudxai_analysis.lake.read import hours_frame, samples_frame
from cloudxai_analysis.lake.rollups import roll_up
from cloudxai_analysis.lake.tiles import series_ids
from cloudxai_analysis.sources.series import SeriesBatch, Source, canonical_labels
from cloudxai_analysis.window import DAY, Window


class MemorySnapshot:
    """Frames of a source without a lake; the same frames as a snapshot's, for the same samples."""

    def __init__(self, source: Source, matchers: Mapping[str, str] | None = None) -> None:
        self._source = source
        self._matchers = dict(matchers or {})

    def samples(
        self, metric: str, window: Window, labels: Sequence[str] = (), *, markers: bool = False
    ) -> pd.DataFrame:
        """As `Snapshot.samples`."""
        batch = self._source.read(metric, self._matchers, window)
        codes = np.repeat(np.arange(len(batch)), np.diff(batch.offsets))
        table = pa.table({**_series(batch, codes), "time": _times(batch.times), "value": batch.values})
        return samples_frame(table, window, labels, markers=markers)

    def hours(self, metric: str, window: Window, labels: Sequence[str] = ()) -> pd.DataFrame:
        """As `Snapshot.hours`."""
        batch = self._source.read(metric, self._matchers, Window(window.start - DAY, window.end))
        rolled = roll_up(batch)
        fields = {name: rolled[name] for name in (*INTEGERS, *EDGES, *FLOATS)}
        table = pa.table({**_series(batch, rolled["series"]), "hour": _times(rolled["hour"]), **fields})
        return hours_frame(table, window, labels)


def _series(batch: SeriesBatch, codes: np.ndarray) -> dict[str, pa.Array]:
    texts = [canonical_labels(labels) for labels in batch.labels]
    ids = series_ids(texts)
    order = np.argsort(ids, kind="stable")
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    sorted_texts = pa.array([texts[index] for index in order], type=pa.string())
    return {
        "series_id": pa.array(ids[codes] if len(ids) else np.zeros(0, dtype=np.int64)),
        "labels": pa.DictionaryArray.from_arrays(pa.array(rank[codes] if len(ids) else rank), sorted_texts),
    }


def _times(milliseconds: np.ndarray) -> pa.Array:
    return pa.array(milliseconds * 1_000, type=pa.int64()).cast(pa.timestamp("us", tz="UTC"))
