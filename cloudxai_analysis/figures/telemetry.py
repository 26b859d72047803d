"""Figures of the telemetry: how much of it is there, where it has holes, and what was stored point by point."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.course import Line, Unsure, course
from cloudxai_analysis.figures.labels import share_words, shortened, text_width
from cloudxai_analysis.figures.lanes import lane_of, lanes
from cloudxai_analysis.figures.marks import Entry, hatched, key, left_out, rectangles, say, tinted, unknown_stretches
from cloudxai_analysis.figures.style import (
    BLUE,
    DASHES,
    KEY_TOP,
    PALETTE,
    SMALL_SIZE,
    VERMILLION,
    empty,
    point,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import day_of, days, moment_of, span_words, time_axis, usual_step
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE, _TALL = 0.84, 0.74  # of a cell's room


@styled
def coverage_by_day(ax: Axes, coverage: pd.DataFrame, *, least: float) -> Axes:
    """One lane per job with a cell per day, filled as high as the share of its time in which a target was up.

    `coverage`: job, day, expected_minutes, coverage. Days under `least` stand out; days without a
    row are hatched.
    """
    if coverage.empty:
        return empty(ax)
    every = days(coverage["day"])
    worst = coverage.groupby("job", observed=True)["coverage"].min().sort_values(kind="stable")
    shown = lanes(ax, [str(name) for name in worst.index], top=KEY_TOP)
    ax.grid(visible=False)
    time_axis(ax, every.min(), every.max() + 1)
    own = coverage[coverage["job"].astype(str).isin(shown)]
    x, lane, share = days(own["day"]), lane_of(own["job"], shown), own["coverage"].to_numpy(dtype=float)
    tall, bad = -_TALL * np.clip(np.nan_to_num(share), 0, 1), ~(share >= least)
    texts = {place: percent(share[place], 0) for place in np.flatnonzero(bad)}
    narrow = max((text_width(text, SMALL_SIZE) for text in texts.values()), default=0.0) * point(ax) > _WIDE
    left, foot = x + (1 - _WIDE) / 2, lane + _TALL / 2
    rectangles(ax, left[~bad], foot[~bad], _WIDE, tall[~bad], facecolor=BLUE, alpha=0.45)
    # Where cells are too narrow for their words, a hatch tells the bad ones.
    tinted(ax, left[bad], foot[bad], _WIDE, tall[bad], color=VERMILLION, hatch="xxxx" if narrow else "")
    for place, text in ({} if narrow else texts).items():
        say(ax, text, (x[place] + 0.5, foot[place]), (0, 3), gid="share", va="bottom")
    there = set(zip(x, lane, strict=True))
    whole = [(day, row) for row in range(len(shown)) for day in np.arange(every.min(), every.max() + 1)]
    at, rows = np.array([cell for cell in whole if cell not in there], dtype=float).reshape(-1, 2).T
    hatched(ax, at + (1 - _WIDE) / 2, rows - _TALL / 2, _WIDE, _TALL)
    square, most = {"marker": "s", "markerfacecolor": "none"}, percent(least, 0)
    good = Entry(f"at least {most}", {**square, "color": BLUE})
    short = Entry(f"under {most}", {**square, "color": VERMILLION})
    key(ax, [good, short, Entry("hatched: no scrape")])
    span, out = span_words(moment_of(every.min()), moment_of(every.max() + 1)), left_out(len(shown), len(worst), "jobs")
    return title(ax, _seen(coverage, least), f"Share of the time in which a target was up, {span} (UTC){out}")


def _seen(coverage: pd.DataFrame, least: float) -> str:
    expected, share = coverage["expected_minutes"].astype(float), coverage["coverage"].fillna(0.0)
    total = (share * expected).sum() / expected.sum() if expected.sum() > 0 else np.nan
    short = int((~(coverage["coverage"] >= least)).sum())
    said = f"{share_words(total)} of the time since the first scrape seen"
    return f"{said}, {short} of {count(len(coverage), 'day')} short" if short else said


def raw_samples(
    ax: Axes, samples: pd.DataFrame, *, metric: str, unit: str, window: Window, marked: tuple[datetime, datetime] | None
) -> Axes:
    """Samples of one metric by series, in steps as they were stored, with the time of a finding shaded.

    `samples`: series_id, time, value, instance.
    """
    if not samples["value"].notna().any():
        return empty(ax)
    most = samples.groupby("series_id")["value"].size().sort_values(ascending=False, kind="stable").index
    lines = []
    for series, color, dashes in zip(most, PALETTE, DASHES, strict=False):
        own = samples[samples["series_id"] == series]
        said, step = shortened(str(own["instance"].iloc[0]), 16), 5 / 3 * usual_step(own["time"])
        y, looks = own["value"].to_numpy(dtype=float), {"linestyle": dashes}
        lines.append(Line(days(own["time"]), y, color, said, step, looks=looks))
    x = days(samples["time"])
    return course(
        ax,
        [*lines, Unsure(unknown_stretches(x, np.ones(len(x)), step=lines[0].step))],
        title=f"{count(len(samples), 'sample')} from {samples['value'].min():g} to {samples['value'].max():g}",
        subtitle=f"{metric}, {unit}",
        window=window,
        more=left_out(len(lines), len(most), "series"),
        shaded=[] if marked is None else [(day_of(marked[0]), day_of(marked[1]))],
    )
