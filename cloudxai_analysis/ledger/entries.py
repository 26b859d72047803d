"""The kinds of entries; what those of people hold, and the `id` by which a later entry supersedes one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import reduce
from math import isnan
from operator import or_
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import jobs
from cloudxai_analysis.ledger.entry import Day, Entry, Link, Moment, Name, Text, Told, linked


class Planned(Entry):
    """A stretch of something planned, for one tenant or for all."""

    natural_key: ClassVar[tuple[str, ...]] = ("start", "end", "tenant", "summary")
    start: Moment
    end: Moment
    tenant: Name = ""
    summary: Name = ""


class _Trouble(Entry):
    start: Moment
    end: Moment | None = None
    tenant: Name = ""
    alerts: tuple[Text, ...] = ()
    severity: Name = ""
    summary: Name = ""
    source: Name = ""


class Decided(Entry):
    """A person's word on proposals."""

    natural_key: ClassVar[tuple[str, ...]] = ("proposals", "by")
    proposals: Annotated[tuple[Text, ...], Field(min_length=1)]
    summary: Name = ""


class Incident(_Trouble):
    """Something went wrong for one tenant, or for all where `tenant` is ''; `end` None while it goes on.

    What set it off, how it was seen, what was done at once, why it was and what is done about it is
    told as far as people know it; `hotfix` is a link or a name, that `approved_by` approved.
    """

    kind: Literal["incident"] = "incident"
    id: Text
    acknowledged_at: Moment | None = None
    scope: Literal["global", "tenant"] | None = None
    trigger: Told = None
    evidence: Told = None
    immediate_action: Told = None
    mitigated_at: Moment | None = None
    root_cause: Told = None
    fix: Told = None
    hotfix: Told = None
    approved_by: Told = None
    follow_ups: Annotated[tuple[Text, ...] | None, BeforeValidator(lambda said: said or None)] = None
    lessons: Told = None

    @model_validator(mode="after")
    def _fits_together(self) -> Incident:
        if self.scope is not None and (self.scope == "tenant") != bool(self.tenant):
            raise ValueError(f"scope '{self.scope}' does not fit tenant '{self.tenant}'")
        for name in ("acknowledged_at", "mitigated_at"):
            said = getattr(self, name)
            if said is not None and said < self.start:
                raise ValueError(f"{name} {said.isoformat()} is before start {self.start.isoformat()}")
        return self


# What an incident tells of its course, in the order in which it went.
COURSE = (
    *("trigger", "evidence", "immediate_action", "mitigated_at", "root_cause"),
    *("fix", "hotfix", "approved_by", "follow_ups", "lessons"),
)


class Proposal(_Trouble):
    """What a job takes for an incident, and by which `evidence`; no truth before a person confirms it."""

    kind: Literal["proposal"] = "proposal"
    natural_key: ClassVar[tuple[str, ...]] = ("start", "tenant", "alerts", "source")
    evidence: Name = ""


class Confirmation(Decided):
    """A person's word that these proposals were incidents."""

    kind: Literal["confirmation"] = "confirmation"


class Rejection(Decided):
    """A person's word that these proposals were none."""

    kind: Literal["rejection"] = "rejection"


class Label(Entry):
    """An analyst's judgement of one alert episode, named by rule, tenant ('' for none) and `fired_at`."""

    kind: Literal["label"] = "label"
    natural_key: ClassVar[tuple[str, ...]] = ("alertname", "tenant", "fired_at")
    alertname: Text
    tenant: Name = ""
    fired_at: Moment
    judgement: Literal["actionable", "noise", "unknown"]
    summary: Name = ""


class Complete(Entry):
    """The ledger holds every incident that began in this time."""

    kind: Literal["complete"] = "complete"
    natural_key: ClassVar[tuple[str, ...]] = ("start", "end", "by")
    start: Moment
    end: Moment


class Maintenance(Planned):
    """Planned work, on one tenant or on all."""

    kind: Literal["maintenance"] = "maintenance"


class Deploy(Planned):
    """A roll-out, for one tenant or for all."""

    kind: Literal["deploy"] = "deploy"


