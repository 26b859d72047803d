"""Which check is made of which measure: every verdict of a study, by its key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from weakref import WeakKeyDictionary

import pandas as pd

from cloudxai_analysis.checks import (
    Check,
    agreement,
    alerts,
    anomalies,
    budgets,
    cardinality,
    cost,
    growth,
    incidents,
    labels,
    objective,
    readiness,
    rule_quality,
    telemetry,
)
from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES, TENANT_MINUTES
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.study.watched import ONE_DAY

_CHECKS: dict[str, Callable[[Study], Check]] = {
    "coverage": lambda study: telemetry.coverage_check(
        study.within(study.telemetry.coverage, "day"),
        study.within(study.telemetry.covered, "day"),
        study.telemetry.first_seen,
        window=study.seen,
        least=study.bounds.coverage,
    ),
    "gaps": lambda study: telemetry.gaps_check(
        study.telemetry.gaps, study.within(study.telemetry.coverage, "day"), window=study.seen
    ),
    "restarts": lambda study: telemetry.restarts_check(
        study.telemetry.restarts, study.telemetry.starts, study.ledger.stretches(), window=study.observed
    ),
    "labels": lambda study: labels.labels_check(
        study.telemetry.unexpected_labels,
        study.cardinality.nameless,
        window=study.observed,
        tenant_label=study.contract.tenant_label,
        known=bool(study.telemetry.inventory["series"].sum()),
    ),
    "headroom": lambda study: cardinality.headroom_check(
        study.within(study.cardinality.headroom),
        window=study.observed,
        cap=study.contract.tenant_cap,
        share=study.bounds.headroom_share,
    ),
    "time_to_cap": lambda study: growth.time_to_cap_check(
        study.cardinality.time_to_cap, study.within(study.cardinality.headroom), days=study.bounds.days_to_cap
    ),
    "guard": lambda study: cardinality.guard_check(
        study.cardinality.guard,
        counted=len(study.within(study.cardinality.rejections)) > 0,
        window=study.observed,
        cap=study.contract.tenant_cap,
    ),
    "rejections": lambda study: cardinality.rejections_check(
        study.cardinality.refusals, study.within(study.cardinality.rejections), window=study.observed
    ),
    "identifiers": lambda study: cardinality.identifiers_check(
        study.cardinality.unstable_identifiers,
        study.cardinality.generated_bursts,
        study.readiness.tenant_availability,
        window=study.observed,
        least=study.bounds.unstable_identifiers,
    ),
    "churn": lambda study: cardinality.churn_check(
        study.within(study.cardinality.churn, "day"), window=study.observed, bound=study.bounds.daily_churn
    ),
    "anomalies": lambda study: anomalies.anomalies_check(
        study.cost.cost_stretches,
        study.cost.anomaly_basis,
        study.telemetry.covered_hours,
        window=study.observed,
        currency=study.contract.currency,
        floor=study.bounds.cost_anomaly_floor,
    ),
    "semantics": lambda study: cost.semantics_check(
        study.cost.semantics_breaks,
        study.cost.costs,
        study.telemetry.covered,
        study.cost.able_to_tell,
        window=study.observed,
    ),
    "reconciliation": lambda study: cost.reconciliation_check(
        study.cost.reconciliation,
        study.telemetry.covered,
        window=study.observed,
        drift=study.bounds.reconciliation_drift,
    ),
    "agreement": lambda study: agreement.agreement_check(
        study.cost.agreement, window=study.observed, drift=study.bounds.reconciliation_drift
    ),
    "conservation": lambda study: cost.conservation_check(
        study.cost.costs,
        study.cost.bills,
        window=study.observed,
        drift=study.bounds.reconciliation_drift,
        least=study.bounds.coverage,
    ),
    "cost_data": lambda study: cost.cost_data_check(
        study.cost.faults, study.cost.costs, study.cost.faults_before, window=study.observed
    ),
    "budgets": lambda study: budgets.budgets_check(study.cost.budgets, month=study.cost.month),
    "false_positives": lambda study: rule_quality.false_positives_check(
        study.alerts.pooled_false_positives,
        study.alerts.judged,
        study.alerts.month,
        paging=study.alerts.paging_rules,
        bound=study.bounds.false_positive_rate,
    ),
    "rules": lambda study: rule_quality.rules_check(
        study.alerts.rule_overview,
        study.alerts.judged,
        study.alerts.month,
        bound=study.bounds.false_positive_rate,
    ),
    "noise": lambda study: rule_quality.noise_check(
        study.alerts.false_positives,
        study.alerts.judged,
        study.alerts.month,
        paging=study.alerts.paging_rules,
        bound=study.bounds.false_positive_rate,
    ),
    "storms": lambda study: alerts.storms_check(
        study.within(study.alerts.storms, "start"),
        study.going_on(study.alerts.storms),
        study.alerts.week_episodes,
        study.alerts.week,
    ),
    "flapping": lambda study: alerts.flapping_check(
        study.within(study.alerts.flapping_tenants, "start"),
        study.within(study.alerts.flapping_alerts, "start"),
        study.going_on(pd.concat([study.alerts.flapping_alerts, study.alerts.flapping_tenants], ignore_index=True)),
        study.hours("tenant_transitions", study.seen)[["tenant"]].drop_duplicates(),
        study.alerts.week,
    ),
    "missed": lambda study: alerts.missed_check(
        study.alerts.missed_incidents,
        study.within(study.alerts.incidents, "start"),
        study.ledger.complete(),
        study.alerts.week,
    ),
    "availability": lambda study: readiness.availability_check(
        study.readiness.slo_availability,
        study.readiness.error_budget,
        slo_window=study.readiness.slo_window,
        slo=study.bounds.availability,
    ),
    "outages": lambda study: readiness.outages_check(
        study.readiness.outages,
        study.going_on(study.readiness.outage_history),
        study.readiness.availability,
        study.alerts.incidents,
        window=study.seen,
        least_minutes=OUTAGE_MINUTES,
        coverage=study.bounds.coverage,
    ),
    "burn": lambda study: objective.burn_check(
        study.readiness.burn_rates, study.readiness.burn_stretches, study.readiness.budget_course, window=study.observed
    ),
    "isolation": lambda study: objective.isolation_check(
        study.readiness.isolation_breaches,
        window=study.observed,
        known=bool(len(study.readiness.tenant_availability) and study.readiness.availability["seen_minutes"].iloc[0]),
    ),
    "transitions": lambda study: readiness.transitions_check(
        study.within(study.readiness.transitions), window=study.observed, bound=study.bounds.transitions_per_hour
    ),
    "latency": lambda study: readiness.latency_check(
        study.within(study.readiness.check_latency), window=study.observed, bound=study.bounds.check_latency_seconds
    ),
    "tenants": lambda study: readiness.tenants_check(
        study.readiness.tenant_outages,
        study.readiness.tenant_availability,
        study.alerts.incidents,
        window=study.observed,
        least_minutes=TENANT_MINUTES,
    ),
    "incidents": lambda study: incidents.incidents_check(
        study.alerts.incidents, study.ledger.complete(), window=study.observed
    ),
}
KEYS = tuple(_CHECKS)
# What stands on counters, or on all that one process has shown.
_COUNTED = ("restarts", "headroom", "time_to_cap", "guard", "rejections", "flapping", "transitions", "latency")
# Which metrics each check's number rests on, by the roles of the contract; of the others the section's.
_RESTS_ON = {
    "restarts": ("process_start",),
    "churn": ("tenant_readiness",),
    "identifiers": ("tenant_readiness",),
    "transitions": ("readiness_transitions",),
    "latency": ("readiness_check",),
    "tenants": ("tenant_readiness",),
    "flapping": ("tenant_transitions", "alerts"),
    "reconciliation": ("cost", "cost_rolling"),
    "agreement": ("cost", "cost_rolling", "cost_billing"),
    "semantics": ("cost", "cost_billing"),
}
_OF_SECTION = {
    "cardinality": ("tenant_readiness", "rejections", "process_start"),
    "cost": ("cost",),
    "alerts": ("alerts",),
    "readiness": ("readiness",),
}
_made: WeakKeyDictionary[Study, dict[str, Check]] = WeakKeyDictionary()


def check(study: Study, key: str) -> Check:
    """The verdict called `key`, made once per study."""
    made = _made.setdefault(study, {})
    if key not in made:
        found = _no_wider(study, _CHECKS[key](study))
        found = telemetry.unread(found, study.telemetry.shared) if key in _COUNTED else found
        made[key] = labels.told_apart(found, told_apart(study, key, found.section))
    return made[key]


def told_apart(study: Study, key: str, section: str) -> pd.DataFrame:
    """Unexpected labels of the metrics that a check, or else a section's numbers, rest on."""
    found = study.telemetry.unexpected_labels
    return found[found["role"].isin(_RESTS_ON.get(key, _OF_SECTION.get(section, ())))]


def _no_wider(study: Study, found: Check) -> Check:
    """Under one day seen nothing is passed: it is told as far as it was seen."""
    if found.status != "pass" or found.section == "incidents" or study.telemetry.seen_seconds >= ONE_DAY:
        return found
    return replace(found, status="unknown", finding=f"Too early to tell: {found.finding}", value=found.value or None)


def forget(study: Study) -> None:
    """Make every verdict of a study anew when it is next asked for: its ledger has grown."""
    _made.pop(study, None)


def checks(study: Study) -> list[Check]:
    """Every verdict, in the order of the report's sections."""
    return [check(study, key) for key in KEYS]


def check_table(study: Study, section: str = "") -> pd.DataFrame:
    """The verdicts of one section, or of all, as a table.

    Columns: check, status, finding, value, unit, bound.
    """
    found = [one for one in checks(study) if section in ("", one.section)]
    rows = [(one.key, one.status, one.finding, one.value, one.unit, one.bound) for one in found]
    return pd.DataFrame(rows, columns=["check", "status", "finding", "value", "unit", "bound"])
