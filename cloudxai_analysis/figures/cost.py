"""Figures of the costs: by week, month and tenant, who moved, what an anomaly looks like, and the gauge itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.bars import Bars, Layer, bars, named
from cloudxai_analysis.figures.course import Columns, Course, Line, Part, Unsure, course
from cloudxai_analysis.figures.labels import change_of, shortened
from cloudxai_analysis.figures.marks import End
from cloudxai_analysis.figures.style import BLUE, HATCH, INK, VERMILLION, empty
from cloudxai_analysis.figures.timeline import day_of, days
from cloudxai_analysis.ground.window import Window, week_of
from cloudxai_analysis.words.phrases import money, percent, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNIT = 8  # characters of a currency
_NAME = 24  # characters of a tenant's name
_TITLE_NAME = 20


def cost_by_week(ax: Axes, weekly: pd.DataFrame, *, currency: str, partial: bool, change: float = np.nan) -> Axes:
    """Cost of each ISO week as columns from zero; weeks without a cost are hatched, as is an unfinished last one.

    `weekly`: week, start, currency, cost, tenants; `change` of the last week as a share of the one before, like with
    like: two columns of which one was half seen are not compared.
    """
    unit = _unit(currency)
    known = weekly[(weekly["currency"] == currency) & weekly["cost"].notna()]
    if known.empty:
        return empty(ax)
    starts = pd.date_range(known["start"].min(), known["start"].max(), freq="7D")
    cost = known.groupby("start")["cost"].sum().reindex(starts).to_numpy(dtype=float)
    names = [week_of(start.to_pydatetime()).name for start in starts]
    place, whole = np.arange(len(cost), dtype=np.float64) - 0.5, len(cost) - partial
    said = [["" if np.isnan(value) else money(value, told).strip() for value in cost] for told in (unit, "")]
    last = f"{names[-1]} cost {money(float(cost[-1]), unit)}"
    moved = f", {_signed(change, 1)} on the week before" if np.isfinite(change) else ""

    def weeks(own: slice, hatch: str) -> Columns:
        return Columns(place[own], cost[own], 1.0, hatch=hatch, air=0.24, texts=[texts[own] for texts in said])

    spec = Course(
        title=lambda _: f"{last} so far" if partial else f"{last}{moved}",
        subtitle=f"Cost by ISO week{_in(unit)}",
        parts=lambda _: [weeks(slice(whole), ""), *([weeks(slice(whole, None), HATCH)] if partial else [])],
        unit=_plain,
        weeks=names,
        more=_others(weekly, currency),
    )
    return course(ax, known, spec)


def month_course(ax: Axes, spent: pd.DataFrame, projection: pd.Series, *, month: Window, currency: str) -> Axes:
    """Cost since the month began, by the end of each day, and the interval in which it is likely to end.

    `spent`: day, spent, covered; `projection`: one row of `month_projection`.
    """
    ahead, end = bool(projection["days_left"]), day_of(month.end)
    likely = {name: money(projection[name], currency) for name in ("spent", "median", "low80", "high80")}

    def message(_: pd.DataFrame) -> str:
        if not ahead:
            return f"{likely['spent']} in the whole month"
        if not np.isfinite(projection["median"]):
            return f"{likely['spent']} so far; too little history to project the month"
        return f"{likely['median']} likely by the month's end, 80 % between {likely['low80']} and {likely['high80']}"

    def parts(frame: pd.DataFrame) -> list[Part]:
        at, so_far = days(frame["day"]) + 1, frame["spent"].to_numpy(dtype=float)
        first = Line(np.append(at[0] - 1, at), np.append(0.0, so_far), INK, f"{likely['spent']} spent", step=1.0)
        unsure = Unsure([(day, day + 1) for day in days(frame.loc[~frame["covered"], "day"])], "not covered")
        if not (ahead and np.isfinite(projection["median"])):
            return [first, unsure]
        lines = [
            Line(
                np.array([end, end]),
                projection[[low, high]].to_numpy(dtype=float),
                looks={"linewidth": width, "clip_on": False},
            )
            for low, high, width in (("low95", "high95", 2.0), ("low80", "high80", 7.0))
        ]
        path, dashed = np.array([so_far[-1], projection["median"]]), {"linestyle": (0, (5, 2))}
        said = f"median {likely['median']}"
        return [first, unsure, *lines, Line(np.array([at[-1], end]), path, said=said, step=np.inf, looks=dashed)]

    spec = Course(
        title=message,
        subtitle=f"Cost since the month began, {currency}",
        parts=parts,
        unit="{:,.0f}".format,
        window=month,
        more="; thick 80 %, thin 95 %",
    )
    return course(ax, spent, spec)


def top_tenants(ax: Axes, costs: pd.DataFrame, *, currency: str) -> Axes:
    """The tenants that cost most, each with its cost and its share of all.

    `costs`: tenant, currency, cost.
    """
    known, unit = costs[(costs["currency"] == currency) & costs["cost"].notna()], _unit(currency)
    total = float(known["cost"].sum())

    def amount(row: pd.Series) -> str:
        share = f", {percent(row['cost'] / total, 0)}" if total > 0 else ""
        return f"{money(row['cost'], unit)}{share}"

    spec = Bars(
        title=lambda frame: (
            f"{shortened(str(frame['tenant'].iloc[0]), _TITLE_NAME)} costs most: {amount(frame.iloc[0])} of all"
        ),
        subtitle=f"Cost by tenant in the window, {unit}",
        names=named("tenant"),
        layers=[Layer(lambda frame: frame["cost"], hatch=None)],
        said=amount,
        noun="tenants",
        most=10,
        more=_others(costs, currency),
    )
    return bars(ax, known.sort_values("cost", ascending=False, kind="stable"), spec)


def cost_per_tenant(ax: Axes, per_tenant: pd.DataFrame, *, currency: str) -> Axes:
    """What a tenant cost on average on each day.

    `per_tenant`: day, currency, cost, tenants, cost_per_tenant.
    """
    own, unit = per_tenant[per_tenant["currency"] == currency].sort_values("day"), _unit(currency)

    def message(frame: pd.DataFrame) -> str:
        cost = frame["cost_per_tenant"].dropna()
        first, last = cost.iloc[0], cost.iloc[-1]
        moved = f", {_signed(last / first - 1)} since the first day" if len(cost) > 1 and first > 0 else ""
        return f"A tenant costs {money(last, unit)} a day{moved}"

    spec = Course(
        at="day",
        value="cost_per_tenant",
        step=1.0,
        title=message,
        subtitle=f"Mean cost per active tenant and day, {unit}",
        end=lambda last: money(last, unit),
        unit=_plain,
    )
    return course(ax, own, spec)


def movers(ax: Axes, moved: pd.DataFrame) -> Axes:
    """The tenants whose cost moved most against the week before, up to the right and down to the left.

    `moved`: tenant, currency, cost, before, change, relative (NaN where there is no cost before).
    """
    known = moved[moved["change"].notna()]
    if known.empty:
        return empty(ax)
    # Amounts of two currencies on one axis would compare what cannot be compared: the one most tenants have is drawn.
    currency = str(known["currency"].mode().iloc[0])
    ours, unit = known[known["currency"] == currency], _unit(currency)

    def said(row: pd.Series) -> str:
        change = change_of(float(row["change"]), unit)
        if row["cost"] == 0:
            return f"{change}, gone"
        if np.isnan(row["relative"]):
            return f"{change}, there for a part" if row["before"] else f"{change}, new"
        return f"{change}, {_signed(row['relative'])}"

    def message(frame: pd.DataFrame) -> str:
        name, change = frame.iloc[0][["tenant", "change"]]
        return f"{shortened(str(name), _TITLE_NAME)} moved most: {change_of(change, unit)} against the week before"

    spec = Bars(
        title=message,
        subtitle=f"Change of cost, {unit}",
        names=named("tenant"),
        layers=[
            Layer(lambda frame: frame["change"].clip(lower=0), VERMILLION),
            Layer(lambda frame: frame["change"].clip(upper=0), hatch=HATCH),
        ],
        said=said,
        noun="tenants",
        most=10,
        more=_others(known, currency),
    )
    return bars(ax, ours.loc[ours["change"].abs().sort_values(ascending=False, kind="stable").index], spec)


def anomaly(ax: Axes, hourly: pd.DataFrame, found: pd.Series) -> Axes:
    """What one tenant cost by hour, beside what its hour of the week lets expect; the anomalous stretch is marked.

    `hourly`: hour, cost, expected, low, high; `found`: tenant, currency, start, end, hours, excess.
    """
    unit, (start, end) = _unit(str(found["currency"])), days([found["start"], found["end"]])
    name = shortened(str(found["tenant"]), _TITLE_NAME) or "All tenants together"

    def parts(frame: pd.DataFrame) -> list[Part]:
        x = days(frame["hour"])
        cost, expected, low, high = (frame[column].to_numpy(float) for column in ("cost", "expected", "low", "high"))
        inside = (x >= start) & (x < end)
        dashed = {"linewidth": 1.2, "linestyle": (0, (3, 2))}
        return [
            Line(x, cost, said="cost", gaps=True),
            Line(x, high, foot=low),
            Line(x, expected, INK, "expected", looks=dashed),
            Line(x[inside], cost[inside], VERMILLION, looks={"linewidth": 3.2}),
        ]

    excess = found["excess"]
    spec = Course(
        title=lambda _: f"{name} cost {money(excess, unit)} more than expected in {found['hours']:.0f} h",
        subtitle=f"Cost by hour{_in(unit)}",
        parts=parts,
        ends=[End(float(high), "usual range", BLUE) for high in hourly["high"].tail(1)],
        unit=_plain,
        events=[(float(start), ""), (float(end), f"{change_of(excess, unit)} in {found['hours']:.0f} h")],
    )
    return course(ax, hourly if hourly["cost"].notna().any() else hourly[:0], spec)


def gauge_course(
    ax: Axes, hours: pd.DataFrame, *, tenant: str, unit: str, marked: tuple[datetime, datetime], message: str
) -> Axes:
    """One tenant's gauge by hour, from least to greatest, with the stretch that a finding speaks of shaded.

    `hours`: tenant, hour, last, min, max, of the gauge.
    """
    own = hours[(hours["tenant"].astype(str) == tenant) & (hours["samples"] > 0)].sort_values("hour")
    own = own.groupby("hour")[["last", "min", "max"]].sum(min_count=1).reset_index()
    own = own[np.isfinite(own["last"].to_numpy(dtype=float))]
    spec = Course(
        value="last",
        title=lambda _: message,
        subtitle=f"Last value of each hour, {unit}",
        parts=lambda frame: [
            Line(days(frame["hour"]), frame["max"].to_numpy(float), foot=frame["min"].to_numpy(float))
        ],
        shaded=[(day_of(marked[0]), day_of(marked[1]))],
        more="; shaded: what the finding speaks of",
    )
    return course(ax, own, spec)


def _unit(currency: str) -> str:
    return shortened(currency, _UNIT) if currency else ""


def _in(unit: str) -> str:
    return f" in {unit}" if unit else ", no currency given"


def _plain(value: float) -> str:
    return f"{value:,.10g}".replace("-", "−")


def _signed(share: float, digits: int = 0) -> str:
    return signed(percent(share, digits), share).replace("-", "−")


def _others(frame: pd.DataFrame, currency: str) -> str:
    """The currencies that are not drawn."""
    others = sorted({str(other) for other in frame["currency"]} - {currency})
    return f"; {', '.join(_unit(name) or 'no currency' for name in others[:3])} not drawn" if others else ""
