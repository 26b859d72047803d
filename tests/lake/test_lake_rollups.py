"""Rollups by hand, and against a loop that reads like the definition."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from cloudxai_analysis.lake.rollups import FIELDS, join_hours, roll_up
from cloudxai_analysis.sources.series import SeriesBatch

MARKER = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
NAN = math.nan
INF = math.inf
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
TEN = 20_000 * DAY + 10 * HOUR  # 10:00 of some day
SUMS = ["sum", "integral", "increase"]
EXACT = [name for name in FIELDS if name not in SUMS]

Points = Sequence[tuple[int, float]]


def batch(points: Points, more: Sequence[Points] = ()) -> SeriesBatch:
    series = [
        ({"series": str(number)}, np.array([t for t, _ in part], dtype=np.int64), np.array([v for _, v in part]))
        for number, part in enumerate([points, *more])
    ]
    return SeriesBatch.of("m", series)


def frame(points: Points, *, bucket_ms: int = HOUR) -> pd.DataFrame:
    rolled = roll_up(batch(points), bucket_ms=bucket_ms)
    return pd.DataFrame(rolled).rename(columns={"series": "series_id"})


@pytest.mark.parametrize(
    ("points", "integrals"),
    [
        pytest.param([(TEN, 2)], [2 * 300], id="single sample, five minutes"),
        pytest.param([(TEN, 2), (TEN + 10 * MINUTE, 3)], [2 * 300 + 3 * 300], id="hold ends after five minutes"),
        pytest.param([(TEN + 58 * MINUTE, 4), (TEN + 62 * MINUTE, 1)], [4 * 120, 4 * 120 + 300], id="split"),
        pytest.param([(TEN + 58 * MINUTE, 4), (TEN + 70 * MINUTE, 1)], [4 * 120, 4 * 180 + 300], id="split, then gap"),
        pytest.param([(TEN + 58 * MINUTE, 4), (TEN + 150 * MINUTE, 1)], [4 * 300, 300], id="no row to pass on to"),
        pytest.param([(TEN + 58 * MINUTE, 4)], [4 * 300], id="the series ends"),
        pytest.param([(TEN + 58 * MINUTE, 4), (TEN + 61 * MINUTE, MARKER)], [4 * 120, 4 * 60], id="ended by a marker"),
        pytest.param([(TEN + 58 * MINUTE, 4), (TEN + 59 * MINUTE, MARKER)], [4 * 60], id="marker in the hour"),
        pytest.param([(TEN + 60 * MINUTE - 1, 4), (TEN + 60 * MINUTE, 1)], [4 / 1000, 300], id="up to the hour's edge"),
        pytest.param([(TEN + HOUR, 4), (TEN + 2 * HOUR, 1)], [4 * 300, 300], id="on the hour"),
        pytest.param([(TEN + 838 * MINUTE, 4)], [4 * 120], id="not beyond the day's end"),
        pytest.param(
            [(TEN + 838 * MINUTE, 4), (TEN + 850 * MINUTE, 1)], [4 * 120, 4 * 180 + 300], id="into the next day"
        ),
    ],
)
def test_hold_of_a_value(points: Points, integrals: list[float]) -> None:
    assert join_hours(frame(points))["integral"].tolist() == integrals


def test_series_do_not_touch_each_other() -> None:
    rolled = roll_up(batch([(TEN, 1), (TEN + HOUR, 4)], more=[[(TEN + HOUR, 10)]]))
    rows = join_hours(pd.DataFrame(rolled).rename(columns={"series": "series_id"}))
    assert rows["increase"].tolist() == [0, 3, 0]
    assert rows["integral"].tolist() == [300, 4 * 300, 10 * 300]


def test_infinite_values_make_no_nan_of_themselves() -> None:
    rows = join_hours(frame([(TEN, INF), (TEN + MINUTE, INF), (TEN + HOUR, INF), (TEN + HOUR + MINUTE, 1)]))
    assert rows["increase"].tolist() == [0, 1]
    assert rows["resets"].tolist() == [0, 1]
    assert rows["integral"].tolist() == [INF, INF]
    minus = join_hours(frame([(TEN, 1), (TEN + HOUR, -INF)]))
    assert (minus["increase"].tolist(), minus["integral"].tolist()) == ([0, -INF], [300, -INF])


VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 2.0, NAN, MARKER, 5e-324, -7.5]),
    st.floats(-1e6, 1e6, allow_nan=False),
)


@st.composite
def points_of_a_series(draw: st.DrawFn, values: st.SearchStrategy[float] = VALUES) -> Points:
    """Ascending points within about four hours before a midnight and four after it, with gaps of every kind."""
    gaps = st.sampled_from([1, 30_000, MINUTE, 299_999, 300_000, 300_001, 15 * MINUTE, HOUR, 150 * MINUTE])
    steps = draw(st.lists(gaps, max_size=40))
    start = TEN + draw(st.integers(10 * 60, 14 * 60)) * MINUTE
    times = start + np.cumsum([0, *steps])
    return [(int(time), draw(values)) for time in times]


def by_the_definition(points: Points) -> dict[str, float]:
    """One rollup of all points, its tail open, as a plain loop."""
    values = [(t, v) for t, v in points if not math.isnan(v)]
    steps = [(after - before, after) for (_, before), (_, after) in pairwise(values)]
    held = [
        value * min(after - time, 300_000) / 1000
        for (time, value), (after, _) in pairwise(points)
        if not math.isnan(value)
    ]
    markers = sum(struct.pack("<d", v) == struct.pack("<d", MARKER) for _, v in points)
    only = [v for _, v in values]
    return {
        "samples": len(values),
        "first_ts": values[0][0] if values else 0,
        "last_ts": values[-1][0] if values else 0,
        "resets": sum(step < 0 for step, _ in steps),
        "changes": sum(step != 0 for step, _ in steps),
        "nan_samples": len(points) - len(values) - markers,
        "stale_markers": markers,
        "first_point_ts": points[0][0],
        "last_point_ts": points[-1][0],
        "last_point_is_value": int(not math.isnan(points[-1][1])),
        "first": only[0] if only else NAN,
        "last": only[-1] if only else NAN,
        "min": min(only, default=NAN),
        "max": max(only, default=NAN),
        "sum": math.fsum(only),
        "integral": math.fsum(held),
        "increase": math.fsum(step if step >= 0 else after for step, after in steps),
    }


def same(found: pd.DataFrame, expected: pd.DataFrame, scale: float) -> None:
    """Equal: exactly, and to 1e-12 of what was added up for the three sums."""
    pd.testing.assert_frame_equal(
        found[EXACT].reset_index(drop=True), expected[EXACT].reset_index(drop=True), check_exact=True
    )
    assert_allclose(found[SUMS].to_numpy(), expected[SUMS].to_numpy(), rtol=1e-12, atol=1e-12 * scale)


def size_of(points: Points) -> float:
    return sum(abs(v) * 300 for _, v in points if not math.isnan(v))


@given(points_of_a_series())
def test_rollup_is_the_definition(points: Points) -> None:
    found = frame(points, bucket_ms=10**15).drop(columns=["series_id", "hour"])
    same(found, pd.DataFrame([by_the_definition(points)]), size_of(points))


def hold_by_hour(points: Points, until: int) -> dict[int, float]:
    """The integral of each hour with points, every value held by hand."""
    hours = {time // HOUR for time, _ in points}
    held = dict.fromkeys(sorted(hours), 0.0)
    for (time, value), (after, _) in zip(points, [*points[1:], (until, 0.0)], strict=True):
        if math.isnan(value):
            continue
        hour = time // HOUR
        end = min(after, time + 300_000, until)
        if end > (hour + 1) * HOUR and hour + 1 in hours:
            held[hour + 1] += value * (end - (hour + 1) * HOUR) / 1000
            end = (hour + 1) * HOUR
        elif hour + 1 not in hours:
            end = min(end, (time // DAY + 1) * DAY)
        held[hour] += value * (end - time) / 1000
    return held


# An example of this costs pandas some 20 ms.
@settings(max_examples=max(25, settings().max_examples // 4))
@given(points_of_a_series(), st.integers(1, 600_000))
@example([(TEN, 1.0), (TEN + HOUR, NAN), (TEN + 2 * HOUR, 4.0), (TEN + 4 * HOUR, 2.0)], 1)  # over an hour without any
def test_hours_add_up_to_the_whole_and_each_holds_its_own_part(points: Points, after: int) -> None:
    until, whole = points[-1][0] + after, by_the_definition(points)
    hours = join_hours(frame(points), until_ms=until)
    counts = ["samples", "resets", "changes"]
    assert hours[counts].sum().tolist() == [whole[name] for name in counts]
    held = hold_by_hour(points, until)
    assert (hours["hour"] // HOUR).tolist() == list(held)
    near = {"rtol": 1e-12, "atol": 1e-12 * size_of(points)}
    assert_allclose(hours["integral"], list(held.values()), **near)
    assert_allclose(hours["increase"].sum(), whole["increase"], **near)
    # A step over the hour belongs to the later one.
    values = [(time, value) for time, value in points if not math.isnan(value)]
    rises = dict.fromkeys(held, 0.0)
    for (_, before), (time, value) in pairwise(values):
        rises[time // HOUR] += value - before if value >= before else value
    assert_allclose(hours["increase"], list(rises.values()), **near)
