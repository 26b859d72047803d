"""Looks at the tenant labels: how many, how near the cap, who came and went, whom the guard refused."""

from __future__ import annotations

from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.checks import judge
from cloudxai_analysis.figures import cardinality as figures
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import apart, between, count, moment, percent


def tenants(study: Study) -> Look:
    """Active and held tenants against the cap."""
    topic, cap = study.cardinality, study.contract.tenant_cap
    active, held = study.within(topic.active_tenants), topic.held
    labels, names = active[["tenants", "generated"]].iloc[-1] if len(active) else (0, 0)
    most = active.loc[active["tenants"].idxmax(), ["tenants", "generated"]] if len(active) else (0, 0)
    real = topic.active_tenants["tenants"] - topic.active_tenants["generated"]
    more = int(real.iloc[-1] - real.iloc[0]) if len(real) else 0
    return compose(
        study,
        "cardinality-tenants",
        heading=f"{apart(labels, names)} when last seen; {abs(more)} {'more' if more >= 0 else 'fewer'}"
        f"{' real ones' if names else ''} than when tenants were first seen."
        if len(active)
        else f"No tenant was seen in {study.observed.name}.",
        defined="tenants",
        measure="measures.cardinality.active_tenants",
        note=f"Most in one hour of this window: {apart(*most)} over all processes; the cap is {cap} a process.",
        frame=active,
        caption="Active tenants by hour",
        role="tenant_readiness",
        draw=lambda ax: figures.tenants_and_cap(
            ax, topic.active_tenants, held, cap=cap, events=study.telemetry.restarts
        ),
        empty="no tenant exported readiness in this window",
    )


def headroom(study: Study) -> Look:
    """How many tenant labels are left before the guard refuses."""
    frame, bound = study.within(study.cardinality.headroom), judge.bound_of(study, "headroom") or 0.0
    least = frame["headroom"].min() if len(frame) else float("nan")
    return compose(
        study,
        "cardinality-headroom",
        check="headroom",
        measure="measures.cardinality.headroom",
        note=f"The least of the window was {count(least, 'label')} of {study.contract.tenant_cap}.",
        frame=frame,
        caption="Headroom by hour, of the process with the least",
        role="tenant_readiness",
        draw=lambda ax: figures.headroom_over_time(
            ax, study.cardinality.headroom, cap=study.contract.tenant_cap, bound=bound
        ),
        empty="no held tenants are known in this window",
    )


def time_to_cap(study: Study) -> Look:
    """When the cap is likely to be reached, and what that stands on."""
    topic = study.cardinality
    test = topic.back_test[topic.back_test["chosen"]]
    note = (
        f"Of {count(len(topic.back_test), 'model')} '{test['model'].iloc[0]}' did best over "
        f"{count(test['origins'].iloc[0], 'back-test')} of {test['days_ahead'].iloc[0]} days: its own 80 % interval "
        f"held {percent(test['covered80'].iloc[0], 0)} of them and was widened by {test['widened'].iloc[0]:.2f}. "
        "A restart frees all labels and is not foreseen."
        if len(test)
        else "A forecast needs 21 days whose arrivals are known."
    )
    return compose(
        study,
        "cardinality-time-to-cap",
        check="time_to_cap",
        measure="measures.time_to_cap.time_to_cap",
        note=note,
        frame=topic.held_ahead,
        caption="Held tenants ahead, by day: median, 80 % and 95 % intervals",
        role="tenant_readiness",
        draw=lambda ax: figures.held_ahead(
            ax, topic.daily_arrivals, topic.held_ahead, topic.time_to_cap, cap=study.contract.tenant_cap
        ),
        empty="too little history to forecast from",
    )


def back_test(study: Study) -> Look:
    """How the models of the forecast did on days that are known."""
    frame = study.cardinality.back_test
    return compose(
        study,
        "cardinality-back-test",
        heading=f"The forecast is made by '{frame['model'].iloc[0]}', which lost least in the back-test."
        if len(frame)
        else "No model could be back-tested.",
        defined="time_to_cap",
        measure="measures.forecast.forecast_sums",
        note="Each model was asked for the arrivals of the seven days after days that have passed. Loss is the mean "
        "pinball loss at 10, 50 and 90 %, in tenants.",
        frame=frame,
        caption="Back-test of the arrivals' models",
        role="tenant_readiness",
        empty="too little history to forecast from",
    )


