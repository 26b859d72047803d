"""The form of what began and ended: a lane a name with a bar for each stretch, in its window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened, text_width
from cloudxai_analysis.figures.marks import Entry, key, lane_of, lanes, lanes_that_fit, left_out, right_texts, say
from cloudxai_analysis.figures.shapes import rectangles, tinted, wide_enough
from cloudxai_analysis.figures.style import INK, KEY_TOP, SMALL_SIZE, TOP, VERMILLION, axes_size, empty, styled, title
from cloudxai_analysis.figures.timeline import Floats, day_of, days, time_axis, window_words
from cloudxai_analysis.ground.window import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STACK = 5  # stretches of the same moment that a lane shows beside each other


@dataclass(frozen=True)
class Stretches:
    """How the rows of a frame are drawn from `start` to `end` (missing: it goes on), each in its `lane`.

    `order` gives the lanes from the top, `names` the short name of each, `right` its words at the right; `said` is the
    column of words beside a stretch; `mark` the column that says which of `marks` stands at its start; up to the column
    `dark` a stretch is filled, from there on tinted. `noun` names the lanes of which some are left out.
    """

    title: Callable[[pd.DataFrame], str]
    subtitle: str
    window: Window
    lane: str
    order: Callable[[pd.DataFrame], Sequence[str]]
    noun: str
    names: Callable[[str], str] = shortened
    right: Callable[[str], str] | None = None
    start: str = "start"
    end: str = "end"
    dark: str = ""
    said: str = ""
    mark: str = ""
    marks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    key: Sequence[Entry] = ()
    more: str = ""


@styled
def stretches(ax: Axes, frame: pd.DataFrame, spec: Stretches) -> Axes:
    """The rows of `frame` as stretches of time, as `spec` says."""
    if frame.empty:
        return empty(ax)
    top, all_ = KEY_TOP if spec.key else TOP, [str(name) for name in spec.order(frame)]
    shown = all_[: lanes_that_fit(ax, top=top)]
    right = [spec.right(name) for name in shown] if spec.right else []
    wide = max((text_width(text, SMALL_SIZE) for text in right), default=-6.0)
    lanes(ax, [spec.names(name) for name in shown], top=top, right=wide + 20)
    time_axis(ax, day_of(spec.window.start), day_of(spec.window.end))
    inside = frame[frame[spec.lane].astype(str).isin(shown)].sort_values(spec.start, kind="stable")
    left, beyond = ax.get_xlim()
    lane, end = lane_of(inside[spec.lane], shown), days(inside[spec.end])
    start, end = np.maximum(days(inside[spec.start]), left), np.where(np.isfinite(end), end, beyond)
    if spec.mark:
        _mark(ax, inside[spec.mark].astype(str).to_numpy(), lane, start, end, spec.marks)
    elif spec.dark:
        tinted(ax, start, lane - 0.3, wide_enough(ax, end - start), 0.6, color=VERMILLION)
        full = wide_enough(ax, days(inside[spec.dark]) - start)
        rectangles(ax, start, lane - 0.3, full, 0.6, facecolor=VERMILLION, edgecolor="none")
    else:
        rectangles(ax, start, lane - 0.3, wide_enough(ax, end - start), 0.6, facecolor=VERMILLION, edgecolor="none")
    on = inside[spec.end].isna().to_numpy()
    ax.plot(end[on], lane[on], linestyle="none", marker=">", markersize=7, color=INK, clip_on=False)
    if spec.said:
        _say(ax, inside[spec.said].astype(str).to_numpy(), lane, start, end)
    right_texts(ax, right)
    key(ax, spec.key)
    rest = left_out(len(shown), len(all_), spec.noun)
    return title(ax, spec.title(frame), f"{spec.subtitle}, {window_words(spec.window)} (UTC){spec.more}{rest}")


def _say(ax: Axes, texts: Sequence[str], lane: Floats, start: Floats, end: Floats) -> None:
    """The words beside each stretch, where they do not run into the next one of its lane."""
    left, right = ax.get_xlim()
    point = (right - left) / axes_size(ax)[0]
    order = np.lexsort((start, lane))
    for row, after in pairwise([*order, -1]):
        last = after < 0 or lane[after] != lane[row]
        until = right if last else float(start[after])
        x, wide = max(end[row], start[row] + 2 * point), (text_width(texts[row], SMALL_SIZE) + 8) * point
        if x + wide < until:
            say(ax, texts[row], (x, lane[row]), (4, 0), gid="value")
        elif last and start[row] - wide > left:
            say(ax, texts[row], (start[row], lane[row]), (-4, 0), gid="value")


def _mark(
    ax: Axes, kinds: Any, lane: Floats, start: Floats, end: Floats, marks: Mapping[str, Mapping[str, Any]]
) -> None:
    """Thin bars with a marker at their start; those of one moment stand above each other, a crowd says its number."""
    rank, size = _crowds(ax, lane, start)
    height = lane + (np.minimum(rank, _STACK - 1) - (np.minimum(size, _STACK) - 1) / 2) * 0.17
    wide = wide_enough(ax, end - start)
    rectangles(ax, start, height - 0.06, wide, 0.12, facecolor=INK, edgecolor="none", alpha=0.55)
    for name, looks in marks.items():
        some = kinds == name
        ax.plot(start[some], height[some], linestyle="none", markersize=6.5, **looks)
    crowded = (rank == size - 1) & (size > _STACK)
    said = [f"{number:.0f} at once" for number in size[crowded]]
    _say(ax, said, lane[crowded], start[crowded], start[crowded])


def _crowds(ax: Axes, lane: Floats, start: Floats) -> tuple[Floats, Floats]:
    """Of each stretch, which one it is of those that would overlap in its lane, and how many these are."""
    left, right = ax.get_xlim()
    near = 8 / axes_size(ax)[0] * (right - left)
    order = np.lexsort((start, lane))
    apart = (np.diff(lane[order]) > 0) | (np.diff(start[order]) > near)
    crowd = pd.Series(np.append(0, np.cumsum(apart)), index=order).sort_index()
    return crowd.groupby(crowd).cumcount().to_numpy(float), crowd.groupby(crowd).transform("size").to_numpy(float)
