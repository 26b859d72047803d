"""Readiness of a window: availability, error budget, outages, latency."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import isolation, readiness, slo
from cloudxai_analysis.study.cardinality import Cardinality
from cloudxai_analysis.study.opened import Opened
from cloudxai_analysis.study.telemetry import Telemetry

SLO_DAYS = 30


class Readiness:
    """Frames on readiness, global and by tenant."""

    def __init__(self, opened: Opened, telemetry: Telemetry, cardinality: Cardinality) -> None:
        self._opened = opened
        self._telemetry = telemetry
        self._cardinality = cardinality

    @cached_property
    def slo_window(self) -> Window:
        """The 30 days that end with what was seen."""
        return Window(self._opened.seen.end - timedelta(days=SLO_DAYS), self._opened.seen.end)

    @cached_property
    def readiness(self) -> pd.DataFrame:
        """When the platform was ready and when not, over the history."""
        known = self._reaching[self._reaching["start"] < self._opened.seen.end]
        return known.assign(end=known["end"].clip(upper=pd.Timestamp(self._opened.seen.end)))

    @cached_property
    def _reaching(self) -> pd.DataFrame:
        samples = self._opened.samples("readiness", self._opened.reach, markers=True)
        return readiness.global_readiness(samples, self._telemetry.up, self._telemetry.states)

    @cached_property
    def availability(self) -> pd.DataFrame:
        """Availability in the window."""
        return readiness.availability(self.readiness, self._opened.seen)

    @cached_property
    def slo_availability(self) -> pd.DataFrame:
        """Availability over the 30 days of the SLO."""
        return readiness.availability(self.readiness, self.slo_window)

    @cached_property
    def daily_availability(self) -> pd.DataFrame:
        """Availability by day, over the history."""
        return readiness.daily_availability(self.readiness)

    @cached_property
    def rolling_availability(self) -> pd.DataFrame:
        """Availability of the 30 days before each day's end."""
        return readiness.rolling_availability(self.readiness, days=SLO_DAYS)

    @cached_property
    def error_budget(self) -> pd.DataFrame:
        """Error budget of the 30 days."""
        return readiness.error_budget(self.readiness, self.slo_window, slo=self._opened.bounds.availability)

    @cached_property
    def bounds(self) -> pd.DataFrame:
        """Availability with its bounds: of the window, and of the objective's 30 days; one row each, with `period`."""
        found = pd.concat([self.availability, self.slo_availability], ignore_index=True)
        found.insert(0, "period", [self._opened.window.name, f"{SLO_DAYS} days"])
        return found

    @cached_property
    def burn_rates(self) -> pd.DataFrame:
        """How fast the error budget burns at the end of what was seen."""
        return slo.burn_rates(
            self.readiness, slo=self._opened.bounds.availability, at=pd.Timestamp(self._opened.seen.end), days=SLO_DAYS
        )

    @cached_property
    def burn_stretches(self) -> pd.DataFrame:
        """When the error budget burnt too fast, in the window."""
        return slo.burn_stretches(
            self.readiness, self._opened.seen, slo=self._opened.bounds.availability, days=SLO_DAYS
        )

    @cached_property
    def budget_course(self) -> pd.DataFrame:
        """What is left of the error budget, and for how many more outages."""
        return slo.budget_course(
            self.readiness,
            self.outage_history,
            slo=self._opened.bounds.availability,
            end=pd.Timestamp(self._opened.seen.end),
            days=SLO_DAYS,
        )

    @cached_property
    def isolation_breaches(self) -> pd.DataFrame:
        """For each global outage of the window, which tenants were not ready with it."""
        return isolation.isolation_breaches(
            self.outages,
            self.tenant_outages,
            seen=len(self.tenant_availability),
            end=pd.Timestamp(self._opened.seen.end),
        )

    @cached_property
    def isolation_correlation(self) -> pd.DataFrame:
        """How strongly each tenant's not being ready went with the global state's, in the window."""
        return isolation.isolation_correlation(self._cardinality.tenant_samples, self.readiness)

    @cached_property
    def outage_history(self) -> pd.DataFrame:
        """When the platform was not ready, over the history and up to a day beyond the window."""
        return readiness.outages(self._reaching)

    @cached_property
    def outages(self) -> pd.DataFrame:
        """When the platform was not ready: what began in the window."""
        return self._opened.within(self.outage_history, "start")

    @cached_property
    def tenant_outages(self) -> pd.DataFrame:
        """When a tenant was not ready, by any instance: what began in the window."""
        return self._opened.within(readiness.tenant_outages(self._cardinality.tenant_samples), "start")

    @cached_property
    def tenant_availability(self) -> pd.DataFrame:
        """Availability by tenant, in the window."""
        return readiness.tenant_availability(self._opened.within(self._cardinality.tenant_hours, "hour"))

    @cached_property
    def transitions(self) -> pd.DataFrame:
        """Global readiness transitions by hour, over the history."""
        return readiness.transitions(self._telemetry.counter_steps("readiness_transitions"))

    @cached_property
    def check_latency(self) -> pd.DataFrame:
        """95th percentile of the readiness check by hour, over the history."""
        return readiness.check_latency(self._telemetry.counted_hours("readiness_check", suffix="_bucket"))
