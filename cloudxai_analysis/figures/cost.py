"""Figures of the costs: by week and month, who moved, and what an anomaly looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.course import Columns, Line, Part, Unsure, course
from cloudxai_analysis.figures.labels import change_of, shortened
from cloudxai_analysis.figures.lanes import bars
from cloudxai_analysis.figures.marks import left_out
from cloudxai_analysis.figures.style import HATCH, INK, VERMILLION, empty, styled, title
from cloudxai_analysis.figures.timeline import day_of, days
from cloudxai_analysis.ground.window import Window, week_of
from cloudxai_analysis.words.phrases import money, rise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE_NAME = 20
_MOVERS = 10


def cost_by_week(ax: Axes, weekly: pd.DataFrame, *, currency: str, partial: bool, change: float = np.nan) -> Axes:
    """Cost of each ISO week as columns; weeks without a cost and an unfinished one are hatched.

    `change` of the last week is a share of the one before, over the hours that were seen in both.
    """
    unit, known = _unit(currency), weekly[(weekly["currency"] == currency) & weekly["cost"].notna()]
    if known.empty:
        return empty(ax)
    starts = pd.date_range(known["start"].min(), known["start"].max(), freq="7D")
    cost = known.groupby("start")["cost"].sum().reindex(starts).to_numpy(dtype=float)
    place, whole, last = days(starts), len(cost) - partial, week_of(starts[-1].to_pydatetime()).name
    said = ["" if np.isnan(value) else money(value, "").strip() for value in cost]
    moved = f", {rise(change)} on the week before" if np.isfinite(change) else ""
    return course(
        ax,
        [
            Columns(place[:whole], cost[:whole], step=7, texts=said[:whole]),
            Columns(place[whole:], cost[whole:], step=7, texts=said[whole:], hatch=HATCH),
        ],
        title=f"{last} cost {money(float(cost[-1]), unit)}{' so far' if partial else moved}",
        subtitle=f"Cost by ISO week{_in(unit)}",
        more=_others(weekly, currency),
        unit=_plain,
    )


def month_course(ax: Axes, spent: pd.DataFrame, projection: pd.Series, *, month: Window, currency: str) -> Axes:
    """Cost since the month began, day by day, and where a row of `month_projection` ends."""
    if spent.empty:
        return empty(ax)
    ahead, known = bool(projection["days_left"]), np.isfinite(projection["median"])
    likely = {name: money(projection[name], currency) for name in ("spent", "median", "low80", "high80")}
    message = f"{likely['spent']} in the whole month"
    if ahead:
        message = f"{likely['spent']} so far; too little history to project the month"
    at, so_far, end = days(spent["day"]) + 1, spent["spent"].to_numpy(dtype=float), day_of(month.end)
    unsure = [(day, day + 1) for day in days(spent.loc[~spent["covered"], "day"])]
    line = Line(np.append(at[0] - 1, at), np.append(0.0, so_far), INK, f"{likely['spent']} spent", step=1.0)
    parts: list[Part] = [line, Unsure(unsure, "not covered")]
    if ahead and known:
        message = f"{likely['median']} likely by the month's end, 80 % between {likely['low80']} and {likely['high80']}"
        for low, high, width in (("low95", "high95", 2.0), ("low80", "high80", 7.0)):
            looks = {"linewidth": width, "clip_on": False}
            parts.append(Line(np.array([end, end]), projection[[low, high]].to_numpy(float), looks=looks))
        path, dashed = np.array([so_far[-1], projection["median"]]), {"linestyle": (0, (5, 2))}
        parts.append(Line(np.array([at[-1], end]), path, said=f"median {likely['median']}", step=np.inf, looks=dashed))
    return course(
        ax,
        parts,
        title=message,
        subtitle=f"Cost since the month began, {currency}",
        window=month,
        more="; thick 80 %, thin 95 %",
        unit="{:,.0f}".format,
    )


@styled
def movers(ax: Axes, moved: pd.DataFrame, *, period: str = "week") -> Axes:
    """The tenants whose cost moved most against the week, or other period, before, up to the right."""
    known = moved[moved["change"].notna()]
    if known.empty:
        return empty(ax)
    # Amounts of two currencies cannot be compared: the one most tenants have is drawn.
    currency = str(known["currency"].mode().iloc[0])
    ours = known[known["currency"] == currency].sort_values("change", key=abs, ascending=False, kind="stable")
    unit, shown = _unit(currency), ours.head(_MOVERS)

    def said(row: pd.Series) -> str:
        part = f", {rise(row['relative'], 0)}" if np.isfinite(row["relative"]) else ", there for a part"
        part = part if row["before"] else ", new"
        return f"{change_of(float(row['change']), unit)}{part if row['cost'] else ', gone'}"

    names, texts = shown["tenant"].astype(str).tolist(), [said(row) for _, row in shown.iterrows()]
    drawn = bars(ax, names, shown["change"].to_numpy(dtype=float), texts, color=VERMILLION)
    most = change_of(float(shown["change"].iloc[0]), unit)
    message = f"{shortened(names[0], _TITLE_NAME)} moved most: {most} against the {period} before"
    more = f"{left_out(drawn, len(ours), 'tenants')}{_others(known, currency)}"
    return title(ax, message, f"Change of cost, {unit}{more}")


def anomaly(ax: Axes, hourly: pd.DataFrame, found: pd.Series) -> Axes:
    """What one tenant cost by hour, beside what is expected; the stretch `found` is marked."""
    (start, end), unit = days([found["start"], found["end"]]).tolist(), _unit(str(found["currency"]))
    name = shortened(str(found["tenant"]), _TITLE_NAME) if found["tenant"] else "All but newcomers"

    x = days(hourly["hour"])
    cost, expected, high = (hourly[column].to_numpy(float) for column in ("cost", "expected", "high"))
    inside = (x >= start) & (x < end)
    return course(
        ax,
        [
            Line(x, cost, said="cost", gaps=True),
            Line(x, high, said="usual at most", looks={"linewidth": 0.8}),
            Line(x, expected, INK, "expected", looks={"linewidth": 1.2, "linestyle": (0, (3, 2))}),
            Line(x[inside], cost[inside], VERMILLION, looks={"linewidth": 3.2}),
        ],
        title=f"{name} cost {money(found['excess'], unit)} more than expected in {found['hours']:.0f} h",
        subtitle=f"Cost by hour{_in(unit)}",
        unit=_plain,
        events=[(start, ""), (end, f"{change_of(found['excess'], unit)} in {found['hours']:.0f} h")],
    )


def _unit(currency: str) -> str:
    return shortened(currency, 8) if currency else ""


def _in(unit: str) -> str:
    return f" in {unit}" if unit else ", no currency given"


def _plain(value: float) -> str:
    return f"{value:,.10g}".replace("-", "−")


def _others(frame: pd.DataFrame, currency: str) -> str:
    """The currencies that are not drawn."""
    others = sorted({_unit(str(other)) for other in frame["currency"] if other != currency})
    return f"; {', '.join(others[:3])} not drawn" if others else ""
