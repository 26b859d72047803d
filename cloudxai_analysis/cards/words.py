"""The week in words: headline, paragraph, banners, and what to consider, made from the checks alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cloudxai_analysis.cards.causes import Cause, by_harm, causes, grave
from cloudxai_analysis.checks import NEEDED, Check, Status
from cloudxai_analysis.checks.catalogue import ROWS
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.study.watched import ONE_DAY
from cloudxai_analysis.words.phrases import between, count, moment, percent

MOST_CONSIDERATIONS = 4
MOST_WORDS = 60
WORDS: dict[Status, str] = {"pass": "pass", "warn": "warning", "fail": "failed", "unknown": "unknown"}


def told(study: Study, checks: list[Check]) -> list[Cause]:
    """What was found, by cause, the most harmful first."""
    return causes(checks, grave=leading_keys(study, checks))


def leading_keys(study: Study, checks: list[Check]) -> list[str]:
    """Keys of the checks that lead, whatever their rank."""
    budget = study.readiness.error_budget.iloc[0]["allowed_minutes"]
    down = study.readiness.availability.iloc[0]["not_ready_minutes"]
    return grave(checks, study.alerts.incidents, budget_share=down / budget if budget else 1.0)


def headline(study: Study, status: Status, checks: list[Check]) -> str:
    """The verdict as a title with what hurt most: '2026-W46: warning – …; …'."""
    first = told(study, checks)[:1]
    # Beside what hurt most stands why the week failed.
    failed = [check for check in checks if check.status == "fail"][:1]
    leading = [cause.told for cause in first] or [_unknown_or_passed(status, checks)]
    found = leading + [check for check in failed if check not in leading]
    so_far = " so far" if study.partial else ""
    return f"{study.window.name}: {WORDS[status]}{so_far} – {'. '.join(_clause(check) for check in found)}"


def paragraph(study: Study, checks: list[Check]) -> str:
    """How much was found, what happened beside it, how much was seen, what to consider, in at most sixty words."""
    found = told(study, checks)
    number = sum(len(cause.checks) for cause in found)
    unknown = sum(check.status == "unknown" for check in checks)
    happened = (
        f"{count(number, 'finding')} of {count(len(found), 'cause')} in {len(checks)} checks, {unknown} unknown."
        if found
        else f"No finding in {len(checks)} checks, {unknown} unknown."
    )
    second = f"{_clause(found[1].told)}." if len(found) > 1 else ""
    share = study.telemetry.seen_share(study.seen)
    believed = "" if math.isnan(share) else f"{percent(share, 2)} of the time was seen."
    consider = f"To consider first: {_lower(found[0].head.action)}" if found and found[0].head.action else ""
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
    notes = [{"kind": "partial", "text": warning} for warning in study.provenance.get("warnings", [])]
    notes += [{"kind": "note", "text": text} for text in _otherwise(study)]
    if study.telemetry.seen_seconds < ONE_DAY:
        coverage = next(check for check in checks if check.key == "coverage")
        return [*found, {"kind": "unknown", "text": f"{coverage.finding} What follows is what there is."}, *notes]
    for check in checks:
        if check.key in ("gaps", "coverage") and check.status != "pass":
            found.append({"kind": "gap", "text": check.finding})
        elif check.key == "rejections" and check.status == "warn":
            found.append({"kind": "taint", "text": f"{check.finding} {_tainted(study)}"})
    by_reason: dict[str, list[str]] = {}
    for check in checks:
        if check.status == "unknown" and ROWS[check.key].banner and check.key not in ("gaps", "coverage"):
            by_reason.setdefault(check.finding.partition(": ")[2] or check.finding, []).append(check.finding)
    found += [
        {"kind": "unknown", "text": same[0] if len(same) == 1 else f"{len(same)} checks are unknown: {reason}"}
        for reason, same in by_reason.items()
    ]
    return [*found, *notes]


def _otherwise(study: Study) -> Iterator[str]:
    """Where the server is otherwise than the contract says: the server counts."""
    if jobs := study.provenance.get("found_jobs"):
        yield f"None of the contract's jobs exports its metrics; this report is on those that do: {', '.join(jobs)}."
    rules = study.rules
    if rules is not None and (differences := study.contract.differences(rules.to_dict("records"))):
        yield f"The server's alerting rules are judged; they are not those of the contract: {'; '.join(differences)}."


def considerations(study: Study, checks: list[Check]) -> list[dict[str, str]]:
    """What people may consider, one row a cause, as drafts for them to decide on."""
    return [
        {
            "text": cause.head.action,
            "effect": "; ".join(dict.fromkeys(check.size for check in cause.checks if check.size)),
            "evidence": f"#{ROWS[cause.head.key].card}",
            "decides": cause.head.decides,
            "check": cause.head.key,
        }
        for cause in told(study, checks)
        if cause.head.action
    ][:MOST_CONSIDERATIONS]


def _tainted(study: Study) -> str:
    """Which numbers are short by whom the guard refused, and until when."""
    stretches = study.cardinality.tainted
    if stretches.empty:
        return "While a guard refuses labels, tenants are missing: numbers per tenant undercount."
    first, last = stretches["start"].min(), stretches["until"].max()
    missing = between(stretches["missing_least"].sum(), stretches["missing_most"].sum(skipna=False))
    return (
        f"From {moment(first)} to {moment(last)} refused tenants may be missing from numbers per tenant: {missing}. "
        "No cost is missing: a refused request does no work."
    )


def _unknown_or_passed(status: Status, checks: list[Check]) -> Check:
    ranked = by_harm(checks)
    needed = [check for check in ranked if check.key in NEEDED]
    return next((check for check in (*needed, *ranked) if check.status == status), ranked[0])


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
