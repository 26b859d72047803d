"""Cards of the alerts: what fired, what of it was true, what was missed, and what each rule is worth."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.compose import Words, card, maker, plain
from cloudxai_analysis.checks.alerts import BAD, GOOD, of_all, rule_verdicts, went_on
from cloudxai_analysis.ledger.entries import COURSE
from cloudxai_analysis.measures.rates import wilson_interval
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, short

__getattr__ = plain("alerts")


@card("alerts-episodes")
def episodes(study: Study, frame: pd.DataFrame) -> Words:
    """What fired in the window, and whether it was true."""
    earlier = study.alerts.episodes.rename(columns={"fired_at": "start", "resolved_at": "end"})
    before = went_on(
        study.going_on(earlier).sort_values("end"),
        study.seen,
        lambda row: short(row.alertname) + (f" of {short(row.tenant)}" if row.tenant else ""),
    )
    said = ", ".join(f"{number} {judgement}" for judgement, number in frame["judgement"].value_counts().items())
    return {"before": before, "said": said}


@card("alerts-rules")
def rules(study: Study, frame: pd.DataFrame) -> Words:
    """Which rule to fix first, and why: what each adds against its noise."""
    verdict = rule_verdicts(frame, bound=study.bounds.false_positive_rate)
    table = frame.copy()
    table.insert(2, "verdict", verdict)
    return {"table": table, "bad": int((verdict == BAD).sum()), "good": int((verdict == GOOD).sum())}


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


@card("alerts-together")
def together(_: Study, frame: pd.DataFrame) -> Words:
    """Which rules tell of the same thing."""
    linked = frame[frame["linked"]]
    pairs = [f"{short(row.alertname)} with {short(row.other)}" for row in linked.itertuples()]
    return {"heading": "together" if pairs else "apart" if len(frame) else "none", "pairs": pairs}


@card("alerts-response")
def response(_: Study, frame: pd.DataFrame) -> Words:
    """How soon rules tell of an incident, how soon people take it up, and how long alerts outlast it."""
    named, caught = frame["incidents"].sum(), frame["caught"].sum()
    share = of_all(caught / named, *wilson_interval(caught, named)) if named else ""
    return {"named": named, "caught": caught, "share": share}


@card("alerts-near-misses")
def near_misses(study: Study, frame: pd.DataFrame) -> Words:
    """Which rules were pending in an incident and never caught it."""
    judged = len(study.alerts.judged_incidents)
    heading = "near" if len(frame) else "none" if judged else "no_incident"
    return {"heading": heading, "every": count(judged, "incident")}


@card("incidents-ledger")
def incidents(_: Study, frame: pd.DataFrame) -> Words:
    """What people wrote down in the window; of the course of things, what any of them tells."""
    untold = [name for name in COURSE if frame[name].isna().all()]
    return {"table": frame.drop(columns=["alerts", "acknowledged_at", *untold])}


observations, attestations = maker("incidents-observations"), maker("incidents-attestations")
