"""Time to cap: exact ramps, hand-made histories, and the normal distribution of a sum of independent days."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.forecast import MODELS, forecast_sums
from cloudxai_analysis.measures.time_to_cap import daily_arrivals as daily_of
from cloudxai_analysis.measures.time_to_cap import one_off_days, paths_to_cap
from cloudxai_analysis.measures.time_to_cap import time_to_cap as to_cap

TIME = "datetime64[us, UTC]"
FIRST = pd.Timestamp("2026-10-05", tz="UTC")
DAY = pd.Timedelta(days=1)


def arrivals(*seen, started="2026-10-05 00:00", instance="a:1"):
    """One row for each (day, number): so many tenants that came at noon of that day of the month."""
    names = [f"t{day}-{number}" for day, many in seen for number in range(many)]
    times = [FIRST + pd.Timedelta(days=day, hours=12) for day, many in seen for _ in range(many)]
    frame = pd.DataFrame({"tenant": names, "seen_at": pd.Series(times, dtype=TIME)})
    frame = frame.assign(job="cloudxai", instance=instance, started_at=pd.Timestamp(started, tz="UTC"))
    return frame.assign(last_seen=frame["seen_at"].max())


def daily_arrivals(seen, days, span, *, cap, instance="a:1", **how):
    return daily_of(seen, days, span, cap=cap, instance=instance, **how)


def time_to_cap(daily, *, cap, held=None, **how):
    """Held now, unless told otherwise: what was held at the last day's end."""
    known = daily["held"].dropna()
    now = int(known.iloc[-1]) if len(known) else 0
    return to_cap(daily, cap=cap, held=now if held is None else held, **how)


def window(days):
    return Window(FIRST.to_pydatetime(), (FIRST + days * DAY).to_pydatetime())


def covered(days, *missing):
    day = pd.date_range(FIRST, periods=days, freq="D", unit="us")
    return pd.DataFrame({"day": day, "covered": [number not in missing for number in range(days)]})


def ramp(days, pace, *, start=10):
    """`start` tenants on the first day, whose arrivals say nothing, then `pace` a day."""
    seen = arrivals((0, start), *((day, pace) for day in range(1, days)))
    return daily_arrivals(seen, covered(days), window(days), cap=1_000)


def test_arrivals_and_held_tenants_by_day_are_counted_by_hand():
    found = daily_arrivals(arrivals((0, 4), (2, 1), (3, 2)), covered(5), window(5), cap=100)
    assert found["held"].tolist() == [4, 4, 5, 7, 7]
    # All tenants of the first day come anew with the process.
    assert np.isnan(found["arrivals"][0])
    assert found["arrivals"][1:].tolist() == [0, 1, 2, 0]


def test_an_uncovered_day_and_the_one_after_it_are_unknown():
    found = daily_arrivals(arrivals((0, 4), (2, 1), (3, 2), (4, 1)), covered(6, 2), window(6), cap=100)
    assert found["arrivals"].isna().tolist() == [True, False, True, True, False, False]


def test_after_a_restart_labels_are_counted_from_nothing_and_its_day_is_unknown():
    before = arrivals((0, 4), (1, 1))
    after = arrivals((2, 3), (3, 1), started="2026-10-07 08:00")
    found = daily_arrivals(pd.concat([before, after]), covered(4), window(4), cap=100)
    assert found["held"].tolist() == [4, 5, 3, 4]
    assert found["arrivals"].isna().tolist() == [True, False, True, False]


def test_a_rollout_goes_on_with_the_history_of_the_job_and_returning_tenants_are_no_growth():
    """One process a day under a new name: each shows all 4, 5, 6, 7 tenants at once, of which one is new to the job."""
    names = [f"t{number}" for number in range(8)]
    rows = [
        (f"pod-{day}", names[number], FIRST + pd.Timedelta(days=day, hours=12))
        for day in range(4)
        for number in range(4 + day)
    ]
    frame = pd.DataFrame(rows, columns=["instance", "tenant", "seen_at"]).astype({"seen_at": TIME})
    frame = frame.assign(job="cloudxai", started_at=frame["seen_at"], last_seen=frame["seen_at"] + 0.5 * DAY)
    found = daily_arrivals(frame, covered(4), window(4), cap=100, instance="pod-3")
    assert found["held"].tolist() == [4, 5, 6, 7]
    assert np.isnan(found["arrivals"][0])
    assert found["arrivals"][1:].tolist() == [1, 1, 1]


def test_what_comes_back_to_a_fresh_process_is_no_room():
    """3 held a minute after a rollout, 68 shown by a process before it: 20 labels left at 2 a day, not 85."""
    row = time_to_cap(ramp(30, 2), cap=88, held=3, expected=68)[0].iloc[0]
    assert (row["held"], row["median"]) == (3, FIRST + 39 * DAY)


def test_days_that_begin_at_the_cap_are_censored():
    found = daily_arrivals(arrivals((0, 4), (1, 2)), covered(4), window(4), cap=6)
    assert found["arrivals"].isna().tolist() == [True, False, True, True]


def test_an_even_pace_reaches_the_cap_on_the_day_that_division_says():
    # 10 + 2 x 29 = 68 held on the last day, 20 labels left at 2 a day: the tenth day.
    found, forecast = time_to_cap(ramp(30, 2), cap=88)
    row = found.iloc[0]
    assert (row["answer"], row["held"], row["days_known"]) == ("forecast", 68, 29)
    last = FIRST + 29 * DAY
    assert [row[end] for end in ("earliest80", "median", "latest80")] == [last + 10 * DAY] * 3
    assert row["within"] == 1.0
    fan = paths_to_cap(forecast, held=68, last=last)
    assert fan["median"].iloc[9] == pytest.approx(88, abs=0.1)
    assert fan["day"].iloc[0] == last + DAY


