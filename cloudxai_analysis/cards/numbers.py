"""The numbers of the page that no check and no tile says: each by its key, and the function that makes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.tiles import rounded
from cloudxai_analysis.checks import judge
from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES
from cloudxai_analysis.study.study import Study

_ACTIONABLE = {"true": "yes", "standing": "yes", "false": "no", "unjudged": "not judged"}


def _refused(study: Study) -> float | None:
    refused = study.within(study.cardinality.rejections)
    return float(refused["rejections"].sum()) if len(refused) else None


def _in_own_currency(study: Study) -> float:
    costs = study.cost.costs
    own = costs[costs["currency"] == study.contract.currency]
    return float(own["cost"].sum()) if len(own) else float("nan")


# The numbers that the platform's weekly template asks for: what each is called, and what it is.
TEMPLATE: dict[str, tuple[str, str, Callable[[Study], float | None]]] = {
    "tenants_observed": (
        "Tenants observed",
        "cardinality-sets",
        lambda study: int((study.cardinality.tenant_sets["set"] != "lost").sum()) or None,
    ),
    "rejections": ("Rejections in the week", "cardinality-rejections", _refused),
    "readiness_alerts": ("Readiness alerts fired", "alerts-episodes", lambda study: _fired(study, "readiness")),
    "cardinality_alerts": ("Cardinality alerts fired", "alerts-episodes", lambda study: _fired(study, "cardinality")),
    "cost_anomalies": (
        "Cost anomalies",
        "cost-anomalies",
        lambda study: len(study.cost.cost_anomalies) if study.cost.anomaly_basis["judged"].any() else None,
    ),
}


def template(study: Study) -> dict[str, Any]:
    """`TEMPLATE` of a study, side by side, and each alert of the window."""
    asked = {key: _number(label, value(study), link) for key, (label, link, value) in TEMPLATE.items()}
    alerts = [
        {
            "alertname": row.alertname,
            "tenant": row.tenant,
            "fired_at": row.fired_at.isoformat(),
            "minutes": rounded(row.seconds / 60),
            "judgement": row.judgement,
            "actionable": _ACTIONABLE[row.judgement],
        }
        for row in study.alerts.week_episodes.itertuples()
    ]
    return {**asked, "alerts": alerts}


def _fired(study: Study, topic: str) -> int | None:
    """Alerts of a topic; that none fired is a number only where their rules were loaded, and for long enough."""
    rules = [name for name, rule in study.contract.alerts.items() if rule.topic == topic]
    fired = int(study.alerts.week_episodes["alertname"].isin(rules).sum())
    return fired or (None if study.alerts.week.blind("alerts", rules=rules) else 0)


# Every other number that the page's sentences say, by a flat key.
NUMBERS: dict[str, Callable[[Study], float]] = {
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
    "cost.total": _in_own_currency,
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


def numbers(study: Study) -> dict[str, float | None]:
    """`NUMBERS` of a study; None of what is not known."""
    unsettled = {key for key in NUMBERS if len(judge.told_apart(study, "", key.partition(".")[0]))}
    if study.telemetry.begins:
        unsettled |= {"cardinality.tenants_new", "cardinality.tenants_returning", "cardinality.tenants_lost"}
    return {key: None if key in unsettled else rounded(float(value(study))) for key, value in NUMBERS.items()}


def _tenants(study: Study, name: str) -> int:
    return int((study.cardinality.tenant_sets["set"] == name).sum())


def _first(frame: pd.DataFrame, column: str) -> float:
    return float(frame[column].iloc[0]) if len(frame) else math.nan


def _number(label: str, value: float | None, link: str) -> dict[str, Any]:
    text = "no data" if value is None else f"{value:,.0f}"
    return {"label": label, "value": rounded(value), "text": text, "link": link}
