"""Checks: what a measure's number means against a bound, and the rule that no coverage means unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
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
    events: tuple[dict[str, Any], ...] = field(default=())

    def __post_init__(self) -> None:
        if self.status == "unknown" and self.value == 0:
            # What nobody knows is nothing, not none.
            object.__setattr__(self, "value", None)
        if self.status == "pass":
            object.__setattr__(self, "action", "")
            object.__setattr__(self, "decides", "")

    def as_dict(self) -> dict[str, Any]:
        """The check as plain data, times in ISO 8601."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def week_status(checks: Iterable[Check]) -> Status:
    """The week's verdict: the worst of `fail` and `warn`; else `unknown` where a needed check is; else `pass`."""
    found = list(checks)
    statuses = {check.status for check in found}
    if "fail" in statuses:
        return "fail"
    if "warn" in statuses:
        return "warn"
    known = {check.key for check in found if check.status != "unknown"}
    return "pass" if set(NEEDED) <= known else "unknown"
