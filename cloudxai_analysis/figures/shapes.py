"""Bars and lines that stay small however many points they have, the axis of values, and the hatch of the unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.style import HATCH, INK, LINE, SMALL_SIZE, TEXT_SIZE, axes_size
from cloudxai_analysis.figures.timeline import HOUR, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TINT = 0.35
_COLUMNS = 250  # bars beyond which neighbours share one
_POINTS = 800  # of a line, nearly two for each point of the axes' width


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
    from matplotlib.ticker import MaxNLocator

    low, high = sorted(ax.get_ylim())
    ticks = MaxNLocator(nbins=4, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = (high - low) * 1e-9
    inside = [float(tick) for tick in ticks if low - slack <= tick <= high + slack]
    labels = [say(tick) for tick in inside]
    ax.set_yticks(inside, labels)
    ax.set_ylim(low, high)
    return max((text_width(label, TEXT_SIZE) for label in labels), default=0.0) + 12


def draw_line(ax: Axes, x: Floats, y: Floats, *, step: float = HOUR, **looks: Any) -> None:
    """Draw `y` over `x`, broken wherever a step is missing or NaN; lone points as dots, long lines thinned."""
    x, y = thinned(*broken(x, y, step=step))
    ax.plot(x, y, **looks)
    known = np.isfinite(y)
    before, after = np.append(False, known[:-1]), np.append(known[1:], False)
    alone = known & ~before & ~after
    if alone.any():
        ax.plot(x[alone], y[alone], linestyle="none", marker="o", markersize=3, color=looks.get("color", INK))


def broken(x: Floats, y: Floats, *, step: float) -> tuple[Floats, Floats]:
    """`x` and `y` in order, with a NaN put in wherever more than one and a half steps lie between two points."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], np.where(np.isfinite(y[order]), y[order], np.nan)
    after = np.flatnonzero(np.diff(x) > 1.5 * step) + 1
    return np.insert(x, after, x[after - 1] + step / 2), np.insert(y, after, np.nan)


def draw_band(ax: Axes, x: Floats, low: Floats, high: Floats, *, step: float = HOUR, **looks: Any) -> None:
    """Fill between `low` and `high` over `x`, broken and thinned as `draw_line` does."""
    (at, foot), (_, top) = broken(x, low, step=step), broken(x, high, step=step)
    kept = np.union1d(_kept(at, foot, _POINTS // 2), _kept(at, top, _POINTS // 2))
    ax.fill_between(at[kept], foot[kept], top[kept], **looks)


def thinned(x: Floats, y: Floats, *, most: int = _POINTS) -> tuple[Floats, Floats]:
    """The first, least, greatest, last and unknown points of each of `most` / 4 stretches; all where they are few."""
    kept = _kept(x, y, most)
    return x[kept], y[kept]


def _kept(x: Floats, y: Floats, most: int) -> NDArray[np.int64]:
    if len(x) <= most or x[-1] <= x[0]:
        return np.arange(len(x))
    stretches = max(most // 4, 1)
    stretch = np.minimum((x - x[0]) / (x[-1] - x[0]) * stretches, stretches - 1).astype(np.int64)
    place = pd.Series(np.arange(len(y)))
    unknown = place[np.isnan(y)].groupby(stretch[np.isnan(y)]).first()
    known = pd.Series(y).dropna().groupby(stretch[~np.isnan(y)])
    ends = [place.groupby(stretch).first(), place.groupby(stretch).last()]
    return np.unique(np.concatenate([*ends, unknown, known.idxmin(), known.idxmax()])).astype(np.int64)


def unknown_stretches(x: Floats, y: Floats, *, step: float = HOUR, edges: bool = False) -> list[tuple[float, float]]:
    """The stretches between the values of `y` that are known, with `edges` also before the first and after the last."""
    known = np.sort(x[np.isfinite(y)])
    if edges and len(x):
        known = np.concatenate([[x.min() - step], known, [x.max() + step]])
    after = np.flatnonzero(np.diff(known) > 1.5 * step)
    return [(float(known[place] + step), float(known[place + 1])) for place in after]


def hatch(ax: Axes, stretches: Sequence[tuple[float, float]], text: str = "no data") -> None:
    """Hatch stretches of the horizontal axis from bottom to top, and name the widest one that has room for it."""
    if not stretches:
        return
    transform = ax.get_xaxis_transform()
    start, end = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
    left, right = ax.get_xlim()
    wide, high, long = (end - start) * axes_size(ax)[0] / (right - left), axes_size(ax)[1], text_width(text, SMALL_SIZE)
    # The text stands on clear ground: above the hatching where it fits across, else upright below it.
    across, upright = wide > long + 10, wide > LINE - 2 and long + 10 < 0.8 * high
    low, top = (0.0, 1 - LINE / high) if across else ((long + 10) / high if upright else 0.0, 1.0)
    if across or upright:
        turned = {"ha": "center", "va": "top"} if across else {"rotation": 90, "ha": "center", "va": "bottom"}
        looks: dict[str, Any] = {"transform": transform, "fontsize": SMALL_SIZE, "clip_on": True, "gid": "unknown"}
        ax.text((start + end) / 2, 1 - 2 / high if across else 5 / high, text, **turned, **looks)
    x, until = np.array(stretches, dtype=float).T
    rectangles(ax, x, 0.0, until - x, 1.0, facecolor="none", linewidth=0.6, alpha=0.4, transform=transform)
    hatched(ax, x, low, until - x, top - low, transform=transform, linewidth=0)
