"""Tainted numbers: what a guard that refuses labels leaves out of every number per tenant, without a word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import TIME, typed

_TARGET = ["job", "instance"]
_STRETCHES = {
    "job": "str",
    "instance": "str",
    "start": TIME,
    "last_refusal": TIME,
    "until": TIME,
    "over": "bool",
    "rejections": "float64",
    "missing_most": "float64",
}
_NUMBERS = {
    "instance": "str",
    "start": TIME,
    "until": TIME,
    "numbers": "str",
    "checks": "object",
    "missing_most": "float64",
    "missing_typical": "float64",
    "unit": "str",
    "because": "str",
}
# Which of the report's numbers stand on tenant labels: their words, the checks made of them, and what is missing.
AFFECTED = (
    ("active tenants, churn, tenant sets, cohorts", ("churn", "identifiers"), "tenants"),
    ("costs by tenant, their sum, concentration, movers, cost anomalies", ("anomalies", "reconciliation"), "money"),
    ("tenants that were not ready, flapping tenants, isolation", ("tenants", "flapping"), "tenants"),
    ("alerts on tenant labels, their false-positive rate, missed incidents", ("false_positives", "missed"), "tenants"),
)


def tainted_stretches(
    refusals: pd.DataFrame, starts: pd.DataFrame, rejection_samples: pd.DataFrame, *, end: pd.Timestamp
) -> pd.DataFrame:
    """Stretches in which tenants may be missing from a process: from its first refusal to its next start.

    `refusals` as `measures.guard.refusals` gives them, `starts` as `process_starts`; a process that was refused once
    stays without the tenant until it starts anew, since a full process admits nobody. `rejection_samples` name the
    refused in builds whose counter carries `tenant`. `end` is where the telemetry ends.

    Columns: job, instance, start, last_refusal, until (the process's next start, else `end`), over (it was a start),
    rejections (requests), missing_most (tenants: those that the counter names, else as many as the requests, of which
    one tenant may send many).
    """
    if refusals.empty:
        return typed([], _STRETCHES)
    keys = dict.fromkeys(_TARGET, "str")
    frame = refusals.astype(keys).sort_values("end", ignore_index=True)
    began = starts[[*_TARGET, "started_at"]].astype(keys).sort_values("started_at")
    following = pd.merge_asof(
        frame[[*_TARGET, "end"]],
        began.rename(columns={"started_at": "until"}),
        left_on="end",
        right_on="until",
        by=_TARGET,
        direction="forward",
    )
    frame["until"] = following["until"].to_numpy()
    frame["until"] = pd.to_datetime(frame["until"], utc=True).astype(TIME)
    frame["over"] = frame["until"].notna() & (frame["until"] <= end)
    frame["until"] = frame["until"].where(frame["over"], end)
    found = frame.groupby([*_TARGET, "until"], as_index=False).agg(
        start=("start", "min"), last_refusal=("end", "max"), over=("over", "first"), rejections=("rejections", "sum")
    )
    named = [_named(rejection_samples, row) for row in found.itertuples()]
    found["missing_most"] = np.where(np.array(named) > 0, named, found["rejections"])
    return typed(found.sort_values(["start", "instance"], ignore_index=True), _STRETCHES)


def _named(samples: pd.DataFrame, stretch: Any) -> int:
    """How many tenants the rejection counter itself names in a stretch; 0 of a build that names none."""
    if "tenant" not in samples:
        return 0
    inside = (samples["time"] >= stretch.start) & (samples["time"] <= stretch.last_refusal) & (samples["tenant"] != "")
    own = samples[inside & (samples["instance"] == stretch.instance) & (samples["job"] == stretch.job)]
    return int(own["tenant"].nunique())


def tainted_numbers(stretches: pd.DataFrame, hourly_costs: pd.DataFrame) -> pd.DataFrame:
    """The report's numbers that each stretch leaves short, with how much may be missing from them.

    `hourly_costs` as `measures.cost.hourly_costs` gives them. Of money the bound is what would be missing if each of
    the refused were as large as the largest tenant in those hours, and the estimate, if each were as the median one;
    both are missing where nobody's cost is known.

    Columns: instance, start, until, numbers (in words), checks (keys of the checks made of them), missing_most,
    missing_typical (NaN of tenants), unit ('tenants', or a currency), because (how the bound comes about); a row for
    each currency that was paid in.
    """
    rows = []
    for stretch in stretches.itertuples():
        amounts = _amounts(hourly_costs, stretch.start, stretch.until)
        for numbers, checks, unit in AFFECTED:
            place = {"instance": stretch.instance, "start": stretch.start, "until": stretch.until}
            row = place | {"numbers": numbers, "checks": checks}
            if unit == "money":
                rows += [
                    row | _money(largest, median, str(currency), tenants=float(stretch.missing_most))
                    for currency, largest, median in amounts
                ]
            else:
                because = f"{stretch.rejections:,.0f} refused requests of at most {stretch.missing_most:,.0f} tenants"
                rows.append(row | {"missing_most": stretch.missing_most, "unit": unit, "because": because})
    return typed(rows, _NUMBERS)


def _amounts(costs: pd.DataFrame, start: pd.Timestamp, until: pd.Timestamp) -> list[tuple[str, float, float]]:
    """Currency, and what the largest and the median tenant cost in the stretch; unknown amounts where none is known."""
    inside = costs[(costs["hour"] >= start.floor("h")) & (costs["hour"] < until)]
    if inside.empty:
        return [("", np.nan, np.nan)]
    by_tenant = inside.groupby(["currency", "tenant"], observed=True)["cost"].sum()
    found = by_tenant.groupby("currency", observed=True).agg(["max", "median"]).reset_index()
    return list(found.itertuples(index=False, name=None))


def _money(largest: float, median: float, currency: str, *, tenants: float) -> dict[str, object]:
    known = f"{tenants:,.0f} tenants, each at most as large as the largest in those hours"
    return {
        "missing_most": tenants * largest,
        "missing_typical": tenants * median,
        "unit": currency or "unknown currency",
        "because": known if np.isfinite(largest) else "no cost is known in those hours",
    }
