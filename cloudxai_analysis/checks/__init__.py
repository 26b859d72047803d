"""Checks: what a measure's number means against a bound, and the rule that no coverage means unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudxai_analysis.checks.catalogue import NEEDED, SECTIONS, Status

__all__ = ["NEEDED", "SECTIONS", "Check", "Status", "week_status"]
SEVERITY: dict[Status, int] = {"fail": 0, "warn": 1, "unknown": 2, "pass": 3}


@dataclass(frozen=True)
class Check:
    """One judged number: the finding as a sentence, the value, its bound, and the evidence.

    `key` is stable from week to week, as 'headroom'; `bound_key` names the setting the bound comes from; `size` says
    how large the finding is, `since` when it began, `samples` which samples show it, `disproof` what would disprove
    it; `action` is what people may consider, `decides` who would, neither where it passes; `events` are the places and
    times found.
    """

    key: str
    section: str
    status: Status
    finding: str
    value: float | None = None
    unit: str = ""
    bound: float | None = None
    bound_key: str = ""
    size: str = ""
    since: datetime | None = None
    samples: str = ""
    disproof: str = ""
    action: str = ""
    decides: str = ""
    events: tuple[dict[str, Any], ...] = ()


def week_status(checks: Iterable[Check]) -> Status:
    """The week's verdict: the worst of `fail` and `warn`; else `unknown` where a needed check is; else `pass`."""
    statuses = {check.key: check.status for check in checks}
    for worst in ("fail", "warn"):
        if worst in statuses.values():
            return worst
    return "pass" if all(statuses.get(key, "unknown") == "pass" for key in NEEDED) else "unknown"
