"""Level shifts: steps with a known day and size, and series that have none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.measures.shifts import level_shifts

FIRST = pd.Timestamp("2026-10-05", tz="UTC")


def shifts(values, **keywords):
    day = pd.date_range(FIRST, periods=len(values), freq="D", unit="us")
    return level_shifts(pd.DataFrame({"day": day, "v": np.asarray(values, dtype=float)}), "v", **keywords)


def test_a_step_is_dated_and_sized():
    row = shifts([40] * 20 + [60] * 22).iloc[0]
    assert row["day"] == FIRST + pd.Timedelta(days=20)
    assert (row["before"], row["after"], row["change"], row["relative"]) == (40, 60, 20, 0.5)
    assert (row["days_before"], row["days_after"]) == (20, 22)


def test_two_steps_are_two():
    found = shifts([40] * 12 + [80] * 10 + [50] * 20)
    assert found["day"].tolist() == [FIRST + pd.Timedelta(days=day) for day in (12, 22)]
    assert found["after"].tolist() == [80, 50]


@pytest.mark.parametrize(
    "values",
    [
        [40] * 42,
        [40] * 30 + [200] + [40] * 11,
        list(range(40, 82)),
        [40] * 20 + [44] * 22,
        [0] * 42,
        [40] * 39 + [90] * 3,
    ],
    ids=["flat", "one odd day", "a slope", "a tenth", "nothing", "too short a level"],
)
def test_what_is_no_lasting_step_is_none(values):
    assert shifts(values).empty


def test_from_nothing_the_change_is_infinite():
    assert shifts([0] * 20 + [30] * 22)["relative"].tolist() == [np.inf]


def test_unknown_days_are_left_out_and_date_the_step_on_the_next_known_one():
    values = [40.0] * 20 + [np.nan, np.nan] + [60.0] * 20
    row = shifts(values).iloc[0]
    assert row["day"] == FIRST + pd.Timedelta(days=22)
    assert (row["days_before"], row["days_after"]) == (20, 20)


def test_too_few_days_and_none_that_is_known():
    assert shifts([1, 1, 1, 9, 9, 9, 9]).empty
    assert shifts([np.nan] * 42).empty
    assert shifts([]).empty
    assert shifts([5]).empty


def test_noise_alone_has_a_shift_in_at_most_a_few_of_a_hundred():
    found = [not shifts(np.random.default_rng(seed).poisson(60, 42)).empty for seed in range(200)]
    assert np.mean(found) <= 0.03


def test_a_step_by_half_is_found_within_a_day_of_its_own():
    close = 0
    for seed in range(50):
        found = shifts(np.random.default_rng(seed).poisson(np.where(np.arange(42) >= 26, 90, 60)))
        close += bool(len(found) and abs((found["day"].iloc[0] - FIRST).days - 26) <= 1)
    assert close >= 47
