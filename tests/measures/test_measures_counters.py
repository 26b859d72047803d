"""Increases of counters by hand: what the first sample of a series adds, and what goes on under other labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.lake.rollups import join_hours, roll_up
from cloudxai_analysis.measures.cardinality import refusals, rejections
from cloudxai_analysis.measures.counters import counted_hours, counter_steps, split_at
from cloudxai_analysis.measures.readiness import check_latency
from cloudxai_analysis.sources.series import SeriesBatch

TIME = "datetime64[us, UTC]"
BEGIN = pd.Timestamp("2026-11-10 09:00", tz="UTC")
COLUMNS = ["instance", "tenant", "le"]


def at(minute):
    return BEGIN + pd.Timedelta(minutes=minute)


def series(values, *, instance="a:80", tenant="", le=""):
    return {"instance": instance, "tenant": tenant, "le": le, "values": values}


def samples_of(*given):
    rows = [
        (number, one["instance"], one["tenant"], one["le"], at(minute), value)
        for number, one in enumerate(given)
        for minute, value in one["values"].items()
    ]
    frame = pd.DataFrame(rows, columns=["series_id", *COLUMNS, "time", "value"]).assign(job="cloudxai")
    return frame.astype({"time": TIME, "value": "float64"} | dict.fromkeys(["job", *COLUMNS], "category"))


def hours_of(*given):
    """Rollups as the lake gives them."""
    parts = []
    for number, one in enumerate(given):
        times = np.array([at(minute).value // 10**6 for minute in one["values"]])
        parts.append(({"number": f"{number:03}"}, times, np.array([*one["values"].values()], dtype="float64")))
    batch = SeriesBatch.of("counter", parts)
    rolled = roll_up(batch)
    frame = join_hours(pd.DataFrame({"series_id": rolled.pop("series"), **rolled}))
    for name in ("hour", "first_ts", "last_ts"):
        frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True).astype(TIME)
    for name in COLUMNS:
        frame[name] = pd.Categorical([given[number][name] for number in frame["series_id"]])
    return frame.assign(job=pd.Categorical(["cloudxai"] * len(frame)))


def scrapes_of(**minutes):
    """Successful scrapes of targets: `a=range(60)` of a:80."""
    rows = [("cloudxai", f"{name}:80", at(minute)) for name, those in minutes.items() for minute in those]
    return pd.DataFrame(rows, columns=["job", "instance", "time"]).astype({"time": TIME})


def starts_of(*rows):
    """One row per (instance, minute of the start, first and last minute seen, processes)."""
    frame = pd.DataFrame(rows, columns=["instance", "started_at", "seen_at", "until", "processes"])
    for name in ("started_at", "seen_at", "until"):
        frame[name] = pd.Series([at(minute) for minute in frame[name]], dtype=TIME)
    return frame.assign(job="cloudxai").astype({"instance": "str", "processes": "int64"})


NO_STARTS = starts_of()


def increase(*given, scrapes, starts=NO_STARTS):
    """The increase over all, by raw samples and by rollups, which must agree."""
    steps = counter_steps(samples_of(*given), scrapes, starts)
    hours = counted_hours(hours_of(*given), scrapes, starts)
    assert hours["increase"].sum() == pytest.approx(steps["step"].sum())
    return steps["step"].sum()


def test_forty_names_of_three_refusals_each_are_a_hundred_and_twenty():
    """A build whose counter carries the tenant: each series begins at 3 in a process that was scraped all the time."""
    names = [series({30: 3, 31: 3}, tenant=f"t{number}") for number in range(40)]
    assert increase(*names, scrapes=scrapes_of(a=range(60))) == 120


def test_the_first_sample_of_all_counts_nothing_nor_does_that_of_a_target_nobody_knows():
    assert increase(series({0: 7, 1: 9}), scrapes=scrapes_of(a=range(60))) == 2
    assert increase(series({30: 7, 31: 9}, instance="b:80"), scrapes=scrapes_of(a=range(60), b=range(30, 60))) == 2


@pytest.mark.parametrize(("started", "counted"), [(29, 9), (-5, 2)])
def test_the_first_sample_of_a_new_process_counts_where_it_began_in_the_telemetrys_time(started, counted):
    scrapes = scrapes_of(a=range(60), b=range(30, 60))
    starts = starts_of(("a:80", -100, 0, 60, 1), ("b:80", started, 30, 60, 1))
    assert increase(series({30: 7, 31: 9}, instance="b:80"), scrapes=scrapes, starts=starts) == counted


def test_a_restarted_process_counts_from_zero_also_where_it_names_its_start_nowhere():
    """Refused nothing before minute 30; the restart's own series begins at 5."""
    assert increase(series({31: 5, 32: 6}, tenant="t"), scrapes=scrapes_of(a=[*range(20), *range(31, 60)])) == 6


