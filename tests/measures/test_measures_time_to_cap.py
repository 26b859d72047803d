"""Time to cap: exact ramps, hand-made histories, and the normal distribution of a sum of independent days."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from by_hand import table

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.forecast import MODELS, forecast_sums
from cloudxai_analysis.measures.time_to_cap import (
    arrivals_ahead,
    daily_arrivals,
    one_off_days,
    paths_to_cap,
    time_to_cap,
)

FIRST = pd.Timestamp("2026-10-05", tz="UTC")
DAY = pd.Timedelta(days=1)


def arrivals(*seen, started=0.0, instance="a", last=None):
    """One row for each (day, names or how many): tenants that came at noon of that day, to a process begun on a day."""
    rows = [
        (name, FIRST + (day + 0.5) * DAY)
        for day, many in seen
        for name in (many if isinstance(many, list) else [f"t{day}-{number}" for number in range(many)])
    ]
    frame = table("tenant seen_at", *rows, instance=instance, started_at=FIRST + started * DAY)
    return frame.assign(last_seen=frame["seen_at"].max() if last is None else FIRST + last * DAY)


def daily(seen, days, *uncovered, cap=1_000, instance="a"):
    day = pd.date_range(FIRST, periods=days, freq="D", unit="us")
    covered = pd.DataFrame({"day": day, "covered": [number not in uncovered for number in range(days)]})
    window = Window(FIRST.to_pydatetime(), (FIRST + days * DAY).to_pydatetime())
    fullest = pd.DataFrame({"job": ["cloudxai"], "instance": [instance]})
    return daily_arrivals(seen, covered, window, fullest=fullest, cap=cap)


def ramp(days, pace, start=10):
    """`start` tenants on the first day, whose arrivals say nothing, then `pace` a day."""
    return daily(arrivals((0, start), *((day, pace) for day in range(1, days))), days)


def row_of(by_day, *, cap, held=None, expected=0, refused=()):
    """The one row; held now is, unless told otherwise, what was held at the last day's end."""
    known = by_day["held"].dropna()
    now = held if held is not None else int(known.iloc[-1]) if len(known) else 0
    found = time_to_cap(
        *(by_day, arrivals_ahead(by_day), arrivals(), table("start end", *refused)),
        fullest=pd.DataFrame({"job": ["cloudxai"], "instance": ["a"], "held": [now]}),
        cap=cap,
        expected=expected,
        generated=(),
        end=FIRST + 40 * DAY,
    )
    return found.iloc[0]


NAMES = [f"t{number}" for number in range(8)]
# Arrivals, days, those not covered, cap; then held at each day's end, and arrivals, None where unknown.
HISTORIES = {
    # All tenants of the first day come anew with the process.
    "by hand": (arrivals((0, 4), (2, 1), (3, 2)), 5, (), 100, [4, 4, 5, 7, 7], [None, 0, 1, 2, 0]),
    "an uncovered day and the one after it": (
        *(arrivals((0, 4), (2, 1), (3, 2), (4, 1)), 6, (2,), 100),
        *([4, 4, 5, 7, 8, 8], [None, 0, None, None, 1, 0]),
    ),
    "after a restart labels are counted from nothing": (
        pd.concat([arrivals((0, 4), (1, 1)), arrivals((2, 3), (3, 1), started=2.3)]),
        *(4, (), 100, [4, 5, 3, 4], [None, 1, None, 1]),
    ),
    # One process a day under a new name: each shows all 4, 5, 6, 7 tenants at once, of which one is new to the job.
    "a rollout goes on with the history of the job": (
        pd.concat(
            arrivals((day, NAMES[: 4 + day]), started=day + 0.5, instance=f"pod-{day}", last=day + 1)
            for day in range(4)
        ),
        *(4, (), 100, [4, 5, 6, 7], [None, 1, 1, 1]),
    ),
    "days that begin at the cap are censored": (
        *(arrivals((0, 4), (1, 2)), 4, (), 6),
        *([4, 6, 6, 6], [None, 2, None, None]),
    ),
}


@pytest.mark.parametrize("case", HISTORIES)
def test_arrivals_and_held_tenants_by_day(case):
    seen, days, uncovered, cap, held, came = HISTORIES[case]
    instance = "pod-3" if "pod-3" in set(seen["instance"]) else "a"
    found = daily(seen, days, *uncovered, cap=cap, instance=instance)
    assert found["held"].tolist() == held
    assert [None if np.isnan(one) else one for one in found["arrivals"]] == came


def test_an_even_pace_reaches_the_cap_on_the_day_that_division_says():
    """10 + 2 x 29 = 68 held on the last day, 20 labels left at 2 a day: the tenth day."""
    row, last = row_of(ramp(30, 2), cap=88), FIRST + 29 * DAY
    assert (row["answer"], row["held"], row["days_known"], row["within"]) == ("forecast", 68, 29, 1.0)
    assert [row[end] for end in ("earliest80", "median", "latest80")] == [last + 10 * DAY] * 3
    fan = paths_to_cap(arrivals_ahead(ramp(30, 2)), pd.DataFrame([row]))
    assert fan["median"].iloc[9] == pytest.approx(88, abs=0.1)
    assert fan["day"].iloc[0] == last + DAY
    # 3 held a minute after a rollout, 68 shown by a process before it: 20 labels are left, not 85.
    fresh = row_of(ramp(30, 2), cap=88, held=3, expected=68)
    assert (fresh["held"], fresh["median"]) == (3, last + 10 * DAY)


