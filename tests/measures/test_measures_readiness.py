import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.measures import readiness
from cloudxai_analysis.measures.readiness import availability, check_latency, error_budget, global_readiness, outages
from cloudxai_analysis.window import Window, parse_window

FIRST, SECOND = "cloudxai-0:8080", "cloudxai-1:8080"
WEEK = parse_window("2026-W46")  # 9 to 16 November
TIME = "datetime64[us, UTC]"


def at(text):
    return pd.Timestamp(text, tz="UTC")


def gauge(values, start="2026-11-09", step=60.0, instance=FIRST, **labels):
    """Samples of one gauge, `step` seconds apart from `start` on."""
    times = at(start) + pd.to_timedelta(np.arange(len(values)) * step, unit="s")
    frame = pd.DataFrame({"time": times.as_unit("us"), "value": np.asarray(values, dtype="float64")})
    frame["series_id"] = hash((instance, *labels.values())) % 10_000
    return frame.assign(job="cloudxai", instance=instance, **labels)


def samples_of(*gauges):
    frame = pd.concat(gauges, ignore_index=True)
    names = [name for name in ("job", "instance", "tenant") if name in frame]
    return frame.astype(dict.fromkeys(names, "category"))


def ready(count, *not_ready):
    values = np.ones(count)
    values[list(not_ready)] = 0
    return values


def as_samples(frame):
    return frame.rename(columns={"ready": "value"})


def test_one_instance_is_the_platform():
    frame = global_readiness(samples_of(gauge([1, 0, 1])))
    assert frame.values.tolist() == [
        [at("2026-11-09 00:00"), 1.0],
        [at("2026-11-09 00:01"), 0.0],
        [at("2026-11-09 00:02"), 1.0],
    ]


@pytest.mark.parametrize("apart", [0.0, 7.0, 29.9, 30.0, 45.0, 59.0])
def test_the_platform_is_ready_where_all_instances_are_whenever_they_are_scraped(apart):
    first = gauge(ready(3000, 100, 101))
    second = gauge(ready(3000, 101, 102, 2999), instance=SECOND)
    second["time"] += pd.Timedelta(seconds=apart)
    frame = global_readiness(samples_of(first, second))
    # Each scrape of either instance is in one row; at most the two ends stand alone.
    assert len(frame) in (3000, 3001)
    assert (frame["ready"] == 0).sum() in (4, 5)
    stretches = outages(as_samples(frame))
    assert len(stretches) == 2
    assert abs(stretches["start"].iloc[0] - at("2026-11-09 01:40")) <= pd.Timedelta(minutes=1)


def test_instances_half_a_step_apart_that_jitter_are_one_row_a_scrape():
    """A few milliseconds around the half step neither part a scrape nor join two, also while one is away."""
    late = pd.to_timedelta(np.random.default_rng(2).integers(-40, 40, 2 * 1440), unit="ms")
    second = gauge(ready(2 * 1440, 2000), start="2026-11-09 00:00:30", instance=SECOND)
    second["time"] += late
    frame = global_readiness(samples_of(gauge(ready(1440)), second))
    assert len(frame) in (2 * 1440, 2 * 1440 + 1)
    assert outages(as_samples(frame))["not_ready_samples"].tolist() == [1]


def test_a_step_that_changes_is_taken_day_by_day():
    """On the second day a scrape every 15 seconds: 5 samples not ready are 5, and not a minute each."""
    second = gauge(ready(5760, *range(40, 45)), start="2026-11-10", step=15)
    other = second.assign(instance=SECOND, series_id=2, value=1.0)
    other["time"] += pd.Timedelta(seconds=5)
    frame = global_readiness(samples_of(gauge(ready(1440)), second, other))
    assert readiness.daily_availability(frame)["samples"].tolist() == [1440, 5760]
    assert (frame["ready"] == 0).sum() == 5


