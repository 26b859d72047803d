import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.measures import telemetry

DAY = "2026-11-09"
NEXT = "2026-11-10"


def up_of(*series, categorical=True):
    """Samples of `up`: per series its instance, its times, and its values (1 unless given)."""
    parts = []
    for number, (instance, times, *values) in enumerate(series):
        frame = pd.DataFrame({"series_id": number, "job": "cloudxai", "instance": instance, "time": times})
        parts.append(frame.assign(value=values[0] if values else 1.0))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    frame = frame.astype({"series_id": "int64", "time": "datetime64[us, UTC]", "value": "float64"})
    return frame.astype({"job": "category", "instance": "category"}) if categorical else frame


COLUMNS = ["series_id", "job", "instance", "time", "value"]
NOTHING = up_of()


def every(seconds, start=DAY, hours=24.0):
    """One time every `seconds` from `start` on."""
    return pd.date_range(start, periods=round(hours * 3600 / seconds), freq=f"{seconds}s", tz="UTC", unit="us")


def without(times, start, end):
    return times[(times < pd.Timestamp(start, tz="UTC")) | (times >= pd.Timestamp(end, tz="UTC"))]


def coverage_of(*series):
    return telemetry.scrape_coverage(up_of(*series))[
        ["step_seconds", "scrapes", "expected", "coverage"]
    ].values.tolist()


@pytest.mark.parametrize(
    ("frame", "columns"),
    [
        (
            telemetry.scrape_coverage(NOTHING),
            ["job", "instance", "day", "step_seconds", "scrapes", "expected", "coverage"],
        ),
        (telemetry.scrape_gaps(NOTHING), ["job", "instance", "start", "end", "seconds", "missing"]),
        (
            telemetry.covered_days(telemetry.scrape_coverage(NOTHING), jobs=["cloudxai"]),
            ["day", "coverage", "covered"],
        ),
        (
            telemetry.process_starts(NOTHING, NOTHING),
            ["job", "instance", "started_at", "seen_at", "restarted"],
        ),
        (telemetry.inventory({}), ["metric", "series", "samples"]),
    ],
)
def test_nothing_in_is_an_empty_frame_with_its_columns(frame, columns):
    assert list(frame.columns) == columns
    assert frame.empty
    for column in frame.columns.intersection(["day", "start", "end", "started_at", "seen_at"]):
        assert str(frame[column].dtype) == "datetime64[us, UTC]"


def test_a_whole_day_is_covered():
    """A day of 60 s scrapes: 86,400 / 60 = 1,440 expected, and all there."""
    assert coverage_of(("a:80", every(60))) == [[60.0, 1440, 1440, 1.0]]


def test_a_failed_scrape_is_expected_and_did_not_succeed():
    values = np.ones(1440)
    values[100] = 0
    assert coverage_of(("a:80", every(60), values)) == [[60.0, 1439, 1440, 1439 / 1440]]


def test_a_gap_is_expected_too():
    """Six hours are missing: 1,440 − 360."""
    times = without(every(60), f"{DAY} 06:00", f"{DAY} 12:00")
    assert coverage_of(("a:80", times)) == [[60.0, 1080, 1440, 0.75]]


def test_a_gap_over_midnight_counts_on_both_days():
    """From 23:00 to 02:00: 60 scrapes of the first day and 120 of the second."""
    times = without(every(60, hours=48), f"{DAY} 23:00", f"{NEXT} 02:00")
    assert coverage_of(("a:80", times)) == [[60.0, 1380, 1440, 1380 / 1440], [60.0, 1320, 1440, 1320 / 1440]]


def test_a_day_without_a_sample_between_two_others_has_none_of_its_scrapes():
    times = every(60, hours=24).union(every(60, "2026-11-11", 24))
    assert [row[1:3] for row in coverage_of(("a:80", times))] == [[1440, 1440], [0, 1440], [1440, 1440]]


