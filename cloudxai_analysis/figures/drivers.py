"""Figures of what drives the cardinality: series by metric, and how long tenants stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.lines import draw_line
from cloudxai_analysis.figures.marks import End, Entry, end_labels, end_room, event_lines, key, lanes, lanes_that_fit
from cloudxai_analysis.figures.shapes import rectangles, texts_at_ends, tinted, value_ticks
from cloudxai_analysis.figures.style import BLUE, INK, KEY_TOP, VERMILLION, empty, margins, styled, title
from cloudxai_analysis.figures.timeline import day_words, days, frame_words, time_axis
from cloudxai_analysis.words.phrases import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = 34  # characters of a metric's name in its lane
_MOST = 20
_DAY = pd.Timedelta(days=1).to_pytimedelta()


@styled
def series_by_metric(ax: Axes, frame: pd.DataFrame) -> Axes:
    """Series of each metric as bars, of which the hatched part came in the window; the rest below as one bar.

    `frame`: metric, series, newcomers, leavers, as `measures.drivers.series_by_metric` gives it.
    """
    if frame.empty:
        return empty(ax, "no series was seen in this window")
    fit = min(_MOST, lanes_that_fit(ax, top=KEY_TOP, bottom=14))
    shown, rest = (frame, frame[:0]) if len(frame) <= fit else (frame.head(fit - 1), frame.iloc[fit - 1 :])
    names = [shortened(str(name), _NAME) for name in shown["metric"]]
    series, new = shown["series"].to_numpy(dtype=float), shown["newcomers"].to_numpy(dtype=float)
    if len(rest):
        names = [*names, f"{len(rest)} other metrics"]
        series, new = np.append(series, rest["series"].sum()), np.append(new, rest["newcomers"].sum())
    lanes(ax, names, top=KEY_TOP, bottom=14)
    texts_at_ends(ax, series, [f"{all_:,.0f}, {came:,.0f} new" for all_, came in zip(series, new, strict=True)])
    place = np.arange(len(names), dtype=float)
    tinted(ax, 0.0, place - 0.34, series, 0.68, color=BLUE)
    tinted(ax, 0.0, place - 0.34, np.minimum(new, series), 0.68, color=BLUE, hatch="//////")
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    key(
        ax, [Entry("series seen in the window", {"marker": "s", "color": BLUE}), Entry("hatched: first seen in it", {})]
    )
    total, top = frame["series"].sum(), frame.iloc[0]
    message = f"{count(total, 'series', 'series')}, {percent(top['series'] / total, 0)} of them {top['metric']}"
    return title(ax, message, "Series of the contract's metrics; one is one label set of one metric")


@styled
def survival(ax: Axes, frame: pd.DataFrame) -> Axes:
    """Share of tenants that stay longer than so many days, with its 95 % interval.

    `frame`: days, at_risk, survival, low, high, as `measures.cohorts.tenant_survival` gives it.
    """
    if frame.empty:
        return empty(ax, "no tenant has left that was seen to come")
    end = float(frame["days"].iloc[-1])
    last = frame.iloc[-1]
    ends = [End(float(last["survival"]), f"{percent(last['survival'], 0)} stay", BLUE)]
    ax.set_ylim(0, 1.05)
    margins(ax, left=value_ticks(ax, lambda share: f"{share * 100:.0f} %"), right=end_room(ends))
    ax.set_xlim(0, max(end * 1.04, 1.0))
    ax.set_xlabel("days since a tenant was first seen", loc="left")
    x = np.append(np.append(0.0, frame["days"]), ax.get_xlim()[1])
    low, high, line = (np.append(1.0, frame[name].to_numpy(dtype=float)) for name in ("low", "high", "survival"))
    ax.fill_between(
        x, np.append(low, low[-1]), np.append(high, high[-1]), step="post", color=BLUE, alpha=0.2, linewidth=0
    )
    ax.step(x, np.append(line, line[-1]), where="post", color=BLUE)
    end_labels(ax, ends)
    half = frame[frame["survival"] <= 0.5]
    said = f"half of them are gone after {half['days'].iloc[0]:.1f} days" if len(half) else "over half of them stay"
    most = int(frame["at_risk"].max())
    return title(ax, f"Of the tenants that came, {said}", f"Kaplan-Meier over {count(most, 'tenant')}, 95 % interval")


@styled
def level_shifts(ax: Axes, daily: pd.DataFrame, value: str, shifts: pd.DataFrame, *, noun: str) -> Axes:
    """A daily number with its levels, and the days on which they change.

    `daily`: day and the column `value`; `shifts` as `measures.shifts.level_shifts` gives them; `noun` names the number.
    """
    known = daily[daily[value].notna()]
    if known.empty:
        return empty(ax, f"no day's {noun} are known")
    x, y = days(daily["day"]), daily[value].to_numpy(dtype=float)
    starts = [float(known["day"].map(lambda day: days([day])[0]).iloc[0]), *days(shifts["day"])]
    levels = [*shifts["before"].head(1), *shifts["after"]] if len(shifts) else [float(known[value].mean())]
    ends = [End(float(levels[-1]), f"level {levels[-1]:,.0f}", VERMILLION)]
    ax.set_ylim(0, 1.15 * max(float(np.nanmax(y)), 1.0))
    margins(ax, left=value_ticks(ax, "{:,.0f}".format), right=end_room(ends))
    time_axis(ax, float(x.min()), float(x.max()) + 1)
    rectangles(ax, x + 0.15, 0.0, 0.7, y, facecolor=BLUE, edgecolor="none", alpha=0.45)
    for begin, end, level in zip(starts, [*starts[1:], float(x.max()) + 1], levels, strict=True):
        draw_line(ax, np.array([begin, end]), np.array([level, level]), step=end - begin, color=VERMILLION)
    event_lines(
        ax, [(float(days([row.day])[0]), f"{row.before:,.0f} to {row.after:,.0f}") for row in shifts.itertuples()]
    )
    ax.axhline(0, color=INK, linewidth=0.8)
    end_labels(ax, ends)
    if shifts.empty:
        message = f"No lasting change of the {noun}"
    else:
        last = shifts.iloc[-1]
        message = (
            f"{noun.capitalize()} went from {last['before']:,.0f} to {last['after']:,.0f} on {day_words(last['day'])}"
        )
    return title(
        ax, message, f"{noun.capitalize()} by day and their levels, {frame_words(daily['day'], step=_DAY)} (UTC)"
    )
