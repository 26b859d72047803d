"""Figures of readiness: availability, error budget, transitions, the check's latency, tenants that were not ready."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.lines import draw_line, hatch, hatch_unknown
from cloudxai_analysis.figures.marks import (
    End,
    bound_line,
    end_labels,
    end_room,
    lane_of,
    lanes,
    lanes_that_fit,
    left_out,
)
from cloudxai_analysis.figures.shapes import columns, rectangles, value_ticks, wide_enough
from cloudxai_analysis.figures.style import (
    BLUE,
    INK,
    SMALL_SIZE,
    VERMILLION,
    axes_size,
    empty,
    margins,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import (
    HOUR,
    Floats,
    day_of,
    days,
    frame_words,
    span_words,
    time_axis,
    window_words,
)
from cloudxai_analysis.figures.words import duration, opening, share_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_ENOUGH = 0.9  # of the most time that any row rests on


@styled
def availability_by_day(ax: Axes, daily: pd.DataFrame, *, slo: float) -> Axes:
    """Availability of each day as a stem that hangs from 100 %; days that are unknown or unfinished are hatched.

    `daily`: day, seen_minutes, availability.
    """
    if daily.empty or daily["availability"].isna().all():
        return empty(ax, "no process exported readiness in this window")
    x, y = days(daily["day"]), daily["availability"].to_numpy(dtype=float)
    known = np.isfinite(y)
    lowest = min(float(y[known].min()), slo)
    room = max(1 - lowest, 1e-5)
    ends = [End(slo, f"objective {share_words(slo)}")]
    ax.set_ylim(lowest - 0.3 * room, 1 + 0.08 * room)
    margins(ax, left=value_ticks(ax, share_words), right=end_room(ends))
    time_axis(ax, float(x.min()), float(x.max()) + 1, centred=True)
    bound_line(ax, slo)
    ax.axhline(1, color=INK, linewidth=0.8)
    _hatch_days(ax, x, known, daily["seen_minutes"].to_numpy(dtype=float))
    for some, color, marker in ((known & (y >= slo), BLUE, "o"), (known & (y < slo), VERMILLION, "X")):
        ax.vlines(x[some] + 0.5, y[some], 1, color=color, linewidth=3)
        ax.plot(x[some] + 0.5, y[some], linestyle="none", marker=marker, markersize=8, color=color)
    _say_days(ax, x[known & (y < 1)], y[known & (y < 1)])
    end_labels(ax, ends)
    detail = f"Share of the time seen that was ready, by day, {frame_words(daily['day'], step=_DAY)} (UTC)"
    return title(ax, _availability_message(y[known], slo), detail)


@styled
def error_budget(ax: Axes, rolling: pd.DataFrame, *, slo: float, window_days: float) -> Axes:
    """What is left of the budget of `window_days` at each day's end; rows with a shorter history are hatched.

    `rolling`: day (end of the stretch), availability, seen_minutes.
    """
    if rolling.empty or rolling["availability"].isna().all():
        return empty(ax, "no availability is known for any of these days")
    if slo >= 1:
        return empty(ax, "an objective of 100 % leaves no error budget")
    x = days(rolling["day"])
    seen = rolling["seen_minutes"].to_numpy(dtype=float)
    y = 1 - (1 - rolling["availability"].to_numpy(dtype=float)) * seen / ((1 - slo) * window_days * 1440)
    last = float(y[np.isfinite(y)][-1])
    left = f"{percent(last, 0)} left" if last >= 0 else f"{percent(-last, 0)} over"
    ends = [End(0.0, "used up"), End(last, left, BLUE)]
    low = min(0.0, float(np.nanmin(y)))
    ax.set_ylim(1.15 * low if low < 0 else 0.0, 1.16)
    margins(ax, left=value_ticks(ax, lambda share: f"{share * 100:.0f} %".replace("-", "−")), right=end_room(ends))
    time_axis(ax, float(x.min()) - 0.5, float(x.max()) + 0.5)
    short = seen < _ENOUGH * seen.max()
    if short.any():
        hatch(ax, [(float(x.min()) - 0.5, float(x[short].max()) + 0.5)], "short history")
    bound_line(ax, 0.0)
    draw_line(ax, x, y, step=1.0, color=BLUE, marker="o", markersize=3.5)
    draw_line(ax, x, np.where(y < 0, y, np.nan), step=1.0, color=VERMILLION, marker="X", markersize=6)
    hatch_unknown(ax, x, y, step=1.0)
    end_labels(ax, ends)
    message = (
        opening(f"{percent(last, 0)} of the error budget remains")
        if last >= 0
        else f"Error budget overspent by {percent(-last, 0)}"
    )
    span = span_words((rolling["day"].min() - _DAY).to_pydatetime(), rolling["day"].max().to_pydatetime())
    detail = f"Error budget of {share_words(slo)} at each day's end, {span} (UTC)"
    return title(ax, message, detail)


@styled
def transitions_by_hour(ax: Axes, transitions: pd.DataFrame, *, bound: float) -> Axes:
    """Flips of global readiness by hour, with the bound.

    `transitions`: hour, transitions.
    """
    if transitions.empty or transitions["transitions"].isna().all():
        return empty(ax, "no process exported transitions in this window")
    x, y = days(transitions["hour"]), transitions["transitions"].to_numpy(dtype=float)
    ends = [End(bound, f"bound {bound:g}")]
    ax.set_ylim(0, 1.2 * max(float(np.nanmax(y)), bound, 1.0))
    margins(ax, left=value_ticks(ax, "{:.0f}".format, whole=True), right=end_room(ends))
    time_axis(ax, float(x.min()), float(x.max()) + HOUR)
    over = y > bound
    columns(ax, x, np.where(over, 0.0, np.nan_to_num(y)), width=HOUR, color=BLUE)
    columns(ax, x, np.where(over, y, 0.0), width=HOUR, color=VERMILLION)
    hatch_unknown(ax, x, y)
    bound_line(ax, bound)
    end_labels(ax, ends)
    total, most = np.nansum(y), np.nanmax(y)
    message = f"{count(total, 'transition')}, at most {most:.0f} in one hour" if total else "No transition in any hour"
    detail = f"Transitions of global readiness by hour, {frame_words(transitions['hour'], step=_HOUR)} (UTC)"
    return title(ax, message, detail)


@styled
def check_latency(ax: Axes, latency: pd.DataFrame, *, bound: float) -> Axes:
    """The 95th percentile of the readiness check by hour, with the bound.

    `latency`: hour, seconds.
    """
    x, seconds = days(latency["hour"]), latency["seconds"].to_numpy(dtype=float)
    seconds = np.where(np.isfinite(seconds), seconds, np.nan)
    if not np.isfinite(seconds).any():
        return empty(ax, "no duration of the readiness check is known in this window")
    factor, unit = (1000.0, "ms") if max(float(np.nanmax(seconds)), bound) < 2 else (1.0, "s")
    y, limit = seconds * factor, bound * factor
    last = float(y[np.isfinite(y)][-1])
    ends = [End(limit, f"bound {limit:g} {unit}"), End(last, f"{last:.3g} {unit}", BLUE)]
    ax.set_ylim(0, 1.15 * max(float(np.nanmax(y)), limit))
    margins(ax, left=value_ticks(ax, lambda value: f"{value:g} {unit}"), right=end_room(ends))
    time_axis(ax, float(x.min()), float(x.max()) + HOUR)
    bound_line(ax, limit)
    draw_line(ax, x, y, color=BLUE)
    draw_line(ax, x, np.where(y > limit, y, np.nan), color=VERMILLION, linewidth=3.2)
    hatch_unknown(ax, x, y)
    end_labels(ax, ends)
    over = int((y > limit).sum())
    said = f"{count(over, 'hour')} over {limit:g} {unit}" if over else f"bound {limit:g} {unit}"
    detail = f"95th percentile of the readiness check by hour, {frame_words(latency['hour'], step=_HOUR)} (UTC)"
    return title(ax, f"p95 at most {np.nanmax(y):.3g} {unit}; {said}", detail)


@styled
def tenant_outages(ax: Axes, outages: pd.DataFrame, window: Window) -> Axes:
    """One lane per tenant, those longest not ready first, with the stretches in which it was not ready.

    `outages`: tenant, start, end (NaT where it goes on), minutes.
    """
    if outages.empty:
        return empty(ax, f"no tenant was seen not ready in {window_words(window)}")
    tenant = outages["tenant"].astype(str)
    table = outages.groupby(tenant)["minutes"].agg(["sum", "size"]).sort_values("sum", ascending=False, kind="stable")
    shown = [str(name) for name in table.index[: lanes_that_fit(ax)]]
    lanes(ax, [shortened(name) for name in shown], right=92)
    time_axis(ax, day_of(window.start), day_of(window.end))
    some = tenant.isin(shown).to_numpy()
    lane, start, end = lane_of(tenant[some], shown), days(outages["start"][some]), days(outages["end"][some])
    still = ~np.isfinite(end)
    end = np.where(still, ax.get_xlim()[1], end)
    rectangles(
        ax, start, lane - 0.32, wide_enough(ax, end - start, points=2.5), 0.64, facecolor=VERMILLION, edgecolor="none"
    )
    ax.plot(end[still], lane[still], linestyle="none", marker=">", markersize=7, color=INK, clip_on=False)
    for place, (minutes, number) in enumerate(table.head(len(shown)).to_numpy(dtype=float)):
        text = f"{duration(60 * minutes)}, {number:.0f}×"
        ax.text(1.025, place, text, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL_SIZE, gid="value")
    longest = duration(60 * float(table["sum"].iloc[0]))
    message = f"{count(len(table), 'tenant')} not ready; {shortened(shown[0], 20)} longest, {longest} in all"
    detail = f"Minutes not ready by tenant, {window_words(window)} (UTC)" + left_out(len(shown), len(table), "tenants")
    return title(ax, message, detail)


def _availability_message(known: Floats, slo: float) -> str:
    under, worst = int((known < slo).sum()), share_words(float(known.min()))
    if not under:
        return f"Every day met {share_words(slo)}; the worst had {worst}"
    return f"{under} of {count(len(known), 'day')} under {share_words(slo)}, worst {worst}"


def _hatch_days(ax: Axes, x: Floats, known: NDArray[np.bool_], seen: Floats) -> None:
    hatch(ax, [(float(day), float(day) + 1) for day in x[~known]])
    unfinished = known & (seen < _ENOUGH * seen.max())
    hatch(ax, [(float(day), float(day) + 1) for day in x[unfinished]], "unfinished")


def _say_days(ax: Axes, x: Floats, y: Floats) -> None:
    left, right = ax.get_xlim()
    if axes_size(ax)[0] / (right - left) < 50:
        return  # The days are narrower than a number; the table has them.
    for at, share in zip(x, y, strict=True):
        ax.annotate(
            share_words(float(share)),
            (float(at) + 0.5, float(share)),
            (0, -8),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=SMALL_SIZE,
        )
