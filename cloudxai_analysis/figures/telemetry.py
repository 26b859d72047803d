"""Figures of the telemetry: how much of it is there, where it has holes, and what was stored point by point."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.course import Course, Line, Part, Unsure, course
from cloudxai_analysis.figures.labels import share_words, shortened
from cloudxai_analysis.figures.lanes import Words, cells
from cloudxai_analysis.figures.marks import Entry, left_out, unknown_stretches
from cloudxai_analysis.figures.style import BLUE, DASHES, PALETTE, VERMILLION, empty
from cloudxai_analysis.figures.timeline import day_of, days, frame_words, usual_step
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.words.phrases import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def coverage_by_day(ax: Axes, coverage: pd.DataFrame, *, least: float) -> Axes:
    """One lane per job with a cell per day, filled as high as the share of its time in which a target was up.

    `coverage`: job, day, expected_minutes, coverage. Days under `least` stand out; days without a row are hatched.
    """
    if coverage.empty:
        return empty(ax)
    worst = coverage.groupby("job", observed=True)["coverage"].min().sort_values(kind="stable")

    def message(coverage: pd.DataFrame) -> str:
        expected, share = coverage["expected_minutes"].astype(float), coverage["coverage"].fillna(0.0)
        total = (share * expected).sum() / expected.sum() if expected.sum() > 0 else np.nan
        short = int((~(coverage["coverage"] >= least)).sum())
        said = f"{share_words(total)} of the time since the first scrape seen"
        return f"{said}, {short} of {count(len(coverage), 'day')} short" if short else said

    square = {"marker": "s", "markerfacecolor": "none"}
    words = Words(
        title=message,
        subtitle=f"Share of the time in which a target was up, {frame_words(coverage['day'], step=DAY)} (UTC)",
        noun="jobs",
        key=[
            Entry(f"at least {percent(least, 0)}", {**square, "color": BLUE}),
            Entry(f"under {percent(least, 0)}", {**square, "color": VERMILLION}),
            Entry("hatched: no scrape"),
        ],
    )
    rows = [str(name) for name in worst.index]
    return cells(ax, coverage, words, row="job", rows=rows, share="coverage", least=least)


def raw_samples(
    ax: Axes, samples: pd.DataFrame, *, metric: str, unit: str, window: Window, marked: tuple[datetime, datetime] | None
) -> Axes:
    """Samples of one metric by series, in steps as they were stored, with the time of a finding shaded.

    `samples`: series_id, time, value, instance.
    """
    most = samples.groupby("series_id")["value"].size().sort_values(ascending=False, kind="stable").index

    def parts(samples: pd.DataFrame) -> Sequence[Part]:
        drawn: list[Line] = []
        for series, color, dashes in zip(most, PALETTE, DASHES, strict=False):
            own = samples[samples["series_id"] == series]
            said = shortened(str(own["instance"].iloc[0]), 16)
            y, looks = own["value"].to_numpy(dtype=float), {"linestyle": dashes}
            drawn.append(Line(days(own["time"]), y, color, said, 5 / 3 * usual_step(own["time"]), looks=looks))
        x = days(samples["time"])
        return [*drawn, Unsure(unknown_stretches(x, np.ones(len(x)), step=drawn[0].step))]

    low, high = samples["value"].min(), samples["value"].max()
    spec = Course(
        title=lambda _: f"{count(len(samples), 'sample')} from {low:g} to {high:g}",
        subtitle=f"{metric}, {unit}",
        parts=parts,
        window=window,
        shaded=[] if marked is None else [(day_of(marked[0]), day_of(marked[1]))],
        more=left_out(min(len(most), len(PALETTE)), len(most), "series"),
    )
    return course(ax, samples if samples["value"].notna().any() else samples[:0], spec)
