"""Stretches that cost a tenant, or all together, more than their own calendar explains."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.cost import Semantics, hourly_costs
from cloudxai_analysis.measures.expectation import (
    DAY,
    HOUR,
    LEAST_WEEKS,
    TOGETHER,
    WEEK,
    WEEKS,
    Expected,
    Floats,
    Grid,
    expect,
    grid_of,
    log_ratio,
)
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.measures.semantics import growing_hours

ONCE = "the like came once before"
ELSEWHERE = "the like came to other tenants before"
MONTH = "the same days of the month before were not seen"
_SIGMAS = 6.0  # robust standard deviations
# Lengths and steps of rises that are held together.
_LENGTHS, _STEP = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 48, 72, 96, 120, 168]), 0.1
_LASTING, _BRIEF = np.log([1.2, 1.05])  # least rise, of half a day and more, and else
_ALIKE = 1 / 3  # of a rise
_APART = 96  # hours between two occasions
_ORDINARY = 3  # hours within a stretch
_BEYOND_NOISE = 4.0  # standard deviations
_TURN = pd.Timedelta(days=2)  # before and after the end of a month
_MOST, _OTHER_WEEKS = 3 / 4, 2  # of the other tenants; in which the like came to them


def cost_grid(
    hours: pd.DataFrame,
    window: Window,
    covered: pd.DataFrame,
    *,
    semantics: Semantics | None,
    currency: str,
    breaks: pd.DataFrame,
    generated: Collection[str],
) -> Grid:
    """The gauge's `hours` in the window's weeks and six before, without those that show no cost.

    `covered` (hour, covered); `breaks` as of `semantics_breaks`; `generated` names are no tenants.
    """
    sound = ~growing_hours(hours) if semantics == "rate" else np.ones(len(hours), dtype=bool)
    for row in breaks.itertuples():
        within = (hours["hour"] >= row.start.floor("h")) & (hours["hour"] < row.end)
        sound &= ~(within & (hours["tenant"] == row.tenant)).to_numpy()
    return grid_of(hourly_costs(hours[sound], semantics=semantics, currency=currency), window, covered, generated)


def cost_anomalies(grid: Grid, *, floor: float, hour_floor: float) -> pd.DataFrame:
    """Stretches that cost a tenant, or all together, more than their calendar explains, or may do.

    `floor` is the least excess of a leading hour, `hour_floor` of an hour alone, in the currency.

    Columns: tenant, currency, since, start, end, hours, unseen, cost, expected, excess, score,
    generated, unknown; by start.
    """
    weeks = pairwise(expect(grid.history(monday)) for monday in (WEEKS * WEEK, *grid.mondays()))
    found = [
        row
        for monday, (before, week) in zip(grid.mondays(), weeks, strict=True)
        for row in _Week(grid, monday, before, week, floor).stretches(hour_floor)
    ]
    told = [row for row in found if row["tenant"] != TOGETHER]
    for row in found:
        if row["tenant"] == TOGETHER and _explained(row, told) < row["excess"] / 2:
            names = grid.generated[grid.generated.index == row["currency"]].to_numpy()
            told = [*told, row | {"generated": float(np.nansum(names[:, row["place"]]))}]
    return typed(told, cost_anomalies, by="start tenant")


def expected_costs(grid: Grid, *, tenant: str, currency: str, floor: float) -> pd.DataFrame:
    """What each hour of the window cost a tenant, or all together (''), and what was expected.

    Columns: hour, cost, expected, high. Hours of which nothing is known or expected are left out.
    """
    own = ((grid.keys["tenant"] == tenant) & (grid.keys["currency"] == currency)).to_numpy()
    frames = [typed([], expected_costs)]
    for monday in grid.mondays():
        week = expect(grid.history(monday, own))
        high = np.maximum(_above(week.upper, week.hourly, week.quiet), week.upper + _least(week, floor))
        columns = {"cost": grid.cost[own, monday : monday + WEEK], "expected": week.middle, "high": high}
        frame = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
        frames.append(frame.assign(hour=grid.time(monday + frame.index)))
    found = pd.concat(frames).dropna()
    inside = (found["hour"] >= grid.time(grid.window.start)) & (found["hour"] < grid.time(grid.window.stop))
    return typed(found[inside].reset_index(drop=True), expected_costs)


def anomaly_basis(grid: Grid) -> pd.DataFrame:
    """Which of the window's tenants have the history that an anomaly needs.

    Columns: tenant, weeks, judged. A tenant whose gauge is broken all the time is not judged.
    """
    weeks = np.hstack([np.isfinite(grid.history(monday)).sum(axis=1) for monday in grid.mondays()])
    known = pd.DataFrame(np.where(np.isfinite(grid.cost[:, grid.mondays().start :]), weeks, np.nan)).median(axis=1)
    frame = grid.keys.assign(weeks=known)[(grid.keys["tenant"] != TOGETHER) & known.notna()]
    brief = grid.brief[grid.brief["last"] >= grid.mondays().start].assign(weeks=0.0)
    frame = pd.concat([frame, brief[["tenant", "currency", "weeks"]]]).groupby("tenant", as_index=False)["weeks"].max()
    return typed(frame.assign(judged=frame["weeks"] >= LEAST_WEEKS), anomaly_basis)


class _Week:
    """A judged week and, first, the week before it, beside what was expected of both."""

    def __init__(self, grid: Grid, monday: int, before: Expected, week: Expected, floor: float) -> None:
        self.grid, self.week, self.first = grid, week, monday - WEEK
        self.cost = grid.cost[:, self.first : monday + WEEK]
        self.middle = np.hstack([before.middle, week.middle])
        self.upper = np.hstack([before.upper, week.upper])
        self.hourly = np.hstack([before.hourly, week.hourly])
        self.least = _least(week, floor)
        judged = np.arange(self.first, monday + WEEK)
        self.judged = (judged >= max(monday, grid.window.start)) & (judged < grid.window.stop)
        self.alike = cache(self._alike)

    def stretches(self, hour_floor: float) -> Iterator[dict[str, Any]]:
        """Every stretch that counts, with its hours' `place` in the grid."""
        leads = self._leading() & self.judged
        for row in np.flatnonzero(leads.any(axis=1)).tolist():
            for part in self._followed(row, np.flatnonzero(leads[row])):
                rise, needed = self._rise(row, part), self._needed(row, part)
                excess = float(np.nansum((self.cost - self.middle)[row, part]))
                alone = np.isfinite(self.cost[row, part]).sum() < 2
                if rise < needed or excess < (hour_floor if alone else self.least[row, 0]):
                    continue
                unknown = self._unknown(row, part, rise)
                if unknown is not None:
                    yield self._told(row, part) | {"score": _SIGMAS * rise / needed, "unknown": unknown}

    def _leading(self) -> NDArray[np.bool_]:
        """The hours that lead a stretch: by themselves, or as part of a day that does."""
        week, quiet = self.week, self.week.quiet
        ratio = np.log((self.cost + quiet) / (self.upper + quiet))
        leads = (ratio > np.maximum(_SIGMAS * self.hourly, _BRIEF)) & (self.cost - self.upper > self.least)
        # One dear hour is no dear day: it counts for what an hour may stray at most.
        capped = np.where(leads, np.minimum(self.cost, _above(self.upper, self.hourly, quiet) + quiet), self.cost)
        days = log_ratio(capped, self.middle, quiet, hours=DAY)
        days[:, :WEEK] = np.nan
        for row, at in np.argwhere(days > np.maximum(_SIGMAS * week.daily, _LASTING)).tolist():
            day = slice(at - DAY + 1, at + 1)
            dear = (self.cost - self.middle)[row, day] > self.least[row]
            leads[row, day] |= (ratio[row, day] > days[row, at] / 2) & dear
        return leads

    def _followed(self, row: int, leads: NDArray[np.int64]) -> list[slice]:
        """The stretches that leading hours belong to; those that adjoin are one."""
        quiet = self.week.quiet[row]
        ratio = np.log((self.cost[row] + quiet) / (self.middle[row] + quiet))
        known = np.cumsum(np.isfinite(ratio))
        found: list[slice] = []
        while len(leads):
            apart = np.flatnonzero(np.diff(known[leads]) > _ORDINARY + 1)
            group = leads[: apart[0] + 1] if len(apart) else leads
            half, free = float(np.median(ratio[group])) / 2, found[-1].stop if found else 0
            gain = np.nan_to_num(ratio - half)
            first = int(group[0]) - _reach(gain[free : group[0]][::-1], half)
            end = int(group[-1]) + 1 + _reach(gain[group[-1] + 1 :], half)
            found.append(slice(found.pop().start if found and first == free else first, end))
            leads = leads[leads >= end]
        return found

    def _rise(self, row: int, part: slice) -> float:
        """Logarithm of cost over expected; a short stretch may lie an hour beside it."""
        expected = (self.upper if part.stop - part.start < DAY / 2 else self.middle)[row, part]
        known, quiet = np.isfinite(self.cost[row, part]) & np.isfinite(expected), self.week.quiet[row, 0]
        return float(np.log((self.cost[row, part][known].sum() + quiet) / (expected[known].sum() + quiet)))

    def _needed(self, row: int, part: slice) -> float:
        hours = part.stop - part.start
        spread = _spread(self.hourly[[row], part], self.week.daily[row], hours).item()
        return max(_SIGMAS * spread, _LASTING if hours >= DAY / 2 else _BRIEF)

    def _unknown(self, row: int, part: slice, rise: float) -> str | None:
        """Why a stretch may be a rhythm; '' where nothing says so, None where it is one."""
        hours, history = part.stop - part.start, len(self.week.past[row])
        # History ends with the week before the judged one, with which the hours of a part begin.
        begins = history - WEEK + part.start
        alike = self.alike(
            int(_LENGTHS[np.abs(np.log(_LENGTHS / hours)).argmin()]), max(np.floor(rise / _STEP) * _STEP, _BRIEF)
        )
        own = alike[[row], : min(begins, history)]
        if own.any():
            return None if _twice(own, hours)[0] else ONCE
        # Who had it twice has a rhythm, which tells nothing of the others, unless most have one.
        others = (self.grid.keys["tenant"] != TOGETHER) & self.grid.keys["currency"].eq(self.grid.keys["currency"][row])
        others &= others.index != row
        brief = (self.grid.brief["currency"] == self.grid.keys["currency"][row]).sum()
        if alike[others].any(axis=1).sum() < _MOST * (others.sum() + brief):
            others &= ~_twice(alike, hours)
        had = alike[others].any(axis=0)
        begun, ended = self.grid.time(self.first + part.start), self.grid.time(self.first + part.stop)
        since = begins - (begun - (begun - pd.DateOffset(months=1))) // HOUR
        month = slice(max(since, 0), max(since + hours, 0))
        if had.reshape(-1, WEEK).any(axis=1).sum() >= _OTHER_WEEKS or had[month].any():
            return ELSEWHERE
        seen = np.isfinite(self.week.past[row, month]).sum() >= hours / 2
        turning = (begun - _TURN).month != (ended + _TURN).month
        return MONTH if (turning or hours >= DAY) and not seen else ""

    def _alike(self, hours: int, rise: float) -> NDArray[np.bool_]:
        """By row and hour of history, whether the hours up to it had the like of a rise."""
        week = self.week
        # One dear hour is no dear day: it counts for what an hour of the stretch does.
        capped = np.minimum(week.past, (week.past_middle + week.quiet) * np.exp(rise))
        ratio = np.nan_to_num(log_ratio(capped, week.past_middle, week.quiet, hours=hours))
        return ratio > np.maximum(rise * _ALIKE, _BEYOND_NOISE * _spread(week.hourly, week.daily, hours))

    def _told(self, row: int, part: slice) -> dict[str, Any]:
        inside = np.flatnonzero(self.judged[part]) + part.start
        cost, expected, place = self.cost[row, inside], self.middle[row, inside], self.first + inside
        seen = np.isfinite(cost) & np.isfinite(expected)
        since, start, end = self.grid.time([self.first + part.start, place[0], place[-1] + 1])
        return {
            **self.grid.keys.iloc[row],
            **{"since": since, "start": start, "end": end, "hours": len(inside)},
            "unseen": int((~(seen & self.grid.covered[place])).sum()),
            **{"cost": cost[seen].sum(), "expected": expected[seen].sum(), "excess": (cost - expected)[seen].sum()},
            "place": slice(place[0], place[-1] + 1),
        }


