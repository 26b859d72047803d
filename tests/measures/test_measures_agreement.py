"""The platform's cost windows against ours, by hand: 1 EUR an hour is 24 a day."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.measures.agreement import (
    NO_SAMPLE,
    NOT_COVERED,
    UNREADABLE,
    YOUNG,
    agreement_counts,
    billing_agreement,
    rolling_agreement,
)

TYPES = {"tenant": "str", "currency": "str", "hour": "datetime64[us, UTC]", "cost": "float64"}


def costs_of(*rows, currency="EUR"):
    """One row per (tenant, hour, cost)."""
    frame = pd.DataFrame(rows, columns=["tenant", "hour", "cost"]).assign(currency=currency)
    return frame.assign(hour=pd.to_datetime(frame["hour"], utc=True, format="ISO8601")).astype(TYPES)


def steady(tenant, first, last, cost=1.0, **more):
    """The same cost in every hour from the day `first` ('11-09') to the day `last`, both included."""
    hours = pd.date_range(f"2026-{first}", f"2026-{last} 23:00", freq="h", tz="UTC")
    return costs_of(*[(tenant, hour.isoformat(), cost) for hour in hours], **more)


def gauge_of(*rows, label="window", currency="EUR"):
    """One rollup per (tenant, label's value, day and maybe time of the last sample, its value)."""
    frame = pd.DataFrame(rows, columns=["tenant", label, "last_ts", "last"]).astype({"last": "float64"})
    texts = [f"2026-{text}" if ":" in text else f"2026-{text} 23:59" for text in frame["last_ts"]]
    frame["last_ts"] = pd.to_datetime(pd.Series(texts, dtype="object"), utc=True).astype(TYPES["hour"])
    frame = frame.assign(
        hour=frame["last_ts"].dt.floor("h"), samples=30, series_id=range(len(frame)), currency=currency
    )
    return frame.astype({"tenant": "category", label: "category", "currency": "category"})


def covered_of(first, last, but=""):
    days = pd.Series(pd.date_range(f"2026-{first}", f"2026-{last}", freq="D", tz="UTC").as_unit("us"))
    return pd.DataFrame({"day": days, "covered": days.dt.strftime("%m-%d") != but})


def shown(frame):
    """The rows without the currency, midnights as month and day."""
    values = frame.assign(at=frame["at"].dt.strftime("%m-%d")).drop(columns="currency")
    return values.astype("object").where(values.notna(), None).values.tolist()


ACME, ACME2, NINTH = (
    steady("acme", "11-09", "11-09"),
    steady("acme", "11-09", "11-09", 2.0),
    covered_of("11-09", "11-09"),
)


@pytest.mark.parametrize(
    ("ours", "gauge", "expected"),
    [
        # Series of one tenant are added; those whose process left, or of another hour, are not.
        (
            ACME,
            [
                *(("acme", "1d", "11-09 23:59", 20), ("acme", "1d", "11-09 23:58", 4)),
                *(("acme", "1d", "11-09 23:40", 100), ("acme", "1d", "11-09 22:59", 100)),
            ],
            [["11-10", "acme", "1d", 24.0, 24.0, 0.0, ""]],
        ),
        # Tenants that one side does not know.
        (
            pd.concat([ACME, steady("idle", "11-09", "11-09", 0.0)]),
            [("bolt", "1d", "11-09", 5), ("idle", "1d", "11-09", 0), ("zero", "1d", "11-09", 0)],
            [
                ["11-10", "acme", "1d", 24.0, None, None, NO_SAMPLE],
                ["11-10", "bolt", "1d", 0.0, 5.0, -1.0, ""],
                ["11-10", "idle", "1d", 0.0, 0.0, 0.0, ""],
                ["11-10", "zero", "1d", 0.0, 0.0, 0.0, ""],
            ],
        ),
        (ACME, [("acme", "1d", "11-09", 0)], [["11-10", "acme", "1d", 24.0, 0.0, np.inf, ""]]),
        (ACME[:0], [("acme", "1d", "11-09", 24)], [["11-10", "acme", "1d", 0.0, 24.0, -1.0, ""]]),
        *(
            (ACME, [("acme", name, "11-09", 24)], [["11-10", "acme", name, None, 24.0, None, UNREADABLE]])
            for name in ("", "36h", "0d", "d", "7 days", "=cmd()", "-1d")
        ),
    ],
)
def test_one_midnight(ours, gauge, expected):
    assert shown(rolling_agreement(ours, gauge_of(*gauge), NINTH)) == expected


def test_a_rolling_day_is_the_24_hours_before_midnight():
    # 2 EUR an hour on the 9th, 3 on the 10th; the gauge says 48 and 80: 80 is 8 too many, drift 72 / 80 − 1.
    ours, gauge = pd.concat([ACME2, steady("acme", "11-10", "11-10", 3.0)]), [("acme", "1d", "11-09", 48)]
    held = rolling_agreement(ours, gauge_of(*gauge, ("acme", "1d", "11-10", 80)), covered_of("11-09", "11-10"))
    assert shown(held) == [
        ["11-10", "acme", "1d", 48.0, 48.0, 0.0, ""],
        ["11-11", "acme", "1d", 72.0, 80.0, pytest.approx(-0.1), ""],
    ]
    assert held["at"].iloc[0] == pd.Timestamp("2026-11-10", tz="UTC")


@pytest.mark.parametrize("name", ["7d", "1w", "168h"])
def test_a_week_needs_seven_covered_days(name):
    ours, gauge = steady("acme", "11-01", "11-08"), gauge_of(*[("acme", name, f"11-0{day}", 170) for day in (6, 7, 8)])
    held = rolling_agreement(ours, gauge, covered_of("11-01", "11-08"))
    assert shown(held) == [
        ["11-07", "acme", name, None, 170.0, None, NOT_COVERED],
        ["11-08", "acme", name, 168.0, 170.0, pytest.approx(168 / 170 - 1), ""],
        ["11-09", "acme", name, 168.0, 170.0, pytest.approx(168 / 170 - 1), ""],
    ]
    gap = rolling_agreement(ours, gauge, covered_of("11-01", "11-08", but="11-01"))
    assert gap["unknown"].tolist() == [NOT_COVERED, NOT_COVERED, ""]


def test_midnights_after_an_uncovered_day_and_before_the_first_sample_are_not_looked_at():
    ours, gauge = steady("acme", "11-08", "11-12"), [("acme", "1d", f"11-{day}", 24) for day in ("09", "10", "12")]
    held = rolling_agreement(ours, gauge_of(*gauge), covered_of("11-08", "11-12", but="11-10"))
    assert held["at"].dt.day.tolist() == [10, 12, 13]
    assert held["unknown"].tolist() == ["", NO_SAMPLE, ""]


def test_currencies_stay_apart_and_a_gauge_without_one_has_the_contracts():
    ours = pd.concat([ACME, steady("acme", "11-09", "11-09", 2.0, currency="USD")])
    gauge = gauge_of(("acme", "1d", "11-09", 24), currency="")
    for one in (gauge, gauge.drop(columns="currency")):
        held = rolling_agreement(ours, one, NINTH, currency="EUR")
        assert held[["currency", "ours", "unknown"]].values.tolist() == [["EUR", 24.0, ""], ["USD", 48.0, NO_SAMPLE]]


@pytest.mark.parametrize("value", [np.inf, np.nan, -np.inf])
def test_a_gauge_that_is_not_finite_is_held_against_nothing(value):
    assert rolling_agreement(ACME, gauge_of(("acme", "1d", "11-09", value)), NINTH)["drift"].isna().all()


def test_a_month_is_held_against_its_days_so_far_and_at_its_end():
    # 1 EUR an hour; the gauge is 10 % too high. The month's last value is that before the midnight that ends it.
    rows = [
        *(("acme", "2026-10", "10-01", 24 * 1.1), ("acme", "2026-10", "10-31", 744 * 1.1)),
        ("acme", "2026-10", "11-01", 744 * 1.1),  # still exported: not this window's any more
        *(("acme", "2026-11", "10-31", 0.0), ("acme", "2026-11", "11-01", 24 * 1.1)),  # not begun, and begun
    ]
    gauge = gauge_of(*rows, label="billing_window")
    held = billing_agreement(steady("acme", "10-01", "11-02"), gauge, covered_of("10-01", "11-02"))
    drift = pytest.approx(1 / 1.1 - 1)
    assert shown(held[held["unknown"] == ""]) == [
        ["10-02", "acme", "2026-10", 24.0, pytest.approx(26.4), drift, ""],
        ["11-01", "acme", "2026-10", 744.0, pytest.approx(818.4), drift, ""],
        ["11-02", "acme", "2026-11", 24.0, pytest.approx(26.4), drift, ""],
    ]
    # At the other 29 midnights of October and the second of November the gauge had nothing to say.
    assert held["unknown"].value_counts().to_dict() == {NO_SAMPLE: 30, "": 3}


def test_the_current_month_begins_anew_after_its_last_midnight():
    gauge = [("acme", "current", day, 24) for day in ("10-31", "11-01", "11-02")]
    gauge = gauge_of(*gauge, label="billing_window")
    held = billing_agreement(steady("acme", "10-30", "11-02"), gauge, covered_of("10-30", "11-02"))
    # Of October only two days are known; November has its first and its second.
    assert held[["ours", "unknown"]].fillna(-1).values.tolist() == [[-1, NOT_COVERED], [24.0, ""], [48.0, ""]]


def test_quarters_are_windows_and_a_wrong_name_is_unknown():
    gauge = gauge_of(*[("acme", name, "10-02", 48) for name in ("2026-Q4", "2026-13")], label="billing_window")
    held = billing_agreement(steady("acme", "10-01", "10-02"), gauge, covered_of("10-01", "10-02"))
    assert shown(held[held["at"].dt.day == 3]) == [
        ["10-03", "acme", "2026-13", None, 48.0, None, UNREADABLE],
        ["10-03", "acme", "2026-Q4", 48.0, 48.0, 0.0, ""],
    ]


def test_nothing_on_either_side_is_no_row_of_the_right_types():
    gauge = gauge_of(("acme", "1d", "11-09", 24))
    full = rolling_agreement(ACME, gauge, NINTH)
    for one, covered in ((gauge[:0], NINTH), (gauge, NINTH[:0]), (gauge, NINTH.assign(covered=False))):
        held = rolling_agreement(ACME, one, covered)
        assert held.empty
        assert held.dtypes.equals(full.dtypes)
        assert agreement_counts(held, window_label="window").empty
    assert rolling_agreement(ACME, gauge.assign(samples=0), NINTH).empty


def test_counts_say_how_many_were_compared_and_where_it_was_worst():
    ours = pd.concat([steady(name, "11-09", "11-10") for name in ("acme", "bolt", "coil")])
    rows = [("acme", "1d", "11-09", 24), ("acme", "1d", "11-10", 20), ("bolt", "1d", "11-09", 32)]  # drift 0.2, −0.25
    held = rolling_agreement(ours, gauge_of(*rows, ("acme", "9d", "11-09", 1)), covered_of("11-09", "11-10"))
    day, nine = agreement_counts(held, window_label="window").drop(columns=["currency", "apart"]).values.tolist()
    # Three tenants at two midnights; bolt's second and both of coil's have no sample.
    assert day == ["1d", 3, 3, 0.0, -0.25, "bolt", pd.Timestamp("2026-11-10", tz="UTC")]
    assert nine[:3] == ["9d", 0, 1]
    assert np.isnan(nine[3])


def test_a_tenant_that_came_within_the_day_before_is_not_held_and_cents_are_not_the_worst():
    ours = pd.concat([steady("acme", "11-08", "11-09"), costs_of(("new", "2026-11-09 20:00", 2.0))])
    rows = [("acme", "1d", "11-08", 25), ("acme", "1d", "11-09", 24), ("new", "1d", "11-09", 3)]
    held = rolling_agreement(ours, gauge_of(*rows), covered_of("11-08", "11-09"))
    assert held["unknown"].tolist() == ["", "", YOUNG]
    cents = pd.concat([held, held.iloc[:1].assign(tenant="small", ours=0.02, theirs=0.04, drift=-0.5)])
    [row] = agreement_counts(cents, window_label="window").to_dict("records")
    assert (row["tenant"], row["apart"], row["worst"]) == ("acme", 1.0, pytest.approx(24 / 25 - 1))


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 23), st.floats(0.01, 1e6)), min_size=1, max_size=40),
    st.integers(1, 4),
)
def test_a_gauge_that_adds_the_same_hours_never_drifts(rows, days):
    ours = costs_of(*[("acme", f"2026-11-{day + 1:02d} {hour:02d}:00", cost) for day, hour, cost in rows])
    sums = {end: sum(cost for day, _, cost in rows if end - days <= day < end) for end in range(1, 11)}
    gauge = gauge_of(*[("acme", f"{days}d", f"11-{end:02d}", total) for end, total in sums.items()])
    held = rolling_agreement(ours, gauge, covered_of("11-01", "11-10"))
    known = held[held["unknown"] == ""]
    assert (len(held), len(known)) == (10, 11 - days)
    assert np.allclose(known["ours"], known["theirs"], rtol=1e-9, atol=1e-6)
