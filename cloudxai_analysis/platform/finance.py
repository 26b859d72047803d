"""What people say of money: bills from elsewhere, budgets, and the rates by which currencies are exchanged."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloudxai_analysis.ground.window import Window

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Bill(BaseModel):
    """A total from elsewhere that the tenants' costs are held against; `end` is the first day that it leaves out."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    start: date
    end: date
    amount: float = Field(ge=0, allow_inf_nan=False)
    currency: Currency
    source: str = Field(min_length=1, description="what it is and where it lies")

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Bill:
        if self.end <= self.start:
            raise ValueError("a bill's 'end' is the first day it leaves out, and lies after its 'start'")
        return self

    @property
    def window(self) -> Window:
        """The days that it is for, in UTC."""
        start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (self.start, self.end))
        return Window(start, end)


class Exchange(BaseModel):
    """How many units of the environment's currency one unit of another is worth, as of when, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    rates: dict[Currency, Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    as_of: date
    source: str = Field(min_length=1, description="who says so")
