import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.measures import cardinality as guard
from cloudxai_analysis.measures.counters import counter_steps

TIME = "datetime64[us, UTC]"
BEGIN = pd.Timestamp("2026-11-10 09:00", tz="UTC")


def at(minute):
    return BEGIN + pd.Timedelta(minutes=minute)


def counter_of(*series, categorical=True):
    """Samples of the rejection counter: per series its instance, and its value by minute."""
    rows = [
        (number, instance, at(minute), value)
        for number, (instance, values) in enumerate(series)
        for minute, value in values.items()
    ]
    frame = pd.DataFrame(rows, columns=["series_id", "instance", "time", "value"]).assign(job="cloudxai")
    frame = frame.astype({"series_id": "int64", "time": TIME, "value": "float64", "instance": "str", "job": "str"})
    return frame.astype({"job": "category", "instance": "category"}) if categorical else frame


def starts_of(*rows):
    """One row per (instance, minute of the start)."""
    frame = pd.DataFrame(rows, columns=["instance", "started_at"]).assign(job="cloudxai", restarted=True)
    frame["started_at"] = pd.Series([at(minute) for _, minute in rows], dtype=TIME)
    frame = frame.assign(seen_at=frame["started_at"], until=at(10_000), processes=1)
    return frame.astype({"instance": "str", "job": "str"})


NO_STARTS = starts_of()
NO_SCRAPES = pd.DataFrame({"job": [], "instance": [], "time": pd.Series([], dtype=TIME)})


def steps_of(*series, starts=NO_STARTS, **how):
    return counter_steps(counter_of(*series, **how), NO_SCRAPES, starts)


def refusals(*series, starts=NO_STARTS):
    found = guard.refusals(steps_of(*series, starts=starts))
    return [
        [instance, (start - BEGIN).total_seconds() / 60, (end - BEGIN).total_seconds() / 60, rejections]
        for _, instance, start, end, rejections in found.itertuples(index=False)
    ]


def test_nothing_in_is_an_empty_frame_with_its_columns():
    empty = guard.refusals(steps_of())
    assert list(empty.columns) == ["job", "instance", "start", "end", "rejections"]
    assert empty.empty
    assert str(empty["start"].dtype) == TIME


def test_a_counter_that_rests_refused_nothing():
    assert refusals(("a:80", {0: 7, 1: 7, 2: 7})) == []
    assert refusals(("a:80", {0: 7})) == []


def test_a_stretch_runs_from_its_first_to_its_last_refusing_sample():
    """0, 0, 3, 10, 10: 3 at minute 2 and 7 at minute 3."""
    assert refusals(("a:80", {0: 0, 1: 0, 2: 3, 3: 10, 4: 10})) == [["a:80", 2, 3, 10]]


def test_a_reset_counts_the_value_after_it():
    """5 before the restart, then 2 of the new process, then 1."""
    assert refusals(("a:80", {0: 40, 1: 45, 2: 2, 3: 3})) == [["a:80", 1, 3, 8]]
    assert refusals(("a:80", {0: 40, 1: 0, 2: 0})) == []


@pytest.mark.parametrize(("apart", "stretches"), [(59, 1), (60, 1), (61, 2)])
def test_refusals_over_an_hour_apart_are_two_stretches(apart, stretches):
    values = dict.fromkeys(range(1, 1 + apart), 1.0) | {0: 0.0, 1 + apart: 2.0}
    assert len(refusals(("a:80", dict(sorted(values.items()))))) == stretches


def test_what_was_refused_in_a_gap_shows_after_it():
    assert refusals(("a:80", {0: 1, 90: 5})) == [["a:80", 90, 90, 4]]


def test_the_series_of_a_process_are_added_up_and_processes_told_apart():
    """Some builds have one series per refused tenant."""
    found = refusals(("a:80", {0: 0, 1: 2}), ("a:80", {0: 1, 1: 4, 2: 5}), ("b:80", {0: 0, 1: 1}))
    assert found == [["a:80", 1, 2, 6], ["b:80", 1, 1, 1]]


def test_a_first_sample_counts_nothing_while_nobody_knows_its_process_to_be_new():
    other = ("b:80", {0: 0, 1: 0})
    assert refusals(("a:80", {5: 9, 6: 9}), other) == []
    # It began before the samples do: the nine may be older than these.
    assert refusals(("a:80", {5: 9, 6: 9}), other, starts=starts_of(("a:80", -30))) == []
    assert refusals(("a:80", {5: 9, 6: 9}), other, starts=starts_of(("b:80", 3))) == []


