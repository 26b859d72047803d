"""Increases of counters by hand: what the first sample of a series adds, and what goes on under other labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from by_hand import TIME, table

from cloudxai_analysis.lake.rollups import join_hours, roll_up
from cloudxai_analysis.measures.counters import counted_hours, counter_steps
from cloudxai_analysis.measures.readiness import check_latency
from cloudxai_analysis.sources.series import SeriesBatch

BEGIN = pd.Timestamp("2026-11-10 09:00", tz="UTC")
LABELS = ["instance", "tenant", "le"]
HOUR = range(60)


def at(minute):
    return BEGIN + pd.Timedelta(minutes=minute)


def series(values, *, instance="a", tenant="", le=""):
    return {"instance": instance, "tenant": tenant, "le": le, "values": values}


def samples_of(*given):
    rows = [
        (number, *(one[label] for label in LABELS), at(minute), float(value))
        for number, one in enumerate(given)
        for minute, value in one["values"].items()
    ]
    return table(f"series_id {' '.join(LABELS)} time value", *rows, text=False)


def hours_of(*given):
    """Rollups as the lake gives them."""
    parts = []
    for number, one in enumerate(given):
        times = np.array([at(minute).value // 10**6 for minute in one["values"]])
        parts.append(({"number": f"{number:03}"}, times, np.array([*one["values"].values()], dtype="float64")))
    rolled = roll_up(SeriesBatch.of("counter", parts))
    frame = join_hours(pd.DataFrame({"series_id": rolled.pop("series"), **rolled}))
    for name in ("hour", "first_ts", "last_ts"):
        frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True).astype(TIME)
    for name in LABELS:
        frame[name] = pd.Categorical([given[number][name] for number in frame["series_id"]])
    return frame.assign(job=pd.Categorical(["cloudxai"] * len(frame)))


def scrapes_of(**minutes):
    """Successful scrapes of targets: `a=range(60)`."""
    return table("instance time", *((name, at(minute)) for name, those in minutes.items() for minute in those))


def starts_of(*rows):
    """One row per (instance, minute of the start, first and last minute seen, processes)."""
    made = [(name, *map(at, minutes), processes) for name, *minutes, processes in rows]
    return table("instance started_at seen_at until processes", *made)


BUILD = [series({30: 3, 31: 3}, tenant=f"t{number}") for number in range(40)]
NEW, LATE = series({30: 7, 31: 9}, instance="b"), {"a": HOUR, "b": range(30, 60)}
ONE, ENDED = series({0: 490, 29: 500}, le="1"), series({0: 40, 29: 45})
ONE_PROCESS = [("a", -100, 0, 60, 1)]
TURNS = series({minute: 10 if minute % 2 else 1000 for minute in HOUR})
# Series, scrapes, starts, and what they rose.
INCREASES = {
    # Each series begins at 3 in a process that was scraped all the time.
    "forty names of three refusals each": (BUILD, {"a": HOUR}, [], 120),
    "the first sample of all counts nothing": ([series({0: 7, 1: 9})], {"a": HOUR}, [], 2),
    "nor that of a target nobody knows": ([NEW], LATE, [], 2),
    "a process that began in the telemetry's time": ([NEW], LATE, [*ONE_PROCESS, ("b", 29, 30, 60, 1)], 9),
    "and one that began before it": ([NEW], LATE, [*ONE_PROCESS, ("b", -5, 30, 60, 1)], 2),
    # Nothing before minute 30; the restart's own series begins at 5.
    "a restart that names its start nowhere": (
        [series({31: 5, 32: 6}, tenant="t")],
        {"a": [*range(20), *range(31, 60)]},
        [],
        6,
    ),
    "a fall is a reset": ([series({0: 40, 10: 45, 20: 3, 30: np.nan, 40: 4})], {"a": HOUR}, [], 5 + 3 + 1),
    # 500 at minute 29 under '1', 503 at minute 30 under '1.0': three checks, not 503.
    "another spelling of a bucket": ([ONE, series({30: 503, 59: 510}, le="1.0")], {"a": HOUR}, [], 20),
    "another bucket": ([ONE, series({30: 503}, le="2.0")], {"a": HOUR}, [], 513),
    # A label outside of the contract was added: the same columns, another series.
    "other labels of the same process": ([ENDED, series({30: 47, 31: 50})], {"a": HOUR}, ONE_PROCESS, 10),
    "other labels of a new one": (
        *([ENDED, series({30: 47, 31: 50})], {"a": HOUR}, [("a", -100, 0, 30, 1), ("a", 29.5, 30, 60, 1)]),
        55,
    ),
    # Relabelled in mid-week: the start says that it is the same process.
    "another address of the same process": (
        [ENDED, series({30: 47, 31: 50}, instance="pod-a")],
        *({"a": range(30)}, [("a", -100, 0, 30, 1), ("pod-a", -100, 30, 60, 1)], 10),
    ),
    "two that end and two that begin are paired by size": (
        [ENDED, series({0: 1000, 29: 1010}), series({30: 1011}), series({30: 47})],
        *({"a": HOUR}, [], 5 + 10 + 2 + 1),
    ),
    # Two counters in turn at 10 and 1,000: thousands of steps that nobody took.
    "an address of several processes": (
        [TURNS, series({0: 1, 1: 4}, instance="b")],
        *({"a": HOUR, "b": HOUR}, [("a", -100, 0, 60, 2), ("b", -100, 0, 60, 1)], 3),
    ),
}


@pytest.mark.parametrize("case", INCREASES)
def test_an_increase_is_what_was_seen_by_raw_samples_and_by_rollups(case):
    given, scrapes, starts, expected = INCREASES[case]
    steps = counter_steps(samples_of(*given), scrapes_of(**scrapes), starts_of(*starts))
    hours = counted_hours(hours_of(*given), scrapes_of(**scrapes), starts_of(*starts))
    assert steps["step"].sum() == expected
    assert hours["increase"].sum() == pytest.approx(expected)


def test_a_bucket_under_two_spellings_at_once_counts_once():
    """Ten checks a minute, nine of them under 1 s: 95 % lie within 1 + (9.5 - 9) / 1 of the next bucket."""
    counts = {"1": 9, "1.0": 9, "2": 10, "+Inf": 10}
    given = [series({minute: many * minute for minute in HOUR}, le=le) for le, many in counts.items()]
    hours = counted_hours(hours_of(*given), scrapes_of(a=HOUR), starts_of())
    assert hours.groupby("le", observed=True)["increase"].sum().to_dict() == {"+Inf": 590, "1": 531, "2": 590}
    assert check_latency(hours)["seconds"].tolist() == [pytest.approx(1.5)]
