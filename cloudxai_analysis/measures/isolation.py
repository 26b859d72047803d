"""Isolation: a tenant that is not ready must never move the global state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import as_text, typed

_SCRAPED_LATER = pd.Timedelta(minutes=1)
FEW = 0.5  # share of the tenants from which on an outage is the platform's own


def isolation_breaches(
    global_outages: pd.DataFrame,
    tenant_outages: pd.DataFrame,
    *,
    seen: int,
    end: pd.Timestamp,
    lead_minutes: float = 5,
    least_overlap: float = 0.5,
    few: float = FEW,
) -> pd.DataFrame:
    """For each global outage, which tenants were not ready with it, and whether it came from one of them.

    Outages as `measures.readiness.outages` gives them, those of tenants with tenant; `seen` is the number of tenants.
    A tenant goes with an outage if its own began from `lead_minutes` before to a minute after, since instances are
    scraped one after the other, and if they overlap by `least_overlap`: the time of both / the time of either. What has
    not ended lasts to `end`. It says what went together in time; a cause may move the global state and a tenant alike.

    Columns: start, end, verdict ('tenant': at least one tenant went with it, fewer than `few` of those seen;
    'platform': as many or more did; 'alone': none), tenants (that went with it), seen, nearest (of them, the one with
    the largest overlap), lead_seconds (by which it was not ready before the global state; negative: after), overlap.
    """
    closed = tenant_outages.assign(end=tenant_outages["end"].fillna(end), tenant=as_text(tenant_outages["tenant"]))
    lead = pd.Timedelta(minutes=lead_minutes)
    rows = []
    for start, ended in zip(global_outages["start"], global_outages["end"].fillna(end), strict=True):
        near = closed[closed["start"].between(start - lead, start + _SCRAPED_LATER)]
        both = near["end"].clip(upper=ended) - near["start"].clip(lower=start)
        either = near["end"].clip(lower=ended) - near["start"].clip(upper=start)
        near = near.assign(overlap=both / either)
        near = near[near["overlap"] >= least_overlap]
        rows.append({"start": start, "end": ended, "seen": seen, **_with(near, start, seen, few)})
    return typed(rows, isolation_breaches)


def isolation_correlation(tenant_samples: pd.DataFrame, readiness: pd.DataFrame) -> pd.DataFrame:
    """How strongly each tenant's not being ready went with the global state's, over the scrapes of both.

    `tenant_samples` of the tenants' gauge with time, value, tenant; `readiness` as `global_readiness` gives it. Only
    tenants that were ever not ready have a row.

    Columns: tenant, both, tenant_only, global_only, neither (scrapes by who was not ready), phi (their correlation, −1
    to 1; NaN where one never changes), p (one-sided Fisher's exact test of going together), p_adjusted (over the
    tenants: Benjamini and Hochberg, 1995, Journal of the Royal Statistical Society B 57); the strongest first.
    """
    known = tenant_samples[tenant_samples["value"].notna()]
    tenant = known["tenant"].astype("category")
    down = (known["value"] == 0).to_numpy()
    when = known["time"].dt.as_unit("us").astype("int64").to_numpy()
    begin, end = (readiness[name].dt.as_unit("us").astype("int64").to_numpy() for name in ("start", "end"))
    at = np.searchsorted(begin, when, side="right") - 1
    seen = (at >= 0) & (when < np.append(end, 0)[at])
    outage = np.append(readiness["ready"].to_numpy(dtype=float), 1.0)[at] == 0
    many = len(tenant.cat.categories)
    codes = tenant.cat.codes.to_numpy()

    def counted(some: np.ndarray) -> np.ndarray:
        return np.bincount(codes[some & seen], minlength=many)

    found = pd.DataFrame(
        {
            "tenant": tenant.cat.categories.astype("str"),
            "both": counted(down & outage),
            "tenant_only": counted(down & ~outage),
            "global_only": counted(~down & outage),
            "neither": counted(~down & ~outage),
        }
    )
    found = found[found["both"] + found["tenant_only"] > 0].reset_index(drop=True)
    found["phi"] = _phi(found)
    found["p"], found["p_adjusted"] = _chances(found)
    ordered = found.sort_values(["phi", "tenant"], ascending=[False, True], na_position="last", ignore_index=True)
    return typed(ordered, isolation_correlation)


def _with(near: pd.DataFrame, start: pd.Timestamp, seen: int, few: float) -> dict[str, Any]:
    if near.empty:
        return {"verdict": "alone", "tenants": 0, "nearest": "", "lead_seconds": np.nan, "overlap": np.nan}
    nearest = near.sort_values(["overlap", "start", "tenant"], ascending=[False, True, True]).iloc[0]
    tenants = near["tenant"].nunique()
    return {
        "verdict": "tenant" if tenants < few * seen else "platform",
        "tenants": tenants,
        "nearest": nearest["tenant"],
        "lead_seconds": (start - nearest["start"]).total_seconds(),
        "overlap": nearest["overlap"],
    }


def _phi(found: pd.DataFrame) -> np.ndarray:
    """Pearson's correlation of two indicators (Yule, 1912, Journal of the Royal Statistical Society 75)."""
    both, one, other, neither = (found[name].to_numpy(dtype=float) for name in _CORRELATION_COUNTS)
    spread = np.sqrt((both + one) * (other + neither) * (both + other) * (one + neither))
    return np.divide(both * neither - one * other, spread, out=np.full(len(found), np.nan), where=spread > 0)


def _chances(found: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    from scipy.stats import false_discovery_control, hypergeom

    both, one, other, neither = (found[name].to_numpy() for name in _CORRELATION_COUNTS)
    # Fisher's test is the hypergeometric distribution's upper end; over all tenants at once.
    chance = np.asarray(hypergeom.sf(both - 1, both + one + other + neither, both + other, both + one), dtype=float)
    return chance, np.asarray(false_discovery_control(chance)) if len(chance) else chance


_CORRELATION_COUNTS = ("both", "tenant_only", "global_only", "neither")
