"""Dashboards: the forms they come in, what of them is left alone, variables in PromQL, and who looks at what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from audited_files import corpus_of, findings, written

from cloudxai_analysis.lint.dashboards import variables_in, without_variables
from cloudxai_analysis.lint.expressions import parse
from cloudxai_analysis.lint.graph import looks_at_tenants, unused_metrics


def panel(expr: str, **more: Any) -> dict[str, Any]:
    return {"id": 1, "type": "timeseries", "title": "P", "targets": [{"refId": "A", "expr": expr}], **more}


def dashboard(*panels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"title": "D", "schemaVersion": 39, "panels": list(panels), **more}


def codes(folder: Path, content: Any, name: str = "d.json") -> list[str]:
    text = content if isinstance(content, str) else json.dumps(content)
    return [fault.code for fault in findings(written(folder, name, text))]


RISE = panel("increase(tenant_cost_estimate[1h])")
WHOLE = dashboard(RISE)
INSIDE = json.dumps(WHOLE, indent=1).replace("\n", "\n    ")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (WHOLE, "d.json"),
        ({"dashboard": WHOLE, "overwrite": True}, "d.json"),
        ({"apiVersion": "dashboard.grafana.app/v1beta1", "spec": WHOLE}, "d.json"),
        (dashboard({"type": "row", "title": "R", "collapsed": True, "panels": [RISE]}), "d.json"),
        ({"title": "D", "rows": [{"title": "R", "panels": [RISE]}]}, "d.json"),
        (f"kind: ConfigMap\ndata:\n  d.json: |\n    {INSIDE}\n", "map.yml"),
        (f"kind: GrafanaDashboard\nspec:\n  json: |\n    {INSIDE}\n", "operator.yml"),
    ],
)
def test_forms_of_a_dashboard(content: Any, name: str, tmp_path: Path) -> None:
    assert codes(tmp_path, content, name) == ["promql/rate-of-gauge"]
    if name == "map.yml":
        (fault,) = findings(tmp_path / name)
        assert "increase(" in str(content).split("\n")[fault.line - 1]


def variables(kind: str, *names: str, **more: Any) -> dict[str, Any]:
    return {"list": [{"name": name, "type": kind, "query": "loki", **more} for name in names]}


QUERIES = ["sum by ($by) (up)", "$metric", "up{$filters}", "rate(${metric}_total[5m])", 'up{job="$job"} == 1']
ONE_JOB = 'sum(rate(x_total{job="$job"}[5m]))'
SEVERAL = variables("query", "job", multi=True)
OPEN_ROW = {"type": "row", "title": "R", "repeat": "job", "collapsed": False, "panels": []}
LOKI = {"type": "loki", "uid": "l"}
BY_TARGET = {"datasource": {"uid": "-- Mixed --"}, "targets": [{"expr": "{a='b'} | json", "datasource": LOKI}]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (dashboard(panel('{job="x"} |= "error" | json', datasource=LOKI)), []),
        (dashboard(panel("x |= 'e'", datasource="$logs"), templating=variables("datasource", "logs")), []),
        (dashboard(BY_TARGET, {"id": 3, "targets": [{"refId": "A", "rawSql": "select 1"}]}), []),
        (dashboard({"id": 1, "title": "L", "libraryPanel": {"uid": "x"}}, {"id": 2, "type": "text"}), []),
        # An expression that a variable changes is not judged.
        (dashboard(*map(panel, QUERIES), templating=variables("custom", "metric", "by", "filters", "job")), []),
        # A panel or row that is repeated has one value each time.
        (dashboard(panel(ONE_JOB, repeat="job"), templating=SEVERAL), []),
        (dashboard(OPEN_ROW, panel(ONE_JOB), templating=SEVERAL), []),
        (dashboard(panel(ONE_JOB), templating=SEVERAL), ["dashboards/several-values"]),
        (dashboard(panel(ONE_JOB), panel(ONE_JOB), templating=SEVERAL), ["dashboards/several-values"]),
        (dashboard(panel(ONE_JOB, repeat="job"), panel(ONE_JOB, repeatPanelId=1), templating=SEVERAL), []),
        (dashboard(panel('sum by (pod) (x) / y{zone=~"$zone", job="", instance=""}')), []),
        (dashboard(panel("sum(")), ["promql/unread"]),
        ({"apiVersion": "dashboard.grafana.app/v2", "spec": {"elements": {}, "layout": {}}}, ["files/not-audited"]),
        *((content, ["files/nothing-to-audit"]) for content in ({}, [], {"panels": 1}, {"title": "x"}, "null")),
        ('{"panels": [null, 1, {}], "title": null}', []),
    ],
)
@pytest.mark.needs("promtool")
def test_what_is_left_alone_and_what_is_told(content: Any, expected: list[str], tmp_path: Path) -> None:
    assert codes(tmp_path, content) == expected


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
        ("topk($n, sum by ($label) (x))", "topk(1, sum by (grafana_variable_label) (x))", False),
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
def test_what_stands_in_for_a_variable_can_be_parsed(text: str, expected: str, certain: bool) -> None:
    assert without_variables(text) == (expected, certain)
    assert parse(expected)


def test_names_of_variables() -> None:
    assert variables_in("$a ${b} ${c:csv} ${d.text} [[e]] [[f:raw]] $1 ${2} 100$") == ("a", "b", "c", "d", "e", "f")


RULES = """\
groups:
  - name: g
    rules:
      - record: tenant:cost:sum
        expr: sum by (tenant) (tenant_cost_estimate)
      - alert: Dear
        expr: tenant:cost:sum > 10
        labels: {severity: ticket}
      - alert: Down
        expr: min by (job) (readiness_state) == 0 or absent(up)
        labels: {severity: page}
"""
PANELS = ["rate(readiness_transitions_total[5m])", '{__name__=~"go_.*"}', "process_${kind}_seconds", "$any"]


def test_who_looks_at_what(tmp_path: Path) -> None:
    board = dashboard(*(panel(expr, title=f"P{number}") for number, expr in enumerate(PANELS)))
    files = [("r.yml", RULES), ("d.json", json.dumps(board))]
    corpus = corpus_of(*(written(tmp_path, name, text) for name, text in files))
    names = [
        "readiness_state",
        "up",
        "tenant_cost_estimate",
        "readiness_transitions_total",
        "go_x",
        "process_x_seconds",
    ]
    rates = {**dict.fromkeys(names, 5.0), "process_open_fds": 3.0, "tenant_readiness_state": 40.0}
    assert unused_metrics(corpus, rates) == [("tenant_readiness_state", 40.0, True), ("process_open_fds", 3.0, False)]

    # Also through what a rule records.
    assert [(look.kind, look.name, look.metric) for look in looks_at_tenants(corpus)] == [
        ("rule", "tenant:cost:sum", "tenant_cost_estimate"),
        ("rule", "Dear", "tenant:cost:sum"),
    ]
