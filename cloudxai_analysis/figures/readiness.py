"""Figures of readiness: availability, the error budget, transitions, latency, tenants not ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.course import Bound, Columns, Line, Unsure, course
from cloudxai_analysis.figures.labels import share_words
from cloudxai_analysis.figures.style import BLUE, VERMILLION, empty
from cloudxai_analysis.figures.timeline import days
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.words.phrases import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ENOUGH = 0.9  # of the most time that any row rests on


def availability_by_day(ax: Axes, daily: pd.DataFrame, *, slo: float) -> Axes:
    """Availability of each day as a stem that hangs from 100 %; days that are unknown or unfinished are hatched.

    `daily`: day, seen_minutes, availability.
    """
    known = daily["availability"].dropna().astype(float)
    x, y = days(daily["day"]), daily["availability"].to_numpy(dtype=float)
    seen, lowest = daily["seen_minutes"].to_numpy(dtype=float), min(known.min(), slo)
    unfinished = x[np.isfinite(y) & (seen < _ENOUGH * np.max(seen, initial=0.0))]
    under, worst = int((known < slo).sum()), share_words(known.min())
    message = f"Every day met {share_words(slo)}; the worst had {worst}"
    if under:
        message = f"{under} of {count(len(known), 'day')} under {share_words(slo)}, worst {worst}"
    marks = [
        Line(x[some] + 0.5, y[some], color, looks={"marker": marker, "linestyle": "none", "markersize": 8})
        for some, color, marker in ((y >= slo, BLUE, "o"), (y < slo, VERMILLION, "X"))
    ]
    said, room = [share_words(share) if share < 1 else "" for share in y], max(1 - lowest, 1e-5)
    return course(
        ax,
        [
            Columns(x, y - 1, base=1.0, air=0.94, texts=said),
            *marks,
            Unsure([(day, day + 1) for day in unfinished], "unfinished"),
        ],
        title=message,
        subtitle="Share of the time seen that was ready, by day",
        bound=Bound(slo, f"objective {share_words(slo)}", bad="below"),
        unit=share_words,
        limits=(lowest - 0.3 * room, 1 + 0.08 * room),
    )


def error_budget(ax: Axes, rolling: pd.DataFrame, *, slo: float, window_days: float) -> Axes:
    """What is left of the budget of `window_days` at each day's end; rows with a shorter history are hatched.

    `rolling`: day (end of the stretch), availability, seen_minutes.
    """
    if slo >= 1:
        return empty(ax, "an objective of 100 % leaves no error budget")
    x, seen = days(rolling["day"]), rolling["seen_minutes"].to_numpy(dtype=float)
    left = 1 - (1 - rolling["availability"].to_numpy(dtype=float)) * seen / ((1 - slo) * window_days * 1440)
    known, short = left[np.isfinite(left)], x[seen < _ENOUGH * np.max(seen, initial=0.0)]
    if not len(known):
        return empty(ax)
    last, first, end = known[-1], rolling["day"].min().to_pydatetime(), rolling["day"].max().to_pydatetime()
    remains = f"{percent(last, 0)} of the error budget remains"
    over = f"Error budget overspent by {percent(-last, 0)}"
    return course(
        ax,
        [
            Line(x, left, said=f"{percent(abs(last), 0)} {'left' if last >= 0 else 'over'}", step=1.0, gaps=True),
            Unsure([(x.min() - 1, short.max())] if len(short) else [], "short history"),
        ],
        title=remains[:1].upper() + remains[1:] if last >= 0 else over,
        subtitle=f"Error budget of {share_words(slo)} at each day's end",
        window=Window(first - DAY, end),
        bound=Bound(0.0, "used up", bad="below"),
        unit=lambda share: f"{share * 100:.0f} %".replace("-", "−"),
    )


def check_latency(ax: Axes, latency: pd.DataFrame, *, bound: float) -> Axes:
    """The 95th percentile of the readiness check by hour, with the bound.

    `latency`: hour, seconds.
    """
    seconds = latency["seconds"].replace(np.inf, np.nan).to_numpy(dtype=float)
    factor, unit = (1000.0, "ms") if np.nanmax([*seconds, bound]) < 2 else (1.0, "s")
    y, limit = seconds * factor, bound * factor
    known, over = y[np.isfinite(y)], int((y > limit).sum())
    said = f"{count(over, 'hour')} over {limit:g} {unit}" if over else f"bound {limit:g} {unit}"
    return course(
        ax,
        [Line(days(latency["hour"]), y, said=f"{known[-1]:.3g} {unit}" if len(known) else "", gaps=True)],
        title=f"p95 at most {known.max(initial=0.0):.3g} {unit}; {said}",
        subtitle="95th percentile of the readiness check by hour",
        bound=Bound(limit, f"bound {limit:g} {unit}", bad="above"),
        unit=lambda value: f"{value:g} {unit}",
    )
