"""The numbers that a study comes down to: each by a flat key, as the page says it, and two studies side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study


def _total(study: Study) -> float:
    """What the window cost in the contract's own currency: several are never added up."""
    own = study.cost.costs[study.cost.costs["currency"] == study.contract.currency]
    return float(own["cost"].sum()) if len(own) else math.nan


def _tenants(study: Study, name: str) -> int:
    return int((study.cardinality.tenant_sets["set"] == name).sum())


def _first(frame: pd.DataFrame, column: str) -> float:
    return float(frame[column].iloc[0]) if len(frame) else math.nan


NUMBERS: dict[str, Callable[[Any], float]] = {
    "readiness.availability_week": lambda study: study.readiness.availability["availability"].iloc[0],
    "readiness.availability_30d": lambda study: study.readiness.slo_availability["availability"].iloc[0],
    "readiness.error_budget_used_minutes": lambda study: study.readiness.error_budget["used_minutes"].iloc[0],
    "readiness.error_budget_remaining_share": lambda study: study.readiness.error_budget["remaining_share"].iloc[0],
    "readiness.outages": lambda study: (study.readiness.outages["minutes"] > OUTAGE_MINUTES).sum(),
    "cardinality.active_tenants_most": lambda study: study.within(study.cardinality.active_tenants)["tenants"].max(),
    "cardinality.generated_names": lambda study: study.cardinality.unstable_identifiers["count"].sum(),
    "cardinality.headroom_least": lambda study: study.within(study.cardinality.headroom)["headroom"].min(),
    "cardinality.churn_most": lambda study: study.within(study.cardinality.churn, "day")["churn"].max(),
    "cardinality.tenants_new": lambda study: _tenants(study, "new"),
    "cardinality.tenants_returning": lambda study: _tenants(study, "returning"),
    "cardinality.tenants_stayed": lambda study: _tenants(study, "stayed"),
    "cardinality.tenants_lost": lambda study: _tenants(study, "lost"),
    "cost.total": _total,
    "cost.top10_share": lambda study: _first(study.cost.concentration, "top10_share"),
    "cost.gini": lambda study: _first(study.cost.concentration, "gini"),
    "alerts.episodes": lambda study: len(study.alerts.week_episodes),
    "alerts.false_positive_rate": lambda study: study.alerts.pooled_false_positives["rate"].iloc[0],
    "alerts.false_positive_rate_low": lambda study: study.alerts.pooled_false_positives["low"].iloc[0],
    "alerts.false_positive_rate_high": lambda study: study.alerts.pooled_false_positives["high"].iloc[0],
    "alerts.trials": lambda study: study.alerts.pooled_false_positives["trials"].iloc[0],
    "alerts.judged_share": lambda study: study.alerts.pooled_false_positives["judged_share"].iloc[0],
    "telemetry.samples": lambda study: study.telemetry.inventory["samples"].sum(),
    "telemetry.series": lambda study: study.telemetry.inventory["series"].sum(),
}
# What is not known where the telemetry begins in the window, and what grows with how long it was seen.
_SINCE_BEFORE = {f"cardinality.tenants_{name}" for name in ("new", "returning", "lost")}
_GROWING = {
    *("readiness.outages", "cardinality.generated_names", "cost.total", "alerts.episodes", "telemetry.samples"),
    *(f"cardinality.tenants_{name}" for name in ("new", "returning", "stayed", "lost")),
}


def rounded(value: float | None) -> float | None:
    """Nine significant digits, None for unknown or endless: enough for people, and the same bytes on every machine."""
    return float(f"{value:.9g}") if value is not None and math.isfinite(value) else None


def number(study: Study, key: str) -> float | None:
    """One of `NUMBERS` of a study, rounded; None where it is not known."""
    unknown = key in _SINCE_BEFORE and study.telemetry.begins
    return None if unknown else rounded(float(NUMBERS[key](study)))


def compared(this: Study, other: Study) -> pd.DataFrame:
    """Numbers of one study beside those of another week or environment.

    Columns: number, this, other, difference (this - other; missing where they cannot be compared), why (they cannot;
    '' where they can).
    """
    rows = []
    for key in NUMBERS:
        here, there = number(this, key), number(other, key)
        why = _apart(this, other, key) or ("unknown of one of the two" if None in (here, there) else "")
        rows.append((key, here, there, math.nan if why else (here or 0.0) - (there or 0.0), why))
    return pd.DataFrame(rows, columns=["number", "this", "other", "difference", "why"])


def _apart(this: Study, other: Study, key: str) -> str:
    """Why a number of two studies cannot be compared."""
    if key == "cardinality.headroom_least" and this.contract.tenant_cap != other.contract.tenant_cap:
        return f"caps of {this.contract.tenant_cap} and {other.contract.tenant_cap}"
    if key == "cost.total" and this.contract.currency != other.contract.currency:
        return f"in {this.contract.currency} and in {other.contract.currency}"
    if key in _GROWING and this.seen.duration != other.seen.duration:
        return "windows of different length"
    least = this.bounds.coverage
    if key in _GROWING and min(study.telemetry.seen_share(study.seen) for study in (this, other)) < least:
        return f"less than {least:.0%} of one of the two was seen"
    return ""
