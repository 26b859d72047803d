"""Alerts of a window: episodes, their judgement, noise, what was missed, and what each rule is worth."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property, partial

import pandas as pd

from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.measures import (
    alerts,
    cofiring,
    evaluations,
    flapping,
    judgement,
    pages,
    proposals,
    readiness,
    rule_quality,
)
from cloudxai_analysis.study.cardinality import Cardinality
from cloudxai_analysis.study.opened import Opened
from cloudxai_analysis.study.readiness import Readiness
from cloudxai_analysis.study.telemetry import Telemetry
from cloudxai_analysis.study.watched import Watched
from cloudxai_analysis.words.phrases import moment

JUDGED_DAYS = 28
FOR_STATE = "alerts_for_state"
# What is made of the telemetry alone, and so stays as it is when the ledger grows.
_OF_TELEMETRY = (
    *("alert_window", "alert_samples", "for_state", "intervals", "evaluation_gaps", "episodes", "pendings"),
    *("storms", "flapping_alerts", "flapping_tenants", "dips", "tenant_dips", "paging_rules", "month", "week"),
)


class Alerts:
    """Frames on the alerts."""

    def __init__(self, opened: Opened, telemetry: Telemetry, cardinality: Cardinality, readiness: Readiness) -> None:
        self._opened = opened
        self._telemetry = telemetry
        self._cardinality = cardinality
        self._readiness = readiness

    def reread(self) -> None:
        """Forget what was made of the ledger, so that it is made anew of what the ledger says now."""
        for name in set(vars(self)) - {*_OF_TELEMETRY, "_opened", "_telemetry", "_cardinality", "_readiness"}:
            delattr(self, name)

    @cached_property
    def alert_window(self) -> Window:
        """The 28 days that end with what was seen."""
        return Window(self._opened.seen.end - timedelta(days=JUDGED_DAYS), self._opened.seen.end)

    @cached_property
    def alert_samples(self) -> pd.DataFrame:
        """Samples of ALERTS, staleness markers included, each with its alert; as far as beyond the window is known."""
        return self._of_rules("alerts")

    @cached_property
    def for_state(self) -> pd.DataFrame | None:
        """Samples of ALERTS_FOR_STATE over the history; None where the contract has no such role."""
        return self._of_rules(FOR_STATE) if FOR_STATE in self._opened.contract.metrics else None

    @cached_property
    def month(self) -> Watched:
        """By what the alerts of the 28 days were seen."""
        return self._watched(self.alert_window, f"the {JUDGED_DAYS} days up to {moment(self.alert_window.end)}")

    @cached_property
    def week(self) -> Watched:
        """By what the alerts of the window were seen."""
        return self._watched(self._opened.seen, self._opened.window.name)

    @cached_property
    def intervals(self) -> pd.DataFrame:
        """How often each rule is evaluated."""
        return evaluations.evaluation_intervals(self.alert_samples, default_seconds=self._usual_seconds())

    @cached_property
    def evaluation_gaps(self) -> pd.DataFrame:
        """Stretches of the history in which the server evaluated nothing."""
        return evaluations.evaluation_gaps(
            self.alert_samples,
            self._telemetry.up,
            interval_seconds=self._usual_seconds(),
        )

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """Alert episodes over the history."""
        return alerts.episodes(
            self.alert_samples,
            interval_seconds=self._interval_seconds(),
            window=self._known,
            for_state=self.for_state,
            gaps=self.evaluation_gaps,
        )

    @cached_property
    def pendings(self) -> pd.DataFrame:
        """Alerts of the history that were pending and never fired."""
        return alerts.pendings(self.alert_samples, interval_seconds=self._interval_seconds())

    @cached_property
    def incidents(self) -> pd.DataFrame:
        """Incidents of the ledger."""
        return self._opened.ledger.incidents()

    @cached_property
    def judged_history(self) -> pd.DataFrame:
        """Episodes of the history with their judgement."""
        ledger = self._opened.ledger
        return judgement.judged(self.episodes, self.incidents, ledger.labels(), ledger.complete())

    @cached_property
    def judged(self) -> pd.DataFrame:
        """Episodes of the 28 days with their judgement."""
        return self._opened.within(self.judged_history, "fired_at", self.alert_window)

    @cached_property
    def week_episodes(self) -> pd.DataFrame:
        """Judged episodes that began in the window."""
        return self._opened.within(self.judged, "fired_at")

    @cached_property
    def unjudged(self) -> pd.DataFrame:
        """Episodes of the 28 days that nobody judged, those of paging rules first, the latest first."""
        left = self.judged[self.judged["judgement"] == "unjudged"]
        calm = ~left["alertname"].isin(list(self.paging_rules))
        order = left.assign(calm=calm).sort_values(["calm", "fired_at"], ascending=[True, False], kind="stable")
        return order.drop(columns="calm").reset_index(drop=True)

    @cached_property
    def paging_rules(self) -> tuple[str, ...]:
        """Names of the rules that wake someone: by the severity that is loaded, or was stored, else by the contract."""
        contract, stored = self._opened.contract, self.episodes[["alertname", "severity"]].astype("str")
        wakes = {name: rule.paging for name, rule in contract.alerts.items()}
        if (rules := self._opened.rules) is not None:
            stored = pd.concat([rules, stored[~stored["alertname"].isin(rules["alertname"])]])
        for name, own in stored.groupby("alertname", sort=False)["severity"]:
            told = [pages for severity in own if (pages := contract.pages(severity)) is not None]
            wakes[str(name)] = any(told) if told else wakes.get(str(name), False)
        return tuple(name for name, pages in wakes.items() if pages)

    @cached_property
    def false_positives(self) -> pd.DataFrame:
        """False-positive rate by rule over 28 days."""
        return judgement.false_positive_rates(self.judged)

    @cached_property
    def pooled_false_positives(self) -> pd.DataFrame:
        """False-positive rate of all paging rules together over 28 days."""
        return judgement.pooled_rate(self.judged, self.paging_rules)

    @cached_property
    def judged_incidents(self) -> pd.DataFrame:
        """Incidents that began in the 28 days."""
        return self._opened.within(self.incidents, "start", self.alert_window)

    @cached_property
    def recall(self) -> pd.DataFrame:
        """Recall, detection, reset and acknowledgement by rule, over 28 days."""
        return judgement.recall(self.judged, self.judged_incidents)

    @cached_property
    def rule_overview(self) -> pd.DataFrame:
        """All that is known of each rule, over 28 days."""
        return rule_quality.rule_overview(
            self.judged,
            self.judged_incidents,
            self.pendings,
            judgement.further_trials(self.false_positives, share=self._opened.bounds.false_positive_rate),
            paging=self.paging_rules,
            zone=self._opened.environment.settings.zone,
            days=max(self.month.seconds / DAY.total_seconds(), 1.0),
        )

    @cached_property
    def false_burden(self) -> pd.DataFrame:
        """What the false trials of each rule cost those on call, over 28 days."""
        return rule_quality.false_burden(
            self.judged, paging=self.paging_rules, zone=self._opened.environment.settings.zone
        )

    @cached_property
    def weekly_rates(self) -> pd.DataFrame:
        """False-positive rate by rule over the 28 days that end with each week, from the first that were all seen."""
        return rule_quality.weekly_rates(self.judged_history, self._judged_weeks)

    @cached_property
    def weekly_pooled(self) -> pd.DataFrame:
        """As `weekly_rates`, of all paging rules together."""
        pooled = partial(judgement.pooled_rate, alertnames=self.paging_rules)
        return rule_quality.weekly_rates(self.judged_history, self._judged_weeks, rates=pooled)

    @cached_property
    def near_misses(self) -> pd.DataFrame:
        """Rules that were pending in an incident of the 28 days and did not catch it."""
        return rule_quality.near_misses(self.judged, self.judged_incidents, self.pendings)

    @cached_property
    def duplicates(self) -> pd.DataFrame:
        """Alerts of the 28 days that several instances told of at once."""
        return rule_quality.duplicates(self.judged)

    @cached_property
    def cofiring_pairs(self) -> pd.DataFrame:
        """Which rules fired together, over 28 days."""
        return cofiring.cofiring_pairs(self.judged, self._seen_month)

    @cached_property
    def cofiring_groups(self) -> pd.DataFrame:
        """Groups of rules that fire together, over 28 days."""
        return cofiring.cofiring_groups(self.cofiring_pairs)

    @cached_property
    def pages_by_shift(self) -> pd.DataFrame:
        """Pages of each shift of the 28 days."""
        return pages.pages_by_shift(
            self.judged,
            self._seen_month,
            paging=self.paging_rules,
            zone=self._opened.environment.settings.zone,
        )

    @cached_property
    def missed_incidents(self) -> pd.DataFrame:
        """Incidents of the window that no alert caught."""
        return judgement.missed_incidents(self.judged, self._opened.within(self.incidents, "start"), self.pendings)

    @cached_property
    def storms(self) -> pd.DataFrame:
        """Alert storms of the 28 days, and of what is known beyond them."""
        reached = Window(self.alert_window.start, self._known.end)
        seconds = self.month.seconds + (reached.end - self.alert_window.end).total_seconds()
        return alerts.storms(self._opened.within(self.episodes, "fired_at", reached), hours=seconds / 3600)

    @cached_property
    def flapping_alerts(self) -> pd.DataFrame:
        """Alerts that flapped, over the history."""
        return alerts.flapping(self.episodes)

    @cached_property
    def flapping_tenants(self) -> pd.DataFrame:
        """Tenants whose readiness flapped, over the history and up to a day beyond the window."""
        return flapping.tenant_flapping(self._telemetry.counter_steps("tenant_transitions"))

    @cached_property
    def noise(self) -> pd.DataFrame:
        """Episodes, short-lived ones and those at night by rule, in the window."""
        return alerts.weekly_noise(self.week_episodes, zone=self._opened.environment.settings.zone)

    @cached_property
    def dips(self) -> pd.DataFrame:
        """Stretches of the 28 days in which the platform was not ready."""
        return self._opened.within(self._readiness.outage_history, "start", self.alert_window)

    @cached_property
    def tenant_dips(self) -> pd.DataFrame:
        """Stretches of the 28 days in which a tenant was not ready, from the days on which any was."""
        hours = self._cardinality.tenant_hours
        low = hours.loc[hours["min"] == 0, "hour"].dt.floor("D").unique()
        days = [Window(day, day + DAY) for day in sorted(pd.DatetimeIndex(low).to_pydatetime())]
        found = [readiness.tenant_outages(self._opened.samples("tenant_readiness", day)) for day in days]
        empty = readiness.tenant_outages(self._cardinality.tenant_samples.iloc[:0])
        return self._opened.within(pd.concat(found or [empty], ignore_index=True), "start", self.alert_window)

    @cached_property
    def proposals(self) -> pd.DataFrame:
        """What the readiness lets take for incidents of the 28 days, and nobody has decided on."""
        return self.proposed()

    def proposed(self, impact: pd.DataFrame | None = None) -> pd.DataFrame:
        """As `proposals`, with stretches of a query for impact: tenant, start, end."""
        found = proposals.proposed_incidents(self.dips, self.tenant_dips, impact)
        return proposals.not_known(found, self.incidents, self._opened.ledger.proposals())

    def rates_if_confirmed(self, proposed: pd.DataFrame) -> pd.DataFrame:
        """Rates by rule beside those that were, were all these proposals confirmed and the ledger complete."""
        ledger = self._opened.ledger
        return proposals.rates_if_confirmed(
            self._opened.within(self.episodes, "fired_at", self.alert_window),
            self.incidents,
            ledger.labels(),
            ledger.complete(),
            proposed,
            self.alert_window,
        )

    def _watched(self, window: Window, name: str) -> Watched:
        loaded, state = self._opened.rules, self.for_state
        stored = len(self.alert_samples) > 0 or (state is not None and len(state) > 0)
        names = None if loaded is None else frozenset(loaded["alertname"])
        return Watched(self._telemetry.named(window, name), self._telemetry.seconds_of(window), names, stored)

    @property
    def _known(self) -> Window:
        """The history and what is known beyond the window, where its telemetry goes further."""
        last = self._telemetry.up["time"].max()
        beyond = self._opened.seen.end if pd.isna(last) else min(last.to_pydatetime(), self._opened.reach.end)
        return Window(self._opened.history.start, max(self._opened.seen.end, beyond))

    @property
    def _seen_month(self) -> Window:
        """The 28 days from the first scrape on."""
        first = self._telemetry.first_seen
        return (
            self.alert_window
            if pd.isna(first)
            else self.alert_window.clip(Window(first.to_pydatetime(), self.alert_window.end))
        )

    @property
    def _judged_weeks(self) -> list[Window]:
        """The weeks of the history at whose end 28 days had been seen."""
        first = self._telemetry.first_seen
        return [
            week
            for week in self._opened.history.weeks()
            if pd.notna(first) and week.end - timedelta(days=JUDGED_DAYS) >= max(self._opened.history.start, first)
        ]

    def _of_rules(self, role: str) -> pd.DataFrame:
        frame = self._opened.samples(role, self._opened.reach, markers=True)
        series = self._opened.frames.series(self._opened.contract[role].name, self._opened.reach)
        replicas = self._opened.environment.settings.replica_labels
        return evaluations.identified(frame, evaluations.alert_identities(series, replica_labels=replicas))

    def _usual_seconds(self) -> float:
        """How often rules are evaluated: as the server has most of them loaded, else as the contract says."""
        rules = self._opened.rules
        told = pd.Series() if rules is None else rules["interval_seconds"].dropna()
        return float(told.median() if len(told) else self._opened.contract.evaluation_interval_seconds)

    def _interval_seconds(self) -> dict[str, float]:
        rules, measured = self._opened.rules, self.intervals[self.intervals["steps"] > 0]
        told = measured if rules is None else pd.concat([rules.dropna(subset="interval_seconds"), measured])
        by_rule = zip(told["alertname"], told["interval_seconds"], strict=True)
        return {"": self._usual_seconds(), **{str(name): float(seconds) for name, seconds in by_rule}}
