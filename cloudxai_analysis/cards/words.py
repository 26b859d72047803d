"""The week in words: what was found by cause, the most harmful first; title, paragraph, what is not known, to do."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from cloudxai_analysis.checks import NEEDED, SEVERITY, Check, Status
from cloudxai_analysis.checks.finding import ROWS
from cloudxai_analysis.ground.window import HOUR
from cloudxai_analysis.study.alerts import ONE_DAY
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.sentences import say

MOST_CONSIDERATIONS = 4
MOST_WORDS = 60
MOST_IN_TITLE = 32
MOST_UNKNOWN = 5
MOST_HIT = 3
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
    """The verdict as a title with the two causes that hurt most: 'Warning: …; …. Both are over.'."""
    words = {"status": WORDS["status"][status], "so_far": " so far" * study.partial}
    if status == "unknown":
        return _unknown_headline(study, checks, words)
    said = [in_brief(check) for check in _in_title(status, checks)]
    return sentence("headline", **words, found="; ".join(said), over=_over(_in_title(status, checks), study.seen.end))


def _unknown_headline(study: Study, checks: list[Check], words: dict[str, Any]) -> str:
    """Why there is no verdict: nothing was seen, or too little, or what the verdict needs is not known."""
    if not study.telemetry.seen_seconds:
        return sentence("nothing_seen", window=study.observed.name)
    if study.telemetry.seen_seconds < ONE_DAY:
        return sentence("too_early", **words, seen=study.telemetry.seen_seconds)
    blind = [check.key for check in checks if check.status == "unknown"]
    names = [ROWS[key].title for key in NEEDED if key in blind]
    return sentence("cannot_tell", **words, checks=checks, unknown=len(blind), names=names)


def _in_title(status: Status, checks: list[Check]) -> list[Check]:
    by_need = sorted(checks, key=lambda check: check.key not in NEEDED)
    found = [cause.told for cause in causes(checks)[:2]] or [next(check for check in by_need if check.status == status)]
    # Beside what hurt most stands why the week failed.
    failed = [check for check in checks if check.status == "fail" and check not in found][
        : 1 - (found[0].status == "fail")
    ]
    found = [*found[:1], *(failed or found[1:])]
    return found[:1] if len(" ".join(map(in_brief, found)).split()) > MOST_IN_TITLE else found


def _over(found: list[Check], end: datetime) -> str:
    """Whether what the title tells of is over; nothing where no end is known to tell by."""
    if not all(check.events and check.status in ("fail", "warn") for check in found):
        return ""
    ends = [event["end"] for check in found for event in check.events]
    going_on = any(one is None or one > end - HOUR for one in ends)
    return str(WORDS["over"]["going_on" if going_on else "both" if len(found) > 1 else "one"])


def paragraph(study: Study, status: Status, checks: list[Check]) -> str:
    """What happened beside the title, whom it hit, and how things stood when last seen, in at most sixty words."""
    found, titled = causes(checks), _in_title(status, checks)
    unknown, beside = sum(check.status == "unknown" for check in checks), [one.told for one in found]
    also = [f"Also: {in_brief(check)}." for check in beside if check not in titled][:1]
    hit = [WORDS["hit"][check.key] for cause in found for check in cause.checks if check.key in WORDS["hit"]]
    whom = [sentence("hit", whom=", ".join(hit[:MOST_HIT]))] if hit else []
    number = {"findings": sum(len(cause.checks) for cause in found), "causes": len(found)}
    tally = sentence("tally" if found else "tally_none", **number, checks=checks, unknown=unknown)
    told = [*also, *whom, *_stands(study), tally]
    return " ".join(told if len(" ".join(told).split()) <= MOST_WORDS else told[len(also) :])


def _stands(study: Study) -> list[str]:
    """How things stood when last seen, if they were."""
    hours, outages = study.within(study.cardinality.headroom, "hour"), study.readiness.outages
    if hours.empty or not study.readiness.availability["seen_minutes"].iloc[0]:
        return []
    ready = "not ready" if outages["end"].isna().any() else "ready"
    left, cap = int(hours["headroom"].iloc[-1]), study.contract.tenant_cap
    return [sentence("stands", ready=ready, left=left, cap=cap)]


def unknowns(checks: list[Check]) -> list[dict[str, Any]]:
    """What nobody can tell, one row a reason, and once what it would be known; the last row names what is left over."""
    by_reason: dict[str, list[Check]] = {}
    for check in sorted(checks, key=lambda check: (check.key not in NEEDED, not ROWS[check.key].banner)):
        if check.status == "unknown":
            by_reason.setdefault(check.finding.partition(": ")[2] or check.finding, []).append(check)
    rows = [_unknown(reason, same) for reason, same in by_reason.items()]
    rest = [key for row in rows[MOST_UNKNOWN - 1 :] for key in row["checks"]] if len(rows) > MOST_UNKNOWN else []
    if rest:
        names = [ROWS[key].title for key in rest]
        rows[MOST_UNKNOWN - 1 :] = [{"text": sentence("more_unknown", names=names), "known_once": "", "checks": rest}]
    return rows


def _unknown(reason: str, same: list[Check]) -> dict[str, Any]:
    names = [ROWS[check.key].title for check in same]
    text = same[0].finding if len(same) == 1 else sentence("several_unknown", names=names, reason=reason)
    return {
        "text": text[:1].upper() + text[1:],
        "known_once": ROWS[same[0].key].known_once,
        "checks": [check.key for check in same],
    }


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
    for check in checks:
        if check.key in ("gaps", "coverage"):
            if check.status in ("warn", "fail"):
                yield "gap", f"{in_brief(check)}."
        elif check.key == "rejections" and check.status == "warn":
            yield "taint", _tainted(study.cardinality.tainted)


def _tainted(tainted: pd.DataFrame) -> str:
    """Which numbers are short by whom the guard refused, and until when."""
    if tainted.empty:
        return sentence("refused")
    missing = {"least": tainted["missing_least"].sum(), "most": tainted["missing_most"].sum(skipna=False)}
    return sentence("tainted", first=tainted["start"].min(), last=tainted["until"].max(), **missing)


def considerations(checks: list[Check]) -> list[dict[str, str]]:
    """What people may consider, one row a cause, as drafts for them to decide on."""
    return [
        {
            "text": cause.head.action,
            "effect": "; ".join(dict.fromkeys(check.size for check in cause.checks if check.size)),
            "evidence": f"#{ROWS[cause.head.key].card}",
            "decides": cause.head.decides,
            "gain": cause.head.gain,
            "check": cause.head.key,
        }
        for cause in causes(checks)
        if cause.head.action
    ][:MOST_CONSIDERATIONS]


def in_brief(check: Check) -> str:
    """The finding as a title says it, else up to its first semicolon: what it says, without what it adds."""
    return check.brief or check.finding.split("; ")[0].rstrip(".")
