"""False-positive rates against hand calculations, published tables, statsmodels and scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from by_hand import at, episodes, spaced
from scipy.stats import binomtest, t
from statsmodels.stats.proportion import proportion_confint

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures import rates

COUNTS = ["episodes", "trials", "true_positives", "false_positives", "rate"]


@pytest.mark.parametrize("groups", [1, 2, 5, 12, 16, 35, 100, 263, 1000])
def test_intervals_are_those_of_statsmodels_and_scipy(groups: int) -> None:
    for wrong in {0, 1, groups // 3, groups // 2, groups - 1, groups}:
        ours = rates.wilson_interval(wrong, groups)
        assert ours == pytest.approx(proportion_confint(wrong, groups, method="wilson"), abs=1e-12)
        theirs = binomtest(wrong, groups).proportion_ci(0.95, method="wilson")
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(
    ("frame", "counts", "judged_share"),
    [
        (spaced("true", "false", "true", "standing", "unjudged", "true"), [6, 4, 3, 1, 0.25], 5 / 6),
        # At 0, 20, 40, 60, 80 minutes: the hour of the first holds four, the fifth is a group of its own.
        (spaced(*["false"] * 5, apart="20min"), [5, 2, 0, 2, 1.0], 1.0),
        (spaced("false", "true", "false", "true", apart="20min"), [4, 2, 1, 1, 0.5], 1.0),
        (spaced("unjudged", "standing"), [2, 0, 0, 0, None], 0.5),
    ],
)
def test_rates_by_hand(frame: pd.DataFrame, counts: list, judged_share: float) -> None:
    row = rates.false_positive_rates(frame).iloc[0]
    assert [None if pd.isna(value) else value for value in row[COUNTS]] == counts
    assert row["judged_share"] == pytest.approx(judged_share)
    assert row[["low", "high"]].isna().all() == (counts[-1] is None)


def test_the_pooled_rate_adds_up_the_groups_of_its_rules() -> None:
    frame = pd.concat([spaced("true", "false", alertname="A"), spaced("true", alertname="B"), spaced("false")])
    pooled = rates.pooled_rate(frame.reset_index(drop=True), ("A", "B"))
    assert pooled[["alertname", *COUNTS[:4]]].values.tolist() == [["A, B", 3, 3, 2, 1]]
    nothing = rates.pooled_rate(frame.iloc[:0], ("A", "B"))
    assert nothing[["episodes", "trials"]].values.tolist() == [[0, 0]]
    assert nothing[["rate", "judged_share"]].isna().all(axis=None)
    assert rates.false_positive_rates(frame.iloc[:0]).empty


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, 0.9])
def test_no_fewer_would_do_and_as_many_do_by_statsmodels(share: float) -> None:
    for wrong, groups in [(0, 0), (0, 5), (1, 1), (3, 3), (5, 16), (9, 200), (40, 41)]:
        more = rates.groups_needed(wrong, groups, share=share)
        assert proportion_confint(wrong, groups + more, method="wilson")[1] <= share
        if more and groups + more > 1:
            assert proportion_confint(wrong, groups + more - 1, method="wilson")[1] > share
    frame = rates.false_positive_rates(spaced("false", "true", "false"))
    assert rates.further_needed(frame, share=share).tolist() == [rates.groups_needed(2, 3, share=share)]


def weekly(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return rates.weekly_rates(frame, [parse_window(name) for name in names])


def test_rates_of_the_28_days_that_end_with_each_week() -> None:
    days = [("10-12 00:00", "false"), ("10-18 23:59", "false"), ("11-08 23:59", "true"), ("11-09 00:00", "true")]
    found = episodes(*(("A", f"2026-{day}", 5, said) for day, said in [*days, ("11-16 00:00", "false")]))
    frame = weekly(found, "2026-W45", "2026-W46")
    # W45 ends 28 days after 12 October, W46 after 19 October; the two true ones begin within a minute: one group.
    assert frame[["week", "start", "trials", "false_positives", "change"]].values.tolist() == [
        ["2026-W45", at("2026-11-02 00:00"), 3, 2, ""],
        ["2026-W46", at("2026-11-09 00:00"), 1, 0, "not distinguishable"],
    ]
    assert weekly(found[:0], "2026-W46").empty
    assert weekly(found).empty


@pytest.mark.parametrize(("before", "after", "change"), [("true", "false", "worse"), ("false", "true", "better")])
def test_a_change_is_one_where_the_two_intervals_do_not_meet(before: str, after: str, change: str) -> None:
    # Twelve alike fall out of the 28 days and twelve of the other kind come in: Wilson, 12 of 12 is 0.757 to 1.
    days = [("2026-10-12", before), ("2026-11-09", after)]
    found = episodes(*(("A", f"{day} {hour:02d}:00", 5, said) for day, said in days for hour in range(0, 24, 2)))
    assert weekly(found, "2026-W45", "2026-W46")["change"].tolist() == ["", change]
    # Weeks that do not follow each other are not compared.
    assert weekly(found, "2026-W44", "2026-W46")["change"].tolist() == ["", ""]


def test_what_begins_within_an_hour_or_in_one_incident_is_a_cluster() -> None:
    clocks = {"20:00": "", "10:00": "I", "10:30": "", "14:00": "I", "15:00": "", "16:01": "", "12:00": ""}
    frame = episodes(*(("A", clock, 5) for clock in clocks)).assign(incident=list(clocks.values()))
    # The incident holds 10:00 to 14:00 together, and 15:00 is within an hour of it; 16:01 is not of 15:00.
    assert rates.time_clusters(frame).tolist() == [3, 1, 1, 1, 1, 2, 1]


# Thirty clusters of two, ten with both, ten with one, ten with none: residuals 1, 0, -1, p = 1/2.
THIRTY = 30 * 59 / 29 * 20 / (3600 / 4) * (t.ppf(0.975, 29) / t.ppf(0.975, 59)) ** 2


@pytest.mark.parametrize(
    ("hits", "sizes", "effect"),
    [
        # p = 4/8, residuals x - n p: 1.5, -1, 0.5, -1, whose squares add up to 4.5. Rao and Scott: m (n - 1) / (m - 1)
        # * 4.5 / (n² p (1 - p)) = 2.625, of few clusters times (t_3 / t_7)² = 1.811: 4.754, which is over what clusters
        # of alike cases have, (9 + 4 + 1 + 4) / 8, the most.
        ([3, 0, 1, 0], [3, 2, 1, 2], 2.25),
        (np.repeat([2, 1, 0], 10), np.full(30, 2), THIRTY),
        # Independent ones; and of none or all as many as there are clusters.
        (np.repeat([1, 0], 6), np.ones(12), 1.0),
        (np.zeros(12), np.ones(12), 1.0),
        (np.zeros(3), np.full(3, 4), 4.0),
        ([2], [5], 5.0),
    ],
)
def test_a_design_effect_by_hand(hits: list, sizes: list, effect: float) -> None:
    assert pytest.approx(1.417, abs=1e-3) == THIRTY
    assert rates.design_effect(np.array(hits, float), np.array(sizes, float)) == pytest.approx(effect)


def test_the_interval_of_clustered_groups_is_wider() -> None:
    # Two rules, six hours, each false in three of them and true in the others, always both: six causes.
    said = ["false"] * 3 + ["true"] * 3
    both = pd.concat([spaced(*said), spaced(*said, alertname="Other")], ignore_index=True)
    row = rates.pooled_rate(both, ("Breach", "Other")).iloc[0]
    assert (row["trials"], row["false_positives"], row["design_effect"]) == (12, 6, 2.0)
    assert (row["low"], row["high"]) == pytest.approx(rates.wilson_interval(3, 6))


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Beta-binomial clusters of 28 days: how often 95 % intervals hold the rate, of clustered groups."""
    draws = np.random.default_rng(28)
    for share, alike in ((0.10, 0.3), (0.25, 0.3), (0.25, 0.6)):
        held = naive = 0
        weight = share * (1 - alike) / alike
        for _ in range(800):
            sizes = draws.geometric(0.4, 15).astype(float)
            hits = draws.binomial(sizes.astype(int), draws.beta(weight, weight * (1 - share) / share, 15)).astype(float)
            effect = rates.design_effect(hits, sizes)
            low, high = rates.wilson_interval(hits.sum() / effect, sizes.sum() / effect)
            held += low <= share <= high
            low, high = rates.wilson_interval(hits.sum(), sizes.sum())
            naive += low <= share <= high
        assert held / 800 > 0.92
        assert naive / 800 < 0.90


