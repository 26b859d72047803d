"""Verdicts on the objective's course: whether the error budget burns, and whether a tenant moved the global state."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cloudxai_analysis.phrases import count, moment, percent
from cloudxai_analysis.verdicts import Check
from cloudxai_analysis.verdicts.evidence import event, named, short, when
from cloudxai_analysis.window import Window

_SECTION = "readiness"
_OWNER = "the platform team"


def burn_check(rates: pd.DataFrame, stretches: pd.DataFrame, exhaustion: pd.DataFrame, *, window: Window) -> Check:
    """Whether the error budget burns: `warn` where a pair of windows does at the end, or where it will be used up.

    `rates` at the window's end, `stretches` of the window and `exhaustion` as `measures.slo` gives them. The value is
    the highest rate over a long window in the stretches. `unknown` without a sample.
    """
    row, burning = exhaustion.iloc[0], rates[rates["burning"].fillna(False)]
    common: dict[str, Any] = {"key": "burn", "section": _SECTION, "unit": "x the allowed rate"}
    if row["answer"] == "unknown" or rates["burn_long"].isna().all():
        finding = f"Whether the error budget burns at the end of {named(window)} is unknown: no sample of readiness."
        return Check(status="unknown", finding=finding, **common)
    most = float(stretches["most"].max()) if len(stretches) else 0.0
    common |= {
        "value": most,
        "samples": "every sample of global readiness, over windows of 5 minutes to 3 days",
        "disproof": "errors that planned maintenance explains",
    }
    told = _told(stretches)
    if burning.empty and row["answer"] != "will be exhausted":
        lasts = {"exhausted": "; it is used up", "lasts": ", and lasts at the last week's pace"}[row["answer"]]
        finding = f"The error budget does not burn at the end of {named(window)}{lasts}{told}."
        return Check(status="pass", finding=finding, **common)
    if len(burning):
        top = burning.iloc[0]
        finding = (
            f"The error budget burns {top['burn_long']:.1f} times faster than allowed over the last "
            f"{_hours(top['long_hours'])}{told}."
        )
    else:
        day = row["at"]
        finding = (
            f"At the last week's pace of {row['recent_minutes']:.1f} minutes a day the error budget is used up by "
            f"{day:%a} {day.day} {day:%b}{told}."
        )
    return Check(
        status="warn",
        finding=finding,
        size=f"{percent(row['remaining_share'], 0)} of the budget left",
        since=when(stretches["start"].min()) if len(stretches) else window.start,
        action="Stop what burns the error budget before it is used up: hold back risky changes.",
        decides=_OWNER,
        **common,
    )


def isolation_check(breaches: pd.DataFrame, *, window: Window, known: bool) -> Check:
    """Whether a tenant moved the global state: `warn` where an outage began with few tenants that were not ready.

    `breaches` as `measures.isolation.isolation_breaches` gives them, `known` whether tenants and the platform both
    exported readiness. The value is the number of such outages; one event `isolation_breach` for each.
    """
    common: dict[str, Any] = {"key": "isolation", "section": _SECTION, "unit": "outages"}
    if not known:
        finding = f"Whether tenants are isolated is unknown: {named(window)} has no readiness of tenants to compare."
        return Check(status="unknown", finding=finding, **common)
    common |= {
        "samples": "global and tenant readiness at the same scrapes",
        "disproof": "a cause that made the platform and that tenant not ready alike, as a database that both use",
    }
    moved = breaches[breaches["verdict"] == "tenant"]
    if moved.empty:
        rest = f" in {count(len(breaches), 'outage')}" if len(breaches) else ": it was ready all the time"
        finding = f"No tenant moved the global state{rest}."
        return Check(status="pass", finding=finding, value=0.0, **common)
    top = moved.iloc[0]
    lead = f"{abs(top['lead_seconds']):.0f} s {'before' if top['lead_seconds'] >= 0 else 'after'}"
    many = f", and {count(len(moved) - 1, 'other outage')} alike" if len(moved) > 1 else ""
    return Check(
        status="warn",
        finding=f"The outage of {moment(top['start'])} went with {count(top['tenants'], 'tenant')} of {top['seen']}: "
        f"{short(top['nearest'])} was not ready {lead} it{many}.",
        value=float(len(moved)),
        size=count(len(moved), "outage"),
        since=when(moved["start"].min()),
        action=f"Find out how {short(top['nearest'])} could move the global state: tenants must be isolated.",
        decides=_OWNER,
        events=tuple(
            event("isolation_breach", row["nearest"], row["start"], row["end"], row["tenants"], "tenants")
            for row in moved.to_dict("records")
        ),
        **common,
    )


def _told(stretches: pd.DataFrame) -> str:
    if stretches.empty:
        return ""
    top = stretches.loc[stretches["most"].idxmax()]
    used = percent(min(top["budget_share"], 1.0), 0)
    return f"; at {moment(top['start'])} it burnt {top['most']:.0f} times too fast, {used} of 30 days' budget"


def _hours(hours: float) -> str:
    return count(hours, "hour") if hours < 24 else count(hours / 24, "day")
