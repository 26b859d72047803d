"""What figures are drawn of: rectangles, lines, hatches, and words in a legend's place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.style import (
    HATCH,
    INK,
    SMALL_SIZE,
    TEXT_SIZE,
    axes_size,
    figure_size,
    from_corner,
    point,
)
from cloudxai_analysis.figures.timeline import HOUR, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 8.0
_APART = 13.0  # points between two end labels


class End(NamedTuple):
    """A text right of the axes at the height `value`, and the colour of the line to it."""

    value: float
    text: str
    color: str = INK


class Entry(NamedTuple):
    """One entry of a key: a text, and the looks of the marker before it, if it has one."""

    text: str
    looks: Mapping[str, Any] = {}


def rectangles(ax: Axes, x: ArrayLike, y: ArrayLike, width: ArrayLike, height: ArrayLike, **looks: Any) -> None:
    """Draw rectangles from their lower left corners as one path, but those with an unknown side."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    sides = np.stack(np.broadcast_arrays(*map(np.atleast_1d, (x, y, width, height)))).astype(float)
    left, low, wide, high = sides[:, np.isfinite(sides).all(axis=0)]
    if len(left):
        across, up = (left, left + wide, left + wide, left), (low, low, low + high, low + high)
        corners = np.stack([np.stack(across, axis=1), np.stack(up, axis=1)], axis=2)
        ax.add_patch(PathPatch(Path.make_compound_path_from_polys(corners), **{"edgecolor": "none", **looks}))


def tinted(ax: Axes, *sides: ArrayLike, color: str, hatch: str = "") -> None:
    """Rectangles with a firm edge and a light inside, on which text can be read."""
    from matplotlib.colors import to_rgba

    rectangles(ax, *sides, facecolor=to_rgba(color, 0.35), edgecolor=color, linewidth=1.2)
    if hatch:
        rectangles(ax, *sides, facecolor="none", edgecolor=color, linewidth=0, hatch=hatch)


def hatched(ax: Axes, *sides: ArrayLike, **looks: Any) -> None:
    """Rectangles that stand for what is not known."""
    rectangles(ax, *sides, facecolor="none", edgecolor=INK, linewidth=0.6, alpha=0.4, hatch=HATCH, **looks)


def hatch_unknown(ax: Axes, stretches: Sequence[tuple[float, float]], text: str = "no data") -> None:
    """Hatch stretches of time from bottom to top, and name the widest one if it has room."""
    if not stretches:
        return
    transform = ax.get_xaxis_transform()
    start, until = np.array(stretches, dtype=float).T
    widest, top = int((until - start).argmax()), 1.0
    if (until - start)[widest] > (text_width(text, SMALL_SIZE) + 6) * point(ax):
        top -= 15 / axes_size(ax)[1]  # the text stands on clear ground above the hatching
        say(ax, text, ((start + until)[widest] / 2, 1.0), (0, -2), gid="unknown", va="top", coords=transform)
    hatched(ax, start, 0.0, until - start, top, transform=transform)


def unknown_stretches(x: Floats, y: Floats, *, step: float = HOUR, edges: bool = False) -> list[tuple[float, float]]:
    """The stretches between known values of `y`; with `edges` those before and after them, too."""
    known = np.sort(x[np.isfinite(y)])
    if edges and len(x):
        known = np.concatenate([[x.min() - step], known, [x.max() + step]])
    after = np.flatnonzero(np.diff(known) > 1.5 * step)
    return [(float(known[place] + step), float(known[place + 1])) for place in after]


def draw_line(ax: Axes, x: Floats, y: Floats, *, step: float = HOUR, **looks: Any) -> None:
    """Draw `y` over `x`, broken wherever a step is missing or NaN; lone points as dots."""
    x, y = broken(x, y, step=step)
    ax.plot(x, y, **looks)
    known = np.isfinite(y)
    alone = known & ~np.append(False, known[:-1]) & ~np.append(known[1:], False)
    ax.plot(x[alone], y[alone], linestyle="none", marker="o", markersize=3, color=looks.get("color", INK))


