"""What the function of a check is given, and what it gives: an answer of its row, the number, the words, the events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.study.study import Study


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
    value: float | None = None
    since: Any = None
    events: tuple[dict[str, Any], ...] = ()
    unit: str = ""
    words: dict[str, Any] = field(default_factory=dict)


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


def when(time: Any) -> datetime | None:
    """A moment as Python has it; None where it is missing."""
    return None if pd.isna(time) else pd.Timestamp(time).to_pydatetime()


def named(window: Window) -> str:
    """What people call the window."""
    return window.name or str(window)


def largest(frame: pd.DataFrame, column: str) -> pd.Series:
    """The first row with the largest number in a column."""
    return frame.iloc[int(frame[column].to_numpy(dtype=float).argmax())]
