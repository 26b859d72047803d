"""The form of what runs over time: lines, bands, columns, a bound, words at their ends, and where nothing is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from cloudxai_analysis.figures import marks
from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.marks import End, Entry
from cloudxai_analysis.figures.style import (
    BLUE,
    INK,
    KEY_TOP,
    SMALL_SIZE,
    TOP,
    VERMILLION,
    empty,
    margins,
    point,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import (
    HOUR,
    Floats,
    day_of,
    days,
    frame_words,
    time_axis,
    week_axis,
    window_words,
)
from cloudxai_analysis.ground.window import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Line:
    """Values over time, or the band from `foot` up to them; `said` stands at the end, and `gaps` are hatched."""

    x: Floats
    y: Floats
    color: str = BLUE
    said: str = ""
    step: float = HOUR
    gaps: bool = False
    looks: Mapping[str, Any] = field(default_factory=dict)
    foot: Floats | None = None

    def reach(self) -> Floats:
        """The heights that it takes."""
        return self.y if self.foot is None else np.append(self.foot, self.y)

    def draw(self, ax: Axes, bad: Callable[[Floats], Any]) -> None:
        """Draw it, what is `bad` once more, thick and in the colour of what is wrong."""
        if self.foot is not None:
            looks = {"facecolor": self.color, "linewidth": 0, "alpha": 0.25, **self.looks}
            (x, foot), (_, top) = (marks.broken(self.x, side, step=self.step) for side in (self.foot, self.y))
            ax.fill_between(x, foot, top, **looks)
            return
        marks.draw_line(ax, self.x, self.y, step=self.step, color=self.color, **self.looks)
        if np.any(beyond := bad(self.y)):
            worse = np.where(beyond, self.y, np.nan)
            marks.draw_line(ax, self.x, worse, step=self.step, color=VERMILLION, linewidth=3.2)
        if self.gaps:
            marks.hatch_unknown(ax, marks.unknown_stretches(self.x, self.y, step=self.step))


@dataclass(frozen=True)
class Columns:
    """Tinted columns in cells that begin at `x` and are `step` wide, of which the share `air` stays free, from `base`.

    A value of NaN is hatched as unknown. `texts` stand at their ends where they all have room.
    """

    x: Floats
    y: Floats
    step: float = 1.0
    color: str = BLUE
    base: float = 0.0
    hatch: str = ""
    air: float = 0.24
    texts: Sequence[str] = ()

    def reach(self) -> Floats:
        """The heights that they take."""
        return np.append(self.base, self.base + self.y)

    def draw(self, ax: Axes, bad: Callable[[Floats], Any]) -> None:
        """Draw them, those that are `bad` crossed and in the colour of what is wrong."""
        wide, beyond = self.step * (1 - self.air), np.asarray(bad(self.base + self.y), dtype=bool)
        for chosen, color, hatch in ((~beyond, self.color, self.hatch), (beyond, VERMILLION, "xxxx")):
            some = chosen & np.isfinite(self.y) & (self.y != 0)
            left = self.x[some] + self.step * self.air / 2
            marks.tinted(ax, left, self.base, wide, self.y[some], color=color, hatch=hatch)
        marks.hatch_unknown(ax, marks.unknown_stretches(self.x, self.y, step=self.step, edges=True))
        middle = self.x + self.step / 2
        if _fit(middle / point(ax), self.texts):
            for at, value, text in zip(middle, self.y, self.texts, strict=False):
                if np.isfinite(value):
                    away, side = ((0, -4), "top") if value < 0 else ((0, 3), "bottom")
                    marks.say(ax, text, (at, self.base + value), away, gid="value", va=side)


def _fit(middle: Floats, texts: Sequence[str]) -> bool:
    """Whether texts do not touch that are written centred at these points."""
    said = [(at, text_width(text, SMALL_SIZE)) for at, text in zip(middle, texts, strict=False) if text]
    return all(right - left > (one + other) / 2 for (left, one), (right, other) in pairwise(said))


@dataclass(frozen=True)
class Unsure:
    """Stretches of which the numbers are not all known, hatched, and why in a word or two."""

    stretches: Sequence[tuple[float, float]]
    said: str = "no data"

    def reach(self) -> Floats:
        """No height."""
        return np.array([])

    def draw(self, ax: Axes, _: Callable[[Floats], Any]) -> None:
        """Hatch them."""
        marks.hatch_unknown(ax, list(self.stretches), self.said)


Part = Line | Columns | Unsure


@dataclass(frozen=True)
class Bound:
    """A dashed line with its name; on the `bad` side of it the first part of a course stands out."""

    value: float
    said: str
    bad: Literal["above", "below", ""] = ""

    def beyond(self, y: Floats) -> Any:
        """Which of the values lie on the bad side."""
        return (y > self.value) & (self.bad == "above") | (y < self.value) & (self.bad == "below")


@dataclass(frozen=True)
class Course:
    """How a frame is drawn over time.

    The column `value` over the column `at` is the first part, a line with the words `end` at its last value; `parts`
    gives others, or all. The frame's span, or the `window`, follows the `subtitle`, and `more` comes after it. `weeks`
    take the place of the time axis.
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
    weeks: Sequence[str] = ()
    shaded: Sequence[tuple[float, float]] = ()
    events: Sequence[tuple[float, str]] = ()
    key: Sequence[Entry] = ()


