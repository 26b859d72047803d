"""Level shifts: days from which a number stands on another level than before, found and dated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import typed

LEVEL_DAYS = 4  # the fewest days that make a level
_PENALTY = 5.0  # times the noise's variance times log(n)
_ABRUPT = 0.6  # share of the change that lies between the days next to it: a slope has less
_LEAST_NOISE = 0.5  # of a count: what rounding to whole numbers hides


def level_shifts(
    daily: pd.DataFrame, value: str, *, day: str = "day", least_days: int = LEVEL_DAYS, least_relative: float = 0.15
) -> pd.DataFrame:
    """Days from which the mean of a daily number differs lastingly from that of the days before.

    `daily` has one row a day; days whose `value` is NaN are unknown and left out. A level lasts at least `least_days`
    known days, and differs by `least_relative` of the level before; most of the change must lie between the days next
    to it, since a slope is no shift. The noise is judged by the differences of
    neighbouring days (1.4826 x their MAD / √2), which a step does not disturb.

    Columns: day (first known one on the new level), before, after (medians of the two levels, which one odd day does
    not move), change (after - before),
    relative (change / before; infinite from 0), days_before, days_after (known days of each level).

    Source: PELT with the cost of a mean (Killick, Fearnhead and Eckley, 2012, Journal of the American Statistical
    Association 107), by ruptures.
    """
    known = daily[daily[value].notna()].sort_values(day, ignore_index=True)
    numbers = known[value].to_numpy(dtype="float64")
    if len(numbers) < 2 * least_days:
        return typed([], level_shifts)
    import ruptures

    steps = np.diff(numbers)
    noise = max(1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / np.sqrt(2), _LEAST_NOISE)
    penalty = _PENALTY * noise**2 * np.log(len(numbers))
    ends = ruptures.Pelt(model="l2", min_size=least_days, jump=1).fit(numbers).predict(pen=penalty)
    bounds = [0, *ends]
    levels = [numbers[begin:end] for begin, end in zip(bounds, ends, strict=False)]
    rows: list[dict[str, Any]] = []
    for place in range(1, len(levels)):
        before, after = float(np.median(levels[place - 1])), float(np.median(levels[place]))
        new = np.abs(levels[place] - after) < np.abs(levels[place] - before)
        if before == after or new.sum() < least_days:
            continue
        relative = (after - before) / before if before else np.inf
        near = np.median(levels[place][:least_days]) - np.median(levels[place - 1][-least_days:])
        if abs(relative) < least_relative or near / (after - before) < _ABRUPT:
            continue
        rows.append(
            {
                "day": known[day].iloc[bounds[place]],
                "before": before,
                "after": after,
                "change": after - before,
                "relative": relative,
                "days_before": len(levels[place - 1]),
                "days_after": len(levels[place]),
            }
        )
    return typed(rows, level_shifts)
