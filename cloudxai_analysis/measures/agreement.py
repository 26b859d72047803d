"""The platform's own cost windows held against ours, at every midnight that the telemetry covers.

A rolling window w at the midnight t stands for (t − w, t], a billing window for its start to t. Both are compared
only where every day of them is covered: a gap lowers the two sums differently, and says nothing of their formulas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.errors import UsageError
from cloudxai_analysis.measures.frames import TIME, as_text, combinations, summed, typed
from cloudxai_analysis.window import parse_window

_DAY = 86_400_000_000
_DAYS_IN = {"h": 1 / 24, "d": 1, "w": 7}
NOT_COVERED = "not every day of the window is covered"
NO_SAMPLE = "no sample of the gauge at midnight"
UNREADABLE = "the window's name is not one of whole days"


def rolling_agreement(
    ours: pd.DataFrame, gauge: pd.DataFrame, covered: pd.DataFrame, *, currency: str = "", late_minutes: float = 5
) -> pd.DataFrame:
    """A rolling gauge held against our own costs, at each covered midnight.

    `ours` as `hourly_costs` gives it; `gauge` its hourly rollups (hour, tenant, window, currency, last, last_ts,
    samples), of which only the last sample within `late_minutes` before a midnight counts, added over series;
    `covered` (day, covered). A gauge without a currency is in `currency`.

    Columns: at (midnight), tenant, window, currency, ours, theirs (both in the currency, NaN where unknown), drift
    (ours / theirs − 1; 0 where both are 0, infinite where only theirs is; NaN where unknown), unknown (why; '' where
    the two are held against each other). A tenant that cost us something in a window of which the gauge says
    nothing has a row, too. One sample, one tenant and no data give as many rows as there are midnights with a value.
    """
    names = gauge["window"].drop_duplicates()
    days = {str(name): _whole_days(str(name)) for name in names}
    return _held(ours, gauge, covered, _Names("window", days, months=False), currency, late_minutes)


def billing_agreement(
    ours: pd.DataFrame, gauge: pd.DataFrame, covered: pd.DataFrame, *, currency: str = "", late_minutes: float = 5
) -> pd.DataFrame:
    """A billing-window gauge held against our own cost since the window's start, at each covered midnight in it."""
    raise NotImplementedError
