"""What the tenants cost: by window, day and week, who moved, how concentrated, and held against other totals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import WEEK, Window, week_of
from cloudxai_analysis.measures.frames import TIME, columns_of, summed, typed

Semantics = Literal["rate", "cumulative", "window_total"]

MOST = 1e12  # currency an hour: what no tenant costs, and beyond which sums say nothing
_STEP = 60.0  # seconds between scrapes, of a series with a single one
_HOLD = 300.0  # seconds for which a rollup holds a value


def hourly_costs(hours: pd.DataFrame, *, semantics: Semantics | None, currency: str) -> pd.DataFrame:
    """Cost of each tenant in each hour, added over its series.

    Columns: tenant, currency (of the series' label, else `currency`), hour, cost (in the currency: of a `rate` the
    integral over the hour, of a `cumulative` gauge its observed increase). An hour of NaN alone has no row, nor has one
    whose samples are no amounts of money (`is_amount`).

    Raises
    ------
    UsageError
        The gauge is a `window_total`, which says nothing of single hours, or has no declared semantics.
    """
    return _summed(
        cost_rows(hours, semantics=semantics, currency=currency),
        ["tenant", "currency", "hour"],
        columns_of(hourly_costs),
    )


def cost_rows(hours: pd.DataFrame, *, semantics: Semantics | None, currency: str) -> pd.DataFrame:
    """Tenant, currency, hour and cost of each rollup that has one, not added up; raises as `hourly_costs`."""
    if semantics == "rate":
        cost = hours["integral"] / 3600.0
    elif semantics == "cumulative":
        cost = hours["increase"]
    else:
        raise UsageError(
            f"Cost by hour or day of a gauge with semantics '{semantics}'. The contract must declare it 'rate' or "
            "'cumulative'; a window_total is read whole, by window_costs."
        )
    frame = pd.DataFrame({"tenant": hours["tenant"], "currency": currencies(hours, currency), "hour": hours["hour"]})
    frame["cost"] = cost
    known = is_amount(hours) & cost.between(0.0, MOST)
    if semantics == "cumulative":
        # What follows a value that is no amount is no step from it.
        known &= known.shift(fill_value=True) | (hours["series_id"] != hours["series_id"].shift())
    # An hour of NaN or markers costs nothing that is known, unless the value before it was still held.
    return frame[known & ((hours["samples"] > 0) | (frame["cost"] != 0))]


def is_amount(hours: pd.DataFrame) -> pd.Series:
    """Whether each rollup's values are amounts of money: finite, none below 0, none beyond `MOST`.

    What a value before still holds over the hour's start counts, too.
    """
    ends = {"min": MOST, "max": MOST, "last": MOST, "integral": MOST * 3600}
    there = [hours[name].isna() | hours[name].between(0.0, most) for name, most in ends.items() if name in hours]
    return pd.Series(np.logical_and.reduce(there), index=hours.index)


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


def tenant_costs(hours: pd.DataFrame, window: Window, *, semantics: Semantics | None, currency: str) -> pd.DataFrame:
    """Cost of each tenant over a window, the largest first.

    Columns: tenant, currency, cost (in the currency). Of a `rate` the integral, of a `cumulative` gauge the observed
    increase; of a `window_total` the last value before the window's end (give the rows of one labelled window).

    Raises
    ------
    UsageError
        The gauge has no declared semantics.
    """
    inside = hours[(hours["hour"] >= window.start) & (hours["hour"] < window.end)]
    if semantics == "window_total":
        named = inside.assign(currency=currencies(inside, currency))[is_amount(inside)]
        costs = _last_values(named, ["tenant", "currency"])[["tenant", "currency", "cost"]]
    else:
        costs = cost_rows(inside, semantics=semantics, currency=currency)
    costs = _summed(costs, ["tenant", "currency"], columns_of(tenant_costs))
    return costs.sort_values(["cost", "tenant"], ascending=[False, True], ignore_index=True)


def costs_by_day(hours: pd.DataFrame, *, semantics: Semantics | None, currency: str) -> pd.DataFrame:
    """Cost of each tenant on each UTC day.

    Columns: day (its start), tenant, currency, cost (in the currency).

    Raises
    ------
    UsageError
        The gauge is a `window_total`, or has no declared semantics.
    """
    rows = cost_rows(hours, semantics=semantics, currency=currency)
    return _summed(rows.assign(day=rows["hour"].dt.floor("D")), ["day", "tenant", "currency"], columns_of(costs_by_day))


def converted(costs: pd.DataFrame, rates: Mapping[str, float], *, currency: str) -> pd.DataFrame:
    """The same costs with each amount of a currency that `rates` knows in `currency`, and the others as they are.

    `rates` says how many units of `currency` one unit of another is worth. Rows that become one are added.

    Columns: as given, with currency and cost.
    """
    known = costs["currency"].astype("str")
    rate = known.map(dict(rates)).astype("float64")
    frame = costs.assign(
        cost=costs["cost"] * rate.fillna(1.0), currency=known.where(rate.isna(), currency).astype("str")
    )
    keys = [column for column in frame if column != "cost"]
    summed = frame.groupby(keys, observed=True, sort=False)["cost"].sum().reset_index()
    return summed[list(costs)].astype(costs.dtypes.to_dict())


def weekly_costs(daily: pd.DataFrame) -> pd.DataFrame:
    """Cost of all tenants by ISO week.

    Columns: week (name), start (Monday), currency, cost (in the currency), tenants (number with a cost that week).
    """
    start = daily["day"] - pd.to_timedelta(daily["day"].dt.day_of_week, unit="D")
    grouped = daily.assign(start=start).groupby(["start", "currency"], observed=True)
    weekly = grouped.agg(cost=("cost", "sum"), tenants=("tenant", "nunique")).reset_index()
    names = {moment: week_of(moment.to_pydatetime()).name for moment in weekly["start"].unique()}
    weekly["week"] = weekly["start"].map(names)
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
    before, costs = (_summed(side, ["tenant", "currency"], columns_of(tenant_costs)) for side in reversed(sides))
    return costs, before, part, len(now)


def cost_movers(costs: pd.DataFrame, before: pd.DataFrame, *, part: Collection[str] = ()) -> pd.DataFrame:
    """Change of each tenant's cost against the window before, the largest change first.

    Costs and `part` (tenants that were there for only a part) as `same_hours` gives them.

    Columns: tenant, currency, cost, before, change (all in the currency; a tenant that is absent costs 0), relative
    (change / before; NaN where before is 0 or the tenant was there for only a part), contribution (change / what all
    tenants cost before in that currency: these add up to the total's relative change; NaN where nothing was spent
    before).
    """
    keys = ["tenant", "currency"]
    frame = costs[[*keys, "cost"]].merge(before[[*keys, "cost"]], how="outer", on=keys, suffixes=("", "_before"))
    frame["before"] = frame["cost_before"].fillna(0.0)
    frame["cost"] = frame["cost"].fillna(0.0)
    frame["change"] = frame["cost"] - frame["before"]
    whole = (frame["before"] > 0) & ~frame["tenant"].isin(list(part))
    frame["relative"] = frame["change"] / frame["before"].where(whole)
    total = frame.groupby("currency", observed=True)["before"].transform("sum")
    frame["contribution"] = frame["change"] / total.where(total != 0)
    order = frame["change"].abs().sort_values(ascending=False, kind="stable").index
    return typed(frame.loc[order], cost_movers).reset_index(drop=True)


def concentration(costs: pd.DataFrame) -> pd.DataFrame:
    """How unevenly the cost lies on the tenants, one row per currency.

    Columns: currency, tenants, top10_share (share of the ten largest, 0..1), gini (0 all equal, towards 1 one pays
    all). Both are NaN where nothing was spent or a cost is negative.

    Gini: 2 Σ i·x_i / (n Σ x) − (n + 1) / n over costs in ascending order (Glasser, 1962, Journal of the American
    Statistical Association 57).
    """
    rows = []
    for currency, group in costs.groupby("currency", observed=True):
        ascending = np.sort(group["cost"].to_numpy(dtype="float64"))
        total = ascending.sum()
        known = total > 0 and ascending[0] >= 0
        rows.append(
            {
                "currency": currency,
                "tenants": len(ascending),
                "top10_share": ascending[-10:].sum() / total if known else np.nan,
                "gini": _gini(ascending) if known else np.nan,
            }
        )
    return typed(rows, concentration)


def window_costs(hours: pd.DataFrame, *, window_label: str) -> pd.DataFrame:
    """What a billing-window or rolling gauge says at its last sample, by tenant and labelled window.

    Columns: tenant, the label's value under its own name `window_label`, currency ('' where the series carry none),
    cost (in the currency), at (last sample). A tenant on several processes in that hour is their sum; processes it had
    left are not counted.
    """
    schema = {"tenant": "str", window_label: "str", "currency": "str", "cost": "float64", "at": TIME}
    named = hours.assign(currency=currencies(hours, ""))[is_amount(hours)]
    return _last_values(named, ["tenant", window_label, "currency"])[list(schema)].astype(schema)


def reconciliation(
    costs: pd.DataFrame, other: pd.DataFrame, *, end: datetime | None = None, late_minutes: float = 60
) -> pd.DataFrame:
    """Our integrated estimate held against what another gauge says, for the tenants that both know.

    `other` as `window_costs` gives it; where it has the column `at`, tenants whose last sample is over `late_minutes`
    before `end` (by default the newest of all) are left out: their gauge speaks of an earlier stretch than `costs`.

    Columns: tenant, currency, estimate, other (both in the currency), drift (estimate / other − 1; 0 where both are
    0, infinite where only the other is); the largest drift first.
    """
    if "at" in other:
        newest = pd.Timestamp(end) if end else other["at"].max()
        other = other[other["at"] >= newest - pd.Timedelta(minutes=late_minutes)]
    keys = ["tenant", "currency"]
    frame = costs[[*keys, "cost"]].merge(other[[*keys, "cost"]], on=keys, suffixes=("", "_other"))
    frame = frame.rename(columns={"cost": "estimate", "cost_other": "other"})
    difference = (frame["estimate"] - frame["other"]).to_numpy(dtype="float64")
    with np.errstate(divide="ignore", invalid="ignore"):
        frame["drift"] = np.where(difference == 0, 0.0, difference / frame["other"].to_numpy(dtype="float64"))
    order = frame["drift"].abs().sort_values(ascending=False, kind="stable").index
    return typed(frame.loc[order], reconciliation).reset_index(drop=True)


def conservation(costs: pd.DataFrame, total: pd.DataFrame) -> pd.DataFrame:
    """What of a total from elsewhere (columns currency, total) the tenants' costs explain.

    Columns: currency, allocated (sum over tenants), total, rest (total − allocated: shown, never spread); all in
    the currency, one row per currency of `total`.
    """
    allocated = costs.groupby("currency", observed=True)["cost"].sum().rename("allocated").reset_index()
    allocated["currency"] = allocated["currency"].astype("str")
    frame = total[["currency", "total"]].astype({"currency": "str"}).merge(allocated, how="left", on="currency")
    frame["allocated"] = frame["allocated"].fillna(0.0)
    frame["rest"] = frame["total"] - frame["allocated"]
    return typed(frame, conservation)


def currencies(hours: pd.DataFrame, currency: str) -> pd.Series:
    """The currency of each row: its label's, in the capitals of ISO 4217, else `currency`."""
    if "currency" not in hours:
        return pd.Series(pd.Categorical([currency]).repeat(len(hours)), index=hours.index)
    label = hours["currency"].astype("category")
    named = pd.Series(label.cat.categories).astype("str").str.strip().str.upper().replace("", currency)
    codes, known = pd.factorize(named)
    text = pd.Categorical.from_codes(codes[label.cat.codes.to_numpy()], categories=pd.Index(known, dtype="str"))
    return pd.Series(text, index=hours.index)


def _summed(frame: pd.DataFrame, keys: list[str], schema: dict[str, str]) -> pd.DataFrame:
    return typed(summed(frame, keys, "cost"), schema)


def _last_values(hours: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    known = hours[hours["samples"] > 0]
    newest = known.groupby(keys, observed=True)["hour"].transform("max")
    last = known[known["hour"] == newest]
    return last.groupby(keys, observed=True).agg(cost=("last", "sum"), at=("last_ts", "max")).reset_index()


def _gini(ascending: NDArray[np.float64]) -> float:
    n = len(ascending)
    ranks = np.arange(1, n + 1)
    return float(2.0 * (ranks * ascending).sum() / (n * ascending.sum()) - (n + 1) / n)