def broken(x: Floats, y: Floats, *, step: float) -> tuple[Floats, Floats]:
    """`x` and `y` in order, with a NaN wherever over one and a half steps lie between two points."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], np.where(np.isfinite(y[order]), y[order], np.nan)
    after = np.flatnonzero(np.diff(x) > 1.5 * step) + 1
    return np.insert(x, after, x[after - 1] + step / 2), np.insert(y, after, np.nan)


def value_ticks(ax: Axes, words: Callable[[float], str], *, whole: bool = False) -> float:
    """Label the vertical axis by `words`; the points that the labels need left of the axes."""
    from matplotlib.ticker import MaxNLocator

    low, high = ax.get_ylim()
    ticks = MaxNLocator(nbins=4, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = (high - low) * 1e-9
    inside = [float(tick) for tick in ticks if low - slack <= tick <= high + slack]
    labels = [words(tick) for tick in inside]
    ax.set_yticks(inside, labels)
    ax.set_ylim(low, high)
    return max((text_width(label, TEXT_SIZE) for label in labels), default=0.0) + 12


def say(
    ax: Axes,
    text: str,
    at: tuple[float, float],
    away: tuple[float, float],
    *,
    gid: str,
    va: str = "center",
    coords: Any = "data",
) -> None:
    """Write `text` so many points away from a place, on that side of it."""
    side = ("center", "left", "right")[int(np.sign(away[0]))]
    looks: dict[str, Any] = {"ha": side, "va": va, "fontsize": SMALL_SIZE, "gid": gid}
    ax.annotate(text, at, away, xycoords=coords, textcoords="offset points", **looks)


def end_room(ends: Sequence[End]) -> float:
    """Points that the longest end label needs right of the axes."""
    return max((_GAP + 10 + text_width(end.text, SMALL_SIZE) for end in ends), default=14.0)


def end_labels(ax: Axes, ends: Sequence[End]) -> None:
    """Name lines and bounds right of the axes, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    wide, tall = axes_size(ax)
    wanted = sorted((min(max((end.value - low) / (high - low), 0.0), 1.0), end) for end in ends)
    least, places = _APART / tall, [share for share, _ in wanted]
    for number in range(1, len(places)):
        places[number] = max(places[number], places[number - 1] + least)
    ceiling = max(1.0, (len(places) - 1) * least)
    for number in reversed(range(len(places))):
        places[number] = min(places[number], ceiling)
        ceiling = places[number] - least
    gap = _GAP / wide
    for place, (share, end) in zip(places, wanted, strict=True):
        ax.plot([1, 1 + gap], [share, place], transform=ax.transAxes, color=end.color, linewidth=0.9, clip_on=False)
        ax.text(1 + 1.3 * gap, place, end.text, transform=ax.transAxes, va="center", fontsize=SMALL_SIZE, gid="end")


def event_lines(ax: Axes, events: Sequence[tuple[float, str]]) -> None:
    """Mark moments by dotted lines, with their names at the top where there is room for them."""
    left, right = ax.get_xlim()
    transform, free = ax.get_xaxis_transform(), left
    for x, text in sorted(event for event in events if left <= event[0] <= right):
        ax.axvline(x, color=INK, linestyle=(0, (1, 2)), linewidth=1.1)
        ax.plot([x], [1.0], marker="v", markersize=5, color=INK, transform=transform, clip_on=False)
        wide = (text_width(text, SMALL_SIZE) + 5) * point(ax)
        side = 1 if x + wide < right else -1
        if min(x, x + side * wide) >= free:
            say(ax, text, (x, 1.0), (5 * side, 0), gid="event", va="top", coords=transform)
            free = max(x, x + side * wide) + 6 * point(ax)


def key(ax: Axes, entries: Sequence[Entry]) -> None:
    """One line below the title that says what each marker means; it needs `KEY_TOP` points."""
    at, room = 6.0, figure_size(ax)[0]
    for entry in entries:
        before, wide = (14.0 if entry.looks else 0.0), text_width(entry.text, SMALL_SIZE)
        if at + before + wide > room:
            break
        if entry.looks:
            x, y = from_corner(ax, at + 4, 53)
            ax.plot([x], [y], transform=ax.transAxes, linestyle="none", clip_on=False, **entry.looks)
        x, y = from_corner(ax, at + before, 53)
        ax.text(x, y, entry.text, transform=ax.transAxes, va="center", fontsize=SMALL_SIZE, gid="key")
        at += before + wide + 14


def left_out(drawn: int, all_: int, noun: str) -> str:
    """', 10 of 23 tenants' where some are not drawn."""
    return f", {drawn} of {all_:,} {noun}" if drawn < all_ else ""
