"""What is written onto a figure instead of a legend: bounds, names at the ends of lines, events, keys, lanes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.style import (
    BOTTOM,
    INK,
    LINE,
    SMALL_SIZE,
    TEXT_SIZE,
    TOP,
    axes_size,
    figure_size,
    from_corner,
    margins,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 8.0


class End(NamedTuple):
    """What stands right of the axes at the height `value`, and the colour of the line that leads there."""

    value: float
    text: str
    color: str = INK


class Entry(NamedTuple):
    """One entry of a key: a text, and the looks of the marker before it, if it has one."""

    text: str
    looks: Mapping[str, Any] = {}


def box(text: str, color: str, *, tint: bool = True) -> Entry:
    """The entry of a key for bars of one colour, hollow where they are tinted."""
    return Entry(text, {"marker": "s", "color": color, **({"markerfacecolor": "none"} if tint else {})})


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
    return _GAP + 10 + max((text_width(end.text, SMALL_SIZE) for end in ends), default=0.0)


def bound_line(ax: Axes, value: float) -> None:
    """Draw a bound on the vertical axis; its name goes to `end_labels`."""
    ax.axhline(value, color=INK, linewidth=1.1, linestyle=(0, (6, 3)), zorder=1.5)


def end_labels(ax: Axes, ends: Sequence[End]) -> None:
    """Name lines and bounds right of the axes, moved apart where they would overlap; after the limits are set."""
    low, high = ax.get_ylim()
    height = axes_size(ax)[1]
    wanted = sorted((min(max((end.value - low) / (high - low), 0.0), 1.0), end) for end in ends)
    places = _apart([share for share, _ in wanted], 13.0 / height)
    for place, (share, end) in zip(places, wanted, strict=True):
        width = _GAP / axes_size(ax)[0]
        ax.plot([1, 1 + width], [share, place], transform=ax.transAxes, color=end.color, linewidth=0.9, clip_on=False)
        ax.text(1 + 1.3 * width, place, end.text, transform=ax.transAxes, va="center", fontsize=SMALL_SIZE, gid="end")


def _apart(shares: list[float], least: float) -> list[float]:
    """Ascending places at least `least` apart and as near to `shares` as a push up, then down from the top, leaves."""
    places: list[float] = []
    for share in shares:
        places.append(max(share, places[-1] + least) if places else share)
    ceiling = max(1.0, (len(shares) - 1) * least)
    for number in reversed(range(len(places))):
        places[number] = min(places[number], ceiling)
        ceiling = places[number] - least
    return places


def event_lines(ax: Axes, events: Sequence[tuple[float, str]]) -> None:
    """Mark moments by dotted lines, with their names at the top where there is room for them."""
    left, right = ax.get_xlim()
    width, transform = axes_size(ax)[0], ax.get_xaxis_transform()
    free = -np.inf
    for x, text in sorted(event for event in events if left <= event[0] <= right):
        ax.axvline(x, color=INK, linestyle=(0, (1, 2)), linewidth=1.1)
        ax.plot([x], [1.0], marker="v", markersize=5, color=INK, transform=transform, clip_on=False)
        place, long = (x - left) / (right - left) * width, text_width(text, SMALL_SIZE) + 5
        side = 1 if place + long < width else -1
        if min(place, place + side * long) < free:
            continue
        say(ax, text, (x, 1.0), (5 * side, 0), gid="event", va="top", coords=transform)
        free = max(place, place + side * long) + 6


def key(ax: Axes, entries: Sequence[Entry]) -> None:
    """One line below the title that says what each marker means; the axes keep `KEY_TOP` points free for it."""
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


def lanes_that_fit(ax: Axes, *, top: float = TOP, bottom: float = BOTTOM) -> int:
    """How many labelled lanes stand below each other without touching."""
    return max(1, int((figure_size(ax)[1] - top - bottom) / LINE))


def lanes(ax: Axes, names: Sequence[str], *, right: float = 14.0, top: float = TOP, bottom: float = BOTTOM) -> None:
    """One lane per name from the top down, lane `i` at the height `i`."""
    wide = max((text_width(name, TEXT_SIZE) for name in names), default=0.0)
    margins(ax, left=wide + 12, right=right, top=top, bottom=bottom)
    middle, half = (len(names) - 1) / 2, max(len(names) / 2, 1.25)
    ax.set_ylim(middle + half, middle - half)
    ax.set_yticks(range(len(names)), names)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x")


def right_texts(ax: Axes, texts: Sequence[str]) -> None:
    """Write a text right of each lane, from the top down."""
    for lane, text in enumerate(texts):
        say(ax, text, (1.0, lane), (6, 0), gid="value", coords=ax.get_yaxis_transform())


def left_out(drawn: int, all_: int, noun: str) -> str:
    """', 10 of 23 tenants' where some are not drawn."""
    return f", {drawn} of {all_:,} {noun}" if drawn < all_ else ""


def lane_of(labels: pd.Series, shown: Sequence[str]) -> NDArray[np.float64]:
    """The height of the lane that each label stands in."""
    places = {name: place for place, name in enumerate(shown)}
    return np.array([places[str(label)] for label in labels], dtype=float)
