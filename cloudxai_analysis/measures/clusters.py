"""Shares of cases that come in clusters: what they are worth in independent ones, and which are surely over a bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.matching import moments

LEVEL = 0.025  # one-sided: what lies over the lower end of a 95 % interval


def time_clusters(judged: pd.DataFrame, *, minutes: float = 60) -> pd.Series:
    """A number for each episode: what began within an hour of another, or in the course of one incident, has one.

    Such episodes are likely to have one cause, whichever rule they are of, and tell no more than about as much as one.
    """
    order = judged.sort_values("fired_at", kind="stable")
    begun = moments(order["fired_at"]).astype("int64")
    last = pd.Series(begun, index=order.index)
    known = order["incident"] != ""
    last[known] = last[known].groupby(order.loc[known, "incident"]).transform("max")
    reached = np.maximum.accumulate(last.to_numpy()) if len(last) else begun
    opens = np.append(True, begun[1:] > reached[:-1] + round(minutes * 60_000_000))[: len(begun)]
    return pd.Series(np.cumsum(opens), index=order.index).reindex(judged.index)


def design_effect(hits: NDArray[np.float64], sizes: NDArray[np.float64]) -> float:
    """How many times the variance of a share is that of as many independent cases: `hits` of `sizes` in each cluster.

    Rao and Scott, A simple method for the analysis of clustered binary data (1992, Biometrics 48), at least 1; times
    (t(n − 1) / t(m − 1))² for m clusters of n cases, as few of them say little of how alike they are (Korn and
    Graubard, 1998, Survey Methodology 24). Where all or none are hits, or there is one cluster, the cases of a cluster
    are taken for one (Kish): Σ n_i² / n, which is the most in any case.
    """
    cases, clusters = float(sizes.sum()), len(sizes)
    alike = float((sizes**2).sum() / cases)
    share = float(hits.sum() / cases)
    if clusters in (1, cases) or share in (0.0, 1.0):
        return alike
    from scipy.stats import t

    apart = float(((hits - sizes * share) ** 2).sum())
    found = clusters * (cases - 1) / (clusters - 1) * apart / (cases**2 * share * (1 - share))
    few = (t.ppf(1 - LEVEL, clusters - 1) / t.ppf(1 - LEVEL, cases - 1)) ** 2
    return min(max(found, 1.0) * float(few), alike)


def surely_over(rates: Sequence[float], cases: Sequence[float], *, bound: float) -> NDArray[np.bool_]:
    """Which of several shares are over a bound, by the test that Wilson's lower end inverts, Benjamini–Hochberg's way.

    `cases` are independent ones; a share that is not known is not over it.
    """
    known = np.isfinite(np.asarray(rates, dtype=float))
    over = np.zeros(len(known), dtype=bool)
    if known.any():
        away = (np.asarray(rates, dtype=float) - bound) * np.sqrt(np.asarray(cases, dtype=float))
        chance = np.array([1 - NormalDist().cdf(score / math.sqrt(bound * (1 - bound))) for score in away[known]])
        if (chance < LEVEL).any():
            from scipy.stats import false_discovery_control

            over[known] = false_discovery_control(chance) < LEVEL
    return over
