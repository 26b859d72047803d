"""The form of a log of days: a row a week, a cell a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.marks import hatched, rectangles, say, tinted
from cloudxai_analysis.figures.style import BLUE, GREEN, INK, PURPLE, VERMILLION, empty, margins, styled, title
from cloudxai_analysis.figures.timeline import span_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = {"pass": GREEN, "warn": PURPLE, "fail": VERMILLION, "unknown": BLUE}
_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SIDE = 0.94


@styled
def calendar(ax: Axes, days: pd.DataFrame, *, message: str) -> Axes:
    """Days as cells in rows of weeks: the day's worst finding by colour and word, a missing day hatched.

    `days`: day, state, status. A day that was seen in part has a fold and says so.
    """
    if days.empty:
        return empty(ax, "no day was observed")
    moments = pd.DatetimeIndex(days["day"])
    column = moments.day_of_week.to_numpy(dtype=float)
    row = ((moments - pd.to_timedelta(moments.day_of_week, "D")) - _monday(moments[0])).days.to_numpy() / 7
    state, status = days["state"].to_numpy(dtype=str), days["status"].to_numpy(dtype=str)
    margins(ax, left=44)
    ax.set(xlim=(0, 7), ylim=(row.max() + 1, 0))
    ax.set_xticks(np.arange(7) + 0.5, _NAMES)
    weeks = np.unique(row)
    ax.set_yticks(weeks + 0.5, [f"W{moments[row == week][0]:%V}" for week in weeks])
    ax.grid(visible=False)
    for name, color in _COLORS.items():
        some = (status == name) & (state != "missing")
        tinted(ax, column[some], row[some] + 0.03, _SIDE, np.full(int(some.sum()), _SIDE), color=color)
    missing, part = state == "missing", state == "partial"
    hatched(ax, column[missing], row[missing] + 0.03, _SIDE, np.full(int(missing.sum()), _SIDE))
    rectangles(ax, column[part] + 0.78, row[part] + 0.03, 0.16, np.full(int(part.sum()), 0.3), facecolor=INK)
    for x, y, day, one, found in zip(column, row, moments, state, status, strict=True):
        word = {"missing": "missing", "partial": f"{found}, part"}.get(one, found)
        say(ax, f"{day.day}", (x + 0.06, y + 0.3), (1, 0), gid="day")
        say(ax, word, (x + 0.06, y + 0.72), (1, 0), gid="value")
    return title(
        ax, message, f"Worst finding of each day, {span_words(moments[0], moments[-1] + pd.Timedelta(days=1))}"
    )


def _monday(day: pd.Timestamp) -> pd.Timestamp:
    return day - pd.Timedelta(days=day.day_of_week)
