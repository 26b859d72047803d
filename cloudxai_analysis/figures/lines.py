"""Lines over time that say where they know nothing, and stay small however many hours they cover."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.shapes import hatched, rectangles
from cloudxai_analysis.figures.style import INK, LINE, SMALL_SIZE, axes_size
from cloudxai_analysis.figures.timeline import HOUR, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 800  # nearly two for each point of the axes' width
_UNKNOWN = "no data"


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
    stretch = np.minimum(((x - x[0]) / (x[-1] - x[0]) * stretches).astype(np.int64), stretches - 1)
    bounds = np.append(np.flatnonzero(np.append(True, np.diff(stretch) > 0)), len(x))
    kept: set[int] = set()
    for begin, end in pairwise(bounds):
        part = y[begin:end]
        unknown = np.isnan(part)
        kept.update((begin, end - 1))
        if unknown.any():
            kept.add(begin + int(np.argmax(unknown)))
        if not unknown.all():
            kept.update((begin + int(np.nanargmin(part)), begin + int(np.nanargmax(part))))
    return np.array(sorted(kept), dtype=np.int64)


def unknown_stretches(x: Floats, y: Floats, *, step: float = HOUR, edges: bool = False) -> list[tuple[float, float]]:
    """The stretches between the values of `y` that are known, with `edges` also before the first and after the last."""
    known = np.sort(x[np.isfinite(y)])
    if edges and len(x):
        known = np.concatenate([[x.min() - step], known, [x.max() + step]])
    after = np.flatnonzero(np.diff(known) > 1.5 * step)
    return [(float(known[place] + step), float(known[place + 1])) for place in after]


def hatch(ax: Axes, stretches: list[tuple[float, float]], text: str = _UNKNOWN) -> None:
    """Hatch stretches of the horizontal axis from bottom to top, and name the widest one that has room for it."""
    if not stretches:
        return
    transform = ax.get_xaxis_transform()
    start, end = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
    left, right = ax.get_xlim()
    points = axes_size(ax)[0] / (right - left)
    wide, high, long = (end - start) * points, axes_size(ax)[1], text_width(text, SMALL_SIZE) + 10
    # The text stands on clear ground: above the hatching where it fits across, else upright below it.
    low, top = 0.0, 1.0
    looks: dict[str, Any] = {"transform": transform, "fontsize": SMALL_SIZE, "clip_on": True, "gid": "unknown"}
    if wide > long:
        top = 1 - LINE / high
        ax.text((start + end) / 2, 1 - 2 / high, text, ha="center", va="top", **looks)
    elif wide > LINE - 2 and long < 0.8 * high:
        low = long / high
        upright: dict[str, Any] = {"rotation": 90, "rotation_mode": "anchor", "ha": "left", "va": "center"}
        ax.text((start + end) / 2, 5 / high, text, **upright, **looks)
    x = np.array([stretch[0] for stretch in stretches])
    width = np.array([stretch[1] for stretch in stretches]) - x
    rectangles(ax, x, 0.0, width, 1.0, facecolor="none", edgecolor=INK, linewidth=0.6, alpha=0.4, transform=transform)
    hatched(ax, x, low, width, top - low, transform=transform, linewidth=0)
