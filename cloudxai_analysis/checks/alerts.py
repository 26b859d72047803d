"""Checks of the alerts: false pages and tickets, which rule to fix first, storms, flapping, incidents without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.checks.finding import Case, Found, Words, events_of, finds, found, largest
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.rates import groups_needed, surely_over
from cloudxai_analysis.study.alerts import Watched
from cloudxai_analysis.words.phrases import count, moment, percent, several, short, span

GOOD, BAD, TOO_FEW, NOT_JUDGED = "good", "bad", "too few to judge", "not judged"


@finds("false_positives")
def false_positives(case: Case) -> Found:
    """How often the paging rules cried wolf: the pooled rate of 28 days."""
    alerts, row = case.study.alerts, case.study.alerts.pooled_false_positives.iloc[0]
    false = alerts.judged[alerts.judged["judgement"] == "false"].assign(one=1)
    times = {"start": "fired_at", "end": "resolved_at"}
    events = events_of(false, "false_alert", "alertname", "one", "episode", **times)
    common: Words = {"events": events, "period": alerts.month, "pages": int(row["episodes"]), "row": row}
    if not row["episodes"]:
        return _nothing(alerts.month, "pages", rules=alerts.paging_rules, **common)
    if not row["trials"]:
        return found("unjudged", **common)
    common["said"] = (
        f"{row['false_positives']:.0f} of {count(row['trials'], 'alert group')} of rules that wake someone in "
        f"{alerts.month} were false: {of_all(row['rate'], row['low'], row['high'])}"
    )
    if row["low"] <= case.bound < row["high"]:
        worth = row[["false_positives", "trials"]] / row["design_effect"]
        return found("between", more=groups_needed(*worth, share=case.bound), **common)
    if row["low"] <= case.bound:
        return found("within", row["rate"], **common)
    return found("over", row["rate"], since=_first_false(alerts.judged, alerts.paging_rules), **common)


@finds("rules")
def rules(case: Case) -> Found:
    """Which rule to fix first, and why: the number of bad rules."""
    alerts, overview = case.study.alerts, case.study.alerts.rule_overview
    verdict = rule_verdicts(overview, bound=case.bound)
    bad, unsure = overview[verdict == BAD], overview[verdict.str.startswith((TOO_FEW, NOT_JUDGED))]
    common: Words = {"rules": len(overview), "period": alerts.month}
    if overview.empty:
        return _nothing(alerts.month, "rules to fix", 0, **common)
    if bad.empty and len(unsure):
        return found("few", open=len(unsure), least=unsure.sort_values("needed", kind="stable").iloc[0], **common)
    if bad.empty:
        return found("good", 0, **common)
    first = bad.iloc[0]
    at_night = f", {first['false_at_night']} of them at night" if first["false_at_night"] else ", and each woke someone"
    return found(
        "one" if len(bad) == 1 else "bad",
        len(bad),
        since=_first_false(alerts.judged, [first["alertname"]]),
        first=first,
        woke=at_night if first["paging"] else ", and woke nobody",
        to_do=_to_do(first),
        bad=list(bad["alertname"]),
        false_groups=overview["false_positives"].sum(),
        at_night=overview["false_at_night"].sum(),
        groups=overview["trials"].sum(),
        **common,
    )


def _to_do(row: pd.Series) -> str:
    name = short(row["alertname"])
    if not row["caught"]:
        return f"Drop {name}, or draft another: it caught 0 incidents, and nothing would be missed without it."
    return (
        f"Draft a longer 'for' or another threshold of {name}, and replay it over the history: it alone caught "
        f"{count(row['alone'], 'incident')}."
    )


@finds("noise")
def noise(case: Case) -> Found:
    """Whether rules that wake nobody cry wolf: the highest rate of one that is surely over the bound, or of all."""
    alerts, rates = case.study.alerts, case.study.alerts.false_positives
    others = rates[~rates["alertname"].isin(list(alerts.paging_rules))]
    known = others[others["trials"] > 0].sort_values("rate", ascending=False, kind="stable")
    common: Words = {"known": len(known), "period": alerts.month}
    if others.empty:
        return _nothing(alerts.month, "false alerts", **common)
    if known.empty:
        return found("unjudged", others=len(others))
    over, unsure = known[_surely_over(known, case.bound)], known[~(known["high"] <= case.bound)]
    if over.empty and unsure.empty:
        return found("good", known["rate"].max(), **common)
    top = (over if len(over) else unsure).iloc[0]
    groups = count(top["trials"], "alert group")
    common["most"] = (
        f"{short(top['alertname'])} was false in {top['false_positives']} of {groups}, "
        f"{of_all(top['rate'], top['low'], top['high'])}"
    )
    if over.empty:
        return found("between", open=len(unsure), **common)
    names, false_groups = list(over["alertname"]), over["false_positives"].sum()
    since = _first_false(alerts.judged, names)
    return found("over", top["rate"], since=since, top=top, over=names, false_groups=false_groups, **common)


def rule_verdicts(rates: pd.DataFrame, *, bound: float) -> pd.Series:
    """The verdict on each rule, by the end of its interval and not by its rate.

    'good' where the upper end is within the bound, 'bad' where the lower end is over it, of several
    rules by Benjamini–Hochberg; else 'not judged, 12 needed', or 'too few to judge, 12 more
    needed'. `rates` with trials, rate, high, design_effect and needed, as
    `measures.rule_quality.rule_overview` gives them.
    """
    few = [f"{TOO_FEW}, {more:.0f} more needed" for more in rates["needed"]]
    none = [f"{NOT_JUDGED}, {more:.0f} needed" for more in rates["needed"]]
    met = [_surely_over(rates, bound), rates["high"] <= bound, rates["trials"] > 0]
    word = np.select(met, [np.full(len(rates), BAD, dtype=object), GOOD, few], none)
    return pd.Series(word, index=rates.index, dtype="str")


def of_all(part: float, low: float, high: float) -> str:
    """'33 % (95 % interval 12 % to 62 %)'."""
    return f"{percent(part, 0)} (95 % interval {percent(low, 0)} to {percent(high, 0)})"


def _surely_over(rates: pd.DataFrame, bound: float) -> np.ndarray:
    return surely_over(rates["rate"], rates["trials"] / rates["design_effect"], bound=bound)


def _first_false(judged: pd.DataFrame, names: Any) -> Any:
    return judged.loc[(judged["judgement"] == "false") & judged["alertname"].isin(list(names)), "fired_at"].min()


def _nothing(watched: Watched, what: str, value: float | None = None, *, rules: Any = (), **words: Any) -> Found:
    """Nothing fired: as good as it was watched."""
    blind = watched.blind(what, rules=rules)
    return found("blind", blind=blind) if blind else found("silent", value, **words)


@finds("storms")
def storms(case: Case) -> Found:
    """Whether alerts came in storms: the number of those begun in the window."""
    study, week = case.study, case.study.alerts.week
    begun, before = study.within(study.alerts.storms, "start"), study.going_on(study.alerts.storms)
    every, episodes = pd.concat([before, begun], ignore_index=True), len(study.alerts.week_episodes)
    if every.empty and episodes and not week.blind("alert storms"):
        return found("none", 0, episodes=episodes, period=week)
    if every.empty:
        return _nothing(week, "alert storms", 0, period=week)
    top = largest(begun if len(begun) else every, "episodes")
    return found(
        "began" if len(begun) else "before",
        len(begun),
        since=every["start"].min(),
        events=events_of(begun, "alert_storm", "alertname", "episodes", "episodes"),
        top=top,
        minutes=_minutes(top),
        before=went_on(before, week.window, lambda row: f"a storm of {count(row.episodes, 'alert')}"),
        episodes=every["episodes"].sum(),
        every=len(every),
        period=week,
    )


@finds("flapping")
def flapping(case: Case) -> Found:
    """Whether tenants, or alerts, flapped to and fro: the number of tenants."""
    study, week = case.study, case.study.alerts.week
    both = (study.alerts.flapping_tenants, study.alerts.flapping_alerts)
    tenants, alerts = (study.within(frame, "start") for frame in both)
    before = study.going_on(pd.concat(both[::-1], ignore_index=True))
    if tenants.empty and alerts.empty and before.empty:
        counted = study.hours("tenant_transitions", study.seen)["tenant"].nunique()
        rest = "; whether their alerts did is unknown" if week.blind("flapping alerts") else ""
        return found("none", 0, tenants=counted, rest=rest, period=week) if counted else found("nothing", period=week)
    events = _flaps(tenants, alerts)
    names = sorted({flap["place"] for flap in events})
    kind, frame, size = ("tenants", tenants, "transitions") if len(tenants) else ("alerts", alerts, "episodes")
    many = count(len(names), "tenant") if len(tenants) else f"Alerts of {count(len(names), 'tenant')}"
    top = largest(frame, size) if len(frame) else {}
    sizes = [(tenants["transitions"].sum(), "transition"), (alerts["episodes"].sum(), "repeated alert")]
    return found(
        kind if len(frame) else "before",
        len(names),
        since=pd.concat([tenants["start"], alerts["start"], before["start"]]).min(),
        events=events,
        top=top,
        whose=f" of {short(top['tenant'])}" if len(top) and top["tenant"] else "",
        minutes=_minutes(top) if len(top) else "",
        most=f"{many} flapped in {week}, most of all: " if len(names) > 1 else "",
        before=went_on(before, week.window, lambda row: f"the flapping of {short(row.tenant or row.alertname)}"),
        size=" and ".join(count(number, noun) for number, noun in sizes if number),
        who=several(names) or "the alert",
        period=week,
    )


def _flaps(tenants: pd.DataFrame, alerts: pd.DataFrame) -> list[dict[str, Any]]:
    """An event a stretch; that of an alert, which trails the tenant's counter, only where the counter shows none."""
    counted = events_of(tenants, "flapping_tenant", "tenant", "transitions", "transitions")
    flaps = list(counted)
    for told in events_of(alerts[alerts["tenant"] != ""], "flapping_tenant", "tenant", "episodes", "episodes"):
        same = [flap for flap in counted if flap["place"] == told["place"]]
        if not any(flap["start"] <= told["end"] and told["start"] <= flap["end"] for flap in same):
            flaps.append(told)
    return sorted(flaps, key=lambda flap: (flap["start"], flap["place"]))


