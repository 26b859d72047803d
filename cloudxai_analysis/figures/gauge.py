"""Figures of a cost gauge itself: its course where it contradicts what is said of it, and how far sums drift apart."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.lines import draw_band, draw_line, hatch_unknown
from cloudxai_analysis.figures.marks import lanes, lanes_that_fit, left_out
from cloudxai_analysis.figures.shapes import value_ticks
from cloudxai_analysis.figures.style import BLUE, INK, SMALL_SIZE, VERMILLION, empty, margins, styled, title
from cloudxai_analysis.figures.timeline import day_of, days, span_words, time_axis
from cloudxai_analysis.words.phrases import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = 24  # characters of a tenant's name


@styled
def gauge_course(
    ax: Axes, hours: pd.DataFrame, *, tenant: str, unit: str, marked: tuple[datetime, datetime], message: str
) -> Axes:
    """One tenant's gauge by hour, from least to greatest, with the stretch that a finding speaks of shaded.

    `hours`: tenant, hour, last, min, max, of the gauge.
    """
    own = hours[(hours["tenant"].astype(str) == tenant) & (hours["samples"] > 0)].sort_values("hour")
    own = own.groupby("hour")[["last", "min", "max"]].sum(min_count=1).reset_index()
    own = own[np.isfinite(own["last"].to_numpy(dtype=float))]
    if own.empty:
        return empty(ax, "no hour of this gauge has a number")
    x, last = days(own["hour"]), own["last"].to_numpy(dtype=float)
    low, high = min(float(own["min"].min()), 0.0), float(own["max"].max())
    room = 0.08 * ((high - low) or 1.0)
    ax.set_ylim(low - (room if low < 0 else 0.0), high + room)
    margins(ax, left=value_ticks(ax, "{:g}".format))
    time_axis(ax, float(x.min()), float(x.max()) + 1 / 24)
    ax.axvspan(day_of(marked[0]), day_of(marked[1]), facecolor=VERMILLION, alpha=0.15, linewidth=0)
    draw_band(ax, x, own["min"].to_numpy(dtype=float), own["max"].to_numpy(dtype=float), color=BLUE, alpha=0.25)
    draw_line(ax, x, last, color=BLUE)
    hatch_unknown(ax, x, last)
    if low < 0:
        ax.axhline(0, color=INK, linewidth=0.8)
    span = span_words(own["hour"].min().to_pydatetime(), own["hour"].max().to_pydatetime())
    return title(ax, message, f"Last value of each hour, {unit}, {span} (UTC); shaded: what the finding speaks of")


@styled
def drifts(ax: Axes, frame: pd.DataFrame, *, bound: float) -> Axes:
    """How far two sums of each tenant lie apart, the largest drift on top, between the bounds.

    `frame` as `measures.cost.reconciliation` gives it: tenant, currency, estimate, other, drift.
    """
    known = frame[np.isfinite(frame["drift"].to_numpy(dtype=float))]
    if known.empty:
        return empty(ax, "no tenant's two sums can be compared")
    shown = known.head(lanes_that_fit(ax))
    lanes(ax, [shortened(str(name), _NAME) for name in shown["tenant"]], right=64)
    drift = shown["drift"].to_numpy(dtype=float)
    most = max(1.15 * float(np.abs(drift).max()), 1.3 * bound)
    ax.set_xlim(-most, most)
    ticks = np.array([-bound, 0.0, bound])
    ax.set_xticks(ticks, [f"{tick:+.0%}" if tick else "0" for tick in ticks])
    for tick in (-bound, bound):
        ax.axvline(tick, color=INK, linewidth=1.1, linestyle=(0, (6, 3)))
    ax.axvline(0, color=INK, linewidth=0.8)
    inside = np.abs(drift) <= bound
    place = np.arange(len(shown), dtype=float)
    ax.hlines(place, 0, drift, color=INK, linewidth=0.8)
    for which, marker, color in ((inside, "o", BLUE), (~inside, "D", VERMILLION)):
        ax.plot(drift[which], place[which], linestyle="none", markersize=6, marker=marker, color=color)
    for at, value in zip(place, drift, strict=True):
        ax.text(
            1.02, at, _drift(value), transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL_SIZE, gid="value"
        )
    ax.set_xlabel("ours / theirs − 1; dashed: bound", loc="left")
    beyond = int((~inside).sum())
    message = (
        f"{beyond} of {len(known)} tenants drift beyond {percent(bound, 0)}"
        if beyond
        else f"All {len(known)} agree within {percent(bound, 0)}; most apart {_drift(drift[0])}"
    )
    detail = f"Relative drift of a tenant's two sums{left_out(len(shown), len(known), 'tenants')}"
    return title(ax, message, detail)


def _drift(share: float) -> str:
    return f"{100 * share:+.2f} %".replace("-", "−")
