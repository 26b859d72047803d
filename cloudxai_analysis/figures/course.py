"""The form of what runs over time: lines, bands, columns, a bound, and where nothing is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from cloudxai_analysis.figures import marks, style
from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.marks import End, Entry
from cloudxai_analysis.figures.style import BLUE, INK, KEY_TOP, SMALL_SIZE, TOP, VERMILLION, point, styled
from cloudxai_analysis.figures.timeline import HOUR, Floats, day_of, moment_of, span_words, time_axis, window_words
from cloudxai_analysis.ground.window import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Bound:
    """A dashed line with its name; on the `bad` side of it the first part of a course stands out."""

    value: float
    said: str
    bad: Literal["above", "below", ""] = ""

    def passed(self, y: Floats) -> Any:
        """Which values lie on the bad side."""
        return (y > self.value) & (self.bad == "above") | (y < self.value) & (self.bad == "below")


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

    @property
    def heights(self) -> Floats:
        """All that the axes must hold."""
        return self.y if self.foot is None else np.concatenate([self.y, self.foot])

    def draw(self, ax: Axes, bound: Bound | None) -> None:
        """Draw it, what lies beyond its bound once more, thick and in the colour of what is wrong."""
        if self.foot is not None:
            looks = {"facecolor": self.color, "linewidth": 0, "alpha": 0.25, **self.looks}
            (x, foot), (_, top) = (marks.broken(self.x, side, step=self.step) for side in (self.foot, self.y))
            ax.fill_between(x, foot, top, **looks)
            return
        marks.draw_line(ax, self.x, self.y, step=self.step, color=self.color, **self.looks)
        if bound and (beyond := bound.passed(self.y)).any():
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
    base: float = 0.0
    hatch: str = ""
    air: float = 0.24
    texts: Sequence[str] = ()
    said: ClassVar[str] = ""

    @property
    def heights(self) -> Floats:
        """All that the axes must hold."""
        return self.base + self.y

    def draw(self, ax: Axes, bound: Bound | None) -> None:
        """Draw them, those beyond their bound crossed and in the colour of what is wrong."""
        wide, middle = self.step * (1 - self.air), self.x + self.step / 2
        beyond = bound.passed(self.heights) if bound else np.zeros(len(self.y), dtype=bool)
        for chosen, color, hatch in ((~beyond, BLUE, self.hatch), (beyond, VERMILLION, "xxxx")):
            some = chosen & np.isfinite(self.y) & (self.y != 0)
            left = self.x[some] + self.step * self.air / 2
            marks.tinted(ax, left, self.base, wide, self.y[some], color=color, hatch=hatch)
        marks.hatch_unknown(ax, marks.unknown_stretches(self.x, self.y, step=self.step, edges=True))
        texts = list(zip(middle, self.y, self.texts, strict=False))
        at = [(place / point(ax), text_width(text, SMALL_SIZE)) for place, _, text in texts if text]
        if all(right - left > (one + other) / 2 for (left, one), (right, other) in pairwise(at)):
            for place, value, text in texts:
                if np.isfinite(value):
                    away, side = ((0, -4), "top") if value < 0 else ((0, 3), "bottom")
                    marks.say(ax, text, (place, self.base + value), away, gid="value", va=side)


@dataclass(frozen=True)
class Unsure:
    """Stretches of which the numbers are not all known, hatched, and why in a word or two."""

    stretches: Sequence[tuple[float, float]]
    why: str = "no data"
    x: ClassVar[Floats] = np.empty(0)
    y: ClassVar[Floats] = x
    heights: ClassVar[Floats] = x
    said: ClassVar[str] = ""

    def draw(self, ax: Axes, _: Bound | None) -> None:
        """Hatch them."""
        marks.hatch_unknown(ax, self.stretches, self.why)


Part = Line | Columns | Unsure


@styled
def course(
    ax: Axes,
    parts: Sequence[Part],
    *,
    title: str,
    subtitle: str,
    window: Window | None = None,
    more: str = "",
    bound: Bound | None = None,
    unit: Callable[[float], str] = "{:g}".format,
    whole: bool = False,
    limits: tuple[float, float] | None = None,
    shaded: Sequence[tuple[float, float]] = (),
    events: Sequence[tuple[float, str]] = (),
    key: Sequence[Entry] = (),
) -> Axes:
    """Parts over time, or that nothing is known; the time that they or the `window` cover follows the `subtitle`.

    Columns of seven days give the axis the names of ISO weeks; `whole` ticks stand for things that
    are counted.
    """
    known = [part for part in parts if np.isfinite(part.y).any()]
    if not known:
        return style.empty(ax)
    ends = [End(float(one.y[np.isfinite(one.y)][-1]), one.said, one.color) for one in known if isinstance(one, Line)]
    ends = [end for end in ends if end.text] + ([End(bound.value, bound.said)] if bound else [])
    heights = np.concatenate([[end.value for end in ends], *(part.heights for part in known)])
    heights = heights[np.isfinite(heights)]
    low, high = 1.15 * heights.min(initial=0.0), 1.15 * heights.max(initial=0.0) or 1.0
    ax.set_ylim(*(limits or (low, high)))
    left = marks.value_ticks(ax, unit, whole=whole)
    style.margins(ax, left=left, right=marks.end_room(ends), top=KEY_TOP if key else TOP)
    if window:
        span, start, end = window_words(window), day_of(window.start), day_of(window.end)
    else:
        drawn = [part for part in parts if len(part.x) and not isinstance(part, Unsure)]
        start, end = min(part.x.min() for part in drawn), max(part.x.max() + part.step for part in drawn)
        span = span_words(moment_of(start), moment_of(end))
    time_axis(ax, start, end, weekly=any(isinstance(part, Columns) and part.step == 7 for part in parts))
    for since, until in shaded:
        ax.axvspan(since, until, facecolor=INK, edgecolor="none", alpha=0.12)
    if bound:
        ax.axhline(bound.value, color=INK, linewidth=1.1, linestyle=(0, (6, 3)), zorder=1.5)
    for part in parts:
        part.draw(ax, bound if part is parts[0] else None)
    if ax.get_ylim()[0] < 0 or any(isinstance(part, Columns) for part in parts):
        ax.axhline(0, color=INK, linewidth=0.8)
    marks.event_lines(ax, events)
    marks.key(ax, key)
    marks.end_labels(ax, ends)
    return style.title(ax, title, f"{subtitle}, {span} (UTC){more}")
