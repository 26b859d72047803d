"""The forms a dashboard can come in, and what of it is left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from audited_files import findings, written


def panel(expr: str, **more: Any) -> dict[str, Any]:
    return {"id": 1, "type": "timeseries", "title": "P", "targets": [{"refId": "A", "expr": expr}], **more}


def dashboard(*panels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"title": "D", "schemaVersion": 39, "panels": list(panels), **more}


def codes(folder: Path, content: Any, name: str = "d.json") -> list[str]:
    text = content if isinstance(content, str) else json.dumps(content)
    return [fault.code for fault in findings(written(folder, name, text))]


MONEY = panel("sum(tenant_cost_estimate_rolling{window='7d'}) by (job)", fieldConfig={"defaults": {"unit": "bytes"}})
BOTH = ["dashboards/no-tenant-variable", "dashboards/wrong-unit"]


def test_forms_of_a_dashboard(tmp_path: Path) -> None:
    whole = dashboard(MONEY)
    row = {"type": "row", "title": "R", "collapsed": True, "panels": [MONEY]}
    inside = json.dumps(whole, indent=1).replace("\n", "\n    ")
    config_map = f"kind: ConfigMap\ndata:\n  d.json: |\n    {inside}\n"
    operator = f"kind: GrafanaDashboard\nspec:\n  json: |\n    {inside}\n"
    assert codes(tmp_path, whole) == BOTH
    assert codes(tmp_path, {"dashboard": whole, "overwrite": True}) == BOTH
    assert codes(tmp_path, {"apiVersion": "dashboard.grafana.app/v1beta1", "spec": whole}) == BOTH
    assert codes(tmp_path, dashboard(row)) == BOTH
    assert codes(tmp_path, {"title": "D", "rows": [{"title": "R", "panels": [MONEY]}]}) == BOTH
    assert codes(tmp_path, config_map, "map.yml") == BOTH
    assert codes(tmp_path, operator, "operator.yml") == BOTH


def test_lines_inside_a_config_map(tmp_path: Path) -> None:
    inside = json.dumps(dashboard(MONEY), indent=1).replace("\n", "\n    ")
    file = written(tmp_path, "map.yml", f"kind: ConfigMap\ndata:\n  d.json: |\n    {inside}\n")
    lines = file.read_text(encoding="utf-8").split("\n")
    assert ['"title": "D"' in lines[fault.line - 1] for fault in findings(file)] == [True, False]
    assert ['"unit": "bytes"' in lines[fault.line - 1] for fault in findings(file)] == [False, True]


def test_other_data_sources_are_left_alone(tmp_path: Path) -> None:
    logs = panel('{job="x"} |= "error" | json', datasource={"type": "loki", "uid": "l"})
    by_variable = panel('sum(rate({job="x"} |= "e" [1m]))', datasource="$logs") | {"id": 2}
    sql = {"id": 3, "type": "table", "title": "S", "targets": [{"refId": "A", "rawSql": "select 1"}]}
    mixed = panel("{a='b'} | json", datasource={"uid": "-- Mixed --"}) | {"id": 4}
    mixed["targets"][0]["datasource"] = {"type": "loki"}
    variables = {"list": [{"name": "logs", "type": "datasource", "query": "loki"}]}
    assert codes(tmp_path, dashboard(logs, by_variable, sql, mixed, templating=variables)) == []


def test_library_panels_and_texts_have_no_query(tmp_path: Path) -> None:
    library = {"id": 1, "title": "L", "libraryPanel": {"uid": "x", "name": "L"}}
    text = {"id": 2, "type": "text", "title": "T", "options": {"content": "x"}}
    assert codes(tmp_path, dashboard(library, text)) == []


def test_who_counts_or_ranks_tenants_means_all_of_them(tmp_path: Path) -> None:
    ranked = panel("topk(10, sum by (tenant) (tenant_cost_estimate))") | {"id": 1}
    counted = panel("count by (instance) (tenant_readiness_state)") | {"id": 2}
    assert codes(tmp_path, dashboard(ranked, counted)) == []


def test_an_expression_that_a_variable_changes_is_not_judged(tmp_path: Path) -> None:
    variables = {
        "list": [{"name": name, "type": "custom", "query": "x"} for name in ("metric", "by", "filters", "job")]
    }
    queries = ["sum by ($by) (up)", "$metric", "up{$filters}", "rate(${metric}_total[5m])", 'up{job="$job"} == 1']
    panels = [panel(query) | {"id": number} for number, query in enumerate(queries)]
    assert codes(tmp_path, dashboard(*panels, templating=variables)) == []


def test_no_dashboard_no_finding(tmp_path: Path) -> None:
    for content in ({}, [], {"panels": 1}, {"title": "x"}, "null"):
        assert codes(tmp_path, content) == ["files/nothing-to-audit"]
    assert codes(tmp_path, '{"panels": [null, 1, {}], "title": null}') == []


def test_a_panel_or_row_that_is_repeated_has_one_value_each_time(tmp_path: Path) -> None:
    variable = {"name": "job", "type": "query", "query": "label_values(up, job)", "multi": True}
    query = 'sum(rate(x_total{job="$job"}[5m]))'
    row = {"type": "row", "title": "R", "repeat": "job", "collapsed": False, "panels": []}
    templating = {"list": [variable]}
    assert codes(tmp_path, dashboard(panel(query, repeat="job"), templating=templating)) == []
    assert codes(tmp_path, dashboard(row, panel(query), templating=templating)) == []
    assert codes(tmp_path, dashboard(panel(query), templating=templating)) == ["dashboards/several-values"]


def test_the_second_schema_is_told(tmp_path: Path) -> None:
    second = {"apiVersion": "dashboard.grafana.app/v2beta1", "spec": {"elements": {"a": {}}, "layout": {}}}
    assert codes(tmp_path, second) == ["files/not-audited"]
