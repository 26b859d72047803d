"""Studies for tests: of series written down in a test, of the demo with other events, of what a server was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from _memory import MemorySnapshot
from numpy.typing import NDArray

from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.read import Frames
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.contract import Contract, load_contract
from cloudxai_analysis.platform.settings import DEMO_SOURCE, EnvironmentSettings, Limits, Settings, resolve_environment
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.scenario import checked_scenario
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.study.study import Study

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


def study_over(
    store: Frames, folder: Path, window: Window, *, now: datetime, contract: Contract | None = None
) -> Study:
    """The study of one window of these frames, with an empty ledger, by the settings' defaults."""
    settled = resolve_environment(Settings.model_construct(), source=DEMO_SOURCE, name="demo")
    settled = settled.model_copy(update={"contract": contract or load_contract(), "outputs": folder})
    provenance = {"source": {"kind": "x", "source": "x"}, "lake": {"rollups": 1, "samples": 1}, "warnings": []}
    return Study(settled, window, store, ledger=Ledger(folder / "ledger.jsonl"), now=now, provenance=provenance)


def opened(url: str, **settings: Any) -> Any:
    """The server at an address as a source, by these settings of an environment."""
    return open_source(url, limits=Limits(), settings=EnvironmentSettings(**settings))


def pulled(
    url: str,
    folder: Path,
    window: Window,
    *,
    now: datetime | None = None,
    reach: Window | None = None,
    contract: Contract | None = None,
    way: str = "auto",
    **how: Any,
) -> Study:
    """The study of a window of what a lake of its own was given by a server that was read at `now`."""
    now, lake = now or window.end, open_lake(folder / "lake")
    reach = reach or Window(window.start, min(window.end, now))
    pull(opened(url, way=way), lake, contract or load_contract(), reach, now=now, **how)
    return study_over(lake.snapshot(), folder, window, now=now, contract=contract)


def event(kind: str, moment: str, minutes: int | None = None, **details: Any) -> dict[str, Any]:
    """An event of a scenario, its moment as '11-11T06:00' of 2026."""
    lasting = {} if minutes is None else {"minutes": minutes}
    return {"kind": kind, "at": datetime.fromisoformat(f"2026-{moment}").replace(tzinfo=UTC), **lasting, **details}


def demo_of(*events: dict[str, Any], seed: int = 5) -> DemoSource:
    """The demo with these events alone."""
    return DemoSource(seed, checked_scenario({"name": "planted", "events": list(events)}, "the test"))


def demo_study_of(source: DemoSource, folder: Path, window: Window, *, now: datetime | None = None) -> Study:
    """The study of a window of the demo, with what its people wrote in the ledger."""
    study = study_over(MemorySnapshot(source), folder, window, now=now or window.end)
    study.ledger.seed(source.ledger_entries())
    return study


def says(study: Study, expected: Iterable[str]) -> None:
    """Hold each 'check,check status words' to what those checks of a study say, and whom they ask to do what."""
    for one in expected:
        keys, status, words = f"{one}  ".split(" ", 2)
        for check in (judge.check(study, key) for key in keys.split(",")):
            assert check.status == status, (check.key, check.finding)
            assert words.strip() in f"{check.finding} {check.action}", check.finding
