"""Verdicts on readiness: the objective, outages, transitions, latency, tenants."""

from __future__ import annotations

from functools import partial

import pandas as pd

from cloudxai_analysis.checks import Check, Status
from cloudxai_analysis.checks.evidence import event, named, short, when
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.study.watched import ONE_DAY
from cloudxai_analysis.words.phrases import count, moment, percent, span

_SECTION = "readiness"
_OWNER = "the platform team"
_BUDGET_NEARLY_USED = 0.1


def availability_check(availability: pd.DataFrame, budget: pd.DataFrame, *, slo_window: Window, slo: float) -> Check:
    """Whether the objective is met: `pass` where it is even if all unknown time was down, `fail` where it cannot be.

    `availability` and `budget` are one row each, over `slo_window`. The value is the availability of the time seen;
    `unknown` where the unknown time decides, and under one day seen; `warn` where under a tenth of the budget is left.
    """
    measured, left = availability.iloc[0], budget.iloc[0]
    days = round(slo_window.duration / DAY)
    seen, used = measured["seen_minutes"] * 60, left["used_minutes"]
    check = partial(Check, key="availability", section=_SECTION, unit="share", bound=slo, bound_key="availability")
    if not seen:
        finding = (
            f"Availability over the {days} days up to {moment(slo_window.end)} is unknown: nothing was seen of it."
        )
        return check(status="unknown", finding=finding)
    share = float(measured["availability"])
    basis = f"the {span(seen)} seen" if seen < (days - 0.5) * DAY.total_seconds() else f"{days} days"
    check = partial(
        check,
        value=share,
        samples=f"every sample of global readiness, held until the next one: {span(seen)}",
        disproof="an outage between two scrapes, or planned maintenance that the objective leaves out",
    )
    # What the whole period allows may be used up long before it is over.
    lost = measured["high"] < slo and (seen >= ONE_DAY or used > left["allowed_minutes"])
    if not lost and seen < ONE_DAY:
        finding = (
            f"Too early to tell whether {percent(slo, 1)} of {days} days is met: {span(seen)} seen, {_down(used)}."
        )
        return check(status="unknown", finding=finding)
    said = f"Ready for {percent(share, 3)} of {basis} against an objective of {percent(slo, 1)}"
    if not lost and measured["low"] < slo:
        finding = (
            f"{said}: unknown whether it is met, for {span(measured['unknown_minutes'] * 60)} were not seen, and with "
            f"them it lies between {percent(measured['low'], 3)} and {percent(measured['high'], 3)}."
        )
        return check(status="unknown", finding=finding)
    remaining = left["remaining_share"]
    status: Status = "fail" if lost else "warn" if remaining < _BUDGET_NEARLY_USED else "pass"
    # Of a shorter time only its own part is allowed: what nobody saw brings no budget.
    allowed = (1 - slo) * seen / 60
    budget_said = (
        f"{span(used * 60)} not ready, {span(allowed * 60)} allowed"
        if lost
        else f"{span(used * 60)} used of the {span(left['allowed_minutes'] * 60)} that {days} days allow"
    )
    return check(
        status=status,
        finding=f"{said}: {budget_said}.",
        size=f"{span(used * 60)} of {span(left['allowed_minutes'] * 60)} used" if status != "pass" else "",
        since=when(max(measured["since"], pd.Timestamp(slo_window.start))) if status != "pass" else None,
        action="Hold back risky changes until the error budget has recovered.",
        decides=_OWNER,
    )


