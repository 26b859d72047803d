"""What every verdict says the same way: events, moments, and names short enough for a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, moment

LONGEST_NAME = 60


def event(kind: str, place: str, start: Any, end: Any, size: float, unit: str) -> dict[str, Any]:
    """One thing found, as plain data: its kind, place, start, end (None: not over), size and unit."""
    return {
        "kind": kind,
        "place": str(place),
        "start": when(start),
        "end": when(end),
        "size": float(size),
        "unit": str(unit),
    }


def going_on(stretches: pd.DataFrame, window: Window, *, place: str, size: str, noun: str) -> str:
    """Of the stretches begun before a window which go on in it, with both parts of their size; '' where none does."""
    return "; ".join(
        f"at {short(row[place])} since {moment(row['start'])}, before this window: {row['inside']:,.0f} of "
        f"{count(row[size], noun)} in it"
        for row in stretches[stretches["start"] < window.start].to_dict("records")
    )


def when(time: Any) -> datetime | None:
    """A moment as Python has it; None where it is missing."""
    return None if pd.isna(time) else pd.Timestamp(time).to_pydatetime()


def named(window: Window) -> str:
    """What people call the window."""
    return window.name or str(window)


def largest(frame: pd.DataFrame, column: str) -> pd.Series:
    """The row of a frame that is largest in a column."""
    return frame.iloc[int(frame[column].to_numpy().argmax())]


def several(names: Iterable[str], *, most: int = 3) -> str:
    """The first of some names, each once, and how many more there are: 'a, b, c and 2 more'."""
    found = list(dict.fromkeys(short(name) for name in names))
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


def short(name: str) -> str:
    """A name on one line and short enough for a headline; the events hold it whole."""
    line = " ".join(str(name).split()) or "a tenant without a name"
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"
