"""A rule's threshold, `for` and `keep_firing_for` varied over its own history: what each would have fired."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.replay.episodes import Runs, States, Times, runs, states, variant_episodes
from cloudxai_analysis.replay.quality import frontier, judged_variants, quality
from cloudxai_analysis.replay.truth import Truth
from cloudxai_analysis.sources.series import SeriesBatch

Floats = NDArray[np.float64]
COMPARISONS: dict[str, Callable[[Floats, float], NDArray[np.bool_]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
ORDERED = (">", ">=", "<", "<=")
_LONGEST_SECONDS = 3600.0
_NEIGHBOURS = (0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0)
_TAIL = (0.9, 0.95, 0.99, 0.995, 0.999)
_PEAKS = (0.1, 0.25, 0.5, 0.75, 0.9)
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
    asked for, whose every point counts.
    """

    batch: SeriesBatch
    labels: list[dict[str, str]]
    evaluations: Times
    interval: int
    comparison: str | None

    def runs(self, threshold: float | None) -> Runs:
        """The runs in which the left side compares true, as PromQL compares: NaN only ever with `!=`."""
        if self.comparison is None or threshold is None:
            return runs(self.batch, self.evaluations)
        kept = COMPARISONS[self.comparison](self.batch.values, threshold)
        return runs(self.batch, self.evaluations, kept=kept)


def thresholds(sampled: Floats, comparison: str, present: float) -> list[float]:
    """Thresholds to ask the server for: quantiles of the sampled left side, and neighbours of the present one."""
    finite = sampled[np.isfinite(sampled)]
    upward = comparison in (">", ">=")
    shares = _TAIL if upward else [1 - share for share in _TAIL]
    tail: list[float] = np.quantile(finite, shares).tolist() if len(finite) else []
    near = [present * factor for factor in _NEIGHBOURS] if present else []
    whole = float(present).is_integer() and bool(len(finite)) and bool(np.all(finite == np.rint(finite)))
    return _spread([*tail, *near], present, most=_THRESHOLDS, whole=whole)


def loosest(thresholds: Iterable[float], comparison: str) -> float:
    """The threshold that lets everything through that any of them does."""
    return min(thresholds) if comparison in (">", ">=") else max(thresholds)


def variants(side: LeftSide, present: Variant, asked: list[float]) -> list[Variant]:
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
    levels: list[float | None] = [present.threshold]
    if present.threshold is not None:
        levels = [*_with_peaks(side, found, present.threshold, asked)]
    every = [Variant(level, wait, hold) for level in levels for wait in waits for hold in holds]
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
    by_level: dict[float | None, Runs] = {}
    found: list[States] = []
    for variant in variants:
        if variant.threshold not in by_level:
            by_level[variant.threshold] = side.runs(variant.threshold)
        found.append(
            states(
                by_level[variant.threshold],
                side.evaluations,
                for_ms=round(variant.for_seconds * 1000),
                keep_ms=round(variant.keep_firing_for_seconds * 1000),
            )
        )
    bound = max(_LOUD * len(found[0].fired), _QUIET)
    looked_at = np.array([len(one.fired) <= bound for one in found])
    quiet = [one if looks else one.none() for one, looks in zip(found, looked_at, strict=True)]
    frame = variant_episodes(
        quiet, side.labels, side.evaluations, interval_ms=side.interval, window=window, markers=markers
    )
    held = judged_variants(frame, truth, alertname=alertname)
    table = quality(held, truth, window, alertname=alertname, variants=len(variants))
    best = np.zeros(len(variants), dtype=bool)
    best[looked_at] = frontier(table[looked_at])
    level = [np.nan if variant.threshold is None else variant.threshold for variant in variants]
    return pd.DataFrame(
        {
            "threshold": np.array(level, dtype="float64"),
            "for_seconds": [float(variant.for_seconds) for variant in variants],
            "keep_firing_for_seconds": [float(variant.keep_firing_for_seconds) for variant in variants],
            "judged": looked_at,
            "frontier": best,
        }
    ).join(table)


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
    changed = sum(
        (able[column].fillna(0) != (0 if pd.isna(present[column]) else present[column])).astype(int)
        for column in ("threshold", "for_seconds", "keep_firing_for_seconds")
    )
    away = (able["threshold"] - present["threshold"]).abs().fillna(0)
    ordered = able.assign(changed=changed, away=away, detects=able["detection_seconds"].fillna(np.inf)).sort_values(
        ["misses", "false_positives", "detects", "changed", "episodes", "keep_firing_for_seconds", "away"]
    )
    best = ordered.iloc[0]
    better = (best["misses"], best["false_positives"]) < (present["misses"], present["false_positives"])
    return int(ordered.index[0]) if better else 0


def _with_peaks(side: LeftSide, found: Runs, present: float, asked: list[float]) -> list[float]:
    """The thresholds asked for, and levels between the peaks of the runs at the present one."""
    if side.comparison not in ORDERED or not len(found.begin):
        return [present]
    upward = side.comparison in (">", ">=")
    kept = COMPARISONS[side.comparison](side.batch.values, present)
    starts = np.flatnonzero(_opens(side, kept))
    values = np.where(kept, side.batch.values, -np.inf if upward else np.inf)
    peaks = (np.maximum if upward else np.minimum).reduceat(values, starts) if len(starts) else values[:0]
    peaks = peaks[np.isfinite(peaks)]
    between: list[float] = np.quantile(peaks, _PEAKS).tolist() if len(peaks) else []
    whole = bool(np.all(side.batch.values == np.rint(side.batch.values))) and float(present).is_integer()
    levels = _spread([*asked, *between], present, most=_THRESHOLDS + len(_PEAKS), whole=whole)
    # The server gave nothing that is looser than what it was asked for.
    bound = loosest(asked, side.comparison)
    return [level for level in levels if (level >= bound if upward else level <= bound)]


def _opens(side: LeftSide, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each point begins a run of those that are kept."""
    new_series = np.zeros(len(kept), dtype=bool)
    new_series[side.batch.offsets[:-1]] = True
    apart = np.append(True, np.diff(side.batch.times) > side.interval)
    return kept & (new_series | apart | ~np.append(False, kept[:-1]))


def _durations(seen: Floats, present: float, interval: float, *, most: int) -> list[float]:
    """Durations around those seen, in whole evaluations, with 0 and the present one."""
    short = seen[seen <= _LONGEST_SECONDS]
    usual: list[float] = np.quantile(short, (0.25, 0.5, 0.75, 0.9)).tolist() if len(short) else []
    raw = [0.0, present / 2, present * 2, 2 * interval, 5 * interval, *usual]
    whole = {float(np.ceil(value / interval) * interval) for value in raw if value <= max(_LONGEST_SECONDS, present)}
    return _nearest(whole, present, most)


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
