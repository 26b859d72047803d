"""The summary: every number of the page's first screen, in one document that is the same for the same data."""

from __future__ import annotations

import math
from copy import deepcopy
from importlib.metadata import version
from typing import Any
from weakref import WeakKeyDictionary

from cloudxai_analysis.cards.causes import by_harm
from cloudxai_analysis.cards.numbers import numbers, template
from cloudxai_analysis.cards.tiles import rounded, tiles
from cloudxai_analysis.cards.words import banners, considerations, headline, leading_keys, paragraph
from cloudxai_analysis.checks import Check, judge, week_status
from cloudxai_analysis.checks.catalogue import ROWS
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


def coverage(study: Study) -> dict[str, Any]:
    """How much of the window was seen."""
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
