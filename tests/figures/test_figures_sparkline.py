import math
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.figures import sparkline


def marks(svg, name):
    """Attributes of each element called `name` of a well-formed document."""
    found = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda element, attributes: found.append((element, attributes))
    parser.Parse(svg.encode(), True)
    return [attributes for element, attributes in found if name in ("*", element)]


def lines(svg):
    return [
        [tuple(map(float, point.split(","))) for point in line["points"].split()] for line in marks(svg, "polyline")
    ]


def dots(svg):
    return [(float(dot["cx"]), float(dot["cy"]), float(dot["r"])) for dot in marks(svg, "circle")]


def test_line_spans_the_box_and_ends_in_a_dot():
    svg = sparkline([1.0, 3.0, 2.0])
    assert lines(svg) == [[(4, 20), (52, 4), (100, 12)]]
    assert dots(svg) == [(100, 12, 2.5)]


def test_unknown_values_break_the_line():
    svg = sparkline([0.0, 1.0, None, 1.0, math.nan, 0.0, 1.0])
    assert [len(line) for line in lines(svg)] == [2, 2]
    assert [radius for *_, radius in dots(svg)] == [1.25, 2.5]


def test_unknown_last_value_has_no_dot():
    assert dots(sparkline([0.0, 1.0, None])) == []


def test_flat_line_lies_in_the_middle():
    assert lines(sparkline([7.0, 7.0])) == [[(4, 12), (100, 12)]]


def test_only_the_last_thirteen_are_drawn():
    assert sparkline([99.0, *range(13)]) == sparkline(list(range(13)))


@pytest.mark.parametrize("values", [[], [None], [math.nan, None]])
def test_nothing_known_draws_nothing(values):
    assert len(marks(sparkline(values), "*")) == 1


def test_takes_the_text_colour_and_is_hidden_from_screen_readers():
    root, *drawn = marks(sparkline([1.0, 2.0]), "*")
    assert root["aria-hidden"] == "true"
    assert {mark.get("stroke", mark["fill"]) for mark in drawn} == {"currentColor"}


@given(st.lists(st.one_of(st.none(), st.floats()), max_size=20))
def test_every_point_lies_in_the_box(values):
    svg = sparkline(values)
    for x, y in [point for line in lines(svg) for point in line] + [dot[:2] for dot in dots(svg)]:
        assert 0 <= x <= 104
        assert 0 <= y <= 24