def rejections(study: Study) -> Look:
    """When the guard refused, and how often."""
    frame = study.within(study.cardinality.rejections)
    refusals = study.cardinality.refusals
    return compose(
        study,
        "cardinality-rejections",
        check="rejections",
        measure="measures.cardinality.rejections",
        note=f"{count(refusals['inside'].sum(), 'refused request')} in "
        f"{count(len(refusals), 'period')}. While a guard refuses, figures per tenant may be too low.",
        frame=frame[frame["rejections"] > 0].reset_index(drop=True),
        caption="Hours with rejections",
        role="rejections",
        draw=lambda ax: figures.rejections_by_hour(ax, frame),
        empty="the guard refused nothing in this window",
    )


def tainted(study: Study) -> Look:
    """Which numbers are short while a guard refuses labels, and by how much."""
    stretches = study.cardinality.tainted
    most = stretches["missing_most"].sum(skipna=False)
    heading = (
        f"Refused tenants may be missing from numbers per tenant from {moment(stretches['start'].min())} to "
        f"{moment(stretches['until'].max())}: {between(stretches['missing_least'].sum(), most)}."
        if len(stretches)
        else "No number of this window is short of refused tenants."
    )
    return compose(
        study,
        "cardinality-tainted",
        heading=heading,
        defined="tainted",
        measure="measures.taint.tainted_stretches",
        note="Too low may be numbers of tenants, their churn, readiness, flapping and alerts; costs are not, since a "
        "refused request does no work, nor are global readiness, coverage and headroom.",
        frame=stretches,
        caption="Periods in which refused tenants are missing",
        role="rejections",
        draw=lambda ax: figures.tainted_lanes(ax, stretches, window=study.seen),
        empty="no guard refused a label in this window or before it",
    )


def guard(study: Study) -> Look:
    """Whether the guard keeps its two promises."""
    return compose(
        study,
        "cardinality-guard",
        check="guard",
        measure="measures.guard.guard_invariants",
        note="A tenant admitted and removed between two scrapes is not seen; the scrape interval bounds this check. "
        f"{count(int(study.cardinality.guard_hours['gap'].sum()), 'hour')} of the processes touch a scrape gap.",
        frame=study.cardinality.guard,
        caption="Invariants I1 and I2 by process",
        role="rejections",
        empty="no process exported tenants in this window",
    )


def churn(study: Study) -> Look:
    """How many tenants come and go from day to day."""
    frame = study.within(study.cardinality.churn, "day")
    return compose(
        study,
        "cardinality-churn",
        check="churn",
        measure="measures.cardinality.tenant_churn",
        note=f"{count(frame['came'].sum(), 'arrival')} and {count(frame['left'].sum(), 'departure')} on "
        f"{count(frame['churn'].notna().sum(), 'day')} of which the churn is known.{_left_out(study)}",
        frame=frame,
        caption="Churn by day",
        role="tenant_readiness",
        draw=lambda ax: figures.churn_by_day(ax, frame, bound=study.bounds.daily_churn),
        empty="no covered day in this window",
    )


def tenant_sets(study: Study) -> Look:
    """Who is new, back, still there, or gone."""
    frame = study.cardinality.tenant_sets
    by_set = frame["set"].value_counts()
    new, back, lost = (int(by_set.get(name, 0)) for name in ("new", "returning", "lost"))
    return compose(
        study,
        "cardinality-sets",
        heading=f"{count(len(frame), 'tenant')}; which are new is unknown, as telemetry begins in {study.window.name}."
        if study.telemetry.begins
        else f"{count(new, 'new tenant')}, {back} returning, {lost} lost.",
        defined="tenant_sets",
        measure="measures.cardinality.tenant_sets",
        note="Nothing is known of the week before."
        if study.telemetry.begins
        else f"{count(int(by_set.get('stayed', 0)), 'tenant')} stayed from the week before.{_left_out(study)}",
        frame=frame,
        caption="Tenants by set",
        role="tenant_readiness",
        draw=lambda ax: figures.tenant_sets_by_week(ax, study.cardinality.tenant_sets_by_week),
        empty="no tenant was seen in this window or the week before",
    )


def identifiers(study: Study) -> Look:
    """Which tenant labels look generated."""
    return compose(
        study,
        "cardinality-identifiers",
        check="identifiers",
        measure="measures.identifiers.unstable_identifiers",
        note="Generated labels use up the cap for everybody until the process restarts.",
        frame=study.cardinality.unstable_identifiers,
        caption="Generated names by stem and shape",
        role="tenant_readiness",
        empty="no generated name is among the tenant labels of this window",
    )


def _left_out(study: Study) -> str:
    names = study.cardinality.unstable_identifiers["count"].sum()
    return f" {count(names, 'generated name')} are counted apart." if names else ""
