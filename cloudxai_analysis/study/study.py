"""The study: one window of one environment, its five topics side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.read import Frames, Snapshot
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.platform.contract import Metric, joined
from cloudxai_analysis.platform.settings import Environment
from cloudxai_analysis.sources.open import source_of
from cloudxai_analysis.sources.promql import Steps, promql_range
from cloudxai_analysis.sources.series import SeriesBatch
from cloudxai_analysis.sources.server import ServerSource
from cloudxai_analysis.study.alerts import Alerts
from cloudxai_analysis.study.cardinality import Cardinality
from cloudxai_analysis.study.cost import Cost
from cloudxai_analysis.study.frame import TOPICS, frame, listed, roots_of, values
from cloudxai_analysis.study.numbers import compared
from cloudxai_analysis.study.readiness import Readiness
from cloudxai_analysis.study.telemetry import Telemetry
from cloudxai_analysis.words.phrases import near_miss

TOPICS |= {"telemetry": Telemetry, "cardinality": Cardinality, "cost": Cost, "alerts": Alerts, "readiness": Readiness}
_RULES = {
    **dict.fromkeys(("group", "alertname", "expr", "severity", "health"), "str"),
    **dict.fromkeys(("for_seconds", "keep_firing_for_seconds", "interval_seconds"), "float64"),
}


class Study:
    """One window of one environment, opened on one lake version; `provenance` says which and whence.

    `window` is the window judged; `seen` its part before `now`, and `end` where that ends;
    `history` begins some weeks earlier and ends with `seen`, for measures that compare; `reach`
    goes up to a day beyond, for what begins in the window and ends after it. The topics hold the
    frames, and `frames()` lists all of them; `made` keeps what is made of them once: checks, cards,
    the summary.
    """

    telemetry: Telemetry
    cardinality: Cardinality
    cost: Cost
    alerts: Alerts
    readiness: Readiness
    frames = staticmethod(listed)

    def __init__(
        self,
        environment: Environment,
        window: Window,
        store: Frames,
        *,
        ledger: Ledger,
        now: datetime,
        provenance: dict[str, Any] | None = None,
    ) -> None:
        self.environment = environment
        self.contract, self.bounds = environment.contract, environment.bounds
        self.window, self.now = window, now
        self.seen = Window(window.start, min(window.end, now), window.name)
        self.end = pd.Timestamp(self.seen.end)
        self.reach = window.reach(environment.settings.history_weeks, now)
        self.history = Window(self.reach.start, self.seen.end, window.name)
        self.ledger, self.store = ledger, store
        self.provenance = provenance or {}
        self.made: dict[Any, Any] = {}
        for name, topic in TOPICS.items():
            setattr(self, name, topic(self))

    def __repr__(self) -> str:
        return f"{self.window}, environment {self.environment.name}"

    @property
    def partial(self) -> bool:
        """Whether the window had not ended when the telemetry was pulled."""
        return self.seen.end < self.window.end

    @cached_property
    def observed(self) -> Window:
        """The window as sentences may call it."""
        return self.telemetry.named(self.seen, f"{self.window.name} so far" if self.partial else self.window.name)

    @cached_property
    def rules(self) -> pd.DataFrame | None:
        """The alerting rules that the source had loaded at the pull; None where that is not known.

        Not known is it also where none is loaded and there are alerts all the same: others evaluate
        the rules then.

        Columns: group, alertname, expr, for_seconds, keep_firing_for_seconds, interval_seconds
        (NaN: not told), severity ('' without that label), health ('ok', 'err', 'unknown'; '' where
        not told).
        """
        loaded = self.store.rules
        if loaded is None or (not loaded and len(self.store.series(self.contract["alerts"].name, self.history))):
            return None
        return typed(loaded, _RULES)

    def reread(self) -> None:
        """Let what was made of the ledger be made anew of what the ledger says now; other frames stay."""
        self.made.clear()
        for topic, _, name in (one.partition(".") for one in values() if "ledger" in roots_of(one)):
            vars(getattr(self, topic)).pop(name, None)

    def promql(
        self, expression: str, window: Window | None = None, *, step: timedelta = timedelta(minutes=1)
    ) -> pd.DataFrame:
        """What the source's server gives for a PromQL expression at each step of the window.

        Columns: series_id, time, value, and each label. A UsageError where the source evaluates no
        PromQL, else whatever the server's answer raises.
        """
        source = self._source()
        if not isinstance(source, ServerSource):
            raise UsageError(f"PromQL needs a server that evaluates it, and source {source.name} has none: study.sql?")
        steps = Steps.within(window or self.seen, round(step.total_seconds() * 1000))
        return _batch_frame(promql_range(source, expression, steps))

    def compare(self, other: Study) -> pd.DataFrame:
        """The same numbers of another week or environment beside this one's; see `numbers.compared`."""
        if not isinstance(other, Study):
            raise UsageError(f"A study is compared with a study, not with {other!r}. Open it with open_study.")
        return compared(self, other)

    def sql(self, statement: str) -> pd.DataFrame:
        """The answer to one SQL statement over the window's raw samples and hourly rollups; see `lake.sql.query`.

        Each frame is a view by its name, as `cost.costs`: what a report says is what SQL counts of it.
        """
        from cloudxai_analysis.lake.sql import query

        if not isinstance(self.store, Snapshot):
            raise UsageError("SQL needs a lake, and this study reads its source directly. Open it with open_study.")
        said = statement.replace('"', "").lower()
        named = [name for name, one in values().items() if isinstance(one, frame) and name in said]
        frames = {name: made for name in named if (made := self.rows(name)) is not None}
        return query(self.store, statement, self.seen, frames)

    def hours(self, role: str, window: Window | None = None, *, suffix: str = "") -> pd.DataFrame:
        """Hourly rollups of the metric that plays `role`, over the history unless a window is given."""
        metric = self.contract[role]
        columns = self._columns(metric, suffix)
        frame = self.store.hours(metric.name + suffix, window or self.history, _labels(columns))
        return self._own(frame, metric, columns)

    def samples(
        self, role: str, window: Window | None = None, *, markers: bool = False, suffix: str = ""
    ) -> pd.DataFrame:
        """Raw samples of the metric that plays `role`, over the history unless a window is given.

        Of any other metric the source is asked now, for the window judged unless one is given, and
        nothing is kept; a UsageError where it has no sample of it.
        """
        if role in self.contract.metrics:
            metric = self.contract[role]
            columns = self._columns(metric, suffix)
            name, over = metric.name + suffix, window or self.history
            frame = self.store.samples(name, over, _labels(columns), markers=markers)
            return self._own(frame, metric, columns)
        source, window = self._source(), window or self.seen
        found = _batch_frame(source.read(role, self.environment.settings.matchers, window))
        if found.empty:
            raise UsageError(
                f"Asked for the samples of {role} over {window}: source {source.name} has none, and no role of the "
                f"contract is called so. Its roles are {', '.join(self.contract.metrics)}."
            )
        return found

    def series(self, name: str, window: Window) -> pd.DataFrame:
        """Series called `name` with all of their labels: of the contract's jobs, or of any where rules make them."""
        found = self.store.series(name, window)
        if self.contract.scope_of(name) == "rules":
            return found
        own = [json.loads(labels).get("job", "") in self.contract.jobs for labels in found["labels"]]
        return found[pd.Series(own, dtype=bool)].reset_index(drop=True)

    def tenant(self, name: str) -> str:
        """The name of a tenant that was seen up to the window's end; a UsageError names the near ones of another."""
        if name not in self.tenants:
            near = near_miss(name, self.tenants, most=3)
            raise UsageError(f"No tenant '{name}' up to the end of {self.window.name}.{near}")
        return name

    @cached_property
    def tenants(self) -> list[str]:
        """Every tenant that was seen up to the window's end, by name."""
        seen = (self.cardinality.tenant_hours["tenant"], self.cost.cost_hours["tenant"])
        return sorted({*pd.concat([one.astype("str") for one in seen])} - {""})

    def going_on(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of `frame`, with start and end, that began before the window and were not over when it began."""
        over = frame["end"].isna() | (frame["end"] > self.seen.start)
        return frame[(frame["start"] < self.seen.start) & over].reset_index(drop=True)

    def within(self, frame: pd.DataFrame, column: str = "hour", window: Window | None = None) -> pd.DataFrame:
        """The rows of `frame` whose `column` lies in the window, or in another one."""
        window = window or self.seen
        if column not in frame:
            raise UsageError(
                f"The frame has no column '{column}' to tell its rows' time by.{near_miss(column, [*frame])}"
            )
        inside = (frame[column] >= window.start) & (frame[column] < window.end)
        return frame[inside].reset_index(drop=True)

    def rows(self, path: str, by: str = "") -> pd.DataFrame:
        """The frame at a path as `telemetry.gaps`, or its rows in the window by a time column; empty without a path."""
        frame = attrgetter(path)(self) if path else pd.DataFrame()
        return self.within(frame, by) if by else frame

    def _own(self, frame: pd.DataFrame, metric: Metric, columns: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
        """What the contract's jobs export, since others use the same names; of rules all: people get their alerts.

        Where a metric has a tenant by contract, a series without one is nobody's, and left out.
        """
        if any(labels != (column,) for column, labels in columns.items()):
            made = {column: _joined(frame, labels) for column, labels in columns.items()}
            frame = frame.drop(columns=_labels(columns)).assign(**made)
        own = frame["job"].isin(self.contract.jobs) if metric.scope == "target" else pd.Series(True, index=frame.index)
        if {"tenant", self.contract.tenant_label} & set(metric.labels):
            own &= frame["tenant"] != ""
        return frame if own.all() else frame[own].reset_index(drop=True)

    def _columns(self, metric: Metric, suffix: str) -> dict[str, tuple[str, ...]]:
        return {**self.contract.columns(metric), **({"le": ("le",)} if suffix == "_bucket" else {})}

    def _source(self) -> Any:
        settled = self.environment
        return source_of(settled)


def _labels(columns: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [label for labels in columns.values() for label in labels]


def _joined(frame: pd.DataFrame, labels: Sequence[str]) -> pd.Series:
    """One column made of those of several labels; the values of each row joined."""
    if len(labels) == 1:
        return frame[labels[0]]
    groups = frame.groupby(list(labels), observed=True)
    codes, names = pd.factorize(pd.Series([joined(key) for key in groups.groups], dtype="str"))
    return pd.Series(pd.Categorical.from_codes(codes[groups.ngroup().to_numpy()], categories=names), index=frame.index)


def _batch_frame(batch: SeriesBatch) -> pd.DataFrame:
    """Samples of series: series_id, time (UTC), value, and each label as a categorical column."""
    series = np.repeat(np.arange(len(batch.labels)), np.diff(batch.offsets))
    times = pd.to_datetime(batch.times, unit="ms", utc=True).as_unit("us")
    found = pd.DataFrame({"series_id": series, "time": times, "value": batch.values})
    for name in sorted({name for labels in batch.labels for name in labels} - set(found)):
        found[name] = pd.Categorical([labels.get(name, "") for labels in batch.labels]).take(series)
    return found
