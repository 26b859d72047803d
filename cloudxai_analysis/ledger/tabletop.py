"""Entries of a drill at the table: what a team was shown, and what it answered."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cloudxai_analysis.ledger.entry import Entry, Moment, Name, Part, Text


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
