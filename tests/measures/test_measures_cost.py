import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures import cost

WEEK = parse_window("2026-W46")  # 9 to 16 November
COLUMNS = ["series_id", "hour", "tenant", "currency", "samples", "last_ts", "last", "integral", "increase"]


def hours_of(*rows, currency="", categorical=True):
    """One row per (tenant, hour, integral, increase, last)."""
    frame = pd.DataFrame(rows, columns=["tenant", "hour", "integral", "increase", "last"])
    frame["hour"] = pd.to_datetime(frame["hour"], utc=True).astype("datetime64[us, UTC]")
    frame["last_ts"] = frame["hour"] + pd.Timedelta(minutes=59)
    frame["currency"] = currency
    frame["samples"] = 60
    frame["series_id"] = frame.groupby("tenant").ngroup()
    if categorical:
        frame["tenant"] = frame["tenant"].astype("category")
        frame["currency"] = frame["currency"].astype("category")
    return frame


def no_hours():
    frame = hours_of(("a", "2026-11-09", 1.0, 1.0, 1.0))
    return frame.iloc[:0]


def costs_of(**costs):
    return pd.DataFrame({"tenant": list(costs), "currency": "EUR", "cost": list(costs.values())})


def test_a_rate_costs_its_integral_in_hours():
    # 2 EUR an hour for a whole hour, then 3 EUR an hour for half of one.
    hours = hours_of(("acme", "2026-11-09 00:00", 7200.0, 0, 2), ("acme", "2026-11-09 01:00", 5400.0, 0, 3))
    costs = cost.tenant_costs(hours, WEEK, semantics="rate", currency="EUR")
    assert costs.values.tolist() == [["acme", "EUR", 3.5]]
    assert str(costs["tenant"].dtype) == "str"


def test_a_cumulative_gauge_costs_its_increase():
    hours = hours_of(("acme", "2026-11-09 00:00", 9e9, 4.0, 104), ("acme", "2026-11-09 01:00", 9e9, 2.5, 106.5))
    costs = cost.tenant_costs(hours, WEEK, semantics="cumulative", currency="EUR")
    assert costs["cost"].tolist() == [6.5]


def test_a_window_total_costs_its_last_value_before_the_windows_end():
    hours = hours_of(
        ("acme", "2026-11-14 00:00", 9e9, 0, 40.0),
        ("acme", "2026-11-15 23:00", 9e9, 0, 42.0),
        ("acme", "2026-11-16 00:00", 9e9, 0, 99.0),
    )
    costs = cost.tenant_costs(hours, WEEK, semantics="window_total", currency="EUR")
    assert costs.values.tolist() == [["acme", "EUR", 42.0]]


def test_only_hours_of_the_window_count_and_the_largest_tenant_is_first():
    hours = hours_of(
        ("small", "2026-11-09 00:00", 3600.0, 0, 1),
        ("large", "2026-11-15 23:00", 7200.0, 0, 2),
        ("large", "2026-11-08 23:00", 3600.0, 0, 1),
        ("large", "2026-11-16 00:00", 3600.0, 0, 1),
    )
    costs = cost.tenant_costs(hours, WEEK, semantics="rate", currency="EUR")
    assert costs[["tenant", "cost"]].values.tolist() == [["large", 2.0], ["small", 1.0]]


def test_a_tenant_on_two_processes_is_their_sum():
    hours = hours_of(("acme", "2026-11-09", 3600.0, 0, 1), ("acme", "2026-11-09", 1800.0, 0, 1))
    assert cost.tenant_costs(hours, WEEK, semantics="rate", currency="EUR")["cost"].tolist() == [1.5]


def test_a_currency_label_beats_the_contracts_currency():
    hours = hours_of(("acme", "2026-11-09", 3600.0, 0, 1), ("acme", "2026-11-09", 3600.0, 0, 1), categorical=False)
    hours["currency"] = ["USD", ""]
    costs = cost.tenant_costs(hours, WEEK, semantics="rate", currency="EUR")
    assert sorted(costs["currency"]) == ["EUR", "USD"]
    without = cost.tenant_costs(hours.drop(columns="currency"), WEEK, semantics="rate", currency="EUR")
    assert without.values.tolist() == [["acme", "EUR", 2.0]]


@pytest.mark.parametrize("semantics", ["window_total", None])
def test_what_has_no_daily_cost_is_refused(semantics):
    with pytest.raises(UsageError, match="must declare it 'rate' or 'cumulative'"):
        cost.costs_by_day(no_hours(), semantics=semantics, currency="EUR")


