from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.measures import readiness
from cloudxai_analysis.window import Window

TIME = "datetime64[us, UTC]"
BEGIN = datetime(2026, 11, 9, tzinfo=UTC)
DAY = Window(BEGIN, BEGIN + timedelta(days=1))
INF = "+Inf"


def samples_of(*gauges, step=60, categorical=True):
    """One sample each step per gauge: (labels, values), a None is a sample that is not there."""
    rows = [
        {"series_id": number, "time": BEGIN + timedelta(seconds=place * step + labels.get("offset", 0)), "value": value}
        | {name: labels.get(name, "") for name in ("job", "instance", "tenant")}
        for number, (labels, values) in enumerate(gauges)
        for place, value in enumerate(values)
        if value is not None
    ]
    frame = pd.DataFrame(rows, columns=["series_id", "time", "value", "job", "instance", "tenant"])
    frame = frame.astype({"series_id": "int64", "time": TIME, "value": "float64"})
    return frame.astype(dict.fromkeys(["job", "instance", "tenant"], "category" if categorical else "str"))


def one(values, **labels):
    return samples_of(({"instance": "a:80", **labels}, values))


def ready_of(values, step=60):
    """Global readiness as `global_readiness` gives it."""
    frame = samples_of(({}, values), step=step)
    return frame[["time", "value"]].rename(columns={"value": "ready"})


NOTHING = samples_of()
NO_READY = readiness.global_readiness(NOTHING)


def hours_of(*rows, columns):
    frame = pd.DataFrame(rows, columns=columns)
    frame["hour"] = pd.Series([BEGIN + timedelta(hours=hour) for hour in frame["hour"]], dtype=TIME)
    return frame.assign(job="cloudxai").astype(
        {name: "category" for name in ("job", "instance", "tenant", "le") if name in ("job", *columns)}
    )


def test_nothing_in_is_an_empty_frame_with_its_columns():
    no_hours = hours_of(columns=["hour", "instance", "tenant", "le", "increase", "samples", "sum", "changes"])
    frames = {
        "time ready": NO_READY,
        "day samples availability": readiness.daily_availability(NO_READY),
        "day availability samples": readiness.rolling_availability(NO_READY, days=30),
        "start end not_ready_samples minutes": readiness.outages(NOTHING),
        "tenant instance start end not_ready_samples minutes": readiness.outages(NOTHING, by=("tenant", "instance")),
        "hour transitions": readiness.transitions(flips_of()),
        "hour seconds": readiness.check_latency(no_hours),
        "tenant samples availability transitions": readiness.tenant_availability(no_hours),
    }
    for columns, frame in frames.items():
        assert " ".join(frame.columns) == columns
        assert frame.empty
        times = frame.columns.intersection(["time", "day", "start", "end", "hour"])
        assert all(str(frame[column].dtype) == TIME for column in times)


def test_without_samples_availability_is_unknown_and_nothing_is_used():
    row = readiness.availability(NO_READY, DAY).iloc[0]
    assert (row["samples"], row["ready_samples"], row["not_ready_minutes"]) == (0, 0, 0)
    assert np.isnan(row["availability"])
    budget = readiness.error_budget(NO_READY, DAY, slo=0.999).iloc[0]
    assert np.isnan(budget["used_minutes"])
    assert np.isnan(budget["remaining_share"])
    assert budget["allowed_minutes"] == pytest.approx(1.44)


def test_the_platform_is_as_ready_as_its_least_ready_process():
    samples = samples_of(({"instance": "a:80"}, [1, 1, 0, 1]), ({"instance": "b:80"}, [1, 0, 1, 1]))
    frame = readiness.global_readiness(samples)
    assert frame["ready"].tolist() == [1, 0, 0, 1]
    assert frame["time"].tolist() == [BEGIN + timedelta(minutes=minute) for minute in range(4)]


@pytest.mark.parametrize("offset", [1, 15, 29.5, 30, 30.5, 45, 59])
def test_processes_that_are_scraped_at_different_moments_make_one_sample_a_step(offset):
    """Over two days, one process once not ready: one sample of 2,880, wherever in the minute it is scraped."""
    values = [1] * 2880
    values[700] = 0
    samples = samples_of(({"instance": "a:80"}, [1] * 2880), ({"instance": "b:80", "offset": offset}, values))
    frame = readiness.global_readiness(samples)
    assert 2880 <= len(frame) <= 2881
    assert (frame["ready"] == 0).sum() == 1


