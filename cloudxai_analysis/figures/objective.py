"""The figure of the error budget's burning: when each pair of windows was over its threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.marks import lanes
from cloudxai_analysis.figures.shapes import rectangles, wide_enough
from cloudxai_analysis.figures.style import INK, SMALL_SIZE, VERMILLION, empty, styled, title
from cloudxai_analysis.figures.timeline import day_of, day_words, days, time_axis, window_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@styled
def burn_lanes(ax: Axes, stretches: pd.DataFrame, window: Window) -> Axes:
    """One lane per pair of windows, the fastest on top, with a bar where the error budget burnt faster than allowed.

    `stretches`: threshold, long_hours, start, end (NaT: goes on), most.
    """
    if stretches.empty:
        return empty(ax, "the error budget burnt nowhere faster than a pair of windows allows")
    pairs = stretches.groupby("threshold")["long_hours"].first().sort_index(ascending=False)
    lanes(ax, [f"over {threshold:g}× in {_said(hours)}" for threshold, hours in pairs.items()])
    time_axis(ax, day_of(window.start), day_of(window.end))
    start, end = days(stretches["start"]), days(stretches["end"])
    end = np.where(np.isfinite(end), end, ax.get_xlim()[1])
    place = stretches["threshold"].map({threshold: lane for lane, threshold in enumerate(pairs.index)}).to_numpy(float)
    rectangles(ax, start, place - 0.3, wide_enough(ax, end - start), 0.6, facecolor=VERMILLION, edgecolor=INK)
    for lane, threshold in enumerate(pairs.index):
        own = stretches[stretches["threshold"] == threshold]
        at = float(days(own["start"]).min())
        side = "left" if at < np.mean(ax.get_xlim()) else "right"
        ax.text(
            at, lane - 0.36, f"up to {own['most'].max():,.0f}×", ha=side, va="bottom", fontsize=SMALL_SIZE, gid="value"
        )
    top = stretches.loc[stretches["most"].idxmax()]
    message = f"The error budget burnt up to {top['most']:,.0f} times too fast, on {day_words(top['start'])}"
    many = count(len(stretches), "period")
    return title(ax, message, f"{many} over a pair's threshold, {window_words(window)} (UTC)")


def _said(hours: float) -> str:
    return f"{hours:g} h" if hours < 24 else f"{hours / 24:g} d"
