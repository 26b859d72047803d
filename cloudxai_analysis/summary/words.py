"""The week in words: headline, paragraph, banners, and what to consider, made from the checks alone."""

from __future__ import annotations

import math
from collections.abc import Iterable

from cloudxai_analysis.phrases import count, moment, percent
from cloudxai_analysis.study import Study
from cloudxai_analysis.verdicts import SECTIONS, Check, Status

MOST_CONSIDERATIONS = 7
MOST_WORDS = 60
WORDS: dict[Status, str] = {"pass": "pass", "warn": "warning", "fail": "failed", "unknown": "unknown"}
# What weighs more for the question "stable enough for v1.0?" stands first, and where its evidence lies on the page.
EVIDENCE = {
    "availability": "readiness-availability",
    "guard": "cardinality-guard",
    "headroom": "cardinality-headroom",
    "time_to_cap": "cardinality-time-to-cap",
    "rejections": "cardinality-rejections",
    "outages": "readiness-outages",
    "isolation": "readiness-isolation",
    "burn": "readiness-burn",
    "missed": "alerts-missed",
    "false_positives": "alerts-false-positives",
    "rules": "alerts-rules",
    "identifiers": "cardinality-identifiers",
    "semantics": "cost-semantics",
    "anomalies": "cost-anomalies",
    "noise": "alerts-noise",
    "storms": "alerts-storms",
    "flapping": "alerts-flapping",
    "transitions": "readiness-transitions",
    "latency": "readiness-latency",
    "incidents": "incidents-ledger",
    "gaps": "telemetry-gaps",
    "coverage": "telemetry-coverage",
    "churn": "cardinality-churn",
    "reconciliation": "cost-reconciliation",
    "agreement": "cost-agreement",
    "cost_data": "cost-data",
    "budgets": "cost-budgets",
    "conservation": "cost-bills",
    "tenants": "readiness-tenants",
    "restarts": "telemetry-restarts",
}
# Without a second source there is nothing to compare, and of rules that seldom fire little is known: that is told in
# the section, every week the same, and is no banner.
NO_BANNER = ("conservation", "reconciliation", "agreement", "budgets", "rules")
_RANK = {key: rank for rank, key in enumerate(EVIDENCE)}
_SEVERITY: dict[Status, int] = {"fail": 0, "warn": 1, "unknown": 2, "pass": 3}


def by_weight(checks: Iterable[Check]) -> list[Check]:
    """The checks, worst first, and within a status by what weighs most for the decision."""
    return sorted(checks, key=lambda check: (_SEVERITY[check.status], _RANK[check.key]))


def headline(study: Study, status: Status, checks: list[Check]) -> str:
    """The verdict as a title: '2026-W46: warning – …'."""
    leading = _leading(status, checks)
    return f"{study.window.name}: {WORDS[status]}{' so far' if study.partial else ''} – {_clause(leading)}"


def paragraph(study: Study, checks: list[Check]) -> str:
    """What happened, why we believe it, what to consider, in at most sixty words."""
    warned = [check for check in by_weight(checks) if check.status in ("fail", "warn")]
    where = sorted({check.section for check in warned}, key=SECTIONS.index)
    happened = (
        f"{len(warned)} of {len(checks)} checks ask for attention ({', '.join(where)})."
        if warned
        else f"None of {len(checks)} checks asks for attention."
    )
    second = f"{_clause(warned[1])}." if len(warned) > 1 else ""
    share = study.telemetry.seen_share(study.seen)
    believed = "" if math.isnan(share) else f"{percent(share, 2)} of the time was seen."
    consider = f"To consider first: {_lower(warned[0].action)}" if warned and warned[0].action else ""
    whole = " ".join(filter(None, (happened, second, believed, consider)))
    # The second finding stands further down, too; what to consider is what the reader came for.
    return whole if len(whole.split()) <= MOST_WORDS else _at_most(MOST_WORDS, happened, believed, consider)


def banners(study: Study, checks: list[Check]) -> list[dict[str, str]]:
    """What is missing or uncertain, said before what is there."""
    found = []
    if study.partial:
        found.append(
            {"kind": "partial", "text": f"The window is under way: data up to {study.seen.end:%Y-%m-%d %H:%M} UTC."}
        )
    for check in checks:
        if check.key in ("gaps", "coverage") and check.status != "pass":
            found.append({"kind": "gap", "text": check.finding})
        elif check.key == "rejections" and check.status == "warn":
            found.append({"kind": "taint", "text": f"{check.finding} {_tainted(study)}"})
    unknown = [check for check in checks if check.status == "unknown" and check.key not in NO_BANNER]
    found += [{"kind": "unknown", "text": check.finding} for check in unknown]
    found += [{"kind": "partial", "text": warning} for warning in study.provenance.get("warnings", [])]
    return found


def considerations(checks: list[Check]) -> list[dict[str, str]]:
    """What people may consider, ranked, as drafts for them to decide on."""
    asked = [check for check in by_weight(checks) if check.status in ("fail", "warn") and check.action]
    return [
        {
            "text": check.action,
            "effect": check.size,
            "evidence": f"#{EVIDENCE[check.key]}",
            "decides": check.decides,
            "check": check.key,
        }
        for check in asked[:MOST_CONSIDERATIONS]
    ]


def _tainted(study: Study) -> str:
    """Which numbers are short by whom the guard refused, and until when."""
    stretches = study.cardinality.tainted
    if stretches.empty:
        return "While a guard refuses labels, tenants are missing: numbers per tenant undercount."
    first, last = stretches["start"].min(), stretches["until"].max()
    most = count(stretches["missing_most"].sum(), "tenant")
    return (
        f"From {moment(first)} to {moment(last)} numbers per tenant undercount (tenants, costs, their alerts): up to "
        f"{most} may be missing from them."
    )


def _leading(status: Status, checks: list[Check]) -> Check:
    ranked = by_weight(checks)
    return next((check for check in ranked if check.status == status), ranked[0])


def _clause(check: Check) -> str:
    """The finding up to its first semicolon: what it says, without what it adds."""
    return check.finding.split("; ")[0].rstrip(".")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _at_most(words: int, *sentences: str) -> str:
    kept: list[str] = []
    for sentence in filter(None, sentences):
        if sum(len(part.split()) for part in (*kept, sentence)) <= words:
            kept.append(sentence)
    return " ".join(kept)
