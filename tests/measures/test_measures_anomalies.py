"""Sudden costs by hand: five steady weeks at 2 EUR an hour, what is put on top of them, and what is found."""

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures.anomalies import (
    ELSEWHERE,
    MONTH,
    ONCE,
    anomaly_basis,
    cost_anomalies,
    cost_grid,
    expected_costs,
)

WEEK = parse_window("2026-W46")  # 9 to 16 November; the history begins on 12 October
FIRST = pd.Timestamp("2026-10-12", tz="UTC")
HOURS = 5 * 168
MONDAY, SPIKE = 4 * 168, 4 * 168 + 4 * 24 + 10  # of the judged week; Friday 13 November, 10:00
NO_BREAKS = pd.DataFrame(columns=["tenant", "start", "end"])


def at(hour):
    return FIRST + pd.Timedelta(hours=hour)


def covered_since(first):
    return pd.DataFrame({"hour": pd.date_range(at(first), at(HOURS - 1), freq="h", unit="us"), "covered": True})


COVERED = covered_since(0)


def steady(*edits, level=2.0, first=0):
    """`level` an hour from hour `first` on, but for (first hour, hours, EUR an hour)."""
    costs = np.full(HOURS - first, level)
    for begin, length, cost in edits:
        costs[begin - first :][:length] = cost
    return costs


def hours_of(costs, *, tenant="acme", first=0, series=1, currency=""):
    """One row per hour that cost `costs` in the currency, from hour `first` of the history on."""
    costs = np.asarray(costs, dtype="float64")
    frame = pd.DataFrame({"integral": np.nan_to_num(costs) * 3600, "samples": np.where(np.isnan(costs), 0, 60)})
    frame["hour"] = pd.date_range(at(first), periods=len(costs), freq="h", unit="us")
    frame = frame.assign(changes=60, resets=30, series_id=series)  # as a gauge that goes up and down each minute
    return frame.assign(tenant=pd.Categorical([tenant] * len(frame)), currency=pd.Categorical([currency] * len(frame)))


def joined(*frames):
    return pd.concat(frames, ignore_index=True)


def grid_of(hours, covered=COVERED, window=WEEK, breaks=NO_BREAKS, generated=()):
    how = {"semantics": "rate", "currency": "EUR", "breaks": breaks, "generated": generated}
    return cost_grid(hours, window, covered, **how)


def found(hours, covered=COVERED, *, floor=0.5, hour_floor=25.0, **more):
    return cost_anomalies(grid_of(hours, covered, **more), floor=floor, hour_floor=hour_floor)


