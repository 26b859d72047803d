"""The month's course, by hand: October ends on the 31st, 42 days from 5 October end with 15 November."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures.cost_course import budget_course, month_course, month_projection

FIRST = pd.Timestamp("2026-10-05", tz="UTC")
DAY = pd.Timedelta(days=1)
NOVEMBER = parse_window("2026-11")
UNTIL = pd.Timestamp("2026-11-16", tz="UTC")


def costs(**by_tenant):
    """Daily costs in EUR of each tenant, from 5 October on; NaN: no cost that day."""
    frames = [
        pd.DataFrame({"day": pd.date_range(FIRST, periods=len(amounts), freq="D", unit="us"), "cost": amounts})
        .assign(tenant=tenant, currency="EUR")
        .dropna()
        for tenant, amounts in by_tenant.items()
    ]
    return pd.concat(frames, ignore_index=True)


def covered(days=42, *missing):
    day = pd.date_range(FIRST, periods=days, freq="D", unit="us")
    return pd.DataFrame({"day": day, "covered": [number not in missing for number in range(days)]})


def budget(daily, amount, *, sure=None, until=UNTIL, **kw):
    sure = covered() if sure is None else sure
    return budget_course(daily, {"a": amount}, sure, NOVEMBER, until=until, currency="EUR", **kw).iloc[0]


def test_an_even_cost_is_projected_to_its_multiple():
    # 15 days of November at 10 are spent, 15 are left: 300 at the end.
    row = month_projection(costs(a=[4.0] * 42, b=[6.0] * 42), covered(), NOVEMBER, until=UNTIL).iloc[0]
    assert (row["spent"], row["days_left"], row["days_unknown"], row["days_known"]) == (150, 15, 0, 42)
    assert [row[end] for end in ("low95", "low80", "median", "high80", "high95")] == pytest.approx([300] * 5)


def test_the_interval_has_the_spread_of_a_sum_of_days():
    # s² (m + m²/n) of 15 days ahead and 42 known ones, with the pace's wander; stretched from a half to three times.
    daily = np.random.default_rng(11).normal(100, 10, 42)
    row = month_projection(costs(a=daily), covered(), NOVEMBER, until=UNTIL).iloc[0]
    half = 1.2816 * daily.std(ddof=1) * np.sqrt(15 + 15**2 / 42 + 0.04**2 * 15 * 16 * 31 / 6)
    assert half * 0.4 < (row["high80"] - row["low80"]) / 2 < half * 3.3
    assert row["median"] == pytest.approx(daily[-15:].sum() + 15 * daily.mean(), rel=0.02)


def test_currencies_are_projected_apart():
    both = pd.concat([costs(a=[1.0] * 42), costs(a=[2.0] * 42).assign(currency="USD")])
    found = month_projection(both, covered(), NOVEMBER, until=UNTIL)
    assert found[["currency", "spent"]].to_numpy().tolist() == [["EUR", 15.0], ["USD", 30.0]]


def test_a_month_that_is_over_is_what_was_spent():
    row = month_projection(costs(a=[2.0] * 42), covered(), parse_window("2026-10"), until=UNTIL).iloc[0]
    assert (row["spent"], row["median"], row["high95"], row["days_left"]) == (54, 54, 54, 0)
    # The telemetry begins on the 5th: four days of October are unknown.
    assert row["days_unknown"] == 4


def test_uncovered_days_are_counted_and_teach_nothing():
    daily = [10.0] * 42
    daily[30] = 3.0  # 4 November, seen in part
    row = month_projection(costs(a=daily), covered(42, 30), NOVEMBER, until=UNTIL).iloc[0]
    assert (row["spent"], row["days_unknown"], row["days_known"]) == (143, 1, 41)
    assert row["median"] == pytest.approx(143 + 150)


def test_too_little_history_leaves_what_was_spent():
    row = month_projection(costs(a=[1.0] * 42), covered(42, *range(25)), NOVEMBER, until=UNTIL).iloc[0]
    assert (row["spent"], row["days_known"], row["model"]) == (15, 17, "")
    assert np.isnan(row["median"])


def test_nothing_costs_nothing_is_projected():
    assert month_projection(costs(a=[1.0])[:0], covered(), NOVEMBER, until=UNTIL).empty
    assert month_course(costs(a=[1.0])[:0], covered(), NOVEMBER, currency="EUR").empty


def test_the_course_adds_up_from_the_months_start():
    found = month_course(costs(a=[2.0] * 42), covered(42, 27), NOVEMBER, currency="EUR")
    assert found["day"].iloc[0] == pd.Timestamp("2026-11-01", tz="UTC")
    assert found["spent"].tolist() == [2.0 * n for n in range(1, 16)]
    assert found["covered"].tolist() == [False] + [True] * 14
    assert month_course(costs(a=[2.0] * 42), covered(), NOVEMBER, currency="USD").empty


def test_a_budget_is_spent_on_the_day_that_division_says():
    # 150 spent by the 15th at 10 a day: 200 is reached on the 20th.
    row = budget(costs(a=[10.0] * 42), 200)
    assert (row["answer"], row["spent"], row["spent_share"], row["pace"]) == ("will be spent", 150, 0.75, 10)
    assert row["spent_on"] == pd.Timestamp("2026-11-20", tz="UTC")
    assert row["median"] == pytest.approx(300)


def test_by_pace_alone_the_answer_is_the_same():
    row = budget(costs(a=[10.0] * 42), 200, forecast_most=0)
    assert (row["answer"], row["spent_on"]) == ("will be spent", pd.Timestamp("2026-11-20", tz="UTC"))
    assert np.isnan(row["median"])


def test_a_budget_that_is_spent_says_since_when():
    row = budget(costs(a=[10.0] * 42), 95)
    assert (row["answer"], row["spent_on"]) == ("spent", pd.Timestamp("2026-11-10", tz="UTC"))


def test_a_budget_that_lasts_and_a_tenant_that_was_not_seen():
    assert budget(costs(a=[10.0] * 42), 301)["answer"] == "will last"
    row = budget(costs(b=[10.0] * 42), 5)
    assert (row["answer"], row["spent"], row["pace"]) == ("will last", 0, 0)


def test_without_a_covered_day_the_course_is_unknown():
    row = budget(costs(a=[10.0] * 42), 500, sure=covered(42, *range(42)))
    assert (row["answer"], row["days_unknown"]) == ("unknown", 15)
    assert np.isnan(row["pace"])


def test_the_fullest_budgets_come_first():
    found = budget_course(
        costs(a=[1.0] * 42, b=[2.0] * 42), {"a": 10, "b": 10, "c": 10}, covered(), NOVEMBER, until=UNTIL, currency="EUR"
    )
    assert found["tenant"].tolist() == ["b", "a", "c"]