def test_another_spelling_of_a_bucket_goes_on_from_its_value():
    """500 at minute 29 under '1', 503 at minute 30 under '1.0': three checks, not 503."""
    one, other = series({0: 490, 29: 500}, le="1"), series({30: 503, 59: 510}, le="1.0")
    assert increase(one, other, scrapes=scrapes_of(a=range(60))) == 20
    assert increase(one, series({30: 503}, le="2.0"), scrapes=scrapes_of(a=range(60))) == 513


def test_other_labels_in_the_same_process_go_on_and_in_a_new_one_begin_anew():
    """A label outside of the contract was added: the same columns, another series."""
    one, other = series({0: 40, 29: 45}), series({30: 47, 31: 50})
    same = starts_of(("a:80", -100, 0, 60, 1))
    assert increase(one, other, scrapes=scrapes_of(a=range(60)), starts=same) == 10
    anew = starts_of(("a:80", -100, 0, 30, 1), ("a:80", 29.5, 30, 60, 1))
    assert increase(one, other, scrapes=scrapes_of(a=range(60)), starts=anew) == 55


def test_a_process_that_is_called_by_another_address_goes_on():
    """Relabelled in mid-week: the start says that it is the same process."""
    starts = starts_of(("a:80", -100, 0, 30, 1), ("pod-a", -100, 30, 60, 1))
    given = series({0: 40, 29: 45}), series({30: 47, 31: 50}, instance="pod-a")
    assert increase(*given, scrapes=scrapes_of(a=range(30)), starts=starts) == 10


def test_two_that_end_and_two_that_begin_are_paired_by_size():
    ended = series({0: 40, 29: 45}), series({0: 1000, 29: 1010})
    begun = series({30: 1011}), series({30: 47})
    assert increase(*ended, *begun, scrapes=scrapes_of(a=range(60))) == 5 + 10 + 2 + 1


def test_an_address_of_several_processes_is_not_read():
    """Two counters in turn at 10 and 1,000: thousands of steps that nobody took."""
    shared = starts_of(("a:80", -100, 0, 60, 2), ("b:80", -100, 0, 60, 1))
    given = series({minute: 10 if minute % 2 else 1000 for minute in range(60)}), series({0: 1, 1: 4}, instance="b:80")
    assert increase(*given, scrapes=scrapes_of(a=range(60), b=range(60)), starts=shared) == 3


def test_a_bucket_under_two_spellings_at_once_counts_once():
    """Ten checks a minute, nine of them under 1 s: 95 % lie within 1 + (9.5 - 9) / 1 of the next bucket."""
    minutes = range(60)
    given = [
        series({minute: 9 * minute for minute in minutes}, le="1"),
        series({minute: 9 * minute for minute in minutes}, le="1.0"),
        series({minute: 10 * minute for minute in minutes}, le="2"),
        series({minute: 10 * minute for minute in minutes}, le="+Inf"),
    ]
    hours = counted_hours(hours_of(*given), scrapes_of(a=minutes), NO_STARTS)
    assert hours.groupby("le", observed=True)["increase"].sum().to_dict() == {"+Inf": 590, "1": 531, "2": 590}
    assert check_latency(hours)["seconds"].tolist() == [pytest.approx(1.5)]


def test_neighbouring_weeks_have_their_own_steps_and_one_stretch_tells_both_parts():
    """30 refusals an hour without end: 5,040 in each week, of which none is its neighbour's."""
    weeks = parse_window("2026-W46"), parse_window("2026-W47")
    first = int((weeks[0].start - BEGIN.to_pydatetime()).total_seconds() // 60) - 60
    counter = series({first + 10 * number: 5 * number for number in range(6 * 24 * 15)})
    steps = counter_steps(samples_of(counter), scrapes_of(), NO_STARTS)
    whole = refusals(steps)
    assert len(whole) == 1
    for week in weeks:
        part = split_at(whole, steps, week, by=["job", "instance"])
        assert part["inside"].tolist() == [5040]
        inside = steps[(steps["time"] >= week.start) & (steps["time"] < week.end)]
        assert rejections(inside)["rejections"].sum() == 5040
