"""The numbers that a study comes down to: each by a flat key, as the page says it, and two studies side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study


def totals(study: Study) -> dict[str, float]:
    """What the window cost, by currency: several are never added up."""
    sums = study.cost.costs.groupby("currency", observed=True)["cost"].sum()
    return {str(currency): float(amount) for currency, amount in sums.items()}


def _of_set(study: Study, name: str) -> float:
    """Tenants of a set; who is new or lost nobody knows where the telemetry begins in the window."""
    unknown = study.telemetry.begins and name != "stayed"
    return math.nan if unknown else int((study.cardinality.tenant_sets["set"] == name).sum())


def _first(path: str, column: str) -> Callable[[Study], float]:
    """The number in the first row of a frame; unknown where it has none."""

    def first(study: Study) -> float:
        frame = study.rows(path)
        return float(frame[column].iloc[0]) if len(frame) else math.nan

    return first


NUMBERS: dict[str, Callable[[Any], float]] = {
    "readiness.availability_week": _first("readiness.availability", "availability"),
    "readiness.availability_30d": _first("readiness.slo_availability", "availability"),
    "readiness.error_budget_used_minutes": _first("readiness.error_budget", "used_minutes"),
    "readiness.error_budget_remaining_share": _first("readiness.error_budget", "remaining_share"),
    "readiness.outages": lambda study: (study.readiness.outages["minutes"] > OUTAGE_MINUTES).sum(),
    "cardinality.active_tenants_most": lambda study: study.within(study.cardinality.active_tenants)["tenants"].max(),
    "cardinality.generated_names": lambda study: study.cardinality.unstable_identifiers["count"].sum(),
    "cardinality.headroom_least": lambda study: study.within(study.cardinality.headroom)["headroom"].min(),
    "cardinality.churn_most": lambda study: study.within(study.cardinality.churn, "day")["churn"].max(),
    "cardinality.tenants_new": lambda study: _of_set(study, "new"),
    "cardinality.tenants_returning": lambda study: _of_set(study, "returning"),
    "cardinality.tenants_stayed": lambda study: _of_set(study, "stayed"),
    "cardinality.tenants_lost": lambda study: _of_set(study, "lost"),
    "cost.total": lambda study: totals(study).get(study.contract.currency, math.nan),
    "cost.top10_share": _first("cost.concentration", "top10_share"),
    "cost.gini": _first("cost.concentration", "gini"),
    "alerts.episodes": lambda study: len(study.alerts.week_episodes),
    "alerts.false_positive_rate": _first("alerts.pooled_false_positives", "rate"),
    "alerts.false_positive_rate_low": _first("alerts.pooled_false_positives", "low"),
    "alerts.false_positive_rate_high": _first("alerts.pooled_false_positives", "high"),
    "alerts.trials": _first("alerts.pooled_false_positives", "trials"),
    "alerts.judged_share": _first("alerts.pooled_false_positives", "judged_share"),
    "telemetry.samples": lambda study: study.telemetry.inventory["samples"].sum(),
    "telemetry.series": lambda study: study.telemetry.inventory["series"].sum(),
}

# What grows with how long it was seen.
_GROWING = {
    *("readiness.outages", "cardinality.generated_names", "cost.total", "alerts.episodes", "telemetry.samples"),
    *(f"cardinality.tenants_{name}" for name in ("new", "returning", "stayed", "lost")),
}


def rounded(value: float | None) -> float | None:
    """Nine significant digits, None for unknown or endless: enough for people, and the same bytes on every machine."""
    return float(f"{value:.9g}") if value is not None and math.isfinite(value) else None


def number(study: Study, key: str) -> float | None:
    """One of `NUMBERS` of a study, rounded; None where it is not known."""
    return rounded(float(NUMBERS[key](study)))


def compared(this: Study, other: Study) -> pd.DataFrame:
    """Numbers of one study beside those of another week or environment.

    Columns: number, this, other, difference (this - other; missing where they cannot be compared),
    why (they cannot; '' where they can).
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
