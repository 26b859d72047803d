"""Looks at the alerts: what fired, what of it was true, what was missed."""

from __future__ import annotations

from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.checks.alerts import over_the_edge
from cloudxai_analysis.figures import alerts as figures
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.study.watched import Watched
from cloudxai_analysis.words.phrases import count, short


def silence(watched: Watched, what: str, quiet: str) -> str:
    """`quiet`, where that nothing of `what` is stored tells that there was none; else why it does not."""
    return watched.blind(what).rstrip(".") or f"{quiet} in {watched.period}"


def episodes(study: Study) -> Look:
    """What fired in the window, and whether it was true."""
    frame = study.alerts.week_episodes
    judgements = frame["judgement"].value_counts()
    said = ", ".join(f"{number} {judgement}" for judgement, number in judgements.items())
    heading = f"{count(len(frame), 'alert episode')} stored that began in {study.alerts.week.period}."
    earlier = study.alerts.episodes.rename(columns={"fired_at": "start", "resolved_at": "end"})
    for row in study.going_on(earlier).sort_values("end").tail(1).itertuples():
        whose = f" of {short(row.tenant)}" if row.tenant else ""
        heading += f" {short(row.alertname)}{whose}, {over_the_edge(row.start, row.end, study.seen)}."
    return compose(
        study,
        "alerts-episodes",
        heading=heading,
        defined="episodes",
        measure="measures.judgement.judged",
        note=f"By judgement: {said}.",
        frame=frame,
        caption="Alert episodes of the window",
        role="alerts",
        draw=lambda ax: figures.episodes_on_timeline(ax, frame, study.seen),
        empty=silence(study.alerts.week, "alerts", "no alert fired"),
    )


def false_positives(study: Study) -> Look:
    """How often each rule cries wolf."""
    frame = study.alerts.false_positives
    groups, all_of = frame["trials"].sum(), study.alerts.month.period
    return compose(
        study,
        "alerts-false-positives",
        check="false_positives",
        measure="measures.judgement.false_positive_rates",
        note=f"{count(groups, 'judged alert group')} of {count(len(frame), 'rule')} in {all_of}"
        + ("; a wide interval means few of them, or several of one cause." if groups else "."),
        frame=frame,
        caption="False-positive rate by rule, 28 days, 95 % interval",
        role="alerts",
        draw=lambda ax: figures.false_positive_rates(ax, frame, bound=study.bounds.false_positive_rate),
        empty=silence(study.alerts.month, "alerts", "no alert fired"),
    )


def noise(study: Study) -> Look:
    """Which rules fire often, briefly, or at night."""
    frame = study.alerts.noise
    night, brief = frame["at_night"].sum(), frame["short_lived"].sum()
    return compose(
        study,
        "alerts-noise",
        check="noise",
        measure="measures.alerts.weekly_noise",
        note=f"In {study.alerts.week.period} {count(night, 'stored episode')} began at night (22:00 to 08:00, "
        f"{study.environment.settings.zone}), {brief} lasted less than five minutes.",
        frame=frame,
        caption="Episodes by rule, in the window",
        role="alerts",
        draw=lambda ax: figures.noise_by_rule(ax, frame),
        empty=silence(study.alerts.week, "alerts", "no alert fired"),
    )


def storms(study: Study) -> Look:
    """Whether alerts came in storms."""
    return compose(
        study,
        "alerts-storms",
        check="storms",
        measure="measures.alerts.storms",
        note=f"A storm is more than what is usual in {study.alerts.month.period}.",
        frame=study.within(study.alerts.storms, "start"),
        caption="Alert storms",
        role="alerts",
        empty=silence(study.alerts.week, "alert storms", "no storm began"),
    )


def missed(study: Study) -> Look:
    """Which incidents no alert told us of."""
    begun = study.within(study.alerts.incidents, "start")
    return compose(
        study,
        "alerts-missed",
        check="missed",
        measure="measures.judgement.missed_incidents",
        note=f"{count(len(begun), 'incident')} of the ledger began in {study.alerts.week.period}.",
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
        measure="measures.flapping.tenant_flapping",
        note="More than 10 transitions of one tenant within 10 minutes, which are in the table; or three episodes of "
        "one alert within 60 minutes.",
        frame=study.within(study.alerts.flapping_tenants, "start"),
        caption="Flapping tenants",
        role="tenant_transitions",
        empty=f"no counted transition shows that a tenant flapped in {study.alerts.week.period}",
    )
