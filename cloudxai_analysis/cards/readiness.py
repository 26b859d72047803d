"""Looks at readiness: availability, error budget, outages, transitions, latency."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.figures import readiness as figures
from cloudxai_analysis.study.readiness import SLO_DAYS
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, moment, percent, span

NO_READINESS = "no process exported readiness in this window"


def availability(study: Study) -> Look:
    """How available the platform was, day by day."""
    daily = study.within(study.readiness.daily_availability, "day")
    week = study.readiness.availability["availability"].iloc[0]
    return compose(
        study,
        "readiness-availability",
        check="availability",
        measure="measures.readiness.daily_availability",
        note=f"In this window alone {percent(week, 3)} of what was seen; the objective is judged over 30 days.",
        frame=daily,
        caption="Availability by day",
        role="readiness",
        draw=lambda ax: figures.availability_by_day(ax, daily, slo=study.bounds.availability),
        empty=NO_READINESS,
    )


def error_budget(study: Study) -> Look:
    """How much of the error budget is used."""
    budget = study.readiness.error_budget.iloc[0]
    rolling = study.readiness.rolling_availability
    return compose(
        study,
        "readiness-budget",
        heading=f"{span(budget['used_minutes'] * 60)} of the 30-day error budget of "
        f"{span(budget['allowed_minutes'] * 60)} are used.",
        defined="availability",
        measure="measures.readiness.error_budget",
        note=f"{span(study.readiness.slo_availability['seen_minutes'].iloc[0] * 60)} of the 30 days were seen.",
        frame=rolling,
        caption="Availability of the 30 days before each day's end",
        role="readiness",
        draw=lambda ax: figures.error_budget(ax, rolling, slo=study.bounds.availability, window_days=SLO_DAYS),
        empty=NO_READINESS,
    )


def bounds(study: Study) -> Look:
    """Between which bounds availability lies, since what nobody saw is neither up nor down."""
    frame = study.readiness.bounds
    own = frame.iloc[0]
    unknown = own["unknown_minutes"] * 60
    heading = (
        f"Availability of {own['period']} is {percent(own['availability'], 3)}, {_at_worst(own)}."
        if own["seen_minutes"]
        else f"Availability of {own['period']} is unknown: nothing was seen of it."
    )
    return compose(
        study,
        "readiness-bounds",
        heading=heading,
        defined="bounds",
        measure="measures.readiness.availability",
        note=f"{span(unknown)} of it unknown, {percent(1 - own['seen_share'], 2)} of the time since "
        f"{moment(own['since'])}: all down at the lower bound, all up at the upper one.",
        frame=frame,
        caption="Availability and its bounds",
        role="readiness",
        empty=NO_READINESS,
    )


def _at_worst(row: pd.Series) -> str:
    if row["unknown_minutes"] < 1:
        return "and nothing of it is unknown"
    return f"and between {percent(row['low'], 3)} and {percent(row['high'], 3)} whatever happened unseen"


def burn(study: Study) -> Look:
    """When the error budget burnt faster than it may."""
    frame, rates = study.readiness.burn_stretches, study.readiness.burn_rates
    said = ", ".join(f"{row['burn_long']:.1f} over {row['long_hours']:g} h" for row in rates.to_dict("records"))
    return compose(
        study,
        "readiness-burn",
        check="burn",
        measure="measures.slo.burn_stretches",
        note=f"At the end of the window: {said} (1 uses up the budget in 30 days).",
        frame=frame,
        caption="Periods in which the error budget burnt too fast",
        role="readiness",
        draw=lambda ax: figures.burn_lanes(ax, frame, study.seen),
        empty="the error budget burnt nowhere faster than a pair of windows allows",
    )


def isolation(study: Study) -> Look:
    """Whether a tenant moved the global state."""
    frame = study.readiness.isolation_correlation
    strongest = frame[frame["phi"] > 0]
    note = (
        f"Strongest correlation in time: {strongest['tenant'].iloc[0]}, phi {strongest['phi'].iloc[0]:.2f}, "
        f"p {strongest['p_adjusted'].iloc[0]:.2g} after correction for {count(len(frame), 'tenant')}."
        if len(strongest)
        else "No scrape shows a tenant that was less ready while the platform was not."
    )
    return compose(
        study,
        "readiness-isolation",
        check="isolation",
        measure="measures.isolation.isolation_breaches",
        note=note,
        frame=frame,
        caption="Scrapes at which a tenant and the platform were not ready, together and apart",
        role="tenant_readiness",
        empty="no tenant was not ready in this window",
    )


def outages(study: Study) -> Look:
    """When the platform was not ready."""
    frame = study.readiness.outages
    down = study.within(study.telemetry.coverage, "day").groupby("job")["down_minutes"].sum().max()
    down_said = f", as all targets of a job were down for {span(down * 60)}" if down > 0 else ""
    return compose(
        study,
        "readiness-outages",
        check="outages",
        defined="availability",
        measure="measures.readiness.outages",
        note=f"{span(frame['minutes'].sum() * 60)} not ready in all{down_said}.",
        frame=frame,
        caption="Periods in which the platform was not ready",
        role="readiness",
        empty="no outage began in this window",
    )


def transitions(study: Study) -> Look:
    """How often global readiness flipped."""
    frame = study.within(study.readiness.transitions)
    return compose(
        study,
        "readiness-transitions",
        check="transitions",
        measure="measures.readiness.transitions",
        note=f"{count(frame['transitions'].sum(), 'transition')} in {study.observed.name}.",
        frame=frame[frame["transitions"] > 0].reset_index(drop=True),
        caption="Hours with transitions",
        role="readiness_transitions",
        draw=lambda ax: figures.transitions_by_hour(ax, frame, bound=study.bounds.transitions_per_hour),
        empty="readiness did not flip in this window",
    )


def latency(study: Study) -> Look:
    """How long the readiness check takes."""
    frame = study.within(study.readiness.check_latency)
    median = frame["seconds"].median() if len(frame) else float("nan")
    return compose(
        study,
        "readiness-latency",
        check="latency",
        measure="measures.readiness.check_latency",
        note=f"The median hour's p95 is {median * 1000:.0f} ms.",
        frame=frame,
        caption="p95 of the readiness check by hour",
        role="readiness_check",
        draw=lambda ax: figures.check_latency(ax, frame, bound=study.bounds.check_latency_seconds),
        empty="no process exported the readiness check's duration in this window",
    )


def tenant_outages(study: Study) -> Look:
    """Which tenants were not ready."""
    frame = study.readiness.tenant_outages
    return compose(
        study,
        "readiness-tenants",
        check="tenants",
        defined="tenant_outages",
        measure="measures.readiness.tenant_outages",
        note=f"{count(frame['tenant'].nunique(), 'tenant')}, {count(len(frame), 'time')}, "
        f"{span(frame['minutes'].sum() * 60)} in all.",
        frame=frame,
        caption="Periods in which a tenant was not ready",
        role="tenant_readiness",
        draw=lambda ax: figures.tenant_outages(ax, frame, study.seen),
        empty="no tenant was seen not ready in this window",
    )
