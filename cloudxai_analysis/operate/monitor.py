"""A day's observation: what the report's own checks and numbers say of one UTC day, into the ledger, once a day.

A day that was never observed is made up for; one that was seen in part is observed again by each run until it is whole.
Both stay in the ledger, of which the later entry counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, cast

import pandas as pd

from cloudxai_analysis.checks import judge, week_status
from cloudxai_analysis.ground.errors import NoData, UsageError
from cloudxai_analysis.ground.window import DAY, HOUR, Window, midnight
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.jobs import DayObserved
from cloudxai_analysis.measures.telemetry import LEAST_DAYS
from cloudxai_analysis.sources.catalogue import ANYBODYS
from cloudxai_analysis.study import Asked
from cloudxai_analysis.study.numbers import number, rounded, totals
from cloudxai_analysis.study.opening import Progress, earlier_clock, refresh, study_on
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, monies, percent

MOST_DAYS = 31  # made up for in one run
OBSERVER = "cloudxai monitor"
_ACTIONABLE = {"true": True, "false": False}
Beside = Mapping[str, Any]


@dataclass(frozen=True)
class Observed:
    """One day's entry, and whether it was `written`, for the first time, `again`, or said just what is there."""

    day: DayObserved
    written: bool
    again: bool

    def __str__(self) -> str:
        done = "observed again" if self.again else "back-filled" if self.day.backfilled else "observed"
        part = f", in part: {self.day.why}" if self.day.partial else ""
        return f"{day_line(self.day)} — {done if self.written else 'observed before'}{part}"


def monitor(
    asked: Asked,
    *,
    day: date | None = None,
    by: str,
    beside: Beside | None = None,
    progress: Progress | None = None,
) -> Iterator[Observed]:
    """Observe the day before, and what was missed, or one day; each is in the ledger when it is given.

    What is known `beside` the telemetry, as a note or the state of CI, is written with the last of
    the days.

    Raises UsageError (the day has not begun), NoData (it lies before all telemetry), and whatever
    the source, the lake or the ledger raises; then nothing of the day is written.
    """
    settled, now = asked.environment, earlier_clock(asked)
    today = midnight(now.date())
    last = midnight(day) if day else today - DAY
    if last > now:
        raise UsageError(f"Day {last:%Y-%m-%d} has not begun: it is {now:%Y-%m-%d %H:%M} UTC at the source.")
    ledger = Ledger.of(settled)
    written_at = asked.now if asked.set_clock else None
    days = [last] if day else _due(ledger, last)
    refresh(replace(asked, window=Window(days[0], days[-1] + DAY)), progress=progress)
    snapshot = open_lake(settled.lake).snapshot()
    # A lake that was pulled later than a clock that was set knows more than that clock.
    seen_at = min(now, datetime.fromisoformat(snapshot.provenance["now"]))
    for one in _held(days, snapshot, {entry.date for entry in ledger.days()}):
        study = study_on(snapshot, settled, Window(one, one + DAY, f"{one:%Y-%m-%d}"), now=seen_at)
        extra = beside or {} if one == days[-1] else {}
        late = one + DAY < today
        yield _kept(ledger, observation(study), by=by, late=late, beside=extra, written_at=written_at)


def demo_log(study: Study) -> Ledger:
    """The ledger that holds a study's days: its own, or, of a seeded source, one in which its last days are observed.

    The incidents of such a source are made up, and its days lie beside them in a file of their own.
    """
    if study.environment.is_demo and isinstance(study.store, Snapshot):
        ledger = Ledger(study.environment.ledger.with_name("beta-log.jsonl"))
        known = {day.date for day in ledger.days()}
        for one in Window(study.seen.end - LEAST_DAYS * DAY, study.seen.end).days():
            if one.start.date() not in known:
                own = study_on(study.store, study.environment, one, now=study.now)
                # As if somebody had been there each morning: the same ledger whenever it is made.
                morning = one.end + 6 * HOUR
                _kept(ledger, observation(own), by=OBSERVER, late=False, beside={}, written_at=morning)
        return ledger
    return study.ledger


