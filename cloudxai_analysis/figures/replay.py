"""Figures of a replay: what each candidate of a rule costs and wins, and the signal that a rule looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.course import Bound, Course, course
from cloudxai_analysis.figures.labels import shortened, text_width
from cloudxai_analysis.figures.marks import Entry, key, say
from cloudxai_analysis.figures.shapes import even_ticks, value_ticks
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
from cloudxai_analysis.figures.timeline import days, usual_step, window_words
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
_KEY = {"present": "present", "proposed": "proposed", "frontier": "on the frontier", "missing": "misses more"}


@styled
def frontier(ax: Axes, candidates: pd.DataFrame, *, alertname: str, best: int, window: Window) -> Axes:
    """One mark for each candidate: false positives to the right, median detection time upwards, misses by shape.

    `candidates`: threshold, for_seconds, keep_firing_for_seconds, judged, frontier, false_positives, misses,
    detection_seconds; the first row is the present rule, `best` the proposed one (0: none).
    """
    false, minutes = candidates["false_positives"], candidates["detection_seconds"] / 60
    near = false <= max(_FALSER * false.head(1).max(), _FALSE)
    shown = candidates[candidates["judged"].astype(bool) & minutes.notna() & near]
    if shown.empty:
        return empty(ax)
    low, high, most = minutes[shown.index].min(), minutes[shown.index].max(), max(false[shown.index].max(), 2)
    room = max(_AIR * (high - low), 0.5)
    ax.set_ylim(min(low, 0.0) - (room if low <= 0 else 0.0), high + room)
    ax.set_xlim(-_AIR * most, most * (1 + _AIR))
    margins(ax, left=value_ticks(ax, "{:g} min".format), top=KEY_TOP)
    ax.grid(visible=True, axis="x")
    ax.set_xlabel(f"false positives, {window_words(window)}; upwards: median detection time", loc="left")
    ticks = even_ticks(0.0, ax.get_xlim()[1], 6, whole=True)
    ax.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    more = shown["misses"] > candidates["misses"].iloc[0]
    edge = shown["frontier"].astype(bool)
    marks = [("other", ~edge & ~more), ("missing", more), ("frontier", edge & ~more)]
    marks += [
        (name, shown.index == row) for name, row in (("present", 0), ("proposed", best)) if row or name == "present"
    ]
    for name, some in marks:
        spots = np.unique(np.stack([false, minutes], axis=1)[shown.index[some]], axis=0)
        ax.plot(spots[:, 0], spots[:, 1], linestyle="none", gid=name, **_LOOKS[name])
        if name in ("present", "proposed") and len(spots):
            _say(ax, spots[0, 0], spots[0, 1], f"{name}: {_settings(shown[some].iloc[0])}")
    key(ax, [Entry(text, _LOOKS[name]) for name, text in _KEY.items()])
    away = len(candidates) - len(shown)
    left = f", {away} that catch nothing or are far worse left out" if away else ""
    detail = f"{count(len(shown), 'candidate')} of threshold, for and keep_firing_for{left}"
    return title(ax, _message(candidates, best, shortened(alertname, _TITLE_NAME)), detail)


def signal(
    ax: Axes,
    seen: pd.DataFrame,
    episodes: pd.DataFrame,
    *,
    alertname: str,
    meaning: str,
    threshold: float | None,
    window: Window,
) -> Axes:
    """What a rule looks at over time, with its threshold and the times at which it would have fired.

    `seen`: time, value, as `meaning` says; `episodes`: fired_at, resolved_at.
    """

    def fired() -> list[tuple[float, float]]:
        start, end = days(episodes["fired_at"]), days(episodes["resolved_at"].fillna(window.end))
        return list(zip(start, end, strict=True))

    spec = Course(
        title=lambda _: f"{shortened(alertname, _TITLE_NAME)} would have fired {count(len(episodes), 'time')}",
        subtitle=meaning,
        at="time",
        value="value",
        step=usual_step(seen["time"]),
        bound=None if threshold is None else Bound(threshold, f"threshold {threshold:g}"),
        window=window,
        shaded=fired() if len(episodes) else (),
        more="; shaded: firing",
    )
    return course(ax, seen, spec)


def _say(ax: Axes, x: float, y: float, text: str) -> None:
    """A name beside a mark, on the side that has room for it."""
    left, right = ax.get_xlim()
    wide = axes_size(ax)[0]
    beyond = (x - left) / (right - left) * wide + 10 + text_width(text, SMALL_SIZE) > wide
    say(ax, text, (x, y), (-10 if beyond else 10, 7), gid="named", va="bottom")


def _settings(row: pd.Series) -> str:
    words = [] if pd.isna(row["threshold"]) else [f"{row['threshold']:g}"]
    words.append(f"for {_minutes(row['for_seconds'])}")
    if row["keep_firing_for_seconds"]:
        words.append(f"kept {_minutes(row['keep_firing_for_seconds'])}")
    return ", ".join(words)


def _minutes(seconds: float) -> str:
    return f"{seconds:g} s" if 0 < seconds < 60 else f"{seconds / 60:g} min"


def _message(candidates: pd.DataFrame, best: int, name: str) -> str:
    if not best:
        return f"{name}: nothing is better than it is"
    present, chosen = candidates.iloc[0], candidates.loc[best]
    if chosen["misses"] < present["misses"]:
        return f"{name} could miss {chosen['misses']:.0f} instead of {count(present['misses'], 'incident')}"
    was = count(present["false_positives"], "time")
    return f"{name} could be false {chosen['false_positives']:.0f} instead of {was}"
