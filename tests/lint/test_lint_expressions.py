"""PromQL as terms, and what is sure of them, by tables made by hand."""

from __future__ import annotations

import pytest

from cloudxai_analysis.lint.expressions import LONGEST, Unparsed, parse
from cloudxai_analysis.lint.facts import Facts, Inference
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.platform.contract import load_contract


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


@pytest.mark.parametrize(
    ("text", "has", "lacks"),
    [
        ("sum(up)", "", "job"),
        ("sum by (job) (up)", "job", "instance"),
        ("sum without (job) (tenant_readiness_state)", "tenant", "job"),
        ('absent(up{job="a", instance=~"b"})', "job", "instance"),
        ('label_replace(sum(up), "x", "y", "", "")', "x", "job"),
        ("sum by (job) (a) * on (job) group_left (zone) max by (job, zone) (b)", "zone", "instance"),
        ("sum by (job) (a) / sum by (job) (b)", "job", "zone"),
        ("sum by (job, zone) (a) / on (job) sum by (job) (b)", "job", "zone"),
        ("histogram_quantile(0.9, sum by (le, job) (rate(a_bucket[5m])))", "job", "le"),
        ('count_values("version", build)', "version", "job"),
        ("sum by (a) (x) or sum by (b) (y)", "b", "c"),
        ("sum by (a) (x) and y", "a", "b"),
        ("topk(3, sum by (a) (x))", "a", "b"),
        ("vector(1)", "", "job"),
        ("tenant_readiness_state", "tenant", "le"),
    ],
)
def test_labels(text: str, has: str, lacks: str) -> None:
    labels = facts(text).labels
    assert not has or labels.may_have(has)
    assert not labels.may_have(lacks)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("readiness_state", "0 or 1"),
        ("1 - readiness_state", "0 or 1"),
        ("sum(readiness_state)", "at least 0"),
        ("avg(readiness_state)", "from 0 to 1"),
        ("count(x)", "at least 1"),
        ("absent(x)", "1"),
        ("x > 5", "above 5"),
        ("5 > x", "below 5"),
        ("x > 5 and y", "above 5"),
        ("rate(x_total[5m]) * -2", "at most 0"),
        ("clamp_max(rate(x_total[5m]), 3)", "from 0 to 3"),
        ('sum(rate(x_total{a="b"}[5m])) / sum(rate(x_total[5m]))', "from 0 to 1"),
        ('100 * sum(rate(x_total{a="b"}[5m])) / sum(rate(x_total[5m]))', "at least 0"),
        ("hour()", "from 0 to 23"),
        ("x > bool 3", "0 or 1"),
    ],
)
def test_values(text: str, said: str) -> None:
    assert str(facts(text).values) == said


@pytest.mark.parametrize("text", ["x", "delta(x[5m])", "x_total - y_total", "-x", "sum(x)"])
def test_nothing_is_said_of_values_that_can_be_anything(text: str) -> None:
    assert not facts(text).values.bounded


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("tenant_label_rejections_total", "counter"),
        ("sum by (job) (x_total) * 2", "counter"),
        ("max_over_time(x_total[5m])", "counter"),
        ("x_total + y_total", "counter"),
        ("rate(x_total[5m])", "gauge"),
        ("x_total - x_total offset 1h", ""),
        ("x_total / ignoring (a) y", ""),
        ("tenant_cost_estimate", "gauge"),
        ("count(x_total)", ""),
        ("job:x:sum", ""),
        ("aws_elb_request_count_sum", ""),
        ("go_goroutines", "gauge"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    assert facts(text).kind == kind


def test_what_is_recorded_has_the_facts_of_its_expression() -> None:
    inner = record("job:x:sum", "sum by (job) (x_total)")
    outer = record("job:y", "job:x:sum > 5")
    found = facts("job:y", inner, outer)
    assert (found.kind, found.aggregated, found.filtered, str(found.values)) == ("counter", True, True, "above 5")
    assert not found.labels.may_have("instance")


def test_rules_that_record_each_other_end() -> None:
    found = facts("a:a", record("a:a", "b:b + 1"), record("b:b", "a:a"))
    assert found.filtered


@pytest.mark.parametrize(
    ("text", "filtered"),
    [
        ("up", False),
        ("up == 0", True),
        ("up == bool 0", False),
        ("sum(up == 0)", True),
        ("absent(up)", True),
        ("a unless b", True),
        ("(a > 1) or b", False),
        ("(a > 1) or (b > 1)", True),
        ("rate(x_total[5m])", False),
    ],
)
def test_whether_it_can_be_empty_while_the_metric_is_there(text: str, filtered: bool) -> None:
    assert facts(text).filtered is filtered
