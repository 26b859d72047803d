"""Cost beside cardinality: what a tenant costs on average, and what the tenants cost that need not be there."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from cloudxai_analysis.measures.frames import typed


def cost_per_tenant(daily: pd.DataFrame) -> pd.DataFrame:
    """What each UTC day cost per tenant that had a cost on it.

    `daily` as `measures.cost.costs_by_day` gives it.

    Columns: day, currency, cost, tenants (with a cost in that currency), cost_per_tenant (both in the currency a day).
    """
    grouped = daily.groupby(["day", "currency"], observed=True)
    found = grouped.agg(cost=("cost", "sum"), tenants=("tenant", "nunique")).reset_index()
    found["cost_per_tenant"] = found["cost"] / found["tenants"]
    return typed(found, cost_per_tenant)


def cost_of_groups(costs: pd.DataFrame, groups: Mapping[str, str]) -> pd.DataFrame:
    """What each group of tenants cost; tenants without a group are 'all others'.

    `costs` by tenant over a window, `groups` from tenant to group.

    Columns: group, currency, tenants (number), cost (in the currency), share (of the currency's total; NaN where that
    is 0); the dearest first, 'all others' last.
    """
    frame = costs.assign(group=costs["tenant"].astype("str").map(dict(groups)).fillna("all others"))
    grouped = frame.groupby(["group", "currency"], observed=True)
    found = grouped.agg(tenants=("tenant", "nunique"), cost=("cost", "sum")).reset_index()
    total = found.groupby("currency", observed=True)["cost"].transform("sum")
    found["share"] = found["cost"] / total.where(total != 0)
    found["last"] = found["group"] == "all others"
    return typed(found.sort_values(["last", "cost"], ascending=[True, False], ignore_index=True), cost_of_groups)
