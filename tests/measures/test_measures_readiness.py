from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import readiness, telemetry
from cloudxai_analysis.measures.time_seen import holds

TIME = "datetime64[us, UTC]"
BEGIN = datetime(2026, 11, 9, tzinfo=UTC)
DAY = Window(BEGIN, BEGIN + timedelta(days=1))
MONTH = Window(BEGIN, BEGIN + timedelta(days=30))
MINUTE = timedelta(minutes=1)
INF = "+Inf"
SAID = {"1": 1.0, "0": 0.0, "x": np.nan}


def samples_of(*gauges, job="cloudxai", categorical=True):
    """One letter a scrape: '1', '0', 'x' a staleness marker, '.' no sample. A gauge: name, letters, step, first second.

    What has one name is one series; 'acme@a:80' is the tenant acme at an instance.
    """
    rows = [
        (name, BEGIN + timedelta(seconds=begin + place * step), SAID[letter], *name.rpartition("@")[::2])
        for name, letters, step, begin in [(*gauge, *(60, 0)[len(gauge) - 2 :]) for gauge in gauges]
        for place, letter in enumerate(letters)
        if letter != "."
    ]
    frame = pd.DataFrame(rows, columns=["name", "time", "value", "tenant", "instance"])
    frame = frame.astype({"time": TIME, "value": "float64"}).assign(job=job)
    kind = "category" if categorical else "str"
    frame = frame.astype(dict.fromkeys(["job", "instance", "tenant"], kind))
    return frame.assign(series_id=frame.groupby("name").ngroup().astype("int64"))


def platform(*gauges, up=(), other=()):
    """The platform's readiness from its gauges, `up` of its targets, and that of the job 'other'."""
    scraped = pd.concat([samples_of(*up), samples_of(*other, job="other")], ignore_index=True)
    states = telemetry.job_states(holds(scraped))
    return readiness.global_readiness(samples_of(*gauges), scraped, states)


def course(*rows):
    """Stretches of readiness: first minute, minute after the last, 1 or 0."""
    frame = pd.DataFrame(rows, columns=["start", "end", "ready"], dtype="float64")
    for edge in ("start", "end"):
        frame[edge] = (pd.Timestamp(BEGIN) + pd.to_timedelta(frame[edge], unit="min")).astype(TIME)
    return frame


def minutes(time):
    return None if pd.isna(time) else (time - BEGIN) / MINUTE


def stretches(frame):
    return [(minutes(row.start), minutes(row.end), row.ready) for row in frame.itertuples()]


NO_READY = platform()


def hours_of(*rows, columns):
    frame = pd.DataFrame(rows, columns=columns)
    frame["hour"] = pd.Series([BEGIN + timedelta(hours=hour) for hour in frame["hour"]], dtype=TIME)
    return frame.assign(job="cloudxai").astype(
        {name: "category" for name in ("job", "instance", "tenant", "le") if name in ("job", *columns)}
    )


# The last scrape stands for two and a half minutes, or 37.5 seconds where they are 15 seconds apart.
HOLE = "1" * 10 + "." * 10 + "1" * 10
DOWN = HOLE.replace(".", "0")


@pytest.mark.parametrize(
    ("gauges", "up", "found"),
    [
        pytest.param(
            [("a", "1101"), ("b", "1011")], [], [(0, 1, 1), (1, 3, 0), (3, 5.5, 1)], id="the least ready counts"
        ),
        pytest.param(
            [("a", "1" * 480, 15), ("a", "1" * 30 + "0" * 60 + "1" * 30, 60, 7200)],
            [],
            [(0, 150, 1), (150, 210, 0), (210, 241.5, 1)],
            id="an hour after the interval grew from 15 s to a minute",
        ),
        pytest.param(
            [("a", "1" * 960, 15), ("b", "1" * 60 + "0" * 60 + "1" * 120)],
            [],
            [(0, 60, 1), (60, 120, 0), (120, 241.5, 1)],
            id="a slow instance beside a quick one",
        ),
        pytest.param(
            [("a", "1" * 30), ("b", "0" * 10 + "." * 10 + "1" * 10)],
            [],
            [(0, 11.5, 0), (11.5, 31.5, 1)],
            id="an instance that is away counts for 2.5 steps",
        ),
        pytest.param([("a", HOLE)], [], [(0, 11.5, 1), (20, 31.5, 1)], id="a gap is unknown"),
        pytest.param([("a", "1" * 10 + "x")], [], [(0, 10, 1)], id="a marker ends what holds"),
        pytest.param([("a", HOLE)], [("a", DOWN)], [(0, 10, 1), (10, 20, 0), (20, 31.5, 1)], id="down is not ready"),
        pytest.param([("a", HOLE)], [("a", HOLE)], [(0, 11.5, 1), (20, 31.5, 1)], id="without `up` it is unknown"),
        pytest.param([("a", HOLE), ("b", "1" * 30)], [("a", DOWN), ("b", "1" * 30)], [(0, 31.5, 1)], id="one is down"),
        pytest.param(
            [("a", "0" * 10), ("b", "1" * 30)],
            [("a", DOWN), ("b", "1" * 30)],
            [(0, 10, 0), (10, 31.5, 1)],
            id="a failed scrape ends what an instance said, without a marker",
        ),
        pytest.param(
            [("a", "1" * 10 + "." + "1" * 10)],
            [("a", "1" * 10 + "0" + "1" * 10)],
            [(0, 10, 1), (10, 11, 0), (11, 22.5, 1)],
            id="one failed scrape is a minute",
        ),
        pytest.param([], [("a", DOWN)], [(10, 20, 0)], id="down without a gauge, and up without one"),
        pytest.param(
            [("a", "1" * 30)], [("a", "1" * 30), ("b", DOWN)], [(0, 31.5, 1)], id="a target without a gauge is down"
        ),
    ],
)
def test_readiness_by_hand(gauges, up, found):
    assert stretches(platform(*gauges, up=up)) == found


