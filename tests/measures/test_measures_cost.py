"""What tenants cost, by hand: of a window, by day and week, against other weeks, gauges and bills."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures import cost

WEEK = parse_window("2026-W46")  # 9 to 16 November
MONDAY = pd.Timestamp(WEEK.start).as_unit("us")
HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)


def hours_of(*rows, currency="", **more):
    """One row per (tenant, hours since Monday, EUR an hour), every hour a whole one."""
    frame = pd.DataFrame(rows, columns=["tenant", "hour", "last"]).astype({"last": "float64"})
    frame["hour"] = (MONDAY + pd.to_timedelta(frame["hour"], unit="h")).astype("datetime64[us, UTC]")
    frame["last_ts"], frame["integral"] = frame["hour"] + pd.Timedelta(minutes=59), frame["last"] * 3600
    frame = frame.assign(
        increase=frame["last"], currency=currency, samples=60, series_id=frame.groupby("tenant").ngroup()
    )
    return frame.assign(**more).astype({"tenant": "category", "currency": "category"})


def costs_of(**costs):
    return pd.DataFrame({"tenant": list(costs), "currency": "EUR", "cost": list(costs.values())})


def spent(hours, semantics="rate", **how):
    return cost.tenant_costs(hours, WEEK, semantics=semantics, currency="EUR", **how).values.tolist()


@pytest.mark.parametrize(
    ("hours", "semantics", "found"),
    [
        # 2 EUR an hour for an hour, then 3 for half of one.
        (hours_of(("acme", 0, 2), ("acme", 1, 3), integral=[7200.0, 5400.0]), "rate", [["acme", "EUR", 3.5]]),
        (hours_of(("acme", 0, 2), ("acme", 1, 3), increase=[4.0, 2.5]), "cumulative", [["acme", "EUR", 6.5]]),
        (hours_of(("acme", 120, 40), ("acme", 167, 42), ("acme", 168, 99)), "window_total", [["acme", "EUR", 42.0]]),
        # Hours of the window alone, the largest tenant first.
        (
            hours_of(("small", 0, 1), ("large", 167, 2), ("large", -1, 1), ("large", 168, 1)),
            "rate",
            [["large", "EUR", 2.0], ["small", "EUR", 1.0]],
        ),
        # On two processes; in two currencies, one of them the contract's; in small letters.
        (hours_of(("acme", 0, 1), ("acme", 0, 0.5)), "rate", [["acme", "EUR", 1.5]]),
        (hours_of(("a", 0, 1), ("a", 0, 2), currency=["USD", ""]), "rate", [["a", "EUR", 2.0], ["a", "USD", 1.0]]),
        (hours_of(("a", 0, 1), ("a", 0, 2), currency=["eur", "EUR"]), "rate", [["a", "EUR", 3.0]]),
        (hours_of(("a", 0, 2)).drop(columns="currency"), "rate", [["a", "EUR", 2.0]]),
        # Of NaN alone nothing is known, which is no cost of 0.
        (hours_of(("idle", 0, 0), ("broken", 0, 0), samples=[60, 0]), "rate", [["idle", "EUR", 0.0]]),
        *((hours_of((name, 0, 1)), "rate", [[name, "EUR", 1.0]]) for name in ("", "a,b", "=1+1", "<b>x</b>", "ta\nb")),
        # A gauge at 500 that is infinite for an hour and then 501: the fall is no reset, and 501 no increase.
        (
            hours_of(("a", 0, 500), ("a", 1, np.inf), ("a", 2, 501), increase=[1.0, np.inf, 501.0]),
            "cumulative",
            [["a", "EUR", 1.0]],
        ),
    ],
)
def test_a_window_costs(hours, semantics, found):
    assert spent(hours, semantics) == found


def test_only_what_the_rates_know_is_exchanged():
    """10 USD at 0.9 are 9 EUR; with the tenant's 1 EUR they are one row. Nobody gave a rate for JPY."""
    hours = hours_of(("a", 0, 1), ("a", 0, 10), ("b", 0, 500), currency=["EUR", "USD", "JPY"])
    assert spent(hours, rates={"USD": 0.9}) == [["b", "JPY", 500.0], ["a", "EUR", 10.0]]
    assert spent(hours, "window_total", rates={"USD": 0.9}) == [["b", "JPY", 500.0], ["a", "EUR", 10.0]]
    assert spent(hours.iloc[:0], rates={"USD": 0.9}) == []


@pytest.mark.parametrize("semantics", ["window_total", None])
def test_what_has_no_daily_cost_is_refused(semantics):
    with pytest.raises(UsageError, match="must declare it 'rate' or 'cumulative'"):
        cost.costs_by_day(hours_of(), semantics=semantics, currency="EUR")


