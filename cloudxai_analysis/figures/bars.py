"""The forms of what is told by name: bars from zero with their numbers, and marks with the interval of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened, text_width
from cloudxai_analysis.figures.marks import Entry, key, lanes, lanes_that_fit, left_out, right_texts, say
from cloudxai_analysis.figures.shapes import rectangles, tinted
from cloudxai_analysis.figures.style import (
    BLUE,
    BOTTOM,
    INK,
    KEY_TOP,
    SMALL_SIZE,
    TOP,
    VERMILLION,
    axes_size,
    empty,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FOOT = 14.0  # points below bars that need no axis
_AIR = 4.0  # points between a bar and its text
_HALF = 0.34  # of a lane, on each side of its middle


@dataclass(frozen=True)
class Layer:
    """The bars of one kind, or of a part of those below: tinted with a `hatch`, or plain where it is None."""

    values: Callable[[pd.DataFrame], pd.Series]
    color: str = BLUE
    hatch: str | None = ""


@dataclass(frozen=True)
class Bars:
    """How the rows of a frame are drawn as bars, the first on top.

    `said` gives the text behind a row's bar from its row, `left` the one before a bar to the left, `note` the one at
    the right edge; `noun` names the rows of which some are left out.
    """

    title: Callable[[pd.DataFrame], str]
    subtitle: str
    names: Callable[[pd.DataFrame], Sequence[str]]
    layers: Sequence[Layer]
    said: Callable[[pd.Series], str]
    noun: str
    left: Callable[[pd.Series], str] | None = None
    note: Callable[[pd.Series], str] | None = None
    xlabel: str = ""
    key: Sequence[Entry] = ()
    most: int = 20
    more: str = ""


def named(column: str, most: int = 26) -> Callable[[pd.DataFrame], list[str]]:
    """The names in a column, made short enough for a lane."""
    return lambda frame: [shortened(str(name), most) for name in frame[column]]


@styled
def bars(ax: Axes, frame: pd.DataFrame, spec: Bars) -> Axes:
    """The rows of `frame` as bars, as `spec` says."""
    if frame.empty:
        return empty(ax)
    edges = {"top": KEY_TOP if spec.key else TOP, "bottom": BOTTOM if spec.xlabel else _FOOT}
    shown = frame.head(min(spec.most, lanes_that_fit(ax, **edges)))
    notes = [spec.note(row) for _, row in shown.iterrows()] if spec.note else []
    wide = max((text_width(note, SMALL_SIZE) for note in notes), default=0.0)
    lanes(ax, spec.names(shown), right=wide + 16, **edges)
    drawn = [np.nan_to_num(layer.values(shown).to_numpy(dtype=float)) for layer in spec.layers]
    _say(ax, shown, spec, drawn)
    for values, layer in zip(drawn, spec.layers, strict=True):
        some = values != 0
        sides = (0.0, np.flatnonzero(some) - _HALF, values[some], 2 * _HALF)
        if layer.hatch is None:
            rectangles(ax, *sides, facecolor=layer.color, edgecolor="none")
        else:
            tinted(ax, *sides, color=layer.color, hatch=layer.hatch)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.set_xlabel(spec.xlabel, loc="left")
    right_texts(ax, notes)
    key(ax, spec.key)
    rest = left_out(len(shown), len(frame), spec.noun)
    return title(ax, spec.title(frame), f"{spec.subtitle}{rest}{spec.more}")


def _say(ax: Axes, shown: pd.DataFrame, spec: Bars, drawn: Sequence[Floats]) -> None:
    """The texts behind the bars, and before those to the left; the axis is as long as they all need."""
    low, high = (np.array(side([*drawn, np.zeros(len(shown))], axis=0)) for side in (np.min, np.max))
    texts: list[tuple[float, int, int, str]] = []
    for lane, (_, row) in enumerate(shown.iterrows()):
        if low[lane] < 0:
            texts.append((low[lane], lane, -1, (spec.left or spec.said)(row)))
        if high[lane] > 0 or low[lane] == 0:
            texts.append((high[lane], lane, 1, spec.said(row)))
    before, after = (
        max((text_width(text, SMALL_SIZE) for *_, side, text in texts if side == own), default=-_AIR) + 2 * _AIR
        for own in (-1, 1)
    )
    scale = (float(high.max() - low.min()) or 1.0) / max(axes_size(ax)[0] - before - after, 0.25 * axes_size(ax)[0])
    ax.set_xlim(low.min() - before * scale, high.max() + after * scale)
    for end, lane, side, text in texts:
        say(ax, text, (end, lane), (side * _AIR, 0), gid="value")


@dataclass(frozen=True)
class Intervals:
    """How the rows of a frame are drawn as marks at `value` with whiskers from `low` to `high`, shares all of them.

    A row over the `bound` stands out; `said` gives the text at its right.
    """

    title: Callable[[pd.DataFrame], str]
    subtitle: str
    names: Callable[[pd.DataFrame], Sequence[str]]
    said: Callable[[pd.Series], str]
    noun: str
    value: str
    low: str
    high: str
    bound: float
    xlabel: str


@styled
def intervals(ax: Axes, frame: pd.DataFrame, spec: Intervals) -> Axes:
    """The rows of `frame` as marks with whiskers, as `spec` says."""
    if frame.empty:
        return empty(ax)
    shown = frame.head(lanes_that_fit(ax))
    said = [spec.said(row) for _, row in shown.iterrows()]
    lanes(ax, spec.names(shown), right=max(text_width(text, SMALL_SIZE) for text in said) + 20)
    ax.set_xlim(-0.04, 1.04)
    ax.set_xticks(np.linspace(0, 1, 5), [f"{share:.0f} %" for share in np.linspace(0, 100, 5)])
    ax.axvline(spec.bound, color=INK, linewidth=1.1, linestyle=(0, (6, 3)))
    value, low, high = (shown[name].to_numpy(dtype=float) for name in (spec.value, spec.low, spec.high))
    for some, color, marker in ((value <= spec.bound, BLUE, "o"), (value > spec.bound, VERMILLION, "D")):
        place = np.flatnonzero(some)
        ax.hlines(place, low[some], high[some], color=color, linewidth=1.8)
        for edge in (low, high):
            ax.plot(edge[some], place, linestyle="none", marker="|", markersize=8, color=color)
        ax.plot(value[some], place, linestyle="none", marker=marker, markersize=7, color=color, clip_on=False)
    right_texts(ax, said)
    ax.set_xlabel(spec.xlabel, loc="left")
    return title(ax, spec.title(frame), f"{spec.subtitle}{left_out(len(shown), len(frame), spec.noun)}")
