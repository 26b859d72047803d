"""What a row of hourly costs lets expect of the week after it: its hour of the week, its trend, and how far it strays.

A row's expectation is the median, over the five weeks before (at least three of them known), of the same hour of the
week, each week carried forward by the row's trend (Theil and Sen's slope between the weeks' levels, where it rises).
How far costs stray from it is learnt from those weeks themselves, each held against the median of the others, on the
scale of logarithms, on which noise that grows with the cost is even: by hour, with the neighbouring hours of the day,
and over 24 hours together. What neighbouring hours let expect is allowed, too: clocks change, and jobs do not start to
the minute.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations as pairs_of

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import combinations

Floats = NDArray[np.float64]
WEEKS = 5  # of history
LEAST_WEEKS = 3  # of them known
WEEK = 168  # hours
DAY = 24
_SIGMA = 1.4826  # MAD of a normal distribution to its standard deviation
_QUIET = 0.05  # of a row's mean cost: below it, differences are not taken for multiples
_STEEPEST = 0.25  # trend a week, as a logarithm
_HOUR_US = 3_600_000_000
_MONDAY = pd.Timestamp("1970-01-05", tz="UTC")  # ISO weeks are counted from here


@dataclass(frozen=True)
class Grid:
    """Hourly costs as rows of whole ISO weeks, NaN where none is known; the tenant of a currency's total is ''."""

    keys: pd.DataFrame  # tenant, currency
    first: int  # hours from the Monday that weeks are counted from
    cost: Floats  # rows × hours
    covered: NDArray[np.bool_]  # hours

    def week(self, number: int) -> slice:
        """The place of an ISO week's hours."""
        return slice(number * WEEK - self.first, (number + 1) * WEEK - self.first)

    def history(self, number: int, rows: slice | Sequence[int] = slice(None)) -> Floats:
        """The covered costs of the weeks before one, the oldest first: rows × WEEKS × 168."""
        until = self.week(number).start
        known = np.where(self.covered[:until], self.cost[rows, :until], np.nan)[:, -WEEKS * WEEK :]
        before = np.full((len(known), WEEKS * WEEK - known.shape[1]), np.nan)
        return np.hstack([before, known]).reshape(len(known), WEEKS, WEEK)


@dataclass(frozen=True)
class Expected:
    """What is expected of each row's hours of one week, and how its own history strayed."""

    middle: Floats  # rows × 168
    upper: Floats  # of the hour and its neighbours
    hourly: Floats  # standard deviation of the logarithm of an hour, rows × 168
    daily: Floats  # of 24 hours together, rows × 1
    quiet: Floats  # rows × 1
    typical: Floats  # median hour, rows × 1
    weeks: NDArray[np.int64]  # known ones behind each hour
    past: Floats  # history, carried forward: rows × all its hours
    past_middle: Floats  # what the other weeks let expect of it


