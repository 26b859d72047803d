"""Every check of a study by its key, made once, and never wider than what was seen and told apart."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from cloudxai_analysis.checks import alerts, cardinality, cost, readiness, telemetry
from cloudxai_analysis.checks.finding import DOUBTS, FINDERS, OF_SECTION, ROWS, Case, Check, Found, found, when
from cloudxai_analysis.study.alerts import ONE_DAY
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import short
from cloudxai_analysis.words.sentences import say

# Each of them has written its functions into the list of finders when it was imported.
TOPICS = (telemetry, cardinality, cost, alerts, readiness)
KEYS = tuple(ROWS)
if set(FINDERS) != set(KEYS):
    raise KeyError(f"checks.toml and the functions of the checks differ: {sorted(set(FINDERS) ^ set(KEYS))}")
_EVIDENCE = ("brief", "size", "samples", "disproof", "action", "decides", "gain")


def bound_of(study: Study, key: str) -> float | None:
    """The bound of a check as it is held and shown everywhere; None where the settings name none for it."""
    row = ROWS[key]
    if not row.bound:
        return None
    bound = float(getattr(study.bounds, row.bound))
    # Labels are whole: fewer than 7.5 are fewer than 8. Rounded first, since 0.07 x 100 is a little over 7.
    return float(math.ceil(round(bound * study.contract.tenant_cap, 6))) if row.unit == "labels" else bound


def find(study: Study, key: str) -> Found:
    """What the check called `key` finds; without the frame that it needs that nothing is known."""
    row, bound = ROWS[key], bound_of(study, key)
    rows = study.rows(row.frame, row.by)
    if row.frame and rows.empty:
        return found("nothing")
    told = FINDERS[key](Case(study, rows, math.nan if bound is None else bound))
    return replace(told, words={"rows": rows} | told.words)


def judged(study: Study, key: str) -> Check:
    """The check called `key`, as far as its own frames go."""
    row, bound, told = ROWS[key], bound_of(study, key), find(study, key)
    answer = row.answers[told.answer]
    status = answer.status
    words = {
        "window": study.observed.name,
        "whole": study.seen.name,
        "end": study.seen.end,
        "cap": study.contract.tenant_cap,
        "currency": study.contract.currency,
        "bound": bound,
        "value": told.value,
        "since": when(told.since),
        **told.words,
    }
    # The answer's own evidence, else the check's: all where people are asked, what shows it where it passes.
    usual = {"unknown": (), "pass": _EVIDENCE[2:4]}.get(status, _EVIDENCE)
    beside = row.model_dump(include=set(usual)) | answer.model_dump(include=set(_EVIDENCE), exclude_none=True)
    never = ("action", "decides", "gain") if status == "pass" else ()
    return Check(
        key=key,
        section=row.section,
        status=status,
        finding=say(answer.finding, words),
        # What nobody knows is nothing, not none.
        value=told.value if status != "unknown" else told.value or None,
        unit=(told.unit or row.unit) if told.value is not None or row.bound else "",
        bound=bound,
        bound_key=row.bound,
        since=when(told.since),
        events=told.events,
        **{name: say(text or "", words) for name, text in beside.items() if name not in never},
    )


def check(study: Study, key: str) -> Check:
    """The check called `key`, made once per study, as far as its series can be read."""
    if ("check", key) not in study.made:
        study.made["check", key] = _believed(study, judged(study, key))
    return study.made["check", key]


def _believed(study: Study, told: Check) -> Check:
    shared, labels = study.telemetry.shared, told_apart(study, told.key, told.section)
    # Under one day seen nothing is passed: it is told as far as it was seen.
    if told.status == "pass" and told.section != "incidents" and study.telemetry.seen_seconds < ONE_DAY:
        told = replace(told, status="unknown", finding=f"Too early to tell: {told.finding}", value=told.value or None)
    if ROWS[told.key].counted and len(shared):
        names = ", ".join(f"{short(row.instance)} ({row.processes} processes)" for row in shared.head(3).itertuples())
        told = _doubtful(told, say(DOUBTS["shared"], {"rows": shared, "names": names}))
    if len(labels):
        label = labels["label"].value_counts().index[0]
        told = _doubtful(told, say(DOUBTS["mixed"], {"metric": labels["metric"].iloc[0], "label": label}))
    return told


def _doubtful(told: Check, reason: str) -> Check:
    """A check whose series cannot be read, with the reason beside what it found: no `pass` stands beside one."""
    if told.status in ("warn", "fail"):
        return replace(told, finding=f"{told.finding} May be wrong: {reason}")
    return replace(told, status="unknown", value=None, finding=f"'{told.key.replace('_', ' ')}' is unknown: {reason}")


def told_apart(study: Study, key: str, section: str) -> pd.DataFrame:
    """Unexpected labels of the metrics that a check, or else a section's numbers, rest on."""
    labels = study.telemetry.unexpected_labels
    return labels[labels["role"].isin(ROWS[key].roles if key else OF_SECTION.get(section, ()))]


def checks(study: Study) -> list[Check]:
    """Every check, in the order of the report's sections."""
    return [check(study, key) for key in KEYS]
