"""What the tenants cost: by hour, day, week and month, who moved, and where a month may end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, week_of
from cloudxai_analysis.measures.forecast import Forecast, forecast_sums
from cloudxai_analysis.measures.frames import TIME, summed, sure, typed, with_text

Semantics = Literal["rate", "cumulative", "window_total"]

MOST = 1e12  # currency an hour: what no tenant costs, and beyond which sums say nothing
_STEP = 60.0  # seconds between scrapes, of a series with a single one
_HOLD = 300.0  # seconds for which a rollup holds a value
_DAY = pd.Timedelta(days=1)
_WHOSE = ["tenant", "currency"]
_QUANTILES = {"low95": 0.025, "low80": 0.1, "median": 0.5, "high80": 0.9, "high95": 0.975}
_PART = 0.95  # of the hours, under which a tenant was there for a part


def is_amount(hours: pd.DataFrame) -> pd.Series:
    """Whether each rollup holds amounts of money alone: finite, none below 0 or beyond `MOST`."""
    ends = {"min": MOST, "max": MOST, "last": MOST, "integral": MOST * 3600}
    there = [hours[name].isna() | hours[name].between(0.0, most) for name, most in ends.items() if name in hours]
    return pd.Series(np.logical_and.reduce(there), index=hours.index)


def currencies(hours: pd.DataFrame, currency: str) -> pd.Series:
    """The currency of each row: its label's, in the capitals of ISO 4217, else `currency`."""
    if "currency" not in hours:
        return pd.Series(pd.Categorical([currency]).repeat(len(hours)), index=hours.index)
    label = hours["currency"].astype("category")
    named = {name: str(name).strip().upper() or currency for name in label.cat.categories}
    return label.map(named).astype("category")


def without_overhang(hours: pd.DataFrame, *, end: pd.Timestamp) -> pd.DataFrame:
    """The rollups with a value before a gap, or the `end`, held for one scrape, not 5 minutes."""
    # Where a source hides staleness markers, a replaced process would be counted beside its successor.
    after = hours.groupby("series_id")["first_ts"].shift(-1).fillna(end)
    stops = (after - hours["last_ts"]).dt.total_seconds() > _HOLD
    ended = hours[stops & (hours["samples"] > 0) & (hours["stale_markers"] == 0)]
    span = (ended["last_ts"] - ended["first_ts"]).dt.total_seconds()
    step = (span / (ended["samples"] - 1)).where(ended["samples"] > 1, _STEP)
    to_midnight = (ended["last_ts"].dt.floor("D") + _DAY - ended["last_ts"]).dt.total_seconds()
    over = (np.minimum(to_midnight, _HOLD) - step).clip(lower=0.0) * ended["last"]
    return hours.assign(integral=hours["integral"].sub(over, fill_value=0.0))


