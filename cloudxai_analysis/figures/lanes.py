"""The forms of what is told by name, a lane each: bars, shares with their intervals, stretches of time, cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened, text_width
from cloudxai_analysis.figures.marks import Entry, hatched, key, left_out, rectangles, say, tinted
from cloudxai_analysis.figures.style import (
    BLUE,
    BOTTOM,
    HATCH,
    INK,
    KEY_TOP,
    LINE,
    SMALL_SIZE,
    TEXT_SIZE,
    TOP,
    VERMILLION,
    axes_size,
    empty,
    figure_size,
    margins,
    point,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import Floats, day_of, days, time_axis, window_words
from cloudxai_analysis.ground.window import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FOOT = 14.0  # points below bars that need no axis
_AIR = 4.0  # points between a bar and its text
_HALF = 0.34  # of a lane, on each side of its middle
_STACK = 5  # stretches of the same moment that a lane shows beside each other
_WIDE, _TALL = 0.84, 0.74  # of a cell's room


@dataclass(frozen=True, kw_only=True)
class Lanes:
    """What every form of lanes has: `noun` names the lanes of which some are left out, `more` follows the subtitle."""

    title: Callable[[pd.DataFrame], str]
    subtitle: str
    noun: str
    key: Sequence[Entry] = ()
    xlabel: str = ""
    more: str = ""

    @property
    def top(self) -> float:
        """Points above the axes."""
        return KEY_TOP if self.key else TOP

    def fit(self, ax: Axes, bottom: float = BOTTOM) -> int:
        """How many labelled lanes stand below each other without touching."""
        return max(1, int((figure_size(ax)[1] - self.top - bottom) / LINE))

    def set_up(self, ax: Axes, names: Sequence[str], right: Sequence[str] = (), bottom: float = BOTTOM) -> None:
        """One lane per name from the top down, lane `i` at the height `i`, with a text at the right of each."""
        wide = max((text_width(name, TEXT_SIZE) for name in names), default=0.0)
        beside = max((text_width(text, SMALL_SIZE) for text in right), default=-6.0)
        margins(ax, left=wide + 12, right=beside + 20, top=self.top, bottom=bottom)
        middle, half = (len(names) - 1) / 2, max(len(names) / 2, 1.25)
        ax.set_ylim(middle + half, middle - half)
        ax.set_yticks(range(len(names)), names)
        ax.grid(visible=False, axis="y")
        ax.grid(visible=True, axis="x")
        for lane, text in enumerate(right):
            say(ax, text, (1.0, lane), (6, 0), gid="value", coords=ax.get_yaxis_transform())

    def finish(self, ax: Axes, frame: pd.DataFrame, detail: str, drawn: int, all_: int) -> Axes:
        """The key and the title, which come last."""
        if self.xlabel:
            ax.set_xlabel(self.xlabel, loc="left")
        key(ax, self.key)
        return title(ax, self.title(frame), f"{self.subtitle}{detail}{left_out(drawn, all_, self.noun)}{self.more}")


@dataclass(frozen=True, kw_only=True)
class Bars(Lanes):
    """How the rows of a frame are drawn as bars as long as the column `value`, the first on top, named by `name`.

    `said` gives the text at a bar's end from its row; bars to the left are hatched.
    """

    name: str
    value: str
    said: Callable[[pd.Series], str]
    color: str = BLUE
    most: int = 20


@styled
def bars(ax: Axes, frame: pd.DataFrame, spec: Bars) -> Axes:
    """The rows of `frame` as bars, as `spec` says."""
    if frame.empty:
        return empty(ax)
    shown = frame.head(min(spec.most, spec.fit(ax, _FOOT)))
    spec.set_up(ax, [shortened(str(name)) for name in shown[spec.name]], bottom=_FOOT)
    ends, said = shown[spec.value].to_numpy(dtype=float), [spec.said(row) for _, row in shown.iterrows()]
    low, high, wide = ends.min(initial=0.0), ends.max(initial=0.0), axes_size(ax)[0]
    # The axis is as long as the texts at its ends need.
    room = max(text_width(text, SMALL_SIZE) for text in said) + 2 * _AIR
    left = room if low < 0 else 0.0
    scale = ((high - low) or 1.0) / max(wide - room - left, 0.25 * wide)
    ax.set_xlim(low - left * scale, high + room * scale)
    for lane, (end, text) in enumerate(zip(ends, said, strict=True)):
        say(ax, text, (end, lane), (-_AIR if end < 0 else _AIR, 0), gid="value")
    for some, color, hatch in ((ends > 0, spec.color, ""), (ends < 0, BLUE, HATCH)):
        tinted(ax, 0.0, np.flatnonzero(some) - _HALF, ends[some], 2 * _HALF, color=color, hatch=hatch)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    return spec.finish(ax, frame, "", len(shown), len(frame))


@dataclass(frozen=True, kw_only=True)
class Intervals(Lanes):
    """How the rows of a frame are drawn as marks at `value` with whiskers from `low` to `high`, shares all of them.

    A row over the `bound` stands out; `said` gives the text at its right.
    """

    names: Callable[[pd.DataFrame], Sequence[str]]
    said: Callable[[pd.Series], str]
    value: str
    low: str
    high: str
    bound: float


@styled
def intervals(ax: Axes, frame: pd.DataFrame, spec: Intervals) -> Axes:
    """The rows of `frame` as marks with whiskers, as `spec` says."""
    if frame.empty:
        return empty(ax)
    shown = frame.head(spec.fit(ax))
    spec.set_up(ax, spec.names(shown), [spec.said(row) for _, row in shown.iterrows()])
    ax.set_xlim(-0.04, 1.04)
    ax.set_xticks(np.linspace(0, 1, 5), [f"{share} %" for share in range(0, 101, 25)])
    ax.axvline(spec.bound, color=INK, linewidth=1.1, linestyle=(0, (6, 3)))
    value, low, high = (shown[name].to_numpy(dtype=float) for name in (spec.value, spec.low, spec.high))
    for some, color, marker in ((value <= spec.bound, BLUE, "o"), (value > spec.bound, VERMILLION, "D")):
        off = [value[some] - low[some], high[some] - value[some]]
        looks: dict[str, Any] = {
            "fmt": marker,
            "markersize": 7,
            "capsize": 4,
            "elinewidth": 1.8,
            "color": color,
            "clip_on": False,
        }
        ax.errorbar(value[some], np.flatnonzero(some), xerr=np.abs(off), **looks)
    return spec.finish(ax, frame, "", len(shown), len(frame))


@dataclass(frozen=True, kw_only=True)
class Stretches(Lanes):
    """How the rows of a frame are drawn from `start` to `end` (missing: it goes on), each in its `lane`.

    `order` gives the lanes from the top; `mark` is the column that says which of `marks` stands at a row's start.
    """

    window: Window
    lane: str
    order: Callable[[pd.DataFrame], Sequence[str]]
    names: Callable[[str], str] = shortened
    start: str = "start"
    end: str = "end"
    mark: str = ""
    marks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@styled
def stretches(ax: Axes, frame: pd.DataFrame, spec: Stretches) -> Axes:
    """The rows of `frame` as stretches of time, as `spec` says."""
    if frame.empty:
        return empty(ax)
    all_ = [str(name) for name in spec.order(frame)]
    shown = all_[: spec.fit(ax)]
    spec.set_up(ax, [spec.names(name) for name in shown])
    time_axis(ax, day_of(spec.window.start), day_of(spec.window.end))
    inside = frame[frame[spec.lane].astype(str).isin(shown)].sort_values(spec.start, kind="stable")
    left, beyond = ax.get_xlim()
    lane, end = _lane_of(inside[spec.lane], shown), days(inside[spec.end])
    start, end = np.maximum(days(inside[spec.start]), left), np.where(np.isfinite(end), end, beyond)
    wide = np.maximum(end - start, 2 * point(ax))
    if spec.mark:
        _mark(ax, inside[spec.mark].astype(str).to_numpy(), lane, start, wide, spec.marks)
    else:
        rectangles(ax, start, lane - 0.3, wide, 0.6, facecolor=VERMILLION)
    on = inside[spec.end].isna().to_numpy()
    ax.plot(end[on], lane[on], linestyle="none", marker=">", markersize=7, color=INK, clip_on=False)
    return spec.finish(ax, frame, f", {window_words(spec.window)} (UTC)", len(shown), len(all_))


def _lane_of(labels: pd.Series, shown: Sequence[str]) -> Floats:
    return labels.astype(str).map({name: place for place, name in enumerate(shown)}).to_numpy(dtype=float)


def _mark(
    ax: Axes, kinds: Any, lane: Floats, start: Floats, wide: Floats, marks: Mapping[str, Mapping[str, Any]]
) -> None:
    """Thin bars with a marker at their start; those of one moment stand above each other, a crowd says its number."""
    order = np.lexsort((start, lane))
    apart = (np.diff(lane[order]) > 0) | (np.diff(start[order]) > 8 * point(ax))
    crowd = pd.Series(np.append(0, np.cumsum(apart)), index=order).sort_index()
    rank, size = crowd.groupby(crowd).cumcount().to_numpy(), crowd.groupby(crowd).transform("size").to_numpy()
    height = lane + 0.17 * np.array([0, 1, -1, 2, -2])[rank % _STACK]
    rectangles(ax, start, height - 0.06, wide, 0.12, facecolor=INK, alpha=0.55)
    for name, looks in marks.items():
        some = kinds == name
        ax.plot(start[some], height[some], linestyle="none", markersize=6.5, **looks)
    left, right = ax.get_xlim()
    for last in np.flatnonzero((rank == size - 1) & (size > _STACK)):
        away = 8 if start[last] < (left + right) / 2 else -8
        say(ax, f"{size[last]:.0f} at once", (start[last], lane[last]), (away, 0), gid="value")


@dataclass(frozen=True, kw_only=True)
class Cells(Lanes):
    """How the rows of a frame become cells: a lane each of the column `row`, a cell each `day`, filled by its `share`.

    Of `rows` those are drawn that fit; shares under `least` stand out, with what `said` makes of them; days without a
    row are hatched.
    """

    row: str
    rows: Sequence[str]
    share: str
    least: float
    said: Callable[[float], str]


@styled
def cells(ax: Axes, frame: pd.DataFrame, spec: Cells) -> Axes:
    """The rows of `frame` as cells, as `spec` says."""
    if frame.empty:
        return empty(ax)
    shown, every = list(spec.rows[: spec.fit(ax)]), days(frame["day"])
    spec.set_up(ax, [shortened(name, 30) for name in shown])
    ax.grid(visible=False)
    time_axis(ax, every.min(), every.max() + 1)
    own = frame[frame[spec.row].astype(str).isin(shown)]
    x, lane, share = days(own["day"]), _lane_of(own[spec.row], shown), own[spec.share].to_numpy(dtype=float)
    tall, bad = -_TALL * np.clip(np.nan_to_num(share), 0, 1), ~(share >= spec.least)
    said = {place: spec.said(share[place]) for place in np.flatnonzero(bad)}
    narrow = max((text_width(text, SMALL_SIZE) for text in said.values()), default=0.0) * point(ax) > _WIDE
    left, foot = x + (1 - _WIDE) / 2, lane + _TALL / 2
    rectangles(ax, left[~bad], foot[~bad], _WIDE, tall[~bad], facecolor=BLUE, alpha=0.45)
    # Where cells are too narrow for their words, a hatch tells the bad ones.
    tinted(ax, left[bad], foot[bad], _WIDE, tall[bad], color=VERMILLION, hatch="xxxx" if narrow else "")
    for place, text in ({} if narrow else said).items():
        say(ax, text, (x[place] + 0.5, foot[place]), (0, 3), gid="share", va="bottom")
    there, whole = set(zip(x, lane, strict=True)), np.arange(every.min(), every.max() + 1)
    absent = [(day, row) for row in range(len(shown)) for day in whole if (day, row) not in there]
    at, row_ = np.array(absent, dtype=float).reshape(-1, 2).T
    hatched(ax, at + (1 - _WIDE) / 2, row_ - _TALL / 2, _WIDE, _TALL)
    return spec.finish(ax, frame, "", len(shown), len(spec.rows))