def test_a_first_sample_counts_from_zero_where_its_process_began_within_the_samples():
    other = ("b:80", {0: 0, 1: 0})
    starts = starts_of(("a:80", 4), ("b:80", -5))
    assert refusals(("a:80", {5: 9, 6: 10}), other, starts=starts) == [["a:80", 5, 6, 10]]
    assert refusals(("a:80", {5: 0, 6: 1}), other, starts=starts) == [["a:80", 6, 6, 1]]


def test_nan_is_skipped_over():
    assert refusals(("a:80", {0: 1, 1: np.nan, 2: 4})) == [["a:80", 2, 2, 3]]


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=8), min_size=1, max_size=4))
def test_refusals_add_up_to_the_steps_of_every_process_life(lives):
    """Each life counts up from 0 by its steps; a scrape sees it after each, from the zero of the first life on."""
    values = [0.0]
    for number, steps in enumerate(lives):
        # A life that ends at no more than the next one's first value would hide its end: it begins with a scrape at 0.
        values += [*([0.0] if number else []), *np.cumsum(steps)]
    assert sum(row[3] for row in refusals(("a:80", dict(enumerate(values))))) == sum(map(sum, lives))


def tenants_of(**there):
    """Samples of a tenant gauge: per tenant its instance and minutes, as `acme=("a:80", range(5))`."""
    rows = [
        (number, instance, tenant, at(minute), 1.0)
        for number, (tenant, (instance, minutes)) in enumerate(there.items())
        for minute in minutes
    ]
    frame = pd.DataFrame(rows, columns=["series_id", "instance", "tenant", "time", "value"]).assign(job="cloudxai")
    return frame.astype({"time": TIME} | dict.fromkeys(["job", "instance", "tenant"], "category"))


def arrivals_of(*runs):
    """One row per tenant of each run: (instance, minute of its start or None, minutes at which tenants came)."""
    rows = [
        (instance, pd.NaT if begun is None else at(begun), f"t{number}", at(minute))
        for instance, begun, minutes in runs
        for number, minute in enumerate(minutes)
    ]
    frame = pd.DataFrame(rows, columns=["instance", "started_at", "tenant", "seen_at"]).assign(job="cloudxai")
    frame["started_at"] = pd.to_datetime(frame["started_at"], utc=True)
    frame = frame.assign(last_seen=frame["seen_at"])
    return frame.astype(dict.fromkeys(["started_at", "seen_at", "last_seen"], TIME) | {"job": "str", "instance": "str"})


NOBODY, NO_COUNTER = tenants_of(), steps_of()
THREE = {f"t{number}": ("a:80", range(number, 6)) for number in range(3)}  # one more each minute


def all_invariants(tenants, arrivals, rejected, cap=3):
    scrapes = guard.guard_scrapes(tenants, arrivals, rejected, cap=cap, starts=NO_STARTS)
    return guard.guard_invariants(scrapes, cap=cap)


def invariants(tenants, arrivals, rejected, cap=3):
    return all_invariants(tenants, arrivals, rejected, cap).iloc[0]


def test_without_tenants_and_counters_there_is_no_process_to_judge():
    empty = all_invariants(NOBODY, arrivals_of(), NO_COUNTER)
    columns = "job instance most_tenants most_at within_cap rejections below_cap below_cap_at only_at_cap"
    assert " ".join(empty.columns) == columns
    assert empty.empty
    assert str(empty["only_at_cap"].dtype) == "boolean"


def test_most_tenants_are_counted_at_one_scrape_and_told_with_its_time():
    """Four names in all, never more than three at once, first at minute 2."""
    tenants = tenants_of(**THREE, later=("a:80", [6]))
    row = invariants(tenants, arrivals_of(("a:80", -1, [0, 1, 2, 6])), NO_COUNTER)
    assert (row["most_tenants"], row["most_at"], row["within_cap"]) == (3, at(2), True)
    assert row["rejections"] == 0
    assert row["only_at_cap"] is pd.NA


def test_one_tenant_more_than_the_cap_breaks_the_first_promise():
    row = invariants(tenants_of(**THREE), arrivals_of(("a:80", -1, [0, 1, 2])), NO_COUNTER, cap=2)
    assert (row["most_tenants"], row["most_at"], row["within_cap"]) == (3, at(2), False)


def test_a_tenant_of_two_series_is_one_tenant():
    twice = pd.concat([tenants_of(acme=("a:80", range(3))), tenants_of(acme=("a:80", range(3)))]).astype(
        {"tenant": "category"}
    )
    assert invariants(twice, arrivals_of(("a:80", -1, [0])), NO_COUNTER, cap=1)["most_tenants"] == 1


