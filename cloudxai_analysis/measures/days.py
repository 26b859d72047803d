"""Days that were observed: a calendar of them, and how many covered ones stand in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import typed

LEAST_DAYS, MOST_DAYS = 14, 30  # that a sign-off asks for
WHOLE, PARTIAL, MISSING = "whole", "partial", "missing"


def calendar(observed: Sequence[dict[str, Any]], window: Window) -> pd.DataFrame:
    """Each UTC day of a window: whether it was observed whole, in part or not at all, and its worst finding.

    `observed` are the days of the ledger that count: date, partial, status.

    Columns: day, state ('whole', 'partial', 'missing'), status ('' of a missing day).
    """
    own = {one["date"]: one for one in observed}
    rows = []
    for day in window.days():
        found = own.get(day.start.date())
        state = MISSING if found is None else PARTIAL if found["partial"] else WHOLE
        rows.append((day.start, state, found["status"] if found else ""))
    return typed(rows, calendar)


def covered_run(days: pd.DataFrame) -> int:
    """How many whole days stand in a row at a calendar's end."""
    return int((days["state"][::-1] == WHOLE).cumprod().sum())
