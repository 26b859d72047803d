"""What tenants cost, by hand: of a window, by day and week, against the week before, and where a month will end."""

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import parse_window
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


def hourly_of(hours, semantics="rate", **how):
    return cost.hourly_costs(hours, semantics=semantics, currency="EUR", **how)


def costs_of(**costs):
    return pd.DataFrame({"tenant": list(costs), "currency": "EUR", "cost": list(costs.values())})


@pytest.mark.parametrize(
    ("hours", "how", "found"),
    [
        # 2 EUR an hour for an hour, then 3 for half of one.
        (hours_of(("acme", 0, 2), ("acme", 1, 3), integral=[7200.0, 5400.0]), {}, [["acme", "EUR", 3.5]]),
        (hours_of(("a", 0, 2), ("a", 1, 3), increase=[4.0, 2.5]), {"semantics": "cumulative"}, [["a", "EUR", 6.5]]),
        # Hours of the window alone, the largest tenant first.
        (
            hours_of(("small", 0, 1), ("large", 167, 2), ("large", -1, 1), ("large", 168, 1)),
            *({}, [["large", "EUR", 2.0], ["small", "EUR", 1.0]]),
        ),
        # On two processes; in two currencies, one of them the contract's; in small letters; without a label.
        (hours_of(("acme", 0, 1), ("acme", 0, 0.5)), {}, [["acme", "EUR", 1.5]]),
        (hours_of(("a", 0, 1), ("a", 0, 2), currency=["USD", ""]), {}, [["a", "EUR", 2.0], ["a", "USD", 1.0]]),
        (hours_of(("a", 0, 1), ("a", 0, 2), currency=["eur", "EUR"]), {}, [["a", "EUR", 3.0]]),
        (hours_of(("a", 0, 2)).drop(columns="currency"), {}, [["a", "EUR", 2.0]]),
        # 10 USD at 0.9 are 9 EUR; with the tenant's 1 EUR they are one row. Nobody gave a rate for JPY.
        (
            hours_of(("a", 0, 1), ("a", 0, 10), ("b", 0, 500), currency=["EUR", "USD", "JPY"]),
            *({"rates": {"USD": 0.9}}, [["b", "JPY", 500.0], ["a", "EUR", 10.0]]),
        ),
        # Of NaN alone nothing is known, which is no cost of 0.
        (hours_of(("idle", 0, 0), ("broken", 0, 0), samples=[60, 0]), {}, [["idle", "EUR", 0.0]]),
        *((hours_of((name, 0, 1)), {}, [[name, "EUR", 1.0]]) for name in ("", "a,b", "=1+1", "<b>x</b>", "ta\nb")),
        # A gauge at 500 that is infinite for an hour and then 501: the fall is no reset, and 501 no increase.
        (
            hours_of(("a", 0, 500), ("a", 1, np.inf), ("a", 2, 501), increase=[1.0, np.inf, 501.0]),
            {"semantics": "cumulative"},
            [["a", "EUR", 1.0]],
        ),
    ],
)
def test_a_window_costs(hours, how, found):
    assert cost.tenant_costs(hourly_of(hours, **how), WEEK).values.tolist() == found


@pytest.mark.parametrize("semantics", ["window_total", None])
def test_what_has_no_hourly_cost_is_refused(semantics):
    with pytest.raises(UsageError, match="must declare it 'rate' or 'cumulative'"):
        hourly_of(hours_of(), semantics)


def test_days_add_up_to_weeks_and_each_has_its_cost_per_tenant():
    hours = hours_of(("a", -1, 1), ("a", 0, 1), ("a", 5, 1), ("b", 149, 2), ("c", 149, 4), ("d", 56 * 24, 1))
    daily = cost.costs_by_day(hourly_of(hours))
    assert daily["day"].dt.strftime("%d").tolist() == ["08", "09", "15", "15", "04"]
    assert daily[["tenant", "cost"]].values.tolist() == [["a", 1], ["a", 2], ["b", 2], ["c", 4], ["d", 1]]
    weekly = cost.weekly_costs(daily)
    assert weekly["start"].dt.strftime("%m-%d").tolist() == ["11-02", "11-09", "01-04"]
    assert weekly[["week", "cost", "tenants"]].values.tolist() == [
        ["2026-W45", 1.0, 1],
        ["2026-W46", 8.0, 3],
        ["2027-W01", 1.0, 1],  # after 2026-W53
    ]
    assert cost.cost_per_tenant(daily)["cost_per_tenant"].tolist() == [1, 2, 3, 1]


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