def test_scrapes_are_expected_from_the_first_sample_to_the_last():
    """A target that lived from 06:00 to 12:00 is expected for these 6 hours."""
    assert coverage_of(("a:80", every(60, f"{DAY} 06:00", 6))) == [[60.0, 360, 360, 1.0]]


def test_one_sample_is_all_that_could_be_expected():
    [[step, *rest]] = coverage_of(("a:80", every(60)[:1]))
    assert np.isnan(step)
    assert rest == [1, 1, 1.0]
    assert telemetry.scrape_gaps(up_of(("a:80", every(60)[:1]))).empty


@pytest.mark.parametrize("apart", [0, 1, 20, 30, 59])
def test_the_two_of_a_pair_count_once(apart):
    other = every(60) + pd.Timedelta(seconds=apart)
    [[step, scrapes, expected, share]] = coverage_of(("a:80", every(60)), ("a:80", other[other < "2026-11-10"]))
    assert (step, share) == (60.0, 1.0)
    assert scrapes == expected
    assert 1440 <= expected <= 1441


def test_one_of_a_pair_covers_for_the_other():
    """The one misses the morning, the other the evening."""
    one = without(every(60), f"{DAY} 06:00", f"{DAY} 09:00")
    other = without(every(60), f"{DAY} 18:00", f"{DAY} 21:00")
    assert coverage_of(("a:80", one), ("a:80", other)) == [[60.0, 1440, 1440, 1.0]]
    assert telemetry.scrape_gaps(up_of(("a:80", one), ("a:80", other))).empty


def test_a_sample_that_is_there_twice_counts_once():
    times = every(60).repeat(2)
    assert coverage_of(("a:80", times)) == [[60.0, 1440, 1440, 1.0]]


def test_each_day_has_its_own_step():
    times = every(60).union(every(15, NEXT))
    assert coverage_of(("a:80", times)) == [[60.0, 1440, 1440, 1.0], [15.0, 5760, 5760, 1.0]]


def test_targets_are_told_apart_and_labels_may_be_categories():
    series = [("a:80", every(60)), ("b:80", without(every(60), f"{DAY} 12:00", f"{DAY} 18:00"))]
    frame = telemetry.scrape_coverage(up_of(*series))
    assert frame[["instance", "coverage"]].values.tolist() == [["a:80", 1.0], ["b:80", 0.75]]
    pd.testing.assert_frame_equal(frame, telemetry.scrape_coverage(up_of(*series, categorical=False)))
    assert str(frame["job"].dtype) == "str"


# Frames of a day each: fewer examples, so that a run of this file takes seconds.
@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=2, max_size=200))
def test_coverage_is_a_share_and_never_counts_more_than_there_is(there):
    times = every(60)[: len(there)][there]
    for _, scrapes, expected, share in coverage_of(("a:80", times)) if len(times) else []:
        assert 0 <= scrapes <= min(expected, sum(there))
        assert 0 <= share <= 1


def test_a_gap_is_told_with_both_its_ends_and_the_missing_scrapes():
    """Last at 05:59, next at 06:50: 51 min apart, 50 scrapes missing."""
    gaps = telemetry.scrape_gaps(up_of(("a:80", without(every(60), f"{DAY} 06:00", f"{DAY} 06:50"))))
    start, end = pd.Timestamp(f"{DAY} 05:59", tz="UTC"), pd.Timestamp(f"{DAY} 06:50", tz="UTC")
    assert gaps.values.tolist() == [["cloudxai", "a:80", start, end, 3060.0, 50]]


