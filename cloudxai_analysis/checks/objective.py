"""Verdicts on the objective's course: whether the error budget burns, and whether a tenant moved the global state."""

from __future__ import annotations

from functools import partial

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.evidence import event, named, short, when
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.study.watched import ONE_DAY
from cloudxai_analysis.words.phrases import count, moment, percent, span

_SECTION = "readiness"
_OWNER = "the platform team"
FEWEST_OUTAGES = 3  # under which nobody can say how often they come


def burn_check(rates: pd.DataFrame, stretches: pd.DataFrame, course: pd.DataFrame, *, window: Window) -> Check:
    """Whether the error budget lasts: `warn` where it burns at the end or is used up.

    `rates` at the window's end, `stretches` of the window and `course` as `measures.slo` gives them. How likely more
    outages are than there is room for is told, and no warning: too few of those would come true. `unknown` where the
    end was not seen, and under one day seen. The value is the highest rate over a long window in the stretches.
    """
    row, burning = course.iloc[0], rates[rates["burning"].fillna(False)]
    check = partial(Check, key="burn", section=_SECTION, unit="x the allowed rate")
    used = f"{span(row['used_minutes'] * 60)} of {span(row['allowed_minutes'] * 60)} used"
    spent = row["used_minutes"] >= row["allowed_minutes"]
    if not (len(burning) or spent) and (rates["burning"].isna().any() or row["seen_minutes"] * 60 < ONE_DAY):
        finding = f"Whether the error budget burns at the end of {named(window)} is unknown: nothing was seen of it."
        if rates["burning"].notna().all():
            finding = (
                f"Too early to tell whether the error budget lasts: {span(row['seen_minutes'] * 60)} seen, {used}."
            )
        return check(status="unknown", finding=finding)
    check = partial(
        check,
        value=float(stretches["most"].max()) if len(stretches) else 0.0,
        samples="global readiness by time, over windows of 5 minutes to 3 days",
        disproof="errors that planned maintenance explains",
    )
    if len(burning):
        top = burning.iloc[0]
        finding = (
            f"The error budget burns {top['burn_long']:.1f} times faster than allowed over the last "
            f"{_hours(top['long_hours'])}: {used}{_fastest(stretches)}."
        )
    elif spent:
        finding = f"The error budget is used up: {used}{_fastest(stretches)}."
    else:
        calm = f"The error budget does not burn at the end of {named(window)}"
        finding = f"{calm}: {used}{_room(row)}{_fastest(stretches)}."
    if not (len(burning) or spent):
        return check(status="pass", finding=finding)
    return check(
        status="warn",
        finding=finding,
        size=used,
        since=when(stretches["start"].min()) if len(stretches) else window.start,
        action="Stop what burns the error budget: hold back risky changes."
        if len(burning)
        else "Hold back risky changes until the error budget has recovered.",
        decides=_OWNER,
    )


def isolation_check(breaches: pd.DataFrame, *, window: Window, known: bool) -> Check:
    """Whether a tenant moved the global state: `warn` where an outage began with few tenants that were not ready.

    `breaches` as `measures.isolation.isolation_breaches` gives them, `known` whether tenants and the platform both
    exported readiness. The value is the number of such outages; one event `isolation_breach` for each.
    """
    check = partial(Check, key="isolation", section=_SECTION, unit="outages")
    if not known:
        finding = f"Whether tenants are isolated is unknown: no readiness of tenants to compare in {named(window)}."
        return check(status="unknown", finding=finding)
    check = partial(
        check,
        samples="global and tenant readiness at the same scrapes",
        disproof="a cause that made the platform and that tenant not ready alike, as a database that both use",
    )
    moved = breaches[breaches["verdict"] == "tenant"]
    if moved.empty:
        rest = (
            f" in {count(len(breaches), 'outage')}"
            if len(breaches)
            else f": no outage was seen to begin in {named(window)}"
        )
        finding = f"No tenant was seen to move the global state{rest}."
        return check(status="pass", finding=finding, value=0.0)
    top = moved.iloc[0]
    lead = f"{abs(top['lead_seconds']):.0f} s {'before' if top['lead_seconds'] >= 0 else 'after'}"
    many = f", and {count(len(moved) - 1, 'other outage')} alike" if len(moved) > 1 else ""
    return check(
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
    )


def _room(row: pd.Series) -> str:
    """For how many more outages there is room; of how likely they are, only where there were enough to tell."""
    if not row["outages"]:
        return ""
    room = f"room for {count(row['room'], 'more outage')} of the usual {span(row['usual_minutes'] * 60)}"
    if row["outages"] < FEWEST_OUTAGES:
        return f"; {room}, and too few outages to say how likely they are"
    return f"; {room}, and a chance of {percent(row['chance'], 0)} that more come within a week"


def _fastest(stretches: pd.DataFrame) -> str:
    if stretches.empty:
        return ""
    top = stretches.loc[stretches["most"].idxmax()]
    used = percent(min(top["budget_share"], 1.0), 0)
    return f"; at {moment(top['start'])} it burnt {top['most']:,.0f} times too fast, {used} of 30 days' budget"


def _hours(hours: float) -> str:
    return count(hours, "hour") if hours < 24 else count(hours / 24, "day")
