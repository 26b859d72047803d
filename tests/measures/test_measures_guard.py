import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.measures.guard import guard_invariants, refusals

JOB, FIRST, SECOND = "cloudxai", "cloudxai-0:8080", "cloudxai-1:8080"
TIME = "datetime64[us, UTC]"
COLUMNS = [
    *("job", "instance", "most_tenants", "most_at", "within_cap"),
    *("rejections", "below_cap", "below_cap_at", "only_at_cap"),
]
CAP = 3


def at(clock):
    return pd.Timestamp(f"2026-11-10 {clock}", tz="UTC")


def counter(*points, instance=FIRST, tenant="", series_id=1):
    """A rejection counter's samples: (clock, value)."""
    frame = pd.DataFrame({"time": [at(clock) for clock, _ in points], "value": [float(value) for _, value in points]})
    frame = frame.assign(series_id=series_id, job=JOB, instance=instance, tenant=tenant)
    return categorical(frame.astype({"time": TIME}))


def tenants(*points, instance=FIRST):
    """Samples of a tenant gauge: (clock, names in one word)."""
    rows = [(at(clock), name) for clock, names in points for name in names]
    frame = pd.DataFrame(rows, columns=["time", "tenant"]).astype({"time": TIME})
    return categorical(frame.assign(series_id=frame.groupby("tenant").ngroup(), value=1.0, job=JOB, instance=instance))


def arrivals(*points, started="09:00", instance=FIRST):
    """When a process first saw each tenant: (clock, name)."""
    frame = pd.DataFrame({"tenant": [name for _, name in points], "seen_at": [at(clock) for clock, _ in points]})
    frame["started_at"] = at(started) if started else pd.NaT
    frame["last_seen"] = at("23:00")
    return frame.assign(job=JOB, instance=instance).astype(
        {"seen_at": TIME, "last_seen": TIME, "started_at": TIME, "tenant": "str", "job": "str", "instance": "str"}
    )


def categorical(frame):
    return frame.astype(dict.fromkeys(["job", "instance", "tenant"], "category"))


def together(*frames):
    """As the lake would give them: ids told apart, labels as categories again."""
    parts = [frame.assign(series_id=frame["series_id"] + 100 * number) for number, frame in enumerate(frames)]
    names = dict.fromkeys(["job", "instance", "tenant"], "str")
    return categorical(pd.concat([part.astype(names) for part in parts], ignore_index=True))


def judged(there, came, refused, cap=CAP):
    frame = guard_invariants(there, came, refused, cap=cap)
    assert frame.columns.tolist() == COLUMNS
    return frame


FULL = arrivals(("09:01", "a"), ("09:30", "b"), ("10:00", "c"))
THERE = tenants(("09:01", "a"), ("10:00", "abc"), ("10:30", "ac"))


def test_refusals_count_steps_at_the_later_sample():
    samples = counter(("09:00", 7), ("09:01", 7), ("09:02", 9), ("09:03", 9), ("09:20", 14), ("09:21", 14))
    assert refusals(samples).values.tolist() == [[JOB, FIRST, at("09:02"), at("09:20"), 7.0]]


@pytest.mark.parametrize(("second", "stretches"), [("10:02", 1), ("10:03", 2)])
def test_steps_an_hour_apart_are_one_stretch(second, stretches):
    samples = counter(("09:00", 0), ("09:02", 1), (second, 2))
    assert len(refusals(samples)) == stretches
    assert refusals(samples)["rejections"].sum() == 2
    assert len(refusals(samples, apart_minutes=5)) == 2


def test_after_a_reset_the_new_value_counts():
    samples = counter(("09:00", 100), ("09:01", 110), ("09:05", 0), ("09:06", 4), ("09:07", 1))
    # 10 before the restart, 4 of the new process, and 1 of the one after it.
    assert refusals(samples)[["start", "end", "rejections"]].values.tolist() == [[at("09:01"), at("09:07"), 15.0]]


def test_counters_by_tenant_add_up_and_processes_do_not():
    samples = together(
        counter(("09:00", 0), ("09:01", 2), tenant="x"),
        counter(("09:00", 5), ("09:01", 5), ("09:03", 8), tenant="y"),
        counter(("09:00", 0), ("09:02", 40), instance=SECOND),
    )
    found = refusals(samples.sample(frac=1, random_state=2))
    assert found[["instance", "start", "end", "rejections"]].values.tolist() == [
        [FIRST, at("09:01"), at("09:03"), 5.0],
        [SECOND, at("09:02"), at("09:02"), 40.0],
    ]


def test_what_is_no_number_is_no_step():
    samples = counter(("09:00", 1), ("09:01", np.nan), ("09:02", 3), ("09:03", np.nan))
    assert refusals(samples)["rejections"].tolist() == [2.0]
    assert refusals(counter(("09:00", np.nan), ("09:01", np.nan))).empty
    assert refusals(counter(("09:00", 12))).empty


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_refusals_add_up_to_the_counters_own_growth(steps):
    """One sample every five minutes: the stretches hold each step exactly once."""
    times = pd.date_range(at("00:00"), periods=len(steps) + 1, freq="5min", unit="us")
    frame = counter(("00:00", 0)).iloc[[0] * len(times)].reset_index(drop=True)
    frame = frame.assign(time=times, value=np.concatenate([[0.0], np.cumsum(steps)]))
    found = refusals(frame)
    assert found["rejections"].sum() == sum(steps)
    assert (found["start"] <= found["end"]).all()
    assert not (found["start"].shift(-1) - found["end"] <= pd.Timedelta(hours=1)).any()


