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
    expected_costs,
)

WEEK = parse_window("2026-W46")  # 9 to 16 November; the history begins on 12 October
FIRST = pd.Timestamp("2026-10-12", tz="UTC")
HOURS = 5 * 168
SPIKE = 4 * 168 + 4 * 24 + 10  # Friday 13 November, 10:00
ANOMALIES = [
    "tenant",
    "currency",
    "since",
    "start",
    "end",
    "hours",
    "unseen",
    "cost",
    "expected",
    "excess",
    "score",
    "generated",
    "unknown",
]
COURSE = ["hour", "cost", "expected", "low", "high"]
COVERED = pd.DataFrame({"hour": pd.date_range(FIRST, periods=HOURS, freq="h", unit="us"), "covered": True})


def hours_of(costs, *, tenant="acme", first=0, series=1, currency=""):
    """One row per hour that cost `costs` in the currency, from hour `first` of the history on."""
    costs = np.asarray(costs, dtype="float64")
    frame = pd.DataFrame({"integral": np.nan_to_num(costs) * 3600})
    frame["hour"] = pd.date_range(FIRST + pd.Timedelta(hours=first), periods=len(costs), freq="h", unit="us")
    frame["samples"] = np.where(np.isnan(costs), 0, 60)
    frame["changes"], frame["resets"] = 60, 30  # as a gauge that goes up and down each minute
    frame["series_id"] = series
    frame["tenant"] = pd.Categorical([tenant] * len(frame))
    frame["currency"] = pd.Categorical([currency] * len(frame))
    return frame


def joined(*frames):
    return pd.concat(frames, ignore_index=True)


def steady(level=2.0, hours=HOURS):
    return np.full(hours, level)