def hourly_costs(
    hours: pd.DataFrame, *, semantics: Semantics | None, currency: str, rates: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Cost of each tenant in each hour that holds amounts: of a `rate` the integral, else the increase.

    `rates` says how many units of `currency` one of another is worth; what it does not know stays.
    Raises UsageError where the gauge is neither 'rate' nor 'cumulative'.

    Columns: tenant, currency, hour, cost.
    """
    if semantics not in ("rate", "cumulative"):
        raise UsageError(
            f"Cost by hour or day of a gauge with semantics '{semantics}'. The contract must declare it 'rate' or "
            "'cumulative'; a window_total is read whole, by window_costs."
        )
    cost = hours["integral"] / 3600.0 if semantics == "rate" else hours["increase"]
    known = is_amount(hours) & cost.between(0.0, MOST)
    if semantics == "cumulative":
        # What follows a value that is no amount is no step from it.
        known &= known.shift(fill_value=True) | (hours["series_id"] != hours["series_id"].shift())
    # An hour of NaN costs nothing that is known, unless the value before it was still held.
    known &= (hours["samples"] > 0) | (cost != 0)
    columns = {"tenant": hours["tenant"], "currency": currencies(hours, currency), "hour": hours["hour"], "cost": cost}
    costs = pd.DataFrame(columns)[known]
    if rates:
        rate = costs["currency"].astype("str").map(dict(rates)).astype("float64")
        named = costs["currency"].astype("str").where(rate.isna(), currency)
        costs = costs.assign(cost=costs["cost"] * rate.fillna(1.0), currency=named)
    return typed(summed(costs, [*_WHOSE, "hour"], "cost"), hourly_costs)


def costs_by_day(hourly: pd.DataFrame) -> pd.DataFrame:
    """Cost of each tenant on each UTC day; `hourly` as `hourly_costs` gives it, here and below.

    Columns: day, tenant, currency, cost.
    """
    return typed(summed(hourly.assign(day=hourly["hour"].dt.floor("D")), ["day", *_WHOSE], "cost"), costs_by_day)


def tenant_costs(hourly: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Cost of each tenant over a window, the largest first.

    Columns: tenant, currency, cost.
    """
    inside = hourly[(hourly["hour"] >= window.start) & (hourly["hour"] < window.end)]
    return typed(summed(inside, _WHOSE, "cost"), tenant_costs, by="-cost tenant")


def unserved_costs(hourly: pd.DataFrame, tenant_hours: pd.DataFrame) -> pd.DataFrame:
    """What tenants cost by UTC day while not ready: each hour's cost by the share of its samples that say so.

    `tenant_hours` are hourly rollups of the tenants' readiness. A day of which all cost was served has no row.

    Columns: day, tenant, currency, cost (of the whole day), amount (of it, while not ready), rest (of
    it, in hours of whose readiness nothing is known).
    """
    there = with_text(tenant_hours[tenant_hours["samples"] > 0], ["tenant"])
    told = there.groupby(["tenant", "hour"], as_index=False)[["sum", "samples"]].sum()
    costs = with_text(hourly, _WHOSE).merge(told, how="left", on=["tenant", "hour"])
    not_ready = 1 - (costs["sum"] / costs["samples"]).clip(0, 1)
    costs = costs.assign(
        day=costs["hour"].dt.floor("D"),
        amount=costs["cost"] * not_ready,
        rest=costs["cost"].where(not_ready.isna(), 0.0),
    )
    days = costs.groupby(["day", *_WHOSE])[["cost", "amount", "rest"]].sum().reset_index()
    return typed(days[(days["amount"] > 0) | (days["rest"] > 0)], unserved_costs, by="-amount tenant day")


def window_costs(hours: pd.DataFrame, *, window_label: str) -> pd.DataFrame:
    """What a billing-window or rolling gauge says at its last sample, by tenant and window.

    Columns: tenant, the label's value under its own name `window_label`, currency ('' without one),
    cost (in the currency), at (last sample). Processes that the tenant had left are not counted.
    """
    keys = ["tenant", window_label, "currency"]
    known = hours[is_amount(hours) & (hours["samples"] > 0)]
    known = known.assign(currency=currencies(known, ""))
    last = known[known["hour"] == known.groupby(keys, observed=True)["hour"].transform("max")]
    found = last.groupby(keys, observed=True).agg(cost=("last", "sum"), at=("last_ts", "max")).reset_index()
    return typed(found, {**dict.fromkeys(keys, "str"), "cost": "float64", "at": TIME})


def weekly_costs(daily: pd.DataFrame) -> pd.DataFrame:
    """Cost of all tenants by ISO week.

    Columns: week, start, currency, cost, tenants.
    """
    start = daily["day"] - pd.to_timedelta(daily["day"].dt.day_of_week, unit="D")
    weekly = _by(daily.assign(start=start), "start")
    return typed(weekly.assign(week=[week_of(moment.to_pydatetime()).name for moment in weekly["start"]]), weekly_costs)


def cost_per_tenant(daily: pd.DataFrame) -> pd.DataFrame:
    """What each UTC day cost per tenant that had a cost on it.

    Columns: day, currency, cost, tenants, cost_per_tenant.
    """
    found = _by(daily, "day")
    return typed(found.assign(cost_per_tenant=found["cost"] / found["tenants"]), cost_per_tenant)


def _by(costs: pd.DataFrame, key: str) -> pd.DataFrame:
    grouped = costs.groupby([key, "currency"], observed=True)
    return grouped.agg(cost=("cost", "sum"), tenants=("tenant", "nunique")).reset_index()


def same_hours(
    hourly: pd.DataFrame, window: Window, covered: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, set[str], int]:
    """Costs by tenant over a window and the one before it, of the hours that are covered in both.

    Each hour stands beside the one as long after the start of the window before. `covered` (hour,
    covered). Given are both costs (tenant, currency, cost), the tenants that were there for only a
    part of those hours, and the number of hours.
    """
    known, apart = sure(covered, "hour"), window.start - window.before.start
    # A month may be longer than the one before it.
    alike = (known - apart).isin(known) & (known - apart < window.start)
    now = known[(known >= window.start) & (known < window.end) & alike]
    sides = [hourly[hourly["hour"].isin(hours)] for hours in (now, now - apart)]
    there = pd.concat([side.groupby("tenant", observed=True)["hour"].nunique() for side in sides])
    part = set(there.index[there < _PART * len(now)].astype("str"))
    costs, before = (typed(summed(side, _WHOSE, "cost"), tenant_costs) for side in sides)
    return costs, before, part, len(now)


def cost_movers(costs: pd.DataFrame, before: pd.DataFrame, *, part: Collection[str] = ()) -> pd.DataFrame:
    """Change of each tenant's cost, the largest first; costs and `part` as of `same_hours`.

    Columns: tenant, currency, cost, before, change, relative, contribution.
    """
    both = [side.set_index(_WHOSE)["cost"] for side in (costs, before)]
    frame = pd.concat(both, axis=1, keys=["cost", "before"]).sort_index().fillna(0.0).reset_index(names=_WHOSE)
    frame["change"] = frame["cost"] - frame["before"]
    whole = (frame["before"] > 0) & ~frame["tenant"].isin(list(part))
    frame["relative"] = frame["change"] / frame["before"].where(whole)
    total = frame.groupby("currency", observed=True)["before"].transform("sum")
    frame["contribution"] = frame["change"] / total.where(total != 0)
    return typed(frame, cost_movers).sort_values("change", key=abs, ascending=False, kind="stable", ignore_index=True)


def concentration(costs: pd.DataFrame) -> pd.DataFrame:
    """How unevenly the cost lies on the tenants, by currency (Gini: Glasser, 1962, JASA 57).

    Columns: currency, tenants, top10_share, gini; NaN where nothing was spent.
    """
    rows = []
    for currency, group in costs.groupby("currency", observed=True):
        ascending = np.sort(group["cost"].to_numpy(dtype="float64"))
        total, n = ascending.sum(), len(ascending)
        row = {"currency": currency, "tenants": n}
        if total > 0 and ascending[0] >= 0:
            gini = 2.0 * (np.arange(1, n + 1) * ascending).sum() / (n * total) - (n + 1) / n
            row |= {"top10_share": ascending[-10:].sum() / total, "gini": gini}
        rows.append(row)
    return typed(rows, concentration)


def _spent(by_day: pd.Series, month: Window, until: pd.Timestamp) -> pd.Series:
    """What a daily cost had come to in a month by the end of each of its days before `until`."""
    day = by_day.index
    return by_day[(day >= month.start) & (day < min(until, pd.Timestamp(month.end)))].cumsum()


def _ahead(
    by_day: pd.Series, covered: pd.DataFrame, month: Window, until: pd.Timestamp
) -> tuple[dict[str, Any], Forecast]:
    past = covered[covered["day"] < until].sort_values("day")
    history = by_day.reindex(pd.DatetimeIndex(past["day"]), fill_value=0.0).astype("float64")
    history = history.where(past["covered"].to_numpy(dtype=bool))
    left = max((pd.Timestamp(month.end) - until) // _DAY, 0)
    end = min(until, pd.Timestamp(month.end))
    so_far = pd.date_range(month.start, end, freq="D", inclusive="left", unit="us")
    spent, found = float(_spent(by_day, month, until).iloc[-1:].sum()), forecast_sums(history.to_numpy(), days=left)
    sums = np.maximum(found.paths[-1], 0.0) if found.known else np.array([np.nan if left else 0.0])
    return {
        "spent": spent,
        "days_left": left,
        "days_unknown": int(history.reindex(so_far).isna().sum()),
        "days_known": int(history.notna().sum()),
        "model": found.model,
        "pace": float(history.dropna().tail(14).mean()),
        **{name: spent + float(np.quantile(sums, share)) for name, share in _QUANTILES.items()},
    }, found


def month_projection(daily: pd.DataFrame, covered: pd.DataFrame, month: Window, *, until: pd.Timestamp) -> pd.DataFrame:
    """What all tenants are likely to have cost at the end of a month, one row per currency.

    `daily` as of `costs_by_day`, over some weeks; `covered` (day, covered); `until` is the end of
    the last whole day that was seen.

    Columns: currency, until, spent, days_unknown, days_left, low95, low80, median, high80, high95,
    model, days_known.
    """
    by_currency = daily.groupby("currency", observed=True)
    months = {unit: _ahead(own.groupby("day")["cost"].sum(), covered, month, until)[0] for unit, own in by_currency}
    return typed([row | {"currency": unit, "until": until} for unit, row in months.items()], month_projection)


def month_course(
    daily: pd.DataFrame, covered: pd.DataFrame, month: Window, *, until: pd.Timestamp, currency: str
) -> pd.DataFrame:
    """What all tenants had cost in a month by the end of each of its days that was seen.

    Columns: day, spent, covered.
    """
    found = _spent(daily[daily["currency"] == currency].groupby("day")["cost"].sum(), month, until)
    found = found.rename("spent").reset_index()
    return typed(found.assign(covered=found["day"].isin(sure(covered))), month_course)


def budget_course(
    daily: pd.DataFrame,
    budgets: Mapping[str, float],
    covered: pd.DataFrame,
    month: Window,
    *,
    until: pd.Timestamp,
    currency: str,
) -> pd.DataFrame:
    """Each budget of a month: what is spent, and when it will be, by forecast or pace.

    Columns: tenant, currency, budget, spent, spent_share, pace, low80, median, high80, answer,
    spent_on, days_unknown; the fullest first.
    """
    own = daily[(daily["currency"] == currency) & (daily["day"] < until) & daily["tenant"].isin(budgets)]
    rows = []
    for name, budget in budgets.items():
        by_day = own[own["tenant"] == name].set_index("day")["cost"]
        row, found = _ahead(by_day, covered, month, until)
        row |= {"tenant": name, "currency": currency, "budget": budget, "spent_share": row["spent"] / budget}
        rows.append(row | _lasts(_spent(by_day, month, until), row, found, until))
    return typed(rows, budget_course, by="-spent_share tenant")


def _lasts(spent: pd.Series, row: dict[str, Any], found: Forecast, until: pd.Timestamp) -> dict[str, Any]:
    if row["spent"] >= row["budget"]:
        return {"answer": "spent", "spent_on": spent.index[(spent >= row["budget"]).argmax()]}
    at_pace = row["pace"] * np.arange(1, row["days_left"] + 1)
    ahead = row["spent"] + (np.median(np.maximum(found.paths, 0.0), axis=1) if found.known else at_pace)
    over = ahead >= row["budget"]
    if np.isnan(ahead).any():
        return {"answer": "unknown"}
    return (
        {"answer": "will be spent", "spent_on": until + over.argmax() * _DAY} if over.any() else {"answer": "will last"}
    )