def test_a_guard_that_refuses_at_the_cap_alone_keeps_both_promises():
    frame = judged(THERE, FULL, counter(("09:59", 0), ("10:00", 1), ("10:10", 6)))
    row = frame.iloc[0]
    assert row[["job", "instance", "most_tenants", "within_cap"]].tolist() == [JOB, FIRST, 3, True]
    assert (row["most_at"], row["rejections"], row["below_cap"]) == (at("10:00"), 6.0, 0.0)
    assert bool(row["only_at_cap"])
    assert pd.isna(row["below_cap_at"])


def test_more_tenants_at_one_scrape_than_the_cap_break_the_first_promise():
    frame = judged(THERE, FULL, counter(("09:00", 0)), cap=2)
    assert frame[["most_tenants", "most_at", "within_cap"]].values.tolist() == [[3, at("10:00"), False]]
    assert frame["only_at_cap"].isna().all()


def test_a_refusal_below_the_cap_breaks_the_second_promise():
    frame = judged(THERE, FULL, counter(("09:29", 0), ("09:30", 2), ("09:59", 5), ("10:00", 9)))
    assert frame[["rejections", "below_cap", "below_cap_at", "only_at_cap"]].values.tolist() == [
        [9.0, 5.0, at("09:30"), False]
    ]


def test_a_process_older_than_the_telemetry_may_hold_what_nobody_saw():
    refused = counter(("09:29", 0), ("09:30", 2))
    for started in ("", "08:00"):
        frame = judged(THERE, FULL.assign(started_at=at(started) if started else pd.NaT).astype({"started_at": TIME}), refused)
        assert frame["only_at_cap"].isna().all()
        assert frame["below_cap"].tolist() == [0.0]
    # An hour is the edge: a tenant that shows by then shows the process from its start.
    hour = FULL.assign(started_at=at("08:01"))
    assert judged(THERE, hour, refused)["only_at_cap"].tolist() == [False]


def test_a_later_run_is_judged_although_the_first_one_cannot_be():
    """The old process refuses with two seen, which proves nothing; the new one, seen from its start, with one."""
    old = arrivals(("09:01", "a"), ("09:30", "b"), started="")
    new = arrivals(("12:01", "a"), ("12:30", "b"), ("13:00", "c"), started="12:00")
    came = pd.concat([old, new], ignore_index=True)
    refused = counter(("09:00", 0), ("09:40", 50), ("12:01", 0), ("12:10", 3), ("13:10", 4))
    frame = judged(THERE, came, refused)
    assert frame[["rejections", "below_cap", "below_cap_at", "only_at_cap"]].values.tolist() == [
        [54.0, 3.0, at("12:10"), False]
    ]


def test_a_new_process_that_refuses_everybody_is_not_at_the_cap_of_the_old_one():
    came = pd.concat([FULL, arrivals(("15:20", "a"), started="15:00")], ignore_index=True)
    frame = judged(THERE, came, counter(("10:00", 0), ("10:10", 4), ("15:05", 2)))
    assert frame[["below_cap", "below_cap_at", "only_at_cap"]].values.tolist() == [[2.0, at("15:05"), False]]
    # Within a minute of the start the clocks may differ: the sample may still be the old process's.
    near = judged(THERE, came, counter(("10:00", 0), ("15:00", 4)))
    assert near["only_at_cap"].tolist() == [True]


def test_processes_are_judged_each_by_its_own_tenants():
    there = together(THERE, tenants(("09:01", "xy"), instance=SECOND))
    came = pd.concat([FULL, arrivals(("09:01", "x"), ("09:01", "y"), instance=SECOND)], ignore_index=True)
    refused = together(counter(("09:59", 0), ("10:10", 4)), counter(("09:59", 0), ("10:10", 1), instance=SECOND))
    frame = judged(there.sample(frac=1, random_state=4), came, refused)
    assert frame["instance"].tolist() == [FIRST, SECOND]
    assert frame["only_at_cap"].tolist() == [True, False]
    assert frame["most_tenants"].tolist() == [3, 2]


def test_a_process_that_refuses_and_shows_no_tenant_has_a_row():
    frame = judged(THERE, FULL, counter(("09:00", 0), ("09:30", 8), instance=SECOND))
    assert frame["instance"].tolist() == [FIRST, SECOND]
    assert frame["rejections"].tolist() == [0.0, 8.0]
    assert frame["most_tenants"].tolist() == [3, 0]
    assert frame["only_at_cap"].isna().all()


def test_one_tenant_of_two_series_is_one_tenant():
    there = together(THERE, tenants(("10:00", "abc")))
    assert judged(there, FULL, counter(("09:00", 0)))["most_tenants"].tolist() == [3]


def test_nothing_gives_empty_frames_with_the_right_columns():
    none = counter(("09:00", 0)).iloc[:0]
    frame = judged(THERE.iloc[:0], FULL.iloc[:0], none)
    assert frame.empty
    assert str(frame["only_at_cap"].dtype) == "boolean"
    assert str(frame["most_at"].dtype) == TIME
    stretches = refusals(none)
    assert stretches.columns.tolist() == ["job", "instance", "start", "end", "rejections"]
    assert stretches.empty
    assert str(stretches["start"].dtype) == TIME
    # Tenants, and no counter: nothing was refused as far as anybody knows.
    assert judged(THERE, FULL, none)["rejections"].tolist() == [0.0]
