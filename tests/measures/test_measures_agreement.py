"""Our costs held against the platform's own windows and bills, by hand: 1 EUR an hour unless it is said otherwise."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from by_hand import at, table
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.ground.window import DAY, Window, parse_window
from cloudxai_analysis.measures import agreement
from cloudxai_analysis.measures.agreement import agreement_counts


def costs(*rows: tuple, currency: str = "EUR") -> pd.DataFrame:
    """One row per (tenant, hour, cost)."""
    return table("tenant hour cost", *rows, currency=currency).astype({"cost": "float64"})


def steady(tenant: str, first: str, last: str, cost: float = 1.0, **more: Any) -> pd.DataFrame:
    """The same cost in every hour from one day to another, both included, as '11-09'."""
    return costs(*[(tenant, hour, cost) for hour in pd.date_range(at(first), at(f"{last} 23:00"), freq="h")], **more)


def gauge(*rows: tuple, label: str = "window", currency: str = "EUR") -> pd.DataFrame:
    """One rollup per (tenant, label's value, time of the last sample, its value)."""
    found = table(f"tenant {label} last_ts last", *rows, currency=currency, samples=30, text=False)
    found = found.assign(hour=found["last_ts"].dt.floor("h"), series_id=range(len(found)))
    return found.astype({label: "category", "currency": "category", "last": "float64"})


def covered(first: str, last: str, but: str = "") -> pd.DataFrame:
    days = pd.date_range(at(first), at(last), freq="D", unit="us")
    return pd.DataFrame({"day": days, "covered": days.strftime("%m-%d") != but})


def held(ours: Any, theirs: pd.DataFrame, days: pd.DataFrame, **more: Any) -> pd.DataFrame:
    ours = pd.concat(ours) if isinstance(ours, list) else ours
    label = "billing_window" if "billing_window" in theirs else "window"
    return agreement.cost_agreement(ours, theirs, days, label=label, **more)


def shown(found: pd.DataFrame) -> list[str]:
    """Midnight, tenant, both costs and the drift: '-' where it is not known."""
    return [
        " ".join([f"{row.at:%m-%d}", row.tenant, *(f"{x:.4g}" for x in (row.ours, row.theirs, row.drift))])
        for row in found.itertuples()
    ]


def daily(*values: tuple[str, float], name: str = "1d", tenant: str = "acme", **more: Any) -> pd.DataFrame:
    """A gauge's value of a minute before midnight, by day."""
    return gauge(*[(tenant, name, f"{day} 23:59", value) for day, value in values], **more)


NINE, ONE = steady("acme", "11-09", "11-09"), daily(("11-09", 24.0))
NINTH, TWO = covered("11-09", "11-09"), covered("11-09", "11-10")
NAMES = ("bolt", 5.0), ("idle", 0.0), ("zero", 0.0)
EXACT = "11-10 acme 24 24 0"
MONTH = daily(("10-31", 24.0), ("11-01", 24.0), ("11-02", 24.0), name="current", label="billing_window")
QUARTER = daily(("10-02", 48.0), name="2026-Q4", label="billing_window")
CASES: dict[str, tuple] = {
    # 2 EUR an hour on the 9th, 3 on the 10th; the gauge says 48 and 80: 80 is 8 too many, drift 72 / 80 − 1.
    "a rolling day": (
        [steady("acme", "11-09", "11-09", 2.0), steady("acme", "11-10", "11-10", 3.0)],
        *(daily(("11-09", 48.0), ("11-10", 80.0)), TWO, ["11-10 acme 48 48 0", "11-11 acme 72 80 -0.1"]),
    ),
    **{
        f"a week as {name} needs seven covered days": (
            *(steady("acme", "11-01", "11-08"), daily(("11-06", 170.0), ("11-07", 160.0), name=name)),
            *(covered("11-01", "11-07"), ["11-07 acme nan 170 nan", "11-08 acme 168 160 0.05"]),
        )
        for name in ("7d", "1w", "168h")
    },
    "a midnight after an uncovered day is not looked at": (
        *(steady("acme", "11-09", "11-11"), daily(("11-09", 24.0), ("11-10", 24.0), ("11-11", 24.0))),
        *(covered("11-09", "11-11", but="11-10"), [EXACT, "11-12 acme 24 24 0"]),
    ),
    # Series of one tenant are added, and those whose process left, or of another hour, are not.
    "several series": (
        NINE,
        gauge(
            *(("acme", "1d", "11-09 23:59", 20.0), ("acme", "1d", "11-09 23:58", 4.0)),
            *(("acme", "1d", "11-09 23:40", 100.0), ("acme", "1d", "11-09 22:59", 100.0)),
        ),
        *(NINTH, [EXACT]),
    ),
    "tenants that one side does not know": (
        [NINE, steady("idle", "11-09", "11-09", 0.0)],
        gauge(*[(name, "1d", "11-09 23:59", value) for name, value in NAMES]),
        *(NINTH, ["11-10 acme 24 nan nan", "11-10 bolt 0 5 -1", "11-10 idle 0 0 0", "11-10 zero 0 0 0"]),
    ),
    "a gauge is not missing before its platform exports it": (
        *(steady("acme", "11-08", "11-10"), ONE, covered("11-08", "11-10"), [EXACT, "11-11 acme 24 nan nan"]),
    ),
    "a cost of which the gauge says 0": (NINE, daily(("11-09", 0.0)), NINTH, ["11-10 acme 24 0 inf"]),
    **{
        f"'{name}' is not of whole days": (NINE, daily(("11-09", 24.0), name=name), NINTH, ["11-10 acme nan 24 nan"])
        for name in ("", "36h", "0d", "=cmd()", "-1d")
    },
    # Only the day that holds it: the sums of later windows are not spoilt.
    **{
        f"{value} is held against nothing": (
            [costs(("acme", "2026-11-09 05:00", value)), steady("acme", "11-10", "11-10")],
            *(daily(("11-09", 24.0), ("11-10", 24.0)), TWO, ["11-10 acme inf 24 nan", "11-11 acme 24 24 0"]),
        )
        for value in (np.inf, np.nan)
    },
    # Of October only two days are known; November has its first and its second.
    "the current month begins anew after its last midnight": (
        *(steady("acme", "10-30", "11-02"), MONTH, covered("10-30", "11-02")),
        ["11-01 acme nan 24 nan", "11-02 acme 24 24 0", "11-03 acme 48 24 1"],
    ),
    "a quarter": (steady("acme", "10-01", "10-02"), QUARTER, covered("10-01", "10-02"), ["10-03 acme 48 48 0"]),
    "no month": (NINE, QUARTER.assign(billing_window="2026-13"), covered("10-02", "10-02"), ["10-03 acme nan 48 nan"]),
    "a tenant that came within the day before": (
        [steady("acme", "11-08", "11-09"), costs(("new", "2026-11-09 20:00", 2.0))],
        pd.concat([ONE, daily(("11-09", 3.0), tenant="new")], ignore_index=True).astype({"tenant": "category"}),
        *(covered("11-08", "11-09"), [EXACT, "11-10 new 2 3 nan"]),
    ),
    "our cost is unknown": (NINE[:0], ONE, NINTH, ["11-10 acme 0 24 -1"]),
    "no gauge": (NINE, ONE[:0], NINTH, []),
    "no day": (NINE, ONE, NINTH[:0], []),
    "no covered day": (NINE, ONE, NINTH.assign(covered=False), []),
    "no sample": (NINE, ONE.assign(samples=0), NINTH, []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_gauge_is_held_against_our_own_costs(case: str) -> None:
    ours, theirs, days, expected = CASES[case]
    found = held(ours, theirs, days)
    assert shown(found) == expected
    assert found["known"].tolist() == [not row.endswith("nan") for row in expected]
    assert agreement_counts(found, label=found.columns[2]).empty == (not expected)


def test_a_month_is_held_against_its_days_so_far_and_at_its_end() -> None:
    # The gauge is 10 % too high. The month's last value is that before the midnight that ends it.
    october = (("10-01", 24 * 1.1), ("10-31", 744 * 1.1), ("11-01", 744 * 1.1))  # still exported after its end
    november = (("10-31", 0.0), ("11-01", 24 * 1.1))  # not begun, and begun
    pairs = ((october, "2026-10"), (november, "2026-11"))
    theirs = pd.concat([daily(*values, name=name, label="billing_window") for values, name in pairs], ignore_index=True)
    found = held(steady("acme", "10-01", "11-02"), theirs, covered("10-01", "11-02"))
    assert shown(found[found["known"]]) == [
        *("10-02 acme 24 26.4 -0.09091", "11-01 acme 744 818.4 -0.09091", "11-02 acme 24 26.4 -0.09091")
    ]
    # At the other 29 midnights of October and the second of November the gauge had nothing to say.
    assert (~found["known"]).sum() == 30


def test_currencies_stay_apart_and_a_gauge_without_one_has_the_contracts() -> None:
    ours = [NINE, steady("acme", "11-09", "11-09", 2.0, currency="USD")]
    theirs = daily(("11-09", 24.0), currency="")
    for one in (theirs, theirs.drop(columns="currency")):
        found = held(ours, one, NINTH, currency="EUR")[["currency", "ours", "known"]]
        assert found.values.tolist() == [["EUR", 24.0, True], ["USD", 48.0, False]]
    assert held(NINE, theirs.assign(last=np.nan), NINTH)["drift"].isna().all()


def test_counts_say_how_many_were_compared_and_where_it_was_worst() -> None:
    ours = [steady(name, "11-09", "11-10") for name in ("acme", "bolt", "coil")]
    rows = [("acme", "1d", 9, 24.0), ("acme", "1d", 10, 20.0), ("bolt", "1d", 9, 32.0), ("acme", "9d", 9, 1.0)]
    theirs = gauge(*[(name, window, f"11-{day:02d} 23:59", value) for name, window, day, value in rows])
    found = held(ours, theirs, TWO)
    day, nine = agreement_counts(found, label="window").to_dict("records")
    # Drifts 0, 0.2 and −0.25. Three tenants at two midnights; bolt's second and both of coil's have no sample.
    assert (day["window"], day["compared"], day["unknown"]) == ("1d", 3, 3)
    assert (day["median"], day["worst"], day["apart"], day["tenant"]) == (0.0, -0.25, 8.0, "bolt")
    assert day["at"] == pd.Timestamp("2026-11-10", tz="UTC")
    assert (nine["compared"], nine["unknown"], nine["tenant"]) == (0, 1, "")
    assert np.isnan([nine["median"], nine["worst"]]).all()
    # Cents are not the worst.
    cents = pd.concat([found, found.iloc[:1].assign(tenant="small", ours=0.02, theirs=0.04, drift=-0.5)])
    assert agreement_counts(cents, label="window")["tenant"].tolist() == ["bolt", ""]


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 23), st.floats(0.01, 1e6)), min_size=1, max_size=40),
    st.integers(1, 4),
)
def test_a_gauge_that_adds_the_same_hours_never_drifts(rows: list, days: int) -> None:
    ours = costs(*[("acme", f"2026-11-{day + 1:02d} {hour:02d}:00", cost) for day, hour, cost in rows])
    sums = [(end, sum(cost for day, _, cost in rows if end - days <= day < end)) for end in range(1, 11)]
    theirs = gauge(*[("acme", f"{days}d", f"11-{end:02d} 23:59", value) for end, value in sums])
    found = held(ours, theirs, covered("11-01", "11-10"))
    known = found[found["known"]]
    assert (len(found), len(known)) == (10, 11 - days)
    assert np.allclose(known["ours"], known["theirs"], rtol=1e-9, atol=1e-6)


