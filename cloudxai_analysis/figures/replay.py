"""Figures of a replay: what each candidate of a rule costs and wins, and the signal that a rule looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened, text_width
from cloudxai_analysis.figures.lines import draw_line, hatch_unknown
from cloudxai_analysis.figures.marks import End, Entry, bound_line, end_labels, end_room, key
from cloudxai_analysis.figures.shapes import rectangles, value_ticks, wide_enough
from cloudxai_analysis.figures.style import (
    BLUE,
    GREEN,
    INK,
    KEY_TOP,
    SMALL_SIZE,
    VERMILLION,
    axes_size,
    empty,
    margins,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import HOUR, day_of, days, time_axis, window_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE_NAME = 32
_FALSER, _FALSE = 4, 20  # as many false positives as the present rule has, and in any case, that are still drawn
_AIR = 0.12  # of an axis, left free beside the outermost marks
_LOOKS: dict[str, dict[str, Any]] = {
    "other": {"marker": "o", "color": BLUE, "markerfacecolor": "none", "markersize": 5, "alpha": 0.5},
    "missing": {"marker": "x", "color": VERMILLION, "markersize": 5},
    "frontier": {"marker": "o", "color": BLUE, "markersize": 7},
    "present": {"marker": "s", "color": INK, "markerfacecolor": "none", "markersize": 11, "markeredgewidth": 1.6},
    "proposed": {"marker": "D", "color": GREEN, "markersize": 9},
}


@styled
def frontier(ax: Axes, candidates: pd.DataFrame, *, alertname: str, best: int, window: Window) -> Axes:
    """One mark for each candidate: false positives to the right, median detection time upwards, misses by shape.

    `candidates`: threshold, for_seconds, keep_firing_for_seconds, judged, frontier, false_positives, misses,
    detection_seconds; the first row is the present rule, `best` the proposed one (0: none).
    """
    near = max(_FALSER * candidates["false_positives"].iloc[0], _FALSE)
    shown = candidates[
        candidates["judged"].astype(bool)
        & candidates["detection_seconds"].notna()
        & (candidates["false_positives"] <= near)
    ]
    if shown.empty:
        return empty(ax, "no candidate caught an incident that names the rule")
    minutes = candidates["detection_seconds"].to_numpy(dtype=float) / 60
    false = candidates["false_positives"].to_numpy(dtype=float)
    low, high = float(np.nanmin(minutes[shown.index])), float(np.nanmax(minutes[shown.index]))
    most = float(false[shown.index].max())
    room = max(_AIR * (high - low), 0.5)
    ax.set_ylim(min(low, 0.0) - (room if low <= 0 else 0.0), high + room)
    ax.set_xlim(-_AIR * max(most, 2.0), max(most, 2.0) * (1 + _AIR))
    margins(ax, left=value_ticks(ax, "{:g} min".format), top=KEY_TOP)
    ax.grid(visible=True, axis="x")
    ax.set_xlabel(f"false positives, {window_words(window)}; upwards: median detection time", loc="left")
    _whole_ticks(ax)
    more = candidates["misses"].to_numpy() > candidates["misses"].iloc[0]
    edge = candidates["frontier"].to_numpy(dtype=bool)
    for kind, kept in (("other", ~edge & ~more), ("missing", more), ("frontier", edge & ~more)):
        rows = shown.index[kept[shown.index]]
        spots = np.unique(np.stack([false[rows], minutes[rows]], axis=1), axis=0)
        ax.plot(spots[:, 0], spots[:, 1], linestyle="none", gid=kind, **_LOOKS[kind])
    named = [(0, "present"), *([(best, "proposed")] if best else [])]
    for row, kind in named:
        if row in shown.index:
            ax.plot([false[row]], [minutes[row]], linestyle="none", gid=kind, **_LOOKS[kind])
            _say(ax, false[row], minutes[row], f"{kind}: {_settings(candidates.loc[row])}")
    key(
        ax,
        [
            Entry("present", _LOOKS["present"]),
            Entry("proposed", _LOOKS["proposed"]),
            Entry("on the frontier", _LOOKS["frontier"]),
            Entry("misses more", _LOOKS["missing"]),
        ],
    )
    return title(ax, _message(candidates, best, alertname), _detail(candidates, shown))


@styled
def signal(
    ax: Axes,
    course: pd.DataFrame,
    episodes: pd.DataFrame,
    *,
    alertname: str,
    meaning: str,
    threshold: float | None,
    window: Window,
) -> Axes:
    """What a rule looks at over time, with its threshold and the times at which it would have fired.

    `course`: time, value, as `meaning` says; `episodes`: fired_at, resolved_at.
    """
    if course.empty:
        return empty(ax, "the expression gave nothing in this window")
    at, value = days(course["time"]), course["value"].to_numpy(dtype=float)
    bounds = [] if threshold is None else [threshold]
    finite = value[np.isfinite(value)]
    low, high = (float(np.min([*finite, *bounds, 0.0])), float(np.max([*finite, *bounds, 1e-9])))
    room = 0.08 * (high - low or 1.0)
    ax.set_ylim(low - room, high + room)
    ends = [] if threshold is None else [End(threshold, f"threshold {threshold:g}")]
    margins(ax, left=value_ticks(ax, "{:g}".format), right=end_room(ends) if ends else 14.0)
    time_axis(ax, day_of(window.start), day_of(window.end))
    start, end = days(episodes["fired_at"]), days(episodes["resolved_at"])
    width = wide_enough(ax, np.nan_to_num(end, nan=ax.get_xlim()[1]) - start)
    bottom, top = ax.get_ylim()
    rectangles(ax, start, bottom, width, top - bottom, facecolor=VERMILLION, edgecolor="none", alpha=0.35)
    usual = course["time"].diff().dt.total_seconds().median()
    step = usual / 86_400 if usual > 0 else HOUR
    draw_line(ax, at, value, step=step, color=BLUE)
    hatch_unknown(ax, at, value, step=step)
    if threshold is not None:
        bound_line(ax, threshold)
        end_labels(ax, ends)
    name = shortened(alertname, _TITLE_NAME)
    message = f"{name} would have fired {count(len(episodes), 'time')}"
    return title(ax, message, f"{meaning}, {window_words(window)} (UTC); shaded: firing")


def _whole_ticks(ax: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = ax.get_xlim()
    ticks = [tick for tick in MaxNLocator(nbins=6, integer=True).tick_values(max(low, 0), high) if 0 <= tick <= high]
    ax.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    ax.set_xlim(low, high)


def _say(ax: Axes, x: float, y: float, text: str) -> None:
    """A name beside a mark, on the side that has room for it."""
    left, right = ax.get_xlim()
    wide = axes_size(ax)[0]
    beyond = (x - left) / (right - left) * wide + 10 + text_width(text, SMALL_SIZE) > wide
    ax.annotate(
        text,
        (x, y),
        (-10 if beyond else 10, 7),
        textcoords="offset points",
        ha="right" if beyond else "left",
        va="bottom",
        fontsize=SMALL_SIZE,
        gid="named",
    )


def _settings(row: pd.Series) -> str:
    words = [] if pd.isna(row["threshold"]) else [f"{row['threshold']:g}"]
    words.append(f"for {_minutes(row['for_seconds'])}")
    if row["keep_firing_for_seconds"]:
        words.append(f"kept {_minutes(row['keep_firing_for_seconds'])}")
    return ", ".join(words)


def _minutes(seconds: float) -> str:
    return f"{seconds:g} s" if 0 < seconds < 60 else f"{seconds / 60:g} min"


def _message(candidates: pd.DataFrame, best: int, alertname: str) -> str:
    name, present = shortened(alertname, _TITLE_NAME), candidates.iloc[0]
    if not best:
        return f"{name}: nothing is better than it is"
    chosen = candidates.loc[best]
    if chosen["misses"] < present["misses"]:
        return f"{name} could miss {chosen['misses']:.0f} instead of {count(present['misses'], 'incident')}"
    return (
        f"{name} could be false {chosen['false_positives']:.0f} instead of {count(present['false_positives'], 'time')}"
    )


def _detail(candidates: pd.DataFrame, shown: pd.DataFrame) -> str:
    away = len(candidates) - len(shown)
    left = f", {away} that catch nothing or are far worse left out" if away else ""
    return f"{count(len(shown), 'candidate')} of threshold, for and keep_firing_for{left}"
