"""Cards of readiness: availability, error budget, outages, transitions, latency."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.compose import Words, card, maker, plain
from cloudxai_analysis.study.readiness import SLO_DAYS
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import span

__getattr__ = plain("readiness")
tenant_outages = maker("readiness-tenants")


@card("readiness-budget")
def error_budget(study: Study, _: pd.DataFrame) -> Words:
    """How much of the error budget is used."""
    budget, seen = study.readiness.error_budget.iloc[0], study.readiness.slo_availability["seen_minutes"].iloc[0]
    used, allowed = budget["used_minutes"] * 60, budget["allowed_minutes"] * 60
    return {"used": used, "allowed": allowed, "seen_of_it": seen * 60, "days": SLO_DAYS}


@card("readiness-bounds")
def bounds(_: Study, frame: pd.DataFrame) -> Words:
    """Between which bounds availability lies, since what nobody saw is neither up nor down."""
    own = frame.iloc[0]
    known = "unseen" if own["unknown_minutes"] >= 1 else "whole"
    return {"heading": known if own["seen_minutes"] else "unknown", "own": own}


@card("readiness-burn")
def burn(study: Study, _: pd.DataFrame) -> Words:
    """When the error budget burnt faster than it may."""
    rates = study.readiness.burn_rates.itertuples()
    return {"said": ", ".join(f"{row.burn_long:.1f} over {row.long_hours:g} h" for row in rates)}


@card("readiness-outages")
def outages(study: Study, _: pd.DataFrame) -> Words:
    """When the platform was not ready."""
    down = study.within(study.telemetry.coverage, "day").groupby("job")["down_minutes"].sum().max()
    return {"down": f", as all targets of a job were down for {span(down * 60)}" if down > 0 else ""}


@card("readiness-transitions")
def transitions(_: Study, frame: pd.DataFrame) -> Words:
    """How often global readiness flipped."""
    return {"table": frame[frame["transitions"] > 0].reset_index(drop=True)}
