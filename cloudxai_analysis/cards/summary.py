"""The summary: every number of the page's first screen, in one document that is the same for the same data."""

from __future__ import annotations

import math
from copy import deepcopy
from importlib.metadata import version
from typing import Any
from weakref import WeakKeyDictionary

from cloudxai_analysis.cards.causes import by_harm
from cloudxai_analysis.cards.tiles import rounded, tiles
from cloudxai_analysis.cards.words import banners, considerations, headline, leading_keys, paragraph
from cloudxai_analysis.checks import Check, judge, week_status
from cloudxai_analysis.checks.catalogue import ROWS
from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import NO_DATA, span

SCHEMA = "1"
_TOPICS = ("readiness", "cardinality")
ACTIONABLE = {"true": "yes", "standing": "yes", "false": "no", "unjudged": "not judged"}


_made: WeakKeyDictionary[Study, dict[str, Any]] = WeakKeyDictionary()


def summarise(study: Study) -> dict[str, Any]:
    """The content of `summary.json`, made once per study: plain data, floats at nine digits, no time of running."""
    if study not in _made:
        _made[study] = _summarised(study)
    return deepcopy(_made[study])


def _summarised(study: Study) -> dict[str, Any]:
    checks = judge.checks(study)
    status = week_status(checks)
    contract = study.contract
    return {
        "schema": SCHEMA,
        "environment": study.environment.name,
        "platform": f"{contract.platform} {contract.platform_version}",
        "window": {
            "name": study.window.name,
            "start": study.window.start.isoformat(),
            "end": study.window.end.isoformat(),
            "partial_until": study.seen.end.isoformat() if study.partial else None,
        },
        "status": status,
        "headline": headline(study, status, checks),
        "paragraph": paragraph(study, checks),
        "banners": banners(study, checks),
        "tiles": tiles(study),
        "template": template(study),
        "checks": [_check(check) for check in by_harm(checks, grave=leading_keys(study, checks))],
        "considerations": considerations(study, checks),
        "numbers": numbers(study),
        "coverage": _coverage(study),
        "bounds": study.bounds.model_dump(),
        "contract": {
            "version": contract.version,
            "platform_version": contract.platform_version,
            "cap": contract.tenant_cap,
            "currency": contract.currency,
        },
        "ledger": study.ledger.provenance(),
        "provenance": {**study.provenance, "package": version("cloudxai-analysis")},
    }


def template(study: Study) -> dict[str, Any]:
    """The numbers that the platform's weekly template asks for, side by side."""
    rules, episodes = study.contract.alerts, study.alerts.week_episodes
    topics = episodes["alertname"].map(lambda name: rules[name].topic if name in rules else "").value_counts()
    of_topic = {topic: [name for name, rule in rules.items() if rule.topic == topic] for topic in _TOPICS}
    # None fired is a number only where their rules were loaded, and for long enough.
    fired = {
        topic: int(topics.get(topic, 0)) or (None if study.alerts.week.blind("alerts", rules=names) else 0)
        for topic, names in of_topic.items()
    }
    sets = study.cardinality.tenant_sets
    observed = int((sets["set"] != "lost").sum()) or None
    rejected = study.within(study.cardinality.rejections)
    refused = float(rejected["rejections"].sum()) if len(rejected) else None
    anomalies = len(study.cost.cost_anomalies) if study.cost.anomaly_basis["judged"].any() else None
    return {
        "tenants_observed": _number("Tenants observed", observed, "cardinality-sets"),
        "rejections": _number("Rejections in the week", refused, "cardinality-rejections"),
        "readiness_alerts": _number("Readiness alerts fired", fired["readiness"], "alerts-episodes"),
        "cardinality_alerts": _number("Cardinality alerts fired", fired["cardinality"], "alerts-episodes"),
        "cost_anomalies": _number("Cost anomalies", anomalies, "cost-anomalies"),
        "alerts": [
            {
                "alertname": row.alertname,
                "tenant": row.tenant,
                "fired_at": row.fired_at.isoformat(),
                "minutes": rounded(row.seconds / 60),
                "judgement": row.judgement,
                "actionable": ACTIONABLE[row.judgement],
            }
            for row in episodes.itertuples()
        ],
    }


def numbers(study: Study) -> dict[str, float | None]:
    """Every other number that the page's sentences say, by a flat key."""
    budget = study.readiness.error_budget.iloc[0]
    sets = study.cardinality.tenant_sets["set"].value_counts()
    pooled = study.alerts.pooled_false_positives.iloc[0]
    concentration = study.cost.concentration
    found = {
        "readiness.availability_week": study.readiness.availability["availability"].iloc[0],
        "readiness.availability_30d": study.readiness.slo_availability["availability"].iloc[0],
        "readiness.error_budget_used_minutes": budget["used_minutes"],
        "readiness.error_budget_remaining_share": budget["remaining_share"],
        "readiness.outages": float((study.readiness.outages["minutes"] > OUTAGE_MINUTES).sum()),
        "cardinality.active_tenants_most": study.within(study.cardinality.active_tenants)["tenants"].max(),
        "cardinality.generated_names": float(study.cardinality.unstable_identifiers["count"].sum()),
        "cardinality.headroom_least": study.within(study.cardinality.headroom)["headroom"].min(),
        "cardinality.churn_most": study.within(study.cardinality.churn, "day")["churn"].max(),
        **{f"cardinality.tenants_{name}": float(sets.get(name, 0)) for name in ("new", "returning", "stayed", "lost")},
        "cost.total": _in_own_currency(study),
        "cost.top10_share": concentration["top10_share"].iloc[0] if len(concentration) else float("nan"),
        "cost.gini": concentration["gini"].iloc[0] if len(concentration) else float("nan"),
        "alerts.episodes": float(len(study.alerts.week_episodes)),
        "alerts.false_positive_rate": pooled["rate"],
        "alerts.false_positive_rate_low": pooled["low"],
        "alerts.false_positive_rate_high": pooled["high"],
        "alerts.trials": pooled["trials"],
        "alerts.judged_share": pooled["judged_share"],
        "telemetry.samples": float(study.telemetry.inventory["samples"].sum()),
        "telemetry.series": float(study.telemetry.inventory["series"].sum()),
    }
    unsettled = {key for key in found if len(judge.told_apart(study, "", key.partition(".")[0]))}
    if study.telemetry.begins:
        unsettled |= {"cardinality.tenants_new", "cardinality.tenants_returning", "cardinality.tenants_lost"}
    return {key: None if key in unsettled else rounded(float(value)) for key, value in found.items()}


def _in_own_currency(study: Study) -> float:
    costs = study.cost.costs
    own = costs[costs["currency"] == study.contract.currency]
    return float(own["cost"].sum()) if len(own) else float("nan")


def _number(label: str, value: float | None, link: str) -> dict[str, Any]:
    text = "no data" if value is None else f"{value:,.0f}"
    return {"label": label, "value": rounded(value), "text": text, "link": link}


def _coverage(study: Study) -> dict[str, Any]:
    minutes = study.seen.duration.total_seconds() / 60
    share = study.telemetry.seen_share(study.seen)
    seen = share * minutes
    text = NO_DATA if math.isnan(share) else f"{span(seen * 60)} of {span(minutes * 60)} seen"
    return {"value": rounded(share), "seen_minutes": rounded(seen), "expected_minutes": rounded(minutes), "text": text}


def _check(check: Check) -> dict[str, Any]:
    return _rounded_floats(check.as_dict()) | {"definition": ROWS[check.key].version}


def _rounded_floats(value: Any) -> Any:
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, dict):
        return {key: _rounded_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded_floats(item) for item in value]
    return value