def of(**costs: float) -> pd.DataFrame:
    return pd.DataFrame({"tenant": list(costs), "currency": "EUR", "cost": list(costs.values())})


def test_reconciliation_by_hand_and_of_what_stopped_days_ago_nothing() -> None:
    end = parse_window("2026-W46").end
    late = of(a=100.0, b=50.0, c=0.0, d=0.0, gone=7.0, only_there=1.0).assign(at=pd.Timestamp(end))
    late.loc[4, "at"] -= pd.Timedelta(hours=2)
    found = agreement.reconciliation(of(a=103.0, b=40.0, c=2.0, d=0.0, gone=7.0, only_here=1.0), late, end=end)
    assert found["tenant"].tolist() == ["c", "b", "a", "d"]
    assert found["drift"].tolist() == pytest.approx([np.inf, -0.2, 0.03, 0.0])


def test_conservation_shows_the_rest_of_each_bill_that_touches_the_history() -> None:
    week = parse_window("2026-W46")
    hourly = costs(("a", "2026-11-09 00:00", 4.0), ("b", "2026-11-10 06:00", 6.5), ("b", "2026-11-11 12:00", 9.0))
    days = Window(week.start, week.start + 2 * DAY)
    bills = [
        SimpleNamespace(source=source, window=window, currency=currency, amount=12.0)
        for source, window, currency in (("x", days, "EUR"), ("y", days, "USD"), ("z", parse_window("2025-01"), "EUR"))
    ]
    seen = covered("11-09", "11-10").assign(coverage=[1.0, 0.5])
    found = agreement.conservation(hourly, seen, bills, week)
    assert found.drop(columns=["start", "end"]).values.tolist() == [
        ["x", "EUR", 10.5, 12.0, 1.5, 0.75],
        ["y", "USD", 0.0, 12.0, 12.0, 0.75],
    ]
