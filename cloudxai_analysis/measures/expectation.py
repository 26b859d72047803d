"""What a row of hourly costs lets expect of the week after it, and how far it strays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import sure, with_text

Floats = NDArray[np.float64]
WEEKS = 5  # of history
LEAST_WEEKS = 3  # of them known
WEEK, DAY = 168, 24  # hours
HOUR = pd.Timedelta(hours=1)
TOGETHER = ""  # the tenant of a row that is all tenants of a currency together
_WHOSE = ["tenant", "currency"]
_SIGMA = 1.4826  # MAD of a normal distribution to its standard deviation
_QUIET = 0.05  # of a row's mean cost: below it, differences are not taken for multiples
_STEEPEST = 0.25  # trend a week, as a logarithm


@dataclass(frozen=True)
class Grid:
    """Hourly costs in ISO weeks, NaN where none is known, from six before the window's first."""

    keys: pd.DataFrame  # tenant, currency
    brief: pd.DataFrame  # tenant, currency, last: who has fewer hours than a week has, of whom nothing is expected
    generated: pd.DataFrame  # what generated names cost together: currencies × hours
    start: pd.Timestamp
    cost: Floats  # rows × hours
    covered: NDArray[np.bool_]  # hours
    window: slice  # hours

    def mondays(self) -> range:
        """The first hour of each week that is judged."""
        return range((WEEKS + 1) * WEEK, self.cost.shape[1], WEEK)

    def history(self, monday: int, rows: Any = slice(None)) -> Floats:
        """The covered costs of the weeks before one, the oldest first: rows × WEEKS × 168."""
        past = slice(monday - WEEKS * WEEK, monday)
        return np.where(self.covered[past], self.cost[rows, past], np.nan).reshape(-1, WEEKS, WEEK)

    def time(self, hour: Any) -> Any:
        """An hour of the grid, or several, as times."""
        return self.start + pd.to_timedelta(hour, unit="h").as_unit("us")


@dataclass(frozen=True)
class Expected:
    """What is expected of each row's hours of one week, and how its own history strayed."""

    middle: Floats  # rows × 168; NaN where too few weeks are known
    upper: Floats  # of the hour and its neighbours
    hourly: Floats  # standard deviation of the logarithm of an hour, rows × 168
    daily: Floats  # of 24 hours together, rows × 1
    quiet: Floats  # rows × 1
    typical: Floats  # median hour, rows × 1
    past: Floats  # history, carried forward: rows × all its hours
    past_middle: Floats  # what the other weeks let expect of it


