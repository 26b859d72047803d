"""What the verdicts on alerts and on their rules say the same way."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import moment, percent, span

SECTION = "alerts"
OWNER = "the on-call lead"


def unknown(key: str, finding: str, **more: Any) -> Check:
    """A check of which nobody can tell, and why."""
    return Check(key=key, section=SECTION, status="unknown", finding=finding, **more)


def of_all(part: float, low: float, high: float) -> str:
    """'33 % (95 % interval 12 % to 62 %)'."""
    return f"{percent(part, 0)} (95 % interval {percent(low, 0)} to {percent(high, 0)})"


def over_the_edge(start: Any, end: Any, window: Window) -> str:
    """How what began before a window went on into it: 'begun on Sun 8 Nov, 23:50 UTC, 10 minutes before …'."""
    last = pd.Timestamp(window.end) if pd.isna(end) else min(end, pd.Timestamp(window.end))
    before, inside = (pd.Timestamp(window.start) - start).total_seconds(), (last - window.start).total_seconds()
    until = f"until {moment(last)}" if pd.notna(end) and end <= window.end else "and still at its end"
    name = window.name or "the window"
    return f"begun on {moment(start)}, {span(before)} before {name}, went on into it for {span(inside)}, {until}"


def rows_of(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """A frame's rows as dictionaries."""
    return frame.to_dict("records")
