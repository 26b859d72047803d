"""What each check is, by its key: the rows of `checks.toml`, read and checked when the room is entered."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from cloudxai_analysis.platform.settings import Bounds

Status = Literal["pass", "warn", "fail", "unknown"]
Section = Literal["telemetry", "cardinality", "cost", "alerts", "readiness", "incidents"]
SECTIONS: tuple[Section, ...] = get_args(Section)
# Which metrics, by the roles of the contract, a check's number rests on where its row does not say.
OF_SECTION: dict[str, tuple[str, ...]] = {
    "cardinality": ("tenant_readiness", "rejections", "process_start"),
    "cost": ("cost",),
    "alerts": ("alerts",),
    "readiness": ("readiness",),
}


class Evidence(BaseModel):
    """What stands beside a finding: its size, the samples that show it, what would disprove it, what to do, by whom."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: str | None = None
    samples: str | None = None
    disproof: str | None = None
    action: str | None = None
    decides: str | None = None


class Answer(Evidence):
    """One thing that a check may find: its sentence, and the evidence where it is not the check's own."""

    finding: str


def _with_finding(given: Any) -> Any:
    return {"finding": given} if isinstance(given, str) else given


Answers = dict[str, Annotated[Answer, BeforeValidator(_with_finding)]]


class Row(Evidence):
    """One check: where it stands, what it holds against which bound, what it may find, and what that rests on.

    `frame` is what the check cannot do without, of the window by its column `by`: where it is empty the answer is
    'nothing'. `rests_on` are roles of the contract, `counted` says that the number stands on counters or on all that
    one process has shown, `harm` ranks the checks (1 hurts customers most), `version` counts what the check has meant.
    """

    section: Section
    holds: str
    against: str = "–"
    version: int = 1
    harm: int
    card: str
    unit: str = ""
    bound: str = ""
    frame: str = ""
    by: str = ""
    rests_on: tuple[str, ...] = ()
    counted: bool = False
    needed: bool = False
    banner: bool = True
    passes: Answers = Field({}, alias="pass")
    warn: Answers = {}
    fail: Answers = {}
    unknown: Answers = {}

    @model_validator(mode="after")
    def _fits(self) -> Row:
        if len(set(self.answers)) < len(self.answers):
            raise ValueError("two answers have one name")
        if self.bound and self.bound not in Bounds.model_fields:
            raise ValueError(f"the settings have no bound '{self.bound}'")
        if self.frame and "nothing" not in self.unknown:
            raise ValueError("without its frame nothing is known: the answer 'nothing' is missing")
        return self

    def _by_status(self) -> dict[Status, Answers]:
        return {"pass": self.passes, "warn": self.warn, "fail": self.fail, "unknown": self.unknown}

    def answer(self, name: str) -> tuple[Status, Answer]:
        """The answer called `name`, and the status that it stands for."""
        return next((status, found[name]) for status, found in self._by_status().items() if name in found)

    @property
    def answers(self) -> list[str]:
        """Names of all that the check may find."""
        return [name for answers in self._by_status().values() for name in answers]

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of the metrics that the check's number rests on."""
        return self.rests_on or OF_SECTION.get(self.section, ())

    @property
    def held_against(self) -> str:
        """What the number is held against, as the definitions name it."""
        return f"`bounds.{self.bound}`" if self.bound and self.against == "–" else self.against


ROWS = TypeAdapter(dict[str, Row]).validate_python(
    tomllib.loads(Path(__file__).with_name("checks.toml").read_text(encoding="utf-8"))
)
# A week cannot pass while one of these is unknown: without them nobody knows whether the platform is stable.
NEEDED = tuple(key for key, row in ROWS.items() if row.needed)