@styled
def course(ax: Axes, frame: pd.DataFrame, spec: Course) -> Axes:
    """`frame` over time, as `spec` says."""
    if frame.empty or (spec.value and not np.isfinite(frame[spec.value].to_numpy(dtype=float)).any()):
        return empty(ax)
    parts = [*_own(frame, spec), *(spec.parts(frame) if spec.parts else ())]
    lines = [part for part in parts if isinstance(part, Line) and part.said and np.isfinite(part.y).any()]
    ends = [End(float(part.y[np.isfinite(part.y)][-1]), part.said, part.color) for part in lines]
    ends += [End(spec.bound.value, spec.bound.said)] if spec.bound else []
    ax.set_ylim(*(spec.limits or _limits([*(part.reach() for part in parts), [end.value for end in ends]])))
    left = marks.value_ticks(ax, spec.unit, whole=spec.whole)
    margins(ax, left=left, right=marks.end_room(ends) if ends else 14.0, top=KEY_TOP if spec.key else TOP)
    span = _across(ax, frame, spec)
    for start, until in spec.shaded:
        ax.axvspan(start, until, facecolor=INK, edgecolor="none", alpha=0.12)
    if spec.bound:
        ax.axhline(spec.bound.value, color=INK, linewidth=1.1, linestyle=(0, (6, 3)), zorder=1.5)
    for number, part in enumerate(parts):
        part.draw(ax, spec.bound.beyond if spec.bound and not number else lambda y: np.zeros(len(y), dtype=bool))
    if ax.get_ylim()[0] < 0 or any(isinstance(part, Columns) for part in parts):
        ax.axhline(0, color=INK, linewidth=0.8)
    marks.event_lines(ax, spec.events)
    marks.key(ax, spec.key)
    marks.end_labels(ax, ends)
    return title(ax, spec.title(frame), f"{spec.subtitle}{span}{spec.more}")


def _own(frame: pd.DataFrame, spec: Course) -> list[Line]:
    if not spec.value:
        return []
    x, y = days(frame[spec.at]), frame[spec.value].to_numpy(dtype=float)
    said = spec.end(float(y[np.isfinite(y)][-1])) if spec.end else ""
    return [Line(x, y, said=said, step=spec.step, gaps=True)]


def _limits(heights: Sequence[Any]) -> tuple[float, float]:
    known = np.concatenate([np.asarray(some, dtype=float) for some in heights])
    known = known[np.isfinite(known)]
    low, high = known.min(initial=0.0), known.max(initial=0.0)
    return 1.15 * float(low), 1.15 * float(high) or 1.0


def _across(ax: Axes, frame: pd.DataFrame, spec: Course) -> str:
    """Draw the axis below; the span that it covers, in words."""
    if spec.weeks:
        week_axis(ax, spec.weeks)
        return f", {spec.weeks[0]} to {spec.weeks[-1]} (UTC)"
    if spec.window:
        time_axis(ax, day_of(spec.window.start), day_of(spec.window.end))
        return f", {window_words(spec.window)} (UTC)"
    x = days(frame[spec.at])
    time_axis(ax, float(x.min()), float(x.max()) + spec.step)
    return f", {frame_words(frame[spec.at], step=timedelta(days=spec.step))} (UTC)"
