"""Figures of the costs: by week and month, who moved, and what an anomaly looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.course import Columns, Course, Line, Part, Unsure, course
from cloudxai_analysis.figures.labels import change_of, shortened
from cloudxai_analysis.figures.lanes import bars
from cloudxai_analysis.figures.marks import left_out
from cloudxai_analysis.figures.style import HATCH, INK, VERMILLION, empty, styled, title
from cloudxai_analysis.figures.timeline import day_of, days
from cloudxai_analysis.ground.window import Window, week_of
from cloudxai_analysis.words.phrases import money, percent, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNIT = 8  # characters of a currency
_TITLE_NAME = 20
_MOVERS = 10


def cost_by_week(ax: Axes, weekly: pd.DataFrame, *, currency: str, partial: bool, change: float = np.nan) -> Axes:
    """Cost of each ISO week as columns from zero; weeks without a cost are hatched, as is an unfinished last one.

    `weekly`: week, start, currency, cost, tenants; `change` of the last week as a share of the one
    before, like with like: two columns of which one was half seen are not compared.
    """
    unit = shortened(currency, _UNIT) if currency else ""
    known = weekly[(weekly["currency"] == currency) & weekly["cost"].notna()]
    if known.empty:
        return empty(ax)
    starts = pd.date_range(known["start"].min(), known["start"].max(), freq="7D")
    cost = known.groupby("start")["cost"].sum().reindex(starts).to_numpy(dtype=float)
    place, whole, last = days(starts), len(cost) - partial, week_of(starts[-1].to_pydatetime()).name
    said = ["" if np.isnan(value) else money(value, "").strip() for value in cost]
    moved = f", {_signed(change, 1)} on the week before" if np.isfinite(change) else ""
    parts = [
        Columns(place[own], cost[own], step=7, hatch=hatch, texts=said[own])
        for own, hatch in ((slice(whole), ""), (slice(whole, None), HATCH))
    ]
    spec = Course(
        title=lambda _: f"{last} cost {money(float(cost[-1]), unit)}{' so far' if partial else moved}",
        subtitle=f"Cost by ISO week{_in(unit)}",
        at="start",
        step=7,
        parts=lambda _: parts,
        unit=_plain,
        more=_others(weekly, currency),
    )
    return course(ax, known, spec)


def month_course(ax: Axes, spent: pd.DataFrame, projection: pd.Series, *, month: Window, currency: str) -> Axes:
    """Cost since the month began, by the end of each day, and the interval in which it is likely to end.

    `spent`: day, spent, covered; `projection`: one row of `month_projection`.
    """
    ahead, known, end = bool(projection["days_left"]), np.isfinite(projection["median"]), day_of(month.end)
    likely = {name: money(projection[name], currency) for name in ("spent", "median", "low80", "high80")}

    def message(_: pd.DataFrame) -> str:
        if not ahead:
            return f"{likely['spent']} in the whole month"
        if not known:
            return f"{likely['spent']} so far; too little history to project the month"
        return f"{likely['median']} likely by the month's end, 80 % between {likely['low80']} and {likely['high80']}"

    def parts(frame: pd.DataFrame) -> list[Part]:
        at, so_far = days(frame["day"]) + 1, frame["spent"].to_numpy(dtype=float)
        first = Line(np.append(at[0] - 1, at), np.append(0.0, so_far), INK, f"{likely['spent']} spent", step=1.0)
        unsure = Unsure([(day, day + 1) for day in days(frame.loc[~frame["covered"], "day"])], "not covered")
        if not (ahead and known):
            return [first, unsure]
        edges, path = np.array([end, end]), np.array([so_far[-1], projection["median"]])
        dashed, said = {"linestyle": (0, (5, 2))}, f"median {likely['median']}"
        return [
            *(first, unsure),
            Line(edges, projection[["low95", "high95"]].to_numpy(float), looks={"linewidth": 2.0, "clip_on": False}),
            Line(edges, projection[["low80", "high80"]].to_numpy(float), looks={"linewidth": 7.0, "clip_on": False}),
            Line(np.array([at[-1], end]), path, said=said, step=np.inf, looks=dashed),
        ]

    spec = Course(
        title=message,
        subtitle=f"Cost since the month began, {currency}",
        parts=parts,
        unit="{:,.0f}".format,
        window=month,
        more="; thick 80 %, thin 95 %",
    )
    return course(ax, spent, spec)


@styled
def movers(ax: Axes, moved: pd.DataFrame) -> Axes:
    """The tenants whose cost moved most against the week before, up to the right and down to the left.

    `moved`: tenant, currency, cost, before, change, relative (NaN where there is no cost before).
    """
    known = moved[moved["change"].notna()]
    if known.empty:
        return empty(ax)
    # Amounts of two currencies on one axis would compare what cannot be compared: the one most tenants have is drawn.
    currency = str(known["currency"].mode().iloc[0])
    ours, unit = known[known["currency"] == currency], shortened(currency, _UNIT) if currency else ""
    ours = ours.sort_values("change", key=abs, ascending=False, kind="stable")

    def said(row: pd.Series) -> str:
        change = change_of(float(row["change"]), unit)
        if row["cost"] == 0:
            return f"{change}, gone"
        if np.isnan(row["relative"]):
            return f"{change}, there for a part" if row["before"] else f"{change}, new"
        return f"{change}, {_signed(row['relative'])}"

    shown = ours.head(_MOVERS)
    names, texts = shown["tenant"].astype(str).tolist(), [said(row) for _, row in shown.iterrows()]
    drawn = bars(ax, names, shown["change"].to_numpy(dtype=float), texts, color=VERMILLION)
    most = change_of(float(shown["change"].iloc[0]), unit)
    message = f"{shortened(names[0], _TITLE_NAME)} moved most: {most} against the week before"
    out = left_out(drawn, len(ours), "tenants")
    return title(ax, message, f"Change of cost, {unit}{out}{_others(known, currency)}")


def anomaly(ax: Axes, hourly: pd.DataFrame, found: pd.Series) -> Axes:
    """What one tenant cost by hour, beside what its hour of the week lets expect; the anomalous stretch is marked.

    `hourly`: hour, cost, expected, high; `found`: tenant, currency, start, end, hours, excess.
    """
    currency, (start, end) = str(found["currency"]), days([found["start"], found["end"]])
    unit = shortened(currency, _UNIT) if currency else ""
    name = shortened(str(found["tenant"]), _TITLE_NAME) if found["tenant"] else "All tenants together"

    def parts(frame: pd.DataFrame) -> list[Part]:
        x = days(frame["hour"])
        cost, expected, high = (frame[column].to_numpy(float) for column in ("cost", "expected", "high"))
        inside = (x >= start) & (x < end)
        return [
            Line(x, cost, said="cost", gaps=True),
            Line(x, high, said="usual at most", looks={"linewidth": 0.8}),
            Line(x, expected, INK, "expected", looks={"linewidth": 1.2, "linestyle": (0, (3, 2))}),
            Line(x[inside], cost[inside], VERMILLION, looks={"linewidth": 3.2}),
        ]

    spec = Course(
        title=lambda _: f"{name} cost {money(found['excess'], unit)} more than expected in {found['hours']:.0f} h",
        subtitle=f"Cost by hour{_in(unit)}",
        parts=parts,
        unit=_plain,
        events=[(float(start), ""), (float(end), f"{change_of(found['excess'], unit)} in {found['hours']:.0f} h")],
    )
    return course(ax, hourly if hourly["cost"].notna().any() else hourly[:0], spec)


def _in(unit: str) -> str:
    return f" in {unit}" if unit else ", no currency given"


def _plain(value: float) -> str:
    return f"{value:,.10g}".replace("-", "−")


def _signed(share: float, digits: int = 0) -> str:
    return signed(percent(share, digits), share).replace("-", "−")


def _others(frame: pd.DataFrame, currency: str) -> str:
    """The currencies that are not drawn."""
    others = sorted({shortened(str(other), _UNIT) for other in frame["currency"] if other != currency})
    return f"; {', '.join(others[:3])} not drawn" if others else ""
