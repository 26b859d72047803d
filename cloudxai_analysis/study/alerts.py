"""Alerts of a window: episodes, their judgement, noise, what was missed, and what each rule is worth."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.measures import alerts as measure
from cloudxai_analysis.measures import counters, judgement, noise, rates, readiness
from cloudxai_analysis.measures import rule_quality as quality
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.study.frame import Topic, frame, part, samples, value
from cloudxai_analysis.words.phrases import count, moment, span

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study

JUDGED_DAYS = 28
FOR_STATE = "alerts_for_state"
ONE_DAY = 0.95 * 86_400  # seconds seen, under which a window is too young to be judged
_ZONE = "environment.settings.zone"


@dataclass(frozen=True)
class Watched:
    """By what the alerts of a window were seen, and so what their silence is worth.

    `window` is called by how much of it was seen, which is `seconds`; `rules` had the server
    loaded, None where that is not known; `stored` is whether any alert of the history is.
    """

    window: Window
    seconds: float
    rules: frozenset[str] | None
    stored: bool

    def __str__(self) -> str:
        return self.window.name

    def blind(self, what: str, *, rules: Collection[str] = ()) -> str:
        """Why nobody can say that there were no `what`, of these rules or of any; '' where silence tells so."""
        whether = f"Whether there were {what} is unknown"
        if self.rules is None and not self.stored:
            return f"{whether}: no alert was ever stored, and the server has not said which rules it had loaded."
        if self.rules is not None and not (self.rules & set(rules) if rules else self.rules):
            loaded = f"{count(len(self.rules), 'alert rule')}, and none that would tell"
            return f"{whether}: the server had loaded {loaded if self.rules else 'no alert rule'}."
        if self.seconds < ONE_DAY:
            return f"Too early to tell whether there were {what}: {span(self.seconds)} seen."
        return ""

    def silence(self, what: str, quiet: str) -> str:
        """`quiet`, where that nothing of `what` is stored tells that there was none; else why it does not."""
        return self.blind(what).rstrip(".") or f"{quiet} in {self}"


def _alert_window(seen: Window) -> Window:
    return Window(seen.end - timedelta(days=JUDGED_DAYS), seen.end, f"the {JUDGED_DAYS} days up to {moment(seen.end)}")


def _known(up: pd.DataFrame, history: Window, seen: Window, reach: Window) -> Window:
    """The history and what is known beyond the window, where its telemetry goes further."""
    last = up["time"].max()
    beyond = seen.end if pd.isna(last) else min(last.to_pydatetime(), reach.end)
    return Window(history.start, max(seen.end, beyond))


def _judged_weeks(history: Window, first: pd.Timestamp) -> list[Window]:
    """The weeks of the history at whose end 28 days had been seen."""
    begin = history.end if pd.isna(first) else max(history.start, first)
    return [week for week in history.weeks() if week.end - timedelta(days=JUDGED_DAYS) >= begin]


def _of_rules(study: Study, role: str) -> pd.DataFrame | None:
    if role not in study.contract.metrics:
        return None
    found = study.samples(role, study.reach, markers=True)
    # One numbering of both metrics' alerts, of which either may lack some.
    known = (study.contract[one].name for one in ("alerts", FOR_STATE) if one in study.contract.metrics)
    series = pd.concat([study.store.series(name, study.reach) for name in known])
    return measure.identified(found, series, replica_labels=study.environment.settings.replica_labels)


def _watched(study: Study, window: Window, alerts: pd.DataFrame, state: pd.DataFrame | None, rules: Any) -> Watched:
    stored = len(alerts) > 0 or (state is not None and len(state) > 0)
    names = None if rules is None else frozenset(rules["alertname"])
    return Watched(study.telemetry.named(window, window.name), study.telemetry.seconds_of(window), names, stored)


def _usual_seconds(rules: pd.DataFrame | None, contract: Contract) -> float:
    """How often rules are evaluated: as the server has most of them loaded, else as the contract says."""
    told = pd.Series() if rules is None else rules["interval_seconds"].dropna()
    return float(told.median() if len(told) else contract.evaluation_interval_seconds)


def _interval_seconds(rules: pd.DataFrame | None, intervals: pd.DataFrame, usual: float) -> dict[str, float]:
    """How often each rule is evaluated: as measured, else as loaded; '' all others."""
    measured = intervals[intervals["steps"] > 0]
    told = measured if rules is None else pd.concat([rules.dropna(subset="interval_seconds"), measured])
    return {"": usual, **told.set_index("alertname")["interval_seconds"].astype("float64").to_dict()}


def _unjudged(judged: pd.DataFrame, paging: Collection[str]) -> pd.DataFrame:
    """Episodes of the 28 days that nobody judged, those of paging rules first, the latest first."""
    left = judged[judged["judgement"] == "unjudged"].sort_values("fired_at", ascending=False, kind="stable")
    pages = left["alertname"].isin(list(paging))
    return pd.concat([left[pages], left[~pages]], ignore_index=True)


def _paging_rules(contract: Contract, rules: pd.DataFrame | None, episodes: pd.DataFrame) -> tuple[str, ...]:
    """Names of the rules that wake someone: by the severity that is loaded, or was stored, else by the contract."""
    wakes = {name: rule.paging for name, rule in contract.alerts.items()}
    stored = episodes[["alertname", "severity"]].astype("str")
    if rules is not None:
        stored = pd.concat([rules, stored[~stored["alertname"].isin(rules["alertname"])]])
    for name, own in stored.groupby("alertname", sort=False)["severity"]:
        told = [pages for severity in own if (pages := contract.pages(severity)) is not None]
        wakes[str(name)] = any(told) if told else wakes.get(str(name), False)
    return tuple(name for name, pages in wakes.items() if pages)


def _flapping_window(seen: Window, reach: Window) -> Window:
    """The window judged, and two days before: what still flaps when it begins is said to."""
    return Window(seen.start - 2 * DAY, reach.end, seen.name)


def _storms(episodes: pd.DataFrame, alert_window: Window, known: Window, month: Watched) -> pd.DataFrame:
    """Alert storms of the 28 days, and of what is known beyond them."""
    fired = episodes["fired_at"]
    own = episodes[(fired >= alert_window.start) & (fired < known.end)].reset_index(drop=True)
    seconds = month.seconds + (known.end - alert_window.end).total_seconds()
    return noise.storms(own, hours=seconds / 3600)


def _tenant_dips(study: Study, hours: pd.DataFrame) -> pd.DataFrame:
    """Stretches of the 28 days in which a tenant was not ready, from the days on which any was."""
    low = hours.loc[hours["min"] == 0, "hour"].dt.floor("D").unique()
    days = [Window(day, day + DAY) for day in sorted(pd.DatetimeIndex(low).to_pydatetime())]
    nothing = Window(study.seen.end, study.seen.end)
    parts = [study.samples("tenant_readiness", day) for day in days or [nothing]]
    return pd.concat([readiness.tenant_outages(part) for part in parts], ignore_index=True)


def _attested(attestations: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """What people had signed by the end of the window."""
    return attestations[attestations["date"] < end].reset_index(drop=True)


class Alerts(Topic):
    """Frames on the alerts."""

    alert_window = value(_alert_window, "seen")
    known = value(_known, "telemetry.up", "history", "seen", "reach")
    alert_samples = frame(
        partial(_of_rules, role="alerts"),
        "study",
        roles=("alerts",),
        says="Samples of ALERTS, staleness markers included, each with its alert, up to a day beyond the window.",
    )
    for_state = frame(
        partial(_of_rules, role=FOR_STATE),
        "study",
        roles=(FOR_STATE,),
        says="Samples of ALERTS_FOR_STATE over the history; None where the contract has no such role.",
    )
    month = value(_watched, "study", "alert_window", "alert_samples", "for_state", "rules")
    week = value(_watched, "study", "seen", "alert_samples", "for_state", "rules")
    usual_seconds = value(_usual_seconds, "rules", "contract")
    intervals = frame(measure.evaluation_intervals, "alert_samples", default_seconds="usual_seconds")
    interval_seconds = value(_interval_seconds, "rules", "intervals", "usual_seconds")
    evaluation_gaps = frame(measure.evaluation_gaps, "alert_samples", "telemetry.up", interval_seconds="usual_seconds")
    episodes = frame(
        measure.episodes,
        "alert_samples",
        interval_seconds="interval_seconds",
        window="known",
        for_state="for_state",
        gaps="evaluation_gaps",
    )
    pendings = frame(measure.pendings, "alert_samples", interval_seconds="interval_seconds")
    incidents = frame(Ledger.incidents, "ledger")
    labels, complete = frame(Ledger.labels, "ledger"), frame(Ledger.complete, "ledger")
    observations = frame(Ledger.observations, "ledger")
    attestations = frame(_attested, frame(Ledger.attestations, "ledger"), "end")
    judged_history = frame(judgement.judged, "episodes", "incidents", "labels", "complete")
    judged = part("judged_history", "fired_at", "alert_window", says="Episodes of the 28 days with their judgement.")
    week_episodes = part("judged", "fired_at", says="Judged episodes that began in the window.")
    unjudged = frame(_unjudged, "judged", "paging_rules")
    paging_rules = value(_paging_rules, "contract", "rules", "episodes")
    false_positives = frame(rates.false_positive_rates, "judged")
    pooled_false_positives = frame(rates.pooled_rate, "judged", "paging_rules")
    judged_incidents = part("incidents", "start", "alert_window", says="Incidents that began in the 28 days.")
    week_incidents = part("incidents", "start", says="Incidents that began in the window.")
    recall = frame(judgement.recall, "judged", "judged_incidents")
    rule_overview = frame(
        quality.rule_overview,
        *("judged", "judged_incidents", "pendings"),
        paging="paging_rules",
        zone=_ZONE,
        days=value(lambda month: max(month.seconds / DAY.total_seconds(), 1.0), "month"),
        share="bounds.false_positive_rate",
    )
    judged_weeks = value(_judged_weeks, "history", "telemetry.first_seen")
    weekly_rates = frame(rates.weekly_rates, "judged_history", "judged_weeks")
    weekly_pooled = frame(rates.weekly_rates, "judged_history", "judged_weeks", pooled="paging_rules")
    near_misses = frame(judgement.near_misses, "judged", "judged_incidents", "pendings")
    cofiring_pairs = frame(quality.cofiring_pairs, "judged", "alert_window", since="telemetry.first_seen")
    missed_incidents = frame(judgement.missed_incidents, "judged", "week_incidents", "pendings")
    storms = frame(_storms, "episodes", "alert_window", "known", "month")
    flapping_alerts = frame(noise.flapping, "episodes")
    flapping_window = value(_flapping_window, "seen", "reach")
    flapping_tenants = frame(
        noise.tenant_flapping,
        frame(
            counters.counter_steps,
            samples("tenant_transitions", "flapping_window"),
            part("telemetry.scrapes", "time", "flapping_window", says="Successful scrapes of those days."),
            "telemetry.starts",
        ),
    )
    noise = frame(noise.weekly_noise, "week_episodes", zone=_ZONE)
    dips = part("readiness.outage_history", "start", "alert_window", says="When the platform was not ready in 28 days.")
    tenant_dips = frame(
        _tenant_dips,
        *("study", "cardinality.tenant_hours"),
        within="start",
        over="alert_window",
        roles=("tenant_readiness",),
    )
    proposals = frame(
        judgement.not_known,
        *(frame(judgement.proposed_incidents, "dips", "tenant_dips"), "incidents", frame(Ledger.proposals, "ledger")),
    )