def _reach(gain: Floats, half: float) -> int:
    """How many hours outward belong to a stretch: up to the largest sum."""
    total = np.cumsum(gain)
    stops = np.flatnonzero(np.maximum.accumulate(np.maximum(total, 0.0)) - total > _ORDINARY * half)
    total = total[: stops[0]] if len(stops) else total
    return int(total.argmax()) + 1 if len(total) and total.max() > 0 else 0


def _twice(alike: NDArray[np.bool_], hours: int) -> NDArray[np.bool_]:
    first, last = alike.argmax(axis=1), alike.shape[1] - 1 - alike[:, ::-1].argmax(axis=1)
    return alike.any(axis=1) & (last - first >= max(hours, _APART))


def _spread(hourly: Floats, daily: Floats, hours: int) -> Floats:
    """Standard deviation of hours together: the noise of hours averages out, that of days not."""
    hour = np.nanmean(hourly**2, axis=1, keepdims=True)
    return np.sqrt(daily**2 + np.maximum(hour - daily**2, 0.0) / min(hours, DAY))


def _above(expected: Floats, hourly: Floats, quiet: Floats) -> Floats:
    return (expected + quiet) * np.exp(_SIGMAS * hourly) - quiet


def _least(week: Expected, floor: float) -> Floats:
    return np.maximum(floor, 0.05 * np.nan_to_num(week.typical))


def _explained(row: dict[str, Any], told: list[dict[str, Any]]) -> float:
    """How much of a total's excess the stretches of single tenants are."""
    share = 0.0
    for other in told:
        common = min(row["end"], other["end"]) - max(row["start"], other["start"])
        if other["currency"] == row["currency"] and common > pd.Timedelta(0):
            share += other["excess"] * (common / (other["end"] - other["start"]))
    return share
