"""The kinds of entries that jobs write: of days, nights, drills, runs of the harness, rollouts, what was sent."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cloudxai_analysis.ledger.entry import Day, Entry, Moment, Name, Part, Text

Verdict = Literal["pass", "fail", "unknown"]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Stage = Annotated[int, Field(ge=0, le=9)]


class FiredAlert(Part):
    """An alert that began on a day; `actionable` None where nobody has judged it."""

    alertname: Text
    tenant: Name = ""
    fired_at: Moment
    topic: Text
    actionable: bool | None = None


class DayCost(Part):
    """What the tenants cost over a window, in one currency."""

    amount: _Number
    currency: Text
    start: Moment
    end: Moment


class DayFinding(Part):
    """What a check of the report found of a day."""

    check: Text
    status: Literal["warn", "fail"]
    finding: Text


class DayObserved(Entry):
    """What was seen of one UTC day; None is what is not known. A part of a day is `partial`, and `why` says so."""

    kind: Literal["day"] = "day"
    natural_key: ClassVar[tuple[str, ...]] = ("date",)
    date: Day
    environment: Text
    status: Literal["pass", "warn", "fail", "unknown"]
    partial: bool
    why: Name = ""
    backfilled: bool = False
    coverage: float | None = None
    seen_minutes: float | None = None
    ready_minutes: float | None = None
    transitions: int | None = None
    tenants_observed: int | None = None
    tenants_generated: int | None = None
    tenants_held: int | None = None
    cap: int
    rejections: int | None = None
    alerts_fired: tuple[FiredAlert, ...] | None = None
    costs: tuple[DayCost, ...] | None = None
    cost_anomalies: int | None = None
    metrics: dict[Text, Literal["present", "MISSING"]] | None = None
    findings: tuple[DayFinding, ...] = ()
    not_known: tuple[Text, ...] = ()
    ci_status: Name = ""
    ci_artifacts: tuple[Text, ...] = ()
    notes: tuple[Text, ...] = ()


class Asserted(Part):
    """What a night's run found of one assertion; `attempts` are the causes of those that failed before."""

    id: Text
    status: Literal["pass", "warn", "fail", "unknown", "left out"]
    finding: Name = ""
    attempts: tuple[Name, ...] = ()

    @property
    def flaky(self) -> bool:
        """Whether it holds, but not at the first attempt."""
        return bool(self.attempts) and self.status in ("pass", "warn")


class Night(Entry):
    """What was asserted in one night, by its date (UTC); `away` says why the source could not be asked, if so."""

    kind: Literal["night"] = "night"
    natural_key: ClassVar[tuple[str, ...]] = ("date",)
    date: Day
    at: Moment
    source: Name = ""
    checks: Annotated[tuple[Asserted, ...], Field(min_length=1, max_length=10_000)]
    away: Name = ""


class Harness(Entry):
    """A run of the harness: whether each promise of the guard held under load, and the hash of its result."""

    kind: Literal["harness"] = "harness"
    natural_key: ClassVar[tuple[str, ...]] = ("at",)
    at: Moment
    within_cap: Verdict
    only_at_cap: Verdict
    counted_exactly: Verdict
    differing: int = Field(ge=0, description="numbers of the suite that were not what the harness knew")
    cap: int = Field(gt=0)
    most_tenants: int = Field(gt=0, description="that were tried at once")
    seed: int
    fault: Name = Field("", description="the guard was broken on purpose")
    result: Text = Field(description="SHA-256 of the file with the result")
    summary: Name = ""


class Answered(Part):
    """What a team was shown and asked in a tabletop drill, what it answered, and what a good answer would have named.

    `minute` is when it was shown, on the drill's own clock, which begins with the page; `minutes` is
    how long the answer took.
    """

    inject: Text
    marks: Literal["", "detect", "decide"] = ""
    shown: Text
    asked: Text
    names: tuple[Text, ...] = ()
    within: float
    practise: Name = ""
    minute: Annotated[float, Field(ge=0)]
    minutes: Annotated[float, Field(ge=0)]
    answered_at: Moment
    answer: Name = ""


class Tabletop(Entry):
    """A drill at the table: an incident of the past, told to a team inject by inject; `end` None while it goes on.

    It loads nothing. Unlike a `drill` it therefore explains nothing of what is seen in its time.
    """

    kind: Literal["tabletop"] = "tabletop"
    natural_key: ClassVar[tuple[str, ...]] = ("start", "exercise", "incident")
    start: Moment
    end: Moment | None = None
    exercise: Text
    incident: Text
    injects: int = Field(gt=0, description="that the exercise has")
    alerted: float | None = Field(None, description="minutes from the incident's start until its first alert fired")
    answers: Annotated[tuple[Answered, ...], Field(max_length=50)] = ()
    summary: Name = ""


class Cohort(Entry):
    """The tenants that a stage of a rollout begins with on a day: drawn by a seed, or given where there is none."""

    kind: Literal["cohort"] = "cohort"
    natural_key: ClassVar[tuple[str, ...]] = ("rollout", "stage", "date")
    rollout: Text
    stage: _Stage
    date: Day = Field(description="the stage's first day")
    tenants: Annotated[tuple[Text, ...], Field(min_length=1, max_length=1_000_000)]
    seed: int | None = None
    unit: Name = Field("", description="the label whose tenants are one unit; '' where each is one")


class SignalSeen(Part):
    """What a look saw of a signal: the chance of such ranks without harm beside its level, the limit beside the margin.

    `shift` is how much more the cohort's middle unit changed. It and `limit` are None where they were
    not asked for: before the last look, unless there is harm. A limit that could be anything is None.
    """

    name: Text
    state: Text
    cohort: int = Field(ge=0, description="units")
    rest: int = Field(ge=0)
    chance: _Number
    level: _Number
    shift: _Number | None = None
    limit: _Number | None = None
    margin: _Number


class CanaryLook(Entry):
    """A day's recommendation on a stage; what is done, people decide."""

    kind: Literal["canary"] = "canary"
    natural_key: ClassVar[tuple[str, ...]] = ("rollout", "stage", "first_day", "date")
    rollout: Text
    stage: _Stage
    first_day: Day
    date: Day = Field(description="the last day that was looked at")
    recommendation: Literal["promote", "hold", "roll back"]
    reason: Text
    attempt: int = Field(ge=1)
    signals: tuple[SignalSeen, ...] = ()


class Sent(Entry):
    """What was sent to a recipient about a report: `begun` before, then how it ended; `content` is its SHA-256."""

    kind: Literal["sent"] = "sent"
    natural_key: ClassVar[tuple[str, ...]] = ("report", "to", "content")
    report: Text
    to: Text
    content: Text
    state: Literal["begun", "sent", "refused", "unclear"]
    attempt: int = Field(gt=0)
