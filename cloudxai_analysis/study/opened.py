"""What every topic of a study stands on: the environment, the windows, and the frames."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import pandas as pd

from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.settings import Environment
from cloudxai_analysis.window import Window


class Frames(Protocol):
    """What a study reads: the lake's snapshot, or the same reads straight from a source."""

    def samples(
        self, metric: str, window: Window, labels: Sequence[str] = (), *, markers: bool = False
    ) -> pd.DataFrame:
        """Raw samples of one metric."""

    def hours(self, metric: str, window: Window, labels: Sequence[str] = ()) -> pd.DataFrame:
        """Hourly rollups of one metric."""

    def series(self, metric: str, window: Window) -> pd.DataFrame:
        """Series of one metric with all of their labels."""


class Opened:
    """One environment over one window, with the frames to measure it by.

    `window` is the window judged; `seen` its part before `now`; `history` begins some weeks earlier and ends with
    `seen`, for measures that compare.
    """

    def __init__(self, environment: Environment, window: Window, frames: Frames, ledger: Ledger, now: datetime) -> None:
        self.environment = environment
        self.contract = environment.contract
        self.bounds = environment.bounds
        self.window = window
        self.seen = Window(window.start, min(window.end, now), window.name)
        self.history = self.seen.with_history(environment.settings.history_weeks)
        self.ledger = ledger
        self.frames = frames

    def hours(self, role: str, window: Window | None = None, *, suffix: str = "") -> pd.DataFrame:
        """Hourly rollups of the metric that plays `role`, over the history unless a window is given."""
        metric = self.contract[role]
        bucket = ("le",) if suffix == "_bucket" else ()
        labels = metric.labels + metric.optional_labels + bucket
        return self.frames.hours(metric.name + suffix, window or self.history, labels)

    def samples(self, role: str, window: Window | None = None) -> pd.DataFrame:
        """Raw samples of the metric that plays `role`, over the history unless a window is given."""
        metric = self.contract[role]
        return self.frames.samples(metric.name, window or self.history, metric.labels + metric.optional_labels)

    def within(self, frame: pd.DataFrame, column: str = "hour", window: Window | None = None) -> pd.DataFrame:
        """The rows of `frame` whose `column` lies in the window, or in another one."""
        window = window or self.seen
        inside = (frame[column] >= window.start) & (frame[column] < window.end)
        return frame[inside].reset_index(drop=True)
