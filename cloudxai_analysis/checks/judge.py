"""Every check of a study by its key, made once, and never wider than what was seen and told apart."""

from __future__ import annotations

import math
from dataclasses import replace
from operator import attrgetter
from weakref import WeakKeyDictionary

import pandas as pd

from cloudxai_analysis.checks import Check, alerts, cardinality, cost, readiness, telemetry
from cloudxai_analysis.checks.catalogue import OF_SECTION, ROWS, Answer, Row, Status
from cloudxai_analysis.checks.finding import FINDERS, Case, Found, found, named, when
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.study.watched import ONE_DAY
from cloudxai_analysis.words.phrases import count, short
from cloudxai_analysis.words.sentences import say

# Each of them has written its functions into the list of finders when it was imported.
TOPICS = (telemetry, cardinality, cost, alerts, readiness)
KEYS = tuple(ROWS)
if set(FINDERS) != set(KEYS):
    raise KeyError(f"checks.toml and the functions of the checks differ: {sorted(set(FINDERS) ^ set(KEYS))}")
_made: WeakKeyDictionary[Study, dict[str, Check]] = WeakKeyDictionary()


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
    row, bound, rows = ROWS[key], bound_of(study, key), _rows(study, ROWS[key])
    if row.frame and rows.empty:
        return found("nothing")
    told = FINDERS[key](Case(study, rows, math.nan if bound is None else bound))
    return replace(told, words={"rows": rows} | told.words)


def judged(study: Study, key: str) -> Check:
    """The check called `key`, as far as its own frames go."""
    row, bound, told = ROWS[key], bound_of(study, key), find(study, key)
    status, answer = row.answer(told.answer)
    words = {
        "window": named(study.observed),
        "whole": named(study.seen),
        "end": study.seen.end,
        "cap": study.contract.tenant_cap,
        "currency": study.contract.currency,
        "bound": bound,
        "value": told.value,
        **told.words,
    }
    return Check(
        key=key,
        section=row.section,
        status=status,
        finding=say(answer.finding, words),
        value=told.value,
        unit=(told.unit or row.unit) if told.value is not None or row.bound else "",
        bound=bound,
        bound_key=row.bound,
        since=when(told.since),
        events=told.events,
        **{name: say(text, words) for name, text in _evidence(row, status, answer).items()},
    )


def _rows(study: Study, row: Row) -> pd.DataFrame:
    frame = attrgetter(row.frame)(study) if row.frame else pd.DataFrame()
    return study.within(frame, row.by) if row.by else frame


def _evidence(row: Row, status: Status, answer: Answer) -> dict[str, str]:
    """The answer's own, else the check's: all where people are asked, what shows it where it passes."""
    own = {"unknown": (), "pass": ("samples", "disproof")}.get(status, ("size", "samples", "disproof", "action"))
    names = (*own, "decides") if status in ("warn", "fail") else own
    beside = row.model_dump(include=set(names)) | answer.model_dump(exclude={"finding"}, exclude_none=True)
    return {name: text or "" for name, text in beside.items()}


def check(study: Study, key: str) -> Check:
    """The verdict called `key`, made once per study."""
    made = _made.setdefault(study, {})
    if key not in made:
        told = _no_wider(study, judged(study, key))
        told = _unread(told, study.telemetry.shared) if ROWS[key].counted else told
        made[key] = _mixed(told, told_apart(study, key, told.section))
    return made[key]


def told_apart(study: Study, key: str, section: str) -> pd.DataFrame:
    """Unexpected labels of the metrics that a check, or else a section's numbers, rest on."""
    labels = study.telemetry.unexpected_labels
    return labels[labels["role"].isin(ROWS[key].roles if key else OF_SECTION.get(section, ()))]


def _no_wider(study: Study, told: Check) -> Check:
    """Under one day seen nothing is passed: it is told as far as it was seen."""
    if told.status != "pass" or told.section == "incidents" or study.telemetry.seen_seconds >= ONE_DAY:
        return told
    return replace(told, status="unknown", finding=f"Too early to tell: {told.finding}", value=told.value or None)


def _unread(told: Check, shared: pd.DataFrame) -> Check:
    """A check of counters and held tenants, with the addresses that it could not read: no `pass` stands beside one.

    `shared` are the rows of `process_starts` behind whose address several processes answer in the window.
    """
    if shared.empty:
        return told
    names = ", ".join(f"{short(row.instance)} ({row.processes} processes)" for row in shared.head(3).itertuples())
    reason = (
        f"Several processes answer by turns behind {count(len(shared), 'address', 'addresses')}: {names}. Their "
        "counters and tenants cannot be told apart; scrape each process at an address of its own."
    )
    if told.status in ("warn", "fail"):
        return replace(told, finding=f"{told.finding} {reason}")
    about = "Restarts are" if told.key == "restarts" else f"'{told.key.replace('_', ' ')}' is"
    return replace(told, status="unknown", value=None, finding=f"{about} unknown in part. {reason}")


def _mixed(told: Check, unexpected: pd.DataFrame) -> Check:
    """A check whose number rests on series of one name that are several: no `pass`, and the label that tells why."""
    if unexpected.empty:
        return told
    label = unexpected["label"].value_counts().index[0]
    reason = (
        f"{unexpected['metric'].iloc[0]} comes several times at once, told apart by `{short(label)}`, which no setting "
        "explains."
    )
    if told.status in ("warn", "fail"):
        return replace(told, finding=f"{told.finding} May be wrong: {reason}")
    about = told.key.replace("_", " ")
    return replace(told, status="unknown", value=None, finding=f"'{about}' is unknown: {reason}")


def forget(study: Study) -> None:
    """Make every verdict of a study anew when it is next asked for: its ledger has grown."""
    _made.pop(study, None)


def checks(study: Study) -> list[Check]:
    """Every verdict, in the order of the report's sections."""
    return [check(study, key) for key in KEYS]


def check_table(study: Study, section: str = "") -> pd.DataFrame:
    """The verdicts of one section, or of all, as a table.

    Columns: check, status, finding, value, unit, bound.
    """
    own = [one for one in checks(study) if section in ("", one.section)]
    rows = [(one.key, one.status, one.finding, one.value, one.unit, one.bound) for one in own]
    return pd.DataFrame(rows, columns=["check", "status", "finding", "value", "unit", "bound"])
