"""Faults of a cost gauge, and cost beside cardinality, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.measures import cost
from cloudxai_analysis.measures.cost_data import cost_faults
from cloudxai_analysis.measures.unit_costs import cost_of_groups, cost_per_tenant

TIME = "datetime64[us, UTC]"
START = pd.Timestamp("2026-11-09", tz="UTC")


def hours(tenant: str, count: int, *, first: int = 0, series: int = 1, **fields: object) -> pd.DataFrame:
    """So many hours of one gauge of 1 EUR an hour that never changes."""
    hour = START + pd.to_timedelta(np.arange(first, first + count), unit="h")
    frame = pd.DataFrame({"hour": hour.astype(TIME), "series_id": series, "tenant": tenant, "currency": ""})
    usual = {"samples": 60, "min": 1.0, "max": 1.0, "nan_samples": 0, "changes": 0, "integral": 3600.0}
    return frame.assign(**(usual | fields))


def faults(costs: pd.DataFrame, tenants: pd.DataFrame) -> list[list[object]]:
    found = cost_faults(costs, tenants, currency="EUR")
    return found[["cause", "tenants", "examples", "hours", "amount", "currency"]].to_numpy().tolist()


def test_a_gauge_below_zero_is_found_with_what_it_takes_off_the_sum() -> None:
    """Two hours at -2 EUR an hour."""
    costs = pd.concat([hours("a", 5), hours("b", 2, series=2, min=-2.0, max=-2.0, integral=-7200.0)])
    assert faults(costs, costs) == [["negative", 1, ("b",), 2, -4.0, "EUR"]]


def test_a_gauge_of_nan_has_no_amount() -> None:
    costs = pd.concat(
        [hours("a", 5), hours("b", 3, series=2, samples=0, nan_samples=60, min=np.nan, max=np.nan, integral=0.0)]
    )
    [found] = faults(costs, hours("a", 5))
    assert found[:4] == ["not a number", 1, ("b",), 3]
    assert np.isnan(found[4])


def test_a_tenant_that_left_and_keeps_its_last_cost_is_found() -> None:
    """Tenant b is seen for 10 hours of 40; its gauge stays at 1 EUR an hour for the 30 after."""
    seen = pd.concat([hours("a", 40), hours("b", 10, series=2)])
    assert faults(pd.concat([hours("a", 40), hours("b", 40, series=2)]), seen) == [
        ["left behind", 1, ("b",), 30, 30.0, "EUR"]
    ]


@pytest.mark.parametrize(
    ("gauge", "why"),
    [
        (hours("b", 40, series=2, changes=1), "it still changes"),
        (hours("b", 33, series=2), "for less than a day"),
        (hours("b", 10, series=2), "it left with its tenant"),
    ],
)
def test_a_gauge_that_ends_or_goes_on_is_none(gauge: pd.DataFrame, why: str) -> None:
    seen = pd.concat([hours("a", 40), hours("b", 10, series=2)])
    assert faults(pd.concat([hours("a", 40), gauge]), seen) == [], why


def test_where_nobody_is_seen_nobody_is_known_to_be_gone() -> None:
    """In a gap of the other metric no gauge is left behind."""
    assert faults(hours("a", 80), hours("a", 10)) == []
    assert faults(hours("a", 80), hours("a", 0)) == []


def test_each_cause_and_currency_is_one_finding() -> None:
    costs = pd.concat(
        [
            *(hours(f"t{number}", 1, series=number, min=-1.0, max=-1.0, integral=-3600.0) for number in range(5)),
            hours("abroad", 1, series=9, min=-1.0, max=-1.0, integral=-3600.0, currency="USD"),
        ]
    )
    assert faults(costs, costs) == [
        ["negative", 5, ("t0", "t1", "t2"), 5, -5.0, "EUR"],
        ["negative", 1, ("abroad",), 1, -1.0, "USD"],
    ]


@pytest.mark.parametrize(
    ("value", "cause"),
    [(np.inf, "infinite"), (-np.inf, "infinite"), (1e308, "too large"), (-3.0, "negative"), (5e-324, "too small")],
)
def test_what_is_no_amount_is_named_and_in_no_sum(value: float, cause: str) -> None:
    """Two hours of it beside five of 1 EUR: the sum is that of the five; a denormal number is nothing to add."""
    odd = hours("b", 2, series=2, min=value, max=value, last=value, integral=value * 3600)
    costs = pd.concat([hours("a", 5, last=1.0), odd], ignore_index=True)
    [found] = faults(costs, costs)
    assert found[:4] == [cause, 1, ("b",), 2]
    summed = cost.hourly_costs(costs, semantics="rate", currency="EUR")
    assert summed["cost"].sum() == pytest.approx(5.0)


def test_a_step_from_what_is_no_amount_is_no_cost() -> None:
    """A gauge at 500 that is infinite for an hour and then 501: the fall is no reset, and 501 no increase."""
    frame = hours("a", 3, min=500.0, max=501.0, last=501.0, increase=[1.0, np.inf, 501.0], integral=1.8e6)
    frame.loc[1, ["max", "last", "integral"]] = np.inf
    assert cost.hourly_costs(frame, semantics="cumulative", currency="EUR")["cost"].tolist() == [1.0]


def test_a_currency_in_small_letters_is_the_same_currency_and_a_fault() -> None:
    costs = pd.concat([hours("a", 2, currency="EUR"), hours("b", 2, series=2, currency="eur")], ignore_index=True)
    assert [row[:4] for row in faults(costs, costs)] == [["currency", 1, ("b",), 2]]
    assert set(cost.hourly_costs(costs, semantics="rate", currency="EUR")["currency"]) == {"EUR"}


def test_the_last_value_of_a_series_that_ends_is_held_for_one_scrape() -> None:
    """Scrapes each minute, the last at 00:59 and held to 01:04 where no marker says that the process has ended."""
    old, new = hours("a", 1), hours("a", 3, series=2)
    both = pd.concat([old, new], ignore_index=True).assign(samples=60, stale_markers=0, last=1.0)
    both["first_ts"], both["last_ts"] = both["hour"], both["hour"] + pd.Timedelta(minutes=59)
    both.loc[0, "integral"] += 240.0
    end = both["last_ts"].max() + pd.Timedelta(minutes=1)
    assert cost.without_overhang(both, end=end)["integral"].tolist() == [3600.0] * 4
    ended = both.assign(stale_markers=[1, 0, 0, 0])
    assert cost.without_overhang(ended, end=end)["integral"].tolist() == both["integral"].tolist()


def test_so_is_the_last_value_before_a_gap_and_where_everything_ends() -> None:
    """Two days without a scrape: the hour before them cost no more than its own 3600 s, nor does the last of all."""
    frame = hours("a", 4).assign(samples=60, stale_markers=0, last=1.0)
    frame.loc[2:, "hour"] += pd.Timedelta(days=2)
    frame["first_ts"], frame["last_ts"] = frame["hour"], frame["hour"] + pd.Timedelta(minutes=59)
    frame["integral"] = [3600.0, 3840.0, 3600.0, 3840.0]
    end = frame["last_ts"].max() + pd.Timedelta(minutes=30)
    assert cost.without_overhang(frame, end=end)["integral"].tolist() == [3600.0] * 4


def test_no_gauge_has_no_fault() -> None:
    found = cost_faults(hours("a", 0), hours("a", 3), currency="EUR")
    assert found.empty
    assert list(found) == ["cause", "tenants", "examples", "hours", "start", "end", "amount", "currency"]


def costs_of(*rows: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["tenant", "currency", "cost"])


def test_contributions_add_up_to_the_totals_relative_change() -> None:
    """EUR: 100 before, 120 now: a +30 of 100, b -10 of 100. USD from nothing has no relative change."""
    movers = cost.cost_movers(
        costs_of(("a", "EUR", 90.0), ("b", "EUR", 30.0), ("c", "USD", 5.0)),
        costs_of(("a", "EUR", 60.0), ("b", "EUR", 40.0)),
    ).set_index("tenant")
    assert movers["contribution"].to_dict() == pytest.approx({"a": 0.3, "b": -0.1, "c": np.nan}, nan_ok=True)


def test_only_what_the_table_knows_is_exchanged() -> None:
    """10 USD at 0.9 are 9 EUR; with the tenant's 1 EUR they are one row. Nobody gave a rate for JPY."""
    given = costs_of(("a", "EUR", 1.0), ("a", "USD", 10.0), ("b", "JPY", 500.0))
    found = cost.converted(given, {"USD": 0.9}, currency="EUR")
    assert found.to_numpy().tolist() == [["a", "EUR", 10.0], ["b", "JPY", 500.0]]
    assert cost.converted(given, {}, currency="EUR").to_numpy().tolist() == given.to_numpy().tolist()
    assert cost.converted(given.iloc[:0], {"USD": 0.9}, currency="EUR").empty


def test_cost_per_tenant_by_day_and_currency() -> None:
    daily = pd.DataFrame(
        [(START, "a", "EUR", 4.0), (START, "b", "EUR", 2.0), (START, "c", "USD", 5.0)],
        columns=["day", "tenant", "currency", "cost"],
    )
    found = cost_per_tenant(daily)
    assert found[["currency", "tenants", "cost_per_tenant"]].to_numpy().tolist() == [["EUR", 2, 3.0], ["USD", 1, 5.0]]
    assert cost_per_tenant(daily.iloc[:0]).empty


def test_cost_of_groups_names_the_rest() -> None:
    costs = costs_of(("req-1", "EUR", 1.0), ("req-2", "EUR", 2.0), ("acme", "EUR", 7.0))
    found = cost_of_groups(costs, {"req-1": "generated", "req-2": "generated", "nobody": "generated"})
    assert found.to_numpy().tolist() == [["generated", "EUR", 2, 3.0, 0.3], ["all others", "EUR", 1, 7.0, 0.7]]
    assert cost_of_groups(costs.iloc[:0], {}).empty