def outages_check(
    outages: pd.DataFrame,
    going_on: pd.DataFrame,
    availability: pd.DataFrame,
    incidents: pd.DataFrame,
    *,
    window: Window,
    least_minutes: float,
    coverage: float,
) -> Check:
    """Whether the platform was not ready in the window: `warn` where it was not for more than `least_minutes` at once.

    `outages` as `measures.readiness.outages` gives them, begun in the window; `going_on` those that began before it and
    were not over; `availability` one row, of the window; `incidents` those of the ledger. One event
    `readiness_incident` for each outage begun in the window; the value is their minutes. Without one, `unknown` under
    one day seen, or where less than the share `coverage` of the window was.
    """
    check = partial(Check, key="outages", section=_SECTION, unit="minutes")
    measured = availability.iloc[0]
    seen, share = measured["seen_minutes"] * 60, measured["seen_share"]
    if not seen:
        finding = f"Whether the platform was ready in {named(window)} is unknown: nothing was seen of it."
        return check(status="unknown", finding=finding)
    long = outages[outages["minutes"] > least_minutes]
    before = going_on[going_on["minutes"] > least_minutes]
    check = partial(check, samples="every sample of global readiness, and of `up`")
    if long.empty and before.empty:
        blips = f", but for {span(measured['not_ready_minutes'] * 60)}" if measured["not_ready_minutes"] else ""
        basis = (
            named(window)
            if window.duration.total_seconds() - seen < 60
            else f"the {span(seen)} seen of {named(window)}"
        )
        check = partial(check, disproof="an outage shorter than the scrape interval")
        if seen < ONE_DAY or share < coverage:
            why = "Too early to tell" if seen < ONE_DAY else "Not enough was seen to tell"
            finding = f"{why} whether the platform had an outage: it was ready for all of {basis}{blips}."
            return check(status="unknown", finding=finding)
        finding = f"The platform was ready for all of {basis}{blips}."
        return check(status="pass", finding=finding, value=0.0)
    told = [_told(long)] if len(long) else []
    told += [_told_before(before.iloc[-1], measured["not_ready_minutes"], window)] if len(before) else []
    minutes = float(long["minutes"].sum())
    return check(
        status="warn",
        finding=f"The platform was not ready {'; '.join(told)}.",
        value=minutes if len(long) else float(measured["not_ready_minutes"]),
        size=f"{span(measured['not_ready_minutes'] * 60)} in {count(len(long) + len(before), 'outage')}",
        since=when(pd.concat([long["start"], before["start"]]).min()),
        disproof="planned maintenance at that time",
        action=_written_down(pd.concat([long, before]), incidents),
        decides=_OWNER,
        events=tuple(
            event("readiness_incident", "global", row.start, row.end, row.minutes, "minutes")
            for row in long.itertuples()
        ),
    )


def _written_down(outages: pd.DataFrame, incidents: pd.DataFrame) -> str:
    """What is left to do of outages: to write down those that are not, else to keep them from coming again."""
    known = []
    for row in outages.itertuples():
        open_end = pd.isna(row.end)
        meets = (incidents["end"].isna() | (incidents["end"] >= row.start)) & (
            open_end | (incidents["start"] <= row.end)
        )
        if not meets.any():
            whose = f" of {short(row.tenant)}" if hasattr(row, "tenant") else ""
            return f"Write an incident{whose} for {moment(row.start)} into the ledger, with its cause."
        known.append(short(incidents.loc[meets, "id"].iloc[0]))
    return f"Decide what keeps {', '.join(dict.fromkeys(known))} from happening again."


def _told(long: pd.DataFrame) -> str:
    top = long.loc[long["minutes"].idxmax()]
    many = f"{len(long)} times, longest " if len(long) > 1 else ""
    still = ", and still was not when the data end" if pd.isna(top["end"]) else ""
    return f"{many}for {span(top['minutes'] * 60)} from {moment(top['start'])}{still}"


def _told_before(row: pd.Series, not_ready: float, window: Window) -> str:
    end = pd.Timestamp(window.end) if pd.isna(row["end"]) else min(row["end"], pd.Timestamp(window.end))
    inside = min((end - pd.Timestamp(window.start)).total_seconds(), not_ready * 60)
    return (
        f"for the first {span(inside)}, in an outage of {span(row['minutes'] * 60)} that began {moment(row['start'])}"
    )


def _down(minutes: float) -> str:
    return f"{span(minutes * 60)} of it not ready" if minutes else "ready in all of it"


