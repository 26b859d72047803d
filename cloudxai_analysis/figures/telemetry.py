"""Figures of the telemetry: how much of it is there, and where it has holes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import without_port
from cloudxai_analysis.figures.marks import Entry, key, lane_of, lanes, lanes_that_fit, left_out
from cloudxai_analysis.figures.shapes import hatched, rectangles, tinted, wide_enough
from cloudxai_analysis.figures.style import BLUE, INK, KEY_TOP, SMALL_SIZE, VERMILLION, axes_size, empty, styled, title
from cloudxai_analysis.figures.timeline import Floats, day_of, days, frame_words, time_axis, window_words
from cloudxai_analysis.figures.words import duration, share_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DAY = timedelta(days=1)
_TALL = 0.74  # of a lane, for 100 %
_FOOT = 0.37
_ROOM = 40.0  # points that a share needs


@styled
def coverage_by_day(ax: Axes, coverage: pd.DataFrame, *, least: float) -> Axes:
    """One lane per job with one bar per day, as tall as the share of its time in which a target was up.

    `coverage`: job, day, expected_minutes, coverage. Days under `least` carry their share; days without a row
    are hatched.
    """
    if coverage.empty:
        return empty(ax, "no scrape of any target in this window")
    worst = coverage.groupby("job", observed=True)["coverage"].min().sort_values(kind="stable")
    shown = sorted(str(name) for name in worst.index[: lanes_that_fit(ax, top=KEY_TOP)])
    lanes(ax, shown, top=KEY_TOP)
    ax.grid(visible=False)
    every = days(coverage["day"])
    time_axis(ax, float(every.min()), float(every.max()) + 1, centred=True)
    frame = coverage[coverage["job"].astype(str).isin(shown)]
    lane, day = lane_of(frame["job"], shown), days(frame["day"])
    share = frame["coverage"].to_numpy(dtype=float)
    under, heights = ~(share >= least), -_TALL * np.clip(np.nan_to_num(share), 0, 1)
    x, foot, narrow = day + 0.08, lane + _FOOT, _day_points(ax) < _ROOM
    rectangles(ax, x[~under], foot[~under], 0.84, heights[~under], facecolor=BLUE, edgecolor=BLUE)
    # Where the days are too narrow for their shares, a hatch tells the short ones.
    tinted(ax, x[under], foot[under], 0.84, heights[under], color=VERMILLION, hatch="xxxx" if narrow else "")
    for at, low, value in zip(day[under] + 0.5, foot[under] - 0.04, share[under], strict=True):
        if not narrow:
            ax.text(at, low, percent(value, 0), ha="center", va="bottom", fontsize=SMALL_SIZE, fontweight="bold")
    _hatch_missing(ax, day, lane, len(shown))
    key(
        ax,
        [
            Entry(f"at least {percent(least, 0)}", {"marker": "s", "color": BLUE}),
            Entry(f"under {percent(least, 0)}", {"marker": "s", "color": VERMILLION, "markerfacecolor": "none"}),
            Entry("hatched: no scrape", {}),
        ],
    )
    detail = f"Share of the time in which a target was up, {frame_words(coverage['day'], step=_DAY)} (UTC)"
    return title(ax, _coverage_message(coverage, least), detail + left_out(len(shown), len(worst), "jobs"))


@styled
def gaps_on_timeline(ax: Axes, gaps: pd.DataFrame, window: Window) -> Axes:
    """One lane per target, or job, with its scrape gaps, each with its missing scrapes.

    `gaps`: job, instance ('' the whole job), start, end, seconds, missing.
    """
    if gaps.empty:
        return empty(ax, f"no scrape is missing in {window_words(window)}")
    gaps = gaps.assign(instance=gaps["instance"].where(gaps["instance"] != "", gaps["job"]))
    missing = gaps.groupby(gaps["instance"].astype(str))["missing"].sum().sort_values(ascending=False, kind="stable")
    shown = [str(name) for name in missing.index[: lanes_that_fit(ax)]]
    names = without_port(gaps["instance"].astype(str))
    lanes(ax, [names[name] for name in shown])
    time_axis(ax, day_of(window.start), day_of(window.end))
    frame = gaps[gaps["instance"].astype(str).isin(shown)]
    lane, start, end = lane_of(frame["instance"], shown), days(frame["start"]), days(frame["end"])
    rectangles(ax, start, lane - 0.3, wide_enough(ax, end - start), 0.6, facecolor=VERMILLION, edgecolor=INK)
    _say_missing(ax, lane, start, end, frame["missing"].to_numpy())
    found = f"{count(gaps['missing'].sum(), 'scrape')} missing in {count(len(gaps), 'gap')}"
    detail = f"Scrape gaps by target, {window_words(window)} (UTC)" + left_out(len(shown), len(missing), "targets")
    return title(ax, f"{found}, the longest {duration(gaps['seconds'].max())}", detail)


def _coverage_message(coverage: pd.DataFrame, least: float) -> str:
    expected = coverage["expected_minutes"].to_numpy(dtype=float)
    share = coverage["coverage"].fillna(0.0).to_numpy(dtype=float)
    total = float((share * expected).sum() / expected.sum()) if expected.sum() > 0 else float("nan")
    short = int((~(coverage["coverage"] >= least)).sum())
    said = f"{share_words(total)} of the time since the first scrape seen"
    return f"{said}, {short} of {count(len(coverage), 'day')} short" if short else said


def _day_points(ax: Axes) -> float:
    left, right = ax.get_xlim()
    return axes_size(ax)[0] / (right - left)


def _hatch_missing(ax: Axes, day: Floats, lane: Floats, number: int) -> None:
    left, right = ax.get_xlim()
    there = {(round(x), int(y)) for x, y in zip(day, lane, strict=True)}
    absent = [(x, y) for y in range(number) for x in range(round(left), round(right)) if (x, y) not in there]
    if absent:
        x, y = np.array(absent, dtype=float).T
        hatched(ax, x + 0.08, y + _FOOT, 0.84, -_TALL)


def _say_missing(ax: Axes, lane: Floats, start: Floats, end: Floats, missing: np.ndarray) -> None:
    """The missing scrapes beside each gap, where the text does not run into the next gap of the lane."""
    left, right = ax.get_xlim()
    point = (right - left) / axes_size(ax)[0]
    order = np.lexsort((start, lane))
    for place, row in enumerate(order):
        text = f"{missing[row]:,.0f} missing"
        last = place + 1 == len(order) or lane[order[place + 1]] != lane[row]
        until = right if last else float(start[order[place + 1]])
        x = max(float(end[row]), float(start[row]) + 2 * point) + 4 * point
        if x + 70 * point < until:
            ax.text(x, lane[row], text, va="center", fontsize=SMALL_SIZE)
        elif last and start[row] - 74 * point > left:
            ax.text(float(start[row]) - 4 * point, lane[row], text, va="center", ha="right", fontsize=SMALL_SIZE)