def test_refusals_at_the_cap_keep_the_second_promise():
    """The third tenant came at minute 2; what was refused since the scrape before shows there, too."""
    row = invariants(
        tenants_of(**THREE), arrivals_of(("a:80", -1, [0, 1, 2])), steps_of(("a:80", {0: 0, 1: 0, 2: 4, 3: 9}))
    )
    assert (row["rejections"], row["below_cap"], row["only_at_cap"]) == (9, 0, True)
    assert pd.isna(row["below_cap_at"])


def test_a_tenant_that_has_gone_is_still_held():
    tenants = tenants_of(a=("a:80", [0]), b=("a:80", [1]), c=("a:80", [2]))
    row = invariants(tenants, arrivals_of(("a:80", -1, [0, 1, 2])), steps_of(("a:80", {2: 0, 3: 5})))
    assert (row["only_at_cap"], row["most_tenants"]) == (True, 1)


def test_a_refusal_below_the_cap_breaks_the_second_promise():
    """Two at minute 1 with two of three held, seven more at the cap."""
    row = invariants(tenants_of(**THREE), arrivals_of(("a:80", -1, [0, 1, 2])), steps_of(("a:80", {0: 0, 1: 2, 2: 9})))
    assert (row["rejections"], row["below_cap"], row["below_cap_at"]) == (9, 2, at(1))
    assert not row["only_at_cap"]


def test_a_restarted_process_has_to_fill_up_again():
    """The new process, begun at minute 9, refuses at minute 11 with one tenant."""
    arrivals = arrivals_of(("a:80", -1, [0, 1, 2]), ("a:80", 9, [10, 12, 13]))
    counter = steps_of(("a:80", {0: 0, 3: 5, 10: 0, 11: 4, 13: 6}))
    row = invariants(tenants_of(**THREE), arrivals, counter)
    assert (row["rejections"], row["below_cap"], row["below_cap_at"]) == (11, 4, at(11))


@pytest.mark.parametrize("begun", [None, -600])
def test_a_process_older_than_the_telemetry_may_hold_more_than_was_seen(begun):
    row = invariants(tenants_of(**THREE), arrivals_of(("a:80", begun, [0, 1])), steps_of(("a:80", {0: 0, 3: 5})))
    assert row["only_at_cap"] is pd.NA
    assert (row["rejections"], row["below_cap"]) == (5, 0)


def test_what_an_old_process_hides_does_not_excuse_the_new_one():
    arrivals = arrivals_of(("a:80", -600, [0, 1]), ("a:80", 9, [10]))
    row = invariants(tenants_of(**THREE), arrivals, steps_of(("a:80", {0: 0, 3: 5, 10: 0, 11: 2})))
    assert (row["below_cap"], row["below_cap_at"]) == (2, at(11))
    assert not row["only_at_cap"]


def test_a_process_that_refuses_all_and_shows_no_tenant_is_judged_too():
    row = invariants(NOBODY, arrivals_of(), steps_of(("a:80", {0: 0, 3: 5})))
    assert (row["most_tenants"], row["within_cap"], row["rejections"]) == (0, True, 5)
    assert pd.isna(row["most_at"])
    assert row["only_at_cap"] is pd.NA


def test_processes_are_judged_each_by_itself():
    tenants = tenants_of(**THREE, other=("b:80", range(3)))
    counter = steps_of(("a:80", {0: 0, 3: 5}), ("b:80", {0: 0, 1: 1}), categorical=False)
    arrivals = arrivals_of(("a:80", -1, [0, 1, 2]), ("b:80", -1, [0]))
    frame = all_invariants(tenants, arrivals, counter)
    assert frame[["instance", "most_tenants", "below_cap"]].values.tolist() == [["a:80", 3, 0], ["b:80", 1, 1]]


@settings(max_examples=40)
@given(
    arrived=st.lists(st.integers(0, 30), min_size=1, max_size=12),
    refused=st.lists(st.integers(0, 3), min_size=31, max_size=31),
    cap=st.integers(1, 8),
)
def test_the_second_promise_agrees_with_a_plain_count(arrived, refused, cap):
    row = invariants(
        tenants_of(acme=("a:80", range(31))),
        arrivals_of(("a:80", -1, [0, *arrived])),
        steps_of(("a:80", dict(enumerate(np.cumsum([0, *refused[1:]]).tolist())))),
        cap=cap,
    )
    held = [1 + sum(minute <= now for minute in arrived) for now in range(31)]
    early = [count for now, count in enumerate(refused) if now and held[now] < cap]
    assert row["rejections"] == sum(refused[1:])
    assert row["below_cap"] == sum(early)
