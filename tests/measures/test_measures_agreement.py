import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.measures import agreement
from cloudxai_analysis.measures.agreement import agreement_counts, billing_agreement, rolling_agreement

NO_COSTS = {"tenant": "str", "currency": "str", "hour": "datetime64[us, UTC]", "cost": "float64"}


def utc(times):
    return pd.DatetimeIndex(pd.to_datetime(list(times), utc=True, format="ISO8601")).as_unit("us")


def costs_of(*rows):
    """One row per (tenant, hour, cost)."""
    frame = pd.DataFrame(rows, columns=["tenant", "hour", "cost"])
    frame["hour"] = utc(frame["hour"])
    return frame.assign(currency="EUR").astype(NO_COSTS)


def steady(tenant, first, last, cost):
    """The same cost in every hour from the day `first` to the day `last`, both included."""
    hours = pd.date_range(first, f"{last} 23:00", freq="h", tz="UTC")
    return costs_of(*[(tenant, hour.isoformat(), cost) for hour in hours])


def gauge_of(*rows, label="window", currency="EUR"):
    """One rollup per (tenant, label's value, time of the last sample, its value)."""
    frame = pd.DataFrame(rows, columns=["tenant", label, "last_ts", "last"])
    frame["last_ts"] = utc(frame["last_ts"])
    frame["hour"] = frame["last_ts"].dt.floor("h")
    frame["last"] = frame["last"].astype("float64")
    frame = frame.assign(samples=30, series_id=range(len(frame)), currency=currency)
    return frame.astype({"tenant": "category", label: "category", "currency": "category"})


def covered_of(first, last, but=()):
    days = pd.date_range(first, last, freq="D", tz="UTC").as_unit("us")
    return pd.DataFrame({"day": days, "covered": ~days.isin(utc(list(but)))})


def shown(frame):
    """The rows without the currency, midnights as month and day."""
    values = frame.assign(at=frame["at"].dt.strftime("%m-%d")).drop(columns="currency")
    return values.astype("object").where(values.notna(), None).values.tolist()


def test_a_rolling_day_is_the_24_hours_before_midnight():
    # 2 EUR an hour on the 9th, 3 on the 10th; the gauge says 48 and 80: 80 is 8 too many, drift 72 / 80 − 1.
    ours = pd.concat([steady("acme", "2026-11-09", "2026-11-09", 2.0), steady("acme", "2026-11-10", "2026-11-10", 3.0)])
    gauge = gauge_of(("acme", "1d", "2026-11-09 23:59:30", 48.0), ("acme", "1d", "2026-11-10 23:59:30", 80.0))
    held = rolling_agreement(ours, gauge, covered_of("2026-11-09", "2026-11-10"))
    assert shown(held) == [
        ["11-10", "acme", "1d", 48.0, 48.0, 0.0, ""],
        ["11-11", "acme", "1d", 72.0, 80.0, pytest.approx(-0.1), ""],
    ]
    assert held["at"].tolist() == [pd.Timestamp("2026-11-10", tz="UTC"), pd.Timestamp("2026-11-11", tz="UTC")]


@pytest.mark.parametrize("name", ["7d", "1w", "168h"])
def test_a_week_needs_seven_covered_days(name):
    ours = steady("acme", "2026-11-01", "2026-11-08", 1.0)
    gauge = gauge_of(*[("acme", name, f"2026-11-{day:02d} 23:59", 170.0) for day in range(6, 9)])
    held = rolling_agreement(ours, gauge, covered_of("2026-11-01", "2026-11-08"))
    assert shown(held) == [
        ["11-07", "acme", name, None, 170.0, None, agreement.NOT_COVERED],
        ["11-08", "acme", name, 168.0, 170.0, pytest.approx(168 / 170 - 1), ""],
        ["11-09", "acme", name, 168.0, 170.0, pytest.approx(168 / 170 - 1), ""],
    ]
    gap = rolling_agreement(ours, gauge, covered_of("2026-11-01", "2026-11-08", but=["2026-11-01"]))
    assert gap["unknown"].tolist() == [agreement.NOT_COVERED, agreement.NOT_COVERED, ""]