def rhythm(rng, *, noise=0.03):
    """A tenant with days and weekends, and a noise of a few percent that grows with its cost."""
    hour = np.arange(HOURS)
    day = 1 + rng.uniform(0.1, 0.4) * np.sin(2 * np.pi * (hour % 24 - rng.integers(24)) / 24)
    weekend = np.where(hour // 24 % 7 >= 5, rng.uniform(0.5, 1.0), 1.0)
    return rng.lognormal(0.5, 0.8) * day * weekend * np.exp(rng.normal(0, noise, HOURS))


def test_six_hours_of_three_times_the_cost_by_hand():
    frame = found(hours_of(steady((SPIKE, 6, 6.0)), tenant='<script>"\n=1'))
    # 6 hours, 36 instead of 12. A gauge that never strayed is given 5 %: log(36.1 / 12.1) / log(1.05) x 6 deviations,
    # 5 % of a mean hour being too little to be told from nothing.
    assert frame.drop(columns=["score", "generated"]).values.tolist() == [
        ['<script>"\n=1', "EUR", at(SPIKE), at(SPIKE), at(SPIKE + 6), 6, 0, 36.0, 12.0, 24.0, ""]
    ]
    assert frame["score"].iloc[0] == pytest.approx(np.log(36.1 / 12.1) / np.log(1.05) * 6, rel=1e-3)


@pytest.mark.parametrize(
    ("costs", "more", "expected"),  # since, start, hours and excess of each
    [
        # A single hour is none up to an amount, and two are.
        (steady((SPIKE, 1, 20.0)), {}, []),
        (steady((SPIKE, 1, 20.0)), {"hour_floor": 18.0}, [(SPIKE, SPIKE, 1, 18.0)]),
        (steady((SPIKE, 2, 20.0)), {}, [(SPIKE, SPIKE, 2, 36.0)]),
        (steady((SPIKE, 6, 0.0)), {}, []),
        # The configured amount and five percent are the least.
        (steady((SPIKE, 6, 2.4)), {}, []),
        (steady((SPIKE, 6, 2.4)), {"floor": 0.3}, [(SPIKE, SPIKE, 6, 2.4)]),
        (steady((SPIKE, 6, 104.0), level=100.0), {}, []),
        (steady((SPIKE, 6, 106.0), level=100.0), {}, [(SPIKE, SPIKE, 6, 36.0)]),
        # What came each Friday is expected.
        (steady(*[(week * 168 + 106, 6, 6.0) for week in range(5)]), {}, []),
        # A lasting rise is told to its end against what was expected before it; for a whole week; from before the week.
        (steady((SPIKE, HOURS, 4.0)), {}, [(SPIKE, SPIKE, HOURS - SPIKE, 2.0 * (HOURS - SPIKE))]),
        (steady((MONDAY, 168, 4.4)), {}, [(MONDAY, MONDAY, 168, 2.4 * 168)]),
        (steady((MONDAY - 60, 90, 6.0)), {}, [(MONDAY - 60, MONDAY, 30, 120.0)]),
        # A month and more is judged week by week.
        (
            steady((SPIKE, 6, 6.0)),
            {"window": Window(pd.Timestamp("2026-11-01", tz="UTC").to_pydatetime(), WEEK.end)},
            [(SPIKE, SPIKE, 6, 24.0)],
        ),
    ],
)
def test_what_rises_is_told_from_its_first_hour_to_its_last(costs, more, expected):
    frame = found(hours_of(costs), **more)
    assert frame[["since", "start"]].values.tolist() == [[at(since), at(start)] for since, start, *_ in expected]
    assert frame["hours"].tolist() == [hours for *_, hours, _ in expected]
    assert frame["excess"].tolist() == pytest.approx([excess for *_, excess in expected])


def test_a_gap_within_a_rise_is_unseen_and_not_its_end_and_alone_it_is_none():
    hours = hours_of(steady((SPIKE, 4, 6.0))).drop(index=[SPIKE + 1, SPIKE + 2]).reset_index(drop=True)
    frame = found(hours, COVERED.assign(covered=~COVERED["hour"].isin([at(SPIKE + 1), at(SPIKE + 2)])))
    # Twice 4 EUR too much in the two hours seen.
    assert frame[["start", "hours", "unseen", "excess"]].values.tolist() == [[at(SPIKE), 4, 2, 8.0]]
    costs = rhythm(np.random.default_rng(5))
    costs[SPIKE - 30 : SPIKE - 28] *= 0.2
    assert found(hours_of(costs).drop(index=range(SPIKE, SPIKE + 5)).reset_index(drop=True)).empty


@pytest.mark.parametrize(
    ("days", "answer"),
    [
        # What came twice before is the calendar's, what came once is unknown.
        ([[14, 28]], []),
        ([[14]], [ONCE]),
        ([[11]], [ONCE]),
        ([[]], [""]),
        # Two others had it, each once, in two of the weeks; in one week; on the same day of the month before.
        ([[], [7], [21]], [ELSEWHERE]),
        ([[], [7], [9]], [""]),
        ([[], [31]], [ELSEWHERE]),
        # Who has it each fortnight tells nothing of one who never had it, unless most of the others have it.
        ([[], [14, 28]], [""]),
        ([[], [7, 21], [7, 28], [7, 28], [14, 21]], [ELSEWHERE]),
    ],
)
def test_what_came_before_may_be_a_rhythm(days, answer):
    """Six hours of three times the cost, so many days after the tenant itself, or five others, had them."""
    own, *others = days
    tenants = [
        hours_of(
            steady(*[(SPIKE - 24 * day, 6, 6.0) for day in before], first=-168), tenant=f"t{n}", series=n, first=-168
        )
        for n, before in enumerate([[0, *own], *others, *[[]] * (5 - len(others))])
    ]
    assert found(joined(*tenants), covered_since(-168))["unknown"].tolist() == answer


def test_what_the_month_before_would_tell_is_unknown_where_it_was_not_seen():
    window = parse_window("2026-W44")  # 26 October to 1 November: into the night of 31 October
    for weeks, answer in ((3, MONTH), (5, "")):
        first = (2 - weeks) * 168
        costs = np.full((weeks + 1) * 168, 2.0)
        costs[-26:-20] = 6.0
        frame = found(hours_of(costs, first=first), covered_since(first), window=window)
        assert frame["unknown"].tolist() == [answer]
    # A lasting rise, too, and what adjoins it.
    for rise, hours, answer in (((HOURS - 40, 40, 3.0), 46, MONTH), ((0, 0, 0), 6, "")):
        young = steady((HOURS - 46, 6, 20.0), *([rise] if rise[1] else []), first=168)
        assert found(hours_of(young, first=168))[["hours", "unknown"]].values.tolist() == [[hours, answer]]


def test_an_hour_beside_hours_of_which_too_little_is_known_leads_nothing():
    """Three weeks known from Friday 10:00 on: the hour before it, which may be the one that moved, has two."""
    for first, number in ((SPIKE - 3 * 168, 0), (SPIKE - 3 * 168 - 2, 1)):
        assert len(found(hours_of(steady((SPIKE - 1, 2, 40.0), first=first), first=first))) == number


def test_all_together_are_judged_where_no_single_tenant_explains_it_and_newcomers_are_no_rise():
    """Forty new names of 1 EUR an hour each beside ten tenants of 5: nobody has a history, the total has."""
    tenants = [hours_of(steady(level=5.0), tenant=f"t{number}", series=number) for number in range(10)]
    names, hours = [f"req-{number}" for number in range(40)], HOURS - SPIKE
    fresh = [hours_of(np.ones(hours), tenant=name, first=SPIKE, series=100 + n) for n, name in enumerate(names)]
    assert found(joined(*tenants, *fresh)).empty
    frame = found(joined(*tenants, *fresh), generated=names)
    assert frame[["tenant", "start", "hours", "excess", "generated"]].values.tolist() == [
        ["", at(SPIKE), hours, pytest.approx(40.0 * hours), 40.0 * hours]
    ]
    # A single tenant's rise is told as its own, not once more as that of all.
    dear = hours_of(steady((SPIKE, 6, 100.0), level=5.0), tenant="dear", series=99)
    assert found(joined(*tenants, dear))["tenant"].tolist() == ["dear"]


def test_a_gauge_that_breaks_is_left_out_while_it_is_broken_and_no_longer():
    hours = hours_of(steady((SPIKE - 48, 6, 6.0), (SPIKE, 50, 20.0)))
    broken = pd.DataFrame([("acme", at(SPIKE), at(SPIKE + 50))], columns=["tenant", "start", "end"])
    assert found(hours, breaks=broken)["start"].tolist() == [at(SPIKE - 48)]
    # Two days that only grow are not known to be a break yet, and no cost either; the restart within is no end of it.
    hours.loc[SPIKE : SPIKE + 49, "resets"] = 0
    hours.loc[SPIKE + 20, "resets"] = 1
    assert found(hours)["start"].tolist() == [at(SPIKE - 48)]


def test_the_process_it_ran_on_does_not_matter_and_currencies_are_kept_apart():
    costs = steady((SPIKE, 6, 6.0))
    parts = hours_of(costs[: SPIKE + 3]), hours_of(costs[SPIKE + 3 :], first=SPIKE + 3, series=2)
    assert found(joined(*parts))[["start", "hours", "excess"]].values.tolist() == [[at(SPIKE), 6, 24.0]]
    both = joined(hours_of(steady(), currency="EUR"), hours_of(costs, currency="USD", series=2))
    assert found(both)[["currency", "excess"]].values.tolist() == [["USD", 24.0]]


def test_two_covered_weeks_of_history_are_too_few():
    spike = (SPIKE, 6, 6.0)
    for weeks, judged in ((2, False), (3, True)):
        young = hours_of(steady(spike, first=(4 - weeks) * 168), first=(4 - weeks) * 168)
        assert len(found(young)) == judged
        assert anomaly_basis(grid_of(young)).values.tolist() == [["acme", weeks, judged]]
    # An hour that is not covered is no history; two missing Fridays leave two.
    fridays = COVERED["hour"].dt.floor("D").isin([FIRST + pd.Timedelta(days=4), FIRST + pd.Timedelta(days=11)])
    assert found(hours_of(steady(spike)), COVERED.assign(covered=~fridays)).empty
    assert anomaly_basis(grid_of(hours_of(np.ones(168)))).empty  # gone before the window


def test_tenants_that_were_seen_for_under_a_week_are_unjudged_and_fill_no_memory():
    briefly = [hours_of([1.0], tenant=f"t{number}", first=MONDAY + number, series=number + 2) for number in range(50)]
    grid = grid_of(joined(hours_of(steady((SPIKE, 6, 6.0))), *briefly), generated=("t1", "t2"))
    assert len(grid.cost) == 2  # the one that stays, and all together
    basis = anomaly_basis(grid).set_index("tenant")
    assert basis["judged"].to_dict() == {"acme": True, **{f"t{number}": False for number in range(50)}}
    # Two generated names of 1 EUR make all together dearer, and are told with it.
    told = cost_anomalies(grid, floor=0.5, hour_floor=25.0).set_index("tenant")
    assert told["generated"].to_dict() == {"acme": pytest.approx(np.nan, nan_ok=True), "": 2.0}
    assert grid.generated.loc["EUR"].sum() == 2.0


def test_the_expected_course_is_the_one_the_anomalies_are_judged_by():
    grid = grid_of(hours_of(steady((SPIKE, 6, 6.0))))
    course = expected_costs(grid, tenant="acme", currency="EUR", floor=0.5)
    assert course["hour"].tolist() == [at(hour) for hour in range(MONDAY, HOURS)]
    assert (set(course["expected"]), course["high"].iloc[0]) == ({2.0}, 2.5)
    assert course.loc[course["cost"] > course["high"], "hour"].tolist() == [at(SPIKE + hour) for hour in range(6)]
    # Without the configured amount the band is 5 % of the median hour; all together is a row of its own.
    assert expected_costs(grid, tenant="", currency="EUR", floor=0.0)["high"].iloc[0] == pytest.approx(2.1)
    two = grid_of(joined(hours_of(steady()), hours_of(steady(level=7.0), tenant="beta", series=2)))
    for tenant, level in (("acme", 2.0), ("beta", 7.0), ("", 9.0)):
        assert set(expected_costs(two, tenant=tenant, currency="EUR", floor=0.5)["cost"]) == {level}


@pytest.mark.parametrize("costs", [[], [1.0], [np.nan] * HOURS])
def test_nothing_one_hour_and_nan_give_empty_frames(costs):
    for covered in (COVERED, COVERED.iloc[:0]):
        grid = grid_of(hours_of(costs), covered)
        assert cost_anomalies(grid, floor=0.5, hour_floor=25.0).empty
        assert expected_costs(grid, tenant="acme", currency="EUR", floor=0.5).empty
        assert anomaly_basis(grid).empty
