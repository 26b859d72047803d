"""The form of what is counted by name: bars from zero, their numbers behind them, the rest of the names left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened, text_width
from cloudxai_analysis.figures.marks import Entry, key, lanes, lanes_that_fit, left_out, right_texts, say
from cloudxai_analysis.figures.shapes import rectangles, tinted
from cloudxai_analysis.figures.style import BLUE, BOTTOM, INK, KEY_TOP, SMALL_SIZE, TOP, axes_size, empty, styled, title
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
    the right edge; `marks` the place of a diamond; `noun` names the rows of which some are left out.
    """

    title: Callable[[pd.DataFrame], str]
    subtitle: str
    names: Callable[[pd.DataFrame], Sequence[str]]
    layers: Sequence[Layer]
    noun: str
    said: Callable[[pd.Series], str] = field(default=lambda _: "")
    left: Callable[[pd.Series], str] | None = None
    note: Callable[[pd.Series], str] | None = None
    marks: Callable[[pd.DataFrame], pd.Series] | None = None
    bound: float | None = None
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
    place, marks = np.arange(len(shown), dtype=float), _marks(shown, spec)
    _say(ax, shown, spec, drawn, marks)
    for values, layer in zip(drawn, spec.layers, strict=True):
        some = values != 0
        sides = (0.0, place[some] - _HALF, values[some], 2 * _HALF)
        if layer.hatch is None:
            rectangles(ax, *sides, facecolor=layer.color, edgecolor="none")
        else:
            tinted(ax, *sides, color=layer.color, hatch=layer.hatch)
    ax.plot(marks, place, linestyle="none", marker="D", markersize=6, color=INK)
    ax.axvline(0, color=INK, linewidth=0.8)
    if spec.bound is not None:
        ax.axvline(spec.bound, color=INK, linewidth=1.1, linestyle=(0, (6, 3)))
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.set_xlabel(spec.xlabel, loc="left")
    right_texts(ax, notes)
    key(ax, spec.key)
    rest = left_out(len(shown), len(frame), spec.noun)
    return title(ax, spec.title(frame), f"{spec.subtitle}{rest}{spec.more}")


def _marks(shown: pd.DataFrame, spec: Bars) -> Floats:
    return spec.marks(shown).to_numpy(dtype=float) if spec.marks else np.full(len(shown), np.nan)


def _say(ax: Axes, shown: pd.DataFrame, spec: Bars, drawn: Sequence[Floats], marks: Floats) -> None:
    """The texts behind the bars, and those before bars to the left; the axis is as long as they all need."""
    low, high = (np.array(side([*drawn, np.zeros(len(shown))], axis=0)) for side in (np.min, np.max))
    texts: list[tuple[float, int, int, str]] = []
    for lane, (_, row) in enumerate(shown.iterrows()):
        if spec.left:
            texts += [(low[lane], lane, -1, spec.left(row)), (high[lane], lane, 1, spec.said(row))]
        else:
            texts.append(
                (low[lane], lane, -1, spec.said(row)) if low[lane] < 0 else (high[lane], lane, 1, spec.said(row))
            )
    before, after = (
        max((text_width(text, SMALL_SIZE) for *_, side, text in texts if side == own), default=-_AIR) + 2 * _AIR
        for own in (-1, 1)
    )
    reach = max(high.max(), np.nanmax(marks, initial=0.0), spec.bound or 0.0)
    wide = axes_size(ax)[0]
    scale = (float(reach - low.min()) or 1.0) / max(wide - before - after, 0.25 * wide)
    ax.set_xlim(low.min() - before * scale, reach + after * scale)
    for end, lane, side, text in texts:
        say(ax, text, (end, lane), (side * _AIR, 0), gid="value")
