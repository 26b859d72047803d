"""Hours that cost a tenant more than its hour of the week explains.

An hour's residual is its cost minus the median of the same hour of the week in the 4 weeks before (at least 3 of them
on covered days, else it is not judged). It is anomalous where the residual exceeds 6 × 1.4826 × MAD of the tenant's
residuals in those weeks, 5 % of its median hour, and a configured amount, and a neighbouring hour does so, too. Only
excess counts: an hour that cost less is none.

Taken by the letter this finds some 100 'anomalies' in twenty weeks of ordinary noise over 50 tenants, because a median
of four lies closer to its own four values than to a fifth, because noise grows with the cost, and because costs wander
over days. So the rule is made more careful in four ways, each of which can only take findings away:

* a week's residuals in the history leave that week out of its median, as the judged week's residuals do;
* the limit is also 6 × 1.4826 × MAD of the relative residuals, times the hour's expected cost;
* the limit is also twice the 98th percentile of the absolute residuals, for tenants that work in bursts;
* the hour is held against its median times the tenant's level of the day before (the median of cost / hour-of-week
  median over the 24 hours before), where that level lies above 1: a lasting rise is a finding for half a day, not for
  weeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.cost import Semantics, cost_rows
from cloudxai_analysis.measures.frames import combinations
from cloudxai_analysis.window import Window

_TIME = "datetime64[us, UTC]"
_EXPECTED = {
    "tenant": "str",
    "currency": "str",
    "hour": _TIME,
    "cost": "float64",
    "expected": "float64",
    "low": "float64",
    "high": "float64",
}
_ANOMALIES = {
    "tenant": "str",
    "currency": "str",
    "start": _TIME,
    "end": _TIME,
    "hours": "int64",
    "cost": "float64",
    "expected": "float64",
    "excess": "float64",
    "score": "float64",
}
_BASIS = {"tenant": "str", "weeks": "int64", "judged": "bool"}

_HISTORY = 4  # weeks
_LEAST = 3  # of them with a value on a covered day
_WEEK = 168  # hours
_DAY = 24
_SIGMA = 1.4826  # MAD of a normal distribution to its standard deviation
_HOUR_US = 3_600_000_000
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)  # ISO weeks are counted from here

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Week:
    """One judged ISO week of every tenant, tenants × 168 hours; `history` is tenants × 4 weeks × 168."""

    number: int
    cost: Floats
    before: Floats
    history: Floats

    @property
    def weeks(self) -> NDArray[np.int64]:
        return np.isfinite(self.history).sum(axis=1)


def cost_anomalies(
    hours: pd.DataFrame,
    window: Window,
    covered: pd.DataFrame,
    *,
    floor: float,
    threshold: float = 6.0,
    semantics: Semantics | None = "rate",
    currency: str = "",
) -> pd.DataFrame:
    """Stretches of at least 2 neighbouring hours that cost more than the tenant's hour of the week explains.

    `hours` are the cost gauge's hours in the window and 4 weeks before; `covered` the covered days; `floor` the least
    excess of an hour, in the currency.

    Columns: tenant, currency, start, end, hours (number), cost, expected, excess (cost − expected; in the currency,
    over the stretch), score (largest residual, in robust standard deviations; at least `threshold`); by start.
    """
    over = expected_costs(
        hours, window, covered, floor=floor, threshold=threshold, semantics=semantics, currency=currency, over=True
    )
    after = over["hour"].diff() == pd.Timedelta(hours=1)
    same = (over["tenant"] == over["tenant"].shift()) & (over["currency"] == over["currency"].shift())
    stretch = (~(after & same)).cumsum()
    excess = over["cost"] - over["expected"]
    score = threshold * excess / (over["high"] - over["expected"])
    grouped = over.assign(stretch=stretch, excess=excess, score=score).groupby("stretch")
    found = grouped.agg(
        tenant=("tenant", "first"),
        currency=("currency", "first"),
        start=("hour", "min"),
        end=("hour", "max"),
        hours=("hour", "size"),
        cost=("cost", "sum"),
        expected=("expected", "sum"),
        excess=("excess", "sum"),
        score=("score", "max"),
    )
    found["end"] += pd.Timedelta(hours=1)
    found = found[found["hours"] >= 2].sort_values(["start", "tenant"], ignore_index=True)
    return found[list(_ANOMALIES)].astype(_ANOMALIES)


def expected_costs(
    hours: pd.DataFrame,
    window: Window,
    covered: pd.DataFrame,
    *,
    floor: float,
    threshold: float = 6.0,
    semantics: Semantics | None = "rate",
    currency: str = "",
    over: bool = False,
) -> pd.DataFrame:
    """What each judged hour of the window cost, and what the tenant's hour of the week lets expect.

    Those that cost more than `high` alone where `over`.

    Columns: tenant, currency, hour, cost, expected, low, high (in the currency; an anomalous hour lies above `high`);
    by tenant and hour. Hours with too little history are left out.
    """
    costs = _hourly(hours, window, semantics=semantics, currency=currency)
    tenants, weeks = _weeks(costs, window, covered)
    frames = [_expected(week, tenants, floor=floor, threshold=threshold, over=over) for week in weeks]
    frame = pd.concat([pd.DataFrame(columns=list(_EXPECTED)).astype(_EXPECTED), *frames])
    frame = frame[(frame["hour"] >= window.start) & (frame["hour"] < window.end)]
    return frame.sort_values(["tenant", "currency", "hour"], ignore_index=True)


def expected_course(
    hours: pd.DataFrame,
    window: Window,
    covered: pd.DataFrame,
    *,
    floor: float = 0.0,
    threshold: float = 6.0,
    semantics: Semantics | None = "rate",
) -> pd.DataFrame:
    """What one tenant cost in each judged hour of the window, beside what its hour of the week lets expect.

    `hours` are the cost gauge's hours of that tenant alone, in the window and 4 weeks before; `floor` and `threshold`
    as for `cost_anomalies`.

    Columns: hour, cost, expected, low, high (in the currency, added over the tenant's currencies); by hour. Hours with
    too little history are left out.
    """
    frame = expected_costs(hours, window, covered, floor=floor, threshold=threshold, semantics=semantics)
    return frame.groupby("hour")[["cost", "expected", "low", "high"]].sum().reset_index()


def anomaly_basis(
    hours: pd.DataFrame, window: Window, covered: pd.DataFrame, *, semantics: Semantics | None = "rate"
) -> pd.DataFrame:
    """Which of the window's tenants have the history that an anomaly needs.

    Columns: tenant, weeks (covered weeks of history that its hours rest on, 4 at most), judged (at least 3, so that
    its anomalies are known). Of a window longer than a week the best of its weeks counts.
    """
    costs = _hourly(hours, window, semantics=semantics, currency="")
    tenants, weeks = _weeks(costs, window, covered)
    frames = [
        pd.DataFrame({"tenant": tenants["tenant"], "weeks": np.where(seen, week.weeks, 0).max(axis=1)})[
            seen.any(axis=1)
        ]
        for week in weeks
        for seen in [np.isfinite(week.cost)]
    ]
    frame = pd.concat([pd.DataFrame(columns=["tenant", "weeks"]).astype({"tenant": "str", "weeks": "int64"}), *frames])
    basis = frame.groupby("tenant")["weeks"].max().reset_index()
    basis["judged"] = basis["weeks"] >= _LEAST
    return basis.astype(_BASIS)


def _hourly(hours: pd.DataFrame, window: Window, *, semantics: Semantics | None, currency: str) -> pd.DataFrame:
    """Costs of the hours that a judged week or its history can have, series by series."""
    rows = cost_rows(hours, semantics=semantics, currency=currency)
    first = _MONDAY + timedelta(weeks=_week_number(window.start) - _HISTORY)
    return rows[(rows["hour"] >= first) & (rows["hour"] < window.end)]


def _weeks(costs: pd.DataFrame, window: Window, covered: pd.DataFrame) -> tuple[pd.DataFrame, list[_Week]]:
    """The tenants (tenant, currency), and the window's ISO weeks with their history; hours outside are NaN."""
    if costs.empty:
        return costs[["tenant", "currency"]].astype("str"), []
    code, tenants = combinations(costs, ["tenant", "currency"])
    first = _week_number(window.start) - _HISTORY
    weeks = max(_week_number(window.end - timedelta(microseconds=1)) + 1 - first, _HISTORY + 1)
    place = code * weeks * _WEEK + _hours_since_monday(costs["hour"]) - first * _WEEK
    size = len(tenants) * weeks * _WEEK
    total = np.bincount(place, weights=costs["cost"].to_numpy(), minlength=size)
    cube = np.where(np.bincount(place, minlength=size) > 0, total, np.nan).reshape(len(tenants), weeks * _WEEK)
    trusted = np.where(np.repeat(_covered_days(covered, first * 7, weeks * 7), _DAY), cube, np.nan)
    return tenants, [
        _Week(
            number=first + week,
            cost=cube[:, week * _WEEK : (week + 1) * _WEEK],
            before=cube[:, week * _WEEK - _DAY : week * _WEEK],
            history=trusted[:, (week - _HISTORY) * _WEEK : week * _WEEK].reshape(len(tenants), _HISTORY, _WEEK),
        )
        for week in range(_HISTORY, weeks)
    ]


def _expected(week: _Week, tenants: pd.DataFrame, *, floor: float, threshold: float, over: bool) -> pd.DataFrame:
    median = _quantile(np.ascontiguousarray(np.moveaxis(week.history, 1, 2)), 0.5, axis=2)
    limit = _limit(week.history, median, floor=floor, threshold=threshold)
    shown = (week.weeks >= _LEAST) & np.isfinite(week.cost)
    # A level only ever raises what is expected: what lies below the median's limit needs none.
    expected = median * _level(week, median, shown & (week.cost > median + limit) if over else shown)
    row, column = np.nonzero(shown & (week.cost > expected + limit) if over else shown)
    middle, width = expected[row, column], limit[row, column]
    hour = (week.number * _WEEK + column) * _HOUR_US + int(_MONDAY.timestamp()) * 1_000_000
    frame = tenants.iloc[row].reset_index(drop=True)
    frame["hour"] = pd.to_datetime(hour, unit="us", utc=True)
    frame["cost"] = week.cost[row, column]
    frame["expected"] = middle
    frame["low"] = np.maximum(middle - width, 0.0)
    frame["high"] = middle + width
    return frame.astype(_EXPECTED)


def _limit(history: Floats, median: Floats, *, floor: float, threshold: float) -> Floats:
    """The least residual that counts, tenants × 168 hours."""
    others = _medians_of_others(history)
    # Hours with fewer values are not judged, and their medians of one or two would widen every other hour's limit.
    enough = (np.isfinite(history).sum(axis=1) >= _LEAST)[:, np.newaxis]
    residuals = np.where(enough, history - others, np.nan).reshape(len(history), -1)
    relative = residuals / np.where(others > 0, others, np.nan).reshape(len(history), -1)
    limits = [
        threshold * _SIGMA * _mad(residuals),
        threshold * _SIGMA * np.nan_to_num(_mad(relative)) * median,
        2.0 * _quantile(np.abs(residuals), 0.98, axis=1)[:, np.newaxis],
        0.05 * _quantile(history.reshape(len(history), -1), 0.5, axis=1)[:, np.newaxis],
        np.full((1, 1), floor),
    ]
    return np.maximum.reduce([np.broadcast_to(limit, median.shape) for limit in limits])


def _medians_of_others(history: Floats) -> Floats:
    """For each of the 4 weeks the median of the others; of an hour with 3 values that of the other two, else NaN.

    One sort of the four tells all of them: without a value of the lower half the median is the third, and so on.
    """
    low, mid, high, top = np.moveaxis(np.sort(history, axis=1), 1, 0)[:, :, np.newaxis, :]
    of_four = np.where(history <= mid, high, mid)
    of_three = np.where(history == low, (mid + high) / 2, np.where(history == mid, (low + high) / 2, (low + mid) / 2))
    return np.where(np.isfinite(top), of_four, of_three)


def _level(week: _Week, median: Floats, where: NDArray[np.bool_]) -> Floats:
    """Cost against the hour-of-week median over the 24 hours before each hour `where` it is asked for; at least 1."""
    usual = np.concatenate([median[:, -_DAY:], median], axis=1)
    share = np.concatenate([week.before, week.cost], axis=1) / np.where(usual > 0, usual, np.nan)
    days = np.lib.stride_tricks.sliding_window_view(share, _DAY, axis=1)[:, :_WEEK][where]
    found = _quantile(days, 0.5, axis=1)
    known = np.isfinite(days).sum(axis=1) >= _DAY // 4
    level = np.ones(where.shape)
    level[where] = np.where(known & (found > 1.0), found, 1.0)
    return level


def _mad(values: Floats) -> Floats:
    """Median absolute deviation from the median of each row, as a column."""
    centred = values - _quantile(values, 0.5, axis=1)[:, np.newaxis]
    return _quantile(np.abs(centred), 0.5, axis=1)[:, np.newaxis]


def _quantile(values: Floats, q: float, *, axis: int) -> Floats:
    """Linear quantile over the finite values; NaN where there is none. numpy's own loops over rows in Python."""
    ordered = np.sort(values, axis=axis)
    count = np.isfinite(ordered).sum(axis=axis, keepdims=True)
    position = q * np.maximum(count - 1, 0)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low = np.take_along_axis(ordered, below, axis)
    high = np.take_along_axis(ordered, above, axis)
    return np.squeeze(low + (position - below) * (high - low), axis=axis)


def _hours_since_monday(moments: pd.Series) -> NDArray[np.int64]:
    since = (moments - pd.Timestamp(_MONDAY)) // pd.Timedelta(hours=1)
    return np.asarray(since, dtype=np.int64)


def _week_number(moment: datetime) -> int:
    return (moment - _MONDAY).days // 7


def _covered_days(covered: pd.DataFrame, first: int, days: int) -> NDArray[np.bool_]:
    """Which of the `days` days from day `first` (counted from the Monday) on are covered."""
    day = np.asarray((covered["day"] - pd.Timestamp(_MONDAY)) // pd.Timedelta(days=1), dtype=np.int64) - first
    flags = np.zeros(days, dtype=bool)
    inside = (day >= 0) & (day < days)
    flags[day[inside]] = covered["covered"].to_numpy(dtype=bool)[inside]
    return flags
