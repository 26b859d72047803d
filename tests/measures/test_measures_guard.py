import pandas as pd
import pytest

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


def test_a_stretch_runs_from_its_first_to_its_last_refusing_sample():
    """0, 0, 3, 10, 10: 3 at minute 2 and 7 at minute 3."""
    assert refusals(("a:80", {0: 0, 1: 0, 2: 3, 3: 10, 4: 10})) == [["a:80", 2, 3, 10]]


@pytest.mark.parametrize(("apart", "stretches"), [(59, 1), (60, 1), (61, 2)])
def test_refusals_over_an_hour_apart_are_two_stretches(apart, stretches):
    values = dict.fromkeys(range(1, 1 + apart), 1.0) | {0: 0.0, 1 + apart: 2.0}
    assert len(refusals(("a:80", dict(sorted(values.items()))))) == stretches


def test_the_series_of_a_process_are_added_up_and_processes_told_apart():
    """Some builds have one series per refused tenant."""
    found = refusals(("a:80", {0: 0, 1: 2}), ("a:80", {0: 1, 1: 4, 2: 5}), ("b:80", {0: 0, 1: 1}))
    assert found == [["a:80", 1, 2, 6], ["b:80", 1, 1, 1]]


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
    return guard.guard_invariants(tenants, arrivals, rejected, cap=cap, starts=NO_STARTS)


def invariants(tenants, arrivals, rejected, cap=3):
    return all_invariants(tenants, arrivals, rejected, cap).iloc[0]


def test_most_tenants_are_counted_at_one_scrape_and_told_with_its_time():
    """Four names in all, never more than three at once, first at minute 2."""
    tenants = tenants_of(**THREE, later=("a:80", [6]))
    row = invariants(tenants, arrivals_of(("a:80", -1, [0, 1, 2, 6])), NO_COUNTER)
    assert (row["most_tenants"], row["most_at"], row["within_cap"]) == (3, at(2), True)
    assert row["rejections"] == 0
    assert row["only_at_cap"] is pd.NA


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