def test_processes_half_a_step_apart_that_jitter_make_one_sample_a_step():
    """A few milliseconds around the half step neither part a scrape nor join two, also while the other is away."""
    samples = samples_of(({"instance": "a:80"}, [1] * 1440), ({"instance": "b:80", "offset": 30}, [1] * 2000 + [0] * 3))
    late = np.random.default_rng(2).integers(-40, 40, len(samples))
    samples["time"] += pd.to_timedelta(np.where(samples["instance"] == "b:80", late, 0), unit="ms")
    frame = readiness.global_readiness(samples.sample(frac=1, random_state=1))
    assert len(frame) in (2003, 2004)
    assert (frame["ready"] == 0).sum() == 3


def test_a_step_that_changes_is_taken_day_by_day():
    """Every 15 seconds on the second day: 5 samples not ready are 5, and not a minute each."""
    second = samples_of(({"instance": "a:80"}, [1] * 40 + [0] * 5 + [1] * 5715), step=15)
    second["time"] += pd.Timedelta(days=1)
    frame = readiness.global_readiness(pd.concat([one([1] * 1440), second.astype({"instance": "str"})]))
    assert readiness.daily_availability(frame)["samples"].tolist() == [1440, 5760]
    assert (frame["ready"] == 0).sum() == 5


def test_a_process_that_is_away_does_not_count():
    samples = samples_of(({"instance": "a:80"}, [1, 1, 1, 1]), ({"instance": "b:80"}, [0, None, None, 1]))
    assert readiness.global_readiness(samples)["ready"].tolist() == [0, 1, 1, 1]


def test_a_gap_makes_no_sample():
    assert len(readiness.global_readiness(one([1, None, None, None, 1]))) == 2


def test_one_sample_is_one_sample():
    assert readiness.global_readiness(one([0])).values.tolist() == [[BEGIN, 0.0]]
    assert readiness.availability(readiness.global_readiness(one([0])), DAY)["not_ready_minutes"].tolist() == [0.0]


def test_availability_is_the_mean_of_the_samples_in_the_window():
    """Three of 1,440 minutes not ready; the sample at the window's end belongs to the next one."""
    values = [1] * 1440 + [0]
    values[10] = values[11] = values[500] = 0
    row = readiness.availability(ready_of(values), DAY).iloc[0]
    assert (row["samples"], row["ready_samples"], row["not_ready_minutes"]) == (1440, 1437, 3.0)
    assert row["availability"] == 1437 / 1440


def test_missing_samples_count_neither_way():
    values = [1, 1, None, None, 0, 1]
    row = readiness.availability(ready_of(values), DAY).iloc[0]
    assert (row["samples"], row["availability"], row["not_ready_minutes"]) == (4, 0.75, 1.0)


def test_every_day_has_its_own_availability_and_an_empty_one_no_row():
    """Scrapes every 6 h: four a day; none on the second."""
    frame = readiness.daily_availability(ready_of([1, 1, 0, 1, *[None] * 4, 1, 1], step=6 * 3600))
    assert frame["day"].dt.day.tolist() == [9, 11]
    assert frame[["samples", "availability"]].values.tolist() == [[4, 0.75], [2, 1.0]]


def test_rolling_availability_stands_at_the_days_end():
    """Two days: (3 + 4)/8 at the end of the second; then an empty day, (4 + 0)/4; then (0 + 2)/2."""
    ready = ready_of([1, 1, 0, 1, 1, 1, 1, 1, *[None] * 4, 1, 1], step=6 * 3600)
    frame = readiness.rolling_availability(ready, days=2)
    assert frame["day"].dt.day.tolist() == [10, 11, 12, 13]
    assert frame[["availability", "samples"]].values.tolist() == [[0.75, 4], [7 / 8, 8], [1.0, 4], [1.0, 2]]


def test_days_without_any_sample_in_reach_are_unknown():
    ready = ready_of([1, *[None] * 11, 1], step=6 * 3600)
    frame = readiness.rolling_availability(ready, days=1)
    np.testing.assert_array_equal(frame["availability"], [1, np.nan, np.nan, 1])


def test_the_error_budget_is_what_the_objective_leaves():
    """99.9 % of 30 days leave 43.2 minutes (the figure that every SRE book prints); 10.8 used are a quarter."""
    month = Window(BEGIN, BEGIN + timedelta(days=30))
    values = [1] * (30 * 1440)
    values[:10] = [0] * 10
    row = readiness.error_budget(ready_of(values), month, slo=0.999).iloc[0]
    assert row["allowed_minutes"] == pytest.approx(43.2)
    assert row["used_minutes"] == 10
    assert row["remaining_share"] == pytest.approx(1 - 10 / 43.2)
    assert readiness.error_budget(ready_of([0] * 1440), DAY, slo=0.999)["remaining_share"].iloc[0] == pytest.approx(
        1 - 1440 / 1.44
    )