@pytest.mark.parametrize(
    ("name", "hours", "costs", "before"),
    [
        # By day since January began: March 1 to 28 beside February, whose days cost a tenth of their number; and of a
        # quarter its 90 days beside the last quarter's first 90, which cost nothing.
        ("2026-03", 28 * 24, sum(range(60, 88)) * 2.4, sum(range(32, 60)) * 2.4),
        ("2026-02", 28 * 24, sum(range(32, 60)) * 2.4, sum(range(1, 29)) * 2.4),
        ("2026-Q1", 90 * 24, sum(range(1, 91)) * 2.4, 0.0),
    ],
)
def test_a_month_is_held_against_a_month_and_a_quarter_against_a_quarter(name, hours, costs, before):
    hour = pd.Series(pd.date_range("2025-10-01", "2026-04-01", freq="h", tz="UTC", unit="us", inclusive="left"))
    day = (hour.dt.floor("D") - pd.Timestamp("2025-12-31", tz="UTC")).dt.days
    hourly = pd.DataFrame({"tenant": "a", "currency": "EUR", "hour": hour, "cost": day.clip(lower=0) / 10})
    covered = pd.DataFrame({"hour": hour, "covered": True})
    now, then, part, compared = cost.same_hours(hourly, parse_window(name), covered)
    assert (compared, part) == (hours, set())
    assert now["cost"].sum() == pytest.approx(costs)
    assert then["cost"].sum() == pytest.approx(before)


def test_movers_know_who_came_and_left_and_their_contributions_add_up():
    """EUR: 15 before, 18 now. USD from nothing has no relative change."""
    now = pd.concat([costs_of(up=12.0, came=5.0, same=1.0), costs_of(new=0.5).assign(currency="USD")])
    movers = cost.cost_movers(now, costs_of(up=8.0, left=6.0, same=1.0)).set_index("tenant")
    assert movers["change"].to_dict() == {"left": -6.0, "came": 5.0, "up": 4.0, "new": 0.5, "same": 0.0}
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


# The month's course: October ends on the 31st, 42 days from 5 October end with 15 November.
NOVEMBER, OCTOBER = parse_window("2026-11"), parse_window("2026-10")
UNTIL = pd.Timestamp("2026-11-16", tz="UTC")
DAYS = pd.date_range("2026-10-05", periods=42, freq="D", tz="UTC", unit="us")
ENDS = ("low95", "low80", "median", "high80", "high95")
NOISY = np.random.default_rng(11).normal(100, 10, 42)


def daily_of(currency="EUR", **by_tenant):
    """Daily costs of each tenant, from 5 October on: one amount for all days, or one a day."""
    frames = [pd.DataFrame({"day": DAYS, "cost": amount, "tenant": tenant}) for tenant, amount in by_tenant.items()]
    return pd.concat(frames, ignore_index=True).assign(currency=currency)


def covered(*missing):
    return pd.DataFrame({"day": DAYS, "covered": [number not in missing for number in range(42)]})


