"""The course of a month's cost: what was spent, what is likely to be, and when a budget will be.

Days that the telemetry does not cover are unknown: what was seen of them is spent, and no forecast learns from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.forecast import Forecast, forecast_sums
from cloudxai_analysis.measures.frames import typed

_DAY = pd.Timedelta(days=1)
_QUANTILES = {"low95": 0.025, "low80": 0.1, "median": 0.5, "high80": 0.9, "high95": 0.975}


def month_projection(daily: pd.DataFrame, covered: pd.DataFrame, month: Window, *, until: pd.Timestamp) -> pd.DataFrame:
    """What all tenants are likely to have cost at the end of a month, one row per currency.

    `daily` as `measures.cost.costs_by_day` gives it, over some weeks; `covered` the covered days; `until` is the end of
    the last whole day that was seen. With under 21 covered days of history only what was spent is known.

    Columns: currency, until, spent, days_unknown, days_left, low95, low80, median, high80, high95, model, days_known.
    """
    rows = []
    for currency, own in daily.groupby("currency", observed=True):
        by_day = own.groupby("day")["cost"].sum()
        spent, left = float(_within(by_day, month, until).sum()), _days_left(month, until)
        row = {"currency": currency, "until": until, "spent": spent, "days_left": left}
        known, forecast = _forecast(by_day, covered, until, left)
        row |= {"model": forecast.model, "days_known": known, "days_unknown": _unknown(covered, month, until)}
        rows.append(row | _ends(forecast, spent, left))
    return typed(rows, month_projection)


def month_course(daily: pd.DataFrame, covered: pd.DataFrame, month: Window, *, currency: str) -> pd.DataFrame:
    """What all tenants had cost in a month by the end of each of its days that was seen.

    Columns: day, spent, covered.
    """
    own = daily[daily["currency"].astype("str") == currency]
    by_day = _within(own.groupby("day")["cost"].sum(), month, pd.Timestamp(month.end))
    found = by_day.cumsum().rename("spent").reset_index()
    return typed(found.assign(covered=found["day"].isin(_sure(covered))), month_course)


def budget_course(
    daily: pd.DataFrame,
    budgets: Mapping[str, float],
    covered: pd.DataFrame,
    month: Window,
    *,
    until: pd.Timestamp,
    currency: str,
    forecast_most: int = 20,
) -> pd.DataFrame:
    """Each budget of a calendar month: what is spent, and when it will be at the pace of the days before.

    `budgets` in `currency`; a tenant that was not seen has spent nothing. The `forecast_most` fullest are forecast with
    an interval; the others have their pace alone.

    Columns: tenant, currency, budget, spent, spent_share, pace, low80, median, high80, answer, spent_on, days_unknown;
    the fullest first.
    """
    own = daily[(daily["currency"].astype("str") == currency) & (daily["day"] < until) & daily["tenant"].isin(budgets)]
    table = own.pivot_table(index="day", columns="tenant", values="cost", aggfunc="sum", observed=True)
    days = {tenant: table[tenant].dropna() if tenant in table else _NOTHING for tenant in budgets}
    share = {tenant: _within(days[tenant], month, until).sum() / budget for tenant, budget in budgets.items()}
    rows = []
    for place, tenant in enumerate(sorted(budgets, key=lambda tenant: (-share[tenant], tenant))):
        found = _budget(days[tenant], budgets[tenant], covered, month, until, forecast=place < forecast_most)
        rows.append({"tenant": tenant, "currency": currency, "days_unknown": _unknown(covered, month, until), **found})
    return typed(rows, budget_course)


_NOTHING = pd.Series(dtype="float64", index=pd.DatetimeIndex([], tz="UTC"))


def _budget(
    by_day: pd.Series, budget: float, covered: pd.DataFrame, month: Window, until: pd.Timestamp, *, forecast: bool
) -> dict[str, Any]:
    sure = _sure(covered)
    recent = sure[sure < until][-14:]
    pace = float(by_day.reindex(recent, fill_value=0.0).mean()) if len(recent) else np.nan
    passed, left = _within(by_day, month, until).cumsum(), _days_left(month, until)
    spent = float(passed.iloc[-1]) if len(passed) else 0.0
    row: dict[str, Any] = {"budget": budget, "spent": spent, "spent_share": spent / budget, "pace": pace}
    if spent >= budget:
        return row | {"answer": "spent", "spent_on": passed.index[(passed >= budget).argmax()]}
    ahead = spent + pace * np.arange(1, left + 1)
    if forecast:
        _, found = _forecast(by_day, covered, until, left)
        ends = _ends(found, spent, left)
        row |= {name: ends[name] for name in ("low80", "median", "high80")}
        if found.known:
            ahead = spent + np.median(np.maximum(found.paths[:left], 0.0), axis=1)
    if np.isnan(ahead).any():
        return row | {"answer": "unknown"}
    over = ahead >= budget
    if not over.any():
        return row | {"answer": "will last"}
    return row | {"answer": "will be spent", "spent_on": until + int(over.argmax()) * _DAY}


def _forecast(by_day: pd.Series, covered: pd.DataFrame, until: pd.Timestamp, left: int) -> tuple[int, Forecast]:
    """How many days of the history are known, and the forecast of the days left."""
    days = pd.DatetimeIndex(covered.loc[covered["day"] < until, "day"]).sort_values()
    history = by_day.reindex(days, fill_value=0.0).astype("float64").where(days.isin(_sure(covered)))
    return int(history.notna().sum()), forecast_sums(history.to_numpy(), days=left)


def _ends(forecast: Forecast, spent: float, left: int) -> dict[str, float]:
    if not left:
        return dict.fromkeys(_QUANTILES, spent)
    if not forecast.known:
        return dict.fromkeys(_QUANTILES, np.nan)
    ahead = np.maximum(forecast.paths[-1], 0.0)
    return {name: spent + float(np.quantile(ahead, share)) for name, share in _QUANTILES.items()}


def _sure(covered: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(covered.loc[covered["covered"].astype(bool), "day"])


def _days_left(month: Window, until: pd.Timestamp) -> int:
    return max((pd.Timestamp(month.end) - until) // _DAY, 0)


def _within(by_day: pd.Series, month: Window, until: pd.Timestamp) -> pd.Series:
    return by_day[(by_day.index >= month.start) & (by_day.index < min(until, pd.Timestamp(month.end)))]


def _unknown(covered: pd.DataFrame, month: Window, until: pd.Timestamp) -> int:
    """Days of the month so far that no telemetry covers."""
    so_far = pd.date_range(month.start, min(until, pd.Timestamp(month.end)), freq="D", inclusive="left", unit="us")
    return int((~so_far.isin(_sure(covered))).sum())
