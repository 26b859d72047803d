"""What the verdicts on alerts and on their rules say the same way, and what silence of the alerts is worth."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cloudxai_analysis.phrases import count, moment, percent, span
from cloudxai_analysis.verdicts import Check
from cloudxai_analysis.verdicts.evidence import ONE_DAY
from cloudxai_analysis.window import Window

SECTION = "alerts"
OWNER = "the on-call lead"


@dataclass(frozen=True)
class Watched:
    """By what the alerts of a window were seen.

    `window` is called by how much of it was seen, which is `seconds`; `rules` are the names of the alert rules that the
    server had loaded at the pull, None where that is not known; `stored` is whether any alert of the history is stored.
    """

    window: Window
    seconds: float
    rules: frozenset[str] | None
    stored: bool

    @property
    def period(self) -> str:
        """'2026-W46', 'the 28 days up to Mon 16 Nov, 00:00 UTC', 'the 3 days seen of 2026-W46'."""
        return self.window.name

    def blind(self, what: str, *, rules: Collection[str] = ()) -> str:
        """Why nobody can say that there were no `what`, of these rules or of any; '' where silence tells so."""
        whether = f"Whether there were {what} is unknown"
        if self.rules is None and not self.stored:
            return f"{whether}: no alert was ever stored, and the server has not said which rules it had loaded."
        if self.rules is not None and not (self.rules & set(rules) if rules else self.rules):
            return f"{whether}: the server had loaded {count(len(self.rules), 'alert rule')}, and none that would tell."
        if self.seconds < ONE_DAY:
            return f"Too early to tell whether there were {what}: {span(self.seconds)} seen."
        return ""


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
