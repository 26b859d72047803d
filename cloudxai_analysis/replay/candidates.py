"""A rule's threshold, `for` and `keep_firing_for` varied over its own history."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.replay.episodes import Runs, Times, episodes, runs, states
from cloudxai_analysis.replay.quality import Truth, frontier, judged_variants, quality
from cloudxai_analysis.sources.series import SeriesBatch

Floats = NDArray[np.float64]
_COMPARISONS: dict[str, Callable[[Floats, float], NDArray[np.bool_]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_UPWARD = (">", ">=")
_LONGEST_SECONDS = 3600.0
_NEIGHBOURS = (0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0)
_TAIL = (0.9, 0.95, 0.99, 0.995, 0.999)
_PEAKS = (0.1, 0.25, 0.5, 0.75, 0.9)
_LENGTHS = (0.25, 0.5, 0.75, 0.9)
_THRESHOLDS, _WAITS, _HOLDS = 12, 7, 4
_LOUD = 5  # times as many episodes as the present rule, beyond which a candidate is not judged
_QUIET = 200  # episodes that a candidate may always have


@dataclass(frozen=True)
class Variant:
    """A rule's threshold (None where it cannot be varied), `for` and `keep_firing_for`, in seconds."""

    threshold: float | None
    for_seconds: float
    keep_firing_for_seconds: float


@dataclass(frozen=True)
class LeftSide:
    """The points of a rule's left side that the loosest candidate would take, with what they are held against.

    `batch` is by alert, with `labels` as the alerts have them; `comparison` is None where the whole expression was
    asked for, whose every point counts; `levels` are the thresholds that the points allow for.
    """

    batch: SeriesBatch
    labels: list[dict[str, str]]
    evaluations: Times
    interval: int
    comparison: str | None = None
    levels: tuple[float, ...] = ()

    def kept(self, threshold: float | None) -> NDArray[np.bool_] | None:
        """The points at which the left side compares true; None where all do."""
        if self.comparison is None or threshold is None:
            return None
        return _COMPARISONS[self.comparison](self.batch.values, threshold)

    def runs(self, threshold: float | None) -> Runs:
        """The runs in which the left side compares true."""
        return runs(self.batch, self.evaluations, kept=self.kept(threshold))


def thresholds(sampled: Floats, comparison: str, present: float) -> tuple[float, ...]:
    """Thresholds to ask the server for: quantiles of the sampled left side, and neighbours of the present one."""
    finite = sampled[np.isfinite(sampled)]
    shares = _TAIL if comparison in _UPWARD else [1 - share for share in _TAIL]
    near = [present * factor for factor in _NEIGHBOURS] if present else []
    whole = bool(len(finite)) and _whole(finite, present)
    return tuple(_spread([*_quantiles(finite, shares), *near], present, most=_THRESHOLDS, whole=whole))


def loosest(thresholds: Iterable[float], comparison: str) -> float:
    """The threshold that lets everything through that any of them does."""
    return min(thresholds) if comparison in _UPWARD else max(thresholds)


def variants(side: LeftSide, present: Variant) -> list[Variant]:
    """The present rule, first, and all combinations of thresholds, `for` and `keep_firing_for` around it.

    `for` comes from the lengths of the runs at the present threshold, `keep_firing_for` from the gaps between them,
    both in whole evaluations; further thresholds come from how far those runs went.
    """
    found = side.runs(present.threshold)
    times = side.evaluations
    lengths = (times[found.end] - times[found.begin]) / 1000
    same = found.series[1:] == found.series[:-1]
    gaps = (times[found.begin[1:]] - times[found.end[:-1]])[same] / 1000
    waits = _durations(lengths, present.for_seconds, side.interval / 1000, most=_WAITS)
    holds = _durations(gaps, present.keep_firing_for_seconds, side.interval / 1000, most=_HOLDS)
    levels = [None] if present.threshold is None else _with_peaks(side, found, present.threshold)
    every = [Variant(*setting) for setting in product(levels, waits, holds)]
    return [present, *(variant for variant in every if variant != present)]


