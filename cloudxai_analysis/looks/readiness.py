"""Looks at readiness: availability, error budget, outages, transitions, latency."""

from __future__ import annotations

from cloudxai_analysis.figures import readiness as figures
from cloudxai_analysis.looks import Look
from cloudxai_analysis.looks.compose import compose
from cloudxai_analysis.phrases import count, percent
from cloudxai_analysis.study import Study

NO_READINESS = "no process exported readiness in this window"


def availability(study: Study) -> Look:
    """How available the platform was, day by day."""
    daily = study.within(study.readiness.daily_availability, "day")
    week = study.readiness.availability["availability"].iloc[0]
    return compose(
        study,
        "readiness-availability",
        check="availability",
        defined="availability",
        measure="measures.readiness.daily_availability",
        note=f"In this window alone {percent(week, 3)}; the objective is judged over 30 days.",
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
        heading=f"{budget['used_minutes']:.0f} of {budget['allowed_minutes']:.0f} minutes of the 30-day error budget "
        "are used.",
        defined="availability",
        measure="measures.readiness.error_budget",
        note=f"{percent(budget['remaining_share'], 0)} of the budget remains.",
        frame=rolling,
        caption="Availability of the 30 days before each day's end",
        role="readiness",
        draw=lambda ax: figures.error_budget(ax, rolling, slo=study.bounds.availability),
        empty=NO_READINESS,
    )


def outages(study: Study) -> Look:
    """When the platform was not ready."""
    frame = study.readiness.outages
    return compose(
        study,
        "readiness-outages",
        check="outages",
        defined="availability",
        measure="measures.readiness.outages",
        note=f"{count(frame['not_ready_samples'].sum(), 'sample')} not ready in all.",
        frame=frame,
        caption="Stretches in which the platform was not ready",
        role="readiness",
        empty="the platform was ready at every scrape of this window",
    )


def transitions(study: Study) -> Look:
    """How often global readiness flipped."""
    frame = study.within(study.readiness.transitions)
    return compose(
        study,
        "readiness-transitions",
        check="transitions",
        defined="transitions",
        measure="measures.readiness.transitions",
        note=f"{count(frame['transitions'].sum(), 'transition')} in the window.",
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
        defined="latency",
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
        measure="measures.readiness.outages",
        note=f"{count(frame['tenant'].nunique(), 'tenant')} in {count(len(frame), 'stretch', 'stretches')}; "
        "most are single samples.",
        frame=frame,
        caption="Stretches in which a tenant was not ready",
        role="tenant_readiness",
        draw=lambda ax: figures.tenant_outages(ax, frame, study.seen),
        empty="every tenant was ready at every scrape of this window",
    )
