"""Hourly rollups of raw samples, joined so that windows add up whichever way they are cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.sources.series import SeriesBatch

INTEGERS = ("samples", "first_ts", "last_ts", "resets", "changes", "nan_samples", "stale_markers")
EDGES = ("first_point_ts", "last_point_ts", "last_point_is_value")
FLOATS = ("first", "last", "min", "max", "sum", "integral", "increase")
FIELDS = (*INTEGERS, *EDGES, *FLOATS)
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
HOLD_MS = 300_000


def roll_up(batch: SeriesBatch, *, bucket_ms: int = HOUR_MS) -> dict[str, NDArray]:
    """The rollups of a batch, one row per series and hour with a point in it, hours without their neighbours.

    Arrays of equal length: `series` (index into `batch.labels`), `hour` (its start), `samples`
    (values only), `first_ts`, `last_ts`, `first_point_ts`, `last_point_ts` (points include markers
    and NaN; all times in int64 milliseconds), `last_point_is_value` (0 or 1), `resets`, `changes`,
    `nan_samples`, `stale_markers`, `first`, `last`, `min`, `max`, `sum` (float64), `integral`
    (value x seconds, the last value's hold left open), `increase` (steps inside the hour; after a
    fall the new value, as Prometheus' `increase` takes a reset).
    """
    # Reading needs no numba, and its import costs half a second in every kernel.
    from cloudxai_analysis.lake.kernels import mark_groups, roll_up_groups

    offsets, times = np.ascontiguousarray(batch.offsets), np.ascontiguousarray(batch.times)
    values = np.ascontiguousarray(batch.values)
    # Never more groups than samples; of the room, the machine gives only what is written to.
    starts, series = np.empty((2, len(times)), dtype=np.int64)
    groups = mark_groups(offsets, times, bucket_ms, starts, series)
    starts, series = starts[:groups].copy(), series[:groups].copy()
    whole = np.empty((len(INTEGERS) + len(EDGES), groups), dtype=np.int64)
    real = np.empty((len(FLOATS), groups), dtype=np.float64)
    roll_up_groups(np.append(starts, len(times)), times, values, values.view(np.int64), whole, real)
    rolled: dict[str, NDArray] = {"series": series, "hour": times[starts] // bucket_ms * bucket_ms}
    return rolled | dict(zip((*INTEGERS, *EDGES), whole, strict=True)) | dict(zip(FLOATS, real, strict=True))


@np.errstate(over="ignore", invalid="ignore")
def join_hours(rollups: pd.DataFrame, *, until_ms: int | None = None) -> pd.DataFrame:
    """Hours with what reaches over their boundaries: the step from the value before, and its hold, split at the hour.

    `rollups` has `series_id`, `hour` (int64 milliseconds) and the fields of `roll_up`, sorted by
    both. A last value is held to the next point, 5 minutes at most; what of it lies after the
    hour's end counts in the next hour's row, or, where the series has none, in its own, to the
    day's end and to `until_ms` (up to when the samples are known) at most. So an hour's row depends
    on its own day and what stands before it. `anchored` says whether a value does: `increase` holds
    the step from it.
    """
    series, hour = rollups["series_id"].to_numpy(), rollups["hour"].to_numpy()
    last, last_ts = rollups["last"].to_numpy(), rollups["last_ts"].to_numpy()
    open_end = rollups["last_point_is_value"].to_numpy() == 1
    adjoining = np.zeros(len(hour), dtype=bool)
    adjoining[:-1] = (series[1:] == series[:-1]) & (hour[1:] - hour[:-1] == HOUR_MS)
    known_until = (hour // DAY_MS + 1) * DAY_MS
    if until_ms is not None:
        known_until = np.minimum(known_until, until_ms)
    until = np.where(adjoining, np.roll(rollups["first_point_ts"].to_numpy(), -1), known_until)
    held_ms = np.where(open_end, np.clip(until - last_ts, 0, HOLD_MS), 0)
    own_ms = np.where(adjoining, np.minimum(held_ms, hour + HOUR_MS - last_ts), held_ms)
    passed_on = np.where(adjoining, _product(last, held_ms - own_ms), 0.0)
    received = np.concatenate([np.zeros(1), passed_on])[: len(hour)]
    joined = _stepped(rollups, series)
    return joined.assign(integral=joined["integral"].to_numpy() + _product(last, own_ms) + received)


def _stepped(rollups: pd.DataFrame, series: NDArray) -> pd.DataFrame:
    """Each row with the step from its series' value before it, passing over rows without one."""
    values = pd.Series(np.where(rollups["samples"] > 0, np.arange(len(series)), -1))
    before_row = values.groupby(series, sort=False).cummax().groupby(series, sort=False).shift(1, fill_value=-1)
    before_row = before_row.to_numpy()
    known = (rollups["samples"].to_numpy() > 0) & (before_row >= 0)
    first, last = rollups["first"].to_numpy(), rollups["last"].to_numpy()
    before = last[before_row] if len(last) else last
    rose, fell = known & (first > before), known & (first < before)
    step = np.where(rose, first - before, np.where(fell, first, 0.0))
    return rollups.assign(
        increase=rollups["increase"].to_numpy() + step,
        resets=rollups["resets"].to_numpy() + fell,
        changes=rollups["changes"].to_numpy() + (rose | fell),
        anchored=known,
    )


def _product(value: NDArray[np.float64], milliseconds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Value x seconds, nothing where no time passed: of an infinite or missing value, too."""
    return np.where(milliseconds > 0, value * milliseconds / 1000.0, 0.0)
