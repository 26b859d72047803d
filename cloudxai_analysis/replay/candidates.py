"""A rule's threshold, `for` and `keep_firing_for` varied over its own history, and judged by what people wrote down."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import WEEK, Window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.measures.judgement import judged, recall
from cloudxai_analysis.measures.rates import false_positive_rates
from cloudxai_analysis.replay.episodes import Firings, Mask, Runs, episodes, firings, runs
from cloudxai_analysis.replay.rules import split
from cloudxai_analysis.sources.promql import Steps
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.series import SeriesBatch

Floats = NDArray[np.float64]
_COMPARISONS: dict[str, Callable[[Floats, float], Mask]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_LONGEST_SECONDS = 3600.0
_NEIGHBOURS = (0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0)
_TAIL = (0.9, 0.95, 0.99, 0.995, 0.999)
_LENGTHS = (0.25, 0.5, 0.75, 0.9)
_THRESHOLDS, _WAITS, _HOLDS = 12, 7, 4
_LOUD = 5  # times as many episodes as the present rule, beyond which a candidate is not judged
_QUIET = 200  # episodes that a candidate may always have
_LABEL_SECONDS = 60  # a label speaks of the episode that fired at its time, to within so much


class Variant(NamedTuple):
    """A rule's threshold (None where it cannot be varied), `for` and `keep_firing_for`, in seconds."""

    threshold: float | None
    for_seconds: float
    keep_firing_for_seconds: float

    @classmethod
    def of(cls, rule: AlertingRule) -> Variant:
        """The rule as it is, among its candidates."""
        parts = split(rule.expr)
        threshold = parts.threshold if parts is not None and parts.varies else None
        return cls(threshold, rule.for_seconds, rule.keep_firing_for_seconds)


class LeftSide(NamedTuple):
    """The points of a rule's left side by alert, as far as the loosest of `levels` lets them through.

    `comparison` is None where the whole expression was asked for; `evaluated` says which of the
    steps took place.
    """

    batch: SeriesBatch
    labels: list[dict[str, str]]
    steps: Steps
    evaluated: Mask
    comparison: str | None = None
    levels: tuple[float, ...] = ()

    def runs(self, threshold: float | None) -> Runs:
        """The runs in which the left side compares true, or of all points."""
        if self.comparison is None or threshold is None:
            return runs(self.batch, self.steps, self.evaluated)
        kept = _COMPARISONS[self.comparison](self.batch.values, threshold)
        return runs(self.batch, self.steps, self.evaluated, kept=kept)


@dataclass(frozen=True)
class Truth:
    """What people wrote down: the frames that `Ledger.incidents`, `labels` and `complete` give."""

    incidents: pd.DataFrame
    labels: pd.DataFrame
    complete: pd.DataFrame

    @classmethod
    def of(cls, ledger: Ledger, window: Window) -> Truth:
        """What the ledger says of a window, in which an incident starts; raises LakeDamaged of a damaged ledger."""
        incidents = ledger.incidents()
        inside = (incidents["start"] >= window.start) & (incidents["start"] < window.end)
        return cls(incidents[inside].reset_index(drop=True), ledger.labels(), ledger.complete())

    def judge(self, found: pd.DataFrame, alertname: str) -> pd.DataFrame:
        """The episodes of all variants of a rule (0: as it is), judged as those of the rule `alertname`.

        Columns: the episodes' own, judgement, incident, by.
        """
        frame = found.assign(alertname=alertname).astype({"alertname": "str"})
        labels = _carried(self.labels, frame, alertname)
        return judged(frame, self.incidents, labels, self.complete, label_seconds=_LABEL_SECONDS)


def thresholds(sampled: Floats, comparison: str, present: float) -> tuple[float, ...]:
    """Thresholds to ask the server for: quantiles of the sampled left side, and neighbours of the present one.

    They have three digits, or none where all values are whole.
    """
    finite = sampled[np.isfinite(sampled)]
    shares = _TAIL if comparison[0] == ">" else [1 - share for share in _TAIL]
    near = [present * factor for factor in _NEIGHBOURS] if present else []
    whole = len(finite) > 0 and bool(np.all(finite == np.rint(finite))) and float(present).is_integer()
    every = [*_quantiles(finite, shares), *near]
    rounded = {float(round(value)) if whole else float(f"{value:.3g}") for value in every}
    return tuple(_nearest(rounded, present, _THRESHOLDS))