def candidates(
    side: LeftSide,
    variants: list[Variant],
    truth: Truth,
    window: Window,
    *,
    alertname: str,
    markers: bool = True,
) -> pd.DataFrame:
    """One row for each variant, the present rule first.

    Columns: threshold (NaN where it cannot be varied), for_seconds, keep_firing_for_seconds, judged (bool; False where
    it fired so much more than the present rule that it was not looked at further), frontier (bool: no other one is as
    good in false positives, misses and detection time and better in one), and those of `quality`.
    """
    by_level = {level: side.runs(level) for level in {variant.threshold for variant in variants}}
    found = [
        states(
            by_level[variant.threshold],
            side.evaluations,
            for_seconds=variant.for_seconds,
            keep_seconds=variant.keep_firing_for_seconds,
        )
        for variant in variants
    ]
    bound = max(_LOUD * len(found[0].fired), _QUIET)
    looked_at = np.array([len(one.fired) <= bound for one in found])
    fires = episodes(
        [one if looks else one[:0] for one, looks in zip(found, looked_at, strict=True)],
        side.labels,
        side.evaluations,
        interval_ms=side.interval,
        window=window,
        markers=markers,
    )
    held = judged_variants(fires, truth, alertname=alertname)
    table = quality(held, truth, window, alertname=alertname, variants=len(variants))
    best = np.zeros(len(variants), dtype=bool)
    best[looked_at] = frontier(table[looked_at])
    settings = pd.DataFrame(variants).astype("float64")
    return settings.assign(judged=looked_at, frontier=best).join(table)


def proposal(candidates: pd.DataFrame) -> int:
    """The row of the candidate to propose; 0 where none is better than the present rule.

    It misses no incident more than the present rule and has the fewest false positives of those; of several the one
    that detects soonest, then the one that changes least, then the one that wakes people least. Without an incident
    that names the rule nothing shows what a candidate would miss, and none is proposed.
    """
    present = candidates.iloc[0]
    if not present["incidents"]:
        return 0
    able = candidates[
        candidates["judged"]
        & (candidates["misses"] <= present["misses"])
        & (candidates["true_positives"] + candidates["false_positives"] > 0)
    ]
    if able.empty:
        return 0
    settings = ["threshold", "for_seconds", "keep_firing_for_seconds"]
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
    kept = side.kept(present)
    if side.comparison is None or kept is None or not len(found.begin):
        return [present]
    upward = side.comparison in _UPWARD
    values = np.where(kept, side.batch.values, -np.inf if upward else np.inf)
    peaks = (np.maximum if upward else np.minimum).reduceat(values, found.point)
    between = _quantiles(peaks[np.isfinite(peaks)], _PEAKS)
    most, whole = _THRESHOLDS + len(_PEAKS), _whole(side.batch.values, present)
    levels = _spread([*side.levels, *between], present, most=most, whole=whole)
    # The server gave nothing that is looser than what it was asked for.
    bound = loosest(side.levels, side.comparison)
    return [level for level in levels if (level >= bound if upward else level <= bound)]


def _durations(seen: Floats, present: float, interval: float, *, most: int) -> list[float]:
    """Durations around those seen, in whole evaluations, with 0 and the present one."""
    usual = _quantiles(seen[seen <= _LONGEST_SECONDS], _LENGTHS)
    raw = [0.0, present / 2, present * 2, 2 * interval, 5 * interval, *usual]
    longest = max(_LONGEST_SECONDS, present)
    whole = {float(np.ceil(value / interval) * interval) for value in raw if value <= longest}
    return _nearest(whole, present, most)


def _quantiles(values: Floats, shares: Iterable[float]) -> list[float]:
    return np.quantile(values, list(shares)).tolist() if len(values) else []


def _whole(values: Floats, present: float) -> bool:
    return bool(np.all(values == np.rint(values))) and float(present).is_integer()


def _spread(raw: Iterable[float], present: float, *, most: int, whole: bool) -> list[float]:
    """Distinct thresholds of three digits, with the present one, as many as there may be."""
    rounded = {float(round(value)) if whole else float(f"{value:.3g}") for value in raw if np.isfinite(value)}
    return _nearest(rounded, present, most)


def _nearest(values: set[float], present: float, most: int) -> list[float]:
    """At most so many of the values, spread evenly over their ranks, with the present one."""
    ordered = sorted(values - {float(present)})
    if len(ordered) > most - 1:
        picked = np.unique(np.linspace(0, len(ordered) - 1, most - 1).round().astype(int))
        ordered = [ordered[place] for place in picked]
    return sorted([*ordered, float(present)])