@finds("missed")
def missed(case: Case) -> Found:
    """Whether incidents went without an alert: how many did."""
    study, week, frame = case.study, case.study.alerts.week, case.study.alerts.missed_incidents
    total = len(study.alerts.week_incidents)
    common: Words = {"total": total, "period": week}
    if frame.empty:
        known = "told" if total else "none" if declared(study.ledger.complete(), week.window) else "nothing"
        return found(known, None if known == "nothing" else 0, **common)
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
        **common,
    )


def declared(complete: pd.DataFrame, window: Window) -> bool:
    """Whether the ledger's declarations together hold the whole window."""
    known_until = pd.Timestamp(window.start)
    for row in complete.sort_values("start").itertuples():
        if row.start <= known_until:
            known_until = max(known_until, row.end)
    return bool(known_until >= pd.Timestamp(window.end))


def went_on(before: pd.DataFrame, window: Window, what: Callable[[Any], str]) -> str:
    """Of rows that began before a window and went on into it the last: '; a storm, begun on Sun 8 Nov, 23:50 …'."""
    said, limit = "", pd.Timestamp(window.end)
    for row in before.tail(1).itertuples():
        last = limit if pd.isna(row.end) else min(row.end, limit)
        early, inside = (pd.Timestamp(window.start) - row.start).total_seconds(), last - window.start
        until = f"until {moment(last)}" if row.end <= limit else "and still at its end"
        said = f"; {what(row)}, begun on {moment(row.start)}, {span(early)} before {window.name}, "
        said += f"went on into it for {span(inside.total_seconds())}, {until}"
    return said


def _minutes(row: Any) -> str:
    return count((row["end"] - row["start"]).total_seconds() / 60, "minute")
