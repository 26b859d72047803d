"""Cards of the alerts: what fired, what of it was true, what was missed."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.compose import Maker, Words, card
from cloudxai_analysis.checks.alerts import over_the_edge
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.study.watched import Watched
from cloudxai_analysis.words.phrases import short

flapping = Maker("alerts-flapping")


def silence(watched: Watched, what: str, quiet: str) -> str:
    """`quiet`, where that nothing of `what` is stored tells that there was none; else why it does not."""
    return watched.blind(what).rstrip(".") or f"{quiet} in {watched.period}"


@card("alerts-episodes")
def episodes(study: Study, frame: pd.DataFrame) -> Words:
    """What fired in the window, and whether it was true."""
    before = ""
    earlier = study.alerts.episodes.rename(columns={"fired_at": "start", "resolved_at": "end"})
    for row in study.going_on(earlier).sort_values("end").tail(1).itertuples():
        whose = f" of {short(row.tenant)}" if row.tenant else ""
        before = f" {short(row.alertname)}{whose}, {over_the_edge(row.start, row.end, study.seen)}."
    said = ", ".join(f"{number} {judgement}" for judgement, number in frame["judgement"].value_counts().items())
    return {"before": before, "said": said, "quiet": silence(study.alerts.week, "alerts", "no alert fired")}


@card("alerts-false-positives")
def false_positives(study: Study, frame: pd.DataFrame) -> Words:
    """How often each rule cries wolf."""
    wide = "; a wide interval means few of them, or several of one cause" if frame["trials"].sum() else ""
    return {"wide": wide, "quiet": silence(study.alerts.month, "alerts", "no alert fired")}


@card("alerts-noise")
def noise(study: Study, _: pd.DataFrame) -> Words:
    """Which rules fire often, briefly, or at night."""
    return {"quiet": silence(study.alerts.week, "alerts", "no alert fired")}


@card("alerts-storms")
def storms(study: Study, _: pd.DataFrame) -> Words:
    """Whether alerts came in storms."""
    return {"quiet": silence(study.alerts.week, "alert storms", "no storm began")}


@card("alerts-missed")
def missed(study: Study, _: pd.DataFrame) -> Words:
    """Which incidents no alert told us of."""
    return {"begun": len(study.within(study.alerts.incidents, "start"))}