def transitions_check(transitions: pd.DataFrame, *, window: Window, bound: float) -> Check:
    """Whether global readiness flipped often: `warn` where an hour has more than `bound` transitions.

    `transitions` by hour, of the window; the value is the most in one hour.
    """
    check = partial(
        Check,
        key="transitions",
        section=_SECTION,
        unit="transitions/hour",
        bound=bound,
        bound_key="transitions_per_hour",
    )
    if transitions.empty:
        return check(
            status="unknown",
            finding=f"Readiness transitions of {named(window)} are unknown: no process exports their counter.",
        )
    top = transitions.loc[transitions["transitions"].idxmax()]
    above = transitions[transitions["transitions"] > bound]
    if len(above):
        finding = (
            f"{top['transitions']:.0f} transitions in the hour from {moment(top['hour'])}, at most {bound:g} wanted."
        )
    else:
        most = f"At most {count(top['transitions'], 'readiness transition')} in any hour"
        finding = f"{most if top['transitions'] else 'No readiness transition'} of {named(window)}."
    return check(
        status="warn" if len(above) else "pass",
        finding=finding,
        value=float(top["transitions"]),
        samples="every step of the global transition counter",
        disproof="a deploy in that hour",
        size=f"{count(len(above), 'hour')} above {bound:g}" if len(above) else "",
        since=when(above["hour"].min()) if len(above) else None,
        action="Find out what makes the global readiness waver.",
        decides=_OWNER,
    )


def latency_check(latency: pd.DataFrame, *, window: Window, bound: float) -> Check:
    """Whether the readiness check is quick: `warn` where its 95th percentile is above `bound` seconds in an hour.

    `latency` by hour, of the window; the value is the highest.
    """
    check = partial(
        Check, key="latency", section=_SECTION, unit="seconds", bound=bound, bound_key="check_latency_seconds"
    )
    known = latency[latency["seconds"].notna()]
    if known.empty:
        return check(
            status="unknown",
            finding=f"How long the readiness check takes is unknown: no duration was exported in {named(window)}.",
        )
    top, above = known.loc[known["seconds"].idxmax()], known[known["seconds"] > bound]
    if len(above):
        finding = (
            f"The readiness check's p95 was above {bound * 1000:.0f} ms in {count(len(above), 'hour')}, at most "
            f"{top['seconds'] * 1000:.0f} ms, from {moment(above['hour'].iloc[0])}."
        )
    else:
        finding = (
            f"The readiness check's p95 stayed within {bound * 1000:.0f} ms in {named(window)}: at most "
            f"{top['seconds'] * 1000:.0f} ms."
        )
    return check(
        status="warn" if len(above) else "pass",
        finding=finding,
        value=float(top["seconds"]),
        samples="hourly increases of the check's histogram buckets",
        disproof="bucket bounds too coarse around the bound",
        size=f"{count(len(above), 'hour')} above {bound * 1000:.0f} ms" if len(above) else "",
        since=when(above["hour"].min()) if len(above) else None,
        action="Find out what slows the readiness check at those hours.",
        decides=_OWNER,
    )


def tenants_check(
    outages: pd.DataFrame, tenants: pd.DataFrame, incidents: pd.DataFrame, *, window: Window, least_minutes: float
) -> Check:
    """Which tenants were not ready: `warn` where one was not for more than `least_minutes` at once.

    `outages` by tenant as `measures.readiness.outages` gives them; `tenants` has one row per tenant seen. The value is
    the number of tenants; shorter stretches are told, and are no warning: the platform's page waits as long.
    """
    check = partial(Check, key="tenants", section=_SECTION)
    if tenants.empty:
        return check(
            status="unknown",
            finding=f"Which tenants were ready in {named(window)} is unknown: none exported readiness.",
        )
    long = outages[outages["minutes"] > least_minutes]
    affected = long["tenant"].nunique()
    if long.empty:
        blips = f", but for {count(len(outages), 'brief outage')}" if len(outages) else ""
        finding = f"Every one of {count(len(tenants), 'tenant')} was ready in {named(window)}{blips}."
    else:
        top = long.loc[long["minutes"].idxmax()]
        finding = (
            f"{affected} of {count(len(tenants), 'tenant')} not ready for more than {count(least_minutes, 'minute')} "
            f"at once, the longest {short(top['tenant'])} for {span(top['minutes'] * 60)} from {moment(top['start'])}."
        )
    return check(
        status="warn" if affected else "pass",
        finding=finding,
        value=float(affected),
        unit="tenants",
        since=when(long["start"].min()) if len(long) else None,
        samples="every sample of tenant readiness",
        disproof="a tenant that was not exported at that time",
        size=f"{count(affected, 'tenant')} in {count(len(long), 'outage')}" if affected else "",
        action=_written_down(long, incidents),
        decides=_OWNER,
    )