def test_a_midnight_after_an_uncovered_day_is_not_looked_at():
    ours = steady("acme", "2026-11-09", "2026-11-11", 1.0)
    gauge = gauge_of(*[("acme", "1d", f"2026-11-{day} 23:59", 24.0) for day in (9, 10, 11)])
    held = rolling_agreement(ours, gauge, covered_of("2026-11-09", "2026-11-11", but=["2026-11-10"]))
    assert held["at"].dt.day.tolist() == [10, 12]
    assert held["drift"].tolist() == [0.0, 0.0]


def test_series_of_one_tenant_are_added_and_those_that_ended_are_not():
    ours = steady("acme", "2026-11-09", "2026-11-09", 1.0)
    gauge = gauge_of(
        ("acme", "1d", "2026-11-09 23:59", 20.0),
        ("acme", "1d", "2026-11-09 23:58", 4.0),
        ("acme", "1d", "2026-11-09 23:40", 100.0),  # its process left
        ("acme", "1d", "2026-11-09 22:59", 100.0),  # another hour
    )
    held = rolling_agreement(ours, gauge, covered_of("2026-11-09", "2026-11-09"))
    assert shown(held) == [["11-10", "acme", "1d", 24.0, 24.0, 0.0, ""]]
    late = rolling_agreement(ours, gauge, covered_of("2026-11-09", "2026-11-09"), late_minutes=20)
    assert late["theirs"].tolist() == [124.0]


def test_tenants_that_one_side_does_not_know():
    ours = pd.concat([steady("acme", "2026-11-09", "2026-11-09", 1.0), steady("idle", "2026-11-09", "2026-11-09", 0.0)])
    gauge = gauge_of(
        ("bolt", "1d", "2026-11-09 23:59", 5.0),
        ("idle", "1d", "2026-11-09 23:59", 0.0),
        ("zero", "1d", "2026-11-09 23:59", 0),
    )
    held = rolling_agreement(ours, gauge, covered_of("2026-11-09", "2026-11-09"))
    assert shown(held) == [
        ["11-10", "acme", "1d", 24.0, None, None, agreement.NO_SAMPLE],
        ["11-10", "bolt", "1d", 0.0, 5.0, -1.0, ""],
        ["11-10", "idle", "1d", 0.0, 0.0, 0.0, ""],
        ["11-10", "zero", "1d", 0.0, 0.0, 0.0, ""],
    ]


def test_a_gauge_is_not_missing_before_its_platform_exports_it():
    ours = steady("acme", "2026-11-08", "2026-11-11", 1.0)
    gauge = gauge_of(("acme", "1d", "2026-11-09 23:59", 24.0), ("acme", "1d", "2026-11-11 23:59", 24.0))
    held = rolling_agreement(ours, gauge, covered_of("2026-11-08", "2026-11-11"))
    assert held["at"].dt.day.tolist() == [10, 11, 12]
    assert held["unknown"].tolist() == ["", agreement.NO_SAMPLE, ""]


def test_a_cost_of_which_the_gauge_says_0_drifts_without_end():
    ours = steady("acme", "2026-11-09", "2026-11-09", 1.0)
    held = rolling_agreement(
        ours, gauge_of(("acme", "1d", "2026-11-09 23:59", 0.0)), covered_of("2026-11-09", "2026-11-09")
    )
    assert held["drift"].tolist() == [np.inf]


def test_currencies_stay_apart_and_a_gauge_without_one_has_the_contracts():
    ours = pd.concat([steady("acme", "2026-11-09", "2026-11-09", 1.0), steady("acme", "2026-11-09", "2026-11-09", 2.0)])
    ours["currency"] = ["EUR"] * 24 + ["USD"] * 24
    gauge = gauge_of(("acme", "1d", "2026-11-09 23:59", 24.0), currency="")
    for one in (gauge, gauge.drop(columns="currency")):
        held = rolling_agreement(ours, one, covered_of("2026-11-09", "2026-11-09"), currency="EUR")
        assert held[["currency", "ours", "unknown"]].values.tolist() == [
            ["EUR", 24.0, ""],
            ["USD", 48.0, agreement.NO_SAMPLE],
        ]


