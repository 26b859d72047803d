"""Time seen: by hand, and second by second as a slow but obvious oracle has it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.measures.time_seen import holds, joined, seconds_before, seconds_within, sweep

BEGIN = pd.Timestamp("2026-11-09", tz="UTC").as_unit("us")
NAN = float("nan")


def moments(seconds):
    return BEGIN + pd.to_timedelta(np.asarray(seconds, dtype="float64"), unit="s").as_unit("us")


def seconds(times):
    return ((times - BEGIN) / pd.Timedelta(seconds=1)).tolist()


def samples(*series):
    """Per series the seconds of its samples, and their values (1 unless given)."""
    parts = [
        pd.DataFrame({"series_id": number, "time": moments(times), "value": values[0] if values else 1.0})
        for number, (times, *values) in enumerate(series)
    ]
    return pd.concat(parts, ignore_index=True).astype({"value": "float64"})


def ends(*series, **only):
    return seconds(holds(samples(*series), **only)["end"])


@pytest.mark.parametrize(
    ("times", "values", "found"),
    [
        # The last one of a series stands for two and a half steps.
        ([0, 60, 120, 180], [1, 1, 1, 1], [60, 120, 180, 330]),
        # A gap of ten minutes: 150 s of it are held.
        ([0, 60, 120, 180, 780, 840], [1] * 6, [60, 120, 180, 330, 840, 990]),
        # One scrape that is missing, or late by half a step, ends nothing; two do.
        ([0, 60, 120, 240, 300, 360], [1] * 6, [60, 120, 240, 300, 360, 510]),
        ([0, 60, 120, 180, 360, 420, 480, 540], [1] * 8, [60, 120, 180, 330, 420, 480, 540, 690]),
        # A marker ends what holds, and holds nothing.
        ([0, 60, 120, 150], [1, 1, 1, NAN], [60, 120, 150]),
        ([0, 60, 61, 121, 181], [1, 1, NAN, 1, 1], [60, 61, 181, 331]),
        # Two samples at one time: the first of them stands for no time.
        ([0, 60, 60, 120, 180], [1, 1, 0, 1, 1], [60, 60, 120, 180, 330]),
        # Every 15 seconds, then every minute, and back: no change is a gap.
        ([*range(0, 90, 15), *range(90, 600, 60), *range(600, 690, 15)], [1] * 21, None),
        # Of a series with a single scrape nobody knows for how long it speaks.
        ([0], [1], [0]),
    ],
)
def test_a_sample_holds_until_the_next_one_for_two_and_a_half_steps_at_most(times, values, found):
    kept = [time for time, value in zip(times, values, strict=True) if not np.isnan(value)]
    if found is None:
        found = [*kept[1:], kept[-1] + 37.5]
    assert ends((times, values)) == found


def test_a_single_sample_beside_others_has_their_usual_step():
    assert ends(([0, 60, 120, 180],), ([0],))[-1] == 150


def test_a_slow_series_beside_a_quick_one_keeps_its_own_step():
    assert ends((range(0, 600, 15),), (range(0, 600, 60),))[-2:] == [540, 690]


def test_only_the_rows_of_one_value_are_given_and_each_ends_where_the_next_of_any_value_begins():
    found = holds(samples(([0, 60, 120, 180, 240], [1, 0, 0, 1, 1])), only=0.0)
    assert (seconds(found["start"]), seconds(found["end"]), found["step"].tolist()) == ([60, 120], [120, 180], [60, 60])


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
    said = np.full(times[-1] + 3 * step, NAN)
    for here, after, value in zip(times, [*times[1:], 10**9], values, strict=True):
        said[here : min(after, here + step * 5 // 2)] = value
    return said


@settings(max_examples=30)
@given(gauges, st.randoms())
def test_every_second_is_counted_as_often_as_a_sample_stands_for_it(drawn, chance):
    made = [(step, *gauge(step, offset, parts)) for step, offset, parts in drawn]
    said = [by_second(*one) for one in made]
    length = max(len(one) for one in said)
    said = np.array([np.pad(one, (0, length - len(one)), constant_values=NAN) for one in said])
    frame = samples(*((times, values) for _, times, values in made))
    shuffled = frame.sample(frac=1, random_state=chance.randrange(1000))
    held = holds(shuffled)
    pd.testing.assert_frame_equal(held, holds(frame))
    course = sweep(held, [np.ones(len(held), dtype=bool), (held["value"] == 0).to_numpy()])
    counted = np.zeros((2, length + 1), dtype=int)
    for row in course.itertuples(index=False):
        first, last = (int((at - BEGIN).total_seconds()) for at in (row.start, row.end))
        counted[:, first:last] = [[row[2]], [row[3]]]
    assert (counted[0, :-1] == (~np.isnan(said)).sum(axis=0)).all()
    assert (counted[1, :-1] == (said == 0).sum(axis=0)).all()

    # However the time is cut, its parts add up to the whole, and none is longer than it lasts.
    low = joined(course.assign(low=course[1].gt(0).map({True: "low", False: None})), "low")
    cuts = sorted(chance.randrange(-100, length + 100) for _ in range(8))
    edges = pd.DatetimeIndex(moments([-200, *cuts, length + 200]))
    parts = seconds_within(low, edges)
    assert parts.sum() == pytest.approx((said == 0).any(axis=0).sum())
    assert (parts >= 0).all()
    assert (parts <= np.diff(edges) / np.timedelta64(1, "s") + 1e-6).all()
    assert (np.diff(seconds_before(low, edges)) >= 0).all()


def test_nothing_in_is_nothing_out():
    held = holds(samples(([0],))[:0])
    assert held.columns.tolist() == ["series_id", "time", "value", "start", "end", "step"]
    course = sweep(held, [np.ones(0, dtype=bool)])
    assert (course.columns.tolist(), len(course)) == (["start", "end", 0], 0)
    assert joined(course.assign(state=[]), "state").columns.tolist() == ["start", "end", "state"]
    assert seconds_within(held, pd.DatetimeIndex(moments([0, 60, 120]))).tolist() == [0, 0]


def test_stretches_of_one_state_that_touch_are_one():
    """Unknown between two, or another state, parts them."""
    frame = pd.DataFrame({"start": moments([0, 10, 20, 40, 50]), "end": moments([10, 20, 30, 50, 60])})
    found = joined(frame.assign(state=["up", "up", None, "up", "down"]), "state")
    assert [*zip(seconds(found["start"]), seconds(found["end"]), found["state"], strict=True)] == [
        *((0, 20, "up"), (40, 50, "up"), (50, 60, "down"))
    ]
