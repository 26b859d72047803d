"""What the tenants cost: by window, day and week, who moved, how concentrated, and held against other totals."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import WEEK, Window, week_of
from cloudxai_analysis.measures.frames import TIME, summed, typed

Semantics = Literal["rate", "cumulative", "window_total"]

MOST = 1e12  # currency an hour: what no tenant costs, and beyond which sums say nothing
_STEP = 60.0  # seconds between scrapes, of a series with a single one
_HOLD = 300.0  # seconds for which a rollup holds a value
_WHOSE = ["tenant", "currency"]


def cost_rows(
    hours: pd.DataFrame, *, semantics: Semantics | None, currency: str, rates: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Tenant, currency, hour and cost of each rollup that has one: of a `rate` the integral, else the increase.

    An hour of NaN alone has no row, nor has one whose samples are no amounts of money (`is_amount`). `rates` says how
    many units of `currency` one of another is worth; what it does not know stays as it is.

    Raises
    ------
    UsageError
        The gauge is a `window_total`, which says nothing of single hours, or has no declared semantics.
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
    # An hour of NaN or markers costs nothing that is known, unless the value before it was still held.
    known &= (hours["samples"] > 0) | (cost != 0)
    columns = {"tenant": hours["tenant"], "currency": currencies(hours, currency), "hour": hours["hour"], "cost": cost}
    return _exchanged(pd.DataFrame(columns)[known], rates, currency)


def _exchanged(costs: pd.DataFrame, rates: Mapping[str, float] | None, currency: str) -> pd.DataFrame:
    if not rates:
        return costs
    rate = costs["currency"].astype("str").map(dict(rates)).astype("float64")
    named = costs["currency"].astype("str").where(rate.isna(), currency)
    return costs.assign(cost=costs["cost"] * rate.fillna(1.0), currency=named)


def is_amount(hours: pd.DataFrame) -> pd.Series:
    """Whether each rollup's values are amounts of money: finite, none below 0, none beyond `MOST`.

    What a value before still holds over the hour's start counts, too.
    """
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
    """The rollups with a value before a gap, or before the `end` of what was seen, held for one scrape, not 5 minutes.

    A process that is replaced takes its series with it, and a failed scrape ends them; where the source hides staleness
    markers, the last values would be counted beside those of a successor, or on top of those before.
    """
    after = hours.groupby("series_id")["first_ts"].shift(-1).fillna(end)
    stops = (after - hours["last_ts"]).dt.total_seconds() > _HOLD
    ended = hours[stops & (hours["samples"] > 0) & (hours["stale_markers"] == 0)]
    span = (ended["last_ts"] - ended["first_ts"]).dt.total_seconds()
    step = (span / (ended["samples"] - 1)).where(ended["samples"] > 1, _STEP)
    to_midnight = (ended["last_ts"].dt.floor("D") + pd.Timedelta(days=1) - ended["last_ts"]).dt.total_seconds()
    over = (np.minimum(to_midnight, _HOLD) - step).clip(lower=0.0) * ended["last"]
    return hours.assign(integral=hours["integral"].sub(over, fill_value=0.0))


def hourly_costs(hours: pd.DataFrame, **how: Any) -> pd.DataFrame:
    """Cost of each tenant in each hour, added over its series; `how` and what is raised as for `cost_rows`.

    Columns: tenant, currency, hour, cost.
    """
    return typed(summed(cost_rows(hours, **how), [*_WHOSE, "hour"], "cost"), hourly_costs)


def costs_by_day(hours: pd.DataFrame, **how: Any) -> pd.DataFrame:
    """Cost of each tenant on each UTC day; `how` and what is raised as for `cost_rows`.

    Columns: day, tenant, currency, cost.
    """
    rows = cost_rows(hours, **how)
    return typed(summed(rows.assign(day=rows["hour"].dt.floor("D")), ["day", *_WHOSE], "cost"), costs_by_day)


def tenant_costs(
    hours: pd.DataFrame,
    window: Window,
    *,
    semantics: Semantics | None,
    currency: str,
    rates: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Cost of each tenant over a window, the largest first; raises as `cost_rows`.

    Columns: tenant, currency, cost. Of a `rate` the integral, of a `cumulative` gauge the observed increase; of a
    `window_total` the last value before the window's end (give the rows of one labelled window).
    """
    inside = hours[(hours["hour"] >= window.start) & (hours["hour"] < window.end)]
    if semantics == "window_total":
        last = _last_values(inside.assign(currency=currencies(inside, currency)), _WHOSE)
        costs = _exchanged(last, rates, currency)
    else:
        costs = cost_rows(inside, semantics=semantics, currency=currency, rates=rates)
    costs = typed(summed(costs, _WHOSE, "cost"), tenant_costs)
    return costs.sort_values(["cost", "tenant"], ascending=[False, True], ignore_index=True)