def test_another_job_that_never_told_of_readiness_moves_nothing_when_it_is_down():
    frame = platform(("a", "1" * 30), up=[("a", "1" * 30)], other=[("x", DOWN)])
    assert stretches(frame) == [(0, 31.5, 1)]


def measured(frame, window=DAY):
    return readiness.availability(frame, window).iloc[0]


@pytest.mark.parametrize(
    ("rows", "ready", "down", "whole"),
    [
        ([(0, 1440, 1)], 1440, 0, 1440),
        ([(0, 10, 1), (10, 12, 0), (12, 500, 1), (500, 501, 0), (501, 1440, 1)], 1437, 3, 1440),
        # 60 minutes are unknown, and 30 not ready.
        ([(0, 100, 1), (100, 130, 0), (190, 1440, 1)], 1350, 30, 1440),
        # What is before the first sample does not count; what is after the last does.
        ([(600, 1000, 1), (1000, 1010, 0)], 400, 10, 840),
        # Only the window's part of a stretch counts.
        ([(-600, 20, 0), (20, 5000, 1)], 1420, 20, 1440),
    ],
)
def test_availability_is_the_share_of_the_time_seen(rows, ready, down, whole):
    row = measured(course(*rows))
    assert row["availability"] == pytest.approx(ready / (ready + down))
    assert (row["low"], row["high"]) == pytest.approx((ready / whole, 1 - down / whole))
    assert (row["seen_minutes"], row["not_ready_minutes"]) == (ready + down, down)
    assert row["unknown_minutes"] == pytest.approx(whole - ready - down)
    assert row["seen_share"] == pytest.approx((ready + down) / whole)
    assert row["since"] == max(course(*rows)["start"].min(), pd.Timestamp(BEGIN))


@pytest.mark.parametrize("frame", [NO_READY, course((-2000, -1000, 1)), course((5000, 6000, 0))])
def test_where_nothing_was_seen_availability_is_unknown_and_nothing_is_used(frame):
    row = measured(frame)
    assert (row["seen_minutes"], row["not_ready_minutes"], row["seen_share"]) == (0, 0, 0)
    assert row[["availability", "low", "high"]].isna().all()
    budget = readiness.error_budget(frame, DAY, slo=0.999).iloc[0]
    assert budget[["used_minutes", "remaining_share"]].isna().all()
    assert budget["allowed_minutes"] == pytest.approx(1.44)


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=60, max_size=200), st.data())
def test_whatever_the_unknown_time_was_the_truth_lies_within_the_bounds(ready, data):
    gone = data.draw(st.sets(st.integers(1, len(ready) - 1), max_size=len(ready) // 4))
    seen = course(*((at, at + 1, float(said)) for at, said in enumerate(ready) if at not in gone))
    row = measured(seen, Window(BEGIN, BEGIN + len(ready) * MINUTE))
    assert row["low"] - 1e-9 <= np.mean(ready) <= row["high"] + 1e-9
    assert row["low"] - 1e-9 <= row["availability"] <= row["high"] + 1e-9


HOURS = 60


def test_every_day_has_its_own_availability_and_a_day_that_nobody_saw_none():
    """A quarter of the first day is not ready, of the second nothing is known, of the third half a day."""
    frame = readiness.daily_availability(
        course(
            (0, 12 * HOURS, 1), (12 * HOURS, 18 * HOURS, 0), (18 * HOURS, 24 * HOURS, 1), (48 * HOURS, 60 * HOURS, 1)
        )
    )
    assert frame["day"].dt.day.tolist() == [9, 10, 11]
    np.testing.assert_array_equal(frame["availability"], [0.75, np.nan, 1])
    assert frame["seen_minutes"].tolist() == [1440, 0, 720]


def test_rolling_availability_stands_at_the_days_end():
    """Over two days: 18 of 24 h; 42 of 48; then a day without anything: 24 of 24; at last 12 of 12, and nothing."""
    parts = [(0, 6, 0), (6, 48, 1), (72, 84, 1)]
    rows = course(*((start * HOURS, end * HOURS, ready) for start, end, ready in parts))
    frame = readiness.rolling_availability(rows, days=2)
    assert frame["day"].dt.day.tolist() == [10, 11, 12, 13]
    assert frame[["availability", "seen_minutes"]].values.tolist() == [
        *([0.75, 1440], [42 / 48, 2880], [1.0, 1440], [1.0, 720])
    ]
    single = readiness.rolling_availability(rows, days=1)["availability"]
    np.testing.assert_array_equal(single, [0.75, 1, np.nan, 1])


def test_the_error_budget_is_what_the_objective_leaves():
    """99.9 % of 30 days leave 43.2 minutes (the figure that every SRE book prints); all of a day is 1,000 budgets."""
    row = readiness.error_budget(course((0, 10, 0), (10, 43_200, 1)), MONTH, slo=0.999).iloc[0]
    assert row["allowed_minutes"] == pytest.approx(43.2)
    assert row["used_minutes"] == 10
    assert row["remaining_share"] == pytest.approx(1 - 10 / 43.2)
    overdrawn = readiness.error_budget(course((0, 1440, 0)), DAY, slo=0.999)
    assert overdrawn["remaining_share"].iloc[0] == pytest.approx(1 - 1000)


def outages_of(frame):
    return [(minutes(row.start), minutes(row.end), row.minutes) for row in frame.itertuples()]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([(0, 1, 1), (1, 4, 0), (4, 9, 1)], [(1, 4, 3)]),
        ([(0, 5, 0), (5, 6, 1), (6, 8, 0)], [(0, 5, 5), (6, None, 2)]),
        ([(0, 5, 0)], [(0, None, 5)]),
        ([(0, 5, 1), (7, 9, 1)], []),
        # What nobody saw ends no outage, and counts for none of its minutes.
        ([(0, 1, 1), (1, 3, 0), (10, 12, 0), (12, 20, 1)], [(1, 12, 4)]),
        ([(0, 1, 0), (5, 9, 1), (9, 10, 0)], [(0, 5, 1), (9, None, 1)]),
    ],
)
def test_an_outage_runs_until_the_platform_is_seen_ready(rows, found):
    assert outages_of(readiness.outages(course(*rows))) == found