def week_number(moment: pd.Timestamp) -> int:
    """Which ISO week a moment lies in, counted from 5 January 1970."""
    return int((moment - _MONDAY) // pd.Timedelta(weeks=1))


def hour_times(first: int, hours: NDArray[np.int64]) -> pd.DatetimeIndex:
    """Hours counted from hour `first` as times."""
    return pd.to_datetime((hours + first) * _HOUR_US + int(_MONDAY.timestamp()) * 1_000_000, unit="us", utc=True)


def grid_of(costs: pd.DataFrame, window: Window, covered: pd.DataFrame, *, generated: Collection[str] = ()) -> Grid:
    """Costs (tenant, currency, hour, cost; series by series) of a window's weeks and the six before, and their totals.

    `covered` has hour and covered. Totals are those of `generated` names and of tenants that cost something
    `LEAST_WEEKS` before the window's first week: all others are newcomers.
    """
    first = (week_number(pd.Timestamp(window.start)) - WEEKS - 1) * WEEK
    hours = (week_number(pd.Timestamp(window.end) - pd.Timedelta(microseconds=1)) + 1) * WEEK - first
    at = _hours(costs["hour"]) - first
    inside = (at >= 0) & (at < hours) & (costs["hour"] < window.end).to_numpy() & (costs["tenant"] != "").to_numpy()
    costs, at = costs[inside], at[inside]
    values = costs["cost"].to_numpy(dtype="float64")
    row, keys = combinations(costs, ["tenant", "currency"])
    currency, totals = combinations(costs.assign(total=""), ["total", "currency"])
    cost = _table(row * hours + at, values, (len(keys), hours))
    known = np.isfinite(cost[:, : (WEEKS + 1 - LEAST_WEEKS) * WEEK + 1]).any(axis=1)
    counted = (known | keys["tenant"].isin(list(generated)).to_numpy())[row]
    total = _table(currency[counted] * hours + at[counted], values[counted], (len(totals), hours))
    flags, seen = np.zeros(hours, dtype=bool), _hours(covered["hour"]) - first
    within = (seen >= 0) & (seen < hours)
    flags[seen[within]] = covered["covered"].to_numpy(dtype=bool)[within]
    keys = pd.concat([keys, totals.rename(columns={"total": "tenant"})], ignore_index=True)
    return Grid(keys, first, np.vstack([cost, total]), flags)


def expect(history: Floats) -> Expected:
    """What rows × WEEKS × 168 hours of history let expect of the week after them."""
    flat = history.reshape(len(history), WEEKS * WEEK)
    number = np.isfinite(flat).sum(axis=1, keepdims=True)
    quiet = _QUIET * np.nansum(flat, axis=1, keepdims=True) / np.maximum(number, 1) + 1e-12
    slope = _trend(np.log(history + quiet[:, :, np.newaxis]))
    past = history * np.exp(slope[:, np.newaxis, np.newaxis] * np.arange(WEEKS, 0, -1)[:, np.newaxis])
    weeks = np.isfinite(past).sum(axis=1)
    others = np.stack([_median(np.delete(past, week, axis=1), axis=1) for week in range(WEEKS)], axis=1)
    # Of an hour that is known only twice the other one is no expectation.
    others = np.where((weeks >= LEAST_WEEKS)[:, np.newaxis], others, np.nan)
    past_flat, others_flat = past.reshape(flat.shape), others.reshape(flat.shape)
    strays = np.log((past_flat + quiet) / (_with_neighbours(others).reshape(flat.shape) + quiet))
    # How far a row strays is not told by a few hours.
    told = np.isfinite(strays).sum(axis=1) >= WEEK
    weeks = np.where(told[:, np.newaxis], weeks, np.minimum(weeks, LEAST_WEEKS - 1))
    middle = np.where(weeks >= LEAST_WEEKS, _median(past, axis=1), np.nan)
    return Expected(
        middle=middle,
        upper=_with_neighbours(middle),
        hourly=_hourly_scale(strays),
        daily=_scale(log_ratio(past_flat, others_flat, quiet, hours=DAY)),
        quiet=quiet,
        typical=_median(flat, axis=1)[:, np.newaxis],
        weeks=weeks,
        past=past_flat,
        past_middle=others_flat,
    )


def log_ratio(cost: Floats, expected: Floats, quiet: Floats, *, hours: int) -> Floats:
    """Logarithm of cost over expected in the `hours` hours up to each; NaN where half of them are not known."""
    known = np.isfinite(cost) & np.isfinite(expected)
    sums = np.cumsum([np.where(known, cost, 0.0), np.where(known, expected, 0.0), known], axis=-1)
    sums[..., hours:] -= sums[..., :-hours].copy()
    ratio = (sums[0] + sums[2] * quiet) / np.maximum(sums[1] + sums[2] * quiet, 1e-300)
    return np.where(sums[2] >= hours / 2, np.log(np.maximum(ratio, 1e-300)), np.nan)


def _trend(levels: Floats) -> Floats:
    """Rise a week of each row's logarithms, 0 where they fall: the median over all pairs of weeks (Theil, Sen)."""
    slopes = [
        _median(levels[:, late] - levels[:, early], axis=1) / (late - early)
        for early, late in pairs_of(range(WEEKS), 2)
    ]
    return np.clip(np.nan_to_num(_median(np.stack(slopes, axis=1), axis=1)), 0.0, _STEEPEST)


def _hourly_scale(strays: Floats) -> Floats:
    """Of each hour of the day with its neighbours, and of all hours, whichever is larger: rows × 168."""
    by_day = strays.reshape(len(strays), 7 * WEEKS, DAY)
    around = [by_day[:, :, [hour - 1, hour, (hour + 1) % DAY]].reshape(len(strays), 21 * WEEKS) for hour in range(DAY)]
    return np.tile(np.maximum(np.hstack([_scale(values) for values in around]), _scale(strays)), 7)


def _with_neighbours(expected: Floats) -> Floats:
    """The most of an hour and its neighbours; not known where one of them is not."""
    return np.maximum(expected, np.maximum(np.roll(expected, 1, axis=-1), np.roll(expected, -1, axis=-1)))


def _scale(values: Floats) -> Floats:
    """Median absolute deviation of each row, as the standard deviation that it is of a normal one; a column."""
    away = np.abs(values - _median(values, axis=1)[:, np.newaxis])
    return _SIGMA * np.nan_to_num(_median(away, axis=1))[:, np.newaxis]


def _median(values: Floats, *, axis: int) -> Floats:
    """Median of the finite values, NaN where there is none: numpy's own loops over rows in Python."""
    ordered = np.sort(values, axis=axis)
    count = np.isfinite(ordered).sum(axis=axis, keepdims=True)
    ends = [np.take_along_axis(ordered, np.maximum(place, 0), axis) for place in ((count - 1) // 2, count // 2)]
    middle = np.where(count % 2 == 1, ends[0], (ends[0] + np.where(count > 0, ends[1], np.nan)) / 2)
    return np.squeeze(middle, axis=axis)


def _table(place: NDArray[np.int64], cost: Floats, shape: tuple[int, int]) -> Floats:
    size = shape[0] * shape[1]
    there = np.bincount(place, minlength=size) > 0
    return np.where(there, np.bincount(place, weights=cost, minlength=size), np.nan).reshape(shape)


def _hours(moments: pd.Series) -> NDArray[np.int64]:
    return np.asarray((moments - _MONDAY) // pd.Timedelta(hours=1), dtype=np.int64)
