"""The objective's measures: hand calculation, the Workbook's table, and PromQL's own answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures.readiness import PAIRS, burn_rates, burn_stretches

WEEK = parse_window("2026-W46")
START = pd.Timestamp("2026-11-09", tz="UTC")
MINUTE = pd.Timedelta(minutes=1)
DAY = pd.Timedelta(days=1)


def course(days=7, *, down=(), missing=(), start=START):
    """When the platform was ready; `down` and `missing` are (first minute, minutes)."""
    state = np.ones(round(days * 1_440))
    for value, stretches in ((0, down), (-1, missing)):
        for first, length in stretches:
            state[first : first + length] = value
    edges = np.append(np.flatnonzero(np.diff(state, prepend=9)), len(state))
    frame = pd.DataFrame({"ready": state[edges[:-1]]})
    for name, minutes in (("start", edges[:-1]), ("end", edges[1:])):
        frame[name] = (start + pd.to_timedelta(minutes, unit="min")).astype("datetime64[us, UTC]")
    return frame[frame["ready"] >= 0].reset_index(drop=True)


def rates(readiness, at):
    return burn_rates(readiness, slo=0.999, at=at).set_index("threshold")


def test_all_errors_burn_a_thousandfold_under_three_nines():
    found = rates(course(4, down=[(0, 4 * 1_440)]), START + 4 * DAY)
    assert found["burn_long"].to_numpy() == pytest.approx([1_000] * 4)
    assert found["burning"].all()


def test_rates_by_hand():
    # Six of the last 60 minutes: 0.1 / 0.001 = 100 over the hour; none of the last five.
    found = rates(course(3, down=[(3 * 1_440 - 30, 6)]), START + 3 * DAY)
    assert found.loc[14.4, "burn_long"] == pytest.approx(100)
    assert found.loc[14.4, "burn_short"] == 0
    assert not found.loc[14.4, "burning"]
    assert found.loc[6.0, "burn_long"] == pytest.approx(6 / 360 / 0.001)
    assert found.loc[6.0, "burn_short"] == pytest.approx(6 / 30 / 0.001)
    assert found.loc[6.0, "burning"]
    assert found.loc[1.0, "burn_long"] == pytest.approx(6 / 4_320 / 0.001)


def test_what_nobody_saw_is_no_rate_and_the_time_seen_counts():
    found = rates(course(1, missing=[(1_440 - 10, 10)]), START + DAY)
    assert np.isnan(found.loc[14.4, "burn_short"])
    assert pd.isna(found.loc[14.4, "burning"])
    assert burn_rates(course()[:0], slo=0.999, at=START)["burning"].isna().all()
    # Six of 30 minutes seen of the last hour.
    half = rates(course(1, down=[(1_440 - 20, 6)], missing=[(1_440 - 60, 30)]), START + DAY)
    assert half.loc[14.4, "burn_long"] == pytest.approx(6 / 30 / 0.001)


@pytest.mark.parametrize(("minutes", "burning"), [(1, False), (2, True)])
def test_a_single_failed_scrape_burns_nothing(minutes, burning):
    """One minute of an hour is 16.7 times what is allowed, and is told as such; but one scrape may fail."""
    frame = course(3, down=[(3 * 1_440 - minutes, minutes)])
    found = rates(frame, START + 3 * DAY)
    assert found.loc[14.4, "burn_long"] == pytest.approx(minutes / 60 / 0.001)
    assert found.loc[14.4, "burning"] == burning
    assert burn_stretches(frame, WEEK, slo=0.999).empty != burning


def test_stretches_begin_and_end_where_both_windows_cross():
    """Two minutes of errors, 600 and 601: told once both are seen, at 602, until the short window has lost the last.

    At 606 it still holds the minute before 602; at 607 none.
    """
    found = burn_stretches(course(2, down=[(600, 2)]), WEEK, slo=0.999).set_index("threshold")
    fast = found.loc[14.4]
    assert fast["start"] == START + 602 * MINUTE
    assert fast["end"] == START + 607 * MINUTE
    assert fast["most"] == pytest.approx(2 / 60 / 0.001)
    assert fast["budget_share"] == pytest.approx(2 / 43.2)


def test_a_stretch_that_goes_on_has_no_end_and_a_quiet_week_none():
    found = burn_stretches(course(7, down=[(10_000, 80)]), WEEK, slo=0.999)
    assert found["end"].isna().all()
    assert set(found["threshold"]) == {14.4, 6.0, 3.0, 1.0}
    assert burn_stretches(course(7), WEEK, slo=0.999).empty
    assert burn_stretches(course(7)[:0], WEEK, slo=0.999).empty


def test_the_pairs_are_those_of_the_workbook():
    """Table 5-8: 2 % of 30 days' budget in 1 h, 5 % in 6 h, 10 % in 3 d; and 10 % in a day; a twelfth is short."""
    assert [round(rate * (long / (30 * DAY)), 6) for rate, long, _ in PAIRS] == [0.02, 0.05, 0.1, 0.1]
    assert all(long / short == 12 for _, long, short in PAIRS)
