"""The week in words: what was found by cause, the most harmful first; headline, paragraph, banners, considerations."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from cloudxai_analysis.checks import NEEDED, SEVERITY, Check, Status
from cloudxai_analysis.checks.finding import ROWS
from cloudxai_analysis.study.alerts import ONE_DAY
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count
from cloudxai_analysis.words.sentences import say

MOST_CONSIDERATIONS = 4
MOST_WORDS = 60
WORDS = tomllib.loads(Path(__file__).with_name("summary.toml").read_text(encoding="utf-8"))
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


def sentence(name: str, **words: Any) -> str:
    """A sentence of `summary.toml`, filled in."""
    return say(WORDS["sentences"][name], words)


def by_harm(checks: Iterable[Check], *, grave: Iterable[str] = ()) -> list[Check]:
    """The checks, those in `grave` that found something first, then by status, then by what weighs most."""
    first = set(grave)

    def key(check: Check) -> tuple[bool, int, int]:
        leads = check.key in first and check.status in ("fail", "warn")
        return (not leads, SEVERITY[check.status], ROWS[check.key].harm)

    return sorted(checks, key=key)


def grave(checks: Iterable[Check], incidents: pd.DataFrame, *, budget_share: float) -> list[str]:
    """Keys of the checks that lead: of what the ledger calls critical, and of outages that use much of the budget."""
    critical = incidents[incidents["severity"].str.lower() == "critical"]
    return [
        check.key
        for check in checks
        if (check.key == "outages" and budget_share >= LARGE_SHARE)
        or (check.key in _SEEN_BY_CUSTOMERS and any(_meets(event, critical) for event in check.events))
    ]


def _meets(event: dict[str, Any], incidents: pd.DataFrame) -> bool:
    begun = True if event["end"] is None else incidents["start"] <= event["end"]
    over = incidents["end"].notna() & (incidents["end"] < event["start"])
    return bool((incidents["tenant"].isin(["", event["place"]]) & begun & ~over).any())


def ranked(study: Study, checks: list[Check]) -> list[Check]:
    """The checks of a study, the most harmful first."""
    budget = study.readiness.error_budget.iloc[0]["allowed_minutes"]
    down = study.readiness.availability.iloc[0]["not_ready_minutes"]
    leading = grave(checks, study.alerts.incidents, budget_share=down / budget if budget else 1.0)
    return by_harm(checks, grave=leading)


def causes(checks: list[Check]) -> list[Cause]:
    """What was found, by cause, in the order of the checks; a finding belongs to one cause."""
    left = {check.key: check for check in checks if check.status in ("fail", "warn")}
    order = list(left)
    found = []
    for head_key, members in WORDS["causes"].items():
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


def headline(study: Study, status: Status, checks: list[Check]) -> str:
    """The verdict as a title with what hurt most: '2026-W46: warning – …; …'."""
    by_need = sorted(checks, key=lambda check: check.key not in NEEDED)
    found = [cause.told for cause in causes(checks)[:1]] or [next(check for check in by_need if check.status == status)]
    # Beside what hurt most stands why the week failed.
    failed = [check for check in checks if check.status == "fail"][:1]
    found += [check for check in failed if check not in found]
    words = {"window": study.window.name, "status": WORDS["status"][status], "so_far": " so far" * study.partial}
    return sentence("headline", **words, found=". ".join(map(_clause, found)))


def paragraph(study: Study, checks: list[Check]) -> str:
    """How much was found, what happened beside it, how much was seen, what to consider, in at most sixty words."""
    found, share = causes(checks), study.telemetry.seen_share(study.seen)
    number, action = sum(len(cause.checks) for cause in found), found[0].head.action if found else ""
    said = f"{count(number, 'finding')} of {count(len(found), 'cause')}" if found else "No finding"
    second = f"{_clause(found[1].told)}." if len(found) > 1 else ""
    consider = sentence("consider", action=action[:1].lower() + action[1:]) if action else ""
    told = [
        sentence("happened", said=said, checks=checks, unknown=sum(check.status == "unknown" for check in checks)),
        second,
        "" if math.isnan(share) else sentence("seen", share=share),
        consider,
    ]
    # The second finding stands further down, too; what to consider is what the reader came for.
    for left_out in (second, consider):
        if len(" ".join(told).split()) > MOST_WORDS:
            told.remove(left_out)
    return " ".join(filter(None, told))


def banners(study: Study, checks: list[Check]) -> list[dict[str, str]]:
    """What is missing or uncertain, said before what is there."""
    return [{"kind": kind, "text": text} for kind, text in _banners(study, checks)]


def _banners(study: Study, checks: list[Check]) -> Iterator[tuple[str, str]]:
    """Where the server is otherwise than the contract says, the server counts."""
    if study.partial:
        yield "partial", sentence("under_way", end=f"{study.seen.end:%Y-%m-%d %H:%M}")
    if study.telemetry.seen_seconds < ONE_DAY:
        coverage = next(check for check in checks if check.key == "coverage")
        yield "unknown", sentence("little_seen", finding=coverage.finding)
    else:
        yield from _missing(study, checks)
    yield from (("partial", warning) for warning in study.provenance.get("warnings", []))
    if ahead := study.provenance.get("clock_ahead_seconds"):
        yield "note", sentence("clock", apart=abs(ahead), way="ahead of" if ahead > 0 else "behind")
    if jobs := study.provenance.get("found_jobs"):
        yield "note", sentence("other_jobs", jobs=", ".join(jobs))
    if study.rules is not None and (differences := study.contract.differences(study.rules.to_dict("records"))):
        yield "note", sentence("other_rules", differences="; ".join(differences))


def _missing(study: Study, checks: list[Check]) -> Iterator[tuple[str, str]]:
    by_reason: dict[str, list[str]] = {}
    for check in checks:
        if check.key in ("gaps", "coverage"):
            if check.status != "pass":
                yield "gap", check.finding
        elif check.key == "rejections" and check.status == "warn":
            yield "taint", _tainted(study.cardinality.tainted, check.finding)
        elif check.status == "unknown" and ROWS[check.key].banner:
            by_reason.setdefault(check.finding.partition(": ")[2] or check.finding, []).append(check.finding)
    for reason, same in by_reason.items():
        yield "unknown", same[0] if len(same) == 1 else sentence("several_unknown", checks=same, reason=reason)


def _tainted(tainted: pd.DataFrame, finding: str) -> str:
    """Which numbers are short by whom the guard refused, and until when."""
    if tainted.empty:
        return sentence("refused", finding=finding)
    missing = {"least": tainted["missing_least"].sum(), "most": tainted["missing_most"].sum(skipna=False)}
    return sentence("tainted", finding=finding, first=tainted["start"].min(), last=tainted["until"].max(), **missing)


def considerations(checks: list[Check]) -> list[dict[str, str]]:
    """What people may consider, one row a cause, as drafts for them to decide on."""
    return [
        {
            "text": cause.head.action,
            "effect": "; ".join(dict.fromkeys(check.size for check in cause.checks if check.size)),
            "evidence": f"#{ROWS[cause.head.key].card}",
            "decides": cause.head.decides,
            "check": cause.head.key,
        }
        for cause in causes(checks)
        if cause.head.action
    ][:MOST_CONSIDERATIONS]


def _clause(check: Check) -> str:
    """The finding up to its first semicolon: what it says, without what it adds."""
    return check.finding.split("; ")[0].rstrip(".")
