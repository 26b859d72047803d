"""Hourly rollups of raw samples: a monoid under merge, so that windows add up whichever way they are cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.lake.kernels import EDGES, FLOATS, HOLD_MS, INTEGERS, roll_up_groups
from cloudxai_analysis.sources.series import SeriesBatch

HOUR_MS = 3_600_000
FIELDS = (*INTEGERS, *EDGES, *FLOATS)


def roll_up(batch: SeriesBatch, *, bucket_ms: int = HOUR_MS) -> dict[str, NDArray]:
    """The rollups of a batch, one row per series and hour with a point in it, hours without their neighbours.

    Returns
    -------
    dict
        Arrays of equal length: `series` (index into `batch.labels`), `hour` (int64 milliseconds, its start), `samples`
        (values only), `first_ts`, `last_ts`, `first_point_ts`, `last_point_ts` (int64 milliseconds, points include
        markers and NaN), `last_point_is_value` (0 or 1), `resets`, `changes`, `nan_samples`, `stale_markers`, `first`,
        `last`, `min`, `max`, `sum` (float64), `integral` (value x seconds, the last value's hold left open),
        `increase` (steps inside the hour; after a fall the new value, as Prometheus' `increase` takes a reset).
    """
    series = np.repeat(np.arange(len(batch), dtype=np.int64), np.diff(batch.offsets))
    hours = batch.times // bucket_ms
    fresh = np.empty(len(hours), dtype=bool)
    fresh[:1] = True
    fresh[1:] = (hours[1:] != hours[:-1]) | (series[1:] != series[:-1])
    starts = np.flatnonzero(fresh)
    edges = np.append(starts, len(hours)).astype(np.int64)
    whole = np.empty((len(starts), len(INTEGERS) + len(EDGES)), dtype=np.int64)
    real = np.empty((len(starts), len(FLOATS)), dtype=np.float64)
    times, values = np.ascontiguousarray(batch.times), np.ascontiguousarray(batch.values)
    roll_up_groups(edges, times, values, values.view(np.int64), whole, real)
    rolled: dict[str, NDArray] = {"series": series[starts], "hour": hours[starts] * bucket_ms}
    rolled |= {name: np.ascontiguousarray(whole[:, column]) for column, name in enumerate((*INTEGERS, *EDGES))}
    rolled |= {name: np.ascontiguousarray(real[:, column]) for column, name in enumerate(FLOATS)}
    return rolled


def merge(rollups: pd.DataFrame, *, by: list[str]) -> pd.DataFrame:
    """Neighbouring rollups joined into one row per key; rows of a key stand in time order.

    Steps and holds across each boundary are included, so merging the parts equals rolling up the joined samples:
    exactly for counts, times, first, last, min and max, to 1e-12 relative for the three sums. The rollup of nothing is
    the empty frame.

    Parameters
    ----------
    rollups : DataFrame
        The columns of `by` and the fields of `roll_up`.
    """
    step = _boundaries(rollups, by)
    joined = rollups.assign(
        increase=rollups["increase"] + step["increase"],
        resets=rollups["resets"] + step["resets"],
        changes=rollups["changes"] + step["changes"],
        integral=rollups["integral"] + step["held"],
    )
    seen = joined["samples"] > 0
    for name in ("first_ts", "last_ts"):
        joined[name] = joined[name].where(seen)
    groups = joined.groupby(by, sort=False, observed=True)
    summed = groups[["samples", "resets", "changes", "nan_samples", "stale_markers", "sum", "integral", "increase"]].sum()
    edges = groups.agg(
        first_ts=("first_ts", "first"),
        last_ts=("last_ts", "last"),
        first=("first", "first"),
        last=("last", "last"),
        min=("min", "min"),
        max=("max", "max"),
        first_point_ts=("first_point_ts", "first"),
        last_point_ts=("last_point_ts", "last"),
        last_point_is_value=("last_point_is_value", "last"),
    )
    merged = summed.join(edges).reset_index()
    merged[["first_ts", "last_ts"]] = merged[["first_ts", "last_ts"]].fillna(0).astype("int64")
    return merged[[*by, *FIELDS]]


def join_hours(rollups: pd.DataFrame) -> pd.DataFrame:
    """Hours with what reaches over their boundaries: the step from the value before, and its hold, split at the hour.

    A last value is held to the next point, 5 minutes at most. What of it lies after the hour's end counts in the next
    hour's row; where the series has none, in its own.

    Parameters
    ----------
    rollups : DataFrame
        `series_id`, `hour` (int64 milliseconds) and the fields of `roll_up`, sorted by both.
    """
    step = _boundaries(rollups, ["series_id"])
    series = rollups["series_id"].to_numpy()
    hour = rollups["hour"].to_numpy()
    last, last_ts = rollups["last"].to_numpy(), rollups["last_ts"].to_numpy()
    open_end = rollups["last_point_is_value"].to_numpy() == 1
    follows = np.append(series[1:] == series[:-1], False) if len(series) else np.zeros(0, dtype=bool)
    until = np.where(follows, np.append(rollups["first_point_ts"].to_numpy()[1:], 0), hour + HOUR_MS)
    held_ms = np.where(open_end, np.clip(until - last_ts, 0, HOLD_MS), 0)
    adjoining = follows & np.append(hour[1:] - hour[:-1] == HOUR_MS, False) if len(hour) else follows
    own_ms = np.where(adjoining, np.minimum(held_ms, hour + HOUR_MS - last_ts), held_ms)
    value = np.where(open_end, last, 0.0)
    own = value * own_ms / 1000.0
    passed_on = value * (held_ms - own_ms) / 1000.0
    received = np.append(0.0, passed_on[:-1]) if len(passed_on) else passed_on
    return rollups.assign(
        increase=rollups["increase"] + step["increase"],
        resets=rollups["resets"] + step["resets"],
        changes=rollups["changes"] + step["changes"],
        integral=rollups["integral"].to_numpy() + own + received,
    )


def _boundaries(rollups: pd.DataFrame, by: list[str]) -> dict[str, NDArray]:
    """What each row adds to the rows of its key before it: `increase`, `resets`, `changes`, `held` (value x seconds)."""
    seen = rollups["samples"].to_numpy() > 0
    keys = rollups.groupby(by, sort=False, observed=True).ngroup().to_numpy()
    same = np.append(False, keys[1:] == keys[:-1]) if len(keys) else np.zeros(0, dtype=bool)
    last = rollups["last"].where(seen)
    before = last.groupby(keys).ffill().shift().where(pd.Series(same, index=rollups.index)).to_numpy()
    first = rollups["first"].to_numpy()
    known = seen & ~np.isnan(before)
    fell = known & (first < before)
    rose = np.where(known, first - np.nan_to_num(before), 0.0)
    open_before = np.append(0, rollups["last_point_is_value"].to_numpy()[:-1]) == 1 if len(keys) else same
    last_ts = np.append(0, rollups["last_ts"].to_numpy()[:-1]) if len(keys) else np.zeros(0, dtype=np.int64)
    hold_ms = np.minimum(rollups["first_point_ts"].to_numpy() - last_ts, HOLD_MS)
    return {
        "increase": np.where(fell, np.nan_to_num(first), rose),
        "resets": fell.astype(np.int64),
        "changes": (known & (first != before)).astype(np.int64),
        "held": np.where(same & open_before, np.nan_to_num(before) * hold_ms / 1000.0, 0.0),
    }