@pytest.mark.parametrize("categorical", [True, False])
def test_an_outage_of_a_tenant_counts_once_whatever_its_name_and_by_whichever_instance(categorical):
    """The last scrape of one that stays not ready stands for two and a half minutes, after two of the other's."""
    samples = samples_of(
        ("=1+1@a:80", "1001"), ("<b>@a:80", "0011"), ("=1+1@b:80", "1110"), ("c@a:80", "1111"), categorical=categorical
    )
    frame = readiness.tenant_outages(samples.sample(frac=1, random_state=1))
    assert frame[["tenant", "instances"]].values.tolist() == [["<b>", 1], ["=1+1", 2]]
    assert outages_of(frame) == [(0, 2, 2), (1, None, 4.5)]
    assert str(frame["tenant"].dtype) == "str"


@pytest.mark.parametrize(
    ("gauge", "found"),
    [
        pytest.param(
            [("t@a", "1" * 10 + "0" * 12 + "1" * 10, 15)], (2.5, 5.5, 3), id="three minutes are three at 15 s"
        ),
        pytest.param([("t@a", "1" * 10 + "000" + "1" * 10)], (10, 13, 3), id="and at a minute"),
        pytest.param(
            [("t@a", "1" * 40 + "00.....00" + "1" * 40)], (40, 49, 2 - 1 + 2.5 + 2), id="a gap counts 2.5 steps"
        ),
        pytest.param([("t@a", "1" * 10 + "0x0" + "1" * 10)], (10, 13, 3), id="NaN is no sample"),
    ],
)
def test_a_tenants_outage_is_weighed_by_time(gauge, found):
    assert outages_of(readiness.tenant_outages(samples_of(*gauge))) == [found]


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


def test_an_hour_without_a_check_and_a_histogram_without_its_end_are_unknown():
    rows = [*buckets({"0.1": 0, INF: 0}), *buckets({"0.1": 4, INF: 4}, hour=1)]
    assert latency_of(*rows, quantile=0.5) == [[1, pytest.approx(0.05)]]
    assert latency_of(*buckets({"0.1": 50, "0.2": 100})) == []


def test_the_least_available_tenant_stands_first():
    """acme is not ready in 10 of 60 minutes of one hour, and ready in the next, in which it is scraped every 15 s.

    Weighed by time that is 110 of 120 minutes; of its samples it would be 290 of 300.
    """
    columns = ["hour", "instance", "tenant", "samples", "sum", "changes", "first", "last"]
    hours = hours_of(
        (0, "a:80", "beta", 60, 60.0, 0, 0, 59),
        (0, "a:80", "acme", 60, 50.0, 4, 0, 59),
        (1, "b:80", "acme", 240, 240.0, 1, 60, 119.75),
        (1, "b:80", "gone", 0, 0.0, 0, None, None),
        columns=columns,
    )
    for name in ("first", "last"):
        hours[f"{name}_ts"] = (pd.Timestamp(BEGIN) + pd.to_timedelta(hours[name], unit="min")).astype(TIME)
    frame = readiness.tenant_availability(hours)
    assert frame.values.tolist() == [["acme", 300, pytest.approx(110 / 120), 5], ["beta", 60, 1.0, 0]]
