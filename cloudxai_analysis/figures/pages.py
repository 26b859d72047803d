"""The figure of pages by shift: how often each of those on call was woken, and how often for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.marks import Entry, key
from cloudxai_analysis.figures.shapes import rectangles, tinted, value_ticks
from cloudxai_analysis.figures.style import (
    BLUE,
    GREEN,
    HATCH,
    INK,
    KEY_TOP,
    VERMILLION,
    empty,
    margins,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import day_of, days, span_words, time_axis
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@styled
def pages_by_shift(ax: Axes, shifts: pd.DataFrame, *, zone: str) -> Axes:
    """Pages of each shift over time, stacked by whether they were true, false or not judged; shifts by night shaded.

    `shifts`: start, end, shift, pages, true_pages, false_pages, at_night.
    """
    if shifts.empty or not shifts["pages"].sum() > 0:
        return empty(ax, "no alert of a rule that wakes someone is stored")
    start, end = days(shifts["start"]), days(shifts["end"])
    true, false = (shifts[name].to_numpy(dtype=float) for name in ("true_pages", "false_pages"))
    rest = shifts["pages"].to_numpy(dtype=float) - true - false
    ax.set_ylim(0, max(1.15 * shifts["pages"].max(), 3))
    margins(ax, left=value_ticks(ax, "{:.0f}".format, whole=True), top=KEY_TOP)
    time_axis(ax, day_of(shifts["start"].iloc[0]), day_of(shifts["end"].iloc[-1]))
    night = _by_night(shifts, zone)
    shade = {"facecolor": INK, "edgecolor": "none", "alpha": 0.06, "linewidth": 0}
    rectangles(ax, start[night], 0.0, (end - start)[night], ax.get_ylim()[1], **shade)
    foot = np.zeros(len(shifts))
    for height, color, hatch in ((true, GREEN, ""), (false, VERMILLION, HATCH + "//"), (rest, BLUE, "....")):
        some = height > 0
        tinted(ax, start[some], foot[some], (end - start)[some], height[some], color=color, hatch=hatch)
        foot = foot + height
    ax.set_ylabel("")
    entries = [
        Entry("true", {"marker": "s", "color": GREEN, "markerfacecolor": "none"}),
        Entry("false, hatched", {"marker": "s", "color": VERMILLION, "markerfacecolor": "none"}),
    ]
    if rest.any():
        entries.append(Entry("neither, dotted", {"marker": "s", "color": BLUE, "markerfacecolor": "none"}))
    key(ax, [*entries, Entry("shaded: shifts by night", {})])
    top = shifts.iloc[int(shifts["pages"].to_numpy().argmax())]
    local = top["start"].tz_convert(zone)
    message = (
        f"{count(top['pages'], 'page')} in the shift of {local:%a} {local.day} {local:%b, %H:%M}, "
        f"{shifts['at_night'].sum():.0f} of {count(shifts['pages'].sum(), 'page')} at night"
    )
    span = span_words(shifts["start"].iloc[0].to_pydatetime(), shifts["end"].iloc[-1].to_pydatetime())
    return title(ax, message, f"Pages by shift, {span}; shifts by the clock of {zone}")


def _by_night(shifts: pd.DataFrame, zone: str) -> np.ndarray:
    """Whether the middle of each shift lies between 22:00 and 08:00."""
    middle = shifts["start"] + (shifts["end"] - shifts["start"]) / 2
    hour = middle.dt.tz_convert(zone).dt.hour
    return ((hour >= 22) | (hour < 8)).to_numpy(dtype=bool)
