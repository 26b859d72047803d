"""Alerts of a window: episodes, their judgement, noise, what was missed."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property

import pandas as pd

from cloudxai_analysis.measures import alerts, flapping, judgement
from cloudxai_analysis.study.opened import Opened
from cloudxai_analysis.window import Window

JUDGED_DAYS = 28


class Alerts:
    """Frames on the alerts."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @cached_property
    def alert_window(self) -> Window:
        """The 28 days that end with what was seen."""
        return Window(self._opened.seen.end - timedelta(days=JUDGED_DAYS), self._opened.seen.end)

    @cached_property
    def alert_samples(self) -> pd.DataFrame:
        """Samples of ALERTS over the history."""
        return self._opened.samples("alerts")

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """Alert episodes over the history."""
        return alerts.episodes(
            self.alert_samples,
            interval_seconds=self._opened.contract.evaluation_interval_seconds,
            window=self._opened.history,
        )

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
    def paging_rules(self) -> tuple[str, ...]:
        """Names of the rules that wake someone."""
        return tuple(name for name, rule in self._opened.contract.alerts.items() if rule.paging)

    @cached_property
    def false_positives(self) -> pd.DataFrame:
        """False-positive rate by rule over 28 days."""
        return judgement.false_positive_rates(self.judged)

    @cached_property
    def pooled_false_positives(self) -> pd.DataFrame:
        """False-positive rate of all paging rules together over 28 days."""
        return judgement.pooled_rate(self.judged, self.paging_rules)

    @cached_property
    def recall(self) -> pd.DataFrame:
        """Recall and detection time by rule, over 28 days."""
        return judgement.recall(self.judged, self._opened.within(self.incidents, "start", self.alert_window))

    @cached_property
    def missed_incidents(self) -> pd.DataFrame:
        """Incidents of the window that no alert caught."""
        pendings = alerts.pendings(
            self.alert_samples, interval_seconds=self._opened.contract.evaluation_interval_seconds
        )
        return judgement.missed_incidents(self.judged, self._opened.within(self.incidents, "start"), pendings)

    @cached_property
    def storms(self) -> pd.DataFrame:
        """Alert storms that began in the window."""
        return self._opened.within(alerts.storms(self.episodes), "start")

    @cached_property
    def flapping_alerts(self) -> pd.DataFrame:
        """Alerts that flapped in the window."""
        return self._opened.within(alerts.flapping(self.episodes), "start")

    @cached_property
    def flapping_tenants(self) -> pd.DataFrame:
        """Tenants whose readiness flapped in the window."""
        window = Window(self._opened.seen.start - timedelta(hours=1), self._opened.seen.end)
        return self._opened.within(
            flapping.tenant_flapping(self._opened.samples("tenant_transitions", window)), "start"
        )

    @cached_property
    def noise(self) -> pd.DataFrame:
        """Episodes, short-lived ones and those at night by rule, in the window."""
        return alerts.weekly_noise(self.week_episodes, zone=self._opened.environment.settings.zone)
