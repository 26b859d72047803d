"""Who looks at what, by hand."""

from __future__ import annotations

import json
from pathlib import Path

from audited_files import corpus_of, written

from cloudxai_analysis.lint.corpus import Corpus
from cloudxai_analysis.lint.graph import Edge, edge_frame, edges, looks_at_tenants, unused_metrics

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
ROUTES = """\
route:
  receiver: rest
  routes:
    - matchers: [severity="page"]
      receiver: pager
      continue: true
    - matchers: [team="core"]
      receiver: core
receivers: [{name: rest}, {name: pager}, {name: core}]
"""
PANELS = ["rate(readiness_transitions_total[5m])", '{__name__=~"go_.*"}', "process_${kind}_seconds", "$any"]


def files(folder: Path) -> Corpus:
    panels = [
        {"id": number, "type": "timeseries", "title": f"P{number}", "targets": [{"refId": "A", "expr": expr}]}
        for number, expr in enumerate(PANELS)
    ]
    return corpus_of(
        written(folder, "r.yml", RULES),
        written(folder, "a.yml", ROUTES),
        written(folder, "d.json", json.dumps({"title": "D", "panels": panels, "templating": {"list": []}})),
    )


def routes_of(found: list[Edge], rule: str) -> set[str]:
    return {edge.target for edge in found if edge.source == rule and edge.target_kind == "route"}


def test_edges(tmp_path: Path) -> None:
    found = edges(files(tmp_path))
    for expected in (
        Edge("metric", "tenant_cost_estimate", "rule", "tenant:cost:sum", "r.yml", 4),
        Edge("rule", "tenant:cost:sum", "metric", "tenant:cost:sum", "r.yml", 4),
        Edge("metric", "tenant:cost:sum", "rule", "Dear", "r.yml", 6),
        Edge("rule", "Down", "route", "a.yml:4", "a.yml", 4),
        Edge("route", "a.yml:4", "receiver", "pager", "a.yml", 5),
        Edge("metric", "readiness_transitions_total", "panel", "D / P0", "d.json", 1),
    ):
        assert expected in found
    assert routes_of(found, "Down") == {"a.yml:4"}
    assert routes_of(found, "Dear") == {"a.yml:2"}
    assert len(edge_frame(files(tmp_path))) == len(found)


def test_unused_metrics_the_dearest_first(tmp_path: Path) -> None:
    rates = {
        "readiness_state": 1.0,
        "up": 1.0,
        "tenant_cost_estimate": 5.0,
        "readiness_transitions_total": 1.0,
        "go_goroutines": 2.0,
        "process_cpu_seconds": 1.0,
        "process_open_fds": 3.0,
        "tenant_readiness_state": 40.0,
    }
    found = unused_metrics(files(tmp_path), rates)
    assert [tuple(one) for one in found] == [("tenant_readiness_state", 40.0, True), ("process_open_fds", 3.0, False)]


def test_who_looks_at_tenants_also_through_a_recording(tmp_path: Path) -> None:
    found = looks_at_tenants(files(tmp_path))
    assert [(look.kind, look.name, look.metric) for look in found] == [
        ("rule", "tenant:cost:sum", "tenant_cost_estimate"),
        ("rule", "Dear", "tenant:cost:sum"),
    ]
