"""What the verdicts on alerts and on their rules say the same way."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from cloudxai_analysis.phrases import count, moment
from cloudxai_analysis.verdicts import Check
from cloudxai_analysis.window import Window

SECTION = "alerts"
OWNER = "the on-call lead"


def unknown(key: str, finding: str, **more: Any) -> Check:
    """A check of which nobody can tell, and why."""
    return Check(key=key, section=SECTION, status="unknown", finding=finding, **more)


def blind(what: str, window: Window) -> str:
    """That nothing was seen in a window, so that nothing can be said of `what`."""
    return f"Whether there were {what} is unknown: 0 days of {days_up_to(window)} are covered by telemetry."


def seen(covered: pd.DataFrame, window: Window) -> bool:
    """Whether any day of the window is covered: without one, silence of the alerts tells nothing."""
    first = window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    inside = (covered["day"] >= first) & (covered["day"] < window.end)
    return bool((covered["covered"].astype(bool) & inside).any())


def days_up_to(window: Window) -> str:
    """'the 28 days up to Mon 16 Nov, 00:00 UTC'."""
    return f"the {count(round(window.duration.total_seconds() / 86_400), 'day')} up to {moment(window.end)}"


def rows_of(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """A frame's rows as dictionaries."""
    return frame.to_dict("records")
