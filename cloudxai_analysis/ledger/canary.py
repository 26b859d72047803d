"""Entries of a rollout: whom a stage was to begin with, written before it did, and what each day's look recommended."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cloudxai_analysis.ledger.entry import Day, Entry, Name, Part, Text

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Stage = Annotated[int, Field(ge=0, le=9)]


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
