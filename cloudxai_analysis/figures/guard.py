"""Figures of the guard: when it refused at which level of held tenants, and how long refused tenants are missing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened, without_port
from cloudxai_analysis.figures.lines import draw_line
from cloudxai_analysis.figures.marks import (
    End,
    Entry,
    bound_line,
    end_labels,
    end_room,
    key,
    lanes,
    lanes_that_fit,
    left_out,
)
from cloudxai_analysis.figures.shapes import rectangles, tinted, value_ticks, wide_enough
from cloudxai_analysis.figures.style import (
    BLUE,
    GREEN,
    INK,
    KEY_TOP,
    PURPLE,
    SMALL_SIZE,
    VERMILLION,
    empty,
    margins,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import HOUR, day_of, days, frame_words, time_axis, window_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import between, count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES = ((BLUE, "-"), (GREEN, (0, (5, 2))), (PURPLE, (0, (2, 1.5))))
_NAME = 16  # characters of an instance beside its line
_AT_CAP: dict[str, Any] = {"marker": "v", "color": VERMILLION, "markersize": 6}
_BELOW: dict[str, Any] = {"marker": "X", "color": INK, "markersize": 7}


@styled
def guard_course(ax: Axes, hours: pd.DataFrame, *, cap: int) -> Axes:
    """Held tenants of the fullest processes by hour, with the hours in which each refused, at its cap or below it.

    `hours` as `measures.guard.guard_hours` gives them: hour, job, instance, held, rejections, only_at_cap, restarted.
    """
    known = hours[hours["held"].notna()]
    if known.empty:
        return empty(ax, "no process exported tenants in this window")
    most = known.groupby("instance", observed=True)["held"].max().sort_values(ascending=False, kind="stable").index
    names = without_port(known["instance"].astype(str), most=_NAME)
    refused = known[known["rejections"] > 0]
    below = refused["only_at_cap"].astype("boolean").eq(False).fillna(False)
    drawn = [(known[known["instance"] == name], names[str(name)]) for name in most[: len(_LINES)]]
    lasts = [float(own["held"].iloc[-1]) for own, _ in drawn]
    ends = [End(last, name, _LINES[at][0]) for at, (last, (_, name)) in enumerate(zip(lasts, drawn, strict=True))]
    ends.append(End(cap, f"cap {cap}"))
    ax.set_ylim(0, 1.12 * max(cap, float(known["held"].max())))
    margins(ax, left=value_ticks(ax, "{:,.0f}".format, whole=True), right=end_room(ends), top=KEY_TOP)
    time_axis(ax, float(days(known["hour"]).min()), float(days(known["hour"]).max()) + HOUR)
    bound_line(ax, cap)
    for (own, _), (color, dashes) in zip(drawn, _LINES, strict=False):
        at = days(own["hour"])
        draw_line(ax, at, own["held"].to_numpy(dtype=float), color=color, linestyle=dashes, drawstyle="steps-post")
    for which, looks in ((~below, _AT_CAP), (below, _BELOW)):
        own = refused[which.to_numpy()]
        ax.plot(days(own["hour"]) + HOUR / 2, own["held"].to_numpy(dtype=float), linestyle="none", **looks)
    key(ax, [Entry("refused at the cap", _AT_CAP), Entry("refused below it", _BELOW)])
    end_labels(ax, ends)
    said = f"{count(len(refused), 'hour')} with refusals"
    message = f"{said}, {int(below.sum())} of them below the cap" if len(refused) else "Nothing was refused"
    span = frame_words(known["hour"], step=timedelta(hours=1))
    detail = f"Held tenants by process and hour, {span} (UTC){left_out(len(drawn), len(most), 'processes')}"
    return title(ax, message, detail)


@styled
def tainted_lanes(ax: Axes, stretches: pd.DataFrame, *, window: Window) -> Axes:
    """One lane per process, with a bar for the time in which tenants that it refused are missing from every number.

    `stretches` as `measures.taint.tainted_stretches` gives them: instance, start, last_refusal, until,
    missing_least, missing_most.
    """
    if stretches.empty:
        return empty(ax, "no guard refused a label in this window or before it")
    names = list(dict.fromkeys(stretches["instance"].astype(str)))
    shown = names[: lanes_that_fit(ax)]
    lanes(ax, [shortened(name, 20) for name in shown])
    time_axis(ax, day_of(window.start), day_of(window.end))
    own = stretches[stretches["instance"].astype(str).isin(shown)]
    start, refusing, until = (days(own[column]) for column in ("start", "last_refusal", "until"))
    start = np.maximum(start, ax.get_xlim()[0])
    place = np.array([shown.index(str(name)) for name in own["instance"]], dtype=float)
    tinted(ax, start, place - 0.3, wide_enough(ax, until - start), 0.6, color=VERMILLION)
    rectangles(ax, start, place - 0.3, wide_enough(ax, refusing - start), 0.6, facecolor=VERMILLION, edgecolor="none")
    middle = np.mean(ax.get_xlim())
    for at, end, lane, least, most in zip(start, until, place, own["missing_least"], own["missing_most"], strict=True):
        before = at > middle
        said = f"{between(least, most)} "
        ax.text(
            at if before else end,
            lane,
            said if before else f" {said}",
            ha="right" if before else "left",
            va="center",
            fontsize=SMALL_SIZE,
            gid="value",
        )
    least, most = stretches["missing_least"].sum(), stretches["missing_most"].sum(skipna=False)
    message = f"Tenants missing from numbers per tenant: {between(least, most)}"
    detail = f"Dark: refusing; light: until a restart or the end, {window_words(window)} (UTC)"
    return title(ax, message, f"{detail}{left_out(len(shown), len(names), 'processes')}")
