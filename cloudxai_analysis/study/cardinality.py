"""Tenant labels of a window: active, held, headroom, churn, the guard."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import (
    cardinality,
    cohorts,
    counters,
    drivers,
    guard,
    identifiers,
    shifts,
    taint,
    time_to_cap,
)
from cloudxai_analysis.measures.forecast import Forecast
from cloudxai_analysis.study.opened import Opened
from cloudxai_analysis.study.telemetry import Telemetry

# What Prometheus itself makes series of: their buckets and alerts are lost without these.
_NEEDED = ("le", "alertname", "alertstate")


class Cardinality:
    """Frames on the tenant labels and their guard."""

    def __init__(self, opened: Opened, telemetry: Telemetry) -> None:
        self._opened = opened
        self._telemetry = telemetry

    @cached_property
    def tenant_hours(self) -> pd.DataFrame:
        """Hourly rollups of tenant readiness, the metric that every tenant has."""
        return self._opened.hours("tenant_readiness")

    @cached_property
    def tenant_samples(self) -> pd.DataFrame:
        """Raw samples of tenant readiness, in the window."""
        return self._opened.samples("tenant_readiness", self._opened.seen)

    @cached_property
    def active_tenants(self) -> pd.DataFrame:
        """Active tenants by hour, over the history, and how many of them are generated names."""
        return cardinality.active_tenants(self.tenant_hours, self.generated_names["tenant"])

    @cached_property
    def arrivals(self) -> pd.DataFrame:
        """When each process first saw each tenant since its start."""
        return cardinality.tenant_arrivals(self.tenant_hours, self._telemetry.starts)

    @cached_property
    def held(self) -> pd.DataFrame:
        """Held tenants by process and hour, over the history."""
        return cardinality.held_tenants(self.arrivals, self._opened.history, self._telemetry.starts)

    @cached_property
    def headroom(self) -> pd.DataFrame:
        """Headroom by hour, over the history."""
        # Without any tenant nobody knows how many a process holds.
        held = self.held if len(self.arrivals) else self.held[:0]
        return cardinality.headroom(held, cap=self._opened.contract.tenant_cap, shown=self.guard)

    @cached_property
    def daily_arrivals(self) -> pd.DataFrame:
        """Real tenants that came to the process with the least headroom, by whole day of the history."""
        window = self._opened.history
        whole = Window(window.start, pd.Timestamp(window.end).floor("D").to_pydatetime())
        cap, fullest = self._opened.contract.tenant_cap, self.headroom.tail(1)
        own = self.arrivals[self.arrivals["job"].isin(fullest["job"])]
        name = fullest["instance"].max() if len(fullest) else ""
        names = self.generated_names["tenant"]
        covered = self._telemetry.covered
        return time_to_cap.daily_arrivals(own, covered, whole, cap=cap, instance=name, generated=names)

    @cached_property
    def _to_cap(self) -> tuple[pd.DataFrame, Forecast]:
        recent = self.refusals["end"] >= pd.Timestamp(self._opened.seen.end) - pd.Timedelta(hours=1)
        since = self.refusals.loc[recent, "start"].min() if recent.any() else None
        held = int(self.headroom["held"].iloc[-1]) if len(self.headroom) else 0
        own = self.arrivals.merge(self.headroom[["job", "instance"]].tail(1), on=["job", "instance"])
        own = own[own["started_at"].isna() | (own["started_at"] == own["started_at"].max())]
        return time_to_cap.time_to_cap(
            self.daily_arrivals,
            cap=self._opened.contract.tenant_cap,
            held=held,
            generated=int(own["tenant"].isin(self.generated_names["tenant"]).sum()),
            expected=cardinality.busiest(self.real_hours, end=pd.Timestamp(self._opened.seen.end)),
            refusing_since=since,
        )

    @cached_property
    def time_to_cap(self) -> pd.DataFrame:
        """When the process with the least headroom is likely to hold as many tenants as it may, as one row."""
        return self._to_cap[0]

    @cached_property
    def held_ahead(self) -> pd.DataFrame:
        """Held tenants of that process over the days ahead, with intervals; empty where they cannot be forecast."""
        found, forecast = self._to_cap
        last = self.daily_arrivals["day"].max()
        return time_to_cap.paths_to_cap(forecast, held=int(found["held"].iloc[0]), last=last)

    @cached_property
    def back_test(self) -> pd.DataFrame:
        """How each model of the arrivals did in the back-test; empty where they cannot be forecast."""
        return self._to_cap[1].back_test

    @cached_property
    def churn(self) -> pd.DataFrame:
        """Churn of the real tenants by day, over the history."""
        return cardinality.tenant_churn(self.real_hours, self._telemetry.covered)

    @cached_property
    def tenant_sets(self) -> pd.DataFrame:
        """New, returning, stayed and lost tenants of the window, generated names left out."""
        found = cardinality.tenant_sets(self.real_hours, self._opened.seen)
        return found.assign(set=found["set"].replace("new", "unknown")) if self._telemetry.begins else found

    @cached_property
    def tenant_sets_by_week(self) -> pd.DataFrame:
        """Number of new, returning, stayed and lost real tenants, one row per `week` after the telemetry's begin.

        In the week in which it begins every tenant would be new, which says nothing of the tenants.
        """
        first = self._telemetry.first_seen
        weeks = [week for week in self._opened.history.weeks() if week.start > first]
        counts = [cardinality.tenant_sets(self.real_hours, week)["set"].value_counts() for week in weeks]
        frame = pd.DataFrame(counts, index=[week.name for week in weeks])
        frame = frame.reindex(columns=["new", "returning", "stayed", "lost"]).fillna(0).astype("int64")
        return frame.rename_axis("week").reset_index()

    @cached_property
    def series(self) -> pd.DataFrame:
        """Every series of the contract's metrics in the history, with `metric` and all of its labels."""
        names = self._opened.contract.series_names()
        parts = [self._opened.series(name, self._opened.history).assign(metric=name) for name in names]
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def series_by_metric(self) -> pd.DataFrame:
        """Series of each metric, with those that came and left in the window."""
        return drivers.series_by_metric(self.series, self._opened.seen, tenant=self._opened.contract.tenant_label)

    @property
    def nameless(self) -> list[str]:
        """Metrics of tenants that were exported in the window without a single series that names a tenant."""
        contract, found = self._opened.contract, self.series_by_metric
        own = [one.name for one in contract.metrics.values() if {"tenant", contract.tenant_label} & set(one.labels)]
        return found.loc[(found["tenants"] == 0) & found["metric"].isin(own), "metric"].tolist()

    @cached_property
    def series_by_value(self) -> pd.DataFrame:
        """Series of the values of each label, over the history."""
        return drivers.series_by_value(self.series)

    @cached_property
    def label_savings(self) -> pd.DataFrame:
        """What dropping each label of each metric would save, over the history."""
        contract = self._opened.contract
        needed = {contract.tenant_label, *contract.process_labels, *_NEEDED}
        # What nobody has explained yet may be the tenant.
        needed |= set(self._telemetry.unexpected_labels["label"])
        return drivers.label_savings(self.series, needed=needed)

    @cached_property
    def generated_series(self) -> int:
        """Series of the history whose tenant is a generated name."""
        pairs = drivers.label_pairs(self.series["labels"])
        tenants = pairs.loc[pairs["label"] == self._opened.contract.tenant_label, "value"]
        return int(tenants.isin(self.generated_names["tenant"]).sum())

    @cached_property
    def cohorts(self) -> pd.DataFrame:
        """Of the tenants that came in each week of the history, how many were still seen later."""
        return cohorts.tenant_cohorts(
            self.real_hours, self._telemetry.covered, self._opened.history, begin=self._telemetry.first_seen
        )

    @cached_property
    def lifetimes(self) -> pd.DataFrame:
        """How long each real tenant has been seen, over the history."""
        return cohorts.tenant_lifetimes(
            self.real_hours, end=pd.Timestamp(self._opened.seen.end), begin=self._telemetry.first_seen
        )

    @cached_property
    def survival(self) -> pd.DataFrame:
        """The share of tenants that stay longer than so many days."""
        return cohorts.tenant_survival(self.lifetimes)

    @cached_property
    def level_shifts(self) -> pd.DataFrame:
        """Days of the history from which the daily number of tenants stands on another level."""
        return shifts.level_shifts(self.level_days, "tenants")

    @cached_property
    def level_days(self) -> pd.DataFrame:
        """The covered days of `churn`."""
        known = self._telemetry.covered.loc[self._telemetry.covered["covered"].astype(bool), "day"]
        return self.churn[self.churn["day"].isin(known)]

    @cached_property
    def rejection_steps(self) -> pd.DataFrame:
        """Steps of the rejection counter, over the history and the day after it."""
        return self._telemetry.counter_steps("rejections")

    @cached_property
    def rejections(self) -> pd.DataFrame:
        """Rejections by process and hour, over the history."""
        return cardinality.rejections(self._opened.within(self.rejection_steps, "time", self._opened.history))

    @cached_property
    def refusals(self) -> pd.DataFrame:
        """Whole stretches in which a guard refused labels that overlap the window, with their part `inside` it."""
        found, steps = guard.refusals(self.rejection_steps), self.rejection_steps
        return counters.split_at(found, steps, self._opened.seen, by=["job", "instance"])

    @cached_property
    def _all_refusals(self) -> pd.DataFrame:
        return guard.refusals(self._opened.within(self.rejection_steps, "time", self._opened.history))

    @cached_property
    def refused_names(self) -> list[str]:
        """Tenants whose requests a guard refused in the window, where its counter carries their names."""
        steps = self._opened.within(self.rejection_steps, "time")
        return [name for name in steps.loc[steps["step"] > 0, "tenant"].astype("str").unique() if name]

    @cached_property
    def tainted(self) -> pd.DataFrame:
        """Stretches in which refused tenants are missing that overlap the window, over the history's refusals."""
        end = pd.Timestamp(self._opened.seen.end)
        found = taint.tainted_stretches(
            self._all_refusals,
            self._telemetry.starts,
            self.rejection_steps,
            self.lifetimes,
            self.generated_names,
            end=end,
        )
        return found[found["until"] > self._opened.seen.start].reset_index(drop=True)

    @cached_property
    def _guard_scrapes(self) -> pd.DataFrame:
        steps, cap = self._opened.within(self.rejection_steps, "time"), self._opened.contract.tenant_cap
        return guard.guard_scrapes(self.tenant_samples, self.arrivals, steps, cap=cap, starts=self._telemetry.starts)

    @cached_property
    def guard_hours(self) -> pd.DataFrame:
        """The guard's invariants by process and hour, in the window."""
        starts, gaps = self._telemetry.starts, self._telemetry.gaps
        return guard.guard_hours(self._guard_scrapes, cap=self._opened.contract.tenant_cap, starts=starts, gaps=gaps)

    @cached_property
    def guard(self) -> pd.DataFrame:
        """The guard's invariants by process, in the window."""
        return guard.guard_invariants(self._guard_scrapes, cap=self._opened.contract.tenant_cap)

    @cached_property
    def generated_names(self) -> pd.DataFrame:
        """Tenant labels that look and behave generated, over the whole history: tenant, stem, shape, first, last seen.

        The one home of which names are counted apart from the tenants.
        """
        return identifiers.generated_names(self.arrivals, refusals=self._all_refusals, gaps=self._telemetry.all_gaps)

    @cached_property
    def unstable_identifiers(self) -> pd.DataFrame:
        """The generated names that were seen in the window, by stem and shape."""
        return identifiers.unstable_identifiers(self.generated_names, self._opened.seen)

    @cached_property
    def generated_bursts(self) -> pd.DataFrame:
        """Bursts of generated names that began in the window."""
        return self._opened.within(identifiers.generated_bursts(self.generated_names), "start")

    @cached_property
    def real_hours(self) -> pd.DataFrame:
        """The rows of `tenant_hours` that are of no generated name."""
        return self.tenant_hours[~self.tenant_hours["tenant"].isin(self.generated_names["tenant"])]
