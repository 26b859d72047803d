"""Figures of the costs: by week and tenant, who moved, and what an anomaly looks like."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.lines import draw_band, draw_line, hatch_unknown
from cloudxai_analysis.figures.marks import End, end_labels, end_room, lanes, lanes_that_fit
from cloudxai_analysis.figures.shapes import hatched, rectangles, texts_at_ends, tinted, value_ticks
from cloudxai_analysis.figures.style import (
    BLUE,
    HATCH,
    INK,
    SMALL_SIZE,
    VERMILLION,
    axes_size,
    empty,
    margins,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import HOUR, days, frame_words, time_axis
from cloudxai_analysis.figures.weeks import week_axis
from cloudxai_analysis.figures.words import change_of
from cloudxai_analysis.ground.window import week_of
from cloudxai_analysis.words.phrases import count, money, percent, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_DAY_LENGTH = 24 * HOUR
_WEEK = timedelta(weeks=1)
_FOOT = 14.0  # points below bars that need no axis
_UNIT = 8  # characters of a currency
_TITLE_NAME = 20  # characters of a tenant in a title


@styled
def cost_by_week(ax: Axes, weekly: pd.DataFrame, *, currency: str, partial: bool, change: float = np.nan) -> Axes:
    """Cost of each ISO week as bars from zero; weeks without a cost are hatched, as is an unfinished last one.

    `weekly`: week, start, currency, cost, tenants; `change` of the last week as a share of the one before, like with
    like: two bars of which one was half seen are not compared.
    """
    known, unit = (
        weekly[(weekly["currency"] == currency) & weekly["cost"].notna()].sort_values("start"),
        _unit(currency),
    )
    if known.empty:
        return empty(ax, f"no cost{_in(unit)} in these weeks")
    starts = pd.date_range(known["start"].min(), known["start"].max(), freq="7D")
    cost = known.groupby("start")["cost"].sum().reindex(starts).to_numpy(dtype=float)
    names = [week_of(start.to_pydatetime()).name for start in starts]
    x, there, top = np.arange(len(cost), dtype=float), np.isfinite(cost), 1.18 * max(float(np.nanmax(cost)), 1e-9)
    ax.set_ylim(min(0.0, 1.1 * float(np.nanmin(cost))), top)
    margins(ax, left=value_ticks(ax, _plain))
    week_axis(ax, names)
    whole = there & ~((x == len(cost) - 1) & partial)
    tinted(ax, x[whole] - 0.38, 0.0, 0.76, cost[whole], color=BLUE)
    unfinished = there & ~whole
    tinted(ax, x[unfinished] - 0.38, 0.0, 0.76, cost[unfinished], color=BLUE, hatch=HATCH)
    hatched(ax, x[~there] - 0.38, 0.12 * top, 0.76, np.full(int((~there).sum()), 0.88 * top))
    _say_weeks(ax, cost, unit, partial=partial, top=top)
    detail = f"Cost by ISO week{_in(unit)}, {names[0]} to {names[-1]} (UTC)"
    others = sorted({str(other) for other in weekly["currency"]} - {currency})
    return title(ax, _week_message(names, cost, unit, partial=partial, change=change), detail + _others(others))


@styled
def top_tenants(ax: Axes, costs: pd.DataFrame, *, currency: str, top: int = 10) -> Axes:
    """The tenants that cost most, each with its cost and its share of all.

    `costs`: tenant, currency, cost.
    """
    known = costs[(costs["currency"] == currency) & costs["cost"].notna()]
    known, unit = known.sort_values("cost", ascending=False, kind="stable"), _unit(currency)
    if known.empty:
        return empty(ax, f"no tenant cost anything{_in(unit)} in this window")
    total = float(known["cost"].sum())
    shown = known.head(min(top, lanes_that_fit(ax, bottom=_FOOT)))
    values = shown["cost"].to_numpy(dtype=float)
    lanes(ax, [shortened(str(name)) for name in shown["tenant"]], bottom=_FOOT)
    texts_at_ends(ax, values, [_amount(value, total, unit) for value in values])
    rectangles(ax, 0.0, np.arange(len(values)) - 0.34, values, 0.68, facecolor=BLUE, edgecolor="none")
    _zero(ax)
    ax.set_xticks([])
    first = shortened(str(shown["tenant"].iloc[0]), _TITLE_NAME)
    message = f"{first} costs most: {_amount(float(values[0]), total, unit)} of all"
    rest = len(known) - len(shown)
    further = f"; {count(rest, 'other')} cost {money(total - float(values.sum()), unit)}" if rest else ""
    others = sorted({str(other) for other in costs["currency"]} - {currency})
    return title(ax, message, f"Cost by tenant in the window, {unit}{further}{_others(others)}")


@styled
def cost_per_tenant(ax: Axes, per_tenant: pd.DataFrame, *, currency: str) -> Axes:
    """What a tenant cost on average on each day.

    `per_tenant`: day, currency, cost, tenants, cost_per_tenant.
    """
    known, unit = per_tenant[per_tenant["currency"] == currency].sort_values("day"), _unit(currency)
    x, y = days(known["day"]), known["cost_per_tenant"].to_numpy(dtype=float)
    sure = y[np.isfinite(y)]
    if not len(sure):
        return empty(ax, f"no tenant cost anything{_in(unit)} in these days, or none of them is covered")
    ends = [End(float(sure[-1]), money(float(sure[-1]), unit), BLUE)]
    ax.set_ylim(min(0.0, 1.1 * float(np.nanmin(y))), 1.2 * max(float(np.nanmax(y)), 1e-9))
    margins(ax, left=value_ticks(ax, _plain), right=end_room(ends))
    time_axis(ax, float(x.min()), float(x.max()) + _DAY_LENGTH)
    draw_line(ax, x, y, step=_DAY_LENGTH, color=BLUE)
    hatch_unknown(ax, x, y, step=_DAY_LENGTH)
    end_labels(ax, ends)
    change = float(sure[-1] / sure[0] - 1) if len(sure) > 1 and sure[0] > 0 else float("nan")
    moved = f", {signed(percent(change, 0), change)} since the first day" if np.isfinite(change) else ""
    message = f"A tenant costs {money(float(sure[-1]), unit)} a day{moved}"
    return title(
        ax, message, f"Mean cost per active tenant and day, {unit}, {frame_words(known['day'], step=_DAY)} (UTC)"
    )


@styled
def movers(ax: Axes, movers: pd.DataFrame, *, top: int = 10) -> Axes:
    """The tenants whose cost moved most against the week before, up to the right and down to the left.

    `movers`: tenant, currency, cost, before, change, relative (NaN where there is no cost before).
    """
    known = movers[movers["change"].notna()]
    if known.empty:
        return empty(ax, "no tenant can be compared with the week before")
    # Amounts of two currencies on one axis would compare what cannot be compared: the one most tenants have is drawn.
    currency = str(known["currency"].mode().iloc[0])
    ours, unit = known[known["currency"] == currency], _unit(currency)
    order = ours["change"].abs().sort_values(ascending=False, kind="stable").index
    shown = ours.loc[order].head(min(top, lanes_that_fit(ax, bottom=_FOOT)))
    values = shown["change"].to_numpy(dtype=float)
    lanes(ax, [shortened(str(name)) for name in shown["tenant"]], bottom=_FOOT)
    texts_at_ends(ax, values, [_change(row, unit) for _, row in shown.iterrows()])
    place = np.arange(len(values), dtype=float)
    for some, color, hatch in ((values >= 0, VERMILLION, ""), (values < 0, BLUE, HATCH)):
        tinted(ax, 0.0, place[some] - 0.34, values[some], 0.68, color=color, hatch=hatch)
    _zero(ax)
    ax.set_xticks([])
    first = shortened(str(shown["tenant"].iloc[0]), _TITLE_NAME)
    message = f"{first} moved most: {change_of(float(values[0]), unit)} against the week before"
    others = sorted({str(other) for other in known["currency"]} - {currency})
    detail = f"Change of cost, {unit}, {len(shown)} of {count(len(ours), 'tenant')}{_others(others)}"
    return title(ax, message, detail)


@styled
def anomaly(ax: Axes, hourly: pd.DataFrame, anomaly: pd.Series) -> Axes:
    """What one tenant cost by hour, beside what its hour of the week lets expect; the anomalous stretch is marked.

    `hourly`: hour, cost, expected, low, high; `anomaly`: tenant, currency, start, end, hours, excess.
    """
    if hourly.empty or hourly["cost"].isna().all():
        return empty(ax, "no hour of this tenant can be compared with its history")
    unit = _unit(str(anomaly["currency"]))
    x, cost = days(hourly["hour"]), hourly["cost"].to_numpy(dtype=float)
    expected = hourly["expected"].to_numpy(dtype=float)
    ends = [
        End(float(cost[-1]), "cost", BLUE),
        End(float(expected[-1]), "expected"),
        End(float(hourly["high"].iloc[-1]), "usual range", BLUE),
    ]
    ax.set_ylim(0, 1.22 * max(float(np.nanmax([cost, hourly["high"].to_numpy(dtype=float)])), 1e-9))
    margins(ax, left=value_ticks(ax, _plain), right=end_room(ends))
    time_axis(ax, float(x.min()), float(x.max()) + HOUR)
    low, high = hourly["low"].to_numpy(dtype=float), hourly["high"].to_numpy(dtype=float)
    draw_band(ax, x, low, high, facecolor=BLUE, alpha=0.28, linewidth=0)
    draw_line(ax, x, expected, color=INK, linewidth=1.2, linestyle=(0, (3, 2)))
    draw_line(ax, x, cost, color=BLUE)
    hatch_unknown(ax, x, cost)
    start, end = days([anomaly["start"], anomaly["end"]])
    inside = (x >= start) & (x < end)
    draw_line(ax, x[inside], cost[inside], color=VERMILLION, linewidth=3.2)
    _say_excess(ax, float(start), float(end), f"{change_of(anomaly['excess'], unit)} in {anomaly['hours']:.0f} h")
    end_labels(ax, ends)
    name = shortened(str(anomaly["tenant"]), _TITLE_NAME) or "All tenants together"
    message = f"{name} cost {money(anomaly['excess'], unit)} more than expected in {anomaly['hours']:.0f} h"
    return title(ax, message, f"Cost by hour{_in(unit)}, {frame_words(hourly['hour'], step=_HOUR)} (UTC)")


def _unit(currency: str) -> str:
    return shortened(currency, _UNIT) if currency else ""


def _in(unit: str) -> str:
    return f" in {unit}" if unit else ", no currency given"


def _plain(value: float) -> str:
    return f"{value:,.10g}".replace("-", "−")


def _others(currencies: list[str]) -> str:
    return f"; {', '.join(_unit(name) or 'no currency' for name in currencies[:3])} not drawn" if currencies else ""


def _amount(value: float, total: float, currency: str) -> str:
    return f"{money(value, currency)}, {percent(value / total, 0)}" if total > 0 else money(value, currency)


def _change(row: pd.Series, currency: str) -> str:
    change = change_of(float(row["change"]), currency)
    if row["cost"] == 0:
        return f"{change}, gone"
    if np.isnan(row["relative"]):
        return f"{change}, there for a part" if row["before"] else f"{change}, new"
    return f"{change}, {signed(percent(row['relative'], 0), row['relative'])}".replace("-", "−")


def _zero(ax: Axes) -> None:
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.spines["bottom"].set_visible(False)


def _week_message(names: list[str], cost: np.ndarray, currency: str, *, partial: bool, change: float) -> str:
    said = f"{names[-1]} cost {money(float(cost[-1]), currency)}"
    if partial:
        return f"{said} so far"
    if not np.isfinite(change):
        return said
    return f"{said}, {signed(percent(change), change).replace('-', '−')} on the week before"


def _say_weeks(ax: Axes, cost: np.ndarray, currency: str, *, partial: bool, top: float) -> None:
    room = axes_size(ax)[0] / (len(cost) + 0.2)
    if room < 34:
        return  # The bars are narrower than a number; the table has them.
    for place, value in enumerate(cost):
        last = place == len(cost) - 1
        text = "no data" if np.isnan(value) else money(value, currency if room > 66 else "").strip()
        if last and partial:
            text = f"{text} so far" if room > 100 else "so far"
        height = max(0.0 if np.isnan(value) else value, 0.0)
        ax.text(place, height + 0.02 * top, text, ha="center", fontsize=SMALL_SIZE, gid="value")


def _say_excess(ax: Axes, start: float, end: float, text: str) -> None:
    transform = ax.get_xaxis_transform()
    left, right = ax.get_xlim()
    ax.vlines([start, end], 0, 1, transform=transform, color=INK, linestyle=(0, (1, 2)), linewidth=1.1)
    beyond = end > left + 0.7 * (right - left)
    side = -1 if beyond else 1
    ax.text(
        (start if beyond else end) + side * 0.008 * (right - left),
        1.0,
        text,
        transform=transform,
        ha="right" if beyond else "left",
        va="top",
        fontsize=SMALL_SIZE,
    )
