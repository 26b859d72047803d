"""What every entry of the ledger holds, and the types of its fields; a kind adds fields of its own."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cloudxai_analysis.ground.window import midnight


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


def linked(link: str) -> str:
    """A link, or ''; raises ValueError of anything else."""
    if link and not link.lower().startswith(("https://", "http://")):
        raise ValueError("a link begins with https:// or http://")
    return link


Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_in_utc)]
Day = Annotated[date, BeforeValidator(_no_number)]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Name = Annotated[str, Field(max_length=10_000), BeforeValidator(lambda name: "" if name is None else name)]
# What nobody said is not written down, either.
Told = Annotated[Text | None, BeforeValidator(lambda said: said or None)]
Link = Annotated[Name, AfterValidator(linked)]


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
        return midnight(day) if day else self.written_at

    def said(self) -> dict[str, Any]:
        """All that it says of the thing itself, whoever wrote it and when."""
        return self.model_dump(mode="json", exclude={"written_at", "by"})


class Part(BaseModel):
    """One thing of several in an entry; they are no entries themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")