def test_days_add_up_to_weeks_and_weeks_are_named():
    hours = hours_of(
        ("a", "2026-11-08 23:00", 3600.0, 0, 1),
        ("a", "2026-11-09 00:00", 3600.0, 0, 1),
        ("a", "2026-11-09 05:00", 3600.0, 0, 1),
        ("b", "2026-11-15 05:00", 7200.0, 0, 1),
    )
    daily = cost.costs_by_day(hours, semantics="rate", currency="EUR")
    assert daily[["tenant", "cost"]].values.tolist() == [["a", 1.0], ["a", 2.0], ["b", 2.0]]
    assert daily["day"].dt.strftime("%d").tolist() == ["08", "09", "15"]
    weekly = cost.weekly_costs(daily)
    assert weekly[["week", "cost", "tenants"]].values.tolist() == [["2026-W45", 1.0, 1], ["2026-W46", 4.0, 2]]
    assert weekly["start"].dt.strftime("%Y-%m-%d").tolist() == ["2026-11-02", "2026-11-09"]


def test_weeks_53_and_1_are_told_apart():
    daily = pd.DataFrame({"day": pd.to_datetime(["2027-01-03", "2027-01-04"], utc=True).as_unit("us")})
    daily = daily.assign(tenant="a", currency="EUR", cost=1.0)
    assert cost.weekly_costs(daily)["week"].tolist() == ["2026-W53", "2027-W01"]


def test_weeks_are_held_against_each_other_over_hours_that_are_covered_in_both():
    """Constant use of 1 an hour; of the week before only four days were seen, and of this one the first hour not."""
    first = pd.Timestamp("2026-11-02", tz="UTC")
    hour = pd.Series(pd.date_range(first, periods=336, freq="h", unit="us"))
    hourly = pd.DataFrame({"tenant": "a", "currency": "EUR", "hour": hour, "cost": 1.0})
    late = hourly[hour >= first + pd.Timedelta(days=9)].assign(tenant="late")
    covered = pd.DataFrame({"hour": hour, "covered": (hour < first + pd.Timedelta(days=4)) | (hour > WEEK.start)})
    costs, before, part, hours = cost.same_hours(pd.concat([hourly, late]), WEEK, covered)
    # 96 hours less the one: 'late' came on Wednesday, and was there for 48 of them.
    assert (hours, part) == (95, {"late"})
    movers = cost.cost_movers(costs, before, part=part).set_index("tenant")
    assert movers.loc["a", ["cost", "before", "relative"]].tolist() == [95.0, 95.0, 0.0]
    assert movers.loc["late", "change"] == 48.0
    assert np.isnan(movers.loc["late", "relative"])
    assert cost.same_hours(hourly, WEEK, covered.assign(covered=hour >= WEEK.start))[-1] == 0


def test_movers_know_who_came_and_who_left():
    movers = cost.cost_movers(costs_of(up=12.0, came=5.0, same=1.0), costs_of(up=8.0, left=6.0, same=1.0))
    assert movers["tenant"].tolist() == ["left", "came", "up", "same"]
    assert movers["change"].tolist() == [-6.0, 5.0, 4.0, 0.0]
    assert movers["before"].tolist() == [6.0, 0.0, 8.0, 1.0]
    np.testing.assert_array_equal(movers["relative"], [-1.0, np.nan, 0.5, 0.0])


def test_concentration_by_hand():
    # Gini of 1, 2, 3, 4: 2·(1·1 + 2·2 + 3·3 + 4·4) / (4·10) − 5/4 = 60/40 − 1.25 = 0.25.
    frame = cost.concentration(costs_of(a=4.0, b=3.0, c=2.0, d=1.0))
    assert frame.values.tolist() == [["EUR", 4, 1.0, 0.25]]
    # One of 20 pays all: (n − 1) / n.
    one = cost.concentration(costs_of(**{f"t{i}": float(i == 0) for i in range(20)}))
    assert one["gini"].tolist() == pytest.approx([0.95])
    # Twenty equal ones: the top ten hold half, and nothing is uneven.
    equal = cost.concentration(costs_of(**{f"t{i}": 2.0 for i in range(20)}))
    assert equal[["top10_share", "gini"]].values.tolist()[0] == pytest.approx([0.5, 0.0])