@pytest.mark.parametrize("name", ["", "36h", "0d", "d", "7 days", "=cmd()", "-1d"])
def test_a_window_that_is_not_of_whole_days_is_unknown(name):
    ours = steady("acme", "2026-11-09", "2026-11-09", 1.0)
    held = rolling_agreement(
        ours, gauge_of(("acme", name, "2026-11-09 23:59", 24.0)), covered_of("2026-11-09", "2026-11-09")
    )
    assert shown(held) == [["11-10", "acme", name, None, 24.0, None, agreement.UNREADABLE]]


@pytest.mark.parametrize("value", [np.inf, np.nan, -np.inf])
def test_a_gauge_that_is_not_finite_is_held_against_nothing(value):
    ours, covered = steady("acme", "2026-11-09", "2026-11-09", 1.0), covered_of("2026-11-09", "2026-11-09")
    assert rolling_agreement(ours, gauge_of(("acme", "1d", "2026-11-09 23:59", value)), covered)["drift"].isna().all()


def test_a_month_is_held_against_its_days_so_far_and_at_its_end():
    # 1 EUR an hour; the gauge is 10 % too high. The month's last value is that before the midnight that ends it.
    ours = steady("acme", "2026-10-01", "2026-11-02", 1.0)
    gauge = gauge_of(
        ("acme", "2026-10", "2026-10-01 23:59", 24 * 1.1),
        ("acme", "2026-10", "2026-10-31 23:59", 744 * 1.1),
        ("acme", "2026-10", "2026-11-01 23:59", 744 * 1.1),  # still exported: not this window's any more
        ("acme", "2026-11", "2026-10-31 23:59", 0.0),  # not begun
        ("acme", "2026-11", "2026-11-01 23:59", 24 * 1.1),
        label="billing_window",
    )
    held = billing_agreement(ours, gauge, covered_of("2026-10-01", "2026-11-02"))
    compared = held[held["unknown"] == ""]
    drift = pytest.approx(1 / 1.1 - 1)
    assert shown(compared) == [
        ["10-02", "acme", "2026-10", 24.0, pytest.approx(26.4), drift, ""],
        ["11-01", "acme", "2026-10", 744.0, pytest.approx(818.4), drift, ""],
        ["11-02", "acme", "2026-11", 24.0, pytest.approx(26.4), drift, ""],
    ]
    # At the other 29 midnights of October and the second of November the gauge had nothing to say.
    assert (held["unknown"] == agreement.NO_SAMPLE).sum() == 30
    assert set(held["unknown"]) == {"", agreement.NO_SAMPLE}


def test_the_current_month_begins_anew_after_its_last_midnight():
    ours = steady("acme", "2026-10-30", "2026-11-02", 1.0)
    gauge = gauge_of(
        *[("acme", "current", f"2026-{day} 23:59", 24.0) for day in ("10-31", "11-01", "11-02")], label="billing_window"
    )
    held = billing_agreement(ours, gauge, covered_of("2026-10-30", "2026-11-02"))
    # Of October only two days are known; November has its first and its second.
    assert held[["ours", "unknown"]].fillna(-1).values.tolist() == [
        [-1, agreement.NOT_COVERED],
        [24.0, ""],
        [48.0, ""],
    ]


def test_quarters_are_windows_and_a_wrong_name_is_unknown():
    ours = steady("acme", "2026-10-01", "2026-10-02", 1.0)
    gauge = gauge_of(
        ("acme", "2026-Q4", "2026-10-02 23:59", 48.0),
        ("acme", "2026-13", "2026-10-02 23:59", 48.0),
        label="billing_window",
    )
    held = billing_agreement(ours, gauge, covered_of("2026-10-01", "2026-10-02"))
    known = held[held["at"] == pd.Timestamp("2026-10-03", tz="UTC")]
    assert shown(known) == [
        ["10-03", "acme", "2026-13", None, 48.0, None, agreement.UNREADABLE],
        ["10-03", "acme", "2026-Q4", 48.0, 48.0, 0.0, ""],
    ]


