"""Verdicts on the alerts: storms, flapping, and incidents that no alert told us of."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.alert_words import OWNER, SECTION, over_the_edge, rows_of, unknown
from cloudxai_analysis.checks.evidence import event, largest, named, several, short, when
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.study.watched import Watched
from cloudxai_analysis.words.phrases import count, moment


def storms_check(storms: pd.DataFrame, going_on: pd.DataFrame, episodes: pd.DataFrame, watched: Watched) -> Check:
    """Whether alerts came in storms: `warn` where they did.

    `storms` as `measures.alerts.storms` gives them, begun in the window `watched`; `going_on` those that began before
    it and were not over; `episodes` those begun in it. The value is the number of storms begun in the window; one event
    `alert_storm` each. Without a storm `unknown` where silence tells nothing.
    """
    check = partial(Check, key="storms", section=SECTION, value=float(len(storms)), unit="storms")
    every = pd.concat([going_on, storms], ignore_index=True)
    if every.empty:
        if blind := watched.blind("alert storms"):
            return unknown("storms", blind)
        finding = f"The {count(len(episodes), 'alert episode')} of {watched.period} came in no storm."
        finding = finding if len(episodes) else f"No alert began in {watched.period}, so none came in a storm."
        return check(status="pass", finding=finding, samples="begin of every alert episode")
    top, name = largest(storms if len(storms) else every, "episodes"), named(watched.window)
    told = f"{top['episodes']} alerts began within {_minutes(top)} from {moment(top['start'])}, most of them "
    told += short(top["alertname"])
    if len(storms) != 1:
        told = f"{len(storms)} alert storms in {name}: {told}" if len(storms) else f"0 alert storms began in {name}"
    for row in rows_of(going_on.tail(1)):
        edge = over_the_edge(row["start"], row["end"], watched.window)
        told += f"; a storm of {count(row['episodes'], 'alert')}, {edge}"
    return check(
        status="warn",
        finding=f"{told}.",
        size=f"{count(every['episodes'].sum(), 'alert episode')} in {count(len(every), 'storm')}",
        since=when(every["start"].min()),
        samples=f"alert episodes begun from {moment(top['start'])} to {moment(top['end'])}",
        disproof="alerts that one message had grouped for those on call",
        action=f"Look for the one cause behind the {top['episodes']} alerts of {moment(top['start'])}, and group their "
        "messages.",
        decides=OWNER,
        events=tuple(
            event("alert_storm", row["alertname"], row["start"], row["end"], row["episodes"], "episodes")
            for row in rows_of(storms)
        ),
    )


def flapping_check(
    flapping_tenants: pd.DataFrame,
    flapping_alerts: pd.DataFrame,
    going_on: pd.DataFrame,
    tenants: pd.DataFrame,
    watched: Watched,
) -> Check:
    """Whether tenants, or alerts, flapped to and fro: `warn` where one did.

    `flapping_tenants` as `measures.flapping.tenant_flapping` gives them, `flapping_alerts` as
    `measures.alerts.flapping`, both begun in the window `watched`; `going_on` of either those that began before it and
    were not over; `tenants` has one row per tenant whose transitions were counted in it. The value is the number of
    tenants; one event `flapping_tenant` per stretch, of alerts only where the tenant's counter shows none. Where
    nothing flapped `unknown` without a tenant.
    """
    check = partial(Check, key="flapping", section=SECTION, unit="tenants")
    check = partial(check, samples="the tenants' transition counters and the begin of every alert episode")
    if flapping_tenants.empty and flapping_alerts.empty and going_on.empty:
        if tenants.empty:
            reason = f"No tenant's transitions were exported in {named(watched.window)}: flapping is unknown."
            return unknown("flapping", reason)
        among = f"None of {count(len(tenants), 'tenant')} flapped between ready and not ready in {watched.period}"
        rest = "; whether their alerts did is unknown" if watched.blind("flapping alerts") else ""
        return check(status="pass", finding=f"{among}{rest}.", value=0.0)
    events = _flaps(flapping_tenants, flapping_alerts)
    names = {found["place"] for found in events}
    sizes = {
        "transition": flapping_tenants["transitions"].sum(),
        "repeated alert": flapping_alerts["episodes"].sum(),
    }
    told = _flapping_told(flapping_tenants, flapping_alerts, len(names), watched.window)
    for row in rows_of(going_on.tail(1)):
        edge = over_the_edge(row["start"], row["end"], watched.window)
        told += f"; the flapping of {short(row['tenant'] or row['alertname'])}, {edge}"
    return check(
        status="warn",
        finding=f"{told}.",
        value=float(len(names)),
        size=" and ".join(count(number, noun) for noun, number in sizes.items() if number),
        since=when(pd.concat([flapping_tenants["start"], flapping_alerts["start"], going_on["start"]]).min()),
        disproof="a deploy or a test of that tenant at that time",
        action=f"Find out why {several(sorted(names)) or 'the alert'} wavered, and draft a longer `for`.",
        decides=OWNER,
        events=events,
    )


def missed_check(missed: pd.DataFrame, incidents: pd.DataFrame, complete: pd.DataFrame, watched: Watched) -> Check:
    """Whether incidents went without an alert: `warn` where one did.

    `missed` as `measures.judgement.missed_incidents` gives them, `incidents` those of the ledger begun in the window
    `watched`, `complete` the times for which it is declared complete. The value is the number of incidents without an
    alert. `unknown` where the ledger has no incident in the window and is not declared complete for all of it, and
    where that no alert is there tells nothing.
    """
    total, window = len(incidents), watched.window
    check = partial(Check, key="missed", section=SECTION, value=float(len(missed)), unit="incidents")
    if missed.empty:
        declared = _declared(complete, window)
        if not total and not declared:
            return unknown(
                "missed",
                f"Whether an incident went without an alert is unknown: the ledger holds none of {named(window)} and "
                "is not declared complete.",
            )
        found = f"Each of {count(total, 'incident')}" if total > 1 else "The 1 incident"
        return check(
            status="pass",
            finding=f"{found} of the ledger in {named(window)} raised an alert."
            if total
            else f"The ledger, declared complete, has 0 incidents in {named(window)} that an alert could have missed.",
            samples="the ledger's incidents against every alert episode",
            disproof="" if declared else "an incident that nobody wrote down: the ledger is not declared complete",
        )
    if blind := watched.blind("alerts for every incident"):
        return unknown("missed", blind)
    first = missed.iloc[0]
    near = f"; {short(first['near_miss'])} was pending and never fired" if first["near_miss"] else ""
    whom = f"tenant {short(first['tenant'])}" if first["tenant"] else "the whole platform"
    many = f"{len(missed)} of {count(total, 'incident')} in {watched.period} went without an alert"
    return check(
        status="warn",
        finding=f"{many}, the first on {moment(first['start'])} for {whom}{near}.",
        size=f"{count(len(missed), 'incident')} that people had to notice themselves",
        since=when(first["start"]),
        samples=f"alert episodes around incident {', '.join(short(name) for name in missed['id'].head(5))}",
        disproof="an alert outside of Prometheus that told of it, or a wrong time in the ledger",
        action="Shorten `for` of the rule that was pending, or draft a rule that sees such an incident."
        if (missed["near_miss"] != "").any()
        else "Draft a rule that sees such an incident, and replay it over the history.",
        decides=OWNER,
    )


def _flaps(tenants: pd.DataFrame, alerts: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    events = [
        event("flapping_tenant", row["tenant"], row["start"], row["end"], row["transitions"], "transitions")
        for row in rows_of(tenants)
    ]
    counted = list(events)
    for row in rows_of(alerts[alerts["tenant"] != ""]):
        told = event("flapping_tenant", row["tenant"], row["start"], row["end"], row["episodes"], "episodes")
        # The alert's stretch trails the counter's by the rule's `for` and its way down.
        if not any(other["place"] == told["place"] and _overlap(other, told) for other in counted):
            events.append(told)
    return tuple(sorted(events, key=lambda found: (found["start"], found["place"])))


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["start"] <= other["end"] and other["start"] <= one["end"])


def _flapping_told(tenants: pd.DataFrame, alerts: pd.DataFrame, flapped: int, window: Window) -> str:
    if len(tenants):
        top = largest(tenants, "transitions")
        times = count(top["transitions"], "time")
        what = f"{short(top['tenant'])} flipped between ready and not ready {times}"
    elif len(alerts):
        top = largest(alerts, "episodes")
        whose = f" of {short(top['tenant'])}" if top["tenant"] else ""
        what = f"{short(top['alertname'])}{whose} fired {top['episodes']} times"
    else:
        return f"0 tenants began to flap in {named(window)}"
    what += f" in {_minutes(top)} from {moment(top['start'])}"
    who = count(flapped, "tenant") if len(tenants) else f"Alerts of {count(flapped, 'tenant')}"
    return what if flapped <= 1 else f"{who} flapped in {named(window)}, most of all: {what}"


def _declared(complete: pd.DataFrame, window: Window) -> bool:
    """Whether the ledger's declarations together hold the whole window."""
    known_until = pd.Timestamp(window.start)
    for row in rows_of(complete.sort_values("start")):
        if row["start"] <= known_until:
            known_until = max(known_until, row["end"])
    return bool(known_until >= pd.Timestamp(window.end))


def _minutes(row: Any) -> str:
    return count((row["end"] - row["start"]).total_seconds() / 60, "minute")
