"""Costs of a window: by tenant, day and week, movers, anomalies, semantics."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.ground.window import WEEK, Window, month_of
from cloudxai_analysis.measures import agreement as agreements
from cloudxai_analysis.measures import anomalies, counters, semantics, telemetry
from cloudxai_analysis.measures import cost as measure
from cloudxai_analysis.measures.frames import sure
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.study.frame import Topic, frame, hours, just, part, value

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study

GENERATED = "(generated names)"  # all of them, as one row beside tenants
_ALIKE = 24  # hours covered in both, under which two weeks are not held against each other
_NAMES = "cardinality.generated_names.tenant"
_COVERED = "telemetry.covered"
_CURRENCY = "contract.currency"
_SEMANTICS: dict[str, Any] = {
    "semantics": value(lambda contract: contract["cost"].semantics, "contract"),
    "currency": _CURRENCY,
}


_SO_FAR: dict[str, Any] = {"until": "last_midnight", "currency": _CURRENCY}


def _cost_hours(
    hours: pd.DataFrame, scrapes: pd.DataFrame, starts: pd.DataFrame, contract: Contract, end: pd.Timestamp
) -> pd.DataFrame:
    """Hourly rollups of the cost estimate, over the history."""
    if contract["cost"].semantics == "cumulative":
        return counters.counted_hours(hours, scrapes, starts)
    return measure.without_overhang(hours, end=end)


def _real(costs: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """Cost by tenant, in the window, without generated names."""
    return costs[~costs["tenant"].isin(names)]


def _pooled(costs: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """Cost by tenant, in the window, with all generated names as one row."""
    if costs.empty:
        return costs  # pandas cannot merge what it grouped out of nothing
    named = costs.assign(tenant=costs["tenant"].mask(costs["tenant"].isin(names), GENERATED))
    pooled = named.groupby(["tenant", "currency"], as_index=False, sort=False)["cost"].sum()
    return pooled.sort_values(["cost", "tenant"], ascending=[False, True], ignore_index=True)


def _per_tenant(daily: pd.DataFrame, names: Collection[str], covered: pd.DataFrame) -> pd.DataFrame:
    """Cost per real tenant by day, over the history; unknown of a day that is not covered."""
    found = measure.cost_per_tenant(_real(daily, names))
    return found.assign(cost_per_tenant=found["cost_per_tenant"].where(found["day"].isin(sure(covered))))


def _cost_movers(same_hours: tuple[pd.DataFrame, pd.DataFrame, set[str], int], names: Collection[str]) -> pd.DataFrame:
    """Change of each tenant's cost, of generated names as one, over hours covered in both weeks."""
    costs, before, some, hours = same_hours
    if hours < _ALIKE:
        return measure.cost_movers(costs[:0], before[:0])
    return measure.cost_movers(_pooled(costs, names), _pooled(before, names), part=some | {GENERATED})


def _change(movers: pd.DataFrame, currency: str) -> tuple[float, float]:
    """What all cost more than in the window before, in the environment's currency and as a share, else NaN."""
    own = movers[movers["currency"] == currency]
    change, before = float(own["change"].sum()), float(own["before"].sum())
    return (change, change / before) if before > 0 else (float("nan"), float("nan"))


def _semantics_breaks(
    study: Study, cost_hours: pd.DataFrame, recent: Window, starts: pd.DataFrame, covered: pd.DataFrame
) -> pd.DataFrame:
    """Cost gauges that behaved unlike their declaration in the window or the week before."""
    parts = []
    for role in ("cost", "cost_billing"):
        if role in study.contract.metrics:
            metric = study.contract[role]
            hours = study.within(cost_hours if role == "cost" else study.hours(role), "hour", recent)
            suspects = semantics.suspects(hours, semantics=metric.semantics)
            samples = study.samples(role, recent if suspects else Window(recent.end, recent.end))
            own = samples[samples["tenant"].isin(list(suspects))]
            found = semantics.semantics_breaks(own, starts, covered, semantics=metric.semantics)
            parts.append(found.assign(metric=metric.name))
    return semantics.growing_since(pd.concat(parts, ignore_index=True), cost_hours)


def _agreement(study: Study, ours: pd.DataFrame, covered: pd.DataFrame) -> pd.DataFrame:
    """The platform's own cost windows held against ours at each covered midnight of the window.

    Columns: gauge (metric), named (labelled window), currency, compared, unknown (comparisons),
    median, worst (drifts), apart (in the currency), tenant, at (of the worst).
    """
    parts, start, end = [], pd.Timestamp(study.seen.start), pd.Timestamp(study.seen.end)
    for role, label in (("cost_rolling", "window"), ("cost_billing", "billing_window")):
        gauge, currency = study.hours(role), study.contract.currency
        held = agreements.cost_agreement(ours, gauge, covered, label=label, currency=currency)
        own = held[(held["at"] > start) & (held["at"] <= end)]
        counts = agreements.agreement_counts(own, label=label).rename(columns={label: "named"})
        counts.insert(0, "gauge", study.contract[role].name)
        parts.append(counts)
    return pd.concat(parts, ignore_index=True)