def window_costs(hours: pd.DataFrame, *, window_label: str) -> pd.DataFrame:
    """What a billing-window or rolling gauge says at its last sample, by tenant and labelled window.

    Columns: tenant, the label's value under its own name `window_label`, currency ('' where the series carry none),
    cost (in the currency), at (last sample). A tenant on several processes in that hour is their sum; processes it had
    left are not counted.
    """
    schema = {"tenant": "str", window_label: "str", "currency": "str", "cost": "float64", "at": TIME}
    last = _last_values(hours.assign(currency=currencies(hours, "")), ["tenant", window_label, "currency"])
    return typed(last, schema)


def _last_values(hours: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    known = hours[is_amount(hours) & (hours["samples"] > 0)]
    last = known[known["hour"] == known.groupby(keys, observed=True)["hour"].transform("max")]
    return last.groupby(keys, observed=True).agg(cost=("last", "sum"), at=("last_ts", "max")).reset_index()


def weekly_costs(daily: pd.DataFrame) -> pd.DataFrame:
    """Cost of all tenants by ISO week.

    Columns: week, start, currency, cost, tenants.
    """
    start = daily["day"] - pd.to_timedelta(daily["day"].dt.day_of_week, unit="D")
    grouped = daily.assign(start=start).groupby(["start", "currency"], observed=True)
    weekly = grouped.agg(cost=("cost", "sum"), tenants=("tenant", "nunique")).reset_index()
    weekly["week"] = [week_of(moment.to_pydatetime()).name for moment in weekly["start"]]
    return typed(weekly, weekly_costs)


def same_hours(
    hourly: pd.DataFrame, window: Window, covered: pd.DataFrame, *, apart: timedelta = WEEK, least: float = 0.95
) -> tuple[pd.DataFrame, pd.DataFrame, set[str], int]:
    """Costs by tenant over a window and over the one `apart` before it, of the hours that are covered in both.

    `hourly` as `hourly_costs` gives it, `covered` (hour, covered). Given are both costs (tenant, currency, cost), the
    tenants that were there for a part of either, under `least` of those hours, and the number of hours.
    """
    sure = covered.loc[covered["covered"].astype(bool), "hour"]
    now = sure[(sure >= window.start) & (sure < window.end) & (sure - apart).isin(sure)]
    sides = [hourly[hourly["hour"].isin(hours)] for hours in (now, now - apart)]
    there = pd.concat([side.groupby("tenant", observed=True)["hour"].nunique() for side in sides])
    part = set(there.index[there < least * len(now)].astype("str"))
    costs, before = (typed(summed(side, _WHOSE, "cost"), tenant_costs) for side in sides)
    return costs, before, part, len(now)


def cost_movers(costs: pd.DataFrame, before: pd.DataFrame, *, part: Collection[str] = ()) -> pd.DataFrame:
    """Change of each tenant's cost against the window before, the largest first; costs and `part` as of `same_hours`.

    Columns: tenant, currency, cost, before, change, relative, contribution.
    """
    both = [side.set_index(_WHOSE)["cost"] for side in (costs, before)]
    frame = pd.concat(both, axis=1, keys=["cost", "before"]).sort_index().fillna(0.0).reset_index(names=_WHOSE)
    frame["change"] = frame["cost"] - frame["before"]
    whole = (frame["before"] > 0) & ~frame["tenant"].isin(list(part))
    frame["relative"] = frame["change"] / frame["before"].where(whole)
    total = frame.groupby("currency", observed=True)["before"].transform("sum")
    frame["contribution"] = frame["change"] / total.where(total != 0)
    return _largest(typed(frame, cost_movers), "change")


def _largest(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.sort_values(column, key=abs, ascending=False, kind="stable", ignore_index=True)


def concentration(costs: pd.DataFrame) -> pd.DataFrame:
    """How unevenly the cost lies on the tenants, one row per currency.

    Columns: currency, tenants, top10_share, gini. Both are NaN where nothing was spent or a cost is negative.

    Gini: 2 Σ i·x_i / (n Σ x) − (n + 1) / n over costs in ascending order (Glasser, 1962, Journal of the American
    Statistical Association 57).
    """
    rows = []
    for currency, group in costs.groupby("currency", observed=True):
        ascending = np.sort(group["cost"].to_numpy(dtype="float64"))
        total, n = ascending.sum(), len(ascending)
        row = {"currency": currency, "tenants": n, "top10_share": np.nan, "gini": np.nan}
        if total > 0 and ascending[0] >= 0:
            row["top10_share"] = ascending[-10:].sum() / total
            row["gini"] = 2.0 * (np.arange(1, n + 1) * ascending).sum() / (n * total) - (n + 1) / n
        rows.append(row)
    return typed(rows, concentration)


def cost_per_tenant(daily: pd.DataFrame) -> pd.DataFrame:
    """What each UTC day cost per tenant that had a cost on it; `daily` as `costs_by_day` gives it.

    Columns: day, currency, cost, tenants, cost_per_tenant.
    """
    grouped = daily.groupby(["day", "currency"], observed=True)
    found = grouped.agg(cost=("cost", "sum"), tenants=("tenant", "nunique")).reset_index()
    return typed(found.assign(cost_per_tenant=found["cost"] / found["tenants"]), cost_per_tenant)


def cost_of_groups(costs: pd.DataFrame, groups: Mapping[str, str]) -> pd.DataFrame:
    """What each group of tenants cost, by `groups` from tenant to group; all else are 'all others'.

    Columns: group, currency, tenants, cost, share; the dearest first, 'all others' last.
    """
    frame = costs.assign(group=[groups.get(str(tenant), "all others") for tenant in costs["tenant"]])
    grouped = frame.groupby(["group", "currency"], observed=True)
    found = grouped.agg(tenants=("tenant", "nunique"), cost=("cost", "sum")).reset_index()
    total = found.groupby("currency", observed=True)["cost"].transform("sum")
    found = found.assign(share=found["cost"] / total.where(total != 0), last=found["group"] == "all others")
    return typed(found.sort_values(["last", "cost"], ascending=[True, False], ignore_index=True), cost_of_groups)


def reconciliation(
    costs: pd.DataFrame, other: pd.DataFrame, *, end: datetime | None = None, late_minutes: float = 60
) -> pd.DataFrame:
    """Our integrated estimate held against what another gauge says, for the tenants that both know.

    `other` as `window_costs` gives it; where it has the column `at`, tenants whose last sample is over `late_minutes`
    before `end` (by default the newest of all) are left out: their gauge speaks of an earlier stretch than `costs`.

    Columns: tenant, currency, estimate, other, drift; the largest drift first.
    """
    if "at" in other:
        newest = pd.Timestamp(end) if end else other["at"].max()
        other = other[other["at"] >= newest - pd.Timedelta(minutes=late_minutes)]
    frame = costs[[*_WHOSE, "cost"]].merge(other[[*_WHOSE, "cost"]], on=_WHOSE, suffixes=("", "_other"))
    frame = frame.rename(columns={"cost": "estimate", "cost_other": "other"})
    return _largest(typed(frame.assign(drift=drift(frame["estimate"], frame["other"])), reconciliation), "drift")


def drift(ours: pd.Series, theirs: pd.Series) -> pd.Series:
    """Ours over theirs, less 1: 0 where both are 0, infinite where only theirs is, NaN where one is unknown."""
    return ((ours - theirs) / theirs).where((ours != theirs) | ours.isna(), 0.0)


def conservation(
    hours: pd.DataFrame, covered: pd.DataFrame, bills: Iterable[Any], history: Window, **how: Any
) -> pd.DataFrame:
    """Each bill that touches the history held against the tenants' costs of its days, the newest last.

    `covered` (day, coverage); bills have source, window, currency and amount; `how` as for `cost_rows`.

    Columns: source, start, end, currency, allocated, total, rest, covered_share.
    """
    rows = []
    for bill in bills:
        days = bill.window
        if days.end <= history.start or days.start >= history.end:
            continue
        costs = tenant_costs(hours, days, **how)
        allocated = float(costs.loc[costs["currency"] == bill.currency, "cost"].sum())
        own = covered[(covered["day"] >= days.start) & (covered["day"] < days.end)]
        row = {"source": bill.source, "start": days.start, "end": days.end, "currency": bill.currency}
        row |= {"allocated": allocated, "total": bill.amount, "rest": bill.amount - allocated}
        rows.append(row | {"covered_share": float(own["coverage"].sum()) / len(list(days.days()))})
    return typed(rows, conservation).sort_values("end", ignore_index=True)