def test_days_add_up_to_weeks_and_each_has_its_cost_per_tenant():
    hours = hours_of(("a", -1, 1), ("a", 0, 1), ("a", 5, 1), ("b", 149, 2), ("c", 149, 4), ("d", 56 * 24, 1))
    daily = cost.costs_by_day(hours, semantics="rate", currency="EUR")
    assert daily[["tenant", "cost"]].values.tolist() == [["a", 1], ["a", 2], ["b", 2], ["c", 4], ["d", 1]]
    assert daily["day"].dt.strftime("%d").tolist() == ["08", "09", "15", "15", "04"]
    weekly = cost.weekly_costs(daily)
    assert weekly[["week", "cost", "tenants"]].values.tolist() == [
        ["2026-W45", 1.0, 1],
        ["2026-W46", 8.0, 3],
        ["2027-W01", 1.0, 1],  # after 2026-W53
    ]
    assert weekly["start"].dt.strftime("%m-%d").tolist() == ["11-02", "11-09", "01-04"]
    assert cost.cost_per_tenant(daily)[["tenants", "cost_per_tenant"]].values.tolist() == [
        [1, 1],
        [1, 2],
        [2, 3],
        [1, 1],
    ]


def test_the_last_value_before_a_gap_and_before_the_end_is_held_for_one_scrape():
    """Scrapes each minute, the last at :59 and held to :04, where no marker says that the process has ended."""
    frame = hours_of(*[("a", hour, 1) for hour in (0, 1, 49, 50)], stale_markers=0)
    frame["first_ts"], frame["integral"] = frame["hour"], [3600.0, 3840.0, 3600.0, 3840.0]
    end = frame["last_ts"].max() + pd.Timedelta(minutes=30)
    assert cost.without_overhang(frame, end=end)["integral"].tolist() == [3600.0] * 4
    marked = frame.assign(stale_markers=[0, 1, 0, 1])
    assert cost.without_overhang(marked, end=end)["integral"].tolist() == frame["integral"].tolist()
    followed = cost.without_overhang(frame, end=frame["last_ts"].max() + pd.Timedelta(minutes=1))
    assert followed["integral"].tolist() == [3600.0, 3600.0, 3600.0, 3840.0]


def test_weeks_are_held_against_each_other_over_hours_that_are_covered_in_both():
    """Constant use of 1 an hour; of the week before only four days were seen, and of this one the first hour not."""
    hour = pd.Series(pd.date_range(MONDAY - 7 * DAY, periods=336, freq="h", unit="us"))
    hourly = pd.DataFrame({"tenant": "a", "currency": "EUR", "hour": hour, "cost": 1.0})
    late = hourly[hour >= MONDAY + 2 * DAY].assign(tenant="late")
    covered = pd.DataFrame({"hour": hour, "covered": (hour < MONDAY - 3 * DAY) | (hour > MONDAY)})
    costs, before, part, hours = cost.same_hours(pd.concat([hourly, late]), WEEK, covered)
    # 96 hours less the one: 'late' came on Wednesday, and was there for 48 of them.
    assert (hours, part) == (95, {"late"})
    movers = cost.cost_movers(costs, before, part=part).set_index("tenant")
    assert movers.loc["a", ["cost", "before", "relative"]].tolist() == [95.0, 95.0, 0.0]
    assert movers.loc["late", "change"] == 48.0
    assert np.isnan(movers.loc["late", "relative"])
    assert cost.same_hours(hourly, WEEK, covered.assign(covered=hour >= MONDAY))[-1] == 0


def test_movers_know_who_came_and_left_and_their_contributions_add_up():
    """EUR: 15 before, 18 now. USD from nothing has no relative change."""
    now = pd.concat([costs_of(up=12.0, came=5.0, same=1.0), costs_of(new=0.5).assign(currency="USD")])
    movers = cost.cost_movers(now, costs_of(up=8.0, left=6.0, same=1.0)).set_index("tenant")
    assert movers["change"].to_dict() == {"left": -6.0, "came": 5.0, "up": 4.0, "new": 0.5, "same": 0.0}
    assert movers["before"].tolist() == [6.0, 0.0, 8.0, 0.0, 1.0]
    np.testing.assert_array_equal(movers["relative"], [-1.0, np.nan, 0.5, np.nan, 0.0])
    assert movers["contribution"].tolist() == pytest.approx([-0.4, 1 / 3, 4 / 15, np.nan, 0.0], nan_ok=True)


@pytest.mark.parametrize(
    ("values", "top10", "gini"),
    [
        # Of 1, 2, 3, 4: 2·(1·1 + 2·2 + 3·3 + 4·4) / (4·10) − 5/4 = 0.25; one of 20 pays all: (n − 1) / n; all equal.
        ([4.0, 3.0, 2.0, 1.0], 1.0, 0.25),
        ([1.0] + [0.0] * 19, 1.0, 0.95),
        ([2.0] * 20, 0.5, 0.0),
        ([0.0], np.nan, np.nan),
        ([-1.0, 5.0], np.nan, np.nan),
    ],
)
def test_concentration_by_hand(values, top10, gini):
    found = cost.concentration(costs_of(**{f"t{i}": value for i, value in enumerate(values)}))
    assert found[["top10_share", "gini"]].values.tolist()[0] == pytest.approx([top10, gini], nan_ok=True)