@pytest.mark.parametrize(
    ("shares", "cases", "over"),
    [
        ([0.5], [18], [True]),  # z = 0.25 / sqrt(0.1875 / 18) = 2.449, p = 0.0072
        # One of ten at p = 0.0072: Benjamini and Hochberg make 0.072 of it. Ten of ten, and one at 100 %, stay.
        ([0.5, *[0.2] * 9], [18] * 10, [False] * 10),
        ([0.5] * 10, [18] * 10, [True] * 10),
        ([1.0, *[0.2] * 9], [18] * 10, [True, *[False] * 9]),
        ([np.nan, 1.0], [np.nan, 8], [False, True]),
        ([], [], []),
    ],
)
def test_of_many_rules_by_chance_none_is_surely_over(shares: list, cases: list, over: list) -> None:
    assert rates.surely_over(shares, cases, bound=0.25).tolist() == over


@pytest.mark.parametrize("bound", [0.1, 0.25, 0.5])
def test_one_rule_alone_is_over_where_wilsons_lower_end_is(bound: float) -> None:
    for cases in (3, 8, 20, 61):
        for hits in range(cases + 1):
            low = rates.wilson_interval(hits, cases)[0]
            assert rates.surely_over([hits / cases], [cases], bound=bound).tolist() == [low > bound]
