"""The statistics of a canary: ranks against harm, a limit of the shift against doubt, daily looks that are paid for.

All numbers are changes of which more is worse. Ranks bear heavy tails. Where one value is that of very many units, as
no alert at all is, the normal law is far off in the tail, and an exact test of how many are above it must agree.
"""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import hypergeom, rankdata

from cloudxai_analysis.measures.rates import wilson_interval

Numbers = NDArray[np.float64]
_MOST_UNITS = 1_000  # of an arm whose pairs are all formed


@cache
def nominal_levels(alpha: float, looks: int) -> tuple[float, ...]:
    """The one-sided level of each of some evenly spaced looks that together spend `alpha`, very little of it early.

    The spending function is Lan and DeMets' of O'Brien and Fleming's kind. A sum of independent increments is
    integrated over the paths that have crossed no bound before (Armitage, McPherson and Rowe).
    """
    times = np.arange(1, looks + 1)
    spent = np.diff(2 * ndtr(ndtri(alpha / 2) / np.sqrt(times / looks)), prepend=0.0)
    node, weight = np.polynomial.legendre.leggauss(200)
    at, mass, levels = np.zeros(1), np.ones(1), []
    for look, more in zip(times, spent, strict=True):
        edge = float(brentq(lambda bound: mass @ ndtr(at - bound) - more, 0, 20 * sqrt(look)))  # noqa: B023 - asked at once
        levels.append(float(ndtr(-edge / sqrt(look))))
        half = (edge + 9 * sqrt(look)) / 2
        after = edge - half + half * node
        mass = mass @ np.exp(-((after - at[:, None]) ** 2) / 2) / sqrt(2 * np.pi) * weight * half
        at = after
    return tuple(levels)


def rank_chances(changes: Numbers, cohort: NDArray[np.bool_]) -> Numbers:
    """Of each row of changes, by the normal law, the chance that a cohort like the rest ranks as high as this one.

    A one-sided Mann–Whitney test with the ties that there are; a unit that is NaN is not there.
    """
    known = ~np.isnan(changes)
    total, size = known.sum(-1), (known & cohort).sum(-1)
    ranks = rankdata(np.where(known, changes, np.inf), axis=-1)  # what is not there ranks last, and moves nobody
    off = np.where(known, ranks - (total[..., None] + 1) / 2, 0.0)
    spread = size * (total - size) * (off**2).sum(-1) / np.maximum(total * (total - 1), 1)
    above = np.where(cohort, off, 0.0).sum(-1) - 0.5
    return np.where(spread > 0, ndtr(-above / np.sqrt(np.where(spread > 0, spread, 1.0))), 1.0)


def harm_chance(cohort: Numbers, rest: Numbers) -> float:
    """The same of two arms. Where most units share one value, no less than that so many are above it (Fisher's test).

    The normal law is far off in that tail, and Fisher's is exact: the greater of both errs no more than it does.
    """
    both = np.concatenate([cohort, rest])
    chance = float(rank_chances(both, np.arange(len(both)) < len(cohort)))
    values, ties = np.unique(both, return_counts=True)
    if 2 * ties.max() <= len(both):
        return chance
    above = both > values[ties.argmax()]
    fisher = hypergeom.sf(above[: len(cohort)].sum() - 1, len(both), above.sum(), len(cohort))
    return max(chance, float(fisher))


def shift_limit(cohort: Numbers, rest: Numbers, *, level: float = 0.025) -> float:
    """The upper one-sided limit of how much the cohort changed more than the rest, after Hodges and Lehmann."""
    above = 0.5 + ndtri(level) * sqrt((len(cohort) + len(rest) + 1) / (12 * len(cohort) * len(rest)))
    quantiles = (np.arange(_MOST_UNITS) + 0.5) / _MOST_UNITS  # which stand for an arm of very many units
    first, second = (arm if len(arm) <= _MOST_UNITS else np.quantile(arm, quantiles) for arm in (cohort, rest))
    place = int(above * len(first) * len(second))
    if place < 1:
        return float("inf")
    return float(-np.partition(-np.subtract.outer(first, second).ravel(), place - 1)[place - 1])


def share_limit(cohort: Numbers, rest: Numbers, margin: float) -> float:
    """The upper one-sided 97.5 % limit of how many more of the cohort are worse by over the margin, after Newcombe.

    No median sees a minority that is hit hard.
    """
    hit, sizes = [int((arm > margin).sum()) for arm in (cohort, rest)], (len(cohort), len(rest))
    worse, usual = (own / size for own, size in zip(hit, sizes, strict=True))
    few, low = wilson_interval(hit[0], sizes[0])[1], wilson_interval(hit[1], sizes[1])[0]
    return float(worse - usual + np.hypot(few - worse, usual - low))