def test_samples_in_any_order_twice_or_without_a_number():
    samples = samples_of(gauge(ready(500, 7)), gauge(ready(500, 7), instance=SECOND))
    expected = global_readiness(samples)
    mixed = samples.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(global_readiness(mixed), expected)
    pd.testing.assert_frame_equal(global_readiness(pd.concat([mixed, mixed])), expected)
    gone = samples.assign(value=samples["value"].where(samples["instance"] == FIRST))
    assert len(global_readiness(gone)) == 500
    assert global_readiness(samples.assign(value=np.nan)).empty


def test_availability_by_hand():
    frame = global_readiness(samples_of(gauge(ready(1440, *range(36)))))
    row = availability(frame, WEEK).iloc[0]
    assert row.to_dict() == {"samples": 1440, "ready_samples": 1404, "availability": 0.975, "not_ready_minutes": 36.0}


def test_availability_counts_the_half_open_window_alone():
    frame = global_readiness(samples_of(gauge(ready(10, 0, 9), start="2026-11-15 23:51")))
    assert availability(frame, WEEK).iloc[0]["samples"] == 9
    assert availability(frame, WEEK).iloc[0]["not_ready_minutes"] == 1.0
    assert availability(frame, parse_window("2026-W47")).iloc[0]["samples"] == 1
    shuffled = frame.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(availability(shuffled, WEEK), availability(frame, WEEK))


def test_availability_of_nothing_is_not_a_number():
    row = availability(global_readiness(gauge([])), WEEK).iloc[0]
    assert (row["samples"], row["ready_samples"], row["not_ready_minutes"]) == (0, 0, 0.0)
    assert np.isnan(row["availability"])
    budget = error_budget(global_readiness(gauge([])), WEEK, slo=0.999).iloc[0]
    assert budget["allowed_minutes"] == pytest.approx(10.08)
    assert budget[["availability", "used_minutes", "remaining_share"]].isna().all()


def test_the_error_budget_of_thirty_days_is_43_minutes():
    frame = global_readiness(samples_of(gauge(ready(30 * 1440, *range(27)), start="2026-10-17")))
    month = Window(at("2026-10-17").to_pydatetime(), WEEK.end)
    row = error_budget(frame, month, slo=0.999).iloc[0]
    assert row["allowed_minutes"] == pytest.approx(43.2)
    assert row["used_minutes"] == 27.0
    assert row["remaining_share"] == pytest.approx(0.375)
    assert row["availability"] == pytest.approx(1 - 27 / 43_200)
    assert np.isnan(error_budget(frame, month, slo=1.0).iloc[0]["remaining_share"])


def test_days_and_the_thirty_days_before_each():
    frame = global_readiness(
        samples_of(gauge(ready(1440, *range(144))), gauge(ready(720), start="2026-11-11").assign(series_id=2))
    )
    daily = readiness.daily_availability(frame)
    assert daily[["samples", "availability"]].values.tolist() == [[1440, 0.9], [720, 1.0]]
    rolling = readiness.rolling_availability(frame, days=2)
    assert rolling["day"].tolist() == [at("2026-11-10"), at("2026-11-11"), at("2026-11-12")]
    assert rolling["samples"].tolist() == [1440, 1440, 720]
    assert rolling["availability"].tolist() == [0.9, 0.9, 1.0]
    assert np.isnan(readiness.rolling_availability(frame, days=1)["availability"].iloc[1])


def test_an_outage_is_from_the_first_sample_not_ready_to_the_first_ready_one():
    frame = outages(samples_of(gauge(ready(20, 4, 5, 6, 12))))
    assert frame.values.tolist() == [
        [at("2026-11-09 00:04"), at("2026-11-09 00:07"), 3, 3.0],
        [at("2026-11-09 00:12"), at("2026-11-09 00:13"), 1, 1.0],
    ]


