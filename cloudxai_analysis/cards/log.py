"""The log of the beta: its days as a calendar, as a table, as Markdown, and what they are worth for the sign-off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.cards.compose import TERMS
from cloudxai_analysis.figures.calendar import calendar as drawn
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.jobs import DayObserved
from cloudxai_analysis.measures.telemetry import LEAST_DAYS, MISSING, MOST_DAYS, PARTIAL, calendar, covered_run
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.markdown import markdown_text
from cloudxai_analysis.words.phrases import count, money, percent, several

_UNKNOWN = "not known"


class Log:
    """The days of a ledger up to a study's end, 30 at most; `ledger` is the study's own unless another is given.

    `at` is another end than the study's: of days that are yet to be observed then nothing is said.
    """

    def __init__(self, study: Study, ledger: Ledger | None = None, *, at: datetime | None = None) -> None:
        self.study, self.at = study, at or study.seen.end
        end = self.at.replace(hour=0, minute=0, second=0, microsecond=0)
        known = [day for day in (ledger or study.ledger).days() if day.date < end.date()]
        if at and known:
            end -= end.date() - known[-1].date - DAY
        self.begin = end - MOST_DAYS * DAY
        self.days = [day for day in known if day.date >= self.begin.date()]
        shown = (end.date() - self.days[0].date).days if self.days else 0
        self.window = Window(end - shown * DAY, end, "the log")
        self.calendar = calendar([day.model_dump() for day in self.days], self.window)
        self.run = covered_run(self.calendar)

    def card(self) -> Card:
        """The calendar, with the table behind it."""
        states = self.calendar["state"].value_counts()
        said = f"{count(self.run, 'covered day')} in a row, of {LEAST_DAYS} to {MOST_DAYS} that the sign-off asks for."
        part, missing = int(states.get(PARTIAL, 0)), int(states.get(MISSING, 0))
        return Card(
            key="incidents-log",
            heading=said,
            note=f"{count(len(self.days), 'day')} in the log; {part} seen in part, {missing} missing.",
            draw=partial(drawn, days=self.calendar, message=said.rstrip(".")) if self.days else None,
            table=self.table(),
            caption="Days of the log",
            definition="{term}: {text}".format(**TERMS["log"]),
            measure="measures.telemetry.calendar",
            window=self.window,
            empty="" if self.days else "no day was observed; `cloudxai monitor` does it",
            rows=MOST_DAYS,
        )

    def table(self) -> pd.DataFrame:
        """A row a day: what was seen, and what is not known.

        Columns: day, state, status, coverage, ready, tenants, refused, cost, alerts, actionable,
        unusual (the day's warnings by their names).
        """
        own = {day.date: day for day in self.days}
        rows = [_row(own.get(one.day.date()), one) for one in self.calendar.astype({"state": "str"}).itertuples()]
        names = "day state status coverage ready tenants refused cost alerts actionable unusual"
        return pd.DataFrame(rows, columns=names.split(), dtype="str").assign(day=self.calendar["day"])

    def signoff(self) -> pd.DataFrame:
        """The first criterion of a sign-off, part by part and as a whole.

        Columns: part, state ('met', 'not met', 'not known'), why.
        """
        parts = [("covered days in a row", *self.days_met()), ("no unresolved cardinality incident", *self.settled())]
        states = [state for _, state, _ in parts]
        worst = next(state for state in ("not met", _UNKNOWN, "met") if state in states)
        whole = ("criterion 1", worst, f"{LEAST_DAYS} covered days and no unresolved cardinality incident")
        return pd.DataFrame([*parts, whole], columns=["part", "state", "why"], dtype="str")

    def markdown(self, *, last: int = MOST_DAYS) -> str:
        """The log's last days as Markdown, a section a day."""
        return "\n".join(line for day in self.days[-last:] for line in _section(day))

    def days_met(self) -> tuple[str, str]:
        """Whether enough covered days stand in a row, and why."""
        if self.run >= LEAST_DAYS:
            return "met", f"{self.run} of {LEAST_DAYS}"
        before = self.calendar["state"][::-1].iloc[self.run : self.run + 1].tolist()
        which = "the day before them" if self.run else "the last day"
        if before == [MISSING] or not self.days:
            return _UNKNOWN, f"{self.run} of {LEAST_DAYS}; {which} was not observed"
        why = f"{which} was seen in part" if before else "the log begins with them"
        return "not met", f"{self.run} of {LEAST_DAYS}; {why}"

    @cached_property
    def unresolved(self) -> tuple[list[str], list[str]]:
        """The incidents of the ledger that are open: those of the guard's alerts, and those of no named alert."""
        rules = {name for name, rule in self.study.contract.alerts.items() if rule.topic == "cardinality"}
        found = self.study.alerts.incidents
        still = list(found[found["end"].isna() & (found["start"] < self.at)].itertuples())
        return [one.id for one in still if rules & set(one.alerts)], [one.id for one in still if not one.alerts]

    def settled(self) -> tuple[str, str]:
        """Whether a cardinality incident is open: by the ledger, and by what the guard refused on the last day."""
        own, unnamed = self.unresolved
        if own:
            return "not met", f"open: {several(own)}"
        last = self.days[-1] if self.days and self.calendar["state"].iloc[-1] != MISSING else None
        if last is None or last.rejections is None:
            return _UNKNOWN, "what the guard refused on the last day is not known"
        if last.rejections:
            return "not met", f"{count(last.rejections, 'request')} refused on {last.date}"
        if unnamed:
            return _UNKNOWN, f"open, and of no named alert: {several(unnamed)}"
        return "met", f"none is open in the ledger, and nothing was refused on {last.date}"


def _row(day: DayObserved | None, cell: Any) -> list[str]:
    if day is None:
        return ["", cell.state, "", *[_UNKNOWN] * 7, ""]
    fired = day.alerts_fired
    return [
        "",
        f"{cell.state}, back-filled" if day.backfilled else cell.state,
        day.status,
        _said(day.coverage, percent),
        _said(day.ready_minutes, lambda ready: f"{ready:,.0f} of {day.seen_minutes:,.0f} min"),
        _said(day.tenants_observed, str),
        _said(day.rejections, "{:,}".format),
        _said(day.costs, lambda costs: ", ".join(money(one.amount, one.currency) for one in costs)),
        _said(fired, lambda alerts: str(len(alerts))),
        _said(fired, lambda alerts: str(sum(bool(one.actionable) for one in alerts))),
        ", ".join(one.check for one in day.findings),
    ]


def _said(value: Any, words: Any) -> str:
    return _UNKNOWN if value is None else str(words(value))


def _section(day: DayObserved) -> Iterator[str]:
    """A day as the platform's observation log has it."""
    yield from (f"## {day.date}", "")
    for name, value in _fields(day):
        told = [value] if isinstance(value, str) else list(value)
        if len(told) == 1:
            yield f"- **{name}:** {markdown_text(told[0], most=1000)}"
        else:
            yield f"- **{name}:**{'' if told else ' none'}"
            yield from (f"  - {markdown_text(one, most=1000)}" for one in told)
    yield ""


def _fields(day: DayObserved) -> Iterator[tuple[str, str | Sequence[str]]]:
    """What the log says of a day, name by name."""
    seen = "in part: " + day.why if day.partial else "whole"
    yield "Observer", f"{day.by}, {day.written_at:%Y-%m-%d %H:%M} UTC{', back-filled' if day.backfilled else ''}"
    yield "Environment", day.environment
    yield "Coverage", f"{_said(day.coverage, partial(percent, digits=2))}, {seen}"
    minutes = _said(day.ready_minutes, lambda ready: f"{ready:,.0f} of {day.seen_minutes:,.0f} minutes seen")
    yield "Global readiness", f"ready {minutes}; transitions: {_said(day.transitions, str)}"
    generated = f", {day.tenants_generated} of generated names" if day.tenants_generated else ""
    observed, held = _said(day.tenants_observed, str), _said(day.tenants_held, str)
    yield "Tenants", f"{observed} observed{generated}, {held} held of a cap of {day.cap}"
    yield "Rejections", _said(day.rejections, "{:,}".format)
    for topic in ("readiness", "cardinality", "cost", "other"):
        own = [one for one in day.alerts_fired or () if one.topic == topic]
        if own or topic in ("readiness", "cardinality"):
            told = [_alert(one) for one in own] or ["none"]
            yield f"{topic.capitalize()} alerts", _UNKNOWN if day.alerts_fired is None else told
    yield "Cost", _said(day.costs, lambda costs: "; ".join(map(_cost, costs)))
    yield "Cost anomalies", _said(day.cost_anomalies, str)
    yield "Metrics", [f"{name}: {found}" for name, found in (day.metrics or {}).items()] or _UNKNOWN
    yield "CI", ", ".join([day.ci_status or _UNKNOWN, *day.ci_artifacts])
    yield (
        "Unusual",
        [f"{one.status}: {one.finding}" for one in day.findings] or ["nothing"] if day.coverage else _UNKNOWN,
    )
    yield "Not known", day.not_known
    if day.notes:
        yield "Notes", day.notes


def _alert(one: Any) -> str:
    judged = {True: "actionable", False: "not actionable", None: "not judged"}[one.actionable]
    return f"{one.alertname}{f' of {one.tenant}' if one.tenant else ''} at {one.fired_at:%H:%M} UTC: {judged}"


def _cost(one: Any) -> str:
    return f"{money(one.amount, one.currency)}, {one.start:%Y-%m-%d %H:%M} to {one.end:%Y-%m-%d %H:%M} UTC"
