"""Checks of the alerts: false pages and tickets, which rule to fix first, storms, flapping, incidents without one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.checks.finding import Case, Found, Words, events_of, finds, found, largest
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.clusters import surely_over
from cloudxai_analysis.measures.judgement import trials_needed
from cloudxai_analysis.words.phrases import count, moment, percent, several, short, span

GOOD, BAD, TOO_FEW, NOT_JUDGED = "good", "bad", "too few to judge", "not judged"


@finds("false_positives")
def false_positives(case: Case) -> Found:
    """How often the paging rules cried wolf: the pooled rate of 28 days."""
    alerts, row = case.study.alerts, case.study.alerts.pooled_false_positives.iloc[0]
    false = alerts.judged[alerts.judged["judgement"] == "false"].assign(one=1)
    times = {"start": "fired_at", "end": "resolved_at"}
    common: Words = {
        "events": events_of(false, "false_alert", "alertname", "one", "episode", **times),
        "period": alerts.month.period,
        "pages": int(row["episodes"]),
        "row": row,
    }
    if not row["episodes"]:
        blind = alerts.month.blind("pages", rules=alerts.paging_rules)
        return found("blind" if blind else "silent", blind=blind, **common)
    if not row["trials"]:
        return found("unjudged", **common)
    common["said"] = (
        f"{row['false_positives']:.0f} of {count(row['trials'], 'alert group')} of rules that wake someone in "
        f"{alerts.month.period} were false: {of_all(row['rate'], row['low'], row['high'])}"
    )
    over = row["low"] > case.bound
    if not over and row["high"] > case.bound:
        worth = row["trials"] / row["design_effect"]
        more = trials_needed(row["false_positives"] / row["design_effect"], worth, share=case.bound)
        return found("between", more=more, **common)
    own = false.loc[false["alertname"].isin(list(alerts.paging_rules)), "fired_at"]
    return found("over" if over else "within", row["rate"], since=own.min() if over else None, **common)


@finds("rules")
def rules(case: Case) -> Found:
    """Which rule to fix first, and why: the number of bad rules."""
    alerts, overview = case.study.alerts, case.study.alerts.rule_overview
    verdict = rule_verdicts(overview, bound=case.bound)["verdict"]
    bad, open_to = overview[verdict == BAD], overview[verdict.str.startswith((TOO_FEW, NOT_JUDGED))]
    common: Words = {"rules": len(overview), "period": alerts.month.period}
    if overview.empty:
        blind = alerts.month.blind("rules to fix")
        return found("blind", blind=blind) if blind else found("silent", 0, **common)
    if bad.empty and len(open_to):
        false, least = overview[overview["false_positives"] > 0], open_to.sort_values("needed", kind="stable").iloc[0]
        return found("few", open=len(open_to), least=least, worst=_worst(false), **common)
    if bad.empty:
        return found("good", 0, **common)
    first, judged = bad.iloc[0], alerts.judged
    false = judged[(judged["judgement"] == "false") & (judged["alertname"] == first["alertname"])]
    return found(
        "bad",
        len(bad),
        since=false["fired_at"].min(),
        first=first,
        how=_how(first),
        to_do=_to_do(first),
        bad=list(bad["alertname"]),
        false_groups=overview["false_positives"].sum(),
        at_night=overview["false_at_night"].sum(),
        groups=overview["trials"].sum(),
        **common,
    )


def _worst(false: pd.DataFrame) -> str:
    if false.empty:
        return ""
    top = false.iloc[0]
    return f"; most of the false ones are of {short(top['alertname'])}, {top['false_positives']} of {top['trials']}"


def _how(row: pd.Series) -> str:
    if not row["paging"]:
        return ", and woke nobody"
    return f", {row['false_at_night']} of them at night" if row["false_at_night"] else ", and each woke someone"


def _to_do(row: pd.Series) -> str:
    name = short(row["alertname"])
    if not row["caught"]:
        return f"Drop {name}, or draft another: it caught 0 incidents, and nothing would be missed without it."
    return (
        f"Draft a longer `for` or another threshold of {name}, and replay it over the history: it alone caught "
        f"{count(row['alone'], 'incident')}."
    )


@finds("noise")
def noise(case: Case) -> Found:
    """Whether rules that wake nobody cry wolf: the highest rate of one that is surely over the bound, or of all."""
    alerts, rates = case.study.alerts, case.study.alerts.false_positives
    others = rates[~rates["alertname"].isin(list(alerts.paging_rules))]
    known = others[others["trials"] > 0].sort_values("rate", ascending=False, kind="stable")
    common: Words = {"known": len(known), "period": alerts.month.period}
    if known.empty and len(others):
        return found("unjudged", others=len(others))
    if known.empty:
        blind = alerts.month.blind("false alerts")
        return found("blind", blind=blind) if blind else found("silent", **common)
    over, open_to = known[_surely_over(known, case.bound)], known[~(known["high"] <= case.bound)]
    if over.empty and len(open_to):
        return found("between", open=len(open_to), most=_most(open_to.iloc[0]), **common)
    if over.empty:
        return found("good", known["rate"].max(), **common)
    judged, names = alerts.judged, list(over["alertname"])
    false = judged[(judged["judgement"] == "false") & judged["alertname"].isin(names)]
    return found(
        "over",
        over["rate"].iloc[0],
        since=false["fired_at"].min(),
        top=over.iloc[0],
        most=_most(over.iloc[0]),
        over=names,
        rest=f"; {len(over) - 1} more are surely above it" if len(over) > 1 else "",
        false_groups=over["false_positives"].sum(),
        **common,
    )


def rule_verdicts(rates: pd.DataFrame, *, bound: float) -> pd.DataFrame:
    """The verdict on each rule, by the end of its interval and not by its rate.

    `rates` with alertname, severity, trials, rate, high, design_effect and needed (further true trials, as
    `measures.judgement.further_trials` gives them).

    Columns: alertname, severity, verdict: 'good' where the upper end is within the bound, 'bad' where the lower end is
    over it, of several rules by Benjamini–Hochberg; 'not judged', or 'too few to judge, 12 more needed'.
    """
    few = [f"{TOO_FEW}, {more:.0f} more needed" for more in rates["needed"]]
    none = [f"{NOT_JUDGED}, {more:.0f} needed" for more in rates["needed"]]
    unsure = np.where(rates["high"] <= bound, GOOD, np.where(rates["trials"] > 0, few, none))
    word = np.where(_surely_over(rates, bound), BAD, unsure)
    return rates[["alertname", "severity"]].assign(verdict=pd.Series(word, index=rates.index, dtype="str"))


def _surely_over(rates: pd.DataFrame, bound: float) -> np.ndarray:
    return surely_over(rates["rate"], rates["trials"] / rates["design_effect"], bound=bound)


def _most(row: pd.Series) -> str:
    """'Slow was false in 3 of 3 alert groups, 100 % (95 % interval 44 % to 100 %)'."""
    share, groups = of_all(row["rate"], row["low"], row["high"]), count(row["trials"], "alert group")
    return f"{short(row['alertname'])} was false in {row['false_positives']} of {groups}, {share}"


def of_all(part: float, low: float, high: float) -> str:
    """'33 % (95 % interval 12 % to 62 %)'."""
    return f"{percent(part, 0)} (95 % interval {percent(low, 0)} to {percent(high, 0)})"


@finds("storms")
def storms(case: Case) -> Found:
    """Whether alerts came in storms: the number of those begun in the window."""
    study, week = case.study, case.study.alerts.week
    begun, before = study.within(study.alerts.storms, "start"), study.going_on(study.alerts.storms)
    every = pd.concat([before, begun], ignore_index=True)
    if every.empty:
        blind, episodes = week.blind("alert storms"), len(study.alerts.week_episodes)
        if blind:
            return found("blind", blind=blind)
        return found("none" if episodes else "silent", 0, episodes=episodes, period=week.period)
    top = largest(begun if len(begun) else every, "episodes")
    return found(
        "began" if len(begun) else "before",
        len(begun),
        since=every["start"].min(),
        events=events_of(begun, "alert_storm", "alertname", "episodes", "episodes"),
        top=top,
        many=f"{len(begun)} alert storms in {week.period}: " if len(begun) > 1 else "",
        minutes=_minutes(top),
        before="".join(
            f"; a storm of {count(row['episodes'], 'alert')}, {over_the_edge(row['start'], row['end'], week.window)}"
            for row in before.tail(1).to_dict("records")
        ),
        episodes=every["episodes"].sum(),
        every=len(every),
        period=week.period,
    )


@finds("flapping")
def flapping(case: Case) -> Found:
    """Whether tenants, or alerts, flapped to and fro: the number of tenants.

    An alert's stretch is an event only where the tenant's counter shows none.
    """
    study, week = case.study, case.study.alerts.week
    tenants, alerts = (
        study.within(frame, "start") for frame in (study.alerts.flapping_tenants, study.alerts.flapping_alerts)
    )
    before = study.going_on(pd.concat([study.alerts.flapping_alerts, study.alerts.flapping_tenants], ignore_index=True))
    if tenants.empty and alerts.empty and before.empty:
        counted = study.hours("tenant_transitions", study.seen)["tenant"].nunique()
        if not counted:
            return found("nothing", period=week.period)
        rest = "; whether their alerts did is unknown" if week.blind("flapping alerts") else ""
        return found("none", 0, tenants=counted, rest=rest, period=week.period)
    events = _flaps(tenants, alerts)
    names = sorted({flap["place"] for flap in events})
    told = _flapping_told(tenants, alerts, len(names), week.window)
    for row in before.tail(1).to_dict("records"):
        edge = over_the_edge(row["start"], row["end"], week.window)
        told += f"; the flapping of {short(row['tenant'] or row['alertname'])}, {edge}"
    sizes = [(tenants["transitions"].sum(), "transition"), (alerts["episodes"].sum(), "repeated alert")]
    return found(
        "flapped",
        len(names),
        since=pd.concat([tenants["start"], alerts["start"], before["start"]]).min(),
        events=events,
        told=told,
        size=" and ".join(count(number, noun) for number, noun in sizes if number),
        who=several(names) or "the alert",
    )


def _flaps(tenants: pd.DataFrame, alerts: pd.DataFrame) -> list[dict[str, Any]]:
    counted = events_of(tenants, "flapping_tenant", "tenant", "transitions", "transitions")
    of_alerts = events_of(alerts[alerts["tenant"] != ""], "flapping_tenant", "tenant", "episodes", "episodes")
    # The alert's stretch trails the counter's by the rule's `for` and its way down.
    more = [
        told
        for told in of_alerts
        if not any(other["place"] == told["place"] and _overlap(other, told) for other in counted)
    ]
    return sorted(counted + more, key=lambda flap: (flap["start"], flap["place"]))


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["start"] <= other["end"] and other["start"] <= one["end"])


def _flapping_told(tenants: pd.DataFrame, alerts: pd.DataFrame, flapped: int, window: Window) -> str:
    if len(tenants):
        top = largest(tenants, "transitions")
        what = f"{short(top['tenant'])} flipped between ready and not ready {count(top['transitions'], 'time')}"
    elif len(alerts):
        top = largest(alerts, "episodes")
        whose = f" of {short(top['tenant'])}" if top["tenant"] else ""
        what = f"{short(top['alertname'])}{whose} fired {top['episodes']} times"
    else:
        return f"0 tenants began to flap in {window.name}"
    what += f" in {_minutes(top)} from {moment(top['start'])}"
    who = count(flapped, "tenant") if len(tenants) else f"Alerts of {count(flapped, 'tenant')}"
    return what if flapped <= 1 else f"{who} flapped in {window.name}, most of all: {what}"


@finds("missed")
def missed(case: Case) -> Found:
    """Whether incidents went without an alert: how many did."""
    study, week, frame = case.study, case.study.alerts.week, case.study.alerts.missed_incidents
    common: Words = {"total": len(study.within(study.alerts.incidents, "start")), "period": week.period}
    if frame.empty:
        declared = _declared(study.ledger.complete(), week.window)
        if not common["total"]:
            return found("none", 0, **common) if declared else found("nothing", **common)
        every = f"Each of {count(common['total'], 'incident')}" if common["total"] > 1 else "The 1 incident"
        undeclared = "an incident that nobody wrote down: the ledger is not declared complete"
        return found("told", 0, all=every, undeclared="" if declared else undeclared, **common)
    if blind := week.blind("alerts for every incident"):
        return found("blind", blind=blind)
    first = frame.iloc[0]
    return found(
        "missed",
        len(frame),
        since=first["start"],
        first=first,
        whom=f"tenant {short(first['tenant'])}" if first["tenant"] else "the whole platform",
        near=f"; {short(first['near_miss'])} was pending and never fired" if first["near_miss"] else "",
        ids=list(frame["id"].head(5)),
        to_do="Shorten `for` of the rule that was pending, or draft a rule that sees such an incident."
        if (frame["near_miss"] != "").any()
        else "Draft a rule that sees such an incident, and replay it over the history.",
        **common,
    )


def _declared(complete: pd.DataFrame, window: Window) -> bool:
    """Whether the ledger's declarations together hold the whole window."""
    known_until = pd.Timestamp(window.start)
    for row in complete.sort_values("start").itertuples():
        if row.start <= known_until:
            known_until = max(known_until, row.end)
    return bool(known_until >= pd.Timestamp(window.end))


def over_the_edge(start: Any, end: Any, window: Window) -> str:
    """How what began before a window went on into it: 'begun on Sun 8 Nov, 23:50 UTC, 10 minutes before …'."""
    last = pd.Timestamp(window.end) if pd.isna(end) else min(end, pd.Timestamp(window.end))
    before, inside = (pd.Timestamp(window.start) - start).total_seconds(), (last - window.start).total_seconds()
    until = f"until {moment(last)}" if pd.notna(end) and end <= window.end else "and still at its end"
    name = window.name or "the window"
    return f"begun on {moment(start)}, {span(before)} before {name}, went on into it for {span(inside)}, {until}"


def _minutes(row: Any) -> str:
    return count((row["end"] - row["start"]).total_seconds() / 60, "minute")
