"""Grafana's variables in PromQL: what stands in for them can be parsed."""

from __future__ import annotations

import pytest

from cloudxai_analysis.lint.expressions import parse
from cloudxai_analysis.lint.grafana_variables import variables_in, without_variables


@pytest.mark.parametrize(
    ("text", "expected", "certain"),
    [
        ("up", "up", True),
        ('up{job=~"$job"}', 'up{job=~"grafana_variable_job"}', True),
        ('up{job=~"${job:regex}"}', 'up{job=~"grafana_variable_job"}', True),
        ('up{job=~"[[job]]"}', 'up{job=~"grafana_variable_job"}', True),
        ("rate(x[$__rate_interval])", "rate(x[5m])", True),
        ("rate(x[[[range]]])", "rate(x[5m])", True),
        ("rate(x[${minutes}m])", "rate(x[5m])", True),
        ("max_over_time(x[1h:$__interval])", "max_over_time(x[1h:1m])", True),
        ("increase(x[$__range]) / $__range_s", "increase(x[1h]) / 3600", True),
        ("x offset $ago", "x offset 5m", True),
        ("topk($n, x)", "topk(1, x)", False),
        ("topk by (a) (${n}, x)", "topk by (a) (1, x)", False),
        ("x > $bound", "x > 1", False),
        ("vector($cap)", "vector(1)", False),
        ("clamp_max(x, $cap)", "clamp_max(x, 1)", False),
        ("$function by (a) (x)", "sum by (a) (x)", False),
        ("sum by ($label) (x)", "sum by (grafana_variable_label) (x)", False),
        ("node_${part_one}_total", "node_grafana_variable_partone_total", False),
        ('label_replace(x, "a", "$1-${2}", "b", "(.)(.)")', 'label_replace(x, "a", "$1-${2}", "b", "(.)(.)")', True),
    ],
)
def test_what_stands_in(text: str, expected: str, certain: bool) -> None:
    plain = without_variables(text)
    assert (plain.text, plain.certain) == (expected, certain)
    assert parse(plain.text)


def test_names() -> None:
    assert variables_in("$a ${b} ${c:csv} ${d.text} [[e]] [[f:raw]] $1 ${2} 100$") == ("a", "b", "c", "d", "e", "f")