@pytest.mark.parametrize(
    ("daily", "missing", "month", "expected"),
    [
        # 15 days of November at 10 are spent, 15 are left: 300 at the end.
        (
            *(daily_of(a=4.0, b=6.0), (), NOVEMBER),
            {"spent": 150, "days_left": 15, "days_unknown": 0, "days_known": 42, **dict.fromkeys(ENDS, 300)},
        ),
        # A month that is over is what was spent; the telemetry begins on the 5th: four days of October are unknown.
        (daily_of(a=2.0), (), OCTOBER, {"spent": 54, "days_left": 0, "days_unknown": 4, **dict.fromkeys(ENDS, 54)}),
        # Uncovered days are counted, and what was seen of them is spent; they teach nothing.
        (
            *(daily_of(a=np.where(np.arange(42) == 30, 1.0, 10.0)), (30,), NOVEMBER),
            {"spent": 141, "days_unknown": 1, "days_known": 41, "median": 291},
        ),
        # Too short a history projects nothing.
        (daily_of(a=1.0), range(25), NOVEMBER, {"spent": 15, "days_known": 17, "model": "", "median": np.nan}),
        (daily_of(a=NOISY), (), NOVEMBER, {"median": pytest.approx(NOISY[-15:].sum() + 1500, rel=0.02)}),
    ],
)
def test_a_month_is_projected(daily, missing, month, expected):
    row = cost.month_projection(daily, covered(*missing), month, until=UNTIL).iloc[0].to_dict()
    assert {name: row[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    assert cost.month_projection(daily[:0], covered(), NOVEMBER, until=UNTIL).empty


def test_the_interval_has_the_spread_of_a_sum_of_days_and_currencies_are_apart():
    # s² (m + m²/n) of 15 days ahead and 42 known ones, with the pace's wander; stretched from a half to three times.
    both = pd.concat([daily_of(a=NOISY), daily_of("USD", a=2.0)])
    found = cost.month_projection(both, covered(), NOVEMBER, until=UNTIL).set_index("currency")
    half = 1.2816 * NOISY.std(ddof=1) * np.sqrt(15 + 15**2 / 42 + 0.04**2 * 15 * 16 * 31 / 6)
    assert half * 0.4 < (found.loc["EUR", "high80"] - found.loc["EUR", "low80"]) / 2 < half * 3.3
    assert found["spent"].to_dict() == pytest.approx({"EUR": NOISY[-15:].sum(), "USD": 30.0})


def test_the_course_adds_up_from_the_months_start():
    found = cost.month_course(daily_of(a=2.0), covered(27), NOVEMBER, until=UNTIL, currency="EUR")
    assert found["day"].iloc[0] == pd.Timestamp("2026-11-01", tz="UTC")
    assert found["spent"].tolist() == [2.0 * n for n in range(1, 16)]
    assert found["covered"].tolist() == [False] + [True] * 14


@pytest.mark.parametrize(
    ("daily", "amount", "missing", "expected"),
    [
        # 150 spent by the 15th at 10 a day: 200 is reached on the 20th; without a forecast at the pace of 14 days.
        (
            *({"a": 10.0}, 200, ()),
            {"answer": "will be spent", "spent": 150, "spent_share": 0.75, "pace": 10, "spent_on": 20, "median": 300},
        ),
        ({"a": 10.0}, 200, range(25), {"answer": "will be spent", "spent_on": 20, "median": np.nan}),
        ({"a": 10.0}, 95, (), {"answer": "spent", "spent_on": 10}),
        ({"a": 10.0}, 301, (), {"answer": "will last"}),
        # A tenant that was not seen has spent nothing; without a covered day nothing is known.
        ({"b": 10.0}, 5, (), {"answer": "will last", "spent": 0, "pace": 0}),
        ({"a": 10.0}, 500, range(42), {"answer": "unknown", "days_unknown": 15, "pace": np.nan}),
    ],
)
def test_a_budget_lasts_or_not_and_the_fullest_come_first(daily, amount, missing, expected):
    given = ({"a": amount, "nobody": 1e9}, covered(*missing), NOVEMBER)
    found = cost.budget_course(daily_of(**daily), *given, until=UNTIL, currency="EUR")
    assert found["tenant"].tolist() == ["a", "nobody"]
    row = found.assign(spent_on=found["spent_on"].dt.day).iloc[0].to_dict()
    assert {name: row[name] for name in expected} == pytest.approx(expected, nan_ok=True)
