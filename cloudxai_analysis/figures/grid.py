"""The form of shares by two names: a row each, a cell each, filled as high as its share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened, text_width
from cloudxai_analysis.figures.marks import Entry, key, lane_of, lanes, lanes_that_fit, left_out, say
from cloudxai_analysis.figures.shapes import hatched, rectangles
from cloudxai_analysis.figures.style import (
    BLUE,
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

_WIDE, _TALL = 0.84, 0.74  # of a cell's room


@dataclass(frozen=True)
class Grid:
    """How the rows of a frame become cells: of the column `row`, at the place `x` gives, filled by the column `share`.

    Of `rows` those are drawn that fit; `bad` says which cells stand out, `said` what is written into them. `axis` draws
    the axis below; with `framed` each cell has a frame; cells that no row fills are hatched where `missing` gives all
    places.
    """

    title: Callable[[pd.DataFrame], str]
    subtitle: str
    row: str
    rows: Sequence[str]
    x: Callable[[pd.DataFrame], Floats]
    share: str
    bad: Callable[[pd.DataFrame], pd.Series]
    said: Callable[[pd.DataFrame], Sequence[str]]
    axis: Callable[[Axes], None]
    noun: str
    framed: bool = False
    missing: Sequence[float] = ()
    key: Sequence[Entry] = ()


@styled
def grid(ax: Axes, frame: pd.DataFrame, spec: Grid) -> Axes:
    """The rows of `frame` as cells, as `spec` says."""
    if frame.empty:
        return empty(ax)
    top = KEY_TOP if spec.key else TOP
    shown = list(spec.rows[: lanes_that_fit(ax, top=top)])
    lanes(ax, [shortened(name, 30) for name in shown], top=top)
    ax.grid(visible=False)
    spec.axis(ax)
    cells = frame[frame[spec.row].astype(str).isin(shown)]
    x, foot = spec.x(cells) - _WIDE / 2, lane_of(cells[spec.row], shown) + _TALL / 2
    tall = -_TALL * np.clip(np.nan_to_num(cells[spec.share].to_numpy(dtype=float)), 0, 1)
    bad, said = spec.bad(cells).to_numpy(dtype=bool), spec.said(cells)
    room = _WIDE * axes_size(ax)[0] / np.ptp(ax.get_xlim())
    narrow = max((text_width(text, SMALL_SIZE) for text in said), default=0.0) > room
    for some, color in ((~bad, BLUE), (bad, VERMILLION)):
        rectangles(ax, x[some], foot[some], _WIDE, tall[some], facecolor=color, edgecolor="none", alpha=0.45)
    if narrow:
        # Where cells are too narrow for their words, a hatch tells the bad ones.
        hatched(ax, x[bad], foot[bad], _WIDE, tall[bad], edgecolor=VERMILLION, alpha=1.0, hatch="xxxx")
    if spec.framed:
        rectangles(ax, x, foot, _WIDE, -_TALL, facecolor="none", edgecolor=INK, linewidth=0.8)
    for at, low, text in zip(x, foot, () if narrow else said, strict=False):
        say(ax, text, (at + _WIDE / 2, low), (0, 3), gid="share", va="bottom")
    there = set(zip(x + _WIDE / 2, foot, strict=True))
    absent = [(at, lane + _TALL / 2) for lane in range(len(shown)) for at in spec.missing]
    left, low = np.array([place for place in absent if place not in there], dtype=float).reshape(-1, 2).T
    hatched(ax, left - _WIDE / 2, low, _WIDE, -_TALL)
    key(ax, spec.key)
    return title(ax, spec.title(frame), f"{spec.subtitle}{left_out(len(shown), len(spec.rows), spec.noun)}")
