"""Verdicts on the alerts: false pages, storms, flapping, and incidents that no alert told us of."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Any

import pandas as pd

from cloudxai_analysis.phrases import count, moment, percent
from cloudxai_analysis.verdicts import Check
from cloudxai_analysis.verdicts.evidence import event, named, short, when
from cloudxai_analysis.window import Window

_SECTION = "alerts"
_OWNER = "the on-call lead"


def false_positives_check(
    pooled: pd.DataFrame, judged: pd.DataFrame, covered: pd.DataFrame, *, window: Window, bound: float
) -> Check:
    """How often the paging rules cried wolf: `warn` where the rate is over the bound, `fail` where surely so.

    `pooled` as `measures.judgement.pooled_rate` gives it of the paging rules, over `window` (28 days); `judged` the
    episodes of all rules in it, `covered` the covered days. The value is the pooled rate; it fails where the lower end
    of its 95 % interval is over the bound. One event `false_alert` per false episode, of rules that do not page, too.
    `unknown` where pages fired and none was judged, or nothing fired and no day is covered; no page at all is a `pass`.
    """
    row = pooled.iloc[0]
    false = judged[judged["judgement"] == "false"]
    common: dict[str, Any] = {"bound": bound, "bound_key": "false_positive_rate", "unit": "share"}
    common["events"] = tuple(
        event("false_alert", row["alertname"], row["fired_at"], row["resolved_at"], 1, "episode")
        for row in _rows(false)
    )
    if not row["trials"]:
        return _without_trials(int(row["episodes"]), covered, window, common)
    surely, over = row["low"] > bound, row["rate"] > bound
    interval = f"95 % interval {percent(row['low'], 0)} to {percent(row['high'], 0)}"
    rest = "" if row["judged_share"] == 1 else f"; {percent(row['judged_share'], 0)} of the episodes are judged"
    asked: dict[str, Any] = {
        "since": when(false.loc[false["alertname"].isin(row["alertname"].split(", ")), "fired_at"].min()),
        "size": f"{count(row['false_positives'], 'false trial')}, each a page that called for nothing",
        "action": "Go through the false pages rule by rule, and draft a longer `for` or another threshold.",
        "decides": _OWNER,
    }
    return Check(
        key="false_positives",
        section=_SECTION,
        status="fail" if surely else "warn" if over else "pass",
        finding=f"{row['false_positives']:.0f} of {count(row['trials'], 'judged page')} in {_days(window)} were false: "
        f"{percent(row['rate'], 0)} ({interval}), at most {percent(bound, 0)} is wanted{rest}.",
        value=float(row["rate"]),
        samples=f"{count(row['episodes'], 'episode')} of {row['alertname']} in {_days(window)}, n = "
        f"{row['trials']:.0f}",
        disproof="an incident that is missing from the ledger, or a label that calls a false page actionable",
        **(asked if over else {}),
        **common,
    )


def noise_check(
    rates: pd.DataFrame,
    judged: pd.DataFrame,
    covered: pd.DataFrame,
    *,
    window: Window,
    paging: Collection[str],
    bound: float,
) -> Check:
    """Whether rules that wake nobody cry wolf: `warn` where one's rate of false firings is over the bound.

    `rates` by rule, as `measures.judgement.false_positive_rates` gives them, over `window`; `judged` the episodes in
    it, `covered` the covered days; `paging` the rules that `false_positives_check` judges. The value is the highest
    rate; `unknown` where some fired and none was judged, or none fired and no day is covered.
    """
    others = rates[~rates["alertname"].isin(list(paging))]
    known = others[others["trials"] > 0]
    common: dict[str, Any] = {"bound": bound, "bound_key": "false_positive_rate", "unit": "share"}
    if known.empty and len(others):
        finding = f"Whether {count(len(others), 'rule')} that wake nobody were right is unknown: no episode is judged."
        return _unknown("noise", finding, **common)
    if known.empty and not _seen(covered, window):
        return _unknown("noise", _blind("false alerts", window), **common)
    over = known[known["rate"] > bound].sort_values("rate", ascending=False, kind="stable")
    if over.empty:
        return Check(
            key="noise",
            section=_SECTION,
            status="pass",
            finding=f"{count(len(known), 'rule')} that wake nobody fired in {_days(window)}, none falsely in more than "
            f"{percent(bound, 0)} of its trials.",
            value=float(known["rate"].max()) if len(known) else None,
            samples="every sample of ALERTS",
            disproof="a label that calls an episode noise",
            **common,
        )
    top = over.iloc[0]
    false = judged[(judged["judgement"] == "false") & judged["alertname"].isin(list(over["alertname"]))]
    return Check(
        key="noise",
        section=_SECTION,
        status="warn",
        finding=f"{short(top['alertname'])} was false in {top['false_positives']} of "
        f"{count(top['trials'], 'judged trial')} in {_days(window)}; at most {percent(bound, 0)} is wanted"
        + (f", and {len(over) - 1} more rules are above it." if len(over) > 1 else "."),
        value=float(top["rate"]),
        size=f"{count(over['false_positives'].sum(), 'false trial')} of {count(len(over), 'rule')}",
        since=when(false["fired_at"].min()),
        samples=f"episodes of {', '.join(short(name) for name in over['alertname'])}",
        disproof="an incident that is missing from the ledger",
        action=f"Draft another threshold or a longer `for` of {short(top['alertname'])}, or drop it.",
        decides=_OWNER,
        **common,
    )


def storms_check(storms: pd.DataFrame, episodes: pd.DataFrame, covered: pd.DataFrame, *, window: Window) -> Check:
    """Whether alerts came in storms: `warn` where they did.

    `storms` as `measures.alerts.storms` gives them, begun in `window`; `episodes` those of the window, `covered` the
    covered days. The value is the number of storms; one event `alert_storm` each. `unknown` where nothing fired and no
    day is covered.
    """
    if storms.empty:
        if episodes.empty and not _seen(covered, window):
            return _unknown("storms", _blind("alert storms", window))
        return Check(
            key="storms",
            section=_SECTION,
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
        section=_SECTION,
        status="warn",
        finding=f"{largest}." if len(storms) == 1 else f"{len(storms)} alert storms in {named(window)}: {largest}.",
        value=float(len(storms)),
        unit="storms",
        size=f"{count(storms['episodes'].sum(), 'alert episode')} in {count(len(storms), 'storm')}",
        since=when(storms["start"].min()),
        samples=f"alert episodes begun from {begun} to {moment(top['end'])}",
        disproof="alerts that one message had grouped for those on call",
        action=f"Look for the one cause behind the {top['episodes']} alerts of {begun}, and group their messages.",
        decides=_OWNER,
        events=tuple(
            event("alert_storm", row["alertname"], row["start"], row["end"], row["episodes"], "episodes")
            for row in _rows(storms)
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
            return _unknown("flapping", f"No tenant's readiness was exported in {named(window)}: flapping is unknown.")
        return Check(
            key="flapping",
            section=_SECTION,
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
        section=_SECTION,
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
        decides=_OWNER,
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
            return _unknown(
                "missed",
                f"Whether an incident went without an alert is unknown: the ledger has 0 for {named(window)} and is "
                "not declared complete.",
            )
        found = f"Each of {count(total, 'incident')}" if total > 1 else "The 1 incident"
        return Check(
            key="missed",
            section=_SECTION,
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
        section=_SECTION,
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
        decides=_OWNER,
    )


def _without_trials(episodes: int, covered: pd.DataFrame, window: Window, common: dict[str, Any]) -> Check:
    if episodes:
        finding = (
            f"Whether pages were false is unknown: none of {count(episodes, 'paging episode')} in {_days(window)} is "
            "judged by the ledger or a label."
        )
        return _unknown("false_positives", finding, **common)
    if not _seen(covered, window):
        return _unknown("false_positives", _blind("false pages", window), **common)
    return Check(
        key="false_positives",
        section=_SECTION,
        status="pass",
        finding=f"No paging alert fired in {_days(window)}: 0 pages, and no rate to judge.",
        samples="every sample of ALERTS",
        **common,
    )


def _flaps(tenants: pd.DataFrame, alerts: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    events = [
        event("flapping_tenant", row["tenant"], row["start"], row["end"], row["transitions"], "transitions")
        for row in _rows(tenants)
    ]
    counted = list(events)
    for row in _rows(alerts[alerts["tenant"] != ""]):
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


def _unknown(key: str, finding: str, **more: Any) -> Check:
    return Check(key=key, section=_SECTION, status="unknown", finding=finding, **more)


def _blind(what: str, window: Window) -> str:
    return f"Whether there were {what} is unknown: 0 days of {_days(window)} are covered by telemetry."


def _seen(covered: pd.DataFrame, window: Window) -> bool:
    """Whether any day of the window is covered: without one, silence of the alerts tells nothing."""
    first = window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    inside = (covered["day"] >= first) & (covered["day"] < window.end)
    return bool((covered["covered"].astype(bool) & inside).any())


def _declared(complete: pd.DataFrame, window: Window) -> bool:
    """Whether the ledger's declarations together hold the whole window."""
    known_until = pd.Timestamp(window.start)
    for row in _rows(complete.sort_values("start")):
        if row["start"] <= known_until:
            known_until = max(known_until, row["end"])
    return bool(known_until >= pd.Timestamp(window.end))


def _rows(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    return frame.to_dict("records")


def _largest(frame: pd.DataFrame, column: str) -> pd.Series:
    return frame.iloc[int(frame[column].to_numpy().argmax())]


def _minutes(row: Any) -> str:
    return count((row["end"] - row["start"]).total_seconds() / 60, "minute")


def _days(window: Window) -> str:
    return f"the {count(round(window.duration.total_seconds() / 86_400), 'day')} up to {moment(window.end)}"