def loosest(thresholds: Iterable[float], comparison: str) -> float:
    """The threshold that lets everything through that any of them does."""
    return min(thresholds) if comparison[0] == ">" else max(thresholds)


def variants(side: LeftSide, present: Variant) -> list[Variant]:
    """The present rule, first, and all combinations of settings around it.

    Of the runs at the present threshold, the lengths give `for`, and the gaps between them
    `keep_firing_for`.
    """
    found, seconds = side.runs(present.threshold), side.steps.step / 1000
    same = found.series[1:] == found.series[:-1]
    gaps = (found.begin[1:] - found.end[:-1])[same] * seconds
    waits = _durations((found.end - found.begin) * seconds, present.for_seconds, seconds, most=_WAITS)
    holds = _durations(gaps, present.keep_firing_for_seconds, seconds, most=_HOLDS)
    levels = [present.threshold] if present.threshold is None else (side.levels or [present.threshold])
    every = [Variant(*setting) for setting in product(levels, waits, holds)]
    return [present, *(variant for variant in every if variant != present)]


def candidates(
    side: LeftSide, variants: list[Variant], truth: Truth, window: Window, *, alertname: str, markers: bool = True
) -> pd.DataFrame:
    """One row for each variant, the present rule first.

    Columns: threshold (NaN where it cannot be varied), for_seconds, keep_firing_for_seconds, judged
    (False where it fired far more than the present rule), frontier (bool), and those of `quality`.
    """
    by_level = {level: side.runs(level) for level in {variant.threshold for variant in variants}}
    found = [
        firings(by_level[level], side.steps, for_seconds=wait, keep_seconds=keep) for level, wait, keep in variants
    ]
    bound = max(_LOUD * len(found[0].fired), _QUIET)
    quiet = np.array([len(one.fired) <= bound for one in found])
    heard = [one if few else Firings(*(column[:0] for column in one)) for one, few in zip(found, quiet, strict=True)]
    fires = episodes(heard, side.labels, side.steps, window=window, markers=markers)
    table = quality(truth.judge(fires, alertname), truth, window, alertname=alertname, variants=len(variants))
    best = np.zeros(len(variants), dtype=bool)
    best[quiet] = frontier(table[quiet])
    return pd.DataFrame(variants).astype("float64").assign(judged=quiet, frontier=best).join(table)


def quality(judged: pd.DataFrame, truth: Truth, window: Window, *, alertname: str, variants: int) -> pd.DataFrame:
    """One row for each variant of a rule, the first being 0; `judged` as `Truth.judge` gives it.

    Columns: variant, episodes, trials (alert groups judged), true_positives, false_positives,
    unjudged (episodes), rate (of false positives), low, high (95 % interval), incidents (that name
    the rule), caught, misses, detection_seconds, reset_seconds (medians), pages_a_week (episodes).
    """
    # A name of its own for each variant, so that one call of each measure does for all.
    named = judged.assign(alertname=judged["variant"].astype("str"), severity="").astype({"severity": "str"})
    names = [str(number) for number in range(variants)]
    naming = np.array([alertname in alerts for alerts in truth.incidents["alerts"]], dtype=bool)
    theirs = truth.incidents[naming].reset_index(drop=True)
    theirs = theirs.assign(alerts=pd.Series([tuple(names)] * len(theirs), index=theirs.index, dtype="object"))
    rates = false_positive_rates(named).set_index("alertname").drop(columns="episodes").reindex(names)
    caught = recall(named, theirs).set_index("alertname")
    frame = rates.join(caught[["caught", "detection_seconds", "reset_seconds"]]).reset_index(drop=True)
    frame["variant"] = frame.index
    frame["episodes"] = np.bincount(judged["variant"], minlength=variants)
    unjudged = judged["judgement"] == "unjudged"
    frame["unjudged"] = np.bincount(judged.loc[unjudged, "variant"], minlength=variants)
    counts = ["trials", "true_positives", "false_positives", "caught"]
    frame[counts] = frame[counts].fillna(0)
    frame["incidents"] = theirs["id"].nunique()
    frame["misses"] = frame["incidents"] - frame["caught"]
    frame["pages_a_week"] = frame["episodes"] / (window.duration / WEEK)
    return typed(frame, quality)


