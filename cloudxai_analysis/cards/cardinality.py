"""Cards of the tenant labels: how many, how near the cap, who came and went, whom the guard refused."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.compose import Words, card, plain
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count

__getattr__ = plain("cardinality")


@card("cardinality-tenants")
def tenants(study: Study, frame: pd.DataFrame) -> Words:
    """Active and held tenants against the cap."""
    if frame.empty:
        return {}
    every, now = study.cardinality.active_tenants, frame.iloc[-1]
    real = every["tenants"] - every["generated"]
    more = int(real.iloc[-1] - real.iloc[0])
    than = f"{abs(more)} {'more' if more >= 0 else 'fewer'}{' real ones' if now['generated'] else ''}"
    return {"now": now, "most": frame.loc[frame["tenants"].idxmax()], "more": than}


@card("cardinality-time-to-cap")
def time_to_cap(study: Study, _: pd.DataFrame) -> Words:
    """When the cap is likely to be reached, and what that stands on."""
    models = study.cardinality.back_test
    chosen = models[models["chosen"]]
    if chosen.empty:
        return {"note": "none"}
    return {"note": "known", "models": len(models), "test": chosen.iloc[0]}


@card("cardinality-rejections")
def rejections(study: Study, frame: pd.DataFrame) -> Words:
    """When the guard refused, and how often."""
    refused = frame[frame["rejections"] > 0].reset_index(drop=True)
    return {"refusals": study.cardinality.refusals, "table": refused}


@card("cardinality-churn")
def churn(study: Study, _: pd.DataFrame) -> Words:
    """How many tenants come and go from day to day."""
    return {"left_out": _left_out(study)}


@card("cardinality-sets")
def tenant_sets(study: Study, frame: pd.DataFrame) -> Words:
    """Who is new, back, still there, or gone."""
    by_set = frame["set"].value_counts()
    sets = {name: int(by_set.get(name, 0)) for name in ("new", "returning", "lost", "stayed")}
    which = "begins" if study.telemetry.begins else "known"
    return {"heading": which, "note": which, "sets": sets, "left_out": _left_out(study)}


def _left_out(study: Study) -> str:
    names = study.cardinality.unstable_identifiers["count"].sum()
    return f" {count(names, 'generated name')} are counted apart." if names else ""
