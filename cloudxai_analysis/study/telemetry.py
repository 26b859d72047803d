"""The telemetry of a window: coverage, gaps, process starts, inventory."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.ground.window import HOUR, Window
from cloudxai_analysis.measures import labels
from cloudxai_analysis.measures import telemetry as measure
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.measures.time_seen import holds
from cloudxai_analysis.study.frame import ANY_METRIC, Topic, frame, samples, value
from cloudxai_analysis.words.phrases import span

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study

_MOST_HOURS = 24  # of a metric, looked into for series that are there together
# Whose series numbers are made of; of targets and scrapes several may be seen by several.
_LABELLED = (
    *("readiness", "readiness_transitions", "readiness_check", "tenant_readiness", "tenant_transitions", "rejections"),
    *("cost", "cost_rolling", "cost_billing", "process_start", "alerts"),
)
_COVERED: dict[str, Any] = {"jobs": "contract.jobs", "end": "end", "least": "bounds.coverage"}


def _inventory(study: Study) -> pd.DataFrame:
    """Series and samples by metric, in the window."""
    return measure.inventory({name: study.series(name, study.seen) for name in study.contract.series_names()})


def _unexpected_labels(study: Study) -> pd.DataFrame:
    """Labels that no setting knows and that tell series of a metric apart at the same time, in the window.

    Columns: those of `measures.labels.unexpected_labels`, and role.
    """
    found: list[pd.DataFrame] = []
    # Any label of an alert may be its rule's own: what tells the scraped series apart is strange there, too.
    roles = [role for role in study.contract.metrics if role in _LABELLED]
    for role in sorted(roles, key="alerts".__eq__):
        strange = {str(label) for rows in found for label in rows["label"]}
        names = study.contract[role].series_names
        found += [_unexpected(study, role, name, strange).assign(role=role) for name in names]
    return pd.concat(found, ignore_index=True)


def _unexpected(study: Study, role: str, name: str, strange: Collection[str]) -> pd.DataFrame:
    contract, seen, store = study.contract, study.seen, study.store
    series = study.series(name, seen)
    sets = [json.loads(text) for text in series["labels"]]
    known = {"le", *(label for made in contract.columns(contract[role]).values() for label in made)}
    if contract[role].scope == "rules":
        known = {label for one in sets for label in one if label not in strange and not labels.names_replica(label)}
    alike = labels.alike(series, known=known)
    crowd = labels.crowded(alike, store.hours(name, seen)) if len(alike) else alike
    if crowd.empty:
        return typed([], labels.unexpected_labels)
    hours = [Window(hour.to_pydatetime(), hour.to_pydatetime() + HOUR) for hour in crowd["hour"].unique()]
    found = [store.samples(name, hour) for hour in hours[:_MOST_HOURS]]
    return labels.unexpected_labels(crowd, pd.concat(found), metric=name, known=known)


def _begins(first: pd.Timestamp, seen: Window) -> bool:
    """Whether the telemetry begins in the window: of what was there before it, nobody knows."""
    return bool(first > pd.Timestamp(seen.start) + HOUR)


def _scrapes(up: pd.DataFrame) -> pd.DataFrame:
    """The scrapes that succeeded: the rows of `up` whose value is 1."""
    return up[up["value"] == 1]


def _covered_hours(states: pd.DataFrame, held: pd.DataFrame, history: Window, **how: Any) -> pd.DataFrame:
    """Covered hours of the history: hour, coverage, covered."""
    hours = measure.scrape_coverage(states, held, history, period="h")
    return measure.covered_periods(hours, **how, period="h").rename(columns={"day": "hour"})


def _gaps(gaps: pd.DataFrame, seen: Window) -> pd.DataFrame:
    """Scrape gaps that overlap the window."""
    return gaps[(gaps["start"] < seen.end) & (gaps["end"] > seen.start)].reset_index(drop=True)


def _restarts(starts: pd.DataFrame) -> pd.DataFrame:
    """Process restarts within the window."""
    return starts[starts["restarted"]]


def _shared(starts: pd.DataFrame, seen: Window) -> pd.DataFrame:
    """Addresses behind which several processes answered in the window; rows of `starts`."""
    several = starts[(starts["processes"] > 1) & (starts["seen_at"] < seen.end) & (starts["until"] >= seen.start)]
    return several.reset_index(drop=True)


class Telemetry(Topic):
    """Frames on the telemetry itself."""

    up = samples("up", "reach", says="Samples of `up` of the contract's jobs, up to a day beyond the window.")
    scrapes = frame(_scrapes, "up")
    held = frame(holds, "up", says="How long each scrape of the contract's jobs stands for its target.")
    states = frame(measure.job_states, "held")
    first_seen = value(pd.Series.min, "telemetry.held.start", says="When the first scrape was made; NaT without any.")
    begins = value(_begins, "first_seen", "seen")
    coverage = frame(measure.scrape_coverage, "states", "held", "history")
    covered = frame(measure.covered_periods, "coverage", **_COVERED, says="Covered days of the history.")
    covered_hours = frame(_covered_hours, "states", "held", "history", **_COVERED)
    all_gaps = frame(measure.scrape_gaps, "held", "states", end=value(pd.Timestamp, "reach.end"))
    gaps = frame(_gaps, "all_gaps", "seen")
    fewer_targets = frame(measure.fewer_targets, "held", "seen")
    starts = frame(measure.process_starts, samples("process_start"), "up")
    restarts = frame(_restarts, "starts", within="started_at")
    shared = frame(_shared, "starts", "seen")
    unexpected_labels = frame(_unexpected_labels, "study", roles=_LABELLED)
    inventory = frame(_inventory, "study", roles=(ANY_METRIC,))

    def seen_share(self, window: Window) -> float:
        """Share of a window's whole time, day by day of the least covered job; NaN where none was ever scraped."""
        return measure.seen_share(self.covered, window)

    @property
    def seen_seconds(self) -> float:
        """Seconds of the window in which the least covered job was up."""
        return self.seconds_of(self.study.seen)

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
