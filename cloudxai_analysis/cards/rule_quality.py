"""Looks at the rules: which to fix first, how its rate moved, what fires together, who was woken, how soon."""

from __future__ import annotations

from cloudxai_analysis.cards.alerts import silence
from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.checks.alerts import BAD, GOOD, of_all, rule_verdicts
from cloudxai_analysis.figures import alerts as figures
from cloudxai_analysis.measures.judgement import wilson_interval
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, short


def rules(study: Study) -> Look:
    """Which rule to fix first, and why: what each adds against its noise."""
    overview = study.alerts.rule_overview
    verdict = rule_verdicts(overview, bound=study.bounds.false_positive_rate)["verdict"]
    frame = overview.assign(verdict=verdict)
    frame = frame[["alertname", "severity", "verdict", *overview.columns[2:]]]
    bad, good = int((verdict == BAD).sum()), int((verdict == GOOD).sum())
    return compose(
        study,
        "alerts-rules",
        check="rules",
        measure="measures.rule_quality.rule_overview",
        note=f"By the end of the interval and not by the rate, {bad} of {count(len(frame), 'rule')} are bad and {good} "
        "good; of the others too little is known.",
        frame=frame,
        caption="What each rule caught and what it cost, 28 days, the heaviest first",
        role="alerts",
        draw=lambda ax: figures.worth_and_noise(ax, frame),
        empty=silence(study.alerts.month, "alerts", "no alert fired"),
    )


def trend(study: Study) -> Look:
    """Whether the rules become better: 28 days against the 28 days that ended a week earlier."""
    frame, pooled = study.alerts.weekly_rates, study.alerts.weekly_pooled
    told = [
        f"{row.false_positives} of {count(row.trials, 'alert group')} false, {of_all(row.rate, row.low, row.high)}"
        if row.trials
        else "no judged alert group"
        for row in pooled.tail(2)[::-1].itertuples()
    ]
    change = f" {str(pooled['change'].iloc[-1]).capitalize()}." if len(pooled) and pooled["change"].iloc[-1] else ""
    earlier = f"; a week earlier {told[1]}" if len(told) > 1 else ", and nothing a week earlier to compare with"
    return compose(
        study,
        "alerts-trend",
        heading=f"Rules that wake someone, over 28 days: {told[0]}{earlier}.{change}"
        if told
        else f"No trend is known: 28 days were not yet seen at the end of {study.window.name}.",
        defined="rule_trend",
        measure="measures.rule_quality.weekly_rates",
        note="Each point stands for the 28 days that end with its week, for one alone has too few alert groups. Better "
        "or worse is said where two intervals do not meet.",
        frame=frame,
        caption="False-positive rate by rule, over the 28 days that end with each ISO week",
        role="alerts",
        draw=lambda ax: figures.weekly_rates(ax, frame, bound=study.bounds.false_positive_rate),
        empty="28 days with alerts were not yet seen",
        size=(7.2, 4.2),
    )


def shifts(study: Study) -> Look:
    """How often each shift was woken."""
    frame, zone = study.alerts.pages_by_shift, study.environment.settings.zone
    pages, false = frame["pages"].sum(), frame["false_pages"].sum()
    calm, watched = int((frame["pages"] == 0).sum()), study.alerts.month
    blind = "" if pages else watched.blind("pages", rules=study.alerts.paging_rules)
    return compose(
        study,
        "alerts-shifts",
        heading=blind
        or f"{count(pages, 'page')} in {count(len(frame), 'shift')} of {watched.period}"
        + (f": {frame['true_pages'].sum()} judged true, {false} false." if pages else "."),
        defined="oncall",
        measure="measures.pages.pages_by_shift",
        note="Shifts change at 08:00 and 20:00."
        if blind
        else f"{count(calm, 'shift')} had none; {frame['at_night'].sum()} pages came between 22:00 and 08:00 ({zone}). "
        "Shifts change at 08:00 and 20:00.",
        frame=frame,
        caption="Pages by on-call shift, 28 days",
        role="alerts",
        draw=None if blind else lambda ax: figures.pages_by_shift(ax, frame, zone=zone),
        empty="no shift in this window",
    )