def _reconciliation(hourly: pd.DataFrame, rolling: pd.DataFrame, seen: Window) -> pd.DataFrame:
    """Our estimate of the last seven days held against the 7-day rolling gauge, by tenant."""
    ours = measure.tenant_costs(hourly, Window(seen.end - WEEK, seen.end))
    return agreements.reconciliation(ours, rolling[rolling["window"] == "7d"], end=seen.end)


class Cost(Topic):
    """Frames on what the tenants cost."""

    cost_hours = frame(_cost_hours, hours("cost"), "telemetry.scrapes", "telemetry.starts", "contract", "end")
    hourly_costs = frame(
        measure.hourly_costs,
        "cost_hours",
        rates=value(lambda exchange: exchange.rates if exchange else {}, "environment.settings.exchange"),
        says="Cost by tenant and hour, over the history.",
        **_SEMANTICS,
    )
    daily_costs = frame(measure.costs_by_day, "hourly_costs", says="Cost by day and tenant, over the history.")
    weekly_costs = frame(measure.weekly_costs, "daily_costs")
    costs = frame(measure.tenant_costs, "hourly_costs", "seen", says="Cost by tenant, in the window.")
    unserved_costs = frame(measure.unserved_costs, "hourly_costs", "cardinality.tenant_hours")
    real_costs = frame(_real, "costs", _NAMES)
    pooled_costs = frame(_pooled, "costs", _NAMES)
    covered_share = value(telemetry.seen_share, _COVERED, "seen")
    per_tenant = frame(_per_tenant, "daily_costs", _NAMES, _COVERED)
    concentration = frame(measure.concentration, "real_costs")

    same_hours = value(measure.same_hours, "hourly_costs", "seen", "telemetry.covered_hours")
    cost_movers = frame(_cost_movers, "same_hours", _NAMES)
    compared_hours = value(lambda same_hours: same_hours[-1], "same_hours")
    change = value(_change, "cost_movers", _CURRENCY)

    month = value(month_of, "seen.end")
    last_midnight = value(lambda end: end.floor("D"), "end")
    month_course = frame(measure.month_course, "daily_costs", _COVERED, "month", **_SO_FAR)
    month_projection = frame(measure.month_projection, "daily_costs", _COVERED, "month", until="last_midnight")
    budgets = frame(measure.budget_course, "daily_costs", "environment.settings.budgets", _COVERED, "month", **_SO_FAR)

    window_hours = part("cost_hours", "hour", says="The rows of `cost_hours` in the window.")
    faults = frame(semantics.cost_faults, "window_hours", "cardinality.tenant_hours", currency=_CURRENCY)
    faults_before = frame(
        semantics.cost_faults,
        value(lambda hours, seen: hours[hours["hour"] < seen.start], "cost_hours", "seen"),
        "cardinality.tenant_hours",
        currency=_CURRENCY,
        says="The same of the history before the window, with which it is compared.",
    )
    recent = value(lambda seen: seen.with_history(1), "seen")
    able_to_tell = value(semantics.able_to_tell, part("cost_hours", "hour", "recent", says="Of two weeks."), _COVERED)
    semantics_breaks = frame(
        _semantics_breaks,
        *("study", "cost_hours", "recent", "telemetry.starts", _COVERED),
        roles=("cost", "cost_billing"),
    )

    grid = value(
        anomalies.cost_grid,
        *("cost_hours", "seen", "telemetry.covered_hours"),
        breaks="semantics_breaks",
        generated=value(set, _NAMES),
        **_SEMANTICS,
    )
    cost_stretches = frame(
        anomalies.cost_anomalies, "grid", floor="bounds.cost_anomaly_floor", hour_floor="bounds.cost_hour_floor"
    )
    cost_anomalies = frame(
        lambda found: found[found["unknown"] == ""].reset_index(drop=True),
        "cost_stretches",
        says="Those of the stretches that are known to be anomalies.",
    )
    anomaly_basis = frame(anomalies.anomaly_basis, "grid")

    billing_costs = frame(measure.window_costs, hours("cost_billing"), window_label=just("billing_window"))
    rolling_costs = frame(measure.window_costs, hours("cost_rolling"), window_label=just("window"))
    own_hours = value(measure.hourly_costs, "cost_hours", **_SEMANTICS)
    agreement = frame(_agreement, "study", "own_hours", _COVERED, roles=("cost_rolling", "cost_billing"))
    reconciliation = frame(_reconciliation, "hourly_costs", "rolling_costs", "seen")
    bills = frame(agreements.conservation, "hourly_costs", _COVERED, "environment.settings.bills", "history")

    def expected_course(self, tenant: str, currency: str) -> pd.DataFrame:
        """A tenant's cost by hour, or that of all together (''), beside what its history lets expect."""
        tenant, floor = tenant and self.study.tenant(tenant), self.study.bounds.cost_anomaly_floor
        return anomalies.expected_costs(self.grid, tenant=tenant, currency=currency, floor=floor)