def minutes_of(frame):
    """Start and end in minutes, None where it is not over, and the two sizes."""
    return [
        [
            (row.start - BEGIN).total_seconds() / 60,
            None if pd.isna(row.end) else (row.end - BEGIN).total_seconds() / 60,
            row.not_ready_samples,
            row.minutes,
        ]
        for row in frame.itertuples()
    ]


def test_an_outage_runs_to_the_first_ready_sample_after_it():
    assert minutes_of(readiness.outages(one([1, 0, 0, 0, 1, 1]))) == [[1, 4, 3, 3.0]]


def test_outages_at_the_edges():
    """Not ready from the first sample on, and still so at the last one."""
    assert minutes_of(readiness.outages(one([0, 1, 0, 0]))) == [[0, 1, 1, 1.0], [2, None, 2, 2.0]]
    assert minutes_of(readiness.outages(one([0]))) == [[0, None, 1, 0.0]]
    assert readiness.outages(one([1, 1])).empty


def test_a_gap_parts_no_outage_and_counts_for_nothing():
    values = [1, 0, None, None, None, 0, 1, 1, 1]
    assert minutes_of(readiness.outages(one(values))) == [[1, 6, 2, 2.0]]


def test_nan_is_no_sample():
    assert minutes_of(readiness.outages(one([1, 0, np.nan, 0, 1]))) == [[1, 4, 2, 2.0]]


@pytest.mark.parametrize("categorical", [True, False])
def test_each_gauge_has_its_own_outages_whatever_its_name(categorical):
    samples = samples_of(
        ({"tenant": "=1+1", "instance": "a:80"}, [1, 0, 0, 1]),
        ({"tenant": "<b>", "instance": "a:80"}, [0, 0, 1, 1]),
        ({"tenant": "=1+1", "instance": "b:80"}, [1, 1, 1, 0]),
        categorical=categorical,
    )
    frame = readiness.outages(samples, by=("tenant", "instance"))
    assert frame[["tenant", "instance"]].values.tolist() == [["<b>", "a:80"], ["=1+1", "a:80"], ["=1+1", "b:80"]]
    assert minutes_of(frame) == [[0, 2, 2, 2.0], [1, 3, 2, 2.0], [3, None, 1, 1.0]]
    assert str(frame["tenant"].dtype) == "str"


@given(st.lists(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=30), min_size=1, max_size=4))
def test_outages_hold_every_sample_that_is_not_ready_once(gauges):
    samples = samples_of(*(({"tenant": f"t{number}"}, values) for number, values in enumerate(gauges)))
    frame = readiness.outages(samples.sample(frac=1, random_state=1), by=("tenant",))
    assert frame["not_ready_samples"].sum() == sum(values.count(0) for values in gauges)
    # A stretch begins at each 0 that no 0 goes before.
    begins = sum("".join(map(str, [1, *values])).count("10") for values in gauges)
    assert len(frame) == begins
    ended = frame[frame["end"].notna()]
    assert (ended["end"] - ended["start"] == pd.to_timedelta(ended["not_ready_samples"], unit="min")).all()


def flips_of(*rows):
    """Steps of the transition counter: (instance, minute of the sample before, minute of its own, flips)."""
    frame = pd.DataFrame(rows, columns=["instance", "before", "time", "step"])
    for column in ("before", "time"):
        frame[column] = pd.Series([BEGIN + timedelta(minutes=at) for at in frame[column]], dtype=TIME)
    return frame.assign(job="cloudxai").astype({"step": "float64"})


def test_transitions_are_those_of_the_process_that_saw_most():
    """a and b look on at the same minutes; b saw one more. An hour in which nothing flipped stands with 0."""
    steps = flips_of(("a:80", 1, 2, 2), ("b:80", 1.5, 2.5, 3), ("a:80", 61, 62, 0))
    assert readiness.transitions(steps)["transitions"].tolist() == [3.0, 0.0]


def test_transitions_of_an_hour_are_added_up_over_a_rollout():
    """a saw two flips at minute 2; c, which came after it, saw three at minute 40: five in the hour."""
    steps = flips_of(("a:80", 1, 2, 2), ("b:80", 1, 2, 2), ("c:80", 39, 40, 3), ("c:80", 59, 61, 1))
    assert readiness.transitions(steps)["transitions"].tolist() == [5.0, 1.0]


def latency_of(*rows, quantile=0.95):
    """One row per (hour, instance, le, increase)."""
    hours = hours_of(*rows, columns=["hour", "instance", "le", "increase"])
    frame = readiness.check_latency(hours, quantile=quantile)
    return [[hour.hour, seconds] for hour, seconds in frame.itertuples(index=False)]


