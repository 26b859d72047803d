"""Time on the horizontal axis: in UTC, in days since 1970, with ticks where days, weeks and months begin."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.style import TEXT_SIZE, axes_size
from cloudxai_analysis.ground.window import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

HOUR = 1 / 24
_MONDAY = 4  # of the first week that begins in 1970
_LABELS = 7  # about as many as fit side by side
_STEPS = (1 * HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 1, 7, 14, 28, 91, 182, 364)  # days from tick to tick


def days(moments: Iterable[datetime]) -> Floats:
    """Days since 1970 of each moment, as matplotlib counts them; NaN of NaT."""
    stamps = pd.DatetimeIndex(pd.to_datetime(pd.Series(list(moments), dtype="object"), utc=True)).as_unit("us")
    return np.where(stamps.isna(), np.nan, stamps.asi8 / 86_400e6)


def day_of(moment: datetime) -> float:
    """Days since 1970 of one moment."""
    return float(days([moment])[0])


def moment_of(day: float) -> datetime:
    """The moment that many days after 1970, to the second."""
    return datetime.fromtimestamp(round(float(day) * 86_400), UTC)


def usual_step(times: pd.Series) -> float:
    """The days from one moment to the next, of most of them; an hour where there is one moment only."""
    apart = np.diff(np.unique(days(times)))
    return float(np.median(apart)) if len(apart) else HOUR


def time_axis(ax: Axes, start: float, end: float, *, weekly: bool = False) -> None:
    """Give the axes the time from `start` to `end`, after their margins; labels stand where a day or hour begins.

    `weekly`, whole weeks have their ISO names in their middle.
    """
    ax.set_xlim(start, max(end, start + HOUR))
    steps = [step for step in _STEPS if step >= 1 or end - start <= 1.5]  # a time without its day tells little
    step = 7 if weekly else next((step for step in steps if (end - start) / step <= _LABELS + 1), steps[-1])
    first = math.ceil(round((start - _MONDAY) / step, 6)) * step + _MONDAY
    ticks = np.arange(first, end - 1e-6, step)
    labels = [f"{moment_of(tick):W%V}" if weekly else _said(moment_of(tick), step) for tick in ticks]
    longest = max((text_width(label, TEXT_SIZE) for label in labels), default=0.0) + 8
    every = max(1, math.ceil(longest * len(ticks) / axes_size(ax)[0]))
    shown = slice((len(ticks) - 1) % every if weekly else 0, None, every)  # the last week is named
    ax.set_xticks(ticks[shown] + (3.5 if weekly else 0.0), labels[shown])
    ax.set_xlabel(f"{span_words(moment_of(start), moment_of(end))}, UTC", loc="left")


def span_words(start: datetime, end: datetime) -> str:
    """'9 to 15 Nov 2026' of the half-open stretch from the 9th to the 16th, 0:00."""
    last = max(end - timedelta(microseconds=1), start)
    if start.date() == last.date():
        return f"{last.day} {last:%b %Y}"
    if (start.year, start.month) == (last.year, last.month):
        return f"{start.day} to {last.day} {last:%b %Y}"
    year = "" if start.year == last.year else f" {start.year}"
    return f"{start.day} {start:%b}{year} to {last.day} {last:%b %Y}"


def window_words(window: Window) -> str:
    """'2026-W46, 9 to 15 Nov 2026'."""
    span = span_words(window.start, window.end)
    return f"{window.name}, {span}" if window.name else span


def _said(tick: datetime, step: float) -> str:
    if step < 1:
        return f"{tick:%H:%M}"
    return f"{tick:%a} {tick.day}" if step == 1 else f"{tick.day} {tick:%b}"