def test_an_outage_at_the_end_of_the_data_is_not_over():
    frame = outages(samples_of(gauge(ready(5, 0, 3, 4))))
    assert frame["start"].tolist() == [at("2026-11-09 00:00"), at("2026-11-09 00:03")]
    assert frame["end"].isna().tolist() == [False, True]
    alone = outages(samples_of(gauge([0])))
    assert alone[["not_ready_samples", "minutes"]].values.tolist() == [[1, 0.0]]


def test_time_without_samples_counts_for_nothing():
    samples = samples_of(gauge(ready(10, 8, 9)), gauge(ready(10, 0), start="2026-11-09 03:00"))
    frame = outages(samples)
    assert frame[["start", "end", "not_ready_samples", "minutes"]].values.tolist() == [
        [at("2026-11-09 00:08"), at("2026-11-09 03:01"), 3, 3.0]
    ]


def test_outages_of_tenants_are_told_apart_whatever_their_names():
    names = ["", "a,b", "=1+1", "x" * 5000]
    parts = [gauge(ready(10, number), tenant=name) for number, name in enumerate(names)]
    samples = samples_of(*parts, gauge(ready(10, 0), tenant="", instance=SECOND))
    frame = outages(samples.sample(frac=1, random_state=8), by=("tenant", "instance"))
    assert frame.columns.tolist() == ["tenant", "instance", "start", "end", "not_ready_samples", "minutes"]
    assert frame["tenant"].tolist() == ["", "", "a,b", "=1+1", "x" * 5000]
    assert frame["not_ready_samples"].tolist() == [1] * 5
    assert frame["start"].dt.minute.tolist() == [0, 0, 1, 2, 3]


@given(st.lists(st.sampled_from([0.0, 1.0, np.nan]), max_size=60))
def test_outages_hold_every_sample_that_is_not_ready(values):
    frame = outages(samples_of(gauge(values)))
    assert frame["not_ready_samples"].sum() == sum(value == 0 for value in values)
    ends = frame["end"].dropna().tolist()
    assert all(end <= start for end, start in zip(ends, frame["start"].tolist()[1:], strict=False))


def test_transitions_are_those_of_the_instance_that_saw_most():
    hours = pd.DataFrame(
        {
            "hour": [at("2026-11-09 10:00")] * 3 + [at("2026-11-09 11:00")],
            "job": "cloudxai",
            "instance": pd.Categorical([FIRST, SECOND, SECOND, FIRST]),
            "increase": [2.0, 3.0, 1.0, 0.0],
        }
    )
    frame = readiness.transitions(hours)
    assert frame.values.tolist() == [[at("2026-11-09 10:00"), 4.0], [at("2026-11-09 11:00"), 0.0]]


def buckets(instance=FIRST, hour="2026-11-09 10:00", **counts):
    """Hourly increases of cumulative buckets: le_0_1=3 for `le` 0.1."""
    bounds = [name.removeprefix("le_").replace("_", ".").replace("Inf", "+Inf") for name in counts]
    frame = pd.DataFrame({"le": bounds, "increase": [float(count) for count in counts.values()]})
    return frame.assign(hour=at(hour), job="cloudxai", instance=instance).astype({"le": "category"})


def seconds_of(*parts, quantile=0.95):
    frame = pd.concat([part.astype({"le": "str"}) for part in parts]).astype({"le": "category"})
    return check_latency(frame, quantile=quantile)["seconds"].tolist()


def test_the_quantile_is_linear_within_its_bucket():
    """Of 100 checks 90 within 0.1 s and 98 within 0.2 s: the 95th lies 5/8 of the way between."""
    assert seconds_of(buckets(le_0_1=90, le_0_2=98, le_0_5=100, le_Inf=100)) == pytest.approx([0.1625])
    # The first bucket begins at 0: the 45th of 90.
    assert seconds_of(buckets(le_0_1=90, le_Inf=90), quantile=0.5) == pytest.approx([0.05])
    # Exactly at a bound.
    assert seconds_of(buckets(le_0_1=95, le_0_2=100, le_Inf=100)) == pytest.approx([0.1])


