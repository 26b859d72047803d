"""Causes: what one thing made is told once, with one action, and what hurt customers most stands first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd

from cloudxai_analysis.checks import SEVERITY, Check
from cloudxai_analysis.checks.catalogue import ROWS

# What the first of a group explains. Of names and refusals only what begins while they last, or within a day of their
# end; the others say the same by definition.
_GROUPS = {
    "identifiers": ("rejections", "headroom", "time_to_cap", "churn", "anomalies"),
    "rejections": ("headroom", "time_to_cap"),
    "outages": ("availability", "burn", "isolation", "transitions"),
    "gaps": ("coverage",),
    "rules": ("false_positives", "noise"),
}
_SEEN_BY_CUSTOMERS = ("outages", "tenants", "rejections", "flapping")
_TIMED = ("identifiers", "rejections")
_AFTER = timedelta(days=1)
LARGE_SHARE = 0.2  # of the error budget, from which on an outage leads


@dataclass(frozen=True)
class Cause:
    """Findings of one cause: `head` is what people can act on, `told` what hurt most, `checks` all of them."""

    head: Check
    told: Check
    checks: tuple[Check, ...]


def by_harm(checks: Iterable[Check], *, grave: Iterable[str] = ()) -> list[Check]:
    """The checks, those in `grave` that found something first, then by status, then by what weighs most."""
    first = set(grave)

    def key(check: Check) -> tuple[int, int, int]:
        leads = check.key in first and check.status in ("fail", "warn")
        return (0 if leads else 1, SEVERITY[check.status], ROWS[check.key].harm)

    return sorted(checks, key=key)


def grave(checks: Iterable[Check], incidents: pd.DataFrame, *, budget_share: float) -> list[str]:
    """Keys of the checks that lead: of what people wrote down as critical, and of outages that use much of the budget.

    `incidents` of the ledger with start, end, tenant and severity; `budget_share` what the window's outages used of the
    error budget.
    """
    critical = incidents[incidents["severity"].str.lower() == "critical"]
    found = []
    for check in checks:
        large = check.key == "outages" and budget_share >= LARGE_SHARE
        if large or (check.key in _SEEN_BY_CUSTOMERS and any(_meets(event, critical) for event in check.events)):
            found.append(check.key)
    return found


def causes(checks: Iterable[Check], *, grave: Iterable[str] = ()) -> list[Cause]:
    """What was found, by cause, the most harmful first; a finding belongs to one cause."""
    left = {check.key: check for check in by_harm(checks, grave=grave) if check.status in ("fail", "warn")}
    order = list(left)
    found = []
    for head_key, members in _GROUPS.items():
        head = left.pop(head_key, None)
        if head is not None:
            own = [left.pop(key) for key in members if key in left and _within(left[key], head)]
            together = sorted((head, *own), key=lambda check: order.index(check.key))
            found.append(Cause(head, together[0], tuple(together)))
    found += [Cause(check, check, (check,)) for check in left.values()]
    return sorted(found, key=lambda cause: order.index(cause.told.key))


def _within(check: Check, head: Check) -> bool:
    if head.key not in _TIMED or head.since is None or check.since is None:
        return True
    ends = [event["end"] for event in head.events]
    open_end = not ends or any(end is None for end in ends)
    # Some findings are told by the day.
    began = pd.Timestamp(head.since).floor("D") <= check.since
    return bool(began) and (open_end or check.since <= max(ends) + _AFTER)


def _meets(event: dict[str, Any], incidents: pd.DataFrame) -> bool:
    start, end = event["start"], event["end"]
    begun = incidents["start"] <= (end if end is not None else pd.Timestamp.max.tz_localize("UTC"))
    over = incidents["end"].notna() & (incidents["end"] < start)
    scope = (incidents["tenant"] == "") | (incidents["tenant"] == event["place"])
    return bool((begun & ~over & scope).any())
