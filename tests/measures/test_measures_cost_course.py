"""The month's course, by hand: October ends on the 31st, 42 days from 5 October end with 15 November."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures.cost_course import budget_course, month_course, month_projection

NOVEMBER, OCTOBER = parse_window("2026-11"), parse_window("2026-10")
UNTIL = pd.Timestamp("2026-11-16", tz="UTC")
DAYS = pd.date_range("2026-10-05", periods=42, freq="D", tz="UTC", unit="us")


def costs(currency="EUR", **by_tenant):
    """Daily costs of each tenant, from 5 October on: one amount for all days, or one a day."""
    frames = [pd.DataFrame({"day": DAYS, "cost": amount, "tenant": tenant}) for tenant, amount in by_tenant.items()]
    return pd.concat(frames, ignore_index=True).assign(currency=currency)


def covered(*missing, days=42):
    return pd.DataFrame({"day": DAYS[:days], "covered": [number not in missing for number in range(days)]})


def projection(daily, sure=None, month=NOVEMBER, until=UNTIL):
    return month_projection(daily, covered() if sure is None else sure, month, until=until).iloc[0].to_dict()


ENDS = ("low95", "low80", "median", "high80", "high95")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # 15 days of November at 10 are spent, 15 are left: 300 at the end.
        (
            lambda: projection(costs(a=4.0, b=6.0)),
            {"spent": 150, "days_left": 15, "days_unknown": 0, "days_known": 42, **dict.fromkeys(ENDS, 300)},
        ),
        # A month that is over is what was spent; the telemetry begins on the 5th: four days of October are unknown.
        (
            lambda: projection(costs(a=2.0), month=OCTOBER),
            {"spent": 54, "days_left": 0, "days_unknown": 4, **dict.fromkeys(ENDS, 54)},
        ),
        # Uncovered days are counted, and what was seen of them is spent; they teach nothing.
        (
            lambda: projection(costs(a=np.where(np.arange(42) == 30, 1.0, 10.0)), covered(30)),
            {"spent": 141, "days_unknown": 1, "days_known": 41, "median": 291},
        ),
        # Too short a history projects nothing.
        (
            lambda: projection(costs(a=1.0), covered(*range(25))),
            {"spent": 15, "days_known": 17, "model": "", "median": np.nan},
        ),
    ],
)
def test_a_month_is_projected(found: Any, expected: dict[str, Any]) -> None:
    row = found()
    assert {name: row[name] for name in expected} == pytest.approx(expected, nan_ok=True)


def test_the_interval_has_the_spread_of_a_sum_of_days() -> None:
    # s² (m + m²/n) of 15 days ahead and 42 known ones, with the pace's wander; stretched from a half to three times.
    daily = np.random.default_rng(11).normal(100, 10, 42)
    row = projection(costs(a=daily))
    half = 1.2816 * daily.std(ddof=1) * np.sqrt(15 + 15**2 / 42 + 0.04**2 * 15 * 16 * 31 / 6)
    assert half * 0.4 < (row["high80"] - row["low80"]) / 2 < half * 3.3
    assert row["median"] == pytest.approx(daily[-15:].sum() + 15 * daily.mean(), rel=0.02)


def test_currencies_are_apart_and_nothing_is_no_row() -> None:
    both = pd.concat([costs(a=1.0), costs("USD", a=2.0)])
    found = month_projection(both, covered(), NOVEMBER, until=UNTIL)
    assert found[["currency", "spent"]].to_numpy().tolist() == [["EUR", 15.0], ["USD", 30.0]]
    assert month_projection(both[:0], covered(), NOVEMBER, until=UNTIL).empty
    assert month_course(both[:0], covered(), NOVEMBER, currency="EUR").empty


def test_the_course_adds_up_from_the_months_start() -> None:
    found = month_course(costs(a=2.0), covered(27), NOVEMBER, currency="EUR")
    assert found["day"].iloc[0] == pd.Timestamp("2026-11-01", tz="UTC")
    assert found["spent"].tolist() == [2.0 * n for n in range(1, 16)]
    assert found["covered"].tolist() == [False] + [True] * 14


@pytest.mark.parametrize(
    ("daily", "amount", "more", "expected"),
    [
        # 150 spent by the 15th at 10 a day: 200 is reached on the 20th, by the forecast as by the pace alone.
        (
            {"a": 10.0},
            200,
            {},
            {"answer": "will be spent", "spent": 150, "spent_share": 0.75, "pace": 10, "spent_on": 20, "median": 300},
        ),
        ({"a": 10.0}, 200, {"forecast_most": 0}, {"answer": "will be spent", "spent_on": 20, "median": np.nan}),
        ({"a": 10.0}, 95, {}, {"answer": "spent", "spent_on": 10}),
        ({"a": 10.0}, 301, {}, {"answer": "will last"}),
        # A tenant that was not seen has spent nothing; without a covered day nothing is known.
        ({"b": 10.0}, 5, {}, {"answer": "will last", "spent": 0, "pace": 0}),
        ({"a": 10.0}, 500, {"missing": range(42)}, {"answer": "unknown", "days_unknown": 15, "pace": np.nan}),
    ],
)
def test_a_budget_lasts_or_not(daily: Any, amount: float, more: dict[str, Any], expected: dict[str, Any]) -> None:
    sure = covered(*more.pop("missing", ()))
    found = budget_course(costs(**daily), {"a": amount}, sure, NOVEMBER, until=UNTIL, currency="EUR", **more)
    row = found.assign(spent_on=found["spent_on"].dt.day).iloc[0].to_dict()
    assert {name: row[name] for name in expected} == pytest.approx(expected, nan_ok=True)


def test_the_fullest_budgets_come_first() -> None:
    budgets = {"a": 10.0, "b": 10.0, "c": 10.0}
    found = budget_course(costs(a=1.0, b=2.0), budgets, covered(), NOVEMBER, until=UNTIL, currency="EUR")
    assert found["tenant"].tolist() == ["b", "a", "c"]