@given(st.lists(st.floats(0.01, 1e6), min_size=2, max_size=40))
def test_gini_equals_the_mean_absolute_difference(values):
    # The definition: Σ|x − y| / (2 n² mean).
    x = np.array(values)
    expected = np.abs(x[:, None] - x[None, :]).sum() / (2 * len(x) ** 2 * x.mean())
    found = cost.concentration(costs_of(**{f"t{i}": value for i, value in enumerate(values)}))
    assert found["gini"].iloc[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("values", [{"a": 0.0}, {"a": -1.0, "b": 5.0}])
def test_concentration_of_nothing_is_unknown(values):
    frame = cost.concentration(costs_of(**values))
    assert frame[["top10_share", "gini"]].isna().all(axis=None)


def test_window_costs_take_the_last_sample_of_each_labelled_window():
    hours = hours_of(
        ("acme", "2026-10-31 23:00", 0, 0, 80.0),
        ("acme", "2026-11-15 22:00", 0, 0, 30.0),
        ("acme", "2026-11-15 23:00", 0, 0, 31.0),
        currency="EUR",
    )
    hours["billing_window"] = ["2026-10", "2026-11", "2026-11"]
    frame = cost.window_costs(hours, window_label="billing_window")
    assert frame[["tenant", "billing_window", "currency", "cost"]].values.tolist() == [
        ["acme", "2026-10", "EUR", 80.0],
        ["acme", "2026-11", "EUR", 31.0],
    ]
    assert frame["at"].iloc[1] == pd.Timestamp("2026-11-15 23:59", tz="UTC")


def test_an_hour_of_nan_alone_says_nothing():
    hours = hours_of(("acme", "2026-11-15 22:00", 0, 0, 30.0), ("acme", "2026-11-15 23:00", 0, 0, np.nan))
    hours["samples"] = [60, 0]
    hours["window"] = "7d"
    assert cost.window_costs(hours, window_label="window")["cost"].tolist() == [30.0]


def test_reconciliation_by_hand():
    other = costs_of(a=100.0, b=50.0, c=0.0, d=0.0, only_there=1.0)
    frame = cost.reconciliation(costs_of(a=103.0, b=40.0, c=2.0, d=0.0, only_here=1.0), other)
    assert frame["tenant"].tolist() == ["c", "b", "a", "d"]
    assert frame["drift"].tolist() == pytest.approx([np.inf, -0.2, 0.03, 0.0])


def test_conservation_shows_the_rest():
    total = pd.DataFrame({"currency": ["EUR", "USD"], "total": [12.0, 5.0]})
    frame = cost.conservation(costs_of(a=4.0, b=6.5), total)
    assert frame.values.tolist() == [["EUR", 10.5, 12.0, 1.5], ["USD", 0.0, 5.0, 5.0]]


def test_no_hours_give_empty_frames_with_the_right_columns():
    hours = no_hours()
    costs = cost.tenant_costs(hours, WEEK, semantics="rate", currency="EUR")
    daily = cost.costs_by_day(hours, semantics="cumulative", currency="EUR")
    windows = cost.window_costs(hours.assign(window=""), window_label="window")
    assert list(costs) == ["tenant", "currency", "cost"]
    assert str(daily["day"].dtype) == "datetime64[us, UTC]"
    assert list(cost.weekly_costs(daily)) == ["week", "start", "currency", "cost", "tenants"]
    assert list(cost.cost_movers(costs, costs)) == [
        "tenant",
        "currency",
        "cost",
        "before",
        "change",
        "relative",
        "contribution",
    ]
    assert list(cost.concentration(costs)) == ["currency", "tenants", "top10_share", "gini"]
    assert list(windows) == ["tenant", "window", "currency", "cost", "at"]
    assert list(cost.reconciliation(costs, windows)) == ["tenant", "currency", "estimate", "other", "drift"]
    assert cost.tenant_costs(hours, WEEK, semantics="window_total", currency="EUR").empty
    for frame in (costs, daily, windows):
        assert frame.empty


def test_a_tenant_of_nan_alone_has_no_cost_which_is_not_a_cost_of_zero():
    hours = hours_of(("idle", "2026-11-09", 0.0, 0, 0), ("broken", "2026-11-09", 0.0, 0, np.nan))
    hours["samples"] = [60, 0]
    costs = cost.tenant_costs(hours, WEEK, semantics="rate", currency="EUR")
    assert costs.values.tolist() == [["idle", "EUR", 0.0]]


def test_a_gauge_that_stopped_days_ago_is_held_against_nothing():
    costs = costs_of(here=100.0, gone=10.0)
    other = costs_of(here=100.0, gone=70.0).assign(
        at=pd.to_datetime(["2026-11-15 23:59", "2026-11-11 08:00"], utc=True).as_unit("us")
    )
    assert cost.reconciliation(costs, other)["tenant"].tolist() == ["here"]
    # Known to end later, the newest sample is too old as well.
    assert cost.reconciliation(costs, other, end=WEEK.end + pd.Timedelta(hours=2)).empty
    assert len(cost.reconciliation(costs, other, late_minutes=7 * 24 * 60)) == 2


@pytest.mark.parametrize("name", ["", "a,b", "=1+1", "<b>x</b>", "ta\nb", "ünï", "x" * 5000])
def test_hostile_tenant_names_stay_what_they_are(name):
    costs = cost.tenant_costs(hours_of((name, "2026-11-09", 3600.0, 0, 1)), WEEK, semantics="rate", currency="EUR")
    assert costs.values.tolist() == [[name, "EUR", 1.0]]
