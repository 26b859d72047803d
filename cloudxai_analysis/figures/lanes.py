"""The forms of what is told by name, a lane each: bars, shares with their intervals, stretches of time, cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.figures import style
from cloudxai_analysis.figures.labels import shortened, text_width
from cloudxai_analysis.figures.marks import Entry, hatched, key, left_out, rectangles, say, tinted
from cloudxai_analysis.figures.timeline import Floats, day_of, days, time_axis, window_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FOOT = 14.0  # points below bars that need no axis
_AIR = 4.0  # points between a bar and its text
_HALF = 0.34  # of a lane, on each side of its middle
_STACK = 5  # stretches of the same moment that a lane shows beside each other
_WIDE, _TALL = 0.84, 0.74  # of a cell's room


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a figure of lanes says: `noun` names the lanes of which some are left out, `more` follows the subtitle."""

    title: Callable[[pd.DataFrame], str]
    subtitle: str
    noun: str
    key: Sequence[Entry] = ()
    more: str = ""


def _fitting(ax: Axes, words: Words, bottom: float = style.BOTTOM) -> int:
    """How many labelled lanes stand below each other without touching."""
    return max(1, int((style.figure_size(ax)[1] - (style.KEY_TOP if words.key else style.TOP) - bottom) / style.LINE))


def _lanes(ax: Axes, words: Words, names: Sequence[str], right: Sequence[str] = (), foot: float = style.BOTTOM) -> None:
    """One lane per name from the top down, lane `i` at the height `i`, with a text at the right of each."""
    wide = max((text_width(name, style.TEXT_SIZE) for name in names), default=0.0)
    beside = max((text_width(text, style.SMALL_SIZE) for text in right), default=-6.0)
    style.margins(ax, left=wide + 12, right=beside + 20, top=style.KEY_TOP if words.key else style.TOP, bottom=foot)
    middle, half = (len(names) - 1) / 2, max(len(names) / 2, 1.25)
    ax.set_ylim(middle + half, middle - half)
    ax.set_yticks(range(len(names)), names)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x")
    for lane, text in enumerate(right):
        say(ax, text, (1.0, lane), (6, 0), gid="value", coords=ax.get_yaxis_transform())


def _finished(ax: Axes, words: Words, frame: pd.DataFrame, left: str, span: str = "") -> Axes:
    """The key and the title, which come last."""
    key(ax, words.key)
    return style.title(ax, words.title(frame), f"{words.subtitle}{span}{left}{words.more}")


@style.styled
def bars(
    ax: Axes,
    frame: pd.DataFrame,
    words: Words,
    *,
    name: str,
    value: str,
    said: Callable[[pd.Series], str],
    color: str = style.BLUE,
    most: int = 20,
) -> Axes:
    """The rows of `frame` as bars as long as the column `value`, the first on top, named by `name`.

    `said` gives the text at a bar's end from its row; bars to the left are hatched.
    """
    if frame.empty:
        return style.empty(ax)
    shown = frame.head(min(most, _fitting(ax, words, _FOOT)))
    _lanes(ax, words, [shortened(str(one)) for one in shown[name]], foot=_FOOT)
    ends, texts = shown[value].to_numpy(dtype=float), [said(row) for _, row in shown.iterrows()]
    low, high, wide = ends.min(initial=0.0), ends.max(initial=0.0), style.axes_size(ax)[0]
    # The axis is as long as the texts at its ends need.
    room = max(text_width(text, style.SMALL_SIZE) for text in texts) + 2 * _AIR
    left = room if low < 0 else 0.0
    scale = ((high - low) or 1.0) / max(wide - room - left, 0.25 * wide)
    ax.set_xlim(low - left * scale, high + room * scale)
    for lane, (end, text) in enumerate(zip(ends, texts, strict=True)):
        say(ax, text, (end, lane), (-_AIR if end < 0 else _AIR, 0), gid="value")
    for some, tint, hatch in ((ends > 0, color, ""), (ends < 0, style.BLUE, style.HATCH)):
        tinted(ax, 0.0, np.flatnonzero(some) - _HALF, ends[some], 2 * _HALF, color=tint, hatch=hatch)
    ax.axvline(0, color=style.INK, linewidth=0.8)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    return _finished(ax, words, frame, left_out(len(shown), len(frame), words.noun))


@style.styled
def intervals(
    ax: Axes,
    frame: pd.DataFrame,
    words: Words,
    *,
    names: Callable[[pd.DataFrame], Sequence[str]],
    said: Callable[[pd.Series], str],
    bound: float,
    xlabel: str,
) -> Axes:
    """The rows of `frame` as marks at their `rate` with whiskers from `low` to `high`; those over `bound` stand out.

    `said` gives the text at a row's right.
    """
    if frame.empty:
        return style.empty(ax)
    shown = frame.head(_fitting(ax, words))
    _lanes(ax, words, names(shown), [said(row) for _, row in shown.iterrows()])
    ax.set_xlim(-0.04, 1.04)
    ax.set_xticks(np.linspace(0, 1, 5), [f"{share} %" for share in range(0, 101, 25)])
    ax.set_xlabel(xlabel, loc="left")
    ax.axvline(bound, color=style.INK, linewidth=1.1, linestyle=(0, (6, 3)))
    rate, low, high = (shown[name].to_numpy(dtype=float) for name in ("rate", "low", "high"))
    looks: dict[str, Any] = {"markersize": 7, "capsize": 4, "elinewidth": 1.8, "clip_on": False}
    for some, color, marker in ((rate <= bound, style.BLUE, "o"), (rate > bound, style.VERMILLION, "D")):
        off = np.abs([rate[some] - low[some], high[some] - rate[some]])
        ax.errorbar(rate[some], np.flatnonzero(some), xerr=off, fmt=marker, color=color, **looks)
    return _finished(ax, words, frame, left_out(len(shown), len(frame), words.noun))


