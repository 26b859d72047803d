"""The week in words: what was found by cause, the most harmful first; headline, paragraph, banners, considerations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd

from cloudxai_analysis.checks import NEEDED, SEVERITY, Check, Status
from cloudxai_analysis.checks.catalogue import ROWS
from cloudxai_analysis.study.alerts import ONE_DAY
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import between, count, moment, percent

MOST_CONSIDERATIONS = 4
MOST_WORDS = 60
WORDS: dict[Status, str] = {"pass": "pass", "warn": "warning", "fail": "failed", "unknown": "unknown"}
# What the first of a group explains. Of names and refusals only what begins while they last, or within a day of their
# end; the others say the same by definition.
_GROUPS = {
    "identifiers": ("rejections", "headroom", "time_to_cap", "churn", "anomalies"),
    "rejections": ("headroom", "time_to_cap"),
    "outages": ("availability", "burn", "isolation", "transitions"),
    "gaps": ("coverage",),
    "rules": ("false_positives", "noise"),
}
_SEEN_BY_CUSTOMERS = ("outages", "tenants", "rejections", "flapping")
_TIMED = ("identifiers", "rejections")
_AFTER = timedelta(days=1)
LARGE_SHARE = 0.2  # of the error budget, from which on an outage leads


@dataclass(frozen=True)
class Cause:
    """Findings of one cause: `head` is what people can act on, `told` what hurt most, `checks` all of them."""

    head: Check
    told: Check
    checks: tuple[Check, ...]


def by_harm(checks: Iterable[Check], *, grave: Iterable[str] = ()) -> list[Check]:
    """The checks, those in `grave` that found something first, then by status, then by what weighs most."""
    first = set(grave)

    def key(check: Check) -> tuple[bool, int, int]:
        leads = check.key in first and check.status in ("fail", "warn")
        return (not leads, SEVERITY[check.status], ROWS[check.key].harm)

    return sorted(checks, key=key)


def grave(checks: Iterable[Check], incidents: pd.DataFrame, *, budget_share: float) -> list[str]:
    """Keys of the checks that lead: of what people wrote down as critical, and of outages that use much of the budget.

    `incidents` of the ledger with start, end, tenant and severity; `budget_share` what the window's outages used of the
    error budget.
    """
    critical = incidents[incidents["severity"].str.lower() == "critical"]
    return [
        check.key
        for check in checks
        if (check.key == "outages" and budget_share >= LARGE_SHARE)
        or (check.key in _SEEN_BY_CUSTOMERS and any(_meets(event, critical) for event in check.events))
    ]


def leading_keys(study: Study, checks: list[Check]) -> list[str]:
    """Keys of the checks that lead, whatever their rank."""
    budget = study.readiness.error_budget.iloc[0]["allowed_minutes"]
    down = study.readiness.availability.iloc[0]["not_ready_minutes"]
    return grave(checks, study.alerts.incidents, budget_share=down / budget if budget else 1.0)


def causes(checks: Iterable[Check], *, grave: Iterable[str] = ()) -> list[Cause]:
    """What was found, by cause, the most harmful first; a finding belongs to one cause."""
    left = {check.key: check for check in by_harm(checks, grave=grave) if check.status in ("fail", "warn")}
    order = list(left)
    found = []
    for head_key, members in _GROUPS.items():
        head = left.pop(head_key, None)
        if head is not None:
            own = [left.pop(key) for key in members if key in left and _within(left[key], head)]
            together = sorted((head, *own), key=lambda check: order.index(check.key))
            found.append(Cause(head, together[0], tuple(together)))
    found += [Cause(check, check, (check,)) for check in left.values()]
    return sorted(found, key=lambda cause: order.index(cause.told.key))


def _within(check: Check, head: Check) -> bool:
    if head.key not in _TIMED or head.since is None or check.since is None:
        return True
    ends = [event["end"] for event in head.events]
    # Some findings are told by the day.
    began = bool(pd.Timestamp(head.since).floor("D") <= check.since)
    return began and (not ends or None in ends or check.since <= max(ends) + _AFTER)


def _meets(event: dict[str, Any], incidents: pd.DataFrame) -> bool:
    start, end = event["start"], event["end"]
    begun = incidents["start"] <= (end if end is not None else pd.Timestamp.max.tz_localize("UTC"))
    over = incidents["end"].notna() & (incidents["end"] < start)
    scope = incidents["tenant"].isin(["", event["place"]])
    return bool((begun & ~over & scope).any())


def headline(study: Study, status: Status, checks: list[Check]) -> str:
    """The verdict as a title with what hurt most: '2026-W46: warning – …; …'."""
    first = causes(checks, grave=leading_keys(study, checks))[:1]
    leading = [cause.told for cause in first] or [_unknown_or_passed(status, checks)]
    # Beside what hurt most stands why the week failed.
    failed = [check for check in checks if check.status == "fail"][:1]
    found = leading + [check for check in failed if check not in leading]
    so_far = " so far" if study.partial else ""
    return f"{study.window.name}: {WORDS[status]}{so_far} – {'. '.join(_clause(check) for check in found)}"


def paragraph(study: Study, checks: list[Check]) -> str:
    """How much was found, what happened beside it, how much was seen, what to consider, in at most sixty words."""
    found = causes(checks, grave=leading_keys(study, checks))
    number = sum(len(cause.checks) for cause in found)
    told = f"{count(number, 'finding')} of {count(len(found), 'cause')}" if found else "No finding"
    unknown = sum(check.status == "unknown" for check in checks)
    share = study.telemetry.seen_share(study.seen)
    action = found[0].head.action if found else ""
    said = {
        "happened": f"{told} in {len(checks)} checks, {unknown} unknown.",
        "second": f"{_clause(found[1].told)}." if len(found) > 1 else "",
        "seen": "" if math.isnan(share) else f"{percent(share, 2)} of the time was seen.",
        "consider": f"To consider first: {action[:1].lower()}{action[1:]}" if action else "",
    }
    # The second finding stands further down, too; what to consider is what the reader came for.
    for left_out in ((), ("second",), ("second", "consider")):
        text = " ".join(sentence for name, sentence in said.items() if sentence and name not in left_out)
        if len(text.split()) <= MOST_WORDS:
            break
    return text


def banners(study: Study, checks: list[Check]) -> list[dict[str, str]]:
    """What is missing or uncertain, said before what is there."""
    found = [("partial", warning) for warning in study.provenance.get("warnings", [])]
    found += [("note", text) for text in _otherwise(study)]
    if study.telemetry.seen_seconds < ONE_DAY:
        coverage = next(check for check in checks if check.key == "coverage")
        found.insert(0, ("unknown", f"{coverage.finding} What follows is what there is."))
    else:
        found = [*_missing(study, checks), *found]
    if study.partial:
        found.insert(0, ("partial", f"The window is under way: data up to {study.seen.end:%Y-%m-%d %H:%M} UTC."))
    return [{"kind": kind, "text": text} for kind, text in found]


def _missing(study: Study, checks: list[Check]) -> Iterator[tuple[str, str]]:
    by_reason: dict[str, list[str]] = {}
    for check in checks:
        if check.key in ("gaps", "coverage"):
            if check.status != "pass":
                yield "gap", check.finding
        elif check.key == "rejections" and check.status == "warn":
            yield "taint", f"{check.finding} {_tainted(study)}"
        elif check.status == "unknown" and ROWS[check.key].banner:
            by_reason.setdefault(check.finding.partition(": ")[2] or check.finding, []).append(check.finding)
    for reason, same in by_reason.items():
        yield "unknown", same[0] if len(same) == 1 else f"{len(same)} checks are unknown: {reason}"


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
        for cause in causes(checks, grave=leading_keys(study, checks))
        if cause.head.action
    ][:MOST_CONSIDERATIONS]


def _tainted(study: Study) -> str:
    """Which numbers are short by whom the guard refused, and until when."""
    tainted = study.cardinality.tainted
    if tainted.empty:
        return "While a guard refuses labels, tenants are missing: numbers per tenant undercount."
    missing = between(tainted["missing_least"].sum(), tainted["missing_most"].sum(skipna=False))
    first, last = moment(tainted["start"].min()), moment(tainted["until"].max())
    return (
        f"From {first} to {last} refused tenants may be missing from numbers per tenant: {missing}. No cost is "
        "missing: a refused request does no work."
    )


def _unknown_or_passed(status: Status, checks: list[Check]) -> Check:
    ranked = by_harm(checks)
    needed = [check for check in ranked if check.key in NEEDED]
    return next((check for check in (*needed, *ranked) if check.status == status), ranked[0])


def _clause(check: Check) -> str:
    """The finding up to its first semicolon: what it says, without what it adds."""
    return check.finding.split("; ")[0].rstrip(".")
