"""Bars drawn as one path however many they are, and the axis of values beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.style import HATCH, INK, TEXT_SIZE, axes_size
from cloudxai_analysis.figures.timeline import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TINT = 0.35
_COLUMNS = 250  # bars beyond which neighbours share one
_AIR = 4.0


def rectangles(ax: Axes, x: ArrayLike, y: ArrayLike, width: ArrayLike, height: ArrayLike, **looks: Any) -> None:
    """Draw rectangles from their lower left corners as one path."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    left, low, wide, high = (np.atleast_1d(side) for side in np.broadcast_arrays(x, y, width, height))
    known = np.isfinite(left) & np.isfinite(low) & np.isfinite(wide) & np.isfinite(high)
    left, low, wide, high = (side[known].astype(float) for side in (left, low, wide, high))
    if not len(left):
        return
    corners = np.stack(
        [
            np.stack([left, left + wide, left + wide, left], axis=1),
            np.stack([low, low, low + high, low + high], axis=1),
        ],
        axis=2,
    )
    ax.add_patch(PathPatch(Path.make_compound_path_from_polys(corners), **looks))


def tinted(
    ax: Axes, x: ArrayLike, y: ArrayLike, width: ArrayLike, height: ArrayLike, *, color: str, hatch: str = ""
) -> None:
    """Rectangles with a firm edge and a light inside, on which text of the page's colour can be read."""
    from matplotlib.colors import to_rgba

    rectangles(ax, x, y, width, height, facecolor=to_rgba(color, _TINT), edgecolor=color, linewidth=1.2)
    if hatch:
        rectangles(ax, x, y, width, height, facecolor="none", edgecolor=color, linewidth=0, hatch=hatch)


def hatched(ax: Axes, x: ArrayLike, y: ArrayLike, width: ArrayLike, height: ArrayLike, **looks: Any) -> None:
    """Rectangles that stand for what is not known."""
    unfilled = {"facecolor": "none", "edgecolor": INK, "linewidth": 0.6, "alpha": 0.4, "hatch": HATCH}
    rectangles(ax, x, y, width, height, **{**unfilled, **looks})


def wide_enough(ax: Axes, width: Floats, *, points: float = 2.0) -> Floats:
    """`width` in units of the horizontal axis, made at least so many points wide as to be seen."""
    left, right = ax.get_xlim()
    return np.maximum(width, points / axes_size(ax)[0] * (right - left))


def columns(ax: Axes, x: Floats, heights: Floats, *, width: float, color: str, base: Floats | None = None) -> None:
    """Columns from `base` up, of which neighbours share the highest where there are more than can be told apart."""
    base = np.zeros_like(heights) if base is None else base
    some = heights > 0
    x, heights, base = x[some], heights[some], base[some]
    left, right = ax.get_xlim()
    if len(x) > _COLUMNS:
        cell = (right - left) / _COLUMNS
        place = ((x - left) // cell).astype(np.int64)
        used, group = np.unique(place, return_inverse=True)
        tops, feet = np.zeros(len(used)), np.zeros(len(used))
        np.maximum.at(tops, group, base + heights)
        np.maximum.at(feet, group, base)
        x, heights, base, width = (left + used * cell).astype(np.float64), tops - feet, feet, cell
    wide = wide_enough(ax, np.full(len(x), width))
    rectangles(ax, x, base, wide, heights, facecolor=color, edgecolor="none", linewidth=0)


def value_ticks(ax: Axes, say: Callable[[float], str], *, whole: bool = False) -> float:
    """Label the vertical axis within its limits by `say`; the points that the labels need left of the axes."""
    low, high = sorted(ax.get_ylim())
    inside = even_ticks(low, high, 4, whole=whole)
    labels = [say(tick) for tick in inside]
    ax.set_yticks(inside, labels)
    ax.set_ylim(low, high)
    return max((text_width(label, TEXT_SIZE) for label in labels), default=0.0) + 12


def even_ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """About `most` round numbers from `low` to `high`."""
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(nbins=most, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = (high - low) * 1e-9
    return [float(tick) for tick in ticks if low - slack <= tick <= high + slack]
