"""The figure of the whole week: what happened when, a lane a kind of event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.lanes import lane_of, lanes
from cloudxai_analysis.figures.marks import tinted
from cloudxai_analysis.figures.style import BLUE, VERMILLION, empty, point, styled, title
from cloudxai_analysis.figures.timeline import day_of, days, time_axis, window_words
from cloudxai_analysis.ground.window import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HARM = ("outages", "refusals")  # what customers feel
_HALF = 0.3  # of a lane, on each side of its middle
_LEAST = 3.0  # points that the shortest event is wide


@styled
def events(ax: Axes, happened: pd.DataFrame, window: Window, *, said: str) -> Axes:
    """One lane a kind of event, with a bar as long as it lasted; how many stands at the right.

    `happened`: lane, start, end (missing: it goes on); `said`: what it comes to.
    """
    if happened.empty:
        return empty(ax, "nothing happened that is known")
    names = happened["lane"].astype(str)
    numbers = names.value_counts(sort=False)
    shown = lanes(ax, list(numbers.index), texts=[f"{number:,}" for number in numbers])
    time_axis(ax, day_of(window.start), day_of(window.end))
    left, right = ax.get_xlim()
    start, end = np.maximum(days(happened["start"]), left), days(happened["end"])
    end = np.minimum(np.where(np.isfinite(end), end, right), right)
    wide, lane = np.maximum(end - start, _LEAST * point(ax)), lane_of(names, shown)
    harm, wrong = names.isin(_HARM).to_numpy(), names.str.endswith("false").to_numpy()
    for some, color, hatch in ((harm, VERMILLION, ""), (wrong, VERMILLION, "////"), (~harm & ~wrong, BLUE, "")):
        tinted(ax, start[some], lane[some] - _HALF, wide[some], 2 * _HALF, color=color, hatch=hatch)
    return title(ax, said, f"{window_words(window)} (UTC)")
