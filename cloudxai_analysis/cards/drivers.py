"""Cards of what drives the cardinality: which metrics, labels and values, and who stays."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.compose import Words, card
from cloudxai_analysis.study.study import Study


@card("cardinality-metrics")
def metrics(study: Study, frame: pd.DataFrame) -> Words:
    """Which metrics have most series, and how many came and left."""
    if frame.empty:
        return {}
    return {"heading": "begins" if study.telemetry.begins else "seen", "top": frame.iloc[0]}


@card("cardinality-savings")
def savings(_: Study, frame: pd.DataFrame) -> Words:
    """Which label could be dropped, and how many series that would save."""
    free = frame[~frame["needed"] & (frame["saving"] > 0)]
    return {"heading": "best", "best": free.iloc[0]} if len(free) else {"heading": "none"}


@card("cardinality-cohorts")
def cohorts(study: Study, _: pd.DataFrame) -> Words:
    """How long tenants stay that came, week by week."""
    lives = study.cardinality.lifetimes
    came, there = lives[~lives["already_there"]], int(lives["already_there"].sum())
    return {"heading": "came" if len(came) else "none", "came": came, "there": there}
