"""A server's past, as replay asks it: its rule groups' evaluations, their points, and what fired."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property, partial

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import alerts as measured
from cloudxai_analysis.replay.candidates import LeftSide, loosest, thresholds
from cloudxai_analysis.replay.episodes import Mask, agreement, episodes, firings, moments, unsettled
from cloudxai_analysis.replay.rules import split
from cloudxai_analysis.sources.promql import Asked, Steps, promql_range
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch, Source, canonical_labels
from cloudxai_analysis.words.phrases import count

WARM_UP = timedelta(hours=2)  # what may still fire, or be kept firing, when the window begins
_SAMPLED_STEPS = 250
_SHOWN = ["alertname", "alertstate", "severity", "tenant", "job", "instance"]
_LABEL = re.compile(r"\{\{-?\s*\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)\s*-?\}\}")
Named = Callable[[Labels], dict[str, str]]


@dataclass(eq=False)
class History:
    """One window of a server's past, asked for `rules`; the server is asked for each thing once.

    `server` evaluates PromQL; ALERTS is read from `watched` (the same source, or the demo behind
    its server). Each method raises UsageError where series of an expression make the same alert,
    and the errors of sources where the server does not answer, answers wrongly or in part, or does
    not take the expression.
    """

    server: Asked
    watched: Source
    window: Window
    rules: Collection[AlertingRule]
    evaluation_seconds: float
    rule_matchers: Mapping[str, str] = field(default_factory=dict)
    replica_labels: Collection[str] = ()
    named: Named = dict

    def __post_init__(self) -> None:
        self._points = cache(partial(promql_range, self.server))
        self._told = cache(self._evaluations)
        self.down = cache(self._down)

    @cached_property
    def alerts(self) -> SeriesBatch:
        """The raw samples of ALERTS in the window."""
        return self.watched.read("ALERTS", self.rule_matchers, self.window)

    @cached_property
    def markers(self) -> bool:
        """Whether the server's own alerts end with staleness markers, which vmalert's replay leaves out."""
        bits = self.alerts.values.view(np.int64)
        shown = not self.watched.describe().get("hides_markers", True)
        return shown and bool(not len(bits) or (bits == STALENESS_MARKER_BITS).any())

    @cached_property
    def scrapes(self) -> SeriesBatch:
        """How long each scrape in the window took; nothing where the server does not say."""
        return self.watched.read("scrape_duration_seconds", {}, self.window)

    def steps(self, rule: AlertingRule) -> Steps:
        """The due evaluations of the rule's group, over the window and what may still fire when it begins."""
        return self._timing(rule)[0]

    def replay(self, rule: AlertingRule) -> pd.DataFrame:
        """What the rule would have fired over the window, the server being asked at each evaluation.

        Columns: those of `measures.alerts.episodes`.
        """
        side = self._side(rule, rule.expr)
        kept = {"for_seconds": rule.for_seconds, "keep_seconds": rule.keep_firing_for_seconds}
        found = firings(side.runs(None), side.steps, **kept)
        fires = episodes([found], side.labels, side.steps, window=self.window, markers=self.markers)
        return fires.drop(columns="variant")

    def agreement(self, rule: AlertingRule, replayed: pd.DataFrame) -> pd.DataFrame:
        """The replayed episodes held against those that the server fired, as `agreement` gives it."""
        steps = self.steps(rule)
        seconds = steps.step / 1000
        samples = alert_samples(self.alerts, rule, replica_labels=self.replica_labels, named=self.named)
        return agreement(
            measured.episodes(samples, interval_seconds=seconds, window=self.window),
            replayed,
            self.down(steps.step),
            unsettled=unsettled(steps.times, self.scrapes),
            interval_seconds=seconds,
            settle_seconds=rule.for_seconds + rule.keep_firing_for_seconds + 2 * seconds,
        )

    def left_side(self, rule: AlertingRule) -> LeftSide:
        """All points that the loosest threshold lets through; those of the expression where no threshold can vary."""
        parts, steps = split(rule.expr), self.steps(rule)
        if parts is None or not parts.varies:
            return self._side(rule, rule.expr)
        width = max(1, steps.count // _SAMPLED_STEPS)
        sampled = Steps(steps.first, steps.step * width, -(-steps.count // width))
        levels = thresholds(self._points(parts.left, sampled).values, parts.comparison, parts.threshold)
        side = self._side(rule, parts.at(loosest(levels, parts.comparison)))
        return side._replace(comparison=parts.comparison, levels=levels)

    def notes(self, rule: AlertingRule) -> list[str]:
        """How the rule was replayed, and what of it was not."""
        steps, how = self._timing(rule)
        found = [f"Evaluated every {steps.step / 1000:g} s, at {how}."]
        if templated := [name for name, text in rule.labels.items() if "{{" in _LABEL.sub("", text)]:
            said = "is a template of more than labels: where it changes, only the server's alert is another one."
            found.append(f"Label {' and '.join(templated)} {said}")
        down = self.down(steps.step)
        if len(down):
            stretches = count(len(down), "stretch", "stretches")
            minutes = down["seconds"].sum() / 60
            found.append(f"The server was down for {minutes:,.1f} min, in {stretches}: nothing is replayed there.")
        return found

    def _side(self, rule: AlertingRule, expression: str) -> LeftSide:
        """An expression's points, and the label sets of the alerts that the rule makes of its series."""
        steps = self.steps(rule)
        batch = self._points(expression, steps)
        labels = [alert_labels(own, rule) for own in batch.labels]
        if len({canonical_labels(own) for own in labels}) < len(labels):
            raise UsageError(
                f"Rule '{rule.name}': several series of its expression make the same alert, of which Prometheus fails "
                "the evaluation. Aggregate by the labels that the alert should have."
            )
        return LeftSide(batch, [self.named(own) for own in labels], steps, self._evaluated(steps))

    def _timing(self, rule: AlertingRule) -> tuple[Steps, str]:
        step = round((rule.interval_seconds or self.evaluation_seconds) * 1000)
        return self._told(rule.place, step, rule.last_evaluation)

    def _evaluations(self, place: tuple[str, str], step: int, last: int | None) -> tuple[Steps, str]:
        """The due evaluations of a rule's group, and the words that say where their times are known from."""
        # They follow whole intervals by a hash of file and name (Prometheus, `rules/group.go`, `EvalTimestamp`).
        together = {rule.name for rule in self.rules if rule.place == place}
        alerts = _of(self.alerts, lambda labels: labels.get("alertname") in together)
        offsets, many = np.unique(alerts.times % step, return_counts=True)
        if len(offsets):
            phase, how = int(offsets[many.argmax()]), "the times of the group's alerts"
        elif last is not None:
            phase, how = last % step, "the group's last evaluation, to within its delay"
        else:
            phase, how = 0, "whole intervals: the group has left no alert to tell its own times by"
        return Steps.within(Window(self.window.start - WARM_UP, self.window.end), step, phase=phase), how

    def _down(self, step: int) -> pd.DataFrame:
        """Stretches in which the server itself was down, as `measures.alerts.evaluation_gaps` gives them."""
        alerts, scrapes = (pd.DataFrame({"time": moments(one.times)}) for one in (self.alerts, self.scrapes))
        return measured.evaluation_gaps(alerts, scrapes, interval_seconds=step / 1000)

    def _evaluated(self, steps: Steps) -> Mask:
        """Which of the steps took place: not those while the server was down."""
        took_place = np.ones(steps.count, dtype=bool)
        times = moments(steps.times)
        for row in self.down(steps.step).itertuples():
            took_place &= (times <= row.start) | (times >= row.end)
        return took_place


def alert_labels(labels: Labels, rule: AlertingRule) -> dict[str, str]:
    """The alert that a series makes: `{{ $labels.x }}` is filled in, any other template stays as it is written."""
    added = {name: _LABEL.sub(lambda match: labels.get(match[1], ""), text) for name, text in rule.labels.items()}
    whole = {**labels, **added, "alertname": rule.name}
    return {name: value for name, value in whole.items() if value and name != "__name__"}


def alert_samples(
    alerts: SeriesBatch, rule: AlertingRule, *, replica_labels: Collection[str] = (), named: Named = dict
) -> pd.DataFrame:
    """Samples of ALERTS of one rule, told from others of its name by its labels, as `measures.alerts` takes them.

    Columns: series_id, alert (a number for each alert, whatever its state and replica), time, value
    (NaN of a staleness marker), alertname, alertstate, severity, tenant, job, instance ('' where
    absent).
    """
    own = _of(alerts, lambda labels: labels.get("alertname") == rule.name)
    carried = {name for labels in own.labels for name in labels}
    telling = {name: value for name, value in rule.labels.items() if name in carried and "{{" not in value}
    own = _of(own, lambda labels: all(labels.get(name, "") == value for name, value in telling.items()))
    # The canonical form leaves out what is empty.
    left_out = dict.fromkeys(["alertstate", *replica_labels], "")
    keys = [canonical_labels({**labels, **left_out}) for labels in own.labels]
    series = pd.DataFrame([named(labels) for labels in own.labels], columns=_SHOWN, dtype="str").fillna("")
    series["series_id"] = np.arange(len(own))
    series["alert"] = pd.factorize(pd.Series(keys, dtype="str"), sort=True)[0]
    frame = series.loc[own.owners].reset_index(drop=True)
    frame["time"] = moments(own.times)
    frame["value"] = np.where(own.values.view(np.int64) == STALENESS_MARKER_BITS, np.nan, own.values)
    return frame


def _of(batch: SeriesBatch, wanted: Callable[[Labels], bool]) -> SeriesBatch:
    return SeriesBatch.of(batch.metric, [series for series in batch if wanted(series[0])])