def buckets(counts, hour=0, instance="a:80"):
    return [(hour, instance, le, float(count)) for le, count in counts.items()]


@pytest.mark.parametrize(
    ("quantile", "seconds"),
    [
        # 100 checks: 50 up to 0.1 s, 40 more up to 0.2 s, 10 more up to 0.5 s.
        (0.25, 0.05),  # half of the first bucket, which begins at 0
        (0.5, 0.1),  # the whole first bucket
        (0.7, 0.15),  # 20 of the 40 of the second: 0.1 + 0.1 x 20 / 40
        (0.95, 0.35),  # 5 of the 10 of the third: 0.2 + 0.3 x 5 / 10
        (1.0, 0.5),
    ],
)
def test_a_quantile_is_linear_within_its_bucket(quantile, seconds):
    rows = buckets({"0.1": 50, "0.2": 90, "0.5": 100, INF: 100})
    assert latency_of(*rows, quantile=quantile) == [[0, pytest.approx(seconds)]]


def test_beyond_the_last_finite_bucket_its_bound_is_all_that_is_known():
    """Ten of a hundred took longer than 0.2 s."""
    assert latency_of(*buckets({"0.1": 50, "0.2": 90, INF: 100})) == [[0, 0.2]]


def test_the_increases_of_all_processes_are_added_up():
    """Together 50, 90, 100 as above; spellings of one bound are one bucket."""
    rows = buckets({"0.1": 50, "0.2": 60, "0.5": 60, INF: 60}) + buckets(
        {"0.10": 0, "0.2": 30, "5e-1": 40, INF: 40}, instance="b:80"
    )
    assert latency_of(*rows) == [[0, pytest.approx(0.35)]]


def test_bounds_that_only_one_process_has_do_not_hide_what_lies_below():
    """Prometheus lets no sum fall below the one before it: 190 of 200 within 0.1 s stay so."""
    rows = buckets({"0.1": 95, "0.2": 95, INF: 100}) + buckets(
        {"0.1": 95, "0.2": 95, "0.3": 97, INF: 100}, instance="b:80"
    )
    assert latency_of(*rows) == [[0, pytest.approx(0.1)]]


def test_bounds_are_sorted_as_numbers():
    rows = buckets({INF: 100, "10": 100, "2.5": 90, "1": 50})
    assert latency_of(*rows, quantile=0.7) == [[0, pytest.approx(1.75)]]


def test_an_hour_without_a_check_and_a_histogram_without_its_end_are_unknown():
    rows = [*buckets({"0.1": 0, INF: 0}), *buckets({"0.1": 4, INF: 4}, hour=1)]
    assert latency_of(*rows, quantile=0.5) == [[1, pytest.approx(0.05)]]
    assert latency_of(*buckets({"0.1": 50, "0.2": 100})) == []


def test_a_single_bucket_says_nothing():
    assert all(np.isnan(seconds) for _, seconds in latency_of(*buckets({INF: 10})))


@settings(max_examples=60)
@given(
    counts=st.lists(st.integers(0, 50), min_size=3, max_size=8).filter(any),
    quantile=st.floats(0.01, 1.0),
)
def test_the_quantile_lies_in_the_bucket_that_holds_it(counts, quantile):
    bounds = [0.1 * 2**number for number in range(len(counts) - 1)]
    within = np.cumsum(counts)
    rows = buckets(dict(zip([f"{bound:g}" for bound in bounds] + [INF], within, strict=True)))
    [[_, seconds]] = latency_of(*rows, quantile=quantile)
    place = int(np.searchsorted(within, quantile * within[-1], side="left"))
    if place >= len(bounds):
        assert seconds == pytest.approx(bounds[-1])
    else:
        assert (bounds[place - 1] if place else 0) <= seconds <= bounds[place] * (1 + 1e-9)


def test_the_least_available_tenant_stands_first():
    """acme: (50 + 60) of 120 samples on two processes; beta: all 60."""
    columns = ["hour", "instance", "tenant", "samples", "sum", "changes"]
    hours = hours_of(
        (0, "a:80", "beta", 60, 60.0, 0),
        (0, "a:80", "acme", 60, 50.0, 4),
        (1, "b:80", "acme", 60, 60.0, 1),
        (1, "b:80", "gone", 0, 0.0, 0),
        columns=columns,
    )
    frame = readiness.tenant_availability(hours)
    assert frame.values.tolist() == [["acme", 120, 110 / 120, 5], ["beta", 60, 1.0, 0]]
