"""Looks at the alerts: what fired, what of it was true, what was missed."""

from __future__ import annotations

from cloudxai_analysis.figures import alerts as figures
from cloudxai_analysis.looks import Look
from cloudxai_analysis.looks.compose import compose
from cloudxai_analysis.phrases import count, percent
from cloudxai_analysis.study import Study


def episodes(study: Study) -> Look:
    """What fired in the window, and whether it was true."""
    frame = study.alerts.week_episodes
    judgements = frame["judgement"].value_counts()
    said = ", ".join(f"{number} {judgement}" for judgement, number in judgements.items())
    return compose(
        study,
        "alerts-episodes",
        heading=f"{count(len(frame), 'alert episode')} fired in {study.window.name}.",
        defined="episodes",
        measure="measures.judgement.judged",
        note=f"By judgement: {said}." if said else "Nothing fired, which is a number, not a gap.",
        frame=frame,
        caption="Alert episodes of the window",
        role="alerts",
        draw=lambda ax: figures.episodes_on_timeline(ax, frame, study.seen),
        empty="no alert fired in this window",
    )


def false_positives(study: Study) -> Look:
    """How often each rule cries wolf."""
    frame = study.alerts.false_positives
    trials, judged = frame["trials"].sum(), frame["episodes"].sum()
    return compose(
        study,
        "alerts-false-positives",
        check="false_positives",
        defined="false_positives",
        measure="measures.judgement.false_positive_rates",
        note=f"{count(trials, 'trial')} from {count(judged, 'episode')} in 28 days; a wide interval means few trials.",
        frame=frame,
        caption="False-positive rate by rule, 28 days, 95 % Wilson interval",
        role="alerts",
        draw=lambda ax: figures.false_positive_rates(ax, frame, bound=study.bounds.false_positive_rate),
        empty="no alert fired in the 28 days",
    )


def noise(study: Study) -> Look:
    """Which rules fire often, briefly, or at night."""
    frame = study.alerts.noise
    night, brief = frame["at_night"].sum(), frame["short_lived"].sum()
    return compose(
        study,
        "alerts-noise",
        check="noise",
        defined="noise",
        measure="measures.alerts.weekly_noise",
        note=f"In the window {count(night, 'episode')} began at night (22:00 to 08:00, "
        f"{study.environment.settings.zone}), {brief} lasted less than five minutes.",
        frame=frame,
        caption="Episodes by rule, in the window",
        role="alerts",
        draw=lambda ax: figures.noise_by_rule(ax, frame),
        empty="no alert fired in this window",
    )


def storms(study: Study) -> Look:
    """Whether alerts came in storms."""
    return compose(
        study,
        "alerts-storms",
        check="storms",
        defined="episodes",
        measure="measures.alerts.storms",
        note="A storm is 10 episodes or more begun within 10 minutes, and five times what is usual.",
        frame=study.alerts.storms,
        caption="Alert storms",
        role="alerts",
        empty="no storm in this window",
    )


def missed(study: Study) -> Look:
    """Which incidents no alert told us of."""
    recall = study.alerts.recall
    named, caught = recall["incidents"].sum(), recall["caught"].sum()
    share = percent(caught / named, 0) if named else "no data"
    return compose(
        study,
        "alerts-missed",
        check="missed",
        defined="missed",
        measure="measures.judgement.missed_incidents",
        note=f"Over 28 days {caught:.0f} of {count(named, 'alert')} that incidents should have raised came ({share}).",
        frame=study.alerts.missed_incidents,
        caption="Incidents without an alert",
        role="alerts",
        empty="no incident of the ledger went without an alert in this window",
    )


def flapping(study: Study) -> Look:
    """Which tenants flapped between ready and not ready."""
    return compose(
        study,
        "alerts-flapping",
        check="flapping",
        defined="episodes",
        measure="measures.flapping.tenant_flapping",
        note="Flapping is more than 10 transitions of one tenant within 10 minutes.",
        frame=study.alerts.flapping_tenants,
        caption="Flapping tenants",
        role="tenant_transitions",
        empty="no tenant flapped in this window",
    )
