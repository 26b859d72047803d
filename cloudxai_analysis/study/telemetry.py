"""The telemetry of a window: coverage, gaps, process starts, inventory."""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cached_property

import pandas as pd

from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.measures import counters, labels, telemetry
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.measures.time_seen import holds
from cloudxai_analysis.study.opened import Opened
from cloudxai_analysis.words.phrases import span

_MOST_HOURS = 24  # of a metric, looked into for series that are there together
# Whose series numbers are made of; of targets and scrapes several may be seen by several.
_LABELLED = {
    *("readiness", "readiness_transitions", "readiness_check", "tenant_readiness", "tenant_transitions", "rejections"),
    *("cost", "cost_rolling", "cost_billing", "process_start", "alerts"),
}


class Telemetry:
    """Frames on the telemetry itself."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @cached_property
    def up(self) -> pd.DataFrame:
        """Samples of `up` of the contract's jobs, up to a day beyond the window."""
        return self._opened.samples("up", self._opened.reach)

    @cached_property
    def held(self) -> pd.DataFrame:
        """How long each scrape of the contract's jobs stands for its target."""
        return holds(self.up)

    @cached_property
    def states(self) -> pd.DataFrame:
        """When each job was up and when it was down."""
        return telemetry.job_states(self.held)

    @cached_property
    def coverage(self) -> pd.DataFrame:
        """Coverage by job and day, over the history."""
        return telemetry.scrape_coverage(self.states, self.held, self._opened.history)

    @cached_property
    def covered(self) -> pd.DataFrame:
        """Covered days of the history."""
        return self._covered(self.coverage, "D")

    @cached_property
    def covered_hours(self) -> pd.DataFrame:
        """Covered hours of the history: hour, coverage, covered."""
        hours = telemetry.scrape_coverage(self.states, self.held, self._opened.history, period="h")
        return self._covered(hours, "h").rename(columns={"day": "hour"})

    @cached_property
    def first_seen(self) -> pd.Timestamp:
        """When the first scrape of the history was made; NaT where there was none."""
        return self.held["start"].min()

    @property
    def begins(self) -> bool:
        """Whether the telemetry begins in the window: of what was there before it, nobody knows."""
        return bool(self.first_seen > pd.Timestamp(self._opened.seen.start) + HOUR)

    def seen_share(self, window: Window) -> float:
        """Share of a window's whole time, day by day of the least covered job; NaN where none was ever scraped."""
        rows = self._opened.within(self.covered, "day", window)
        return float(rows["coverage"].sum() * DAY / window.duration) if len(rows) else float("nan")

    @property
    def seen_seconds(self) -> float:
        """Seconds of the window in which the least covered job was up."""
        return self.seconds_of(self._opened.seen)

    def seconds_of(self, window: Window) -> float:
        """As `seen_seconds`, of another window; of the day in which it begins the whole counts, up to its length."""
        days = Window(window.start.replace(hour=0, minute=0, second=0, microsecond=0), window.end)
        share = self.seen_share(days)
        whole = window.duration.total_seconds()
        return 0.0 if pd.isna(share) else min(share * days.duration.total_seconds(), whole)

    def named(self, window: Window, name: str) -> Window:
        """A window as sentences may call it: by its name where it was seen whole, else by how much of it was."""
        seen = self.seconds_of(window)
        part = seen and seen < 0.99 * window.duration.total_seconds()
        return Window(window.start, window.end, f"the {span(seen)} seen of {name}" if part else name)

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Scrape gaps that overlap the window."""
        gaps, seen = self.all_gaps, self._opened.seen
        return gaps[(gaps["start"] < seen.end) & (gaps["end"] > seen.start)].reset_index(drop=True)

    @cached_property
    def all_gaps(self) -> pd.DataFrame:
        """Scrape gaps of all that was read."""
        return telemetry.scrape_gaps(self.held, self.states, end=pd.Timestamp(self._opened.reach.end))

    def _covered(self, coverage: pd.DataFrame, period: str) -> pd.DataFrame:
        jobs, least = self._opened.contract.jobs, self._opened.bounds.coverage
        end = pd.Timestamp(self._opened.seen.end)
        return telemetry.covered_periods(coverage, jobs=jobs, end=end, least=least, period=period)

    @cached_property
    def starts(self) -> pd.DataFrame:
        """Process starts over the history."""
        return telemetry.process_starts(self._opened.samples("process_start"), self.up)

    @cached_property
    def shared(self) -> pd.DataFrame:
        """Addresses behind which several processes answered in the window; rows of `starts`."""
        seen, several = self._opened.seen, self.starts[self.starts["processes"] > 1]
        return several[(several["seen_at"] < seen.end) & (several["until"] >= seen.start)].reset_index(drop=True)

    @cached_property
    def _scrapes(self) -> pd.DataFrame:
        return self.up[self.up["value"] == 1]

    def counted_hours(self, role: str, *, suffix: str = "") -> pd.DataFrame:
        """Hourly rollups of a counter over the history, with what the first sample of a series adds."""
        return counters.counted_hours(self._opened.hours(role, suffix=suffix), self._scrapes, self.starts)

    def counter_steps(self, role: str) -> pd.DataFrame:
        """Steps of a counter over the history, and beyond the window as far as what begins in it may end."""
        return counters.counter_steps(self._opened.samples(role, self._opened.reach), self._scrapes, self.starts)

    @cached_property
    def restarts(self) -> pd.DataFrame:
        """Process restarts within the window."""
        starts = self.starts[self.starts["restarted"]]
        return self._opened.within(starts, "started_at")

    @cached_property
    def unexpected_labels(self) -> pd.DataFrame:
        """Labels that no setting knows and that tell series of a metric apart at the same time, in the window.

        Columns: those of `measures.labels.unexpected_labels`, and role.
        """
        found: list[pd.DataFrame] = []
        # Any label of an alert may be its rule's own: what tells the scraped series apart is strange there, too.
        roles = [role for role in self._opened.contract.metrics if role in _LABELLED]
        for role in sorted(roles, key="alerts".__eq__):
            strange = {str(label) for rows in found for label in rows["label"]}
            names = self._opened.contract[role].series_names
            found += [self._unexpected(role, name, strange).assign(role=role) for name in names]
        return pd.concat(found, ignore_index=True)

    def _unexpected(self, role: str, name: str, strange: Collection[str]) -> pd.DataFrame:
        contract, seen, frames = self._opened.contract, self._opened.seen, self._opened.frames
        series = self._opened.series(name, seen)
        sets = [json.loads(text) for text in series["labels"]]
        known = {"le", *(label for made in contract.columns(contract[role]).values() for label in made)}
        if contract[role].scope == "rules":
            known = {label for one in sets for label in one if label not in strange and not labels.names_replica(label)}
        alike = labels.alike(series, known=known)
        crowd = labels.crowded(alike, frames.hours(name, seen)) if len(alike) else alike
        if crowd.empty:
            return typed([], labels.UNEXPECTED)
        hours = [Window(hour.to_pydatetime(), hour.to_pydatetime() + HOUR) for hour in crowd["hour"].unique()]
        samples = [frames.samples(name, hour) for hour in hours[:_MOST_HOURS]]
        return labels.unexpected_labels(crowd, pd.concat(samples), metric=name, known=known)

    @cached_property
    def inventory(self) -> pd.DataFrame:
        """Series and samples by metric, in the window."""
        names = self._opened.contract.series_names()
        return telemetry.inventory({name: self._opened.series(name, self._opened.seen) for name in names})