def frontier(candidates: pd.DataFrame) -> Mask:
    """Whether no other candidate is as good in false positives, misses and detection time and better in one (bool)."""
    compared = candidates[["false_positives", "misses", "detection_seconds"]]
    costs = compared.astype("float64").fillna(np.inf).to_numpy()
    distinct, place = np.unique(costs, axis=0, return_inverse=True)
    no_worse = np.all(distinct[:, np.newaxis] <= distinct[np.newaxis], axis=2)
    beaten = np.any(no_worse & ~np.eye(len(distinct), dtype=bool), axis=0)
    return np.asarray(~beaten[place.ravel()], dtype=bool)


def proposal(candidates: pd.DataFrame) -> int:
    """The row of the candidate to propose; 0 where none misses no more incidents and is false less.

    Of several the one that detects soonest, changes least, wakes people least; without incidents
    none.
    """
    present = candidates.iloc[0]
    fires = candidates["true_positives"] + candidates["false_positives"] > 0
    able = candidates[candidates["judged"] & (candidates["misses"] <= present["misses"]) & fires]
    if not present["incidents"] or able.empty:
        return 0
    settings = list(Variant._fields)
    changed = (able[settings].fillna(0) != present[settings].astype("float64").fillna(0)).sum(axis=1)
    away = (able["threshold"] - present["threshold"]).abs().fillna(0)
    ordered = able.assign(changed=changed, away=away, detects=able["detection_seconds"].fillna(np.inf)).sort_values(
        ["misses", "false_positives", "detects", "changed", "episodes", "keep_firing_for_seconds", "away"]
    )
    best = ordered.iloc[0]
    better = (best["misses"], best["false_positives"]) < (present["misses"], present["false_positives"])
    return int(ordered.index[0]) if better else 0


def _carried(labels: pd.DataFrame, episodes: pd.DataFrame, alertname: str) -> pd.DataFrame:
    """The labels, and for each the same one at every variant's episode that fired over the labelled episode."""
    own = labels[labels["alertname"].astype("str") == alertname].astype({"tenant": "str"})
    fires = episodes[["variant", "tenant", "pending_at", "fired_at", "resolved_at"]].astype({"tenant": "str"})
    said = own.merge(fires[fires["variant"] == 0], on="tenant", suffixes=("", "_own"))
    near = (said["fired_at_own"] - said["fired_at"]).abs() <= pd.Timedelta(seconds=_LABEL_SECONDS)
    distinct = fires.drop_duplicates(["tenant", "fired_at", "resolved_at"])
    over = said[near].merge(distinct, on="tenant", suffixes=("", "_over"))
    begun = over["pending_at"].fillna(over["fired_at_own"])
    over = over[(over["fired_at_over"] < over["resolved_at"]) & (over["resolved_at_over"] > begun)]
    added = over.assign(fired_at=over["fired_at_over"])[labels.columns].astype(labels.dtypes.to_dict())
    # The labels as written come last and win.
    return pd.concat([added, labels], ignore_index=True) if len(added) else labels


def _durations(seen: NDArray[Any], present: float, interval: float, *, most: int) -> list[float]:
    """Durations around those seen, in whole evaluations, with 0 and the present one."""
    usual = _quantiles(seen[seen <= _LONGEST_SECONDS], _LENGTHS)
    raw = [0.0, present / 2, present * 2, 2 * interval, 5 * interval, *usual]
    longest = max(_LONGEST_SECONDS, present)
    whole = {float(np.ceil(value / interval) * interval) for value in raw if value <= longest}
    return _nearest(whole, present, most)


def _quantiles(values: NDArray[Any], shares: Iterable[float]) -> list[float]:
    return np.quantile(values, list(shares)).tolist() if len(values) else []


def _nearest(values: set[float], present: float, most: int) -> list[float]:
    """At most so many of the values, spread evenly over their ranks, with the present one."""
    ordered = sorted(values - {float(present)})
    if len(ordered) > most - 1:
        picked = np.unique(np.linspace(0, len(ordered) - 1, most - 1).round().astype(int))
        ordered = [ordered[place] for place in picked]
    return sorted([*ordered, float(present)])
