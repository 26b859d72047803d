"""Readiness of a window: availability, error budget, outages, latency."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property

import pandas as pd

from cloudxai_analysis.measures import isolation, readiness, slo
from cloudxai_analysis.study.cardinality import Cardinality
from cloudxai_analysis.study.opened import Opened
from cloudxai_analysis.window import Window

SLO_DAYS = 30


class Readiness:
    """Frames on readiness, global and by tenant."""

    def __init__(self, opened: Opened, cardinality: Cardinality) -> None:
        self._opened = opened
        self._cardinality = cardinality

    @cached_property
    def slo_window(self) -> Window:
        """The 30 days that end with what was seen."""
        return Window(self._opened.seen.end - timedelta(days=SLO_DAYS), self._opened.seen.end)

    @cached_property
    def readiness(self) -> pd.DataFrame:
        """Global readiness at each scrape, over the history."""
        return readiness.global_readiness(self._opened.samples("readiness"))

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
        windows = {self._opened.window.name: self._opened.seen, f"{SLO_DAYS} days": self.slo_window}
        rows = [slo.availability_bounds(self.readiness, window) for window in windows.values()]
        found = pd.concat(rows, ignore_index=True)
        found.insert(0, "period", list(windows))
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
    def exhaustion(self) -> pd.DataFrame:
        """When the error budget will be used up if the coming days are like the last ones."""
        return slo.budget_exhaustion(
            self.readiness, slo=self._opened.bounds.availability, end=pd.Timestamp(self._opened.seen.end), days=SLO_DAYS
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
        inside = self._opened.within(self.readiness, "time")
        return isolation.isolation_correlation(self._cardinality.tenant_samples, inside)

    @cached_property
    def outages(self) -> pd.DataFrame:
        """Stretches in which the platform was not ready, begun in the window."""
        frame = self.readiness.rename(columns={"ready": "value"})
        return self._opened.within(readiness.outages(frame), "start")

    @cached_property
    def tenant_outages(self) -> pd.DataFrame:
        """Stretches in which a tenant was not ready, begun in the window."""
        samples = self._cardinality.tenant_samples
        return self._opened.within(readiness.outages(samples, by=("tenant", "instance")), "start")

    @cached_property
    def tenant_availability(self) -> pd.DataFrame:
        """Availability by tenant, in the window."""
        return readiness.tenant_availability(self._opened.within(self._cardinality.tenant_hours, "hour"))

    @cached_property
    def transitions(self) -> pd.DataFrame:
        """Global readiness transitions by hour, over the history."""
        return readiness.transitions(self._opened.hours("readiness_transitions"))

    @cached_property
    def check_latency(self) -> pd.DataFrame:
        """95th percentile of the readiness check by hour, over the history."""
        return readiness.check_latency(self._opened.hours("readiness_check", suffix="_bucket"))
