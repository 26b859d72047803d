"""Figures of a month's cost: what was spent so far, where it is likely to end, and how full the budgets are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.lines import draw_line, hatch
from cloudxai_analysis.figures.marks import End, end_labels, end_room, lanes, lanes_that_fit, left_out
from cloudxai_analysis.figures.shapes import value_ticks
from cloudxai_analysis.figures.style import BLUE, INK, SMALL_SIZE, VERMILLION, empty, margins, styled, title
from cloudxai_analysis.figures.timeline import day_of, days, time_axis, window_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import money

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = 24  # characters of a tenant's name


@styled
def month_course(ax: Axes, course: pd.DataFrame, projection: pd.Series, *, month: Window, currency: str) -> Axes:
    """Cost since the month began, by the end of each day, and the interval in which it is likely to end.

    `course`: day, spent, covered; `projection`: one row of `month_projection`.
    """
    if course.empty:
        return empty(ax, "no tenant had a cost in this month so far")
    end, known = day_of(month.end), bool(np.isfinite(projection["median"]))
    at = days(course["day"]) + 1
    ends = [End(float(projection["spent"]), f"{money(projection['spent'], currency)} spent")]
    if known and projection["days_left"]:
        ends.append(End(float(projection["median"]), f"median {money(projection['median'], currency)}", BLUE))
    top = np.nanmax([projection["spent"], projection["high95"]])
    ax.set_ylim(0, 1.12 * float(top) if top > 0 else 1.0)
    margins(ax, left=value_ticks(ax, "{:,.0f}".format), right=end_room(ends))
    time_axis(ax, day_of(month.start), end)
    spent = course["spent"].to_numpy(dtype=float)
    draw_line(ax, np.append(at[0] - 1, at), np.append(0.0, spent), step=1.0, color=INK)
    unsure = days(course.loc[~course["covered"], "day"])
    hatch(ax, [(float(day), float(day) + 1) for day in unsure], "not covered")
    if known and projection["days_left"]:
        _fan(ax, at[-1], float(spent[-1]), end, projection)
    end_labels(ax, ends)
    detail = f"Cost since the month began, {currency}, {window_words(month)} (UTC); thick 80 %, thin 95 %"
    return title(ax, _message(projection, currency, known=known), detail)


@styled
def budgets(ax: Axes, frame: pd.DataFrame, *, month: Window) -> Axes:
    """How much of each budget is spent, and where the month is likely to end; the fullest on top.

    `frame`: tenant, currency, budget, spent, spent_share, median, high80, answer.
    """
    if frame.empty:
        return empty(ax, "the settings name no budget")
    shown = frame.head(lanes_that_fit(ax))
    lanes(ax, [shortened(str(name), _NAME) for name in shown["tenant"]])
    share = shown["spent_share"].to_numpy(dtype=float)
    likely = (shown["median"] / shown["budget"]).to_numpy(dtype=float)
    most = max(1.0, float(np.nanmax(np.append(share, likely)))) * 1.12
    ax.set_xlim(0, most)
    at = np.arange(len(shown))
    late = shown["answer"].isin(["spent", "will be spent"]).to_numpy()
    for some, color in ((~late, BLUE), (late, VERMILLION)):
        ax.barh(at[some], share[some], height=0.62, color=color, alpha=0.75)
    ax.plot(likely, at, linestyle="none", marker="D", markersize=6, color=INK)
    ax.axvline(1, color=INK, linewidth=1.1, linestyle=(0, (6, 3)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value * 100:.0f} %")
    ax.set_xlabel("of the month's budget; diamond: median at the month's end", loc="left", fontsize=SMALL_SIZE)
    said = f"{late.sum()} of {len(frame)} budgets will not last" if len(frame) > 1 else _one(frame.iloc[0])
    return title(ax, said, f"Budgets of {window_words(month)} (UTC){left_out(len(shown), len(frame), 'budgets')}")


def _fan(ax: Axes, start: float, spent: float, end: float, projection: pd.Series) -> None:
    ax.plot([start, end], [spent, projection["median"]], color=BLUE, linestyle=(0, (5, 2)))
    for low, high, width in (("low95", "high95", 2.0), ("low80", "high80", 7.0)):
        ax.plot([end, end], [projection[low], projection[high]], color=BLUE, linewidth=width, clip_on=False)


def _message(projection: pd.Series, currency: str, *, known: bool) -> str:
    if not projection["days_left"]:
        return f"{money(projection['spent'], currency)} in the whole month"
    if not known:
        return f"{money(projection['spent'], currency)} so far; too little history to project the month"
    low, high = money(projection["low80"], currency), money(projection["high80"], currency)
    return f"{money(projection['median'], currency)} likely by the month's end, 80 % between {low} and {high}"


def _one(row: pd.Series) -> str:
    said = {"spent": "is spent", "will be spent": "will not last", "will last": "will last"}
    return (
        f"The budget of {shortened(str(row['tenant']), _NAME)} {said.get(str(row['answer']), 'is of unknown course')}"
    )
