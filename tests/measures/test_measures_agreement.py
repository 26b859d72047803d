"""The platform's own cost windows held against ours, by hand: 1 EUR an hour unless it is said otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.measures import agreement
from cloudxai_analysis.measures.agreement import NO_SAMPLE, NOT_COVERED, NOT_FINITE, UNREADABLE, YOUNG, agreement_counts

TYPES = {"tenant": "str", "currency": "str", "hour": "datetime64[us, UTC]", "cost": "float64"}


def utc(times: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(list(times), utc=True, format="ISO8601")).as_unit("us")


def costs(*rows: tuple, currency: str = "EUR") -> pd.DataFrame:
    """One row per (tenant, hour, cost)."""
    found = pd.DataFrame(rows, columns=["tenant", "hour", "cost"])
    return found.assign(hour=utc(found["hour"]), currency=currency).astype(TYPES)


def steady(tenant: str, first: str, last: str, cost: float = 1.0, **more: Any) -> pd.DataFrame:
    """The same cost in every hour from one day to another, both included, as '11-09'."""
    hours = pd.date_range(f"2026-{first}", f"2026-{last} 23:00", freq="h", tz="UTC")
    return costs(*[(tenant, hour.isoformat(), cost) for hour in hours], **more)


def gauge(*rows: tuple, label: str = "window", currency: str = "EUR") -> pd.DataFrame:
    """One rollup per (tenant, label's value, time of the last sample, its value)."""
    found = pd.DataFrame(rows, columns=["tenant", label, "last_ts", "last"])
    times = utc(f"2026-{time}" for time in found["last_ts"])
    found = found.assign(
        last_ts=times, hour=times.floor("h"), samples=30, series_id=range(len(found)), currency=currency
    )
    return found.astype({"tenant": "category", label: "category", "currency": "category", "last": "float64"})


def covered(first: str, last: str, but: str = "") -> pd.DataFrame:
    days = pd.date_range(f"2026-{first}", f"2026-{last}", freq="D", tz="UTC").as_unit("us")
    return pd.DataFrame({"day": days, "covered": days.strftime("%m-%d") != but})


def held(ours: Any, theirs: pd.DataFrame, days: pd.DataFrame, **more: Any) -> pd.DataFrame:
    ours = pd.concat(ours) if isinstance(ours, list) else ours
    label = "billing_window" if "billing_window" in theirs else "window"
    return agreement.cost_agreement(ours, theirs, days, label=label, **more)


def shown(found: pd.DataFrame) -> list[list]:
    """The rows without the currency, midnights as month and day."""
    values = found.assign(at=found["at"].dt.strftime("%m-%d")).drop(columns="currency")
    return values.astype("object").where(values.notna(), None).values.tolist()


DAY, ONE = steady("acme", "11-09", "11-09"), ("acme", "1d", "11-09 23:59", 24.0)
NINTH = covered("11-09", "11-09")
WEEK = steady("acme", "11-01", "11-08")
DRIFT = pytest.approx(168 / 170 - 1)
CASES: dict[str, tuple] = {
    # 2 EUR an hour on the 9th, 3 on the 10th; the gauge says 48 and 80: 80 is 8 too many, drift 72 / 80 − 1.
    "a rolling day": (
        [steady("acme", "11-09", "11-09", 2.0), steady("acme", "11-10", "11-10", 3.0)],
        gauge(("acme", "1d", "11-09 23:59:30", 48.0), ("acme", "1d", "11-10 23:59:30", 80.0)),
        covered("11-09", "11-10"),
        [["11-10", "acme", "1d", 48.0, 48.0, 0.0, ""], ["11-11", "acme", "1d", 72.0, 80.0, pytest.approx(-0.1), ""]],
    ),
    **{
        f"a week as {name} needs seven covered days": (
            WEEK,
            gauge(*[("acme", name, f"11-{day:02d} 23:59", 170.0) for day in range(6, 9)]),
            covered("11-01", "11-08"),
            [
                ["11-07", "acme", name, None, 170.0, None, NOT_COVERED],
                ["11-08", "acme", name, 168.0, 170.0, DRIFT, ""],
                ["11-09", "acme", name, 168.0, 170.0, DRIFT, ""],
            ],
        )
        for name in ("7d", "1w", "168h")
    },
    "a gap in it": (
        WEEK,
        gauge(*[("acme", "7d", f"11-{day:02d} 23:59", 170.0) for day in (7, 8)]),
        covered("11-01", "11-08", but="11-01"),
        [["11-08", "acme", "7d", None, 170.0, None, NOT_COVERED], ["11-09", "acme", "7d", 168.0, 170.0, DRIFT, ""]],
    ),
    "a midnight after an uncovered day is not looked at": (
        steady("acme", "11-09", "11-11"),
        gauge(*[("acme", "1d", f"11-{day} 23:59", 24.0) for day in (9, 10, 11)]),
        covered("11-09", "11-11", but="11-10"),
        [["11-10", "acme", "1d", 24.0, 24.0, 0.0, ""], ["11-12", "acme", "1d", 24.0, 24.0, 0.0, ""]],
    ),
    # Series of one tenant are added, and those whose process left, or of another hour, are not.
    "several series": (
        DAY,
        gauge(
            *(("acme", "1d", "11-09 23:59", 20.0), ("acme", "1d", "11-09 23:58", 4.0)),
            *(("acme", "1d", "11-09 23:40", 100.0), ("acme", "1d", "11-09 22:59", 100.0)),
        ),
        NINTH,
        [["11-10", "acme", "1d", 24.0, 24.0, 0.0, ""]],
    ),
    "tenants that one side does not know": (
        [DAY, steady("idle", "11-09", "11-09", 0.0)],
        gauge(*[(name, "1d", "11-09 23:59", value) for name, value in (("bolt", 5.0), ("idle", 0.0), ("zero", 0))]),
        NINTH,
        [
            ["11-10", "acme", "1d", 24.0, None, None, NO_SAMPLE],
            ["11-10", "bolt", "1d", 0.0, 5.0, -1.0, ""],
            ["11-10", "idle", "1d", 0.0, 0.0, 0.0, ""],
            ["11-10", "zero", "1d", 0.0, 0.0, 0.0, ""],
        ],
    ),
    "a gauge is not missing before its platform exports it": (
        steady("acme", "11-08", "11-11"),
        gauge(ONE, ("acme", "1d", "11-11 23:59", 24.0)),
        covered("11-08", "11-11"),
        [
            ["11-10", "acme", "1d", 24.0, 24.0, 0.0, ""],
            ["11-11", "acme", "1d", 24.0, None, None, NO_SAMPLE],
            ["11-12", "acme", "1d", 24.0, 24.0, 0.0, ""],
        ],
    ),
    "a cost of which the gauge says 0": (
        DAY,
        gauge(("acme", "1d", "11-09 23:59", 0.0)),
        NINTH,
        [["11-10", "acme", "1d", 24.0, 0.0, np.inf, ""]],
    ),
    **{
        f"'{name}' is not of whole days": (
            DAY,
            gauge(("acme", name, "11-09 23:59", 24.0)),
            NINTH,
            [["11-10", "acme", name, None, 24.0, None, UNREADABLE]],
        )
        for name in ("", "36h", "0d", "d", "7 days", "=cmd()", "-1d")
    },
    # Only the day that holds it: the sums of later windows are not spoilt.
    **{
        f"{value} is held against nothing": (
            [costs(("acme", "2026-11-09 05:00", value)), steady("acme", "11-10", "11-10")],
            gauge(ONE, ("acme", "1d", "11-10 23:59", 24.0)),
            covered("11-09", "11-10"),
            [["11-10", "acme", "1d", np.inf, 24.0, None, NOT_FINITE], ["11-11", "acme", "1d", 24.0, 24.0, 0.0, ""]],
        )
        for value in (np.inf, np.nan, -np.inf)
    },
    # Of October only two days are known; November has its first and its second.
    "the current month begins anew after its last midnight": (
        steady("acme", "10-30", "11-02"),
        gauge(
            *[("acme", "current", f"{day} 23:59", 24.0) for day in ("10-31", "11-01", "11-02")], label="billing_window"
        ),
        covered("10-30", "11-02"),
        [
            ["11-01", "acme", "current", None, 24.0, None, NOT_COVERED],
            ["11-02", "acme", "current", 24.0, 24.0, 0.0, ""],
            ["11-03", "acme", "current", 48.0, 24.0, 1.0, ""],
        ],
    ),
    "quarters, and a wrong name": (
        steady("acme", "10-01", "10-02"),
        gauge(*[("acme", name, "10-02 23:59", 48.0) for name in ("2026-Q4", "2026-13")], label="billing_window"),
        covered("10-02", "10-02"),
        [
            ["10-03", "acme", "2026-13", None, 48.0, None, UNREADABLE],
            ["10-03", "acme", "2026-Q4", None, 48.0, None, NOT_COVERED],
        ],
    ),
    "a tenant that came within the day before": (
        [steady("acme", "11-08", "11-09"), costs(("new", "2026-11-09 20:00", 2.0))],
        gauge(ONE, ("new", "1d", "11-09 23:59", 3.0)),
        covered("11-08", "11-09"),
        [["11-10", "acme", "1d", 24.0, 24.0, 0.0, ""], ["11-10", "new", "1d", 2.0, 3.0, None, YOUNG]],
    ),
    "our cost is unknown": (DAY[:0], gauge(ONE), NINTH, [["11-10", "acme", "1d", 0.0, 24.0, -1.0, ""]]),
    "no gauge": (DAY, gauge(ONE)[:0], NINTH, []),
    "no day": (DAY, gauge(ONE), NINTH[:0], []),
    "no covered day": (DAY, gauge(ONE), NINTH.assign(covered=False), []),
    "no sample": (DAY, gauge(ONE).assign(samples=0), NINTH, []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_gauge_is_held_against_our_own_costs(case: str) -> None:
    ours, theirs, days, expected = CASES[case]
    found = held(ours, theirs, days)
    assert shown(found) == expected
    assert found.dtypes.astype(str).tolist() == ["datetime64[us, UTC]", *["str"] * 3, *["float64"] * 3, "str"]
    assert agreement_counts(found, label=found.columns[2]).empty == (not expected)


def test_a_month_is_held_against_its_days_so_far_and_at_its_end() -> None:
    # The gauge is 10 % too high. The month's last value is that before the midnight that ends it.
    rows = [
        *(("2026-10", "10-01", 24 * 1.1), ("2026-10", "10-31", 744 * 1.1)),
        ("2026-10", "11-01", 744 * 1.1),  # still exported: not this window's any more
        *(("2026-11", "10-31", 0.0), ("2026-11", "11-01", 24 * 1.1)),  # not begun, and begun
    ]
    theirs = gauge(*(("acme", name, f"{day} 23:59", value) for name, day, value in rows), label="billing_window")
    found = held(steady("acme", "10-01", "11-02"), theirs, covered("10-01", "11-02"))
    drift = pytest.approx(1 / 1.1 - 1)
    assert shown(found[found["unknown"] == ""]) == [
        ["10-02", "acme", "2026-10", 24.0, pytest.approx(26.4), drift, ""],
        ["11-01", "acme", "2026-10", 744.0, pytest.approx(818.4), drift, ""],
        ["11-02", "acme", "2026-11", 24.0, pytest.approx(26.4), drift, ""],
    ]
    # At the other 29 midnights of October and the second of November the gauge had nothing to say.
    assert found["unknown"].value_counts().to_dict() == {NO_SAMPLE: 30, "": 3}


def test_currencies_stay_apart_and_a_gauge_without_one_has_the_contracts() -> None:
    ours = [DAY, steady("acme", "11-09", "11-09", 2.0, currency="USD")]
    theirs = gauge(ONE, currency="")
    for one in (theirs, theirs.drop(columns="currency")):
        found = held(ours, one, NINTH, currency="EUR")[["currency", "ours", "unknown"]]
        assert found.values.tolist() == [["EUR", 24.0, ""], ["USD", 48.0, NO_SAMPLE]]
    assert held(DAY, theirs.assign(last=np.nan), NINTH)["drift"].isna().all()


def test_counts_say_how_many_were_compared_and_where_it_was_worst() -> None:
    ours = [steady(name, "11-09", "11-10") for name in ("acme", "bolt", "coil")]
    rows = [
        ("acme", "1d", "11-10 23:59", 20.0),
        ("bolt", "1d", "11-09 23:59", 32.0),
        ("acme", "9d", "11-09 23:59", 1.0),
    ]
    found = held(ours, gauge(ONE, *rows), covered("11-09", "11-10"))
    day, nine = agreement_counts(found, label="window").to_dict("records")
    # Drifts 0, 0.2 and −0.25. Three tenants at two midnights; bolt's second and both of coil's have no sample.
    assert (day["window"], day["compared"], day["unknown"]) == ("1d", 3, 3)
    assert (day["median"], day["worst"], day["apart"], day["tenant"]) == (0.0, -0.25, 8.0, "bolt")
    assert day["at"] == pd.Timestamp("2026-11-10", tz="UTC")
    assert (nine["compared"], nine["unknown"], nine["tenant"]) == (0, 1, "")
    assert np.isnan(nine["median"])
    assert np.isnan(nine["worst"])
    # Cents are not the worst.
    cents = pd.concat([found, found.iloc[:1].assign(tenant="small", ours=0.02, theirs=0.04, drift=-0.5)])
    assert agreement_counts(cents, label="window")["tenant"].tolist() == ["bolt", ""]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 23), st.floats(0.01, 1e6)), min_size=1, max_size=40),
    st.integers(1, 4),
)
def test_a_gauge_that_adds_the_same_hours_never_drifts(rows: list, days: int) -> None:
    ours = costs(*[("acme", f"2026-11-{day + 1:02d} {hour:02d}:00", cost) for day, hour, cost in rows])
    sums = [(end, sum(cost for day, _, cost in rows if end - days <= day < end)) for end in range(1, 11)]
    theirs = gauge(*[("acme", f"{days}d", f"11-{end:02d} 23:59", value) for end, value in sums])
    found = held(ours, theirs, covered("11-01", "11-10"))
    assert len(found) == 10
    known = found[found["unknown"] == ""]
    assert len(known) == 11 - days
    assert np.allclose(known["ours"], known["theirs"], rtol=1e-9, atol=1e-6)
