"""Cards of the rules: which to fix first, how its rate moved, what fires together, who was woken, how soon."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.alerts import silence
from cloudxai_analysis.cards.compose import Words, card
from cloudxai_analysis.checks.alerts import BAD, GOOD, of_all, rule_verdicts
from cloudxai_analysis.measures.judgement import wilson_interval
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, short


@card("alerts-rules")
def rules(study: Study, frame: pd.DataFrame) -> Words:
    """Which rule to fix first, and why: what each adds against its noise."""
    verdict = rule_verdicts(frame, bound=study.bounds.false_positive_rate)["verdict"]
    first = ["alertname", "severity", "verdict"]
    return {
        "table": frame.assign(verdict=verdict)[[*first, *frame.columns[2:]]],
        "bad": int((verdict == BAD).sum()),
        "good": int((verdict == GOOD).sum()),
        "quiet": silence(study.alerts.month, "alerts", "no alert fired"),
    }


@card("alerts-trend")
def trend(study: Study, _: pd.DataFrame) -> Words:
    """Whether the rules become better: 28 days against the 28 days that ended a week earlier."""
    pooled = study.alerts.weekly_pooled
    told = [
        f"{row.false_positives} of {count(row.trials, 'alert group')} false, {of_all(row.rate, row.low, row.high)}"
        if row.trials
        else "no judged alert group"
        for row in pooled.tail(2)[::-1].itertuples()
    ]
    if not told:
        return {"heading": "unknown"}
    change = str(pooled["change"].iloc[-1]).capitalize()
    earlier = f"; a week earlier {told[1]}" if len(told) > 1 else ", and nothing a week earlier to compare with"
    return {"heading": "told", "told": f"{told[0]}{earlier}", "change": f" {change}." if change else ""}


@card("alerts-shifts")
def shifts(study: Study, frame: pd.DataFrame) -> Words:
    """How often each shift was woken."""
    pages = frame["pages"].sum()
    blind = "" if pages else study.alerts.month.blind("pages", rules=study.alerts.paging_rules)
    heading = "blind" if blind else "pages" if pages else "none"
    return {
        "heading": heading,
        "note": "blind" if blind else "seen",
        "pages": pages,
        "blind": blind,
        "drawn": not blind,
    }


@card("alerts-together")
def together(study: Study, frame: pd.DataFrame) -> Words:
    """Which rules tell of the same thing."""
    month, groups = study.alerts.month, study.alerts.cofiring_groups
    number = int(groups["group"].max()) if len(groups) else 0
    first = ", ".join(short(name) for name in groups.loc[groups["group"] == 1, "alertname"].head(5))
    return {
        "heading": "together" if len(frame) else "none",
        "groups": number,
        "first": f": {first}" if number else "",
        "nothing": silence(month, "alerts that fired together", "No two rules fired together"),
        "quiet": silence(month, "alerts that fired together", "no two rules fired together"),
    }


@card("alerts-response")
def response(_: Study, frame: pd.DataFrame) -> Words:
    """How soon rules tell of an incident, how soon people take it up, and how long alerts outlast it."""
    named, caught = frame["incidents"].sum(), frame["caught"].sum()
    share = of_all(caught / named, *wilson_interval(caught, named)) if named else ""
    return {"heading": "named" if named else "none", "named": named, "caught": caught, "share": share}


@card("alerts-near-misses")
def near_misses(study: Study, frame: pd.DataFrame) -> Words:
    """Which rules were pending in an incident and never caught it."""
    month, judged = study.alerts.month, len(study.alerts.judged_incidents)
    every = count(judged, "incident")
    quiet = "no rule is stored as pending in an incident without firing"
    return {
        "heading": "near" if len(frame) else "none" if judged else "no_incident",
        "every": every,
        "nothing": silence(month, "near misses", f"0 near misses in {every}"),
        "quiet": silence(month, "near misses", quiet),
    }


@card("alerts-duplicates")
def duplicates(study: Study, frame: pd.DataFrame) -> Words:
    """Which faults several instances told of at once."""
    month = study.alerts.month
    return {
        "heading": "more" if len(frame) else "none",
        "nothing": silence(month, "duplicates", "0 alerts told what another instance was telling"),
        "quiet": silence(month, "duplicates", "no rule fired at once on several instances"),
    }