def _due(ledger: Ledger, last: datetime) -> list[datetime]:
    """The days up to `last` that are not in the ledger, or there in part; the last one in any case."""
    partial = {day.date: day.partial for day in ledger.days()}
    most = last - (MOST_DAYS - 1) * DAY
    first = min(last, max(most, midnight(min(partial)))) if partial else most
    days = (first + number * DAY for number in range((last - first) // DAY + 1))
    return [one for one in days if partial.get(one.date(), True) or one == last]


def _held(days: Sequence[datetime], snapshot: Snapshot, known: set[date]) -> Iterator[datetime]:
    """The days that do not lie before all telemetry; raises NoData where the last one does."""
    extent = snapshot.extent()
    begin = min([midnight(one) for one in known] + ([extent.start] if extent else []), default=None)
    if begin is None or days[-1] < begin:
        since = f"the telemetry begins on {begin:%Y-%m-%d}" if begin else "the lake is empty"
        raise NoData(f"Nothing is held of {days[-1]:%Y-%m-%d}: {since}. Give a later --day.")
    return (one for one in days if one >= begin)


def _kept(
    ledger: Ledger, seen: dict[str, Any], *, by: str, late: bool, beside: Beside, written_at: datetime | None
) -> Observed:
    """The day as it is now in the ledger; what people said beside an earlier entry of it stays."""
    before = next((day for day in ledger.days() if day.date == seen["date"]), None)
    said: dict[str, Any] = before.model_dump() if before else {"backfilled": late}
    entry = {**seen, "kind": "day", "by": by, "backfilled": said["backfilled"]}
    entry |= {"ci_status": beside.get("ci_status") or said.get("ci_status", "")}
    for name in ("ci_artifacts", "notes"):
        entry[name] = tuple(dict.fromkeys((*said.get(name, ()), *beside.get(name, ()))))
    entry |= {"written_at": written_at} if written_at else {}
    kept = ledger.append_all([entry], unless_current=True)
    return Observed(cast("DayObserved", kept[0] if kept else before), bool(kept), before is not None)


def observation(study: Study) -> dict[str, Any]:
    """What is seen of a study's day, by the report's own numbers and checks; None is what is not known."""
    day, checks = study.window, judge.checks(study) if study.telemetry.inventory["samples"].sum() else []
    found = {check.key: check for check in checks}
    coverage, seen = study.telemetry.seen_share(day), study.telemetry.seen_seconds
    why = _why_partial(study, coverage)
    least, ready = number(study, "cardinality.headroom_least"), study.readiness.availability.iloc[0]
    known = ready["seen_minutes"] > 0
    flips = study.within(study.readiness.transitions)
    cap, generated = study.contract.tenant_cap, number(study, "cardinality.generated_names")
    return {
        "date": day.start.date(),
        "environment": study.environment.name,
        "status": week_status(checks),
        "partial": bool(why),
        "why": why,
        "coverage": rounded(coverage),
        "seen_minutes": rounded(ready["seen_minutes"]) if known else None,
        "ready_minutes": rounded(ready["seen_minutes"] - ready["not_ready_minutes"]) if known else None,
        "transitions": int(flips["transitions"].sum()) if len(flips) else None,
        "tenants_observed": _whole(number(study, "cardinality.active_tenants_most")),
        "tenants_generated": _whole(generated if _knows(found, "identifiers") else None),
        "tenants_held": None if least is None else round(cap - least),
        "cap": cap,
        "rejections": _whole(found["rejections"].value) if "rejections" in found else None,
        "alerts_fired": _alerts(study),
        "costs": _costs(study),
        "cost_anomalies": len(found["anomalies"].events) if _knows(found, "anomalies") else None,
        "metrics": _metrics(study, seen),
        "findings": [
            {"check": check.key, "status": check.status, "finding": check.finding}
            for check in checks
            if check.status in ("warn", "fail")
        ],
        "not_known": [check.key for check in checks if check.status == "unknown"],
    }


def _why_partial(study: Study, coverage: float) -> str:
    """Why a day was seen in part only; '' of a whole one."""
    covered = study.within(study.telemetry.covered, "day", study.window)
    if study.partial:
        return f"it was not over at {study.now:%Y-%m-%d %H:%M} UTC"
    if len(covered) and covered["covered"].all():
        return ""
    if pd.isna(coverage) or coverage == 0:
        return "nothing of it was seen"
    return f"{percent(coverage)} of it was seen, and {percent(study.bounds.coverage, 0)} make a covered day"


def _knows(found: Mapping[str, Any], check: str) -> bool:
    """Whether a check knows what stands beside it."""
    return check in found and found[check].status != "unknown"


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _alerts(study: Study) -> list[dict[str, Any]] | None:
    """The alerts that began on the day, of the contract's topics or 'other'; None where silence tells nothing."""
    fired, rules = study.alerts.week_episodes, study.contract.alerts
    if fired.empty and study.alerts.week.blind("alerts"):
        return None
    return [
        {
            "alertname": row.alertname,
            "tenant": row.tenant,
            "fired_at": row.fired_at.to_pydatetime(),
            "topic": rules[row.alertname].topic if row.alertname in rules else "other",
            "actionable": _ACTIONABLE.get(row.judgement),
        }
        for row in fired.astype({"alertname": "str", "tenant": "str", "judgement": "str"}).itertuples()
    ]


def _costs(study: Study) -> list[dict[str, Any]] | None:
    amounts, seen = totals(study), study.seen
    return [
        {"amount": rounded(amount), "currency": currency, "start": seen.start, "end": seen.end}
        for currency, amount in sorted(amounts.items())
    ] or None


def _metrics(study: Study, seen: float) -> dict[str, str] | None:
    """Whether each metric that the platform's version promises was there; None where nobody looked."""
    inventory = study.telemetry.inventory.set_index("metric")["samples"]
    found = {}
    for role, metric in study.contract.promised.items():
        if metric.scope == "target" and role not in ANYBODYS:
            there = inventory.reindex(list(metric.series_names)).sum() > 0
            found[metric.name] = "present" if there else "MISSING"
    return found if seen or "present" in found.values() else None


def day_line(day: DayObserved) -> str:
    """A day in one line: what is known of it, and what is not."""
    ready = "readiness unknown"
    if day.ready_minutes is not None and day.seen_minutes is not None:
        ready = f"ready {day.ready_minutes:,.0f} of {day.seen_minutes:,.0f} min"
    tenants = "tenants unknown" if day.tenants_observed is None else count(day.tenants_observed, "tenant")
    refused = "refusals unknown" if day.rejections is None else f"{day.rejections:,} refused"
    cost = monies({one.currency: one.amount for one in day.costs}) if day.costs else "cost unknown"
    coverage = "coverage unknown" if day.coverage is None else f"coverage {percent(day.coverage)}"
    return f"{day.date}  {', '.join([ready, tenants, refused, cost, coverage, _alert_words(day)])}"


def _alert_words(day: DayObserved) -> str:
    if day.alerts_fired is None:
        return "alerts unknown"
    judged = [alert.actionable for alert in day.alerts_fired if alert.actionable is not None]
    said = f" ({sum(judged)} actionable)" if judged else ", none judged" if day.alerts_fired else ""
    return f"{count(len(day.alerts_fired), 'alert')}{said}"
