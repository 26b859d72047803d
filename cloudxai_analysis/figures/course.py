"""The form of what runs over time: lines, bands, columns, a bound, and where nothing is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from cloudxai_analysis.figures import marks, style
from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.marks import End, Entry
from cloudxai_analysis.figures.style import BLUE, INK, KEY_TOP, SMALL_SIZE, TOP, VERMILLION, point, styled
from cloudxai_analysis.figures.timeline import HOUR, Floats, day_of, days, frame_words, time_axis, window_words
from cloudxai_analysis.ground.window import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Line:
    """Values over time, or the band from `foot` to them; `said` at the end, `gaps` hatched."""

    x: Floats
    y: Floats
    color: str = BLUE
    said: str = ""
    step: float = HOUR
    gaps: bool = False
    looks: Mapping[str, Any] = field(default_factory=dict)
    foot: Floats | None = None


@dataclass(frozen=True)
class Columns:
    """Tinted columns in cells that begin at `x` and are `step` wide, of which the share `air` stays free, from `base`.

    A value of NaN is hatched as unknown. `texts` stand at their ends where they all have room.
    """

    x: Floats
    y: Floats
    step: float = 1.0
    base: float = 0.0
    hatch: str = ""
    air: float = 0.24
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Unsure:
    """Stretches of which the numbers are not all known, hatched, and why in a word or two."""

    stretches: Sequence[tuple[float, float]]
    said: str = "no data"


Part = Line | Columns | Unsure


@dataclass(frozen=True)
class Bound:
    """A dashed line with its name; on the `bad` side of it the first part of a course stands out."""

    value: float
    said: str
    bad: Literal["above", "below", ""] = ""


@dataclass(frozen=True)
class Course:
    """How a frame is drawn over time.

    The column `value` over the column `at` is the first part, a line with the words `end` at its
    last value; `parts` gives others, or all. The frame's span, or the `window`, follows the
    `subtitle`, and `more` comes after it. A `step` of seven days gives the axis the names of ISO
    weeks.
    """

    title: Callable[[pd.DataFrame], str]
    subtitle: str
    value: str = ""
    at: str = "hour"
    step: float = HOUR
    end: Callable[[float], str] | None = None
    parts: Callable[[pd.DataFrame], Sequence[Part]] | None = None
    bound: Bound | None = None
    unit: Callable[[float], str] = "{:g}".format
    whole: bool = False
    limits: tuple[float, float] | None = None
    window: Window | None = None
    more: str = ""
    shaded: Sequence[tuple[float, float]] = ()
    events: Sequence[tuple[float, str]] = ()
    key: Sequence[Entry] = ()


@styled
def course(ax: Axes, frame: pd.DataFrame, spec: Course) -> Axes:
    """`frame` over time, as `spec` says."""
    if frame.empty or (spec.value and not np.isfinite(frame[spec.value].to_numpy(dtype=float)).any()):
        return style.empty(ax)
    parts = [*_own(frame, spec), *(spec.parts(frame) if spec.parts else ())]
    lines = [part for part in parts if isinstance(part, Line) and part.said and np.isfinite(part.y).any()]
    ends = [End(float(part.y[np.isfinite(part.y)][-1]), part.said, part.color) for part in lines]
    ends += [End(spec.bound.value, spec.bound.said)] if spec.bound else []
    ax.set_ylim(*(spec.limits or _limits(parts, ends)))
    left = marks.value_ticks(ax, spec.unit, whole=spec.whole)
    style.margins(ax, left=left, right=marks.end_room(ends), top=KEY_TOP if spec.key else TOP)
    span = _across(ax, frame, spec)
    for start, until in spec.shaded:
        ax.axvspan(start, until, facecolor=INK, edgecolor="none", alpha=0.12)
    if spec.bound:
        ax.axhline(spec.bound.value, color=INK, linewidth=1.1, linestyle=(0, (6, 3)), zorder=1.5)
    for part in parts:
        bound = spec.bound if part is parts[0] else None
        if isinstance(part, Line):
            _draw_line(ax, part, bound)
        elif isinstance(part, Columns):
            _draw_columns(ax, part, bound)
        else:
            marks.hatch_unknown(ax, part.stretches, part.said)
    if ax.get_ylim()[0] < 0 or any(isinstance(part, Columns) for part in parts):
        ax.axhline(0, color=INK, linewidth=0.8)
    marks.event_lines(ax, spec.events)
    marks.key(ax, spec.key)
    marks.end_labels(ax, ends)
    return style.title(ax, spec.title(frame), f"{spec.subtitle}, {span} (UTC){spec.more}")


def _own(frame: pd.DataFrame, spec: Course) -> list[Line]:
    if not spec.value:
        return []
    x, y = days(frame[spec.at]), frame[spec.value].to_numpy(dtype=float)
    said = spec.end(float(y[np.isfinite(y)][-1])) if spec.end else ""
    return [Line(x, y, said=said, step=spec.step, gaps=True)]


def _limits(parts: Sequence[Part], ends: Sequence[End]) -> tuple[float, float]:
    heights = [np.array([end.value for end in ends])]
    for part in parts:
        if isinstance(part, Line):
            heights += [part.y] if part.foot is None else [part.y, part.foot]
        elif isinstance(part, Columns):
            heights += [part.base + part.y]
    known = np.concatenate(heights)
    known = known[np.isfinite(known)]
    return 1.15 * float(known.min(initial=0.0)), 1.15 * float(known.max(initial=0.0)) or 1.0


def _across(ax: Axes, frame: pd.DataFrame, spec: Course) -> str:
    """Draw the axis below; the span that it covers, in words."""
    if spec.window:
        time_axis(ax, day_of(spec.window.start), day_of(spec.window.end))
        return window_words(spec.window)
    x = days(frame[spec.at])
    time_axis(ax, float(x.min()), float(x.max()) + spec.step, weekly=spec.step == 7)
    return frame_words(frame[spec.at], step=timedelta(days=spec.step))


def _beyond(y: Floats, bound: Bound | None) -> Any:
    """Which values lie on the bad side of the bound."""
    if bound is None or not bound.bad:
        return np.zeros(len(y), dtype=bool)
    return y > bound.value if bound.bad == "above" else y < bound.value


def _draw_line(ax: Axes, line: Line, bound: Bound | None) -> None:
    """Draw it, what lies beyond its bound once more, thick and in the colour of what is wrong."""
    if line.foot is not None:
        looks = {"facecolor": line.color, "linewidth": 0, "alpha": 0.25, **line.looks}
        (x, foot), (_, top) = (marks.broken(line.x, side, step=line.step) for side in (line.foot, line.y))
        ax.fill_between(x, foot, top, **looks)
        return
    marks.draw_line(ax, line.x, line.y, step=line.step, color=line.color, **line.looks)
    beyond = _beyond(line.y, bound)
    if beyond.any():
        worse = np.where(beyond, line.y, np.nan)
        marks.draw_line(ax, line.x, worse, step=line.step, color=VERMILLION, linewidth=3.2)
    if line.gaps:
        marks.hatch_unknown(ax, marks.unknown_stretches(line.x, line.y, step=line.step))


def _draw_columns(ax: Axes, columns: Columns, bound: Bound | None) -> None:
    """Draw them, those beyond their bound crossed and in the colour of what is wrong."""
    x, y, base, wide = columns.x, columns.y, columns.base, columns.step * (1 - columns.air)
    beyond = _beyond(base + y, bound)
    for chosen, color, hatch in ((~beyond, BLUE, columns.hatch), (beyond, VERMILLION, "xxxx")):
        some = chosen & np.isfinite(y) & (y != 0)
        left = x[some] + columns.step * columns.air / 2
        marks.tinted(ax, left, base, wide, y[some], color=color, hatch=hatch)
    marks.hatch_unknown(ax, marks.unknown_stretches(x, y, step=columns.step, edges=True))
    middle = x + columns.step / 2
    if _fit(middle / point(ax), columns.texts):
        for at, value, text in zip(middle, y, columns.texts, strict=False):
            if np.isfinite(value):
                away, side = ((0, -4), "top") if value < 0 else ((0, 3), "bottom")
                marks.say(ax, text, (at, base + value), away, gid="value", va=side)


def _fit(middle: Floats, texts: Sequence[str]) -> bool:
    """Whether texts do not touch that are written centred at these points."""
    said = [(at, text_width(text, SMALL_SIZE)) for at, text in zip(middle, texts, strict=False) if text]
    return all(right - left > (one + other) / 2 for (left, one), (right, other) in pairwise(said))
