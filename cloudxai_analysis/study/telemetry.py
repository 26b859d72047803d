"""The telemetry of a window: coverage, gaps, process starts, inventory."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from cloudxai_analysis.measures import telemetry
from cloudxai_analysis.study.opened import Opened
from cloudxai_analysis.window import Window


class Telemetry:
    """Frames on the telemetry itself."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @cached_property
    def up(self) -> pd.DataFrame:
        """Samples of `up` of the contract's jobs."""
        frame = self._opened.samples("up")
        return frame[frame["job"].isin(self._opened.contract.jobs)]

    @cached_property
    def coverage(self) -> pd.DataFrame:
        """Scrape coverage by target and day, over the history."""
        return telemetry.scrape_coverage(self.up)

    @cached_property
    def covered(self) -> pd.DataFrame:
        """Covered days of the history."""
        return telemetry.covered_days(
            self.coverage, jobs=self._opened.contract.jobs, least=self._opened.bounds.coverage
        )

    def seen_share(self, window: Window) -> float:
        """Share of a window that the telemetry shows: of the expected scrapes, days without a target counting as 0."""
        rows, days = self._opened.within(self.coverage, "day", window), len(list(window.days()))
        expected = rows["expected"].sum()
        return float(rows["scrapes"].sum() / expected * rows["day"].nunique() / days) if expected else float("nan")

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Scrape gaps that overlap the window."""
        gaps, seen = telemetry.scrape_gaps(self.up), self._opened.seen
        return gaps[(gaps["start"] < seen.end) & (gaps["end"] > seen.start)].reset_index(drop=True)

    @cached_property
    def starts(self) -> pd.DataFrame:
        """Process starts over the history."""
        return telemetry.process_starts(self._opened.samples("process_start"), self.up)

    @cached_property
    def restarts(self) -> pd.DataFrame:
        """Process restarts within the window."""
        starts = self.starts[self.starts["restarted"]]
        return self._opened.within(starts, "started_at")

    @cached_property
    def inventory(self) -> pd.DataFrame:
        """Series and samples by metric, in the window."""
        metrics = [
            (role, name) for role, metric in self._opened.contract.metrics.items() for name in metric.series_names
        ]
        hours = {
            name: self._opened.frames.hours(name, self._opened.seen, self._opened.contract[role].labels)
            for role, name in metrics
        }
        return telemetry.inventory(hours)
