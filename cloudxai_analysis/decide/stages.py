"""The table of a rollout: its stages, what may be spent on each, and the signals with what would be tolerated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.platform.settings import Environment, near_miss, project_folder
from cloudxai_analysis.platform.tables import Table, read_table
from cloudxai_analysis.study.frame import values

SHIPPED = Path(__file__).with_name("canary.toml")
MOST_ERROR = 0.05  # of a false roll-back, over all looks, signals, stages and attempts of one rollout
_FIRST_ATTEMPT = 0.8  # of a stage's alpha; of what is left each further attempt spends as much
_Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
_Text = Annotated[str, Field(min_length=1, max_length=200)]


class Stage(Table):
    """One stage: which share of the units has the new version, and what its looks may spend on a false roll-back."""

    name: _Text
    share: _Share
    alpha: float = Field(ge=0, le=MOST_ERROR)
    shadow: bool = Field(False, description="the new version serves nobody: its cohort may be drawn again")

    def alpha_of(self, attempt: int) -> float:
        """What one attempt at the stage may spend, the first being 1; all that ever come spend no more than `alpha`."""
        return self.alpha * _FIRST_ATTEMPT * (1 - _FIRST_ATTEMPT) ** (attempt - 1)


class Signal(Table):
    """What is compared: a frame of the study by tenant and time, and how much worse would be tolerated."""

    title: _Text
    frame: str
    at: str
    value: str = Field("", description="column that is added up; '' counts rows")
    per: str = Field("", description="column by whose sum it is divided")
    change: Literal["relative", "difference"]
    worse: Literal["more", "less"]
    absent: Literal["unknown", "zero"] = Field("unknown", description="what a tenant without a row has")
    margin: float = Field(gt=0, allow_inf_nan=False)
    most_worse: _Share | None = Field(None, description="how many more may be worse by over the margin, as a share")
    known_by: str = Field("", description="what of the study tells whether silence is known")
    unit: str = Field("", max_length=30)

    @model_validator(mode="after")
    def _is_there(self) -> Signal:
        for name in filter(None, (self.frame, self.known_by)):
            if name not in values():
                raise ValueError(f"the study has no '{name}'.{near_miss(name, list(values()))}")
        return self

    def shown(self, change: float | None) -> str:
        """A change in the signal's own unit, such as '+1.2 %'; of one that may be any, None."""
        if change is None or abs(change) == float("inf"):
            return "any change"
        if self.change == "relative" or self.unit == "%":
            return f"{100 * change:+.3g} %"
        return f"{change:+.3g} {self.unit}".rstrip()


class Rollout(Table):
    """The stages of a rollout and its signals."""

    looks: int = Field(7, ge=2, le=28, description="days of a stage, and so its daily looks")
    least_units: int = Field(10, ge=5, description="of either arm, under which nothing is recommended but to hold")
    loss_level: float = Field(0.01, gt=0, lt=0.2, description="level of the test whether the arms lost units alike")
    cluster_label: str = Field("", description="label of tenants who belong together, such as a customer")
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=10)]
    signals: Annotated[dict[str, Signal], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _spends_what_there_is(self) -> Rollout:
        spent = sum(stage.alpha for stage in self.stages)
        if spent > MOST_ERROR + 1e-12:
            raise ValueError(f"the stages' alpha add up to {spent:g}, and a rollout has {MOST_ERROR:g}")
        if any(stage.share < 1 and not stage.alpha for stage in self.stages):
            raise ValueError("a stage that leaves units to compare with needs an alpha above 0")
        return self

    def stage(self, number: int) -> Stage:
        """One of the stages, the first being 0; a UsageError where there is none."""
        if not 0 <= number < len(self.stages):
            raise UsageError(f"There is no stage {number}. The rollout has stages 0 to {len(self.stages) - 1}.")
        return self.stages[number]


def rollout_of(environment: Environment | None = None) -> Rollout:
    """The table that an environment names in `canary`, else the shipped one; a UsageError names what is wrong."""
    own = environment.settings.canary if environment else None
    rows: dict[str, type[Table]] = {"stages": Stage, "signals": Signal}
    file = project_folder() / own if own else SHIPPED
    return read_table(file, Rollout, of="Canary table", otherwise="Correct the file, or `canary`.", rows=rows)
