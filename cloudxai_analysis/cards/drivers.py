"""Looks at what drives the cardinality: which metrics, labels and values, who stays, and when the level changed."""

from __future__ import annotations

from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.figures import cardinality as figures
from cloudxai_analysis.measures.shifts import LEVEL_DAYS
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, percent

NO_SERIES = "no series of the contract was seen"


def metrics(study: Study) -> Look:
    """Which metrics have most series, and how many came and left."""
    frame = study.cardinality.series_by_metric
    total = frame["series"].sum()
    came = f"{frame['newcomers'].sum():,} of all came in {study.window.name}"
    if study.telemetry.begins:
        came = f"which of them are new is unknown, as the telemetry begins in {study.window.name}"
    heading = (
        f"{frame['metric'].iloc[0]} has most series, {frame['series'].iloc[0]:,} of {total:,}; {came}, "
        f"{frame['leavers'].sum():,} left."
        if len(frame)
        else "No series was seen."
    )
    return compose(
        study,
        "cardinality-metrics",
        heading=heading,
        defined="series",
        measure="measures.drivers.series_by_metric",
        note="A series is one label set of one metric, of those that the contract names; it has left when its last "
        "sample is over an hour older than the newest.",
        frame=frame,
        caption="Series by metric",
        draw=lambda ax: figures.series_by_metric(ax, frame),
        empty=NO_SERIES,
        size=(7.2, 4.6),
    )


def values(study: Study) -> Look:
    """Which values of which labels stand on most series."""
    frame = study.cardinality.series_by_value
    most = frame[~frame["value"].str.startswith("… ")].sort_values("series", ascending=False)
    heading = (
        f"Of {count(frame['label'].nunique(), 'label')} the value {most['label'].iloc[0]}={most['value'].iloc[0]} "
        f"stands on most series: {percent(most['share'].iloc[0], 0)}."
        if len(most)
        else "No series was seen."
    )
    return compose(
        study,
        "cardinality-values",
        heading=heading,
        defined="series",
        measure="measures.drivers.series_by_value",
        note="The twenty values of each label with most series, and the rest as one; over the whole history.",
        frame=frame,
        caption="Series by label and value",
        empty=NO_SERIES,
    )


def savings(study: Study) -> Look:
    """Which label could be dropped, and how many series that would save."""
    frame = study.cardinality.label_savings
    free = frame[~frame["needed"] & (frame["saving"] > 0)]
    generated = study.cardinality.generated_series
    if len(free):
        best = free.iloc[0]
        heading = (
            f"Without its label {best['label']}, {best['metric']} would have {best['saving']:,} series fewer, "
            f"{percent(best['saving_share'], 0)} of its own."
        )
    else:
        heading = "No label but those that the platform is about could be dropped to save series."
    names = (
        f"Generated names stand on {count(generated, 'series', 'series')}; a stable name in their place would "
        "save nearly all of them."
        if generated
        else "No series carries a generated name."
    )
    return compose(
        study,
        "cardinality-savings",
        heading=heading,
        defined="savings",
        measure="measures.drivers.label_savings",
        note=names,
        frame=frame,
        caption="Series that each label makes, and what is left without it",
        empty=NO_SERIES,
    )


def cohorts(study: Study) -> Look:
    """How long tenants stay that came, week by week."""
    frame, survival = study.cardinality.cohorts, study.cardinality.survival
    lives = study.cardinality.lifetimes
    came = lives[~lives["already_there"]]
    heading = (
        f"Of {count(len(came), 'tenant')} that came in these weeks, {came['gone'].sum()} are gone again."
        if len(came)
        else "No tenant came in these weeks."
    )
    return compose(
        study,
        "cardinality-cohorts",
        heading=heading,
        defined="cohorts",
        measure="measures.cohorts.tenant_cohorts",
        note=f"There before the telemetry begins: {count(int(lives['already_there'].sum()), 'tenant')}, of an age that "
        "is not known; the curve leaves them out. Generated names are counted apart.",
        frame=frame,
        caption="Tenants of each week's cohort that are still seen so many weeks later",
        role="tenant_readiness",
        draw=(lambda ax: figures.survival(ax, survival)) if len(survival) else None,
        empty="no tenant was seen",
    )


def level_shifts(study: Study) -> Look:
    """When the number of tenants changed its level."""
    daily, frame = study.cardinality.churn, study.cardinality.level_shifts
    known = study.cardinality.level_days["tenants"]
    if len(frame):
        last = frame.iloc[-1]
        change = f"from {last['before']:,.0f} to {last['after']:,.0f}"
        heading = f"The daily number of tenants went to another level on {last['day']:%a %-d %b}: {change}."
    elif len(known) < 2 * LEVEL_DAYS or not known.any():
        heading = (
            "Whether the daily number of tenants changed its level is unknown: too few days with tenants were seen."
        )
    else:
        heading = "The daily number of tenants kept to its level."
    return compose(
        study,
        "cardinality-shifts",
        heading=heading,
        defined="shifts",
        measure="measures.shifts.level_shifts",
        note=f"{count(len(known), 'covered day')} judged; a level lasts four days or more and differs "
        "by 15 % or more. Generated names are left out.",
        frame=frame,
        caption="Level shifts of the daily number of tenants",
        role="tenant_readiness",
        draw=lambda ax: figures.level_shifts(ax, daily, "tenants", frame, noun="tenants"),
        empty="no other level was found",
    )