def test_what_is_reached_out_of_reach_or_not_known_is_said():
    far = row_of(ramp(30, 1), cap=500)
    assert (far["answer"], far["within"], far["horizon_days"]) == ("not within the horizon", 0.0, 90)
    assert pd.isna(far["median"])
    since, end = FIRST + 30 * DAY, FIRST + 40 * DAY
    assert row_of(ramp(30, 2), cap=60, refused=[(since, end)])["since"] == since
    # What was refused over an hour before the end is no answer; 10 + 2 x 25 = 60 at the end of the 26th day.
    full = row_of(ramp(30, 2), cap=60, refused=[(since, since)])
    assert (full["answer"], full["since"]) == ("at the cap", FIRST + 25 * DAY)
    for little in (ramp(1, 2), ramp(20, 2), ramp(30, 2).assign(arrivals=np.nan), ramp(30, 2)[:0]):
        row, forecast = row_of(little, cap=500), arrivals_ahead(little)
        assert row["answer"] == "too little history"
        assert not forecast.known
        assert forecast.back_test.empty
        assert paths_to_cap(forecast, pd.DataFrame([row])).empty


def test_sums_of_independent_days_have_the_spread_of_their_normal_distribution():
    """Sum of m coming days of a mean known from n: variance s² (m + m²/n), and (0.04 s)² Σ k² of the pace's wander."""
    days = np.random.default_rng(9).normal(10, 2, 42)
    found = forecast_sums(days, days=28, paths=4_000)
    widened = found.back_test.loc[found.back_test["chosen"], "widened"].iloc[0]
    assert found.model == "steady"
    low, middle, high = np.quantile(found.paths[-1], [0.1, 0.5, 0.9])
    assert middle == pytest.approx(28 * days.mean(), rel=0.01)
    # The model's simulated days have the level's own uncertainty, too.
    half = 1.2816 * days.std(ddof=1) * np.sqrt(28 + 28**2 / 42 + 0.04**2 * 28 * 29 * 57 / 6)
    assert (high - low) / 2 / widened == pytest.approx(half, rel=0.2)


def test_a_rhythm_of_the_week_is_chosen_where_there_is_one_and_the_back_test_shows_each_model():
    draw = np.random.default_rng(3)
    found = forecast_sums(draw.poisson(np.where(np.arange(42) % 7 >= 5, 0.2, 8.0)).astype(float), days=14, paths=100)
    assert "weekly" in found.model
    assert set(found.back_test["model"]) == set(MODELS)
    assert found.back_test.loc[found.back_test["chosen"], "model"].tolist() == [found.model]
    assert found.back_test["loss"].is_monotonic_increasing
    assert found.back_test["widened"].between(0.5, 3).all()


@pytest.mark.parametrize("days_ago", [1, 2, 5, 20])
def test_a_campaign_moves_the_cap_nearer_by_what_it_brought_and_is_no_pace(days_ago):
    """40 tenants, then half a one a day, and 25 more on one afternoon, leave 14 labels: 28 days."""
    quiet = np.random.default_rng(4).permutation(np.arange(42) % 2)
    campaign = quiet.copy()
    campaign[-days_ago] += 25
    row = row_of(daily(arrivals((0, 40), *enumerate(campaign, 1)), 43), cap=40 + 21 + 25 + 14)
    assert row["one_off"] == 25 + quiet[-days_ago]
    assert row["one_off_day"] == FIRST + (43 - days_ago) * DAY
    assert 20 <= (row["median"] - row["from_day"]) / DAY <= 36
    assert (row["earliest95"] - row["from_day"]) / DAY >= 10


def test_growth_is_no_campaign_and_one_may_take_two_days():
    """Steady, growing, on office days, each Monday many, in batches: of 60 histories at most two seem to hold one."""
    quiet = np.random.default_rng(2).poisson(0.4, 42).astype(float)
    weekend, pace = quiet.copy(), quiet.copy()
    weekend[20:22] += (12, 13)
    assert np.flatnonzero(one_off_days(weekend)).tolist() == [20, 21]
    pace[-3:] += 8  # three days at the end may be a new pace
    assert not one_off_days(pace).any()
    draw, day = np.random.default_rng(7), np.arange(42)
    paces = (np.full(42, 2.0), np.linspace(0.5, 6, 42), np.where(day % 7 > 4, 0.1, 4), np.where(day % 7 == 0, 20, 0.3))
    worlds = [draw.poisson(mean) for mean in paces for _ in range(12)]
    worlds += [draw.poisson(0.15, 42) * 6 for _ in range(12)]
    assert sum(one_off_days(world.astype(float)).any() for world in worlds) <= 2