class Observation(Entry):
    """Something that was seen at a time and may matter."""

    kind: Literal["observation"] = "observation"
    natural_key: ClassVar[tuple[str, ...]] = ("at", "tenant", "summary")
    at: Moment
    tenant: Name = ""
    summary: Text
    link: Link = ""


class Decision(Entry):
    """What was decided, when, and why."""

    kind: Literal["decision"] = "decision"
    natural_key: ClassVar[tuple[str, ...]] = ("at", "summary")
    at: Moment
    summary: Text
    reason: Name = ""
    link: Link = ""


class Attestation(Entry):
    """A person's signature, kept elsewhere: who, as what, on which day, and where it is. The suite never attests.

    `attests` are the keys of what it speaks for, as `decide/signoff.toml` asks for them.
    """

    kind: Literal["attestation"] = "attestation"
    natural_key: ClassVar[tuple[str, ...]] = ("name", "role", "date", "link")
    name: Text
    role: Text
    date: Day
    link: Annotated[Text, AfterValidator(linked)]
    attests: tuple[Text, ...] = ()
    summary: Name = ""


class Drill(Entry):
    """A drill or load test: what lies in its time, and is of a tenant that it simulates, is its own.

    `tenants` are names, or stems that end in `*`; without any it simulates whichever come.
    """

    kind: Literal["drill"] = "drill"
    natural_key: ClassVar[tuple[str, ...]] = ("start", "end", "tenants", "summary")
    start: Moment
    end: Moment
    tenants: tuple[Text, ...] = ()
    refused: int | None = Field(None, ge=0, description="requests that it had refused, as its own tool counted them")
    summary: Text


class Withdrawal(Entry):
    """Takes back what the entries of one `id` say, without another in its place."""

    kind: Literal["withdrawal"] = "withdrawal"
    natural_key: ClassVar[tuple[str, ...]] = ("entry", "by")
    entry: Text
    summary: Name = ""


_KINDS: tuple[type[Entry], ...] = (
    *(Incident, Label, Complete, Maintenance, Deploy, Observation),
    *(Decision, Attestation, Proposal, Confirmation, Rejection, Withdrawal),
    *(Drill, jobs.DayObserved, jobs.Night, jobs.Harness, jobs.Tabletop, jobs.Cohort, jobs.CanaryLook, jobs.Sent),
)
KINDS = tuple(str(kind.model_fields["kind"].default) for kind in _KINDS)
COLUMNS = tuple(dict.fromkeys(name for kind in _KINDS for name in kind.model_fields))
_UNION: Any = reduce(or_, _KINDS)
_ENTRY: TypeAdapter[Any] = TypeAdapter(Annotated[_UNION, Field(discriminator="kind")])


def parsed(data: Mapping[str, Any]) -> Entry:
    """The entry that these fields make, under its `id`.

    Raises ValueError (they make none; the message names the first field that is wrong).
    """
    try:
        entry: Entry = _ENTRY.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])[:200]
        said = f"{where}: {first['msg']}" if where else first["msg"]
        # A field's name is hostile text, and half of a surrogate pair could not even be printed.
        raise ValueError(said.encode("utf-8", "backslashreplace").decode()) from None
    if entry.id:
        return entry
    key = [entry.kind, entry.model_dump(mode="json", include=set(entry.natural_key))]
    text = json.dumps(key, sort_keys=True, separators=(",", ":"))
    return entry.model_copy(update={"id": f"{entry.kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"})


def checked(entry: Mapping[str, Any] | BaseModel) -> Entry:
    """The entry to be written, under its `id`; a frame's missing value is one that was not given.

    Raises UsageError (the entry is of no known kind, or a field is unknown, missing or wrong).
    """
    data = entry.model_dump() if isinstance(entry, BaseModel) else entry
    try:
        return parsed({name: None if _is_missing(value) else value for name, value in data.items()})
    except ValueError as error:
        raise UsageError(f"Ledger entry refused: {error}. Nothing was written.") from None


def _is_missing(value: Any) -> bool:
    """Whether it is a frame's NaN or NaT; the latter is a datetime, too, whose year is NaN."""
    number = value.year if isinstance(value, datetime) else value
    return isinstance(number, float) and isnan(number)