def together(study: Study) -> Look:
    """Which rules tell of the same thing."""
    pairs, groups = study.alerts.cofiring_pairs, study.alerts.cofiring_groups
    number = int(groups["group"].max()) if len(groups) else 0
    first = groups[groups["group"] == 1]["alertname"] if number else groups["alertname"]
    said = f": {', '.join(short(name) for name in first.head(5))}" if number else ""
    return compose(
        study,
        "alerts-together",
        heading=f"{count(number, 'group')} of rules that fire together{said}."
        if len(pairs)
        else f"{silence(study.alerts.month, 'alerts that fired together', 'No two rules fired together')}.",
        defined="cofiring",
        measure="measures.cofiring.cofiring_pairs",
        note="One rule of a group could tell for all; the others could be inhibited while it fires.",
        frame=pairs,
        caption="Pairs of rules by how often one began while the other fired, 28 days",
        role="alerts",
        empty=silence(study.alerts.month, "alerts that fired together", "no two rules fired together"),
    )


def response(study: Study) -> Look:
    """How soon rules tell of an incident, how soon people take it up, and how long alerts outlast it."""
    frame = study.alerts.recall
    named, caught = frame["incidents"].sum(), frame["caught"].sum()
    taken_up = frame["acknowledged"].sum()
    return compose(
        study,
        "alerts-response",
        heading=f"{caught} of {count(named, 'alert')} that incidents of {study.alerts.month.period} should have raised "
        f"came: {of_all(caught / named, *wilson_interval(caught, named))}."
        if named
        else f"No incident of the ledger in {study.alerts.month.period} names a rule that should have told of it.",
        defined="response",
        measure="measures.judgement.recall",
        note=f"Of {count(caught, 'alert')} that came, {taken_up} have a time in the ledger at which people took up the "
        "incident.",
        frame=frame,
        caption="Recall, detection, acknowledgement and reset by rule, 28 days, in seconds",
        role="alerts",
        empty="no incident of the 28 days names a rule",
    )


def near_misses(study: Study) -> Look:
    """Which rules were pending in an incident and never caught it."""
    frame = study.alerts.near_misses
    watched, every = study.alerts.month, count(len(study.alerts.judged_incidents), "incident")
    return compose(
        study,
        "alerts-near-misses",
        heading=f"{count(len(frame), 'near miss', 'near misses')} in {frame['id'].nunique()} of {every} of "
        f"{watched.period}."
        if len(frame)
        else f"{silence(watched, 'near misses', f'0 near misses in {every}')}."
        if len(study.alerts.judged_incidents)
        else f"The ledger holds no incident of {watched.period} in which a rule could have been near.",
        defined="near_misses",
        measure="measures.rule_quality.near_misses",
        note="A `for` shorter than the longest pending time would have let the rule fire.",
        frame=frame,
        caption="Rules that were pending in an incident and did not catch it",
        role="alerts",
        empty=silence(watched, "near misses", "no rule is stored as pending in an incident without firing"),
    )


def duplicates(study: Study) -> Look:
    """Which faults several instances told of at once."""
    frame = study.alerts.duplicates
    more, watched = (frame["episodes"] - 1).sum(), study.alerts.month
    return compose(
        study,
        "alerts-duplicates",
        heading=f"{count(more, 'alert')} of {watched.period} told what another instance was telling."
        if len(frame)
        else f"{silence(watched, 'duplicates', '0 alerts told what another instance was telling')}.",
        defined="duplicates",
        measure="measures.rule_quality.duplicates",
        note="A rule that aggregates over the instances, or a route that groups by rule and tenant, tells it once.",
        frame=frame,
        caption="Episodes of one rule and tenant that fired at once on several instances",
        role="alerts",
        empty=silence(watched, "duplicates", "no rule fired at once on several instances"),
    )
