"""False-positive rates: alert groups, their intervals, and what is surely over a bound or better than before."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import micros, typed

LEVEL = 0.025  # one-sided: what lies over the lower end of a 95 % interval
_HOUR = 60 * 60_000_000
_RULE = ["alertname", "severity"]
_KNOWN = ["true", "false"]
_NORMAL = NormalDist()
_Z = _NORMAL.inv_cdf(1 - LEVEL)


def false_positive_rates(judged: pd.DataFrame) -> pd.DataFrame:
    """False-positive rate of each rule: false / (true + false positives), with its 95 % interval.

    The interval is Wilson's, of as many independent groups as these are worth by `time_clusters`
    and `design_effect`.

    Columns: alertname, severity, episodes (all of the rule, judged or not), trials (alert groups,
    true and false ones), true_positives, false_positives, rate, low, high (NaN without a group),
    design_effect, judged_share; the rule with the most false positives first.
    """
    opens = _opens_group(judged)
    rows = [
        {"alertname": str(name), "severity": str(severity), **_rate(group, opens)}
        for (name, severity), group in judged.groupby(_RULE, observed=True)
    ]
    return typed(rows, false_positive_rates, by="-false_positives alertname")


def pooled_rate(judged: pd.DataFrame, alertnames: Collection[str]) -> pd.DataFrame:
    """False-positive rate of several rules together: one row as `false_positive_rates` gives, whatever was judged.

    `alertname` lists the rules, within each of which alert groups are made.
    """
    ours = judged[judged["alertname"].isin(list(alertnames))]
    row = {"alertname": ", ".join(alertnames), "severity": "", **_rate(ours, _opens_group(ours))}
    return typed([row], false_positive_rates)


def weekly_rates(
    judged: pd.DataFrame, weeks: Iterable[Window], *, days: float = 28, pooled: Collection[str] | None = None
) -> pd.DataFrame:
    """The false-positive rates, of each rule or of those `pooled`, over the `days` days that end with each of `weeks`.

    `change` against the `days` days that ended a week earlier is 'better' or 'worse' where the two
    intervals do not meet, else 'not distinguishable'; '' where either is unknown.

    Columns: week ('2026-W46'), start (Monday), alertname, severity, episodes, trials,
    false_positives, rate, low, high, change; by week and rule.
    """
    parts = []
    for week in weeks:
        inside = (judged["fired_at"] >= week.end - timedelta(days=days)) & (judged["fired_at"] < week.end)
        own = judged[inside].reset_index(drop=True)
        rates = false_positive_rates(own) if pooled is None else pooled_rate(own, pooled)
        parts.append(rates.assign(week=week.name, start=week.start, change=""))
    frame = typed(parts, weekly_rates, by="start alertname severity")
    before = frame[[*_RULE, "start", "low", "high"]].assign(start=frame["start"] + pd.Timedelta(days=7))
    both = frame.merge(before, how="left", on=[*_RULE, "start"], suffixes=("", "_before"))
    unknown = both["low_before"].isna() | both["low"].isna()
    met = [unknown, both["low"] > both["high_before"], both["high"] < both["low_before"]]
    return frame.assign(change=np.select(met, ["", "worse", "better"], "not distinguishable")).astype({"change": "str"})


def alert_groups(judged: pd.DataFrame) -> pd.DataFrame:
    """The episodes that open an alert group, true or false.

    Columns: those of `judged`.
    """
    return judged[_opens_group(judged) & judged["judgement"].isin(_KNOWN)].reset_index(drop=True)


def groups_needed(wrong: float, groups: float, *, share: float) -> int:
    """How many further alert groups, all true, bring the upper end of `wrong` in `groups` down to `share`."""
    return bisect_left(range(10**9), True, key=lambda more: wilson_interval(wrong, groups + more)[1] <= share)


def further_needed(rates: pd.DataFrame, *, share: float) -> pd.Series:
    """For each row of `false_positive_rates`, as `groups_needed` says of as many independent groups as it is worth."""
    effect = rates["design_effect"].fillna(1.0)
    worth = zip(rates["false_positives"] / effect, rates["trials"] / effect, strict=True)
    return pd.Series([groups_needed(*row, share=share) for row in worth], index=rates.index, dtype="float64")


def surely_over(rates: Sequence[float], cases: Sequence[float], *, bound: float) -> NDArray[np.bool_]:
    """Which of several shares are over a bound, by the test that Wilson's lower end inverts, Benjamini–Hochberg's way.

    `cases` are independent ones; a share that is not known is not over it.
    """
    rate = np.asarray(rates, dtype=float)
    known, over = np.isfinite(rate), np.zeros(len(rate), dtype=bool)
    score = (rate - bound) * np.sqrt(np.asarray(cases, dtype=float)) / math.sqrt(bound * (1 - bound))
    chance = np.array([1 - _NORMAL.cdf(one) for one in score[known]])
    order = np.argsort(chance)
    scaled = chance[order] * len(chance) / np.arange(1, len(chance) + 1)
    over[np.flatnonzero(known)[order]] = np.minimum.accumulate(scaled[::-1])[::-1] < LEVEL
    return over


def wilson_interval(successes: float, trials: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson, 1927, Journal of the American Statistical Association 22)."""
    if not trials:
        return math.nan, math.nan
    # By hand: the cases may be fractions, which scipy refuses.
    share, weight = successes / trials, 1 + _Z**2 / trials
    middle = (share + _Z**2 / (2 * trials)) / weight
    half = _Z * math.sqrt(share * (1 - share) / trials + _Z**2 / (4 * trials**2)) / weight
    # At the edges the formula gives 0 and 1 but for the last bit.
    return (middle - half if successes else 0.0), (middle + half if successes < trials else 1.0)


