"""A frame of an analyst's own in the house style, in the form that its columns ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.figures import style
from cloudxai_analysis.figures.course import Line, course
from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.lanes import bars
from cloudxai_analysis.figures.marks import left_out
from cloudxai_analysis.figures.style import DASHES, PALETTE, empty, new_axes, styled
from cloudxai_analysis.figures.svg import as_image, to_svg
from cloudxai_analysis.figures.timeline import days, usual_step
from cloudxai_analysis.ground.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Plot:
    """A figure as a notebook shows it; `axes` is matplotlib's own, to add to."""

    axes: Axes

    def __str__(self) -> str:
        return self.axes.get_title(loc="left") or "Nothing to draw"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        figure = to_svg(self.axes.figure, "plot", str(self))
        return {"image/svg+xml": figure, "text/html": as_image(figure, str(self)), "text/plain": str(self)}


def plot(frame: pd.DataFrame, *, value: str = "", by: str = "", title: str = "") -> Plot:
    """Draw `frame`: a time and numbers as courses, a name and a number as bars.

    `value` is the column of numbers, by default the first, or of courses all; `by` the column of
    names, one line or bar each; `title` what the figure says, by default its extremes.

    Raises
    ------
    UsageError
        It is no frame, has no such column, times without a zone, or no columns that a form is made
        for.
    """
    if not isinstance(frame, pd.DataFrame):
        raise UsageError(f"A DataFrame can be plotted, not a {type(frame).__name__}. Series have .to_frame().")
    for column in (value, by):
        if column and column not in frame:
            raise UsageError(f"The frame has no column '{column}'. It has {_listed(frame.columns)}.")
    frame = frame.rename(columns=str).reset_index(drop=True)
    times = [name for name in frame if pd.api.types.is_datetime64_any_dtype(frame[name])]
    numbers = [name for name in frame.select_dtypes("number") if name != by]
    names = [by] if by else [name for name in frame if name not in times and name not in numbers]
    for name in times:
        if frame[name].dt.tz is None:
            raise UsageError(f"The times of '{name}' have no zone. Give it: frame['{name}'].dt.tz_localize('UTC').")
    if value and value not in numbers:
        raise UsageError(f"Column '{value}' holds no numbers. Numbers are in {_listed(numbers)}.")
    ax = new_axes()
    if frame.empty:
        return Plot(empty(ax, "the frame has no row"))
    if times and numbers:
        several = by or (names[0] if names and frame[times[0]].duplicated().any() else "")
        return Plot(_course(ax, frame, times[0], [value] if value else numbers, several, title))
    if names and numbers:
        return Plot(_bars(ax, frame, value or numbers[0], names[0], title))
    raise UsageError(
        f"No form fits the columns {_listed(frame.columns)}: a time and a number, or a name and a number, are needed."
    )


def _course(ax: Axes, frame: pd.DataFrame, time: str, values: Sequence[str], by: str, title: str) -> Axes:
    if by and frame.duplicated([by, time]).any():
        raise UsageError(f"'{by}' has several rows of one time. Name the column that tells them apart: by=…")
    parts = frame.groupby(frame[by].astype(str), sort=False)[values[0]] if by else ((one, frame[one]) for one in values)
    columns = dict(iter(parts))
    order = sorted(columns, key=lambda name: -columns[name].max())
    said, step = f"{values[0]} by {by}" if by else ", ".join(values), usual_step(frame[time])
    lines = []
    for name, color, dashes in zip(order, PALETTE, DASHES, strict=False):
        x, y = days(frame.loc[columns[name].index, time]), columns[name].to_numpy(dtype=float)
        lines.append(Line(x, y, color, shortened(name, 16), step, len(order) == 1, {"linestyle": dashes}))
    known = pd.concat([columns[name] for name in order[: len(lines)]]).dropna()
    if known.empty:
        return empty(ax)
    return course(
        ax,
        lines,
        title=title or f"{shortened(said, 30)}: from {known.min():,.4g} to {known.max():,.4g}",
        subtitle=said,
        more=left_out(len(lines), len(order), "lines"),
        unit="{:,.4g}".format,
    )


@styled
def _bars(ax: Axes, frame: pd.DataFrame, value: str, name: str, title: str) -> Axes:
    known = frame[np.isfinite(frame[value].to_numpy(dtype=float))].sort_values(value, ascending=False, kind="stable")
    if known.empty:
        return empty(ax)
    names, ends = known[name].astype(str).tolist(), known[value].to_numpy(dtype=float)
    drawn = bars(ax, names, ends, [f"{end:,.4g}" for end in ends])
    message = title or f"{shortened(names[0])} has most: {ends[0]:,.4g}"
    return style.title(ax, message, f"{value} by {name}{left_out(drawn, len(known), 'rows')}")


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(f"'{name}'" for name in list(names)[:8]) or "none"
