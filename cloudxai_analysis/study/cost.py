"""Costs of a window: by tenant, day and week, movers, anomalies, semantics."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from cloudxai_analysis.measures import anomalies, cost, semantics
from cloudxai_analysis.study.opened import Opened
from cloudxai_analysis.study.telemetry import Telemetry
from cloudxai_analysis.window import WEEK, Window


class Cost:
    """Frames on what the tenants cost."""

    def __init__(self, opened: Opened, telemetry: Telemetry) -> None:
        self._opened = opened
        self._telemetry = telemetry

    @cached_property
    def cost_hours(self) -> pd.DataFrame:
        """Hourly rollups of the cost estimate, over the history."""
        return self._opened.hours("cost")

    @cached_property
    def daily_costs(self) -> pd.DataFrame:
        """Cost by day and tenant, over the history."""
        metric = self._opened.contract["cost"]
        return cost.costs_by_day(self.cost_hours, semantics=metric.semantics, currency=self._opened.contract.currency)

    @cached_property
    def weekly_costs(self) -> pd.DataFrame:
        """Cost by week, over the history."""
        return cost.weekly_costs(self.daily_costs)

    def costs_of(self, window: Window) -> pd.DataFrame:
        """Cost by tenant over a window."""
        metric = self._opened.contract["cost"]
        return cost.tenant_costs(
            self.cost_hours, window, semantics=metric.semantics, currency=self._opened.contract.currency
        )

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Cost by tenant, in the window."""
        return self.costs_of(self._opened.seen)

    @cached_property
    def cost_movers(self) -> pd.DataFrame:
        """Change of each tenant's cost against the same stretch one week before."""
        return cost.cost_movers(
            self.costs, self.costs_of(Window(self._opened.seen.start - WEEK, self._opened.seen.end - WEEK))
        )

    @cached_property
    def concentration(self) -> pd.DataFrame:
        """Share of the ten largest tenants, and the Gini coefficient."""
        return cost.concentration(self.costs)

    @cached_property
    def cost_anomalies(self) -> pd.DataFrame:
        """Hours of the window that cost more than the tenant's hour of the week explains."""
        return anomalies.cost_anomalies(
            self.cost_hours,
            self._opened.seen,
            self._telemetry.covered,
            floor=self._opened.bounds.cost_anomaly_floor,
            currency=self._opened.contract.currency,
            semantics=self._opened.contract["cost"].semantics,
        )

    @cached_property
    def anomaly_basis(self) -> pd.DataFrame:
        """Which tenants have the history that an anomaly needs."""
        return anomalies.anomaly_basis(
            self.cost_hours,
            self._opened.seen,
            self._telemetry.covered,
            semantics=self._opened.contract["cost"].semantics,
        )

    def expected_course(self, tenant: str) -> pd.DataFrame:
        """A tenant's cost by hour of the window, beside what its history lets expect."""
        return anomalies.expected_course(
            self.cost_hours[self.cost_hours["tenant"] == tenant],
            self._opened.seen,
            self._telemetry.covered,
            floor=self._opened.bounds.cost_anomaly_floor,
            semantics=self._opened.contract["cost"].semantics,
        )

    @cached_property
    def semantics_breaks(self) -> pd.DataFrame:
        """Cost gauges that behaved unlike their declared semantics in the window or the week before, since when."""
        roles = [role for role in ("cost", "cost_billing") if role in self._opened.contract.metrics]
        found = pd.concat([self._breaks(role) for role in roles], ignore_index=True)
        return semantics.growing_since(found, self.cost_hours)

    def _breaks(self, role: str) -> pd.DataFrame:
        metric, recent = self._opened.contract[role], self._opened.seen.with_history(1)
        hours = self.cost_hours if role == "cost" else self._opened.hours(role)
        suspects = semantics.suspects(self._opened.within(hours, "hour", recent), semantics=metric.semantics)
        window = recent if suspects else Window(recent.end, recent.end)
        samples = self._opened.samples(role, window)
        found = semantics.semantics_breaks(
            samples[samples["tenant"].isin(list(suspects))],
            self._telemetry.starts,
            self._telemetry.covered,
            semantics=metric.semantics,
        )
        return found.assign(metric=metric.name)

    @cached_property
    def billing_costs(self) -> pd.DataFrame:
        """What the billing-window gauge says, by tenant and billing window, at the end of what was seen."""
        return cost.window_costs(self._opened.hours("cost_billing"), window_label="billing_window")

    @cached_property
    def rolling_costs(self) -> pd.DataFrame:
        """What the rolling gauge says, by tenant and rolling window, at the end of what was seen."""
        return cost.window_costs(self._opened.hours("cost_rolling"), window_label="window")

    @cached_property
    def reconciliation(self) -> pd.DataFrame:
        """Our integrated estimate of the last seven days held against the 7-day rolling gauge, by tenant."""
        rolling = self.rolling_costs
        week = Window(self._opened.seen.end - WEEK, self._opened.seen.end)
        return cost.reconciliation(self.costs_of(week), rolling[rolling["window"] == "7d"], end=self._opened.seen.end)
