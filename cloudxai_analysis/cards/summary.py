"""The summary: every number of the page's first screen, in one document that is the same for the same data."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from typing import Any

from cloudxai_analysis.cards.tiles import tiles
from cloudxai_analysis.cards.words import (
    banners,
    causes,
    considerations,
    headline,
    paragraph,
    ranked,
    sentence,
    unknowns,
)
from cloudxai_analysis.checks import SECTIONS, Check, judge, week_status
from cloudxai_analysis.checks.finding import ROWS
from cloudxai_analysis.study.numbers import NUMBERS, number, rounded
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import NO_DATA

SCHEMA = "1"
SUMMARY_MIME = "application/vnd.cloudxai.summary+json"
ACTIONABLE = {"true": "yes", "standing": "yes", "false": "no", "unjudged": "not judged"}
GROUPS = ("new", "worse", "better", "gone", "still")


def summarise(study: Study, *, signoff: dict[str, Any] | None = None) -> dict[str, Any]:
    """The content of `summary.json`, made once per study: plain data, floats at nine digits, no time of running.

    `signoff` is where the criteria of v1.0 stand, as `decide.signoff` says it.
    """
    if "summary" not in study.made:
        study.made["summary"] = _summarised(study) | ({"signoff": signoff} if signoff else {})
    return study.made["summary"]


def _summarised(study: Study) -> dict[str, Any]:
    checks, contract = ranked(study, judge.checks(study)), study.contract
    status = week_status(checks)
    cause_of = {check.key: cause.head.key for cause in causes(checks) for check in cause.checks}
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
        "paragraph": paragraph(study, status, checks),
        "banners": banners(study, judge.checks(study)),
        "tiles": tiles(study),
        "template": {key: _asked(study, key) for key in TEMPLATE} | {"alerts": alerts(study)},
        "not_known": unknowns(checks),
        "checks": [_check(check) | {"cause": cause_of.get(check.key, "")} for check in checks],
        "considerations": considerations(checks),
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
    text = NO_DATA if math.isnan(share) else sentence("coverage", seen=seen * 60, expected=minutes * 60)
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
    return plain | {"definition": ROWS[check.key].version, "title": ROWS[check.key].title}


def since(summary: dict[str, Any], earlier: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The checks that changed against the newest of the `earlier` summaries, which stand newest first.

    Gives `before` (the window's name, None where there is no summary), `before_sha256` (of its
    file) and, for each group, items with check, status, was, finding, redefined (what the check
    means changed in between) and weeks (how many reports in a row it has stood in, this one
    included). What turned unknown after a finding is 'worse': nobody knows that it is gone.
    """
    found: dict[str, Any] = {"before": None, "before_sha256": None, **{group: [] for group in GROUPS}}
    if not earlier:
        return found
    found |= {"before": earlier[0]["window"]["name"], "before_sha256": summary_sha256(earlier[0])}
    weeks = [{check["key"]: check for check in week["checks"]} for week in (summary, *earlier)]
    for key, check in weeks[0].items():
        was = weeks[1].get(key, {"status": "pass", "definition": 1})
        if group := _group(was["status"], check["status"]):
            passed = (at for at, week in enumerate(weeks) if week.get(key, {"status": "pass"})["status"] == "pass")
            found[group].append(
                {
                    "check": key,
                    "status": check["status"],
                    "was": was["status"] if key in weeks[1] else "",
                    "finding": check["finding"],
                    "redefined": was.get("definition", 1) != check.get("definition", 1),
                    "weeks": next(passed, len(weeks)),
                }
            )
    return found


def _group(was: str, now: str) -> str:
    found = was in ("warn", "fail")
    if was == now:
        return "still" if found else ""
    if now == "pass":
        return "gone" if found else "better"
    if not found:
        return "new"
    return "better" if (was, now) == ("fail", "warn") else "worse"


def summary_text(summary: dict[str, Any]) -> str:
    """The text of `summary.json`: the same summary gives the same bytes."""
    return json.dumps(summary, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"


def summary_sha256(summary: dict[str, Any]) -> str:
    """The SHA-256 of the file `summary.json` with this content, as `sha256sum` tells it."""
    return hashlib.sha256(summary_text(summary).encode(errors="replace")).hexdigest()
