"""The objective's measures: hand calculation, the Workbook's table, and PromQL's own answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.measures.slo import (
    PAIRS,
    availability_bounds,
    budget_exhaustion,
    burn_rates,
    burn_stretches,
)
from cloudxai_analysis.window import Window, parse_window

WEEK = parse_window("2026-W46")
START = pd.Timestamp("2026-11-09", tz="UTC")
MINUTE = pd.Timedelta(minutes=1)
DAY = pd.Timedelta(days=1)


def samples(days=7, *, down=(), missing=(), start=START):
    """One sample a minute; `down` and `missing` are (first minute, minutes)."""
    many = round(days * 1_440)
    ready, there = np.ones(many), np.ones(many, dtype=bool)
    for first, length in down:
        ready[first : first + length] = 0
    for first, length in missing:
        there[first : first + length] = False
    time = pd.date_range(start, periods=many, freq="min", unit="us")
    return pd.DataFrame({"time": time, "ready": ready})[there].reset_index(drop=True)


def bounds(readiness, window=WEEK):
    return availability_bounds(readiness, window).iloc[0]


def test_without_gaps_the_bounds_are_the_availability():
    row = bounds(samples(down=[(100, 30)]))
    assert row["low"] == row["high"] == pytest.approx(row["availability"]) == pytest.approx(1 - 30 / 10_080)
    assert (row["unknown_minutes"], row["known_share"]) == (0, 1)


def test_a_gap_is_neither_up_nor_down():
    # 10,080 minutes, of which 60 are unknown and 30 not ready.
    row = bounds(samples(down=[(100, 30)], missing=[(500, 60)]))
    assert row["availability"] == pytest.approx(9_990 / 10_020)
    assert row["low"] == pytest.approx(9_990 / 10_080)
    assert row["high"] == pytest.approx(10_050 / 10_080)
    assert row["unknown_minutes"] == pytest.approx(60)


def test_a_window_longer_than_the_data_is_mostly_unknown():
    row = bounds(samples(7), parse_window("2026-11"))
    assert row["known_share"] == pytest.approx(7 / 30)
    assert (row["low"], row["high"], row["availability"]) == (pytest.approx(7 / 30), 1, 1)


def test_no_sample_and_a_single_one_bound_nothing():
    row = bounds(samples()[:0])
    assert np.isnan(row["availability"])
    assert (row["low"], row["high"], row["known_share"]) == (0, 1, 0)
    row = bounds(samples()[:1])
    assert (row["samples"], row["availability"], row["low"], row["high"]) == (1, 1, 0, 1)


def test_a_day_that_is_scraped_more_often_weighs_no_more():
    fast = pd.DataFrame({"time": pd.date_range(START, periods=5_760, freq="15s", unit="us"), "ready": 0.0})
    row = bounds(pd.concat([fast, samples(6, start=START + DAY)]))
    assert (row["low"], row["high"]) == (pytest.approx(6 / 7), pytest.approx(6 / 7))


@given(st.lists(st.booleans(), min_size=60, max_size=300), st.data())
def test_whatever_the_unknown_time_was_the_truth_lies_within_the_bounds(ready, data):
    time = pd.date_range(START, periods=len(ready), freq="min", unit="us")
    whole = pd.DataFrame({"time": time, "ready": np.array(ready, dtype=float)})
    window = Window(START.to_pydatetime(), (START + len(ready) * MINUTE).to_pydatetime())
    # Most neighbours stay, so that the step is known.
    gone = data.draw(st.sets(st.integers(0, len(ready) - 1), max_size=len(ready) // 4))
    seen = availability_bounds(whole.drop(index=list(gone)), window).iloc[0]
    assert seen["low"] - 1e-9 <= np.mean(ready) <= seen["high"] + 1e-9
    assert seen["low"] - 1e-9 <= seen["availability"] <= seen["high"] + 1e-9


def rates(readiness, at):
    return burn_rates(readiness, slo=0.999, at=at).set_index("threshold")


def test_the_pairs_are_those_of_the_workbook():
    # Table 5-8: 2 % of 30 days' budget in 1 h, 5 % in 6 h, 10 % in 3 d; and 10 % in a day.
    found = burn_rates(samples(1), slo=0.999, at=START + DAY)
    assert found["budget_share"].round(6).tolist() == [0.02, 0.05, 0.1, 0.1]
    assert found["short_minutes"].tolist() == [5, 30, 120, 360]
    assert (found["long_hours"] * 60 / found["short_minutes"]).tolist() == [12] * 4


def test_all_errors_burn_a_thousandfold_under_three_nines():
    found = rates(samples(4, down=[(0, 4 * 1_440)]), START + 4 * DAY)
    assert found["burn_long"].to_numpy() == pytest.approx([1_000] * 4)
    assert found["burning"].all()


def test_rates_by_hand():
    # Six of the last 60 minutes: 0.1 / 0.001 = 100 over the hour; none of the last five.
    found = rates(samples(3, down=[(3 * 1_440 - 30, 6)]), START + 3 * DAY)
    assert found.loc[14.4, "burn_long"] == pytest.approx(100)
    assert found.loc[14.4, "burn_short"] == 0
    assert not found.loc[14.4, "burning"]
    assert found.loc[6.0, "burn_long"] == pytest.approx(6 / 360 / 0.001)
    assert found.loc[6.0, "burn_short"] == pytest.approx(6 / 30 / 0.001)
    assert found.loc[6.0, "burning"]
    assert found.loc[1.0, "burn_long"] == pytest.approx(6 / 4_320 / 0.001)


def test_without_a_sample_the_rate_is_unknown():
    found = rates(samples(1, missing=[(1_440 - 10, 10)]), START + DAY)
    assert np.isnan(found.loc[14.4, "burn_short"])
    assert pd.isna(found.loc[14.4, "burning"])
    assert burn_rates(samples()[:0], slo=0.999, at=START)["burning"].isna().all()


def test_stretches_begin_and_end_where_both_windows_cross():
    """Two minutes of errors: the 5-minute window is over 14.4 with one error, the hour with one (16.7).

    So it burns from the first error (minute 600) until the short window has lost the last (601 + 5).
    """
    found = burn_stretches(samples(2, down=[(600, 2)]), WEEK, slo=0.999).set_index("threshold")
    fast = found.loc[14.4]
    assert fast["start"] == START + 600 * MINUTE
    assert fast["end"] == START + 606 * MINUTE
    assert fast["most"] == pytest.approx(2 / 60 / 0.001)
    assert fast["budget_share"] == pytest.approx(2 / 43.2)


def test_a_stretch_that_goes_on_has_no_end_and_a_quiet_week_none():
    found = burn_stretches(samples(7, down=[(10_000, 80)]), WEEK, slo=0.999)
    assert found["end"].isna().all()
    assert set(found["threshold"]) == {14.4, 6.0, 3.0, 1.0}
    assert burn_stretches(samples(7), WEEK, slo=0.999).empty
    assert burn_stretches(samples(7)[:0], WEEK, slo=0.999).empty


def exhaustion(readiness, end):
    return budget_exhaustion(readiness, slo=0.999, end=end).iloc[0]


def thirty(down=(), missing=()):
    return samples(30, down=down, missing=missing)


def test_what_leaves_the_window_is_given_back():
    """40 of 43.2 minutes on the first day, 1 a day in the last week: 47, exhausted. Before the last week, 40 only."""
    row = exhaustion(thirty([(0, 40)]), START + 30 * DAY)
    assert (row["answer"], row["used_minutes"], row["recent_minutes"]) == ("lasts", 40, 0)
    row = exhaustion(thirty([(0, 40), *((day * 1_440, 1) for day in range(23, 30))]), START + 30 * DAY)
    assert (row["answer"], row["used_minutes"]) == ("exhausted", 47)
    # 35 in all and 4 a day: the first coming day takes 7 away and brings 4, and so on.
    row = exhaustion(thirty([(0, 7), *((day * 1_440, 4) for day in range(23, 30))]), START + 30 * DAY)
    assert (row["answer"], row["used_minutes"], row["recent_minutes"]) == ("will be exhausted", 35, 4)
    # Day 1: 35 - 7 + 4 = 32, then 4 more each day: 36, 40, 44 > 43.2 on the fourth.
    assert row["at"] == START + 34 * DAY


def test_the_share_left_and_the_days_it_stands_on():
    row = exhaustion(thirty([(29 * 1_440, 10)], [(28 * 1_440, 1_440)]), START + 30 * DAY)
    assert row["remaining_share"] == pytest.approx(1 - 10 / 43.2)
    assert (row["recent_days"], row["recent_minutes"]) == (6, pytest.approx(10 / 6))
    assert exhaustion(thirty()[:0], START + 30 * DAY)["answer"] == "unknown"


def test_every_pair_has_a_short_window_of_a_twelfth():
    assert all(long / short == 12 for _, long, short in PAIRS)