def time_clusters(judged: pd.DataFrame) -> pd.Series:
    """A number for each episode: what began within an hour of another, or in the course of one incident, has one.

    Such episodes are likely to have one cause, whichever rule they are of.
    """
    order = judged.sort_values("fired_at", kind="stable")
    begun = pd.Series(micros(order["fired_at"]), index=order.index)
    known = order["incident"] != ""
    last = begun.mask(known, begun[known].groupby(order.loc[known, "incident"]).transform("max"))
    opens = begun > last.cummax().shift(fill_value=-(2**62)) + _HOUR
    return opens.cumsum().reindex(judged.index)


def design_effect(hits: NDArray[np.float64], sizes: NDArray[np.float64]) -> float:
    """How many times the variance of a share is that of as many independent cases: `hits` of `sizes` in each cluster.

    Rao and Scott, A simple method for the analysis of clustered binary data (1992, Biometrics 48),
    at least 1; times (t(n − 1) / t(m − 1))² for m clusters of n cases, as few of them say little of
    how alike they are (Korn and Graubard, 1998, Survey Methodology 24). Where all or none are hits,
    or there is one cluster, the cases of a cluster are taken for one (Kish): Σ n_i² / n, which is
    the most in any case.
    """
    cases, clusters = float(sizes.sum()), len(sizes)
    alike = float((sizes**2).sum() / cases)
    share = float(hits.sum() / cases)
    if clusters in (1, cases) or share in (0.0, 1.0):
        return alike
    # A report waits a second for the import of scipy.stats, whose functions these are.
    from scipy.special import stdtrit

    apart = float(((hits - sizes * share) ** 2).sum())
    found = clusters * (cases - 1) / (clusters - 1) * apart / (cases**2 * share * (1 - share))
    few = (stdtrit(clusters - 1, 1 - LEVEL) / stdtrit(cases - 1, 1 - LEVEL)) ** 2
    return min(max(found, 1.0) * float(few), alike)


def _opens_group(judged: pd.DataFrame) -> pd.Series:
    """True at the first episode of each alert group, which takes in those of its rule and judgement up to 60 min on."""
    ordered = judged.sort_values("fired_at", kind="stable")
    kinds = ordered[[*_RULE, "judgement"]].itertuples(index=False, name=None)
    opened: dict[tuple[str, ...], int] = {}
    opens = []
    for kind, begun in zip(kinds, micros(ordered["fired_at"]), strict=True):
        opens.append(kind not in opened or begun > opened[kind] + _HOUR)
        if opens[-1]:
            opened[kind] = begun
    return pd.Series(opens, index=ordered.index, dtype=bool).reindex(judged.index)


def _rate(episodes: pd.DataFrame, opens: pd.Series) -> dict[str, object]:
    known = episodes[episodes["judgement"].isin(_KNOWN)]
    groups = known.assign(cluster=time_clusters(known))[opens.loc[known.index]]
    false = groups["judgement"] == "false"
    number, wrong = len(false), int(false.sum())
    rate, effect, interval = math.nan, math.nan, (math.nan, math.nan)
    if number:
        by_cluster = false.groupby(groups["cluster"])
        effect = design_effect(*(one.to_numpy(dtype=float) for one in (by_cluster.sum(), by_cluster.size())))
        rate, interval = wrong / number, wilson_interval(wrong / effect, number / effect)
    return {
        "episodes": len(episodes),
        "trials": number,
        "true_positives": number - wrong,
        "false_positives": wrong,
        "rate": rate,
        "low": interval[0],
        "high": interval[1],
        "design_effect": effect,
        "judged_share": (episodes["judgement"] != "unjudged").mean() if len(episodes) else math.nan,
    }
