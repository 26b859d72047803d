"""Time on the horizontal axis: in UTC, in days since 1970, with ticks where days, weeks and months begin."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONDAY = 4  # of the first week that begins after the epoch
_LABELS = 7  # about as many as fit side by side
_STEPS = (1 * HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 1, 7, 14, 28, 91, 182, 364)  # days from tick to tick


def days(moments: Iterable[datetime]) -> Floats:
    """Days since 1970 of each moment, as matplotlib counts them; NaN of NaT."""
    index = pd.to_datetime(pd.Series(list(moments), dtype="object"), utc=True)
    stamps = pd.DatetimeIndex(index).as_unit("us")
    return np.where(stamps.isna(), np.nan, stamps.asi8 / 86_400e6)


def usual_step(times: pd.Series) -> float:
    """The days from one moment to the next, of most of them; an hour where there is one moment only."""
    apart = np.diff(np.unique(days(times)))
    return float(np.median(apart)) if len(apart) else HOUR


def day_of(moment: datetime) -> float:
    """Days since 1970 of one moment."""
    return (moment - _EPOCH) / timedelta(days=1)


def moment_of(day: float) -> datetime:
    """The moment that many days after 1970, to the second."""
    return _EPOCH + timedelta(seconds=round(float(day) * 86_400))


def time_axis(ax: Axes, start: float, end: float) -> None:
    """Give the axes the time from `start` to `end`, after their margins; labels stand where a day or hour begins."""
    ax.set_xlim(start, max(end, start + HOUR))
    steps = [step for step in _STEPS if step >= 1 or end - start <= 1.5]  # a time without its day tells little
    step = next((step for step in steps if (end - start) / step <= _LABELS + 1), steps[-1])
    first = math.ceil(round((start - _MONDAY) / step, 6)) * step + _MONDAY
    ticks = [float(tick) for tick in np.arange(first, end - 1e-6, step)]
    labels = [_said(moment_of(tick), step) for tick in ticks]
    longest = max((text_width(label, TEXT_SIZE) for label in labels), default=0.0) + 8
    every = max(1, math.ceil(longest * len(ticks) / axes_size(ax)[0]))
    ax.set_xticks(ticks[::every], labels[::every])
    ax.set_xlabel(f"{span_words(moment_of(start), moment_of(end))}, UTC", loc="left")


def week_axis(ax: Axes, names: Sequence[str]) -> None:
    """Put the weeks called `names` ('2026-W46') at 0, 1, 2, ...; labels where there is room, counted from the last."""
    step = math.ceil((text_width("W46", TEXT_SIZE) + 8) / (axes_size(ax)[0] / len(names)))
    labelled = [place for place in range(len(names)) if (len(names) - 1 - place) % step == 0]
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_xticks(labelled, [names[place].partition("-")[2] or names[place] for place in labelled])
    years = sorted({name.partition("-")[0] for name in names})
    ax.set_xlabel(f"ISO weeks of {' and '.join(years)}, UTC", loc="left")


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


def frame_words(moments: pd.Series, *, step: timedelta) -> str:
    """The stretch that a frame's buckets of length `step` cover."""
    return span_words(moments.min().to_pydatetime(), (moments.max() + step).to_pydatetime())


def day_words(moment: datetime) -> str:
    """'Tue 10 Nov'."""
    return f"{moment:%a} {moment.day} {moment:%b}"


def _said(tick: datetime, step: float) -> str:
    if step < 1:
        return f"{tick:%H:%M}"
    return f"{tick:%a} {tick.day}" if step == 1 else f"{tick.day} {tick:%b}"
