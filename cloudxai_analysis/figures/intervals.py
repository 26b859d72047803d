"""The form of what is known within an interval: a mark a name with its whiskers, and the bounds it is held to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.marks import lanes, lanes_that_fit, left_out, right_texts
from cloudxai_analysis.figures.style import BLUE, INK, SMALL_SIZE, VERMILLION, empty, styled, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Intervals:
    """How the rows of a frame are drawn as marks at `value` with whiskers from `low` to `high`, the first on top.

    A row beyond one of the `bounds` stands out; `said` gives the text at its right; `ticks` are labelled by `unit`.
    """

    title: Callable[[pd.DataFrame], str]
    subtitle: str
    names: Callable[[pd.DataFrame], Sequence[str]]
    said: Callable[[pd.Series], str]
    noun: str
    value: str
    low: str
    high: str
    bounds: Sequence[float]
    ticks: Sequence[float]
    unit: Callable[[float], str]
    xlabel: str


@styled
def intervals(ax: Axes, frame: pd.DataFrame, spec: Intervals) -> Axes:
    """The rows of `frame` as marks with whiskers, as `spec` says."""
    if frame.empty:
        return empty(ax)
    shown = frame.head(lanes_that_fit(ax))
    said = [spec.said(row) for _, row in shown.iterrows()]
    lanes(ax, spec.names(shown), right=max(text_width(text, SMALL_SIZE) for text in said) + 20)
    value, low, high = (shown[name].to_numpy(dtype=float) for name in (spec.value, spec.low, spec.high))
    known = np.concatenate([value, low, high, spec.ticks])
    known = known[np.isfinite(known)]
    ax.set_xlim(known.min() - 0.04 * np.ptp(known), known.max() + 0.04 * np.ptp(known))
    ax.set_xticks(spec.ticks, [spec.unit(tick) for tick in spec.ticks])
    for bound in spec.bounds:
        ax.axvline(bound, color=INK, linewidth=1.1, linestyle=(0, (6, 3)))
    place, beyond = np.arange(len(shown)), (value > max(spec.bounds)) | (value < min([*spec.bounds, 0.0]))
    for some, color, marker in ((~beyond, BLUE, "o"), (beyond, VERMILLION, "D")):
        ax.hlines(place[some], low[some], high[some], color=color, linewidth=1.8)
        for edge in (low, high):
            ax.plot(edge[some], place[some], linestyle="none", marker="|", markersize=8, color=color)
        ax.plot(value[some], place[some], linestyle="none", marker=marker, markersize=7, color=color, clip_on=False)
    right_texts(ax, said)
    ax.set_xlabel(spec.xlabel, loc="left")
    return title(ax, spec.title(frame), f"{spec.subtitle}{left_out(len(shown), len(frame), spec.noun)}")
