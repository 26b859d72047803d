"""Figures of readiness: availability, the error budget, transitions, latency, tenants not ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.course import Bound, Columns, Course, Line, Unsure, course
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
    said = [share_words(share) if share < 1 else "" for share in y]

    def marks(some: np.ndarray, color: str, marker: str) -> Line:
        return Line(x[some] + 0.5, y[some], color, looks={"marker": marker, "linestyle": "none", "markersize": 8})

    under, worst = int((known < slo).sum()), share_words(known.min())
    message = f"Every day met {share_words(slo)}; the worst had {worst}"
    if under:
        message = f"{under} of {count(len(known), 'day')} under {share_words(slo)}, worst {worst}"
    room = max(1 - lowest, 1e-5)
    spec = Course(
        title=lambda _: message,
        subtitle="Share of the time seen that was ready, by day",
        at="day",
        step=1.0,
        parts=lambda _: [
            Columns(x, y - 1, base=1.0, air=0.94, texts=said),
            marks(y >= slo, BLUE, "o"),
            marks(y < slo, VERMILLION, "X"),
            Unsure([(day, day + 1) for day in unfinished], "unfinished"),
        ],
        bound=Bound(slo, f"objective {share_words(slo)}", bad="below"),
        unit=share_words,
        limits=(lowest - 0.3 * room, 1 + 0.08 * room),
    )
    return course(ax, daily if len(known) else daily[:0], spec)


def error_budget(ax: Axes, rolling: pd.DataFrame, *, slo: float, window_days: float) -> Axes:
    """What is left of the budget of `window_days` at each day's end; rows with a shorter history are hatched.

    `rolling`: day (end of the stretch), availability, seen_minutes.
    """
    if slo >= 1:
        return empty(ax, "an objective of 100 % leaves no error budget")
    x, seen = days(rolling["day"]), rolling["seen_minutes"].to_numpy(dtype=float)
    lost = (1 - rolling["availability"].astype(float)) * seen
    left = rolling.assign(left=1 - lost / ((1 - slo) * window_days * 1440))
    short = x[seen < _ENOUGH * np.max(seen, initial=0.0)]
    first, last = left["day"].min(), left["day"].max()
    window = Window(first.to_pydatetime() - DAY, last.to_pydatetime()) if len(left) else None

    def message(frame: pd.DataFrame) -> str:
        last = frame["left"].dropna().iloc[-1]
        said = f"{percent(last, 0)} of the error budget remains"
        return said[:1].upper() + said[1:] if last >= 0 else f"Error budget overspent by {percent(-last, 0)}"

    spec = Course(
        title=message,
        subtitle=f"Error budget of {share_words(slo)} at each day's end",
        value="left",
        at="day",
        step=1.0,
        parts=lambda _: [Unsure([(x.min() - 1, short.max())] if len(short) else [], "short history")],
        bound=Bound(0.0, "used up", bad="below"),
        end=lambda last: f"{percent(abs(last), 0)} {'left' if last >= 0 else 'over'}",
        unit=lambda share: f"{share * 100:.0f} %".replace("-", "−"),
        window=window,
    )
    return course(ax, left, spec)


def check_latency(ax: Axes, latency: pd.DataFrame, *, bound: float) -> Axes:
    """The 95th percentile of the readiness check by hour, with the bound.

    `latency`: hour, seconds.
    """
    seconds = latency["seconds"].replace(np.inf, np.nan)
    factor, unit = (1000.0, "ms") if np.nanmax([*seconds, bound]) < 2 else (1.0, "s")
    y, limit = seconds * factor, bound * factor
    over = int((y > limit).sum())
    said = f"{count(over, 'hour')} over {limit:g} {unit}" if over else f"bound {limit:g} {unit}"
    spec = Course(
        value="seconds",
        title=lambda _: f"p95 at most {y.max():.3g} {unit}; {said}",
        subtitle="95th percentile of the readiness check by hour",
        end=lambda last: f"{last:.3g} {unit}",
        bound=Bound(limit, f"bound {limit:g} {unit}", bad="above"),
        unit=lambda value: f"{value:g} {unit}",
    )
    return course(ax, latency.assign(seconds=y), spec)
