"""PromQL as terms, and what is sure of them, by tables made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.lint.expressions import LONGEST, Unparsed, parse
from cloudxai_analysis.lint.facts import Facts, Inference, Interval
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.platform.contract import load_contract

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


def facts(text: str, *rules: Rule) -> Facts:
    return Inference(Metrics(load_contract(), rules)).of(parse(text))


def record(name: str, expr: str) -> Rule:
    return Rule(name, "record", expr, 1, 0.0, 0.0, {}, {}, "g", None, "f.yml", 1, Node(None, 1))


def test_selectors() -> None:
    found = parse('sum by (a) (rate(x_total{job="j"}[5m])) / {__name__="y"} offset 1h').selectors
    assert [(one.name, one.seconds, one.moved) for one in found] == [("x_total", 300.0, False), ("y", None, True)]
    assert parse("a + on (x) group_left (y) b").metrics == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sum(", "end of input|unclosed|unexpected"),
        ("up =< 1", "invalid"),
        ("(" * 10_000, "deeper"),
        ("up + " * 200 + "up", "operators"),
        ("x" * (LONGEST + 1), "longer"),
    ],
)
def test_what_is_not_read_says_why(text: str, why: str) -> None:
    with pytest.raises(Unparsed, match=why) as caught:
        parse(text)
    assert len(str(caught.value)) <= 300


def test_long_expressions_of_people_are_read() -> None:
    assert parse(" or ".join(f'absent(x{{job="j{number}"}})' for number in range(70)))
    assert parse('up{instance=~"' + "|".join(f"host-{number}-(a)" for number in range(2_000)) + '"}')


@given(st.builds(Interval, ends, ends, st.booleans()), st.sampled_from(sorted(SIGNS)), st.sampled_from(NUMBERS))
def test_what_is_said_of_an_interval_holds_for_every_number_in_it(values: Interval, sign: str, bound: float) -> None:
    inside = [number for number in NUMBERS if values.low <= number <= values.high]
    for number in (number for number in inside if not values.whole or number == round(number)):
        if SIGNS[sign](number, bound):
            left = values.where(sign, bound)
            assert not values.never(sign, bound)
            assert left.low <= number <= left.high


def test_what_is_recorded_has_the_facts_of_its_expression() -> None:
    inner, outer = record("job:x:sum", "sum by (job) (x_total)"), record("job:y", "job:x:sum > 5")
    found = facts("job:y", inner, outer)
    assert (found.kind, found.aggregated, found.filtered, found.values.low) == ("counter", True, True, 5)
    assert not found.labels.may_have("instance")
    assert facts("a:a", record("a:a", "b:b + 1"), record("b:b", "a:a")).filtered
