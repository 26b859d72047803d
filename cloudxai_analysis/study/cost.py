"""Costs of a window: by tenant, day and week, movers, anomalies, semantics."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from cloudxai_analysis.ground.window import WEEK, Window, month_of
from cloudxai_analysis.measures import (
    agreement,
    anomalies,
    cost,
    cost_course,
    cost_data,
    semantics,
    unit_costs,
)
from cloudxai_analysis.platform.finance import Bill
from cloudxai_analysis.study.cardinality import Cardinality
from cloudxai_analysis.study.opened import Opened
from cloudxai_analysis.study.telemetry import Telemetry

GENERATED = "(generated names)"  # all of them, as one row beside tenants
_ALIKE = 24  # hours covered in both, under which two weeks are not held against each other


class Cost:
    """Frames on what the tenants cost."""

    def __init__(self, opened: Opened, telemetry: Telemetry, cardinality: Cardinality) -> None:
        self._opened = opened
        self._telemetry = telemetry
        self._cardinality = cardinality

    @cached_property
    def cost_hours(self) -> pd.DataFrame:
        """Hourly rollups of the cost estimate, over the history."""
        if self._opened.contract["cost"].semantics == "cumulative":
            return self._telemetry.counted_hours("cost")
        return cost.without_overhang(self._opened.hours("cost"), end=pd.Timestamp(self._opened.seen.end))

    @cached_property
    def daily_costs(self) -> pd.DataFrame:
        """Cost by day and tenant, over the history."""
        metric = self._opened.contract["cost"]
        daily = cost.costs_by_day(self.cost_hours, semantics=metric.semantics, currency=self._opened.contract.currency)
        return self._exchanged(daily)

    @cached_property
    def weekly_costs(self) -> pd.DataFrame:
        """Cost by week, over the history."""
        return cost.weekly_costs(self.daily_costs)

    def costs_of(self, window: Window) -> pd.DataFrame:
        """Cost by tenant over a window."""
        metric = self._opened.contract["cost"]
        costs = cost.tenant_costs(
            self.cost_hours, window, semantics=metric.semantics, currency=self._opened.contract.currency
        )
        return self._exchanged(costs)

    def _exchanged(self, costs: pd.DataFrame) -> pd.DataFrame:
        exchange = self._opened.environment.settings.exchange
        rates = exchange.rates if exchange else {}
        return cost.converted(costs, rates, currency=self._opened.contract.currency) if rates else costs

    def _real(self, costs: pd.DataFrame) -> pd.DataFrame:
        return costs[~costs["tenant"].isin(self._cardinality.generated_names["tenant"])]

    def _pooled(self, costs: pd.DataFrame) -> pd.DataFrame:
        """Costs by tenant, with all generated names as one row, `GENERATED`."""
        if costs.empty:
            return costs  # pandas cannot merge what it grouped out of nothing
        generated = costs["tenant"].isin(self._cardinality.generated_names["tenant"])
        named = costs.assign(tenant=costs["tenant"].mask(generated, GENERATED))
        pooled = named.groupby(["tenant", "currency"], as_index=False, sort=False)["cost"].sum()
        return pooled.sort_values(["cost", "tenant"], ascending=[False, True], ignore_index=True)

    @cached_property
    def real_costs(self) -> pd.DataFrame:
        """Cost by tenant, in the window, without generated names."""
        return self._real(self.costs)

    @cached_property
    def pooled_costs(self) -> pd.DataFrame:
        """Cost by tenant, in the window, with all generated names as one row."""
        return self._pooled(self.costs)

    @cached_property
    def hourly_costs(self) -> pd.DataFrame:
        """Cost by tenant and hour, over the history, exchanged."""
        metric, currency = self._opened.contract["cost"], self._opened.contract.currency
        return self._exchanged(cost.hourly_costs(self.cost_hours, semantics=metric.semantics, currency=currency))

    @cached_property
    def covered_share(self) -> float:
        """Share of the window that the telemetry shows; NaN where no scrape is expected."""
        return self._telemetry.seen_share(self._opened.seen)

    @cached_property
    def per_tenant(self) -> pd.DataFrame:
        """Cost per real tenant by day, over the history; unknown of a day that is not covered."""
        found, covered = unit_costs.cost_per_tenant(self._real(self.daily_costs)), self._telemetry.covered
        sure = found["day"].isin(covered.loc[covered["covered"].astype(bool), "day"])
        return found.assign(cost_per_tenant=found["cost_per_tenant"].where(sure))

    @cached_property
    def groups(self) -> pd.DataFrame:
        """Cost of generated names, and of those that any process refused by name, beside all others."""
        tenants = self.costs["tenant"]
        generated = set(self._cardinality.generated_names["tenant"]) & set(tenants)
        refused = set(self._cardinality.refused_names) & set(tenants)
        groups = dict.fromkeys(refused, "refused by a process") | dict.fromkeys(generated, "generated names")
        return unit_costs.cost_of_groups(self.costs, groups)

    @cached_property
    def faults(self) -> pd.DataFrame:
        """What is wrong with the samples of the cost gauge, in the window."""
        return self._faults(self._opened.within(self.cost_hours))

    @cached_property
    def faults_before(self) -> pd.DataFrame:
        """The same of the history before the window, with which it is compared."""
        return self._faults(self.cost_hours[self.cost_hours["hour"] < self._opened.seen.start])

    def _faults(self, hours: pd.DataFrame) -> pd.DataFrame:
        tenants = self._cardinality.tenant_hours
        return cost_data.cost_faults(hours, tenants, currency=self._opened.contract.currency)

    @cached_property
    def bills(self) -> pd.DataFrame:
        """Each configured bill of the history held against the tenants' costs of its days, the newest last.

        Columns: source, start, end, currency, allocated, total, rest, covered_share (of the bill's days, by telemetry).
        """
        rows = [self._held_against(bill) for bill in self._opened.environment.settings.bills]
        columns = ["source", "start", "end", "currency", "allocated", "total", "rest", "covered_share"]
        found = pd.DataFrame([row for row in rows if row is not None], columns=columns)
        return found.sort_values("end", ignore_index=True)

    def _held_against(self, bill: Bill) -> dict[str, object] | None:
        history = self._opened.history
        if bill.window.end <= history.start or bill.window.start >= history.end:
            return None
        total = pd.DataFrame({"currency": [bill.currency], "total": [bill.amount]})
        held = cost.conservation(self.costs_of(bill.window), total).iloc[0].to_dict()
        covered = self._opened.within(self._telemetry.covered, "day", bill.window)
        days = len(list(bill.window.days()))
        share = float(covered["coverage"].sum()) / days
        return {
            "source": bill.source,
            "start": bill.window.start,
            "end": bill.window.end,
            **held,
            "covered_share": share,
        }

    @cached_property
    def month(self) -> Window:
        """The calendar month, UTC, in which what was seen ends."""
        return month_of(self._opened.seen.end)

    @property
    def _last_midnight(self) -> pd.Timestamp:
        return pd.Timestamp(self._opened.seen.end).floor("D")

    @cached_property
    def month_course(self) -> pd.DataFrame:
        """Cost since the month began by day, in the environment's currency."""
        whole = self.daily_costs[self.daily_costs["day"] < self._last_midnight]
        return cost_course.month_course(
            whole, self._telemetry.covered, self.month, currency=self._opened.contract.currency
        )

    @cached_property
    def month_projection(self) -> pd.DataFrame:
        """What the month is likely to cost, one row per currency."""
        return cost_course.month_projection(
            self.daily_costs, self._telemetry.covered, self.month, until=self._last_midnight
        )

    @cached_property
    def budgets(self) -> pd.DataFrame:
        """The configured budgets of the month, with when each will be spent."""
        return cost_course.budget_course(
            self.daily_costs,
            self._opened.environment.settings.budgets,
            self._telemetry.covered,
            self.month,
            until=self._last_midnight,
            currency=self._opened.contract.currency,
        )

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Cost by tenant, in the window."""
        return self.costs_of(self._opened.seen)

    @cached_property
    def cost_movers(self) -> pd.DataFrame:
        """Change of each tenant's cost, of all generated names as one, over the hours covered now and a week before."""
        costs, before, part, hours = self._same_hours
        if hours < _ALIKE:
            return cost.cost_movers(costs[:0], before[:0])
        return cost.cost_movers(self._pooled(costs), self._pooled(before), part=part | {GENERATED})

    @property
    def compared_hours(self) -> int:
        """How many hours of the window are covered, and so are the same ones a week before."""
        return self._same_hours[-1]

    @cached_property
    def _same_hours(self) -> tuple[pd.DataFrame, pd.DataFrame, set[str], int]:
        return cost.same_hours(self.hourly_costs, self._opened.seen, self._telemetry.covered_hours)

    @cached_property
    def change(self) -> tuple[float, float]:
        """What all tenants cost more than one week before, in the environment's currency and as a share, else NaN."""
        own = self.cost_movers[self.cost_movers["currency"] == self._opened.contract.currency]
        change, before = float(own["change"].sum()), float(own["before"].sum())
        return (change, change / before) if before > 0 else (float("nan"), float("nan"))

    @cached_property
    def concentration(self) -> pd.DataFrame:
        """Share of the ten largest tenants, and the Gini coefficient, of the real tenants alone."""
        return cost.concentration(self.real_costs)

    @cached_property
    def cost_stretches(self) -> pd.DataFrame:
        """Stretches of the window that cost more than their calendar explains, and those of which that is unknown."""
        contract, bounds = self._opened.contract, self._opened.bounds
        return anomalies.cost_anomalies(
            self.cost_hours,
            self._opened.seen,
            self._telemetry.covered_hours,
            floor=bounds.cost_anomaly_floor,
            hour_floor=bounds.cost_hour_floor,
            currency=contract.currency,
            semantics=contract["cost"].semantics,
            breaks=self.semantics_breaks,
            generated=set(self._cardinality.generated_names["tenant"]),
        )

    @property
    def cost_anomalies(self) -> pd.DataFrame:
        """Those of the stretches that are known to be anomalies."""
        found = self.cost_stretches
        return found[found["unknown"] == ""].reset_index(drop=True)

    @cached_property
    def anomaly_basis(self) -> pd.DataFrame:
        """Which tenants have the history that an anomaly needs."""
        return anomalies.anomaly_basis(
            self.cost_hours,
            self._opened.seen,
            self._telemetry.covered_hours,
            semantics=self._opened.contract["cost"].semantics,
            breaks=self.semantics_breaks,
        )

    def expected_course(self, tenant: str, currency: str) -> pd.DataFrame:
        """A tenant's cost by hour of the window, or that of all together (''), beside what its history lets expect."""
        hours = self.cost_hours
        found = anomalies.expected_costs(
            hours[hours["tenant"] == tenant] if tenant else hours,
            self._opened.seen,
            self._telemetry.covered_hours,
            floor=self._opened.bounds.cost_anomaly_floor,
            currency=self._opened.contract.currency,
            semantics=self._opened.contract["cost"].semantics,
            generated=set(self._cardinality.generated_names["tenant"]),
            tenant=tenant,
        )
        return found[found["currency"] == currency].reset_index(drop=True)

    @cached_property
    def able_to_tell(self) -> set[str]:
        """The tenants whose cost gauge would have shown a break of its declared semantics."""
        recent = self._opened.within(self.cost_hours, "hour", self._opened.seen.with_history(1))
        return semantics.able_to_tell(recent, self._telemetry.covered)

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
    def agreement(self) -> pd.DataFrame:
        """The platform's own cost windows held against ours at each covered midnight of the window.

        Columns: gauge (metric), named (labelled window), currency, compared, unknown (comparisons), median, worst
        (drifts), apart (in the currency), tenant, at (of the worst).
        """
        metric, currency = self._opened.contract["cost"], self._opened.contract.currency
        ours = cost.hourly_costs(self.cost_hours, semantics=metric.semantics, currency=currency)
        parts = []
        for role, hold, label in (
            ("cost_rolling", agreement.rolling_agreement, "window"),
            ("cost_billing", agreement.billing_agreement, "billing_window"),
        ):
            held = hold(ours, self._opened.hours(role), self._telemetry.covered, currency=currency)
            seen = self._opened.seen
            own = held[(held["at"] > pd.Timestamp(seen.start)) & (held["at"] <= pd.Timestamp(seen.end))]
            counts = agreement.agreement_counts(own, window_label=label).rename(columns={label: "named"})
            counts.insert(0, "gauge", self._opened.contract[role].name)
            parts.append(counts)
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def reconciliation(self) -> pd.DataFrame:
        """Our integrated estimate of the last seven days held against the 7-day rolling gauge, by tenant."""
        rolling = self.rolling_costs
        week = Window(self._opened.seen.end - WEEK, self._opened.seen.end)
        return cost.reconciliation(self.costs_of(week), rolling[rolling["window"] == "7d"], end=self._opened.seen.end)
