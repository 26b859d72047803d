"""Figures of growth: the held tenants so far and ahead, under the cap."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.lines import draw_band, draw_line
from cloudxai_analysis.figures.marks import End, Entry, bound_line, end_labels, end_room, key
from cloudxai_analysis.figures.shapes import value_ticks
from cloudxai_analysis.figures.style import BLUE, INK, KEY_TOP, empty, margins, styled, title
from cloudxai_analysis.figures.timeline import day_words, days, span_words, time_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DAY = timedelta(days=1)


@styled
def held_ahead(ax: Axes, daily: pd.DataFrame, ahead: pd.DataFrame, found: pd.DataFrame, *, cap: int) -> Axes:
    """Held tenants of one process by day, as they were and as they are likely to be: median, 80 % and 95 % intervals.

    `daily`: day, arrivals, held; `ahead`: day, low95, low80, median, high80, high95; `found`: the one row of
    `time_to_cap`.
    """
    known = daily[daily["held"].notna()]
    if known.empty or ahead.empty:
        return empty(ax, "too little history to forecast from")
    row, last = found.iloc[0], ahead.iloc[-1]
    ends = [End(cap, f"cap {cap}"), End(float(last["median"]), f"median {last['median']:.0f}", BLUE)]
    ends.append(End(float(last["high80"]), f"90 % under {last['high80']:.0f}", BLUE))
    ax.set_ylim(0, 1.2 * max(float(last["high80"]), cap, float(known["held"].max())))
    margins(ax, left=value_ticks(ax, "{:.0f}".format, whole=True), right=end_room(ends), top=KEY_TOP)
    was, will = days(known["day"]) + 1, days(ahead["day"]) + 1
    time_axis(ax, float(was.min()) - 1, float(will.max()))
    bound_line(ax, cap)
    draw_band(ax, will, *_band(ahead, "95"), step=1.0, facecolor=BLUE, alpha=0.14, linewidth=0)
    draw_band(ax, will, *_band(ahead, "80"), step=1.0, facecolor=BLUE, alpha=0.3, linewidth=0)
    draw_line(ax, will, ahead["median"].to_numpy(dtype=float), step=1.0, color=BLUE, linestyle=(0, (5, 2)))
    draw_line(ax, was, known["held"].to_numpy(dtype=float), step=1.0, color=INK)
    ax.axvline(float(was.max()), color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
    box = {"marker": "s", "color": BLUE, "markeredgewidth": 0}
    key(
        ax,
        [
            Entry("as it was", {"marker": "_", "color": INK}),
            Entry("median path", {"marker": "_", "color": BLUE}),
            Entry("80 % of the paths", {**box, "alpha": 0.44}),
            Entry("95 %", {**box, "alpha": 0.14}),
        ],
    )
    end_labels(ax, ends)
    span = span_words(known["day"].min().to_pydatetime(), (ahead["day"].max() + _DAY).to_pydatetime())
    return title(ax, _message(row), f"Held tenants of the fullest process at each day's end, {span} (UTC)")


def _band(ahead: pd.DataFrame, share: str) -> tuple[np.ndarray, np.ndarray]:
    return ahead[f"low{share}"].to_numpy(dtype=float), ahead[f"high{share}"].to_numpy(dtype=float)


def _message(row: pd.Series) -> str:
    if row["answer"] in ("refusing", "at the cap"):
        return f"The cap of {row['cap']} is reached"
    if pd.isna(row["median"]):
        return f"The cap of {row['cap']} is not likely to be reached within {row['horizon_days']} days"
    return f"The cap of {row['cap']} is likely to be reached by {day_words(row['median'])}"
