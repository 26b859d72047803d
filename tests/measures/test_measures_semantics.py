import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.measures.semantics import semantics_breaks

COLUMNS = ["tenant", "finding", "rises", "falls", "start", "end"]
COVERED = pd.DataFrame({"day": pd.date_range("2026-11-01", periods=10, tz="UTC", unit="us"), "covered": True})
NO_STARTS = pd.DataFrame(
    {
        "job": pd.Series(dtype="str"),
        "instance": pd.Series(dtype="str"),
        "started_at": pd.Series(dtype="datetime64[us, UTC]"),
    }
)
HOURLY = pd.Timedelta(hours=1)


def gauge(values, *, tenant="acme", start="2026-11-02", step=HOURLY, series=1, **labels):
    frame = pd.DataFrame({"value": np.asarray(values, dtype="float64")})
    frame["series_id"] = series
    frame["time"] = pd.date_range(start, periods=len(frame), freq=step, tz="UTC", unit="us")
    for name, text in {"job": "cloudxai", "instance": "i0", "tenant": tenant, **labels}.items():
        frame[name] = pd.Categorical([text] * len(frame))
    return frame


def start_at(moment, instance="i0"):
    started = pd.to_datetime([moment], utc=True).as_unit("us")
    return pd.DataFrame({"job": ["cloudxai"], "instance": [instance], "started_at": started})


def breaks(samples, starts=NO_STARTS, covered=COVERED, semantics="rate", **more):
    return semantics_breaks(samples, starts, covered, semantics=semantics, **more)


def slow_growth(hours=72):
    """4 % in the time, in cents: it stands still between its rises."""
    return np.round(10 * (1 + 0.04 * np.arange(hours) / hours), 2)


def rhythm(hours=72):
    return 10 + 3 * np.sin(2 * np.pi * np.arange(hours) / 24)


def test_a_rate_that_only_grows_is_found_among_those_with_a_rhythm():
    samples = pd.concat([gauge(rhythm(), tenant="daily"), gauge(slow_growth(), tenant="grows", series=2)])
    found = breaks(samples.reset_index(drop=True))
    assert list(found) == COLUMNS
    # 10.00 to 10.39 in steps of a cent: 39 rises.
    assert found[["tenant", "finding", "rises", "falls"]].values.tolist() == [["grows", "only_grows", 39, 0]]
    assert found["start"].iloc[0] == pd.Timestamp("2026-11-02", tz="UTC")
    assert found["end"].iloc[0] == pd.Timestamp("2026-11-04 23:00", tz="UTC")


def test_one_fall_ends_the_stretch():
    values = np.arange(72.0)
    values[36:] -= 5.0
    assert breaks(gauge(values)).empty


def test_a_rate_that_stands_still_or_rises_seldom_is_none():
    assert breaks(gauge(np.full(100, 3.0))).empty
    assert breaks(gauge(np.arange(100) // 5)).empty  # 19 rises
    assert len(breaks(gauge(np.arange(105) // 5))) == 1  # 20 rises


def test_three_covered_days_are_needed():
    assert breaks(gauge(np.arange(48.0))).empty
    uncovered = COVERED.assign(covered=COVERED["day"] != pd.Timestamp("2026-11-03", tz="UTC"))
    assert breaks(gauge(np.arange(72.0)), covered=uncovered).empty
    assert len(breaks(gauge(np.arange(96.0)), covered=uncovered)) == 1


@pytest.mark.parametrize(
    ("instance", "moment", "found"),
    [
        ("i0", "2026-11-03 11:30", 1),  # between the two samples
        ("i0", "2026-11-03 13:50", 1),  # within two scrapes after
        ("i0", "2026-11-03 14:10", 0),
        ("i1", "2026-11-03 11:30", 0),  # another process
    ],
)
def test_a_fall_at_a_start_of_the_process_is_a_restart(instance, moment, found):
    values = np.arange(72.0)
    values[36:] -= 36.0  # falls at 12:00 on the 3rd
    assert len(breaks(gauge(values), start_at(moment, instance))) == found


def test_a_cumulative_gauge_must_not_fall_within_its_window():
    values = [1.0, 2.0, 3.0, 2.5, 2.6, 2.4]
    found = breaks(gauge(values, billing_window="2026-11"), semantics="cumulative")
    assert found.drop(columns=["start", "end"]).values.tolist() == [["acme", "falls_in_window", 3, 2]]
    assert found["start"].iloc[0] == pd.Timestamp("2026-11-02 03:00", tz="UTC")
    assert found["end"].iloc[0] == pd.Timestamp("2026-11-02 05:00", tz="UTC")


def test_a_cumulative_gauge_without_the_label_starts_anew_each_month():
    values = [5.0, 6.0, 0.1, 0.2]
    at_turn = gauge(values, start="2026-10-31 22:00", billing_window="")
    assert breaks(at_turn, semantics="cumulative").empty
    assert breaks(at_turn.drop(columns="billing_window"), semantics="cumulative").empty
    assert len(breaks(gauge(values, start="2026-10-31 22:00", billing_window="2026-10"), semantics="cumulative")) == 1


def test_a_cumulative_gauge_of_a_tenant_that_left_and_came_back_begins_anew():
    there, back = gauge([1.0, 2.0, 3.0]), gauge([0.0, 1.0], start="2026-11-09")
    assert breaks(pd.concat([there, back], ignore_index=True), semantics="cumulative").empty


def test_a_restart_excuses_a_cumulative_gauge():
    samples = gauge([1.0, 2.0, 0.0, 1.0])
    assert breaks(samples, start_at("2026-11-02 01:50"), semantics="cumulative").empty
    assert len(breaks(samples, start_at("2026-11-05"), semantics="cumulative")) == 1


def test_a_window_total_excludes_nothing():
    assert breaks(gauge([3.0, 1.0, 2.0]), semantics="window_total").empty


@pytest.mark.parametrize("semantics", ["rate", "cumulative"])
@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.nan, np.nan]])
def test_nothing_one_sample_and_nan_give_empty_frames(semantics, values):
    found = breaks(gauge(values), start_at("2026-11-02"), semantics=semantics)
    assert list(found) == COLUMNS
    assert str(found["start"].dtype) == "datetime64[us, UTC]"
    assert found.empty


def test_nan_is_skipped_over():
    values = slow_growth()
    values[10:20] = np.nan
    assert breaks(gauge(values))["tenant"].tolist() == ["acme"]


def test_hostile_names_and_several_series_of_one_tenant():
    name = 'a"b\n=c'
    samples = pd.concat([gauge(np.arange(72.0), tenant=name), gauge(np.arange(80.0), tenant=name, series=2)])
    found = breaks(samples.reset_index(drop=True))
    assert found[["tenant", "rises"]].values.tolist() == [[name, 79]]
