"""The figure of raw samples: what the server stored, point by point, around a finding."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.lines import draw_line, hatch_unknown
from cloudxai_analysis.figures.marks import End, end_labels, end_room, left_out
from cloudxai_analysis.figures.shapes import value_ticks
from cloudxai_analysis.figures.style import BLUE, GREEN, INK, PURPLE, VERMILLION, empty, margins, styled, title
from cloudxai_analysis.figures.timeline import HOUR, day_of, days, time_axis, window_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES = ((BLUE, "-"), (VERMILLION, (0, (5, 2))), (GREEN, (0, (2, 1.5))), (PURPLE, (0, (7, 2, 1.5, 2))))
_NAME = 16  # characters of an instance beside its line


@styled
def raw_samples(
    ax: Axes, samples: pd.DataFrame, *, metric: str, unit: str, window: Window, marked: tuple[datetime, datetime] | None
) -> Axes:
    """Samples of one metric by series, in steps as they were stored, with the time of a finding shaded.

    `samples`: series_id, time, value, instance.
    """
    if samples.empty:
        return empty(ax, f"no sample of {metric} in this window")
    most = samples.groupby("series_id")["value"].size().sort_values(ascending=False, kind="stable").index
    shown = [samples[samples["series_id"] == series] for series in most[: len(_LINES)]]
    ends = [
        End(_last(own["value"]), shortened(str(own["instance"].iloc[0]), _NAME), color)
        for own, (color, _) in zip(shown, _LINES, strict=False)
    ]
    value = samples["value"].to_numpy(dtype=float)
    low, high = (float(np.nanmin(value)), float(np.nanmax(value))) if np.isfinite(value).any() else (0.0, 1.0)
    room = 0.08 * (high - low or 1.0)
    ax.set_ylim(min(low, 0.0) - (room if low < 0 else 0.0), high + room)
    margins(ax, left=value_ticks(ax, "{:g}".format), right=end_room(ends))
    time_axis(ax, day_of(window.start), day_of(window.end))
    if marked is not None:
        ax.axvspan(day_of(marked[0]), day_of(marked[1]), facecolor=INK, alpha=0.12, linewidth=0)
    for own, (color, dashes) in zip(shown, _LINES, strict=False):
        at, seconds = days(own["time"]), own["time"].diff().dt.total_seconds().median()
        step = 2.5 / 1.5 * (seconds / 86_400 if seconds > 0 else HOUR)
        draw_line(ax, at, own["value"].to_numpy(dtype=float), step=step, color=color, linestyle=dashes)
    hatch_unknown(ax, np.sort(days(samples["time"])), np.ones(len(samples)), step=step)
    end_labels(ax, ends)
    detail = f"{metric}, {unit}, {window_words(window)} (UTC){left_out(len(shown), len(most), 'series')}"
    return title(ax, f"{count(len(samples), 'sample')} from {low:g} to {high:g}", detail)


def _last(values: pd.Series) -> float:
    known = values.dropna()
    return float(known.iloc[-1]) if len(known) else 0.0
