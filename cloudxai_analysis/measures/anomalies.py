"""Stretches that cost a tenant, or all tenants together, more than their own calendar explains.

What is expected comes from `measures.expectation`. An hour leads where the logarithm of cost over expected exceeds
6 robust standard deviations of an hour, or that of 24 hours together 6 of theirs, and the excess a configured amount.
From such hours a stretch is followed both ways for as long as the cost stays nearer to the stretch's own level than to
the expected one, over three ordinary hours at most and over hours of which nothing is known. So a lasting rise is told
from its first hour to its last, and its excess is against what was expected before it. The stretch counts where its sum
lies beyond the limit for its length, and where it is of two hours or exceeds a larger amount.

Then the row's history is asked for the like: a third of the excess at least, in as many hours together, well beyond the
noise. What came on two occasions in five weeks is part of its calendar; what came on one may be, as a monthly batch or
a job each fortnight may. So may what lasts a day or lies at the turn of a month where the month before was not seen,
and what came to other tenants in two of the weeks, or on those days of the month before: all those are unknown.

All together are the tenants that came before the weeks that an expectation needs, and generated names: what newcomers
cost is told by their coming.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.cost import Semantics, cost_rows
from cloudxai_analysis.measures.expectation import (
    DAY,
    LEAST_WEEKS,
    WEEK,
    Expected,
    Floats,
    Grid,
    expect,
    grid_of,
    hour_times,
    log_ratio,
    week_number,
)
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.measures.semantics import growing_hours

TOGETHER = ""  # the tenant of a row that is all tenants of a currency together
ONCE = "the like came once before"
ELSEWHERE = "the like came to other tenants before"
MONTH = "the same days of the month before were not seen"
_LENGTHS = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 48, 72, 96, 120, 168])  # of stretches that are held together
_LASTING = np.log(1.2)  # least of a stretch of half a day and more: levels of five weeks tell no less
_BRIEF = np.log(1.05)
_APART = 96  # hours between two occasions
_ALIKE = 1 / 3  # of the excess
_ORDINARY = 3  # hours within a stretch
_BEYOND_NOISE = 4.0  # standard deviations
_TURN = pd.Timedelta(days=2)  # before and after the end of a month
_STEP = 0.25  # of rises that are held together
_MOST = 3 / 4  # of the other tenants
_OTHER_WEEKS = 2  # in which the like came to other tenants
HOUR = pd.Timedelta(hours=1)


class _Others:
    """What the history of a week's rows holds of the like of a stretch in one of them."""

    def __init__(self, week: Expected, keys: pd.DataFrame) -> None:
        self._week, self._tenants = week, (keys["tenant"] != TOGETHER).to_numpy()
        self._currencies = keys["currency"].to_numpy()
        self._alike = cache(self._found)

    def had(self, row: int, rise: float, hours: int) -> NDArray[np.bool_]:
        """The hours of history up to which other tenants had the like of a rise, the logarithm of cost over expected.

        Who had it twice has a rhythm of its own, which tells nothing of those who never had it, unless most have one.
        """
        length = int(_LENGTHS[np.abs(np.log(_LENGTHS / hours)).argmin()])
        alike, once = self._alike(length, max(np.floor(rise / _STEP) * _STEP, _BRIEF))
        others = self._tenants & (self._currencies == self._currencies[row])
        others[row] = False
        most = alike[others].any(axis=1).sum() >= _MOST * others.sum()
        return np.asarray(alike[others if most else others & once].any(axis=0))

    def _found(self, hours: int, rise: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """By row and hour, whether the hours up to it rose by half of `rise`; and by row, whether they did so once."""
        past, middle = self._week.past, self._week.past_middle
        # One dear hour is no dear day: it counts for what an hour of the stretch does.
        capped = np.minimum(past, (middle + self._week.quiet) * np.exp(rise))
        ratio = np.nan_to_num(log_ratio(capped, middle, self._week.quiet, hours=hours))
        alike = ratio > np.maximum(rise / 2, _BEYOND_NOISE * _spread(self._week.hourly, self._week.daily, hours))
        first, last = alike.argmax(axis=1), alike.shape[1] - 1 - alike[:, ::-1].argmax(axis=1)
        return alike, last - first < max(hours, _APART)


@dataclass(frozen=True)
class _Row:
    """One row's hours of a week and the one before it, beside what is expected of them, and its history."""

    cost: Floats
    middle: Floats
    upper: Floats
    hourly: Floats
    daily: float
    quiet: float
    past: Floats
    past_middle: Floats

    def beyond(self, first: int, end: int) -> float:
        """Logarithm of cost over expected in a stretch; a short one may lie an hour beside what is expected."""
        expected = (self.upper if end - first < DAY / 2 else self.middle)[first:end]
        known = np.isfinite(self.cost[first:end]) & np.isfinite(expected)
        return float(np.log((self.cost[first:end][known].sum() + self.quiet) / (expected[known].sum() + self.quiet)))

    def spread(self, first: int, end: int) -> float:
        """Standard deviation of that: the noise of hours averages out, that of days does not."""
        return float(_spread(self.hourly[np.newaxis, first:end], np.array([[self.daily]]), end - first)[0, 0])

    def excess(self, first: int, end: int) -> float:
        """Cost beyond the expected, over the hours known."""
        return float(np.nansum((self.cost - self.middle)[first:end]))

    def occasions(self, first: int, end: int) -> int:
        """How often the history before a stretch holds the like of it."""
        until = len(self.past) + min(first - WEEK, 0)
        past, middle, hours = self.past[:until], self.past_middle[:until], min(end - first, WEEK)
        extra = np.cumsum(np.nan_to_num(past - middle))
        extra[hours:] -= extra[:-hours].copy()
        alike = extra >= _ALIKE * self.excess(first, end) * hours / (end - first)
        quiet = np.array([self.quiet])
        alike &= log_ratio(past, middle, quiet, hours=hours) > _BEYOND_NOISE * self.spread(first, end)
        found = 0
        while alike.any():
            at = int(np.where(alike, extra, -np.inf).argmax())
            alike[max(at - max(hours, _APART), 0) : at + max(hours, _APART)] = False
            found += 1
        return found


def cost_anomalies(
    hours: pd.DataFrame,
    window: Window,
    covered: pd.DataFrame,
    *,
    floor: float,
    hour_floor: float,
    threshold: float = 6.0,
    semantics: Semantics | None = "rate",
    currency: str = "",
    breaks: pd.DataFrame | None = None,
    generated: Collection[str] = (),
) -> pd.DataFrame:
    """Stretches in the window that cost a tenant, or all together, more than their calendar explains, and unknown ones.

    `hours` are the cost gauge's hours in the window and 6 weeks before; `covered` (hour, covered); `floor` the least
    excess of a leading hour, `hour_floor` that of a stretch of one hour alone, in the currency; `breaks` as
    `semantics_breaks` gives them, whose stretches show no cost; `generated` names that are no tenants of their own.

    Columns: tenant, currency, since, start, end, hours, unseen, cost, expected, excess, score, generated, unknown; by
    start.
    """
    grid = _grid(hours, window, covered, semantics=semantics, currency=currency, breaks=breaks, generated=generated)
    found = list(_stretches(grid, window, floor=floor, hour_floor=hour_floor, threshold=threshold))
    names = grid.keys["tenant"].isin(list(generated)).to_numpy()
    told = [row for row in found if row["tenant"] != TOGETHER]
    for row in found:
        if row["tenant"] == TOGETHER and _explained(row, told) < row["excess"] / 2:
            own = names & (grid.keys["currency"] == row["currency"]).to_numpy()
            told = [*told, row | {"generated": float(np.nansum(grid.cost[own, row["place"]]))}]
    return typed(told, cost_anomalies).sort_values(["start", "tenant"], ignore_index=True)


def expected_costs(
    hours: pd.DataFrame,
    window: Window,
    covered: pd.DataFrame,
    *,
    floor: float = 0.0,
    threshold: float = 6.0,
    semantics: Semantics | None = "rate",
    currency: str = "",
    generated: Collection[str] = (),
    tenant: str | None = None,
) -> pd.DataFrame:
    """What each judged hour of the window cost, and what its calendar lets expect, of all or of one `tenant`.

    Columns: tenant, currency, hour, cost, expected, low, high; by tenant and hour. Hours with too little history are
    left out.
    """
    grid = _grid(hours, window, covered, semantics=semantics, currency=currency, generated=generated)
    own = np.flatnonzero((grid.keys["tenant"] == tenant) if tenant is not None else np.ones(len(grid.keys), dtype=bool))
    frames = [typed([], expected_costs)]
    for number in _weeks(window):
        week = expect(grid.history(number, own.tolist()))
        cost = grid.cost[own, grid.week(number)]
        row, at = np.nonzero((week.weeks >= LEAST_WEEKS) & np.isfinite(cost))
        width, quiet = np.exp(threshold * week.hourly), week.quiet
        high = np.maximum((week.upper + quiet) * width - quiet, week.upper + _least(week, floor))
        low = np.maximum((week.middle + quiet) / width - quiet, 0.0)
        frame = grid.keys.iloc[own[row]].assign(hour=hour_times(number * WEEK, at), cost=cost[row, at])
        parts = {"expected": week.middle, "low": np.minimum(low, week.middle), "high": high}
        frames.append(frame.assign(**{name: values[row, at] for name, values in parts.items()}))
    frame = pd.concat(frames)
    frame = frame[(frame["hour"] >= window.start) & (frame["hour"] < window.end)]
    return typed(frame.sort_values(["tenant", "currency", "hour"], ignore_index=True), expected_costs)


def anomaly_basis(
    hours: pd.DataFrame,
    window: Window,
    covered: pd.DataFrame,
    *,
    semantics: Semantics | None = "rate",
    breaks: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Which of the window's tenants have the history that an anomaly needs.

    Columns: tenant, weeks, judged. A tenant whose gauge is broken all the time is not judged.
    """
    grid = _grid(hours, window, covered, semantics=semantics, breaks=breaks)
    frames = []
    for number in _weeks(window):
        weeks = np.isfinite(grid.history(number)).sum(axis=1).astype("float64")
        row, at = np.nonzero(np.isfinite(grid.cost[:, grid.week(number)]))
        frames.append(pd.DataFrame({"tenant": grid.keys["tenant"].iloc[row], "weeks": weeks[row, at]}))
    frame = pd.concat(frames)
    frame = frame[frame["tenant"] != TOGETHER].groupby("tenant")["weeks"].median().reset_index()
    return typed(frame.assign(judged=frame["weeks"] >= LEAST_WEEKS), anomaly_basis)


def _weeks(window: Window) -> range:
    last = week_number(pd.Timestamp(window.end) - pd.Timedelta(microseconds=1))
    return range(week_number(pd.Timestamp(window.start)), last + 1)


def _grid(
    hours: pd.DataFrame,
    window: Window,
    covered: pd.DataFrame,
    *,
    semantics: Semantics | None,
    currency: str = "",
    breaks: pd.DataFrame | None = None,
    generated: Collection[str] = (),
) -> Grid:
    sound = ~growing_hours(hours, semantics=semantics)
    for row in breaks.itertuples() if breaks is not None else ():
        within = (hours["hour"] >= row.start.floor("h")) & (hours["hour"] < row.end)
        sound &= ~(within & (hours["tenant"] == row.tenant)).to_numpy()
    costs = cost_rows(hours[sound], semantics=semantics, currency=currency)
    return grid_of(costs, window, covered, generated=generated)


def _least(week: Expected, floor: float) -> Floats:
    return np.maximum(floor, 0.05 * np.nan_to_num(week.typical))


def _stretches(
    grid: Grid, window: Window, *, floor: float, hour_floor: float, threshold: float
) -> Iterator[dict[str, Any]]:
    """Every stretch that counts, with its hours' place in the grid."""
    zero = hour_times(grid.first, np.zeros(1, dtype=np.int64))[0]
    begin, until = (pd.Timestamp(window.start) - zero) // HOUR, -((zero - pd.Timestamp(window.end)) // HOUR)
    for number in _weeks(window):
        week, at = expect(grid.history(number)), grid.week(number)
        least, shift, others = _least(week, floor), at.start - WEEK, _Others(week, grid.keys)
        seeds = _leading(grid.cost[:, at.start - DAY : at.stop], week, least=least, threshold=threshold)
        judged = slice(max(begin, at.start), min(until, at.stop))
        seeds[:, : judged.start - at.start] = seeds[:, judged.stop - at.start :] = False
        rows = np.flatnonzero(seeds.any(axis=1)).tolist()
        before = expect(grid.history(number - 1, rows))
        names = ("middle", "upper", "hourly")
        both = {name: np.hstack([getattr(before, name), getattr(week, name)[rows]]) for name in names}
        for place, row in enumerate(rows):
            own: dict[str, Any] = {name: values[place] for name, values in both.items()}
            own |= {"past": week.past[row], "past_middle": week.past_middle[row]}
            own |= {"daily": float(week.daily[row, 0]), "quiet": float(week.quiet[row, 0])}
            one = _Row(cost=grid.cost[row, shift : at.stop], **own)
            for first, end in _followed(one, np.flatnonzero(seeds[row]) + WEEK):
                needed = max(threshold * one.spread(first, end), _LASTING if end - first >= DAY / 2 else _BRIEF)
                alone = np.isfinite(one.cost[first:end]).sum() < 2
                score = threshold * one.beyond(first, end) / needed
                money = hour_floor if alone else least[row, 0]
                occasions = one.occasions(first, end)
                if score < threshold or one.excess(first, end) < money or occasions > 1:
                    continue
                part = slice(max(first + shift, judged.start), min(end + shift, judged.stop))
                since, start, stop = hour_times(grid.first, np.array([first + shift, part.start, part.stop]))
                cost, expected = grid.cost[row, part], one.middle[part.start - shift : part.stop - shift]
                seen = np.isfinite(cost) & np.isfinite(expected)
                sums = {"cost": cost, "expected": expected, "excess": cost - expected}
                told = {"since": since, "start": start, "end": stop, "hours": part.stop - part.start, "score": score}
                yield (
                    grid.keys.iloc[row].to_dict()
                    | told
                    | {
                        **{name: float(values[seen].sum()) for name, values in sums.items()},
                        "unseen": int((~(seen & grid.covered[part])).sum()),
                        "unknown": ONCE if occasions else _unsure(one, others, row, first, end, since),
                        "place": part,
                    }
                )


def _leading(cost: Floats, week: Expected, *, least: Floats, threshold: float) -> NDArray[np.bool_]:
    """The hours of a week that lead a stretch; `cost` begins a day before it."""
    upper, middle = (np.hstack([one[:, -DAY:], one]) for one in (week.upper, week.middle))
    ratio = np.log((cost + week.quiet) / (upper + week.quiet))
    limit = threshold * np.hstack([week.hourly[:, -DAY:], week.hourly])
    leads = (ratio > np.maximum(limit, _BRIEF)) & (cost - upper > least)
    # One dear hour is no dear day: it counts for what an hour may stray at most.
    capped = np.where(leads, np.minimum(cost, (upper + week.quiet) * np.exp(limit)), cost)
    days = log_ratio(capped, middle, week.quiet, hours=DAY)
    lasting = days > np.maximum(threshold * week.daily, _LASTING)
    for row in np.flatnonzero(lasting.any(axis=1)):
        for at in np.flatnonzero(lasting[row, DAY:]) + DAY:
            day = slice(at - DAY + 1, at + 1)
            leads[row, day] |= (ratio[row, day] > days[row, at] / 2) & (cost - middle > least)[row, day]
    return leads[:, DAY:]


def _followed(one: _Row, seeds: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The stretches, last hour excluded, that leading hours belong to; those that adjoin are one."""
    ratio = np.log((one.cost + one.quiet) / (one.middle + one.quiet))
    found: list[tuple[int, int]] = []
    free = 0
    while len(seeds):
        first = int(seeds[0])
        ordinary = np.cumsum(np.isfinite(ratio[seeds[0] : seeds[-1] + 1]))[seeds - seeds[0]]
        apart = np.flatnonzero((np.diff(ordinary) > _ORDINARY + 1) | (np.diff(seeds) > DAY))
        group = seeds[: apart[0] + 1] if len(apart) else seeds
        middle = float(np.median(ratio[group])) / 2
        gain = ratio - middle
        first -= _reach(gain[free:first][::-1], middle)
        end = int(group[-1]) + 1
        end += _reach(gain[end:], middle)
        found.append((found.pop()[0] if found and first == free else first, end))
        free, seeds = end, seeds[seeds >= end]
    return found


def _reach(gain: Floats, middle: float) -> int:
    """How many hours outward belong to a stretch: up to the largest sum, before it falls by some ordinary hours."""
    unknown = ~np.isfinite(gain)
    total = np.cumsum(np.where(unknown, 0.0, gain))
    best = np.maximum.accumulate(np.maximum(total, 0.0))
    # Beyond a day without a sample nobody knows.
    long_unknown = np.convolve(np.append(unknown, False), np.ones(DAY, dtype=int))[: len(gain)] >= DAY
    stops = np.flatnonzero((best - total > _ORDINARY * middle) | long_unknown)
    total = total[: stops[0]] if len(stops) else total
    return int(total.argmax()) + 1 if len(total) and total.max() > 0 else 0


def _unsure(one: _Row, others: _Others, row: int, first: int, end: int, begun: pd.Timestamp) -> str:
    """Why a stretch that never came before, as far as was seen, may be a rhythm all the same; '' where nothing says so.

    `first` and `end` count from the Monday before the judged week, on which the history's last week begins.
    """
    hours, ended = end - first, begun + (end - first) * HOUR
    since = len(one.past) - WEEK + first - (begun - (begun - pd.DateOffset(months=1))) // HOUR
    month = slice(max(since, 0), max(since + hours, 0))
    had = others.had(row, one.beyond(first, end), hours)
    if had.reshape(-1, WEEK).any(axis=1).sum() >= _OTHER_WEEKS or had[month].any():
        return ELSEWHERE
    seen = np.isfinite(one.past[month]).sum() >= hours / 2
    turning = (begun - _TURN).month != (ended + _TURN).month
    return MONTH if (turning or hours >= DAY) and not seen else ""


def _spread(hourly: Floats, daily: Floats, hours: int) -> Floats:
    """Standard deviation of the logarithm of some hours together: the noise of hours averages out, that of days not."""
    hour = np.nanmean(hourly**2, axis=1, keepdims=True)
    return np.sqrt(daily**2 + np.maximum(hour - daily**2, 0.0) / min(hours, DAY))


def _explained(row: dict[str, Any], told: list[dict[str, Any]]) -> float:
    """How much of a total's excess the stretches of single tenants are."""
    share = 0.0
    for other in told:
        common = min(row["end"], other["end"]) - max(row["start"], other["start"])
        if other["currency"] == row["currency"] and common > pd.Timedelta(0):
            share += other["excess"] * (common / (other["end"] - other["start"]))
    return share