def test_beyond_the_last_finite_bound_that_bound_is_all_that_is_known():
    assert seconds_of(buckets(le_0_1=10, le_0_2=20, le_Inf=100)) == [0.2]


def test_instances_add_up_and_one_bound_may_be_written_in_two_ways():
    one = buckets(le_0_1=90, le_1=100, le_Inf=100)
    other = buckets(instance=SECOND, le_0_10=0, le_1_0=100, le_Inf=100)
    # 90 of 200 within 0.1 s, all within 1 s: the 190th lies 100/110 of the way.
    assert seconds_of(one, other) == pytest.approx([0.1 + 0.9 * 100 / 110])


def test_bounds_that_only_one_instance_has_do_not_hide_what_lies_below():
    """Prometheus mends such sums by letting none fall below the one before it: 190 of 200 within 0.2 s stay so."""
    one = buckets(le_0_1=95, le_0_2=95, le_Inf=100)
    other = buckets(instance=SECOND, le_0_1=95, le_0_2=95, le_0_3=97, le_Inf=100)
    assert seconds_of(one, other) == pytest.approx([0.1])


def test_without_an_infinite_bucket_or_a_check_nothing_is_known():
    assert seconds_of(buckets(le_0_1=90, le_0_2=98)) == []
    assert seconds_of(buckets(le_0_1=0, le_Inf=0)) == []
    assert seconds_of(buckets(le_0_1=0, le_Inf=0), buckets(hour="2026-11-09 11:00", le_0_1=4, le_Inf=4)) != []
    assert seconds_of(buckets(le_=5)) == []


@given(
    st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any),
    st.floats(0.01, 0.99),
)
def test_the_quantile_lies_in_the_bucket_that_holds_it(counts, quantile):
    """Counted by hand from the separate buckets: the first whose running total reaches the rank."""
    bounds, total = [0.0, 0.1, 0.2, 0.5], np.cumsum(counts)
    found = seconds_of(
        buckets(le_0_1=total[0], le_0_2=total[1], le_0_5=total[2], le_Inf=total[3]), quantile=quantile
    )
    index = int(np.argmax(total >= quantile * total[-1]))
    low, high = (bounds[index], bounds[index + 1]) if index < 3 else (0.5, 0.5)
    assert low - 1e-9 <= found[0] <= high + 1e-9


def test_tenants_least_available_first():
    hours = pd.DataFrame(
        {
            "tenant": pd.Categorical(["b", "a", "a", "c", "silent"]),
            "samples": [60, 60, 40, 60, 0],
            "sum": [60.0, 30.0, 40.0, 60.0, 0.0],
            "changes": [0, 2, 1, 0, 0],
        }
    )
    frame = readiness.tenant_availability(hours)
    assert frame.values.tolist() == [["a", 100, 0.7, 3], ["b", 60, 1.0, 0], ["c", 60, 1.0, 0]]


def test_nothing_gives_empty_frames_with_the_right_columns():
    none = samples_of(gauge([], tenant="a"))
    hours = pd.DataFrame({"tenant": [], "samples": [], "sum": [], "changes": []})
    flips = pd.DataFrame({"hour": pd.to_datetime([], utc=True), "job": [], "instance": [], "increase": []})
    known = global_readiness(none)
    frames = {
        "time ready": known,
        "day samples availability": readiness.daily_availability(known),
        "day availability samples": readiness.rolling_availability(known),
        "start end not_ready_samples minutes": outages(as_samples(known)),
        "tenant start end not_ready_samples minutes": outages(none, by=("tenant",)),
        "hour transitions": readiness.transitions(flips),
        "hour seconds": check_latency(buckets()),
        "tenant samples availability transitions": readiness.tenant_availability(hours),
    }
    for columns, frame in frames.items():
        assert frame.empty
        assert " ".join(frame) == columns
        for name in {"time", "day", "start", "end", "hour"} & set(frame):
            assert str(frame[name].dtype) == TIME
