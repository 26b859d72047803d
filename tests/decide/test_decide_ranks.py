"""The canary's statistics beside published tables, scipy, and laws that are counted by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from cloudxai_analysis.decide.ranks import harm_chance, nominal_levels, rank_chances, share_limit, shift_limit

RANDOM = np.random.default_rng(5)


def test_bounds_are_those_of_the_published_tables() -> None:
    """Five looks at one-sided 2.5 %: Reboussin, DeMets, Kim and Lan (2000); four at 5 %: SeqBounds' nominal levels."""
    assert norm.isf(nominal_levels(0.025, 5)) == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4)
    assert nominal_levels(0.05, 4) == pytest.approx([8.85754e-5, 0.00554366, 0.0218979, 0.0427037], rel=2e-4)


@pytest.mark.parametrize(("alpha", "looks"), [(0.05, 7), (0.005, 7), (0.0004, 14)])
def test_paths_without_harm_cross_a_bound_as_often_as_is_spent(alpha: float, looks: int) -> None:
    runs = 400_000
    bounds = norm.isf(nominal_levels(alpha, looks)) * np.sqrt(np.arange(1, looks + 1))
    walk, crossed = np.zeros(runs), np.zeros(runs, dtype=bool)
    for bound in bounds:
        walk += RANDOM.normal(size=runs)
        crossed |= walk > bound
    assert crossed.mean() == pytest.approx(alpha, abs=4 * np.sqrt(alpha / runs))


@pytest.mark.parametrize("values", [3, 10, 10_000])
def test_ranks_are_tested_as_scipy_does(values: int) -> None:
    """Twenty at once, each with other units that are not there."""
    changes, cohort = RANDOM.integers(0, values, (20, 75)).astype(float), np.arange(75) < 15
    changes[RANDOM.random(changes.shape) < 0.1] = np.nan
    for row, chance in zip(changes, rank_chances(changes, cohort), strict=True):
        arms = (row[cohort & ~np.isnan(row)], row[~cohort & ~np.isnan(row)])
        assert chance == pytest.approx(mannwhitneyu(*arms, alternative="greater", method="asymptotic").pvalue, rel=1e-9)
        assert harm_chance(*arms) >= chance


def test_where_most_are_alike_so_many_above_it_are_counted() -> None:
    """Two of 200 have an alert, both in a cohort of 20: 20 · 19 / (200 · 199); the normal law says 1e-5."""
    cohort, rest = np.r_[np.ones(2), np.zeros(18)], np.zeros(180)
    assert harm_chance(cohort, rest) == pytest.approx(20 * 19 / (200 * 199))
    assert rank_chances(np.r_[cohort, rest], np.arange(200) < 20) < 2e-5
    assert harm_chance(np.zeros(20), np.zeros(180)) == 1.0


def test_a_rare_value_is_counted_among_all_cohorts_that_could_have_been() -> None:
    """Of 14 units five are above the usual value, three of them in a cohort of five: all 2,002 cohorts are written."""
    both = np.r_[[1.0, 3.0, 8.0, 0.0, 0.0], np.zeros(6), [2.0, 1.0, -2.0]]
    as_many = [sum(both[list(chosen)] > 0) >= 3 for chosen in combinations(range(14), 5)]
    assert harm_chance(both[:5], both[5:]) == pytest.approx(np.mean(as_many))


def test_very_many_units_are_counted_as_well() -> None:
    """Of 3,000 units 200 have something, three in ten of the cohort's and 4 % of the rest's."""
    cohort = np.r_[RANDOM.exponential(size=90), np.zeros(210)]
    rest = np.r_[RANDOM.exponential(size=110), np.zeros(2590)]
    assert 0 < harm_chance(cohort, rest) < 1e-12


def test_the_limit_is_where_the_rank_test_turns() -> None:
    """Below it a one-sided test at 2.5 % no longer says that the cohort is less than so much worse."""
    for size, scale in ((12, 1.0), (40, 5.0)):
        cohort, rest = RANDOM.normal(0.3, scale, size), RANDOM.normal(0, 1, 90)
        limit = shift_limit(cohort, rest)

        def chance(shift: float, cohort: np.ndarray = cohort, rest: np.ndarray = rest) -> float:
            how = {"alternative": "less", "method": "asymptotic", "use_continuity": False}
            return float(mannwhitneyu(cohort - shift, rest, **how).pvalue)

        assert chance(limit + 0.05 * scale) < 0.025 < chance(limit - 0.05 * scale)
    assert shift_limit(np.array([1.0]), np.array([0.0, 1.0])) == np.inf


def test_very_many_units_give_nearly_the_limit_of_all_pairs() -> None:
    cohort, rest = RANDOM.normal(0.1, 1, 3_000), RANDOM.normal(0, 1, 2_500)
    pairs = np.sort(np.subtract.outer(cohort, rest).ravel())
    place = int(len(pairs) / 2 - 1.959964 * np.sqrt(len(pairs) * 5_501 / 12))
    assert shift_limit(cohort, rest) == pytest.approx(pairs[-place], abs=2e-3)


def test_a_minority_has_newcombes_limit() -> None:
    """56 of 70 against 48 of 80: 0.0524 to 0.3339 (Newcombe, 1998, Statistics in Medicine 17, method 10)."""
    first, second = np.r_[np.ones(56), np.zeros(14)], np.r_[np.ones(48), np.zeros(32)]
    assert share_limit(first, second, 0.5) == pytest.approx(0.3339, abs=1e-4)
