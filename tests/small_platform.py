"""Small platforms in memory: series written down in a test, and the study of them without a server or a lake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.contract import Contract, load_contract
from cloudxai_analysis.platform.settings import DEMO_SOURCE, Settings, resolve_environment
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.study.study import Store, Study

Written = tuple[Labels, NDArray[np.int64], NDArray[np.float64]]


class Platform:
    """A source of the series that it is given: by metric, each with labels, milliseconds and values."""

    name = "memory://platform"

    def __init__(self, series: Mapping[str, Sequence[Written]], until: datetime) -> None:
        self._series, self._until = series, Window(until, until)

    def describe(self) -> dict[str, Any]:
        return {"kind": "memory", "source": self.name, "version": "1", "way": "memory", "hides_markers": False}

    def extent(self) -> Window | None:
        return self._until

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        return SeriesBatch.of(metric, list(self._within(metric, matchers, window)))

    def _within(self, metric: str, matchers: Labels, window: Window) -> Iterable[Written]:
        for labels, times, values in self._series.get(metric, ()):
            if all(labels.get(name, "") == value for name, value in matchers.items()):
                inside = (times >= window.start_ms) & (times < min(window.end_ms, self._until.end_ms))
                yield labels, times[inside], values[inside]


def study_of(
    series: Mapping[str, Sequence[Written]], folder: Path, window: Window, *, now: datetime | None = None, **given: Any
) -> Study:
    """The study of one window of a small platform, judged at `now`, by the settings' defaults."""
    now = now or window.end
    return study_over(MemorySnapshot(Platform(series, now)), folder, window, now=now, **given)


def study_over(store: Store, folder: Path, window: Window, *, now: datetime, contract: Contract | None = None) -> Study:
    """The study of one window of these frames, with an empty ledger, by the settings' defaults."""
    settled = resolve_environment(Settings.model_construct(), source=DEMO_SOURCE, name="demo")
    settled = settled.model_copy(update={"contract": contract or load_contract(), "outputs": folder})
    return Study(settled, window, store, ledger=Ledger(folder / "ledger.jsonl"), now=now)