def grid_of(costs: pd.DataFrame, window: Window, covered: pd.DataFrame, generated: Collection[str]) -> Grid:
    """Costs (tenant, currency, hour, cost) of a window's weeks and six before, with totals.

    `covered` (hour, covered).
    """
    first, end = pd.Timestamp(window.start), pd.Timestamp(window.end)
    start = first.floor("D") - pd.Timedelta(days=first.day_of_week, weeks=WEEKS + 1)
    width = -(-(end - start) // (WEEK * HOUR)) * WEEK

    def place(hour: pd.Series) -> NDArray[np.int64]:
        return np.asarray((hour - start) // HOUR, dtype=np.int64)

    inside = (costs["hour"] >= start) & (costs["hour"] < end) & (costs["tenant"] != TOGETHER)
    own = with_text(costs[inside], _WHOSE).assign(at=place(costs.loc[inside, "hour"]))
    hours, named = own.groupby(_WHOSE)["at"], own["tenant"].isin(list(generated))
    known = hours.transform("min") <= (WEEKS + 1 - LEAST_WEEKS) * WEEK
    # A row an hour for each of 100,000 tenants that were seen once would fill the memory.
    brief = hours.transform("size") < WEEK
    table = own[~brief].pivot(index=_WHOSE, columns="at", values="cost").reindex(columns=range(width))
    totals = _together(own[known | named], width)
    keys = pd.concat([table.index.to_frame(index=False), totals.index.to_frame(index=False).assign(tenant=TOGETHER)])
    return Grid(
        keys=keys.reset_index(drop=True),
        brief=own[brief].groupby(_WHOSE, as_index=False).agg(last=("at", "max")),
        generated=_together(own[named], width),
        start=start,
        cost=np.vstack([table.to_numpy(), totals.to_numpy()]),
        covered=np.isin(np.arange(width), place(sure(covered, "hour"))),
        window=slice((first - start) // HOUR, -((start - end) // HOUR)),
    )


def _together(costs: pd.DataFrame, width: int) -> pd.DataFrame:
    """What they cost together: currencies × hours."""
    return costs.groupby(["currency", "at"])["cost"].sum().unstack("at").reindex(columns=range(width))


def expect(history: Floats) -> Expected:
    """What rows × WEEKS × 168 hours of history let expect of the week after them."""
    flat = history.reshape(len(history), WEEKS * WEEK)
    number = np.isfinite(flat).sum(axis=1, keepdims=True)
    quiet = _QUIET * np.nansum(flat, axis=1, keepdims=True) / np.maximum(number, 1) + 1e-12
    slope = _trend(np.log(history + quiet[:, :, np.newaxis]))
    past = history * np.exp(slope[:, np.newaxis, np.newaxis] * np.arange(WEEKS, 0, -1)[:, np.newaxis])
    enough = np.isfinite(past).sum(axis=1) >= LEAST_WEEKS
    others = np.stack([_median(np.delete(past, week, axis=1), axis=1) for week in range(WEEKS)], axis=1)
    # Of an hour that is known only twice the other one is no expectation.
    others = np.where(enough[:, np.newaxis], others, np.nan)
    past_flat, others_flat = past.reshape(flat.shape), others.reshape(flat.shape)
    strays = np.log((past_flat + quiet) / (_with_neighbours(others).reshape(flat.shape) + quiet))
    # How far a row strays is not told by a few hours.
    enough &= np.isfinite(strays).sum(axis=1, keepdims=True) >= WEEK
    middle = np.where(enough, _median(past, axis=1), np.nan)
    return Expected(
        middle=middle,
        upper=_with_neighbours(middle),
        hourly=_hourly_scale(strays),
        daily=_scale(log_ratio(past_flat, others_flat, quiet, hours=DAY)),
        quiet=quiet,
        typical=_median(flat, axis=1)[:, np.newaxis],
        past=past_flat,
        past_middle=others_flat,
    )


def log_ratio(cost: Floats, expected: Floats, quiet: Floats, *, hours: int) -> Floats:
    """Logarithm of cost over expected in the hours up to each; NaN where half are not known."""
    known = np.isfinite(cost) & np.isfinite(expected)
    sums = np.cumsum([np.where(known, cost, 0.0), np.where(known, expected, 0.0), known], axis=-1)
    sums[..., hours:] -= sums[..., :-hours].copy()
    ratio = (sums[0] + sums[2] * quiet) / np.maximum(sums[1] + sums[2] * quiet, 1e-300)
    return np.where(sums[2] >= hours / 2, np.log(np.maximum(ratio, 1e-300)), np.nan)


def _trend(levels: Floats) -> Floats:
    """Rise a week of each row's logarithms, 0 where they fall: the median over pairs of weeks."""
    pairs = combinations(range(WEEKS), 2)
    slopes = [_median(levels[:, late] - levels[:, early], axis=1) / (late - early) for early, late in pairs]
    return np.clip(np.nan_to_num(_median(np.stack(slopes, axis=1), axis=1)), 0.0, _STEEPEST)


def _hourly_scale(strays: Floats) -> Floats:
    """Of each hour of the day with its neighbours, and of all hours, whichever is larger."""
    by_day = strays.reshape(len(strays), 7 * WEEKS, DAY)
    around = [by_day[:, :, [hour - 1, hour, (hour + 1) % DAY]].reshape(len(strays), 21 * WEEKS) for hour in range(DAY)]
    return np.tile(np.maximum(np.hstack([_scale(values) for values in around]), _scale(strays)), 7)


def _with_neighbours(expected: Floats) -> Floats:
    """The most of an hour and its neighbours; not known where one of them is not."""
    return np.maximum(expected, np.maximum(np.roll(expected, 1, axis=-1), np.roll(expected, -1, axis=-1)))


def _scale(values: Floats) -> Floats:
    """Median absolute deviation of each row, as a normal one's standard deviation; a column."""
    away = np.abs(values - _median(values, axis=1)[:, np.newaxis])
    return _SIGMA * np.nan_to_num(_median(away, axis=1))[:, np.newaxis]


def _median(values: Floats, *, axis: int) -> Floats:
    """Median of the finite values: numpy's own loops over rows in Python."""
    ordered = np.sort(values, axis=axis)
    count = np.isfinite(ordered).sum(axis=axis, keepdims=True)
    ends = [np.take_along_axis(ordered, np.maximum(place, 0), axis) for place in ((count - 1) // 2, count // 2)]
    middle = np.where(count % 2 == 1, ends[0], (ends[0] + np.where(count > 0, ends[1], np.nan)) / 2)
    return np.squeeze(middle, axis=axis)
