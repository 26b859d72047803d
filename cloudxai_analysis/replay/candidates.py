"""A rule's threshold, `for` and `keep_firing_for` varied over its own history."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.replay.episodes import Firings, Mask, Runs, episodes, firings, runs
from cloudxai_analysis.replay.quality import Truth, frontier, judged_variants, quality
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
_PEAKS = (0.1, 0.25, 0.5, 0.75, 0.9)
_LENGTHS = (0.25, 0.5, 0.75, 0.9)
_THRESHOLDS, _WAITS, _HOLDS = 12, 7, 4
_LOUD = 5  # times as many episodes as the present rule, beyond which a candidate is not judged
_QUIET = 200  # episodes that a candidate may always have


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

    `comparison` is None where the whole expression was asked for; `evaluated` says which of the steps took place.
    """

    batch: SeriesBatch
    labels: list[dict[str, str]]
    steps: Steps
    evaluated: Mask
    comparison: str | None = None
    levels: tuple[float, ...] = ()

    def kept(self, threshold: float | None) -> Mask | None:
        """The points at which the left side compares true; None where all do."""
        if self.comparison is None or threshold is None:
            return None
        return _COMPARISONS[self.comparison](self.batch.values, threshold)

    def runs(self, threshold: float | None) -> Runs:
        """The runs in which the left side compares true."""
        return runs(self.batch, self.steps, self.evaluated, kept=self.kept(threshold))


def thresholds(sampled: Floats, comparison: str, present: float) -> tuple[float, ...]:
    """Thresholds to ask the server for: quantiles of the sampled left side, and neighbours of the present one."""
    finite = sampled[np.isfinite(sampled)]
    shares = _TAIL if comparison[0] == ">" else [1 - share for share in _TAIL]
    near = [present * factor for factor in _NEIGHBOURS] if present else []
    return tuple(_spread([*_quantiles(finite, shares), *near], present, finite, most=_THRESHOLDS))


def loosest(thresholds: Iterable[float], comparison: str) -> float:
    """The threshold that lets everything through that any of them does."""
    return min(thresholds) if comparison[0] == ">" else max(thresholds)


def variants(side: LeftSide, present: Variant) -> list[Variant]:
    """The present rule, first, and all combinations of settings around it.

    Of the runs at the present threshold, the lengths give `for`, the gaps `keep_firing_for`, the peaks more thresholds.
    """
    found, seconds = side.runs(present.threshold), side.steps.step / 1000
    same = found.series[1:] == found.series[:-1]
    gaps = (found.begin[1:] - found.end[:-1])[same] * seconds
    waits = _durations((found.end - found.begin) * seconds, present.for_seconds, seconds, most=_WAITS)
    holds = _durations(gaps, present.keep_firing_for_seconds, seconds, most=_HOLDS)
    levels = [None] if present.threshold is None else _with_peaks(side, found, present.threshold)
    every = [Variant(*setting) for setting in product(levels, waits, holds)]
    return [present, *(variant for variant in every if variant != present)]


def candidates(
    side: LeftSide, variants: list[Variant], truth: Truth, window: Window, *, alertname: str, markers: bool = True
) -> pd.DataFrame:
    """One row for each variant, the present rule first.

    Columns: threshold (NaN where it cannot be varied), for_seconds, keep_firing_for_seconds, judged (False where it
    fired far more than the present rule), frontier (bool), and those of `quality`.
    """
    by_level = {level: side.runs(level) for level in {variant.threshold for variant in variants}}
    found = [
        firings(by_level[level], side.steps, for_seconds=wait, keep_seconds=keep) for level, wait, keep in variants
    ]
    bound = max(_LOUD * len(found[0].fired), _QUIET)
    looked_at = np.array([len(one.fired) <= bound for one in found])
    none = [Firings(*(column[:0] for column in one)) for one in found]
    quiet = [one if looks else empty for one, empty, looks in zip(found, none, looked_at, strict=True)]
    fires = episodes(quiet, side.labels, side.steps, window=window, markers=markers)
    held = judged_variants(fires, truth, alertname=alertname)
    table = quality(held, truth, window, alertname=alertname, variants=len(variants))
    best = np.zeros(len(variants), dtype=bool)
    best[looked_at] = frontier(table[looked_at])
    settings = pd.DataFrame(variants).astype("float64")
    return settings.assign(judged=looked_at, frontier=best).join(table)


def proposal(candidates: pd.DataFrame) -> int:
    """The row of the candidate to propose; 0 where none misses no more incidents and is false less.

    Of several the one that detects soonest, changes least, wakes people least; without incidents none.
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


def _with_peaks(side: LeftSide, found: Runs, present: float) -> list[float]:
    """The thresholds asked for, and levels between the peaks of the runs at the present one."""
    kept, comparison = side.kept(present), side.comparison or ">"
    if kept is None or not len(found.begin):
        return [present]
    upward = comparison[0] == ">"
    values = np.where(kept, side.batch.values, -np.inf if upward else np.inf)
    peaks = (np.maximum if upward else np.minimum).reduceat(values, found.point)
    between = _quantiles(peaks[np.isfinite(peaks)], _PEAKS)
    levels = _spread([*side.levels, *between], present, side.batch.values, most=_THRESHOLDS + len(_PEAKS))
    # The server gave nothing that is looser than what it was asked for.
    bound = loosest(side.levels, comparison)
    return [level for level in levels if loosest([level, bound], comparison) == bound]


def _durations(seen: NDArray[Any], present: float, interval: float, *, most: int) -> list[float]:
    """Durations around those seen, in whole evaluations, with 0 and the present one."""
    usual = _quantiles(seen[seen <= _LONGEST_SECONDS], _LENGTHS)
    raw = [0.0, present / 2, present * 2, 2 * interval, 5 * interval, *usual]
    longest = max(_LONGEST_SECONDS, present)
    whole = {float(np.ceil(value / interval) * interval) for value in raw if value <= longest}
    return _nearest(whole, present, most)


def _quantiles(values: NDArray[Any], shares: Iterable[float]) -> list[float]:
    return np.quantile(values, list(shares)).tolist() if len(values) else []


def _spread(raw: Iterable[float], present: float, values: Floats, *, most: int) -> list[float]:
    """Distinct thresholds of three digits, whole ones of whole values, with the present one."""
    whole = bool(len(values)) and bool(np.all(values == np.rint(values))) and float(present).is_integer()
    rounded = {float(round(value)) if whole else float(f"{value:.3g}") for value in raw if np.isfinite(value)}
    return _nearest(rounded, present, most)


def _nearest(values: set[float], present: float, most: int) -> list[float]:
    """At most so many of the values, spread evenly over their ranks, with the present one."""
    ordered = sorted(values - {float(present)})
    if len(ordered) > most - 1:
        picked = np.unique(np.linspace(0, len(ordered) - 1, most - 1).round().astype(int))
        ordered = [ordered[place] for place in picked]
    return sorted([*ordered, float(present)])