@pytest.mark.parametrize(("missing", "gaps"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_a_gap_is_longer_than_two_and_a_half_steps(missing, gaps):
    """One scrape missing leaves 120 s, two leave 180 s; 2.5 steps are 150 s."""
    times = every(60).delete(range(600, 600 + missing))
    found = telemetry.scrape_gaps(up_of(("a:80", times)))
    assert found["missing"].tolist() == [missing] * gaps


def test_exactly_two_and_a_half_steps_are_no_gap():
    times = every(60)[:600].union(every(60)[600:] + pd.Timedelta(seconds=90))
    assert telemetry.scrape_gaps(up_of(("a:80", times))).empty
    assert len(telemetry.scrape_gaps(up_of(("a:80", times)), gap_steps=2.4)) == 1


def test_a_target_that_is_down_is_no_gap():
    """`up` is there, and says 0."""
    values = np.ones(1440)
    values[100:160] = 0
    assert telemetry.scrape_gaps(up_of(("a:80", every(60), values))).empty


@pytest.mark.parametrize(("before", "after"), [(15, 60), (60, 15)])
def test_another_scrape_interval_is_no_gap(before, after):
    times = every(before, hours=36).union(every(after, f"{NEXT} 12:00", 60))
    assert telemetry.scrape_gaps(up_of(("a:80", times))).empty


def test_the_end_of_one_target_and_the_begin_of_another_are_no_gap():
    morning, evening = every(60, hours=6), every(60, f"{DAY} 18:00", 6)
    assert telemetry.scrape_gaps(up_of(("a:80", morning), ("b:80", evening))).empty


def test_a_time_of_rare_scrapes_hides_no_gap_beside_it():
    """From noon on every 25 min for the rest of the day; the morning's hole of 40 min is a gap all the same."""
    morning = without(every(60, hours=12), f"{DAY} 06:00", f"{DAY} 06:40")
    times = morning.union(every(1500, f"{DAY} 12:00", 12)).union(every(60, NEXT))
    gaps = telemetry.scrape_gaps(up_of(("a:80", times)))
    assert 40 in gaps["missing"].tolist()


@settings(max_examples=40)
@given(st.lists(st.integers(1, 30), max_size=20))
def test_the_missing_scrapes_of_all_gaps_are_those_left_out(steps):
    # Half an hour of whole minutes on either side of each drawn step: the usual step is one minute whatever is drawn.
    minutes = np.cumsum([*[1] * 40, *(step for drawn in steps for step in (drawn, *[1] * 40))])
    times = pd.Timestamp(DAY, tz="UTC").as_unit("us") + pd.to_timedelta(minutes, unit="min")
    gaps = telemetry.scrape_gaps(up_of(("a:80", times)))
    assert gaps["missing"].tolist() == [step - 1 for step in steps if step > 2.5]


def coverage_by_day(**shares):
    """One row per job and day: `a={"09": 1.0}`."""
    rows = [
        {"job": job, "instance": f"{job}:80", "day": pd.Timestamp(f"2026-11-{day}", tz="UTC"), "coverage": share}
        for job, days in shares.items()
        for day, share in days.items()
    ]
    return pd.DataFrame(rows).astype({"day": "datetime64[us, UTC]"})


def covered(frame, jobs, **least):
    days = telemetry.covered_days(frame, jobs=jobs, **least)
    return [[f"{day:%d}", share, there] for day, share, there in days.itertuples(index=False)]


def test_a_day_is_covered_when_the_worst_target_is():
    frame = pd.concat([coverage_by_day(a={"09": 1.0, "10": 0.96}), coverage_by_day(a={"09": 0.94, "10": 0.95})])
    assert covered(frame, ["a"]) == [["09", 0.94, False], ["10", 0.95, True]]
    assert covered(frame, ["a"], least=0.9) == [["09", 0.94, True], ["10", 0.95, True]]


def test_a_job_without_a_target_that_day_has_nothing():
    frame = coverage_by_day(a={"09": 1.0, "10": 1.0}, b={"10": 0.99})
    assert covered(frame, ["a", "b"]) == [["09", 0.0, False], ["10", 0.99, True]]
    assert covered(frame, ["a", "never"]) == [["09", 0.0, False], ["10", 0.0, False]]
    # Targets of jobs that the contract does not name do not count.
    assert covered(frame, ["a"]) == [["09", 1.0, True], ["10", 1.0, True]]


def starts_of(*rows):
    """One row per (instance, time, seconds since the epoch)."""
    frame = pd.DataFrame(rows, columns=["instance", "time", "value"])
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601").astype("datetime64[us, UTC]")
    frame["series_id"] = frame.groupby("instance").ngroup()
    frame = frame.assign(job="cloudxai").sort_values(["series_id", "time"], ignore_index=True)
    return frame.astype({"value": "float64", "job": "category", "instance": "category"})


def seconds(text):
    return pd.Timestamp(text, tz="UTC").timestamp()


def starts(samples, up=NOTHING):
    frame = telemetry.process_starts(samples, up)
    return [
        [instance, f"{begun:%d %H:%M:%S}", f"{seen:%d %H:%M}", again]
        for _, instance, begun, seen, again in frame.itertuples(index=False)
    ]


def test_a_process_is_seen_once_and_a_new_start_is_a_restart():
    samples = starts_of(
        ("a:80", f"{DAY} 00:00", seconds("2026-11-01 12:00")),
        ("a:80", f"{DAY} 00:01", seconds("2026-11-01 12:00")),
        ("a:80", f"{DAY} 19:04", seconds(f"{DAY} 19:03:20.5")),
        ("a:80", f"{DAY} 19:05", seconds(f"{DAY} 19:03:20.5")),
        ("b:80", f"{DAY} 00:00", seconds("2026-10-31 12:00")),
    )
    assert starts(samples) == [
        ["a:80", "01 12:00:00", "09 00:00", False],
        ["a:80", "09 19:03:20", "09 19:04", True],
        ["b:80", "31 12:00:00", "09 00:00", False],
    ]
    assert telemetry.process_starts(samples, NOTHING)["started_at"].iloc[1].microsecond == 500_000


def test_a_first_start_is_a_restart_where_the_target_was_scraped_before_it():
    """The new build exports its start, the one before did not."""
    samples = starts_of(("a:80", f"{DAY} 12:01", seconds(f"{DAY} 12:00")))
    assert starts(samples, up_of(("a:80", every(60)))) == [["a:80", "09 12:00:00", "09 12:01", True]]
    assert starts(samples, up_of(("b:80", every(60)))) == [["a:80", "09 12:00:00", "09 12:01", False]]
    down = np.zeros(1440)
    assert starts(samples, up_of(("a:80", every(60), down))) == [["a:80", "09 12:00:00", "09 12:01", False]]


def test_a_start_that_a_client_recomputes_is_the_same_process():
    """Half a second to and fro, and before the sample before: the clock was set, nothing restarted."""
    begun = seconds("2026-11-01 12:00")
    samples = starts_of(*(("a:80", f"{DAY} 00:0{minute}", begun + minute % 2 / 2) for minute in range(6)))
    assert starts(samples) == [["a:80", "01 12:00:00", "09 00:00", False]]


def test_a_crash_loop_is_told_start_by_start():
    samples = starts_of(
        *(("a:80", f"{DAY} 00:0{minute}", seconds(f"{DAY} 00:0{minute}") - 30) for minute in range(1, 5))
    )
    assert [row[3] for row in starts(samples)] == [False, True, True, True]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, 1e12, 0.0, -5.0])
def test_a_start_that_is_no_time_is_none(value):
    begun = seconds("2026-11-01 12:00")
    samples = starts_of(*(("a:80", f"{DAY} 00:0{minute}", now) for minute, now in enumerate([begun, value, begun])))
    assert starts(samples) == [["a:80", "01 12:00:00", "09 00:00", False]]
    assert starts(samples.iloc[1:2]) == []


def test_an_inventory_counts_series_and_samples_in_the_order_given():
    hours = pd.DataFrame({"series_id": [1, 1, 2], "samples": [60, 59, 60]})
    frame = telemetry.inventory({"z_total": hours, "absent": hours.iloc[:0], "a": hours.iloc[:1]})
    assert frame.values.tolist() == [["z_total", 2, 179], ["absent", 0, 0], ["a", 1, 60]]
