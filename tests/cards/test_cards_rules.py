"""Looks at files of rules: their faults, what the rules did, and which were tainted in the demo's week."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudxai_analysis.cards import rules as looks
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.operate import evaluate
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.study.study import Study

RULES = """\
groups:
  - name: beta
    rules:
      - alert: TenantReadinessBreach
        expr: tenant_readiness_state == 0
        for: 2m
        labels: {severity: page}
      - alert: Rejected
        expr: tenant_label_rejections_total > 0
        labels: {severity: ticket}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return evaluate.study_of(DemoSource(), tmp_path_factory.mktemp("rules"))


@pytest.fixture
def files(tmp_path: Path) -> str:
    file = tmp_path / "beta.yml"
    file.write_text(RULES, encoding="utf-8")
    return str(file)


def test_each_fault_has_its_line_and_the_gravest_come_first(study, files):
    table = looks.faults(study, files).table
    raw = table[table["code"] == "promql/raw-counter"].iloc[0]
    assert (raw["line"], raw["subject"]) == (9, "Rejected")
    order = ["error", "warning", "info"]
    assert sorted(table["severity"], key=order.index) == table["severity"].tolist()


def test_rules_of_files_are_held_against_what_fired(study, files):
    table = looks.history(study, files).table.set_index("alertname")
    assert table.loc["TenantReadinessBreach", "answer"] == "fired"
    assert table.loc["Rejected", "answer"] == "never fired"
    assert table.loc["Rejected", "line"] == 8


def test_what_nobody_reads_is_named_with_its_cost(study, files):
    """Each of two processes is scraped once a minute."""
    table = looks.unused(study, files).table.set_index("metric")
    assert "tenant_readiness_state" not in table.index
    assert table.loc["up", "samples_per_second"] == pytest.approx(2 / 60, rel=0.01)


def test_rules_by_tenant_were_tainted_while_the_guard_refused(study, files):
    """Refused on Tuesday from 09:48 to the restart at 19:02; the rejection counter itself has no tenant to miss."""
    table = looks.tainted(study, files).table
    assert set(table["name"]) == {"TenantReadinessBreach"}
    assert table["start"].iloc[0].strftime("%dT%H:%M") == "10T09:48"
    assert "1 rule and 0 panels undercounted" in looks.tainted(study, files).heading


def test_who_looks_at_what_is_a_table(study, files):
    graph = looks.graph(study, files)
    assert ["metric", "tenant_readiness_state", "rule", "TenantReadinessBreach"] in graph.iloc[:, :4].values.tolist()


def test_a_path_that_is_not_there_is_named(study):
    with pytest.raises(UsageError, match="No file or folder"):
        looks.faults(study, "nowhere/rules")
