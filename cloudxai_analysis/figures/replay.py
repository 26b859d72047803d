"""Figures of a replay: what each candidate of a rule costs and wins, and the signal that a rule looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.bars import Bars, Layer, bars
from cloudxai_analysis.figures.course import Bound, Course, course
from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.marks import box
from cloudxai_analysis.figures.style import BLUE, GREEN, VERMILLION
from cloudxai_analysis.figures.timeline import days, usual_step, window_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE_NAME = 32


def frontier(ax: Axes, candidates: pd.DataFrame, *, alertname: str, best: int, window: Window) -> Axes:
    """The candidates that no other one beats, and the present rule: how often each is false, late, and misses.

    `candidates`: threshold, for_seconds, keep_firing_for_seconds, judged, frontier, false_positives, misses,
    detection_seconds; the first row is the present rule, `best` the proposed one (0: none).
    """
    row = np.arange(len(candidates))
    kind = np.select([row == 0, row == best], ["present", "proposed"], "other")
    some = candidates["judged"].astype(bool) & candidates["detection_seconds"].notna()
    shown = candidates.assign(kind=kind)[some & (candidates["frontier"].astype(bool) | (kind != "other"))]

    def falses(kind: str, color: str, hatch: str) -> Layer:
        return Layer(lambda frame: frame["false_positives"].where(frame["kind"] == kind), color, hatch)

    spec = Bars(
        title=lambda _: _message(candidates, best, shortened(alertname, _TITLE_NAME)),
        subtitle=f"The present rule and what no candidate beats, {window_words(window)} (UTC)",
        names=lambda frame: [_settings(row) for _, row in frame.iterrows()],
        layers=[
            falses("present", VERMILLION, "////"),
            falses("proposed", GREEN, "xxxx"),
            falses("other", BLUE, ""),
        ],
        said=lambda row: (
            f"{row['false_positives']:.0f} false, {row['misses']:.0f} missed, found after "
            f"{_minutes(row['detection_seconds'])}"
        ),
        noun="candidates",
        key=[box("present, hatched", VERMILLION), box("proposed, crossed", GREEN), box("others", BLUE)],
    )
    order = shown["kind"].map(["present", "proposed", "other"].index)
    return bars(ax, shown.assign(order=order).sort_values(["order", "false_positives"], kind="stable"), spec)


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
