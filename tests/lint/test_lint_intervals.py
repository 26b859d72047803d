"""Intervals of values, held against every number that they can be tried with."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.lint.intervals import Interval, point

NUMBERS = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]
SIGNS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
ends = st.sampled_from([float("-inf"), -1.0, 0.0, 0.5, 1.0, float("inf")])
intervals = st.builds(Interval, ends, ends, st.booleans(), st.booleans(), st.booleans())


@given(intervals, st.sampled_from(sorted(SIGNS)), st.sampled_from(NUMBERS))
def test_what_a_condition_leaves(values: Interval, sign: str, bound: float) -> None:
    left = values.where(sign, bound)
    for number in NUMBERS:
        if values.holds(number) and SIGNS[sign](number, bound):
            assert left.holds(number)
            assert not left.empty
        if sign != "!=" and left.holds(number):
            assert SIGNS[sign](number, bound)


@given(intervals, intervals)
def test_both_and_either(one: Interval, other: Interval) -> None:
    for number in NUMBERS:
        assert one.meet(other).holds(number) is (one.holds(number) and other.holds(number))
        if one.holds(number) or other.holds(number):
            assert one.hull(other).holds(number)


@given(intervals, intervals)
def test_sums_and_products(one: Interval, other: Interval) -> None:
    for a, b in product(NUMBERS, NUMBERS):
        if one.holds(a) and other.holds(b):
            assert one.plus(other).holds(a + b)
        if one.holds(a):
            assert one.times(b).holds(a * b)
            assert one.negative().holds(-a)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (point(3.0), "3"),
        (Interval(0.0, 1.0, whole=True), "0 or 1"),
        (Interval(low=0.0), "at least 0"),
        (Interval(low=5.0, low_open=True), "above 5"),
        (Interval(high=5.0, high_open=True), "below 5"),
        (Interval(0.0, 1.0), "from 0 to 1"),
    ],
)
def test_words(values: Interval, said: str) -> None:
    assert str(values) == said
