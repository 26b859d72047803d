"""Checks of readiness: the objective and its budget, outages, transitions, latency, tenants, the ledger's incidents."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.checks.alerts import declared, went_on
from cloudxai_analysis.checks.finding import Case, Found, Words, events_of, finds, found, largest
from cloudxai_analysis.ground.window import DAY
from cloudxai_analysis.measures.readiness import OUTAGE_MINUTES, TENANT_MINUTES
from cloudxai_analysis.study.alerts import ONE_DAY
from cloudxai_analysis.words.phrases import count, day, moment, percent, short, span

BUDGET_NEARLY_USED = 0.1


@finds("availability")
def availability(case: Case) -> Found:
    """Whether the objective is met: the availability of the time seen.

    It passes where it is met even if all unknown time was down, and fails where it cannot be met
    any more.
    """
    topic, slo = case.study.readiness, case.bound
    measured, left, window = topic.slo_availability.iloc[0], topic.error_budget.iloc[0], topic.slo_window
    days, seen, used = round(window.duration / DAY), measured["seen_minutes"] * 60, left["used_minutes"] * 60
    if not seen:
        return found("nothing", days=days, until=window.end)
    share, allowed = float(measured["availability"]), left["allowed_minutes"] * 60
    words: Words = {"days": days, "seen": seen, "used": used, "allowed": allowed, "allowed_seen": (1 - slo) * seen}
    # What the whole period allows may be used up long before it is over.
    lost = measured["high"] < slo and (seen >= ONE_DAY or used > allowed)
    if not lost and seen < ONE_DAY:
        return found("early", share, down=f"{span(used)} of it not ready" if used else "ready in all of it", **words)
    basis = f"{days} days" if seen >= (days - 0.5) * DAY.total_seconds() else f"the {span(seen)} seen"
    words["said"] = f"Ready for {percent(share, 3)} of {basis} against an objective of {percent(slo, 1)}"
    if not lost and measured["low"] < slo:
        unseen = measured["unknown_minutes"] * 60
        return found("between", share, unseen=unseen, low=measured["low"], high=measured["high"], **words)
    answer = "lost" if lost else "nearly" if left["remaining_share"] < BUDGET_NEARLY_USED else "met"
    since = None if answer == "met" else max(measured["since"], pd.Timestamp(window.start))
    return found(answer, share, since=since, **words)


@finds("outages")
def outages(case: Case) -> Found:
    """Whether the platform was not ready for more than a minute at once: the minutes of what began in the window."""
    study, window = case.study, case.study.seen
    measured, every = study.readiness.availability.iloc[0], study.readiness.outages
    seen, not_ready = measured["seen_minutes"] * 60, measured["not_ready_minutes"] * 60
    if not seen:
        return found("nothing")
    before = study.going_on(study.readiness.outage_history)
    long, before = (frame[frame["minutes"] > OUTAGE_MINUTES] for frame in (every, before))
    if long.empty and before.empty:
        whole = window.duration.total_seconds() - seen < 60
        said = window.name if whole else f"the {span(seen)} seen of {window.name}"
        said += f", but for {span(not_ready)}" if not_ready else ""
        if seen < ONE_DAY:
            return found("early", said=said)
        return (
            found("ready", 0, said=said)
            if measured["seen_share"] >= study.bounds.coverage
            else found("little", said=said)
        )
    told = []
    if len(long):
        top, many = largest(long, "minutes"), f"{len(long)} times, longest " if len(long) > 1 else ""
        still = ", and still was not when the data end" if pd.isna(top["end"]) else ""
        told = [f"{many}for {span(top['minutes'] * 60)} from {moment(top['start'])}{still}"]
    for row in before.tail(1).to_dict("records"):
        end = pd.Timestamp(window.end) if pd.isna(row["end"]) else min(row["end"], pd.Timestamp(window.end))
        first = span(min((end - pd.Timestamp(window.start)).total_seconds(), not_ready))
        told += [
            f"for the first {first}, in an outage of {span(row['minutes'] * 60)} that began {moment(row['start'])}"
        ]
    return found(
        "outages",
        long["minutes"].sum() if len(long) else measured["not_ready_minutes"],
        since=pd.concat([long["start"], before["start"]]).min(),
        events=events_of(long.assign(place="global"), "readiness_incident", "place", "minutes", "minutes"),
        told="; ".join(told),
        not_ready=not_ready,
        outages=len(long) + len(before),
        to_do=_to_do(pd.concat([long, before]), study.alerts.incidents),
    )


def _to_do(outages: pd.DataFrame, incidents: pd.DataFrame) -> str:
    """What is left to do of outages: to write down those that are not, else to keep them from coming again."""
    known = []
    for row in outages.to_dict("records"):
        begun = pd.isna(row["end"]) | (incidents["start"] <= row["end"])
        meets = begun & (incidents["end"].isna() | (incidents["end"] >= row["start"]))
        if not meets.any():
            whose = f" of {short(row['tenant'])}" if "tenant" in row else ""
            return f"Write an incident{whose} for {moment(row['start'])} into the ledger, with its cause."
        known.append(f"{short(incidents.loc[meets, 'id'].iloc[0])} of {day(row['start'])}")
    return f"Decide what keeps outage {', '.join(dict.fromkeys(known))} from happening again."


@finds("burn")
def burn(case: Case) -> Found:
    """Whether the error budget lasts: the highest burn rate over a long window in the stretches that burnt."""
    topic, budget = case.study.readiness, case.study.readiness.error_budget.iloc[0]
    rates, stretches = topic.burn_rates, topic.burn_stretches
    burning, spent = rates[rates["burning"].fillna(False)], budget["used_minutes"] >= budget["allowed_minutes"]
    seen = topic.slo_availability["seen_minutes"].iloc[0] * 60
    words: Words = {"used": f"{span(budget['used_minutes'] * 60)} of {span(budget['allowed_minutes'] * 60)} used"}
    calm = not (len(burning) or spent)
    if calm and rates["burning"].isna().any():
        return found("nothing")
    if calm and seen < ONE_DAY:
        return found("early", seen=seen, **words)
    most, words["fastest"], since = 0.0, "", case.study.observed.start
    if len(stretches):
        top, since = largest(stretches, "most"), stretches["start"].min()
        most, share = top["most"], percent(min(top["budget_share"], 1.0), 0)
        words["fastest"] = (
            f"; at {moment(top['start'])} it burnt {most:,.0f} times too fast, {share} of 30 days' budget"
        )
    if calm:
        return found("calm", most, **words)
    if burning.empty:
        return found("spent", most, since=since, **words)
    return found(
        "burns", most, since=since, top=burning.iloc[0], over=span(burning["long_hours"].iloc[0] * 3600), **words
    )


@finds("isolation")
def isolation(case: Case) -> Found:
    """Whether a tenant moved the global state: the number of outages that began with few tenants not ready."""
    topic, breaches = case.study.readiness, case.study.readiness.isolation_breaches
    if not topic.availability["seen_minutes"].iloc[0]:
        return found("nothing")
    moved = breaches[breaches["verdict"] == "tenant"]
    if moved.empty:
        return found("none" if len(breaches) else "no_outage", 0, outages=len(breaches))
    return found(
        "moved",
        len(moved),
        since=moved["start"].min(),
        events=events_of(moved, "isolation_breach", "nearest", "tenants", "tenants"),
        top=moved.iloc[0],
        side="before" if moved["lead_seconds"].iloc[0] >= 0 else "after",
        others=f", and {count(len(moved) - 1, 'other outage')} alike" if len(moved) > 1 else "",
    )


@finds("transitions")
def transitions(case: Case) -> Found:
    """Whether global readiness flipped often: the most transitions in one hour."""
    top, above = largest(case.rows, "transitions"), case.rows[case.rows["transitions"] > case.bound]
    answer = "often" if len(above) else "few" if top["transitions"] else "none"
    return found(answer, top["transitions"], since=above["hour"].min(), top=top, above=len(above))


@finds("latency")
def latency(case: Case) -> Found:
    """Whether the readiness check is quick: the highest 95th percentile of an hour, in seconds."""
    rows = case.study.within(case.study.readiness.check_latency)
    known, above = rows[rows["seconds"].notna()], rows[rows["seconds"] > case.bound]
    if known.empty:
        return found("nothing")
    first, answer = above["hour"].min(), "slow" if len(above) else "quick"
    return found(answer, known["seconds"].max(), since=first, first=first, above=len(above))


@finds("tenants")
def tenants(case: Case) -> Found:
    """Which tenants were not ready for more than two minutes at once: their number.

    Shorter stretches are told, and are no warning: the platform's page waits as long.
    """
    every = case.study.readiness.tenant_outages
    long = every[every["minutes"] > TENANT_MINUTES]
    return found(
        "not_ready" if len(long) else "ready",
        long["tenant"].nunique(),
        since=long["start"].min(),
        top=largest(long, "minutes") if len(long) else None,
        blips=f", but for {count(len(every), 'brief outage')}" if len(every) else "",
        least=TENANT_MINUTES,
        outages=len(long),
        to_do=_to_do(long, case.study.alerts.incidents),
    )


@finds("incidents")
def incidents(case: Case) -> Found:
    """Whether an incident is still open at the window's end: how many are."""
    study, window, complete = case.study, case.study.observed, case.study.ledger.complete()
    begun = study.alerts.incidents[study.alerts.incidents["start"] < window.end]
    earlier = begun[(begun["start"] < window.start) & (begun["end"] > window.start)].sort_values("end")
    told = went_on(earlier, window, lambda row: short(row.id))
    words: Words = {"before": told, "own": int((begun["start"] >= window.start).sum())}
    still = begun[begun["end"].isna() | (begun["end"] > window.end)]
    if len(still):
        oldest = still.loc[still["start"].idxmin()]
        return found("still_open", len(still), since=oldest["start"], oldest=oldest, **words)
    if begun.empty and not declared(complete, window):
        return found("nothing")
    unbegun = "none_began" if words["before"] else "none_declared" if declared(complete, window) else "none"
    return found("resolved" if words["own"] else unbegun, 0, **words)
