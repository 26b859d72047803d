"""A server's past, as replay asks it: its rule groups' evaluations, their points, and what fired."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import CloudxaiError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import alerts as measured
from cloudxai_analysis.replay.agreement import agreement
from cloudxai_analysis.replay.alerts import Named, alert_labels, alert_samples, alerts_of, by_alert, templated_labels
from cloudxai_analysis.replay.candidates import LeftSide, Variant, loosest, thresholds
from cloudxai_analysis.replay.episodes import episodes, runs, states
from cloudxai_analysis.replay.evaluations import Evaluations, down_stretches, evaluations, phase, unsettled
from cloudxai_analysis.replay.left_side import split
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
    """One window of a server's past, asked for `rules`.

    `server` evaluates PromQL; `watched` is where ALERTS is read (the same source, or the demo behind its server).
    `evaluation_seconds` holds for groups that say no interval of their own; `named` gives a label set under the
    contract's names. Each method raises UsageError where several series of an expression make the same alert, and
    SourceUnreachable, SourceAnswerError or RefusedForSecurity where the server does not answer, answers wrongly or in
    part, or does not take the expression.
    """

    def __init__(
        self,
        server: Asked,
        watched: Source,
        window: Window,
        rules: Collection[AlertingRule],
        *,
        evaluation_seconds: float,
        rule_matchers: Mapping[str, str] | None = None,
        replica_labels: Collection[str] = (),
        named: Named = dict,
    ) -> None:
        self.window = window
        self._rules = list(rules)
        self._watched = watched
        self._usual = evaluation_seconds
        self._matchers = dict(rule_matchers or {})
        self._replicas = frozenset(replica_labels)
        self._named = named
        self._down: dict[int, pd.DataFrame] = {}
        # The server is asked for each thing once.
        self._points = cache(lambda expression, steps: promql_range(server, expression, steps))
        self._evaluated = cache(self._evaluations)
        self._server = server

    @cached_property
    def alerts(self) -> SeriesBatch:
        """The raw samples of ALERTS in the window."""
        return self._watched.read("ALERTS", self._matchers, self.window)

    @cached_property
    def markers(self) -> bool:
        """Whether the server's own alerts end with staleness markers, which vmalert's replay leaves out."""
        bits = self.alerts.values.view(np.int64)
        shown = not self._watched.describe().get("hides_markers", True)
        return shown and bool(not len(bits) or (bits == STALENESS_MARKER_BITS).any())

    @cached_property
    def _scrapes(self) -> SeriesBatch:
        """How long each scrape in the window took; nothing where the server does not say."""
        return self._watched.read("scrape_duration_seconds", {}, self.window)

    def evaluations(self, rule: AlertingRule) -> Evaluations:
        """When the rule was evaluated, together with all others of its group."""
        step = round((rule.interval_seconds or self._usual) * 1000)
        return self._evaluated(*rule.place, step, rule.last_evaluation)

    def ask(self, rules: Sequence[AlertingRule], *, concurrency: int) -> None:
        """Ask the server for these rules' points, several at a time; `replay` says what went wrong."""

        def asked(rule: AlertingRule, steps: Steps) -> None:
            with suppress(CloudxaiError):
                self._points(rule.expr, steps)

        steps = [self.evaluations(rule).steps for rule in rules]
        with ThreadPoolExecutor(concurrency) as pool:
            list(pool.map(asked, rules, steps))

    def replay(self, rule: AlertingRule) -> Replayed:
        """What the rule would have fired over the window, the server being asked at each evaluation."""
        at = self.evaluations(rule)
        batch, labels = self._by_alert(rule, rule.expr, at.steps)
        found = states(
            runs(batch, at.times),
            at.times,
            for_seconds=rule.for_seconds,
            keep_seconds=rule.keep_firing_for_seconds,
        )
        fires = episodes([found], labels, at.times, interval_ms=at.interval, window=self.window, markers=self.markers)
        return Replayed(rule, at, fires.drop(columns="variant"), self._notes(rule, at))

    def agreement(self, replayed: Replayed) -> pd.DataFrame:
        """The replayed episodes held against those that the server fired, as `agreement` gives it."""
        rule, at = replayed.rule, replayed.evaluations
        seconds = at.interval / 1000
        samples = alert_samples(self.alerts, rule, replica_labels=self._replicas, named=self._named)
        return agreement(
            measured.episodes(samples, interval_seconds=seconds, window=self.window),
            replayed.episodes,
            at.down,
            unsettled=unsettled(at.times, self._scrapes),
            interval_seconds=seconds,
            settle_seconds=rule.for_seconds + rule.keep_firing_for_seconds + 2 * seconds,
        )

    def left_side(self, rule: AlertingRule) -> LeftSide:
        """The points that the rule's candidates are made of, and the thresholds that they allow for.

        Where the top level of the expression compares with a number by `<` or `>`, the server gives all points that the
        loosest threshold lets through; else those of the whole expression, and there is no threshold.
        """
        at = self.evaluations(rule)
        parts = split(rule.expr)
        if parts is None or not parts.varies:
            return LeftSide(*self._by_alert(rule, rule.expr, at.steps), at.times, at.interval)
        width = max(1, at.steps.count // _SAMPLED_STEPS)
        sampled = Steps(at.steps.first, at.steps.step * width, -(-at.steps.count // width))
        levels = thresholds(self._points(parts.left, sampled).values, parts.comparison, parts.threshold)
        points = self._by_alert(rule, parts.at(loosest(levels, parts.comparison)), at.steps)
        return LeftSide(*points, at.times, at.interval, parts.comparison, levels)

    def course(self, rule: AlertingRule) -> tuple[pd.DataFrame, str]:
        """What the rule looks at, over the window, as one line, and what that line is.

        Of an expression that compares with a number the extreme of its left side over all series, of any other how many
        series it gives.

        Columns: time, value.
        """
        parts = split(rule.expr)
        if parts is None:
            expression, meaning = f"count({rule.expr})", "series that the expression gives"
        elif parts.comparison in (">", ">=", "!="):
            expression, meaning = f"max({parts.left})", "highest left side of all series"
        else:
            expression, meaning = f"min({parts.left})", "lowest left side of all series"
        found = self._points(expression, self.evaluations(rule).steps)
        inside = (found.times >= self.window.start_ms) & (found.times < self.window.end_ms)
        time = pd.DatetimeIndex(found.times[inside].astype("datetime64[ms]"), tz="UTC").as_unit("us")
        return pd.DataFrame({"time": time, "value": found.values[inside]}), meaning

    def _by_alert(self, rule: AlertingRule, expression: str, steps: Steps) -> tuple[SeriesBatch, list[dict[str, str]]]:
        """An expression's points by the alerts that the rule makes of it, and their label sets."""
        batch = self._points(expression, steps)
        labels = alert_labels(batch.labels, rule.labels, rule.name)
        merged, kept = by_alert(batch, labels, rule.name)
        return merged, [self._named(labels[number]) for number in kept]

    def _evaluations(self, file: str, group: str, step: int, last: int | None) -> Evaluations:
        together = {rule.name for rule in self._rules if rule.place == (file, group)}
        alerts = alerts_of(self.alerts, lambda labels: labels.get("alertname") in together)
        after, how = phase(alerts, step), "the times of the group's alerts"
        if after is None and last is not None:
            after, how = last % step, "the group's last evaluation, to within its delay"
        elif after is None:
            after, how = 0, "whole intervals: the group has left no alert to tell its own times by"
        steps = Steps.within(Window(self.window.start - WARM_UP, self.window.end), step, phase=after)
        if step not in self._down:
            self._down[step] = down_stretches(self._server, steps)
        return evaluations(steps, down=self._down[step], alerts=alerts if self.markers else None, how=how)

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
    threshold = parts.threshold if parts is not None and parts.varies else None
    return Variant(threshold, rule.for_seconds, rule.keep_firing_for_seconds)