def rhythm(rng, *, noise=0.03, hours=HOURS):
    """A tenant with days and weekends, and a noise of a few percent that grows with its cost."""
    hour = np.arange(hours)
    day = 1 + rng.uniform(0.1, 0.4) * np.sin(2 * np.pi * (hour % 24 - rng.integers(24)) / 24)
    weekend = np.where(hour // 24 % 7 >= 5, rng.uniform(0.5, 1.0), 1.0)
    return rng.lognormal(0.5, 0.8) * day * weekend * np.exp(rng.normal(0, noise, hours))


def found(hours, covered=COVERED, *, window=WEEK, floor=0.5, hour_floor=25.0, **more):
    return cost_anomalies(hours, window, covered, floor=floor, hour_floor=hour_floor, **more)


def at(hour):
    return FIRST + pd.Timedelta(hours=hour)


def test_six_hours_of_three_times_the_cost_by_hand():
    costs = steady(2.0)
    costs[SPIKE : SPIKE + 6] = 6.0
    frame = found(hours_of(costs))
    assert list(frame) == ANOMALIES
    # 6 hours, 36 instead of 12. A gauge that never strayed is given 5 %: log(36.1 / 12.1) / log(1.05) x 6 deviations,
    # 5 % of a mean hour being too little to be told from nothing.
    assert frame.drop(columns=["score", "generated"]).values.tolist() == [
        ["acme", "", at(SPIKE), at(SPIKE), at(SPIKE + 6), 6, 0, 36.0, 12.0, 24.0, ""]
    ]
    assert frame["score"].iloc[0] == pytest.approx(np.log(36.1 / 12.1) / np.log(1.05) * 6, rel=1e-3)


def test_a_single_hour_is_none_up_to_an_amount_and_two_are():
    costs = steady()
    costs[SPIKE] = 20.0
    assert found(hours_of(costs)).empty
    assert found(hours_of(costs), hour_floor=18.0)[["hours", "excess"]].values.tolist() == [[1, 18.0]]
    costs[SPIKE + 1] = 20.0
    assert found(hours_of(costs))["hours"].tolist() == [2]


def test_an_hour_that_cost_less_is_none():
    costs = steady()
    costs[SPIKE : SPIKE + 6] = 0.0
    assert found(hours_of(costs)).empty


def test_the_configured_amount_and_five_percent_are_the_least():
    costs = steady(2.0)
    costs[SPIKE : SPIKE + 6] = 2.4
    assert found(hours_of(costs)).empty
    assert len(found(hours_of(costs), floor=0.3)) == 1
    dear = steady(100.0)
    dear[SPIKE : SPIKE + 6] = 104.0
    assert found(hours_of(dear)).empty
    dear[SPIKE : SPIKE + 6] = 106.0
    assert found(hours_of(dear))["excess"].tolist() == [pytest.approx(36.0)]


def test_a_cost_that_varies_that_much_each_week_is_none():
    # The same hours cost three times as much each Friday: the hour of the week lets expect it.
    costs = steady()
    for week in range(5):
        costs[week * 168 + 106 : week * 168 + 112] = 6.0
    assert found(hours_of(costs)).empty


def test_a_lasting_rise_is_told_to_its_end_against_what_was_expected_before_it():
    costs = steady()
    costs[SPIKE:] = 4.0
    hours = HOURS - SPIKE
    assert found(hours_of(costs))[["start", "hours", "excess"]].values.tolist() == [[at(SPIKE), hours, 2.0 * hours]]
    costs = steady()
    costs[4 * 168 :] = 4.4  # x2.2 for the whole week
    whole = found(hours_of(costs))[["start", "hours", "excess"]].values.tolist()
    assert whole == [[at(4 * 168), 168, pytest.approx(2.4 * 168)]]


def test_a_rise_that_began_in_the_week_before_says_since_when_and_counts_from_the_window_on():
    costs = steady()
    costs[4 * 168 - 60 : 4 * 168 + 30] = 6.0
    frame = found(hours_of(costs))
    assert frame[["since", "start", "end", "excess"]].values.tolist() == [
        [at(4 * 168 - 60), at(4 * 168), at(4 * 168 + 30), 120.0]
    ]


def test_a_gap_within_a_rise_is_unseen_and_not_its_end():
    costs = steady()
    costs[SPIKE : SPIKE + 4] = 6.0
    hours = hours_of(costs).drop(index=[SPIKE + 1, SPIKE + 2]).reset_index(drop=True)
    frame = found(hours, COVERED.assign(covered=~COVERED["hour"].isin([at(SPIKE + 1), at(SPIKE + 2)])))
    # Twice 4 EUR too much in the two hours seen.
    assert frame[["start", "hours", "unseen", "excess"]].values.tolist() == [[at(SPIKE), 4, 2, 8.0]]


def test_what_came_twice_before_is_the_calendars_and_what_came_once_is_unknown():
    for days, answer in (((14, 28), []), ((14,), [ONCE]), ((11,), [ONCE]), ((), [""])):
        costs = steady(hours=6 * 168)
        for before in (0, *days):
            costs[SPIKE + 168 - 24 * before :][:6] = 6.0
        frame = found(hours_of(costs, first=-168), covered_since(-168))
        assert frame["unknown"].tolist() == answer, days


def test_the_turn_of_a_month_is_unknown_where_the_one_before_was_not_seen():
    window = parse_window("2026-W44")  # 26 October to 1 November
    costs = steady(hours=4 * 168)
    costs[-26:-20] = 6.0  # into the night of 31 October
    three = hours_of(costs, first=-168)
    assert found(three, covered_since(-168), window=window)["unknown"].tolist() == [MONTH]
    costs = steady(hours=6 * 168)
    costs[-26:-20] = 6.0
    five = hours_of(costs, first=-3 * 168)
    assert found(five, covered_since(-3 * 168), window=window)["unknown"].tolist() == [""]


def covered_since(first):
    hours = pd.date_range(at(first), at(HOURS - 1), freq="h", unit="us")
    return pd.DataFrame({"hour": hours, "covered": True})


@pytest.mark.parametrize(
    ("others", "answer"),
    [
        ([[7], [21]], ELSEWHERE),  # two others had it, each once, in two of the weeks
        ([[7], [9]], ""),  # in one week
        ([[14, 28]], ""),  # who has it each fortnight tells nothing of one who never had it
        ([[7, 21], [7, 28], [7, 28], [14, 21]], ELSEWHERE),  # unless most of the six others have it
        ([[31]], ELSEWHERE),  # on the same day of the month before
    ],
)
def test_what_others_had_just_once_before_may_be_usual(others: list[list[int]], answer: str) -> None:
    """Six hours of three times the cost, so many days after other tenants had them."""
    tenants = []
    for number, days in enumerate([[0], *others, *[[]] * (5 - len(others))]):
        costs = steady(hours=6 * 168)
        for before in days:
            costs[SPIKE + 168 - 24 * before :][:6] = 6.0
        tenants.append(hours_of(costs, tenant=f"t{number}", series=number, first=-168))
    frame = found(joined(*tenants), covered_since(-168))
    assert frame[["tenant", "unknown"]].values.tolist() == [["t0", answer]]


def test_a_lasting_rise_is_unknown_where_the_month_before_was_not_seen_and_one_that_adjoins_it_too():
    costs = steady(hours=4 * 168)
    costs[-40:] = 3.0
    costs[-46:-40] = 20.0
    young = hours_of(costs, first=168)
    assert found(young)[["hours", "unknown"]].values.tolist() == [[46, MONTH]]
    costs[-40:] = 2.0
    assert found(hours_of(costs, first=168))[["hours", "unknown"]].values.tolist() == [[6, ""]]


def test_an_hour_beside_hours_of_which_too_little_is_known_leads_nothing():
    """Three weeks known from Friday 10:00 on: the hour before it, which may be the one that moved, has two."""
    costs = steady()
    costs[SPIKE - 1 : SPIKE + 1] = 40.0
    assert found(hours_of(costs[SPIKE - 3 * 168 :], first=SPIKE - 3 * 168)).empty
    assert len(found(hours_of(costs[SPIKE - 3 * 168 - 2 :], first=SPIKE - 3 * 168 - 2))) == 1


def test_what_newcomers_cost_is_no_rise_of_all_together():
    tenants = [hours_of(steady(5.0), tenant=f"t{number}", series=number) for number in range(10)]
    fresh = [hours_of(steady(1.0, HOURS - SPIKE), tenant=f"n{n}", first=SPIKE, series=100 + n) for n in range(40)]
    assert found(joined(*tenants, *fresh)).empty


def test_all_together_are_judged_where_no_single_tenant_explains_it():
    """Forty new names of 1 EUR an hour each beside ten tenants of 5: nobody has a history, the total has."""
    tenants = [hours_of(steady(5.0), tenant=f"t{number}", series=number) for number in range(10)]
    fresh = [
        hours_of(np.ones(HOURS - SPIKE), tenant=f"req-{n}", first=SPIKE, series=100 + n, currency="") for n in range(40)
    ]
    frame = found(joined(*tenants, *fresh), generated=[f"req-{n}" for n in range(40)])
    hours = HOURS - SPIKE
    assert frame[["tenant", "start", "hours", "excess", "generated"]].values.tolist() == [
        ["", at(SPIKE), hours, pytest.approx(40.0 * hours), 40.0 * hours]
    ]
    # A single tenant's rise is told as its own, not once more as that of all.
    costs = steady(5.0)
    costs[SPIKE : SPIKE + 6] = 100.0
    assert found(joined(*tenants, hours_of(costs, tenant="dear", series=99)))["tenant"].tolist() == ["dear"]


def test_a_gauge_that_breaks_is_left_out_while_it_is_broken_and_no_longer():
    costs = steady()
    costs[SPIKE - 48 : SPIKE - 42] = 6.0
    costs[SPIKE : SPIKE + 50] = 20.0
    hours = hours_of(costs)
    broken = pd.DataFrame([("acme", at(SPIKE), at(SPIKE + 50))], columns=["tenant", "start", "end"])
    assert found(hours, breaks=broken)["start"].tolist() == [at(SPIKE - 48)]
    # Two days that only grow are not known to be a break yet, and no cost either; the restart within is no end of it.
    hours.loc[SPIKE : SPIKE + 49, "resets"] = 0
    hours.loc[SPIKE + 20, "resets"] = 1
    assert found(hours)["start"].tolist() == [at(SPIKE - 48)]


def test_a_trend_is_expected_to_go_on():
    """6 % more each week is no rise; 60 % more on top of it is."""
    costs = 3.0 * np.exp(0.06 * np.arange(HOURS) / 168) * np.exp(np.random.default_rng(2).normal(0, 0.03, HOURS))
    assert found(hours_of(costs)).empty
    costs[SPIKE:] *= 1.6
    assert found(hours_of(costs))["start"].tolist() == [at(SPIKE)]


def test_the_process_it_ran_on_does_not_matter():
    first, second = steady(), steady()
    first[SPIKE + 3 :], second[: SPIKE + 3] = np.nan, np.nan
    first[SPIKE : SPIKE + 3] = second[SPIKE + 3 : SPIKE + 6] = 6.0
    frame = found(joined(hours_of(first[: SPIKE + 3]), hours_of(second[SPIKE + 3 :], first=SPIKE + 3, series=2)))
    assert frame[["start", "hours", "excess"]].values.tolist() == [[at(SPIKE), 6, 24.0]]


def test_two_covered_weeks_of_history_are_too_few():
    costs = steady()
    costs[SPIKE : SPIKE + 6] = 6.0
    young = hours_of(costs[2 * 168 :], first=2 * 168)
    assert found(young).empty
    assert anomaly_basis(young, WEEK, COVERED).values.tolist() == [["acme", 2, False]]
    three = hours_of(costs[168:], first=168)
    assert len(found(three)) == 1
    assert anomaly_basis(three, WEEK, COVERED).values.tolist() == [["acme", 3, True]]
    # An hour that is not covered is no history; two missing Fridays leave two.
    fridays = COVERED["hour"].dt.floor("D").isin([FIRST + pd.Timedelta(days=4), FIRST + pd.Timedelta(days=11)])
    assert found(hours_of(costs), COVERED.assign(covered=~fridays)).empty


def test_tenants_outside_the_window_have_no_basis():
    assert anomaly_basis(hours_of(steady(hours=168)), WEEK, COVERED).empty


def test_a_gap_and_hours_half_scraped_are_none():
    costs = rhythm(np.random.default_rng(5))
    costs[SPIKE - 30 : SPIKE - 28] *= 0.2
    hours = hours_of(costs)
    assert found(hours.drop(index=range(SPIKE, SPIKE + 5)).reset_index(drop=True)).empty


def test_a_whole_quarter_is_judged_week_by_week():
    costs = steady()
    costs[SPIKE : SPIKE + 6] = 6.0
    november = Window(pd.Timestamp("2026-11-01", tz="UTC").to_pydatetime(), WEEK.end)
    frame = found(hours_of(costs), window=november)
    assert frame["start"].tolist() == [at(SPIKE)]


def test_currencies_are_kept_apart():
    euros, dollars = steady(), steady()
    dollars[SPIKE : SPIKE + 6] = 6.0
    hours = joined(hours_of(euros, currency="EUR"), hours_of(dollars, currency="USD", series=2))
    assert found(hours)[["currency", "excess"]].values.tolist() == [["USD", 24.0]]


def test_clean_weeks_are_quiet_and_a_spike_in_them_is_found():
    rng = np.random.default_rng(46)
    for _ in range(3):
        tenants = [hours_of(rhythm(rng), tenant=f"t{number}", series=number) for number in range(50)]
        assert found(joined(*tenants)).empty
        costs = np.maximum(rhythm(rng), 0.5)
        regular = costs[SPIKE : SPIKE + 6].sum()
        costs[SPIKE : SPIKE + 6] *= 3
        frame = found(joined(*tenants, hours_of(costs, tenant="spike", series=99)))
        assert frame[["tenant", "start", "end"]].values.tolist() == [["spike", at(SPIKE), at(SPIKE + 6)]]
        assert frame["excess"].iloc[0] == pytest.approx(2 * regular, rel=0.1)


def test_the_expected_course_is_the_one_the_anomalies_are_judged_by():
    costs = steady(2.0)
    costs[SPIKE : SPIKE + 6] = 6.0
    hours = hours_of(costs)
    course = expected_costs(hours, WEEK, COVERED, floor=0.5, tenant="acme")
    assert list(course) == ["tenant", "currency", *COURSE]
    assert len(course) == 168
    assert course["hour"].iloc[[0, -1]].tolist() == [
        pd.Timestamp(WEEK.start),
        pd.Timestamp(WEEK.end) - pd.Timedelta("1h"),
    ]
    assert set(course["expected"]) == {2.0}
    assert (course["low"].iloc[0], course["high"].iloc[0]) == (2.0, 2.5)
    over = course[course["cost"] > course["high"]]
    assert over["hour"].tolist() == [at(SPIKE + hour) for hour in range(6)]
    # Without the configured amount the band is 5 % of the median hour.
    assert expected_costs(hours, WEEK, COVERED, tenant="acme")["high"].iloc[0] == pytest.approx(2.1)
    # All together is a row of its own.
    assert set(expected_costs(hours, WEEK, COVERED)["tenant"]) == {"", "acme"}


@pytest.mark.parametrize("costs", [[], [1.0], [np.nan] * HOURS])
def test_nothing_one_hour_and_nan_give_empty_frames(costs):
    hours = hours_of(costs)
    frames = {
        "found": (found(hours), ANOMALIES),
        "all": (expected_costs(hours, WEEK, COVERED, floor=0.5), ["tenant", "currency", *COURSE]),
        "basis": (anomaly_basis(hours, WEEK, COVERED), ["tenant", "weeks", "judged"]),
    }
    for frame, columns in frames.values():
        assert list(frame) == columns
        assert frame.empty
    assert str(frames["found"][0]["start"].dtype) == "datetime64[us, UTC]"
    assert found(hours, COVERED.iloc[:0]).empty


def test_hostile_names_stay_what_they_are():
    costs = steady()
    costs[SPIKE : SPIKE + 2] = 9.0
    name = '<script>"\n=1'
    assert found(hours_of(costs, tenant=name))["tenant"].tolist() == [name]