def test_nothing_on_either_side_is_no_row_of_the_right_types():
    ours, covered = steady("acme", "2026-11-09", "2026-11-09", 1.0), covered_of("2026-11-09", "2026-11-09")
    gauge = gauge_of(("acme", "1d", "2026-11-09 23:59", 24.0))
    full = rolling_agreement(ours, gauge, covered)
    for held in (
        rolling_agreement(ours, gauge.iloc[:0], covered),
        rolling_agreement(ours, gauge, covered.iloc[:0]),
        rolling_agreement(ours, gauge, covered.assign(covered=False)),
        rolling_agreement(ours, gauge.assign(samples=0), covered),
    ):
        assert held.empty
        assert held.dtypes.equals(full.dtypes)
        assert agreement_counts(held, window_label="window").empty
    assert rolling_agreement(ours.iloc[:0], gauge, covered)["drift"].tolist() == [-1.0]
    other = gauge.rename(columns={"window": "billing_window"})
    assert billing_agreement(ours, other.iloc[:0], covered).empty


def test_counts_say_how_many_were_compared_and_where_it_was_worst():
    ours = pd.concat([steady(name, "2026-11-09", "2026-11-10", 1.0) for name in ("acme", "bolt", "coil")])
    gauge = gauge_of(
        ("acme", "1d", "2026-11-09 23:59", 24.0),
        ("acme", "1d", "2026-11-10 23:59", 20.0),  # drift 0.2
        ("bolt", "1d", "2026-11-09 23:59", 32.0),  # drift −0.25
        ("acme", "9d", "2026-11-09 23:59", 1.0),
    )
    counts = agreement_counts(
        rolling_agreement(ours, gauge, covered_of("2026-11-09", "2026-11-10")), window_label="window"
    )
    day, nine = counts.to_dict("records")
    # Three tenants at two midnights; bolt's second and both of coil's have no sample.
    assert (day["window"], day["compared"], day["unknown"]) == ("1d", 3, 3)
    assert (day["median"], day["worst"], day["tenant"]) == (0.0, -0.25, "bolt")
    assert day["at"] == pd.Timestamp("2026-11-10", tz="UTC")
    assert (nine["compared"], nine["unknown"], nine["tenant"]) == (0, 1, "")
    assert np.isnan(nine["median"])
    assert np.isnan(nine["worst"])


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 23), st.floats(0.01, 1e6)), min_size=1, max_size=40),
    st.integers(1, 4),
)
def test_a_gauge_that_adds_the_same_hours_never_drifts(rows, days):
    hours = [(day, f"2026-11-{day + 1:02d} {hour:02d}:00", cost) for day, hour, cost in rows]
    ours = costs_of(*[("acme", hour, cost) for _, hour, cost in hours])
    gauge = gauge_of(
        *[
            ("acme", f"{days}d", f"2026-11-{end:02d} 23:59", sum(c for day, _, c in hours if end - days <= day < end))
            for end in range(1, 11)
        ]
    )
    held = rolling_agreement(ours, gauge, covered_of("2026-11-01", "2026-11-10"))
    assert len(held) == 10
    known = held[held["unknown"] == ""]
    assert len(known) == 11 - days
    assert np.allclose(known["ours"], known["theirs"], rtol=1e-9, atol=1e-6)


def test_a_tenant_that_came_within_the_day_before_is_not_held_and_cents_are_not_the_worst():
    ours = pd.concat([steady("acme", "2026-11-08", "2026-11-09", 1.0), costs_of(("new", "2026-11-09 20:00", 2.0))])
    gauge = gauge_of(
        ("acme", "1d", "2026-11-08 23:59", 25.0),
        ("acme", "1d", "2026-11-09 23:59", 24.0),
        ("new", "1d", "2026-11-09 23:59", 3.0),
    )
    held = rolling_agreement(ours, gauge, covered_of("2026-11-08", "2026-11-09"))
    assert held["unknown"].tolist() == ["", "", agreement.YOUNG]
    [row] = agreement_counts(held, window_label="window").to_dict("records")
    assert (row["tenant"], row["apart"], row["worst"]) == ("acme", 1.0, pytest.approx(24 / 25 - 1))
    cents = pd.concat([held, held.iloc[:1].assign(tenant="small", ours=0.02, theirs=0.04, drift=-0.5)])
    assert agreement_counts(cents, window_label="window")["tenant"].tolist() == ["acme"]