@style.styled
def stretches(
    ax: Axes,
    frame: pd.DataFrame,
    words: Words,
    *,
    window: Window,
    lane: str,
    lanes: Sequence[str],
    start: str,
    end: str,
    mark: str = "",
    marks: Mapping[str, Mapping[str, Any]] | None = None,
) -> Axes:
    """The rows of `frame` from `start` to `end` (missing: it goes on), each in its `lane`; `lanes` from the top.

    `mark` is the column that says which of `marks` stands at a row's start.
    """
    if frame.empty:
        return style.empty(ax)
    shown = lanes[: _fitting(ax, words)]
    _lanes(ax, words, [shortened(name, 30) for name in shown])
    time_axis(ax, day_of(window.start), day_of(window.end))
    inside = frame[frame[lane].astype(str).isin(shown)].sort_values(start, kind="stable")
    left, beyond = ax.get_xlim()
    at, until = _lane_of(inside[lane], shown), days(inside[end])
    begun, until = np.maximum(days(inside[start]), left), np.where(np.isfinite(until), until, beyond)
    wide = np.maximum(until - begun, 2 * style.point(ax))
    if marks:
        _mark(ax, inside[mark].astype(str).to_numpy(), at, begun, wide, marks)
    else:
        rectangles(ax, begun, at - 0.3, wide, 0.6, facecolor=style.VERMILLION)
    on = inside[end].isna().to_numpy()
    ax.plot(until[on], at[on], linestyle="none", marker=">", markersize=7, color=style.INK, clip_on=False)
    span = f", {window_words(window)} (UTC)"
    return _finished(ax, words, frame, left_out(len(shown), len(lanes), words.noun), span)


def _lane_of(labels: pd.Series, shown: Sequence[str]) -> Floats:
    return labels.astype(str).map({name: place for place, name in enumerate(shown)}).to_numpy(dtype=float)


def _mark(
    ax: Axes, kinds: Any, lane: Floats, start: Floats, wide: Floats, marks: Mapping[str, Mapping[str, Any]]
) -> None:
    """Thin bars with a marker at their start; those of one moment stand above each other, a crowd says its number."""
    order = np.lexsort((start, lane))
    apart = (np.diff(lane[order]) > 0) | (np.diff(start[order]) > 8 * style.point(ax))
    crowd = pd.Series(np.append(0, np.cumsum(apart)), index=order).sort_index()
    rank, size = crowd.groupby(crowd).cumcount().to_numpy(), crowd.groupby(crowd).transform("size").to_numpy()
    height = lane + 0.17 * np.array([0, 1, -1, 2, -2])[rank % _STACK]
    rectangles(ax, start, height - 0.06, wide, 0.12, facecolor=style.INK, alpha=0.55)
    for name, looks in marks.items():
        some = kinds == name
        ax.plot(start[some], height[some], linestyle="none", markersize=6.5, **looks)
    left, right = ax.get_xlim()
    for last in np.flatnonzero((rank == size - 1) & (size > _STACK)):
        away = 8 if start[last] < (left + right) / 2 else -8
        say(ax, f"{size[last]:.0f} at once", (start[last], lane[last]), (away, 0), gid="value")


@style.styled
def cells(
    ax: Axes,
    frame: pd.DataFrame,
    words: Words,
    *,
    row: str,
    rows: Sequence[str],
    share: str,
    least: float,
) -> Axes:
    """The rows of `frame` as cells: a lane each of the column `row`, a cell each `day`, filled by its `share`.

    Of `rows` those that fit are drawn; shares under `least` stand out with their number, days without one are hatched.
    """
    if frame.empty:
        return style.empty(ax)
    shown, every = list(rows[: _fitting(ax, words)]), days(frame["day"])
    _lanes(ax, words, [shortened(name, 30) for name in shown])
    ax.grid(visible=False)
    time_axis(ax, every.min(), every.max() + 1)
    own = frame[frame[row].astype(str).isin(shown)]
    x, lane, shares = days(own["day"]), _lane_of(own[row], shown), own[share].to_numpy(dtype=float)
    tall, bad = -_TALL * np.clip(np.nan_to_num(shares), 0, 1), ~(shares >= least)
    texts = {place: percent(shares[place], 0) for place in np.flatnonzero(bad)}
    narrow = max((text_width(text, style.SMALL_SIZE) for text in texts.values()), default=0.0) * style.point(ax) > _WIDE
    left, foot = x + (1 - _WIDE) / 2, lane + _TALL / 2
    rectangles(ax, left[~bad], foot[~bad], _WIDE, tall[~bad], facecolor=style.BLUE, alpha=0.45)
    # Where cells are too narrow for their words, a hatch tells the bad ones.
    tinted(ax, left[bad], foot[bad], _WIDE, tall[bad], color=style.VERMILLION, hatch="xxxx" if narrow else "")
    for place, text in ({} if narrow else texts).items():
        say(ax, text, (x[place] + 0.5, foot[place]), (0, 3), gid="share", va="bottom")
    there, whole = set(zip(x, lane, strict=True)), np.arange(every.min(), every.max() + 1)
    absent = [(day, lane_) for lane_ in range(len(shown)) for day in whole if (day, lane_) not in there]
    at, lane_ = np.array(absent, dtype=float).reshape(-1, 2).T
    hatched(ax, at + (1 - _WIDE) / 2, lane_ - _TALL / 2, _WIDE, _TALL)
    return _finished(ax, words, frame, left_out(len(shown), len(rows), words.noun))
