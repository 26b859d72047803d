"""Time seen: each sample stands for the time to the next scrape, and nothing stands for what nobody scraped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import TIME, micros

STEPS = 2.5
_AROUND = 30  # steps before and after a sample that say what is usual there
_FEWEST = 3
_REGULAR = 1.2
_CHUNK = 100_000  # samples whose surroundings are in memory at once
_NEVER = np.iinfo("int64").max // 4
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def holds(samples: pd.DataFrame) -> pd.DataFrame:
    """How long each sample stands for its series: one row a sample that has a value, by series and time.

    `samples` have series_id, time and value; a missing value, such as a staleness marker, ends what
    holds.

    Columns: those of `samples`, start (its time), end, step (seconds from scrape to scrape around
    it; 0 where unknown).
    """
    frame = samples.sort_values(["series_id", "time"], kind="stable", ignore_index=True)
    time, series = micros(frame["time"]), frame["series_id"].to_numpy()
    ahead = np.full(len(time), _NEVER)
    ahead[:-1] = np.where(series[1:] == series[:-1], np.diff(time), _NEVER)
    rows = np.flatnonzero(frame["value"].notna())
    step = _local_steps(ahead, rows)
    end = moments(time[rows] + np.minimum(ahead[rows], (STEPS * step).astype("int64")))
    found = frame.iloc[rows].reset_index(drop=True)
    return found.assign(start=found["time"], end=end, step=step / 1e6)


def _local_steps(ahead: Integers, rows: Integers) -> Floats:
    """The usual time to the next scrape around some samples: of the steps before or after, whichever is slower."""
    known = np.where((ahead < _NEVER) & (ahead > 0), ahead, np.nan)
    usual = float(np.nanmedian(known)) if np.isfinite(known).any() else 0.0
    near = [np.roll(known, 1), known, np.roll(known, -1)]
    with np.errstate(invalid="ignore"):
        even = np.fmax.reduce(near) <= _REGULAR * np.fmin.reduce(near)
    step = np.where(even, known, np.nan)[rows]
    uneven, ends = np.flatnonzero(np.isnan(step)), np.flatnonzero(ahead == _NEVER)
    for part in np.array_split(uneven, max(1, len(uneven) // _CHUNK)):
        step[part] = _medians(known, rows[part], ends)
    return np.where(np.isnan(step), usual, step)


def _medians(known: Floats, rows: Integers, ends: Integers) -> Floats:
    """The larger of the lower medians of the steps before and after some samples, within their series."""
    series = np.searchsorted(ends, rows)
    first, last = np.append(-1, ends)[series] + 1, ends[series]
    sides = []
    for offsets in (np.arange(-_AROUND, 0), np.arange(1, _AROUND + 1)):
        at = rows[:, None] + offsets
        inside = (at >= first[:, None]) & (at < last[:, None])
        steps = np.sort(np.where(inside, known[np.clip(at, 0, len(known) - 1)], np.nan), axis=1)
        many = np.isfinite(steps).sum(axis=1)
        middle = steps[np.arange(len(steps)), np.maximum((many - 1) // 2, 0)]
        sides.append(np.where(many < _FEWEST, np.nan, middle))
    return np.fmax(*sides)


def sweep(spans: pd.DataFrame, weights: Sequence[NDArray[np.bool_]]) -> pd.DataFrame:
    """How many of the spans of each kind hold at a time, as neighbouring stretches in which no number changes.

    `spans` have start and end; each of `weights` says which of them are of one kind.

    Columns: start, end, and 0, 1, … for the number of each kind.
    """
    start, end = micros(spans["start"]), micros(spans["end"])
    real = end > start
    knots, place = np.unique(np.concatenate([start[real], end[real]]), return_inverse=True)
    found = pd.DataFrame({"start": moments(knots[:-1]), "end": moments(knots[1:])})
    for number, kind in enumerate(weights):
        change = np.concatenate([kind[real].astype("float64"), -kind[real].astype("float64")])
        found[number] = np.bincount(place, change, len(knots)).cumsum()[:-1].astype("int64")
    return found


def joined(stretches: pd.DataFrame, state: str) -> pd.DataFrame:
    """Neighbouring stretches of one `state` as one; those without a state are left out.

    Columns: start, end, and the state.
    """
    known = stretches[stretches[state].notna()]
    same = (known["start"] == known["end"].shift()) & (known[state] == known[state].shift())
    found = known.groupby((~same).cumsum()).agg({"start": "first", "end": "last", state: "first"})
    return found.reset_index(drop=True).astype({"start": TIME, "end": TIME})


def seconds_before(stretches: pd.DataFrame, at: pd.DatetimeIndex) -> Floats:
    """Seconds of the stretches, which do not overlap, that lie before each of the moments `at`."""
    if stretches.empty:
        return np.zeros(len(at))
    start, end = micros(stretches["start"]), micros(stretches["end"])
    knots = np.column_stack([start, end]).ravel() - start[0]
    total = np.cumsum(np.column_stack([np.zeros_like(start), end - start]).ravel())
    return np.interp((at.as_unit("us").asi8 - start[0]).astype("float64"), knots, total) / 1e6


def seconds_within(stretches: pd.DataFrame, edges: pd.DatetimeIndex) -> Floats:
    """Seconds of the stretches between each two neighbouring `edges`."""
    return np.diff(seconds_before(stretches, edges))


def moments(microseconds: Integers) -> pd.Series:
    """Times in UTC from microseconds since the epoch."""
    return pd.Series(microseconds.astype("datetime64[us]")).dt.tz_localize("UTC")