def test_a_cap_out_of_reach_is_not_within_the_horizon():
    row = time_to_cap(ramp(30, 1), cap=500, horizon_days=60)[0].iloc[0]
    assert (row["answer"], row["within"], row["horizon_days"]) == ("not within the horizon", 0.0, 60)
    assert pd.isna(row["median"])


def test_one_day_none_and_all_unknown_days_are_too_little_history():
    for daily in (ramp(1, 2), ramp(20, 2), ramp(30, 2).assign(arrivals=np.nan), ramp(30, 2)[:0]):
        found, forecast = time_to_cap(daily, cap=500)
        assert found["answer"].tolist() == ["too little history"]
        assert not forecast.known
        assert paths_to_cap(forecast, held=0, last=FIRST).empty
        assert forecast.back_test.empty


def test_what_is_reached_is_said_and_since_when():
    refusing = pd.Timestamp("2026-11-01 09:00", tz="UTC")
    assert time_to_cap(ramp(30, 2), cap=60, refusing_since=refusing)[0].iloc[0]["since"] == refusing
    row = time_to_cap(ramp(30, 2), cap=60)[0].iloc[0]
    # 10 + 2 x 25 = 60 at the end of the 26th day.
    assert (row["answer"], row["since"]) == ("at the cap", FIRST + 25 * DAY)


def test_sums_of_independent_days_have_the_spread_of_their_normal_distribution():
    """Sum of m coming days of a mean known from n: variance s² (m + m²/n), and (0.04 s)² Σ k² of the pace's wander."""
    daily = np.random.default_rng(9).normal(10, 2, 42)
    found = forecast_sums(daily, days=28, paths=4_000)
    widened = found.back_test.loc[found.back_test["chosen"], "widened"].iloc[0]
    assert found.model == "steady"
    low, middle, high = np.quantile(found.paths[-1], [0.1, 0.5, 0.9])
    assert middle == pytest.approx(28 * daily.mean(), rel=0.01)
    # The model's simulated days have the level's own uncertainty, too.
    half = 1.2816 * daily.std(ddof=1) * np.sqrt(28 + 28**2 / 42 + 0.04**2 * 28 * 29 * 57 / 6)
    assert (high - low) / 2 / widened == pytest.approx(half, rel=0.2)


def test_a_rhythm_of_the_week_is_chosen_where_there_is_one():
    draw = np.random.default_rng(3)
    daily = draw.poisson(np.where(np.arange(42) % 7 >= 5, 0.2, 8.0)).astype(float)
    assert "weekly" in forecast_sums(daily, days=14, paths=100).model


def test_the_back_test_shows_each_model_and_which_was_taken():
    found = forecast_sums(np.random.default_rng(5).poisson(3, 42).astype(float), days=7, paths=100)
    assert set(found.back_test["model"]) == set(MODELS)
    assert found.back_test["chosen"].sum() == 1
    assert found.back_test["loss"].is_monotonic_increasing
    assert found.back_test.loc[found.back_test["chosen"], "model"].item() == found.model
    assert found.back_test["widened"].between(0.5, 3).all()


def pace(daily, *, cap, start=40):
    """Time to cap of a process that held `start` tenants, then got so many a day: its one row."""
    many = [*daily.astype(int)]
    seen = arrivals((0, start), *((day, number) for day, number in enumerate(many, 1)))
    days = len(many) + 1
    return time_to_cap(daily_arrivals(seen, covered(days), window(days), cap=1_000), cap=cap)[0].iloc[0]


def days_to(row, end="median"):
    return (row[end] - row["from_day"]) / DAY if pd.notna(row[end]) else np.inf


@pytest.mark.parametrize("days_ago", [1, 2, 5, 20])
def test_a_campaign_moves_the_cap_nearer_by_what_it_brought_and_is_no_pace(days_ago):
    """0.5 tenants a day, and 25 more on one afternoon, leave 14 labels: 28 days."""
    quiet = np.random.default_rng(4).permutation(np.arange(42) % 2).astype(float)
    campaign = quiet.copy()
    campaign[-days_ago] += 25
    found = pace(campaign, cap=40 + 21 + 25 + 14)
    assert found["one_off"] == 25 + quiet[-days_ago]
    assert found["one_off_day"] == FIRST + (43 - days_ago) * DAY
    assert 20 <= days_to(found) <= 36
    assert days_to(found, "earliest95") >= 10


def test_a_campaign_of_two_days_is_one_and_three_days_at_the_end_may_be_a_new_pace():
    quiet = np.random.default_rng(2).poisson(0.4, 42).astype(float)
    weekend = quiet.copy()
    weekend[20:22] += (12, 13)
    assert np.flatnonzero(one_off_days(weekend)).tolist() == [20, 21]
    quiet[-3:] += 8
    assert not one_off_days(quiet).any()


def test_growth_is_no_campaign():
    """Steady, growing, on office days, each Monday many, in batches: of 60 histories at most two seem to hold one."""
    draw, day = np.random.default_rng(7), np.arange(42)
    paces = (np.full(42, 2.0), np.linspace(0.5, 6, 42), np.where(day % 7 > 4, 0.1, 4), np.where(day % 7 == 0, 20, 0.3))
    worlds = [
        *(draw.poisson(mean) for mean in paces for _ in range(12)),
        *(draw.poisson(0.15, 42) * 6 for _ in range(12)),
    ]
    assert sum(one_off_days(world.astype(float)).any() for world in worlds) <= 2
