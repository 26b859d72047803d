"""The kinds of entries: what each says, what it must hold, and the `id` by which a later entry supersedes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import reduce
from math import isnan
from operator import or_
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from cloudxai_analysis.ground.errors import UsageError


def _no_number(moment: Any) -> Any:
    if isinstance(moment, int | float) or (isinstance(moment, str) and moment.strip().lstrip("+-").isdecimal()):
        raise ValueError("a number is no time; give it like 2026-11-12T14:03Z")
    return moment


def _in_utc(moment: datetime) -> datetime:
    try:
        # A frame's time has nanoseconds, which no line keeps.
        return datetime.fromisoformat(moment.astimezone(UTC).isoformat(timespec="microseconds"))
    except OverflowError:
        raise ValueError(f"{moment.isoformat()} is out of range") from None


def _linked(link: str) -> str:
    if link and not link.lower().startswith(("https://", "http://")):
        raise ValueError("a link begins with https:// or http://")
    return link


Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_in_utc)]
Day = Annotated[date, BeforeValidator(_no_number)]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Name = Annotated[str, Field(max_length=10_000), BeforeValidator(lambda name: "" if name is None else name)]
Link = Annotated[Name, AfterValidator(_linked)]


class Entry(BaseModel):
    """What every entry holds; without an `id`, one is made of the fields that tell one thing from another."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    natural_key: ClassVar[tuple[str, ...]] = ()

    kind: str
    id: Text | None = None
    written_at: Moment = Field(default_factory=lambda: datetime.now(UTC))
    by: Text

    @model_validator(mode="after")
    def _in_order(self) -> Entry:
        start, end = getattr(self, "start", None), getattr(self, "end", None)
        if start is not None and end is not None and end <= start:
            raise ValueError(f"end {end.isoformat()} is not after start {start.isoformat()}")
        return self

    @property
    def time(self) -> datetime:
        """When what it speaks of began; of one that speaks of no time, when it was written."""
        for field in ("start", "fired_at", "at"):
            if (found := getattr(self, field, None)) is not None:
                return found
        day = getattr(self, "date", None)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else self.written_at

    def said(self) -> dict[str, Any]:
        """All that it says of the thing itself, whoever wrote it and when."""
        return self.model_dump(mode="json", exclude={"written_at", "by"})


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
    """Something went wrong for one tenant, or for all where `tenant` is ''; `end` None while it goes on."""

    kind: Literal["incident"] = "incident"
    id: Text
    acknowledged_at: Moment | None = None
    scope: Literal["global", "tenant"] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Incident:
        if self.scope is not None and (self.scope == "tenant") != bool(self.tenant):
            raise ValueError(f"scope '{self.scope}' does not fit tenant '{self.tenant}'")
        if self.acknowledged_at is not None and self.acknowledged_at < self.start:
            said = self.acknowledged_at.isoformat()
            raise ValueError(f"acknowledged_at {said} is before start {self.start.isoformat()}")
        return self


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
    """A person's signature, kept elsewhere: who, as what, on which day, and where it is. The suite never attests."""

    kind: Literal["attestation"] = "attestation"
    natural_key: ClassVar[tuple[str, ...]] = ("name", "role", "date", "link")
    name: Text
    role: Text
    date: Day
    link: Annotated[Text, AfterValidator(_linked)]
    summary: Name = ""


class Withdrawal(Entry):
    """Takes back what the entries of one `id` say, without another in its place."""

    kind: Literal["withdrawal"] = "withdrawal"
    natural_key: ClassVar[tuple[str, ...]] = ("entry", "by")
    entry: Text
    summary: Name = ""


_KINDS: tuple[type[Entry], ...] = (
    *(Incident, Label, Complete, Maintenance, Deploy, Observation),
    *(Decision, Attestation, Proposal, Confirmation, Rejection, Withdrawal),
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
