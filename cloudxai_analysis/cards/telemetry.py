"""Looks at the telemetry itself: what was scraped, what was missed, what restarted."""

from __future__ import annotations

from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.figures import telemetry as figures
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, span


def coverage(study: Study) -> Look:
    """How much of the time was seen, by job and day."""
    frame = study.within(study.telemetry.coverage, "day")
    days = study.within(study.telemetry.covered, "day")
    whole = study.seen.duration.total_seconds()
    seen = frame.groupby("job")["up_minutes"].sum().min() * 60
    return compose(
        study,
        "telemetry-coverage",
        check="coverage",
        measure="measures.telemetry.scrape_coverage",
        note=f"{count(int(days['covered'].sum()), 'day')} covered; {span(seen)} of {span(whole)} seen.",
        frame=frame,
        caption="Time seen by job and day",
        role="up",
        draw=lambda ax: figures.coverage_by_day(ax, frame, least=study.bounds.coverage),
        empty="no sample of `up` for the contract's jobs in this window",
    )


def gaps(study: Study) -> Look:
    """Where the scrapes have holes."""
    frame = study.telemetry.gaps
    return compose(
        study,
        "telemetry-gaps",
        check="gaps",
        measure="measures.telemetry.scrape_gaps",
        note=f"{count(frame['missing'].sum(), 'scrape')} missing in {count(len(frame), 'gap')}; "
        "what happened in them is unknown, and nothing is filled in.",
        frame=frame,
        caption="Scrape gaps",
        role="up",
        draw=lambda ax: figures.gaps_on_timeline(ax, frame, study.seen),
        empty="no gap in this window",
    )


def restarts(study: Study) -> Look:
    """Which processes started anew."""
    frame = study.telemetry.restarts
    return compose(
        study,
        "telemetry-restarts",
        check="restarts",
        measure="measures.telemetry.process_starts",
        note="A restart empties the guard's list of tenants: headroom after it is not comparable with before.",
        frame=frame,
        caption="Process starts in the window",
        role="process_start",
        empty="no process restarted in this window",
    )


def inventory(study: Study) -> Look:
    """Which metrics of the contract are there, with how many series and samples."""
    frame = study.telemetry.inventory
    present = int((frame["samples"] > 0).sum())
    return compose(
        study,
        "telemetry-inventory",
        heading=f"{present} of {count(len(frame), 'promised metric')} exported, "
        f"{count(frame['samples'].sum(), 'sample')} in {count(frame['series'].sum(), 'series', 'series')}.",
        defined="inventory",
        measure="measures.telemetry.inventory",
        note="A metric without samples is not exported by this version, or not scraped.",
        frame=frame,
        caption="Series and samples by metric, in the window",
        empty="the lake holds no metric of the contract in this window",
    )
