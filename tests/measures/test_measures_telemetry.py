"""The telemetry by hand: coverage, gaps, targets that go, processes that begin; time seen as a slow oracle has it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from by_hand import at, said, table
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures import telemetry as measure
from cloudxai_analysis.measures.time_seen import holds, joined, seconds_before, seconds_within, sweep

BEGIN, WEEK, NAN = at("09"), parse_window("2026-W46"), float("nan")


def every(seconds, start="09", hours=24.0):
    """One time every `seconds` from `start` on."""
    return pd.date_range(at(start), periods=round(hours * 3600 / seconds), freq=f"{seconds}s", unit="us")


def up_of(*series):
    """Samples of `up`: per series its instance, its times, and those from when until before when it failed."""
    parts = []
    for number, (instance, times, *failed) in enumerate(series):
        down = (times >= at(failed[0])) & (times < at(failed[1])) if failed else np.zeros(len(times), dtype=bool)
        rows = zip(times, np.where(down, 0.0, 1.0), strict=True)
        parts.append(table("time value", *rows, instance=instance, series_id=number, text=False))
    frame = pd.concat(parts, ignore_index=True) if parts else table("time value instance series_id", text=False)
    return frame.astype({"value": "float64", "series_id": "int64", "job": "category", "instance": "category"})


def without(times, start, end):
    return times[(times < at(start)) | (times >= at(end))]


def coverage(*series, days=1, **how):
    held = holds(up_of(*series))
    window = Window(WEEK.start, WEEK.start + timedelta(days=days))
    return measure.scrape_coverage(measure.job_states(held), held, window, **how)


def gaps(*series):
    held = holds(up_of(*series))
    return measure.scrape_gaps(held, measure.job_states(held), end=at("10"))


DAY = every(60)
TO_NOON, FROM_NOON = every(15, hours=12), every(60, "09 12:00", 12)
# Targets of a job over one day; then minutes expected, up, and down, and how many scrapes are missing in gaps.
COVERED = {
    "a whole day": ([("a", DAY)], [1440, 1440, 0], []),
    "each sample twice": ([("a", DAY.repeat(2))], [1440, 1440, 0], []),
    "from 15 s to a minute": ([("a", TO_NOON.union(FROM_NOON))], [1440, 1440, 0], []),
    "from a minute to 15 s": ([("a", every(60, hours=12).append(every(15, "09 12:00", 12)))], [1440, 1440, 0], []),
    # A scrape stands for 2.5 steps at most: the last one before the hole until 06:01:30.
    "six hours are missing": ([("a", without(DAY, "09 06:00", "09 12:00"))], [1440, 1081.5, 0], [360]),
    "from six o'clock to noon": ([("a", every(60, "09 06:00", 6))], [1080, 361.5, 0], [717]),
    "a rollout": ([("a", every(60, hours=12)), ("b", FROM_NOON)], [1440, 1440, 0], []),
    "one of a pair covers for the other": (
        [("a", without(DAY, "09 06:00", "09 18:00")), ("a", without(DAY, "09 18:00", "10"))],
        *([1440, 1440, 0], []),
    ),
    "a failed scrape": ([("a", DAY, "09 10:00", "09 10:01")], [1440, 1439, 1], []),
    "down from noon on": ([("a", DAY, "09 12:00", "10")], [1440, 720, 720], []),
    "one of two is down": ([("a", DAY), ("b", DAY, "09", "10")], [1440, 1440, 0], []),
    "a pod of minutes with a failed scrape": (
        [("a", DAY), ("pod", DAY[600:603], "09 10:01", "09 10:02")],
        [1440, 1440, 0],
        [],
    ),
    "a slow one beside a quick one": (
        [("a", TO_NOON.append(FROM_NOON)), ("b", DAY, "09 06:00", "09 18:00")],
        *([1440, 1440, 0], []),
    ),
    # One scrape missing leaves 120 s, two leave 180 s; 2.5 steps are 150 s.
    "one scrape is missing": ([("a", DAY.delete([600]))], [1440, 1440, 0], []),
    "two are": ([("a", DAY.delete([600, 601]))], [1440, 1439.5, 0], [2]),
    "late by a step and a half": (
        [("a", DAY[:600].append(DAY[600:-2] + pd.Timedelta(seconds=90)))],
        [1440, 1440, 0],
        [],
    ),
}


@pytest.mark.parametrize("case", COVERED)
def test_a_job_is_covered_while_one_of_its_targets_is_up_and_has_a_gap_where_none_was_scraped(case):
    series, minutes, missing = COVERED[case]
    found = coverage(*series)
    assert said(found, "expected_minutes up_minutes down_minutes") == [minutes]
    assert found["coverage"].tolist() == pytest.approx([minutes[1] / minutes[0]])
    assert gaps(*series)["missing"].tolist() == missing


def test_a_job_is_expected_from_its_first_scrape_to_the_windows_end_by_day_and_by_hour():
    """Its only target is gone from Monday noon on: it never comes back, and no day of the rest is covered."""
    found = coverage(("a", every(60, hours=12)), days=3)
    assert said(found, "expected_minutes up_minutes") == [[1440, 721.5], [1440, 0], [1440, 0]]
    # A hole over midnight counts on both days.
    held = coverage(("a", without(every(60, hours=48), "09 23:00", "10 02:00")), days=2)
    assert held["up_minutes"].tolist() == [1381.5, 1320]
    # Of the first hour its second half was scraped; the third was not.
    hours = coverage(("a", without(every(60, "09 00:30", 3.5), "09 01:59", "09 03:00")), period="h")
    assert hours["up_minutes"].tolist()[:4] == [30, 60, 0.5, 60]
    known = measure.covered_periods(hours, jobs=["cloudxai"], period="h", end=at("10"))
    assert known["covered"].tolist()[:5] == [False, True, False, True, False]


def test_a_day_is_covered_when_every_job_has_95_percent_of_its_24_hours():
    shares = {"a": (1.0, 0.96, 1.0), "b": (0.94, 0.95, 1.0)}
    rows = [(job, f"{9 + number:02}", 1440 * share) for job, own in shares.items() for number, share in enumerate(own)]
    frame = pd.concat([table("day up_minutes", row[1:], job=row[0]) for row in rows])
    for jobs, end, least, expected in (
        (["a", "b"], "12", 0.95, [False, True, True]),
        (["a", "b"], "12", 0.9, [True, True, True]),
        (["a", "b", "absent"], "12", 0.95, [False, False, False]),
        # At 23:00 a day has more than 95 % of its hours, and is not over.
        (["a"], "11 23:00", 0.95, [True, True, False]),
    ):
        assert measure.covered_periods(frame, jobs=jobs, end=at(end), least=least)["covered"].tolist() == expected


@pytest.mark.parametrize(
    ("series", "found"),
    [
        ([("a", every(60, hours=168)), ("b", every(60, hours=36))], [["b", 2, 1, "10 12:01"]]),
        ([("a", every(60, hours=36)), ("b", every(60, "10 11:00", 132))], []),  # a rollout
        ([("a", every(60, hours=168)), ("b", every(60, "10", 0.5))], []),  # its surge
        ([("a", every(60, hours=36))], []),  # all went: that is a gap
    ],
)
def test_targets_that_went_for_good_are_told_where_others_still_answer(series, found):
    assert said(measure.fewer_targets(holds(up_of(*series)), WEEK), "instance before instances end") == found


def seconds(text):
    return at(text).timestamp()


def starts(*values, up=(), first="09 00:00"):
    """Starts by minute; then since when, first seen, how many processes, whether it restarted, and up to when."""
    rows = [(at(first) + pd.Timedelta(minutes=number), value) for number, value in enumerate(values)]
    frame = table("time value", *rows, instance="a", series_id=0, text=False).astype({"value": "float64"})
    return said(measure.process_starts(frame, up_of(*up)), "started_at seen_at processes restarted until")


BEGUN = [seconds(f"0{day} 12:00") for day in (1, 2, 3)]
ONE = [["01 12:00", "09 00:00", 1, False]]


def test_a_process_is_one_as_long_as_its_start_stays():
    # A client recomputes it from a clock that is being set: half a second to and fro.
    assert [row[:4] for row in starts(*(BEGUN[0] + minute % 2 / 2 for minute in range(6)))] == ONE
    # What is no time is no start.
    for value in (NAN, np.inf, -np.inf, 1e300, 1e12, 0.0, -5.0):
        found = starts(*(value if minute in (1, 3) else BEGUN[0] for minute in range(6)))
        assert [row[:4] for row in found] == ONE
        assert starts(value) == []
    # A first start is a restart where the target was scraped before it: the build before exported none.
    new = seconds("09 12:00")
    for up, restarted in (([("a", DAY)], True), ([("b", DAY)], False), ([("a", DAY, "09", "10")], False)):
        assert starts(new, up=up, first="09 12:01") == [["09 12:00", "09 12:01", 1, restarted, "09 12:01"]]
    # Alone until 00:10, three by turns until 00:50, then a new one: one restart is known, and none of the turns is.
    turns = [BEGUN[0] - 5_000] * 10 + [BEGUN[minute % 3] for minute in range(41)] + [seconds("09 00:50:30")] * 9
    found = starts(*turns)
    assert [row[2:4] for row in found] == [[1, False], [3, False], [1, True]]
    # A process is seen for two and a half of its steps after its last sample.
    assert [row[1] for row in found] == ["09 00:00", "09 00:10", "09 00:51"]
    assert [row[4] for row in found] == ["09 00:11", "09 00:52", "09 01:01"]


def samples(*series):
    """Per series the seconds of its samples, and their values (1 unless given)."""
    parts = [
        pd.DataFrame({"series_id": number, "time": moments(times), "value": values[0] if values else 1.0})
        for number, (times, *values) in enumerate(series)
    ]
    return pd.concat(parts, ignore_index=True).astype({"value": "float64"})


def moments(since):
    return BEGIN + pd.to_timedelta(np.asarray(since, dtype="float64"), unit="s").as_unit("us")


CHANGES = [*range(0, 90, 15), *range(90, 600, 60), *range(600, 690, 15)]


def since(times):
    return ((times - BEGIN) / pd.Timedelta(seconds=1)).tolist()


@pytest.mark.parametrize(
    ("times", "values", "found"),
    [
        # The last one of a series stands for two and a half steps.
        ([0, 60, 120, 180], 1, [60, 120, 180, 330]),
        # A gap of ten minutes: 150 s of it are held.
        ([0, 60, 120, 180, 780, 840], 1, [60, 120, 180, 330, 840, 990]),
        # One scrape that is missing, or late by half a step, ends nothing; two do.
        ([0, 60, 120, 240, 300, 360], 1, [60, 120, 240, 300, 360, 510]),
        ([0, 60, 120, 180, 360, 420, 480, 540], 1, [60, 120, 180, 330, 420, 480, 540, 690]),
        # A marker ends what holds, and holds nothing.
        ([0, 60, 120, 150], [1, 1, 1, NAN], [60, 120, 150]),
        ([0, 60, 61, 121, 181], [1, 1, NAN, 1, 1], [60, 61, 181, 331]),
        # Two samples at one time: the first of them stands for no time.
        ([0, 60, 60, 120, 180], [1, 1, 0, 1, 1], [60, 60, 120, 180, 330]),
        # Every 15 seconds, then every minute, and back: no change is a gap.
        (CHANGES, 1, [*CHANGES[1:], 712.5]),
        # Of a series with a single scrape nobody knows for how long it speaks.
        ([0], 1, [0]),
    ],
)
def test_a_sample_holds_until_the_next_one_for_two_and_a_half_steps_at_most(times, values, found):
    assert since(holds(samples((times, values)))["end"]) == found


def test_series_keep_their_own_steps():
    assert since(holds(samples(([0, 60, 120, 180],), ([0],)))["end"])[-1] == 150  # the others' usual step
    assert since(holds(samples((range(0, 600, 15),), (range(0, 600, 60),)))["end"])[-2:] == [540, 690]


# Gauges of one scrape interval: runs of at least 40 scrapes, which say what is usual, with gaps between them.
runs = st.lists(
    st.tuples(st.integers(40, 50), st.integers(1, 8), st.sampled_from([0.0, 1.0, NAN])), min_size=1, max_size=3
)
gauges = st.lists(st.tuples(st.sampled_from([10, 20, 30, 60]), st.integers(0, 59), runs), min_size=1, max_size=3)


def gauge(step, offset, drawn):
    times, values, place = [], [], 0
    for many, missing, value in drawn:
        times += [offset + step * (place + number) for number in range(many)]
        values += [value if number % 7 == 3 else 1.0 for number in range(many)]
        place += many + missing
    return times, values


def by_second(step, times, values):
    """What a gauge says in each second; NaN where nobody knows."""
    told = np.full(times[-1] + 3 * step, NAN)
    for here, after, value in zip(times, [*times[1:], 10**9], values, strict=True):
        told[here : min(after, here + step * 5 // 2)] = value
    return told


@settings(max_examples=30)
@given(gauges, st.randoms())
def test_every_second_is_counted_as_often_as_a_sample_stands_for_it(drawn, chance):
    made = [(step, *gauge(step, offset, parts)) for step, offset, parts in drawn]
    told = [by_second(*one) for one in made]
    length = max(len(one) for one in told)
    told = np.array([np.pad(one, (0, length - len(one)), constant_values=NAN) for one in told])
    frame = samples(*((times, values) for _, times, values in made))
    held = holds(frame.sample(frac=1, random_state=chance.randrange(1000)))
    pd.testing.assert_frame_equal(held, holds(frame))
    course = sweep(held, [np.ones(len(held), dtype=bool), (held["value"] == 0).to_numpy()])
    counted = np.zeros((2, length + 1), dtype=int)
    for row in course.itertuples(index=False):
        first, last = (int((moment - BEGIN).total_seconds()) for moment in (row.start, row.end))
        counted[:, first:last] = [[row[2]], [row[3]]]
    assert (counted[0, :-1] == (~np.isnan(told)).sum(axis=0)).all()
    assert (counted[1, :-1] == (told == 0).sum(axis=0)).all()

    # However the time is cut, its parts add up to the whole, and none is longer than it lasts.
    low = joined(course.assign(low=course[1].gt(0).map({True: "low", False: None})), "low")
    cuts = sorted(chance.randrange(-100, length + 100) for _ in range(8))
    edges = pd.DatetimeIndex(moments([-200, *cuts, length + 200]))
    parts = seconds_within(low, edges)
    assert parts.sum() == pytest.approx((told == 0).any(axis=0).sum())
    assert (parts >= 0).all()
    assert (parts <= np.diff(edges) / np.timedelta64(1, "s") + 1e-6).all()
    assert (np.diff(seconds_before(low, edges)) >= 0).all()


def test_stretches_of_one_state_that_touch_are_one_and_another_or_none_between_parts_them():
    frame = pd.DataFrame({"start": moments([0, 10, 20, 40, 50]), "end": moments([10, 20, 30, 50, 60])})
    found = joined(frame.assign(state=["up", "up", None, "up", "down"]), "state")
    assert [*zip(since(found["start"]), since(found["end"]), found["state"], strict=True)] == [
        *((0, 20, "up"), (40, 50, "up"), (50, 60, "down"))
    ]
