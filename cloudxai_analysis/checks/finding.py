"""A check: its row of `checks.toml`, what its function is given and gives, and what comes of both."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import pandas as pd
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from cloudxai_analysis.platform.settings import Bounds
from cloudxai_analysis.words.phrases import short

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study

Status = Literal["pass", "warn", "fail", "unknown"]
Section = Literal["telemetry", "cardinality", "cost", "alerts", "readiness", "incidents"]
SECTIONS: tuple[Section, ...] = get_args(Section)
SEVERITY: dict[Status, int] = {"fail": 0, "warn": 1, "unknown": 2, "pass": 3}
# Which metrics, by the roles of the contract, a check's number rests on where its row does not say.
OF_SECTION: dict[str, tuple[str, ...]] = {
    "cardinality": ("tenant_readiness", "rejections", "process_start"),
    "cost": ("cost",),
    "alerts": ("alerts",),
    "readiness": ("readiness",),
}


class Evidence(BaseModel):
    """Beside a finding: it in brief, its size and samples, what would disprove it; what to do, by whom, what for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brief: str | None = None
    size: str | None = None
    samples: str | None = None
    disproof: str | None = None
    action: str | None = None
    decides: str | None = None
    gain: str | None = None


class Answer(Evidence):
    """One thing that a check may find: its status and sentence, and the evidence where it is not the check's own."""

    status: Status
    finding: str


class Row(Evidence):
    """One check: where it stands, what it holds against which bound, what it may find, and what that rests on.

    `frame` is what the check cannot do without, of the window by its column `by`: where it is empty
    the answer is 'nothing'. `rests_on` are roles of the contract, `counted` says that the number
    stands on counters or on all that one process has shown, `harm` ranks the checks (1 hurts
    customers most), `version` counts what the check has meant. `title` names it among others, and
    what it cannot tell is `known_once` that is so.
    """

    section: Section
    title: str
    holds: str
    known_once: str
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
    answers: dict[str, Answer]

    @model_validator(mode="before")
    @classmethod
    def _with_answers(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The answers stand under their status, and one that has no evidence of its own is a sentence alone."""
        answers = {
            name: {"status": status, **({"finding": told} if isinstance(told, str) else told)}
            for status in get_args(Status)
            for name, told in given.pop(status, {}).items()
        }
        return given | {"answers": answers}

    @model_validator(mode="after")
    def _fits(self) -> Row:
        if self.bound and self.bound not in Bounds.model_fields:
            raise ValueError(f"the settings have no bound '{self.bound}'")
        if self.frame and "nothing" not in self.answers:
            raise ValueError("without its frame nothing is known: the answer 'nothing' is missing")
        return self

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of the metrics that the check's number rests on."""
        return self.rests_on or OF_SECTION.get(self.section, ())

    @property
    def held_against(self) -> str:
        """What the number is held against, as the definitions name it."""
        return f"`bounds.{self.bound}`" if self.bound and self.against == "–" else self.against


_read = tomllib.loads(Path(__file__).with_name("checks.toml").read_text(encoding="utf-8"))
DOUBTS: dict[str, str] = _read.pop("doubts")  # why no check that rests on certain series can be believed
REASONS: dict[str, str] = _read.pop("reasons")  # why each bound of the settings stands where it does
ROWS = TypeAdapter(dict[str, Row]).validate_python(_read)
# A week cannot pass while one of these is unknown: without them nobody knows whether the platform is stable.
NEEDED = tuple(key for key, row in ROWS.items() if row.needed)


@dataclass(frozen=True)
class Check:
    """One judged number: the finding as a sentence, the value, its bound, and the evidence.

    `key` is stable from week to week, as 'headroom'; `bound_key` names the setting the bound comes
    from; `brief` is the finding for a title, `size` says how large it is, `since` when it began,
    `samples` which samples show it, `disproof` what would disprove it; `action` is what people may
    consider, `decides` who would, `gain` what it would change, none of them where it passes;
    `events` are the places and times found.
    """

    key: str
    section: str
    status: Status
    finding: str
    value: float | None = None
    unit: str = ""
    bound: float | None = None
    bound_key: str = ""
    brief: str = ""
    size: str = ""
    since: datetime | None = None
    samples: str = ""
    disproof: str = ""
    action: str = ""
    decides: str = ""
    gain: str = ""
    events: tuple[dict[str, Any], ...] = ()


def week_status(checks: Iterable[Check]) -> Status:
    """The week's verdict: the worst of `fail` and `warn`; else `unknown` where a needed check is; else `pass`."""
    statuses = {check.key: check.status for check in checks}
    needed = [statuses.get(key, "unknown") for key in NEEDED]
    found: list[Status] = [status for status in statuses.values() if status in ("fail", "warn")]
    return min([*found, *needed], key=SEVERITY.__getitem__)


@dataclass(frozen=True)
class Case:
    """What a check is made of: the study, the rows of the row's frame in the window, the bound."""

    study: Study
    rows: pd.DataFrame
    bound: float


@dataclass(frozen=True)
class Found:
    """What a check found: which of its answers, the number, since when, where; `words` fill the answer's sentence."""

    answer: str
    value: float | None
    since: Any
    events: tuple[dict[str, Any], ...]
    unit: str
    words: dict[str, Any]


Words = dict[str, Any]
Finder = Callable[[Case], Found]
FINDERS: dict[str, Finder] = {}


def finds(key: str) -> Callable[[Finder], Finder]:
    """Make a function the one that finds what the check called `key` says."""

    def keep(finder: Finder) -> Finder:
        FINDERS[key] = finder
        return finder

    return keep


def found(
    answer: str,
    value: float | None = None,
    *,
    since: Any = None,
    events: Iterable[dict[str, Any]] = (),
    unit: str = "",
    **words: Any,
) -> Found:
    """A finding, its value as a plain number."""
    return Found(answer, None if value is None else float(value), since, tuple(events), unit, words)


def event(kind: str, place: str, start: Any, end: Any, size: float, unit: str) -> dict[str, Any]:
    """One thing found, as plain data: its kind, place, start, end (None: not over), size and unit."""
    times = {"start": when(start), "end": when(end)}
    return {"kind": kind, "place": str(place), **times, "size": float(size), "unit": str(unit)}


def events_of(
    frame: pd.DataFrame, kind: str, place: str, size: str, unit: str, *, start: str = "start", end: str = "end"
) -> list[dict[str, Any]]:
    """An event a row: place, start, end and size are names of its columns, and so is `unit` where it is 'unit'."""
    return [
        event(kind, row[place], row[start], row[end], row[size], row["unit"] if unit == "unit" else unit)
        for row in frame.to_dict("records")
    ]


def by_drills(counts: pd.Series) -> str:
    """'384 by the drill 'x' and 2 by the drill 'y'': how many of what a check counts are of which drill."""
    return " and ".join(f"{number:,.0f} by the drill '{short(name)}'" for name, number in counts.items())


def when(time: Any) -> datetime | None:
    """A moment as Python has it; None where it is missing."""
    return None if pd.isna(time) else pd.Timestamp(time).to_pydatetime()


def largest(frame: pd.DataFrame, column: str) -> pd.Series:
    """The first row with the largest number in a column."""
    return frame.iloc[int(frame[column].to_numpy(dtype=float).argmax())]
