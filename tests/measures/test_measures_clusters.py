import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from cloudxai_analysis.measures import clusters, judgement


def judged(*rows):
    """One row per (clock, judgement, incident), of one rule."""
    frame = pd.DataFrame(rows, columns=["fired_at", "judgement", "incident"])
    frame["fired_at"] = pd.to_datetime("2026-11-11 " + frame["fired_at"], utc=True).astype("datetime64[us, UTC]")
    return frame.assign(alertname="Breach", severity="page")


def test_what_begins_within_an_hour_or_in_one_incident_is_a_cluster():
    frame = judged(
        *(("20:00", "false", ""), ("10:00", "true", "I"), ("10:30", "false", ""), ("14:00", "true", "I")),
        *(("15:00", "false", ""), ("16:01", "false", ""), ("12:00", "false", "")),
    )
    # The incident holds 10:00 to 14:00 together, and 15:00 is within an hour of it; 16:01 is not of 15:00.
    assert clusters.time_clusters(frame).tolist() == [3, 1, 1, 1, 1, 2, 1]
    assert clusters.time_clusters(frame.iloc[:0]).empty


def test_a_design_effect_by_hand():
    """Clusters of 3, 2, 1, 2 cases with 3, 0, 1, 0 hits: p = 4/8.

    Residuals x - n p: 1.5, -1, 0.5, -1, whose squares add up to 4.5. Rao and Scott against the variance of independent
    cases: m (n - 1) / (m - 1) * 4.5 / (n^2 p (1 - p)) = 4 * 7 / 3 * 4.5 / 16 = 2.625; of few clusters times
    (t_7 / t_3)^2 = (2.3646 / 3.1824)^2 = 0.5521, inverted 1.811: 4.754. That is over what clusters of alike cases
    have, (9 + 4 + 1 + 4) / 8 = 2.25, which is the most.
    """
    hits, sizes = np.array([3.0, 0, 1, 0]), np.array([3.0, 2, 1, 2])
    assert clusters.design_effect(hits, sizes) == 2.25
    # Thirty clusters of two, ten with both, ten with one, ten with none: residuals 1, 0, -1, p = 1/2.
    hits, sizes = np.repeat([2.0, 1, 0], 10), np.full(30, 2.0)
    by_hand = 30 * 59 / 29 * 20 / (3600 / 4) * (t.ppf(0.975, 29) / t.ppf(0.975, 59)) ** 2
    assert clusters.design_effect(hits, sizes) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(1.417, abs=1e-3)


def test_independent_cases_keep_wilsons_interval_and_none_or_all_count_clusters():
    ones = np.ones(12)
    assert clusters.design_effect(np.repeat([1.0, 0], 6), ones) == 1.0
    assert clusters.design_effect(np.zeros(12), ones) == 1.0
    # Three clusters of four without a hit say no more than three cases.
    assert clusters.design_effect(np.zeros(3), np.full(3, 4.0)) == 4.0
    assert clusters.design_effect(np.array([2.0]), np.array([5.0])) == 5.0


def test_the_interval_of_clustered_groups_is_wider():
    # Two rules, six hours, each false in three of them and true in the others, always both: six causes.
    rows = [(f"{hour:02d}:00", "false" if hour < 12 else "true", "") for hour in range(6, 18, 2)]
    both = pd.concat([judged(*rows), judged(*rows).assign(alertname="Other")], ignore_index=True)
    row = judgement.pooled_rate(both, ("Breach", "Other")).iloc[0]
    assert (row["trials"], row["false_positives"], row["design_effect"]) == (12, 6, 2.0)
    assert (row["low"], row["high"]) == pytest.approx(judgement.wilson_interval(3, 6))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Beta-binomial clusters of 28 days: how often 95 % intervals hold the rate, of clustered groups."""
    draws = np.random.default_rng(28)
    for share, alike in ((0.10, 0.3), (0.25, 0.3), (0.25, 0.6)):
        held = naive = 0
        weight = share * (1 - alike) / alike
        for _ in range(800):
            sizes = draws.geometric(0.4, 15).astype(float)
            hits = draws.binomial(sizes.astype(int), draws.beta(weight, weight * (1 - share) / share, 15)).astype(float)
            effect = clusters.design_effect(hits, sizes)
            low, high = judgement.wilson_interval(hits.sum() / effect, sizes.sum() / effect)
            held += low <= share <= high
            low, high = judgement.wilson_interval(hits.sum(), sizes.sum())
            naive += low <= share <= high
        assert held / 800 > 0.92
        assert naive / 800 < 0.90


def test_of_many_rules_by_chance_none_is_surely_over():
    # 8 of 18 against 25 %: z = 0.1944 / sqrt(0.1875 / 18) = 1.905... and 9 of 18: z = 2.449, p = 0.0072.
    assert clusters.surely_over([0.5], [18], bound=0.25).tolist() == [True]
    # One of ten at p = 0.0072: Benjamini and Hochberg make 0.072 of it.
    assert not clusters.surely_over([0.5, *[0.2] * 9], [18] * 10, bound=0.25).any()
    # Ten of ten at it, and one at 100 %, stay.
    assert clusters.surely_over([0.5] * 10, [18] * 10, bound=0.25).all()
    assert clusters.surely_over([1.0, *[0.2] * 9], [18] * 10, bound=0.25).tolist() == [True, *[False] * 9]
    assert clusters.surely_over([np.nan, 1.0], [np.nan, 8], bound=0.25).tolist() == [False, True]
    assert clusters.surely_over([], [], bound=0.25).tolist() == []


@pytest.mark.parametrize("bound", [0.1, 0.25, 0.5])
def test_one_rule_alone_is_over_where_wilsons_lower_end_is(bound):
    for cases in (3, 8, 20, 61):
        for hits in range(cases + 1):
            low = judgement.wilson_interval(hits, cases)[0]
            assert clusters.surely_over([hits / cases], [cases], bound=bound).tolist() == [low > bound]
