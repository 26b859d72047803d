"""What stands left of a rule's threshold, and that the server sees no difference."""

from __future__ import annotations

from typing import Any

import pytest

from cloudxai_analysis.replay.left_side import metrics_in, split


@pytest.mark.parametrize(
    ("expression", "left", "comparison", "threshold"),
    [
        ("rate(a[5m]) > 0.5", "rate(a[5m])", ">", 0.5),
        ("0.5 < rate(a[5m])", "rate(a[5m])", ">", 0.5),
        ("(a == 0)", "a", "==", 0.0),
        ("a > 14.4 * 0.5", "a", ">", 7.2),
        ("a > -(1 + 2)", "a", ">", -3.0),
        ("sum(x) by (y) / sum(z) <= 1e3", "sum by (y) (x) / sum(z)", "<=", 1000.0),
        ('a{x="\\" and \\\\"} != 1', 'a{x="\\" and \\\\"}', "!=", 1.0),
    ],
)
def test_a_comparison_with_a_number_is_split(expression: str, left: str, comparison: str, threshold: float) -> None:
    parts = split(expression)
    assert parts is not None
    assert (parts.left, parts.comparison, parts.threshold) == (left, comparison, threshold)


@pytest.mark.parametrize(
    "expression", ["a", "a > b", "a > bool 1", "a > 1 and b > 2", "absent(a)", "a == on() 1", "a >", "(" * 300, "1 > 2"]
)
def test_all_else_is_left_whole(expression: str) -> None:
    assert split(expression) is None


def test_metrics_are_told_only_where_all_have_names() -> None:
    assert metrics_in("rate(a[5m]) / on(job) group_left b > 1") == {"a", "b"}
    assert metrics_in('{__name__="a"} > 1') == {"a"}
    assert metrics_in('{__name__=~"a|b"} > 1') is None
    assert metrics_in("sum(") is None


@pytest.mark.server
@pytest.mark.parametrize(
    "expression",
    ["sum(vector(3)) by (y) / vector(2) > 1", "0.5 < vector(1)", "-vector(3) > -(1 + 9)", "(vector(0) == 0)"],
)
def test_the_server_takes_both_for_the_same(expression: str, prometheus: Any) -> None:
    from datetime import UTC, datetime

    from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
    from cloudxai_analysis.sources.open import open_source
    from cloudxai_analysis.sources.promql import promql

    source: Any = open_source(prometheus.url, limits=Limits(), settings=EnvironmentSettings())
    parts, at = split(expression), datetime(2026, 11, 9, tzinfo=UTC)
    assert parts is not None
    whole, again = promql(source, expression, at), promql(source, parts.at(parts.threshold), at)
    assert len(whole) == 1
    assert whole.equals(again)
