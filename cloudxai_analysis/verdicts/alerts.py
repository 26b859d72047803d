"""Verdicts on the alerts: storms, flapping, and incidents that no alert told us of."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cloudxai_analysis.phrases import count, moment
from cloudxai_analysis.verdicts import Check
from cloudxai_analysis.verdicts.alert_words import OWNER, SECTION, blind, rows_of, seen, unknown
from cloudxai_analysis.verdicts.evidence import event, named, short, when
from cloudxai_analysis.window import Window


def storms_check(storms: pd.DataFrame, episodes: pd.DataFrame, covered: pd.DataFrame, *, window: Window) -> Check:
    """Whether alerts came in storms: `warn` where they did.

    `storms` as `measures.alerts.storms` gives them, begun in `window`; `episodes` those of the window, `covered` the
    covered days. The value is the number of storms; one event `alert_storm` each. `unknown` where nothing fired and no
    day is covered.
    """
    if storms.empty:
        if episodes.empty and not seen(covered, window):
            return unknown("storms", blind("alert storms", window))
        return Check(
            key="storms",
            section=SECTION,
            status="pass",
            finding=f"{count(len(episodes), 'alert episode')} of {named(window)} came in no storm.",
            value=0.0,
            unit="storms",
            samples="begin of every alert episode",
        )
    top = _largest(storms, "episodes")
    begun = moment(top["start"])
    largest = (
        f"{top['episodes']} alerts began within {_minutes(top)} from {begun}, most of them {short(top['alertname'])}"
    )
    return Check(
        key="storms",
        section=SECTION,
        status="warn",
        finding=f"{largest}." if len(storms) == 1 else f"{len(storms)} alert storms in {named(window)}: {largest}.",
        value=float(len(storms)),
        unit="storms",
        size=f"{count(storms['episodes'].sum(), 'alert episode')} in {count(len(storms), 'storm')}",
        since=when(storms["start"].min()),
        samples=f"alert episodes begun from {begun} to {moment(top['end'])}",
        disproof="alerts that one message had grouped for those on call",
        action=f"Look for the one cause behind the {top['episodes']} alerts of {begun}, and group their messages.",
        decides=OWNER,
        events=tuple(
            event("alert_storm", row["alertname"], row["start"], row["end"], row["episodes"], "episodes")
            for row in rows_of(storms)
        ),
    )


def flapping_check(
    flapping_tenants: pd.DataFrame, flapping_alerts: pd.DataFrame, tenants: pd.DataFrame, *, window: Window
) -> Check:
    """Whether tenants, or alerts, flapped to and fro: `warn` where one did.

    `flapping_tenants` as `measures.flapping.tenant_flapping` gives them, `flapping_alerts` as
    `measures.alerts.flapping`, both begun in `window`; `tenants` has one row per tenant seen in it. The value is the
    number of tenants; one event `flapping_tenant` per stretch, of alerts only where the tenant's counter shows none.
    `unknown` where no tenant was seen.
    """
    if flapping_tenants.empty and flapping_alerts.empty:
        if tenants.empty:
            return unknown("flapping", f"No tenant's readiness was exported in {named(window)}: flapping is unknown.")
        return Check(
            key="flapping",
            section=SECTION,
            status="pass",
            finding=f"None of {count(len(tenants), 'tenant')} flapped between ready and not ready in {named(window)}.",
            value=0.0,
            unit="tenants",
            samples="the tenants' transition counters and the begin of every alert episode",
        )
    events = _flaps(flapping_tenants, flapping_alerts)
    names = {found["place"] for found in events}
    return Check(
        key="flapping",
        section=SECTION,
        status="warn",
        finding=_flapping_finding(flapping_tenants, flapping_alerts, len(names), window),
        value=float(len(names)),
        unit="tenants",
        size=f"{count(flapping_tenants['transitions'].sum(), 'transition')} and "
        f"{count(flapping_alerts['episodes'].sum(), 'repeated alert')}",
        since=when(pd.concat([flapping_tenants["start"], flapping_alerts["start"]]).min()),
        samples="the tenants' transition counters and the begin of every alert episode",
        disproof="a deploy or a test of that tenant at that time",
        action="Find out why its readiness check wavers, and draft a hysteresis or a longer `for`.",
        decides=OWNER,
        events=events,
    )


def missed_check(missed: pd.DataFrame, incidents: pd.DataFrame, complete: pd.DataFrame, *, window: Window) -> Check:
    """Whether incidents went without an alert: `warn` where one did.

    `missed` as `measures.judgement.missed_incidents` gives them, `incidents` those of the ledger begun in `window`,
    `complete` the times for which it is declared complete. The value is the number of incidents without an alert.
    `unknown` where the ledger has no incident in the window and is not declared complete for all of it.
    """
    total = len(incidents)
    if missed.empty:
        declared = _declared(complete, window)
        if not total and not declared:
            return unknown(
                "missed",
                f"Whether an incident went without an alert is unknown: the ledger has 0 for {named(window)} and is "
                "not declared complete.",
            )
        found = f"Each of {count(total, 'incident')}" if total > 1 else "The 1 incident"
        return Check(
            key="missed",
            section=SECTION,
            status="pass",
            finding=f"{found} of the ledger in {named(window)} raised an alert."
            if total
            else f"The ledger, declared complete, has 0 incidents in {named(window)} that an alert could have missed.",
            value=0.0,
            unit="incidents",
            samples="the ledger's incidents against every alert episode",
            disproof="" if declared else "an incident that nobody wrote down: the ledger is not declared complete",
        )
    first = missed.iloc[0]
    near = f"; {short(first['near_miss'])} was pending and never fired" if first["near_miss"] else ""
    whom = f"tenant {short(first['tenant'])}" if first["tenant"] else "the whole platform"
    many = f"{len(missed)} of {count(total, 'incident')} in {named(window)} went without an alert"
    return Check(
        key="missed",
        section=SECTION,
        status="warn",
        finding=f"{many}, the first on {moment(first['start'])} for {whom}{near}.",
        value=float(len(missed)),
        unit="incidents",
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


def _flapping_finding(tenants: pd.DataFrame, alerts: pd.DataFrame, flapped: int, window: Window) -> str:
    if len(tenants):
        top = _largest(tenants, "transitions")
        what = (
            f"{short(top['tenant'])} flipped between ready and not ready {count(top['transitions'], 'time')} in "
            f"{_minutes(top)} from {moment(top['start'])}"
        )
    else:
        top = _largest(alerts, "episodes")
        whose = f" of {short(top['tenant'])}" if top["tenant"] else ""
        what = f"{short(top['alertname'])}{whose} fired {top['episodes']} times in {_minutes(top)} from "
        what += moment(top["start"])
    return (
        f"{what}." if flapped <= 1 else f"{count(flapped, 'tenant')} flapped in {named(window)}, most of all: {what}."
    )


def _declared(complete: pd.DataFrame, window: Window) -> bool:
    """Whether the ledger's declarations together hold the whole window."""
    known_until = pd.Timestamp(window.start)
    for row in rows_of(complete.sort_values("start")):
        if row["start"] <= known_until:
            known_until = max(known_until, row["end"])
    return bool(known_until >= pd.Timestamp(window.end))


def _largest(frame: pd.DataFrame, column: str) -> pd.Series:
    return frame.iloc[int(frame[column].to_numpy().argmax())]


def _minutes(row: Any) -> str:
    return count((row["end"] - row["start"]).total_seconds() / 60, "minute")
