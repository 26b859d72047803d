"""A server's past, as replay asks it: when each rule group was evaluated, what its expressions gave, what it fired."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import CloudxaiError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.replay.agreement import agreement
from cloudxai_analysis.replay.alert_labels import alert_labels, by_alert, templated_labels
from cloudxai_analysis.replay.candidates import LeftSide, Variant, loosest, thresholds
from cloudxai_analysis.replay.episodes import episodes, runs, states
from cloudxai_analysis.replay.evaluations import Evaluations, down_stretches, evaluations, phase, unsettled
from cloudxai_analysis.replay.left_side import split
from cloudxai_analysis.replay.observed import Named, fired
from cloudxai_analysis.sources.promql import Asked, Steps, promql_range
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch, Source
from cloudxai_analysis.words.phrases import count

WARM_UP = timedelta(hours=2)  # what may still fire, or be kept firing, when the window begins
_SAMPLED_STEPS = 250


@dataclass(frozen=True)
class Replayed:
    """What one rule would have fired over a window, as `measures.alerts` gives it, and the notes that belong to it."""

    rule: AlertingRule
    evaluations: Evaluations
    episodes: pd.DataFrame
    notes: tuple[str, ...]


class History:
    """One window of a server's past.

    `server` evaluates PromQL; `watched` is where ALERTS is read (the same source, or the demo behind its server).
    `evaluation_seconds` holds for groups that say no interval of their own; `named` gives a label set under the
    contract's names.
    """

    def __init__(
        self,
        server: Asked,
        watched: Source,
        window: Window,
        *,
        evaluation_seconds: float,
        rule_matchers: Mapping[str, str] | None = None,
        replica_labels: Collection[str] = (),
        named: Named = dict,
    ) -> None:
        self.server = server
        self.window = window
        self._watched = watched
        self._usual = evaluation_seconds
        self._matchers = dict(rule_matchers or {})
        self._replicas = frozenset(replica_labels)
        self._named = named
        self._kept: dict[tuple[str, int, int], SeriesBatch] = {}
        self._times: dict[tuple[tuple[str, str], int], Evaluations] = {}
        self._down: dict[int, pd.DataFrame] = {}

    @cached_property
    def markers(self) -> bool:
        """Whether the server's own alerts end with staleness markers; those of vmalert's replay mode have none."""
        values = self.alerts.values
        shown = not self._watched.describe().get("hides_markers", True)
        return shown and bool(not len(values) or (values.view(np.int64) == STALENESS_MARKER_BITS).any())

    @cached_property
    def alerts(self) -> SeriesBatch:
        """The raw samples of ALERTS in the window."""
        return self._watched.read("ALERTS", self._matchers, self.window)

    @cached_property
    def scrapes(self) -> SeriesBatch:
        """How long each scrape in the window took; nothing where the server does not say."""
        return self._watched.read("scrape_duration_seconds", {}, self.window)

    def interval(self, rule: AlertingRule) -> int:
        """Milliseconds from one evaluation of the rule to the next."""
        return round((rule.interval_seconds or self._usual) * 1000)

    def evaluations(self, rule: AlertingRule, group: Collection[str] = ()) -> Evaluations:
        """When the rule was evaluated; `group` names the alerting rules that are evaluated together with it.

        Raises
        ------
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server did not answer, or answered wrongly or in part.
        """
        step = self.interval(rule)
        if (rule.place, step) not in self._times:
            self._times[rule.place, step] = self._evaluated(rule, step, frozenset({rule.name, *group}))
        return self._times[rule.place, step]

    def points(self, expression: str, steps: Steps) -> SeriesBatch:
        """What an expression gave at these steps; the server is asked once."""
        key = (expression, steps.first, steps.step)
        if key not in self._kept:
            self._kept[key] = promql_range(self.server, expression, steps)
        return self._kept[key]

    def replay(self, rule: AlertingRule, group: Collection[str] = ()) -> Replayed:
        """What the rule would have fired over the window, its expression asked of the server at each evaluation.

        Raises
        ------
        UsageError
            Several series of the expression make the same alert.
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            The server did not answer, answered wrongly or in part, or does not take the expression.
        """
        at = self.evaluations(rule, group)
        batch = self.points(rule.expr, at.steps)
        batch, labels = self._by_alert(batch, rule)
        found = states(
            runs(batch, at.times),
            at.times,
            for_ms=round(rule.for_seconds * 1000),
            keep_ms=round(rule.keep_firing_for_seconds * 1000),
        )
        fires = episodes(found, labels, at.times, interval_ms=at.interval, window=self.window, markers=self.markers)
        return Replayed(rule, at, fires, self._notes(rule, at))

    def ask(self, rules: Collection[AlertingRule], *, concurrency: int) -> None:
        """Ask the server for the points of these rules, several at the same time; `replay` says what went wrong."""
        for rule in rules:
            self.evaluations(rule, [other.name for other in rules if other.place == rule.place])
        with ThreadPoolExecutor(concurrency) as pool:
            list(pool.map(self._ask, rules))

    def fired(self, rule: AlertingRule) -> pd.DataFrame:
        """The episodes of the rule that the server itself fired in the window."""
        return fired(
            self.alerts,
            rule.name,
            rule.labels,
            interval_seconds=self.interval(rule) / 1000,
            window=self.window,
            replica_labels=self._replicas,
            named=self._named,
        )

    def agreement(self, replayed: Replayed) -> pd.DataFrame:
        """The rule's replayed episodes held against those that the server fired, as `agreement` gives it."""
        rule = replayed.rule
        seconds = replayed.evaluations.interval / 1000
        return agreement(
            self.fired(rule),
            replayed.episodes,
            replayed.evaluations.down,
            unsettled=unsettled(replayed.evaluations.times, self.scrapes),
            interval_seconds=seconds,
            settle_seconds=rule.for_seconds + rule.keep_firing_for_seconds + 2 * seconds,
        )

    def left_side(self, rule: AlertingRule, group: Collection[str] = ()) -> tuple[LeftSide, list[float]]:
        """The points that the rule's candidates are made of, and the thresholds that they allow for.

        Where the top level of the expression compares with a number by `<` or `>`, the server gives all points that the
        loosest threshold lets through; else those of the whole expression, and there is no threshold.

        Raises
        ------
        UsageError, SourceUnreachable, SourceAnswerError, RefusedForSecurity
            As `replay`.
        """
        at = self.evaluations(rule, group)
        parts = split(rule.expr)
        if parts is None or parts.comparison in ("==", "!=") or abs(parts.threshold) == float("inf"):
            batch, labels = self._by_alert(self.points(rule.expr, at.steps), rule)
            return LeftSide(batch, labels, at.times, at.interval, None), []
        width = max(1, at.steps.count // _SAMPLED_STEPS)
        sampled = Steps(at.steps.first, at.steps.step * width, -(-at.steps.count // width))
        levels = thresholds(self.points(parts.left, sampled).values, parts.comparison, parts.threshold)
        expression = parts.at(loosest(levels, parts.comparison))
        batch, labels = self._by_alert(self.points(expression, at.steps), rule)
        return LeftSide(batch, labels, at.times, at.interval, parts.comparison), levels

    def course(self, rule: AlertingRule, group: Collection[str] = ()) -> tuple[pd.DataFrame, str]:
        """What the rule looks at, over the window, as one line, and what that line is.

        Of an expression that compares with a number the extreme of its left side over all series, of any other how many
        series it gives.

        Columns: time, value.

        Raises
        ------
        SourceUnreachable, SourceAnswerError, RefusedForSecurity
            As `replay`.
        """
        parts = split(rule.expr)
        if parts is None:
            expression, meaning = f"count({rule.expr})", "series that the expression gives"
        else:
            extreme = "max" if parts.comparison in (">", ">=", "!=") else "min"
            expression = f"{extreme}({parts.left})"
            meaning = f"{'highest' if extreme == 'max' else 'lowest'} left side of all series"
        at = self.evaluations(rule, group)
        found = self.points(expression, at.steps)
        inside = (found.times >= self.window.start_ms) & (found.times < self.window.end_ms)
        time = pd.DatetimeIndex(found.times[inside].astype("datetime64[ms]"), tz="UTC").as_unit("us")
        return pd.DataFrame({"time": time, "value": found.values[inside]}), meaning

    def _by_alert(self, batch: SeriesBatch, rule: AlertingRule) -> tuple[SeriesBatch, list[dict[str, str]]]:
        """The points by alert, and the alerts' label sets."""
        labels = alert_labels(batch.labels, rule.labels, rule.name)
        merged, kept = by_alert(batch, labels, rule.name)
        return merged, [self._named(labels[number]) for number in kept]

    def _ask(self, rule: AlertingRule) -> None:
        with suppress(CloudxaiError):
            self.points(rule.expr, self.evaluations(rule).steps)

    def _evaluated(self, rule: AlertingRule, step: int, group: frozenset[str]) -> Evaluations:
        seen = phase(self.alerts, group, step)
        if seen is not None:
            after, how = seen, "the times of the group's alerts"
        elif rule.last_evaluation is not None:
            after, how = rule.last_evaluation % step, "the group's last evaluation, to within its delay"
        else:
            after, how = 0, "whole intervals: the group has left no alert to tell its own times by"
        steps = Steps.within(Window(self.window.start - WARM_UP, self.window.end), step, phase=after)
        if step not in self._down:
            self._down[step] = down_stretches(self.server, steps)
        alerts = self.alerts if self.markers else None
        return evaluations(steps, down=self._down[step], alerts=alerts, rules=group, how=how)

    def _notes(self, rule: AlertingRule, at: Evaluations) -> tuple[str, ...]:
        notes = [f"Evaluated every {at.interval / 1000:g} s, at {at.how}."]
        if templated := templated_labels(rule.labels):
            notes.append(
                f"Label {' and '.join(templated)} is a template of more than labels and is not filled in: where it "
                "changes, the server's alert is another one, and the replayed one is not."
            )
        inside = at.down[(at.down["end"] > self.window.start) & (at.down["start"] < self.window.end)]
        if len(inside):
            start, end = inside["start"].clip(lower=self.window.start), inside["end"].clip(upper=self.window.end)
            minutes = (end - start).dt.total_seconds().sum() / 60
            notes.append(
                f"The server left nothing for {minutes:,.1f} min, in {count(len(inside), 'stretch', 'stretches')}: it "
                "was down, nothing is evaluated there, and what it restored afterwards is not replayed."
            )
        return tuple(notes)


def present(rule: AlertingRule) -> Variant:
    """The rule as it is, among its candidates."""
    parts = split(rule.expr)
    varied = parts is not None and parts.comparison not in ("==", "!=") and abs(parts.threshold) != float("inf")
    threshold = parts.threshold if parts is not None and varied else None
    return Variant(threshold, rule.for_seconds, rule.keep_firing_for_seconds)
