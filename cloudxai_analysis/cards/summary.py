"""The summary: every number of the page's first screen, in one document that is the same for the same data."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from typing import Any
from weakref import WeakKeyDictionary

from cloudxai_analysis.cards.tiles import tiles
from cloudxai_analysis.cards.words import banners, by_harm, considerations, headline, leading_keys, paragraph
from cloudxai_analysis.checks import SECTIONS, Check, judge, week_status
from cloudxai_analysis.checks.catalogue import ROWS
from cloudxai_analysis.study.numbers import NUMBERS, number, rounded
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import NO_DATA, span

SCHEMA = "1"
ACTIONABLE = {"true": "yes", "standing": "yes", "false": "no", "unjudged": "not judged"}
_made: WeakKeyDictionary[Study, dict[str, Any]] = WeakKeyDictionary()


def summarise(study: Study) -> dict[str, Any]:
    """The content of `summary.json`, made once per study: plain data, floats at nine digits, no time of running."""
    if study not in _made:
        _made[study] = _summarised(study)
    return deepcopy(_made[study])


def _summarised(study: Study) -> dict[str, Any]:
    checks, contract = judge.checks(study), study.contract
    status = week_status(checks)
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
        "template": {key: _asked(study, key) for key in TEMPLATE} | {"alerts": alerts(study)},
        "checks": [_check(check) for check in by_harm(checks, grave=leading_keys(study, checks))],
        "considerations": considerations(study, checks),
        "numbers": numbers(study),
        "coverage": coverage(study),
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


def numbers(study: Study) -> dict[str, float | None]:
    """`NUMBERS` of a study; None of what is not known, or rests on series that may count twice."""
    mixed = {section for section in SECTIONS if len(judge.told_apart(study, "", section))}
    return {key: None if key.partition(".")[0] in mixed else number(study, key) for key in NUMBERS}


def coverage(study: Study) -> dict[str, Any]:
    """How much of the window was seen."""
    minutes = study.seen.duration.total_seconds() / 60
    share = study.telemetry.seen_share(study.seen)
    seen = share * minutes
    text = NO_DATA if math.isnan(share) else f"{span(seen * 60)} of {span(minutes * 60)} seen"
    return {"value": rounded(share), "seen_minutes": rounded(seen), "expected_minutes": rounded(minutes), "text": text}


def alerts(study: Study) -> list[dict[str, Any]]:
    """Each alert of the window, and whether it was actionable."""
    return [
        {
            "alertname": row.alertname,
            "tenant": row.tenant,
            "fired_at": row.fired_at.isoformat(),
            "minutes": rounded(row.seconds / 60),
            "judgement": row.judgement,
            "actionable": ACTIONABLE[row.judgement],
        }
        for row in study.alerts.week_episodes.itertuples()
    ]


def _fired(study: Study, topic: str) -> int | None:
    """Alerts of a topic; that none fired is a number only where their rules were loaded, and for long enough."""
    rules = [name for name, rule in study.contract.alerts.items() if rule.topic == topic]
    fired = int(study.alerts.week_episodes["alertname"].isin(rules).sum())
    return fired or (None if study.alerts.week.blind("alerts", rules=rules) else 0)


def _tenants(study: Study) -> int | None:
    return int((study.cardinality.tenant_sets["set"] != "lost").sum()) or None


def _refused(study: Study) -> float | None:
    refused = study.within(study.cardinality.rejections)["rejections"]
    return float(refused.sum()) if len(refused) else None


def _anomalies(study: Study) -> int | None:
    return len(study.cost.cost_anomalies) if study.cost.anomaly_basis["judged"].any() else None


# The numbers that the platform's weekly template asks for: what each is called, the card behind it, what it is.
TEMPLATE: dict[str, tuple[str, str, Callable[[Study], float | None]]] = {
    "tenants_observed": ("Tenants observed", "cardinality-sets", _tenants),
    "rejections": ("Rejections in the week", "cardinality-rejections", _refused),
    "readiness_alerts": ("Readiness alerts fired", "alerts-episodes", lambda study: _fired(study, "readiness")),
    "cardinality_alerts": ("Cardinality alerts fired", "alerts-episodes", lambda study: _fired(study, "cardinality")),
    "cost_anomalies": ("Cost anomalies", "cost-anomalies", _anomalies),
}


def _asked(study: Study, key: str) -> dict[str, Any]:
    label, link, made = TEMPLATE[key]
    value = made(study)
    text = NO_DATA if value is None else f"{value:,.0f}"
    return {"label": label, "value": rounded(value), "text": text, "link": link}


def _check(check: Check) -> dict[str, Any]:
    """A check as plain data: times in ISO 8601, floats at nine digits."""
    text = json.dumps(asdict(check), default=datetime.isoformat)
    plain = json.loads(text, parse_float=lambda digits: rounded(float(digits)), parse_constant=lambda _: None)
    return plain | {"definition": ROWS[check.key].version}
