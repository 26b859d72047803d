"""Two studies side by side: the same numbers of two weeks or two environments, and why some cannot be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study

# Frame, column, how its rows in the window become one number, and what its size depends on.
NUMBERS = (
    ("telemetry.covered", "coverage", "mean", ""),
    ("cardinality.active_tenants", "tenants", "max", ""),
    ("cardinality.headroom", "headroom", "min", "cap"),
    ("cardinality.churn", "churn", "max", ""),
    ("cardinality.rejections", "rejections", "sum", "length"),
    ("cost.costs", "cost", "sum", "money"),
    ("cost.concentration", "gini", "max", ""),
    ("cost.cost_anomalies", "excess", "sum", "money"),
    ("alerts.week_episodes", "episode", "count", "length"),
    ("alerts.pooled_false_positives", "rate", "max", ""),
    ("alerts.week_incidents", "id", "count", "length"),
    ("readiness.availability", "availability", "max", ""),
    ("readiness.error_budget", "remaining_share", "max", ""),
    ("readiness.outages", "minutes", "sum", "length"),
)


def compared(this: Study, other: Study) -> pd.DataFrame:
    """Numbers of one study beside those of another.

    Columns: number, this, other, difference (this - other; missing where they cannot be compared), why (they cannot;
    '' where they can).
    """
    rows = []
    for name, column, how, depends in NUMBERS:
        values = [_number(study, name, column, how) for study in (this, other)]
        why = _apart(this, other, depends) or ("" if pd.notna(values).all() else "unknown of one of the two")
        difference = values[0] - values[1] if not why else float("nan")
        rows.append((f"{name}.{column} ({how})", *values, difference, why))
    return pd.DataFrame(rows, columns=["number", "this", "other", "difference", "why"])


def _number(study: Study, name: str, column: str, how: str) -> float:
    found = study.frames[name].frame
    for time in ("hour", "day"):
        if time in found:
            found = study.within(found, time)
    if "currency" in found:
        # Amounts of several currencies are never added up.
        found = found[found["currency"] == study.contract.currency]
    if found.empty and how not in ("count", "sum"):
        return float("nan")
    return float(found[column].agg(how))


def _apart(this: Study, other: Study, depends: str) -> str:
    """Why a number of two studies cannot be compared."""
    if depends == "cap" and this.contract.tenant_cap != other.contract.tenant_cap:
        return f"caps of {this.contract.tenant_cap} and {other.contract.tenant_cap}"
    if depends == "money" and this.contract.currency != other.contract.currency:
        return f"in {this.contract.currency} and in {other.contract.currency}"
    if depends in ("length", "money") and this.seen.duration != other.seen.duration:
        return "windows of different length"
    least, shares = this.bounds.coverage, [study.telemetry.seen_share(study.seen) for study in (this, other)]
    if depends in ("length", "money") and min(shares) < least:
        return f"less than {least:.0%} of one of the two was seen"
    return ""