@given(st.lists(st.floats(0.01, 1e6), min_size=2, max_size=40))
def test_gini_equals_the_mean_absolute_difference(values):
    # The definition: Σ|x − y| / (2 n² mean).
    x = np.array(values)
    expected = np.abs(x[:, None] - x[None, :]).sum() / (2 * len(x) ** 2 * x.mean())
    found = cost.concentration(costs_of(**{f"t{i}": value for i, value in enumerate(values)}))
    assert found["gini"].iloc[0] == pytest.approx(expected, abs=1e-9)


def test_window_costs_take_the_last_sample_of_each_labelled_window():
    rows = [("acme", -200, 80), ("acme", 166, 30), ("acme", 167, 31), ("idle", 166, 5), ("idle", 167, np.nan)]
    hours = hours_of(*rows, currency="EUR", samples=[60, 60, 60, 60, 0])
    found = cost.window_costs(hours.assign(window=["2026-10", *["2026-11"] * 4]), window_label="window")
    assert found[["tenant", "window", "currency", "cost"]].values.tolist() == [
        ["acme", "2026-10", "EUR", 80.0],
        ["acme", "2026-11", "EUR", 31.0],
        ["idle", "2026-11", "EUR", 5.0],
    ]
    assert found["at"].iloc[1] == MONDAY + 168 * HOUR - pd.Timedelta(minutes=1)


def test_reconciliation_by_hand_and_of_what_stopped_days_ago_nothing():
    other = costs_of(a=100.0, b=50.0, c=0.0, d=0.0, only_there=1.0)
    costs = costs_of(a=103.0, b=40.0, c=2.0, d=0.0, only_here=1.0)
    found = cost.reconciliation(costs, other)
    assert found["tenant"].tolist() == ["c", "b", "a", "d"]
    assert found["drift"].tolist() == pytest.approx([np.inf, -0.2, 0.03, 0.0])
    late = other.assign(at=MONDAY + pd.to_timedelta([168, 60, 168, 60, 168], unit="h"))
    assert cost.reconciliation(costs, late)["tenant"].tolist() == ["c", "a"]
    # Known to end later, the newest sample is too old as well.
    assert cost.reconciliation(costs, late, end=WEEK.end + 2 * HOUR).empty


def test_conservation_shows_the_rest_of_each_bill_that_touches_the_history():
    hours = hours_of(("a", 0, 4), ("b", 30, 6.5), ("b", 60, 9))
    covered = pd.DataFrame({"day": [MONDAY, MONDAY + DAY], "coverage": [1.0, 0.5]})
    days = Window(WEEK.start, WEEK.start + 2 * DAY)
    bills = [
        SimpleNamespace(source=source, window=window, currency=currency, amount=12.0)
        for source, window, currency in (
            ("x", days, "EUR"),
            ("y", days, "USD"),
            ("old", parse_window("2025-01"), "EUR"),
        )
    ]
    found = cost.conservation(hours, covered, bills, WEEK, semantics="rate", currency="EUR")
    assert found.drop(columns=["start", "end"]).values.tolist() == [
        ["x", "EUR", 10.5, 12.0, 1.5, 0.75],
        ["y", "USD", 0.0, 12.0, 12.0, 0.75],
    ]


def test_cost_of_groups_names_the_rest():
    found = cost.cost_of_groups(costs_of(r1=1.0, r2=2.0, acme=7.0), dict.fromkeys(["r1", "r2", "nobody"], "generated"))
    assert found.values.tolist() == [["generated", "EUR", 2, 3.0, 0.3], ["all others", "EUR", 1, 7.0, 0.7]]


def test_no_hours_give_empty_frames_of_the_same_types():
    full, none = hours_of(("a", 0, 1)).assign(window="7d"), hours_of(("a", 0, 1)).assign(window="7d").iloc[:0]

    def all_of(hours):
        costs = cost.tenant_costs(hours, WEEK, semantics="rate", currency="EUR")
        daily, windows = (
            cost.costs_by_day(hours, semantics="cumulative", currency="EUR"),
            cost.window_costs(hours, window_label="window"),
        )
        yield from (costs, daily, windows, cost.weekly_costs(daily), cost.cost_movers(costs, costs))
        yield from (cost.concentration(costs), cost.reconciliation(costs, windows.assign(currency="EUR")))
        yield from (cost.cost_per_tenant(daily), cost.cost_of_groups(costs, {}))

    for found, like in zip(all_of(none), all_of(full), strict=True):
        assert found.empty
        assert found.dtypes.equals(like.dtypes)
        assert len(like) == 1
