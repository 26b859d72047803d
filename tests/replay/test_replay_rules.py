"""Rules to replay: from the shapes in which they come, their left sides, and the Workbook's burn rates."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.replay.draft import linted, rule_file
from cloudxai_analysis.replay.rules import burn_rules, metrics_in, readiness_rule, rules_in, split
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.promql import promql
from cloudxai_analysis.sources.rules import AlertingRule

GROUP = {
    "name": "beta",
    "interval": "30s",
    "rules": [
        {"record": "a:b", "expr": "sum(a)"},
        {"alert": "Down", "expr": "up == 0", "for": "1m30s", "keep_firing_for": "5m", "labels": {"severity": "page"}},
    ],
}


def resource() -> str:
    spec = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "spec": {"groups": [GROUP]}}
    return yaml.safe_dump(spec)


def config_map() -> str:
    inner = yaml.safe_dump({"groups": [GROUP]})
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a.rules.yml": inner}})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain.yml", yaml.safe_dump({"groups": [GROUP]})),
        ("plain.json", json.dumps({"groups": [GROUP]})),
        ("resource.yaml", resource()),
        ("map.yaml", config_map()),
    ],
)
def test_alerting_rules_of_every_shape(tmp_path: Path, name: str, text: str) -> None:
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    (folder / name).write_text(text, encoding="utf-8")
    (folder / "notes.txt").write_text("alert: none", encoding="utf-8")
    (rule,), findings = rules_in([tmp_path])
    assert not findings
    assert (rule.name, rule.expr, rule.for_seconds, rule.keep_firing_for_seconds) == ("Down", "up == 0", 90, 300)
    assert (rule.labels, rule.group, rule.interval_seconds) == ({"severity": "page"}, "beta", 30)


def test_what_is_broken_is_a_finding_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("groups: [", encoding="utf-8")
    (tmp_path / "b.yml").write_text(yaml.safe_dump({"groups": [GROUP]}), encoding="utf-8")
    rules, findings = rules_in([tmp_path / "a.yml", tmp_path / "b.yml"])
    assert [rule.name for rule in rules] == ["Down"]
    assert {finding.code for finding in findings} == {"files/broken"}
    with pytest.raises(UsageError, match="does not exist"):
        rules_in([tmp_path / "c.yml"])


@pytest.mark.parametrize(
    ("expression", "left", "comparison", "threshold"),
    [
        ("rate(a[5m]) > 0.5", "rate(a[5m])", ">", 0.5),
        ("0.5 < rate(a[5m])", "rate(a[5m])", ">", 0.5),
        ("(a == 0)", "a", "==", 0.0),
        ("a > -(3)", "a", ">", -3.0),
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
    "expression", ["sum(vector(3)) by (y) / vector(2) > 1", "0.5 < vector(1)", "-vector(3) > -10", "(vector(0) == 0)"]
)
def test_the_server_takes_both_for_the_same(expression: str, prometheus: Any) -> None:
    source: Any = open_source(prometheus.url, limits=Limits(), settings=EnvironmentSettings())
    parts, at = split(expression), datetime(2026, 11, 9, tzinfo=UTC)
    assert parts is not None
    whole, again = promql(source, expression, at), promql(source, parts.at(parts.threshold), at)
    assert len(whole) == 1
    assert whole.equals(again)


@pytest.mark.needs("promtool")
def test_the_burn_rules_are_those_of_the_workbook() -> None:
    page, ticket = burn_rules(load_contract(), slo=0.999)
    for rule, words in (
        (page, ("[1h:1m]) > 14.4 * 0.001", "[5m:1m]) > 14.4", "[6h:1m]) > 6 * 0.001", "[30m:1m]) > 6 *")),
        (ticket, ("[1d:1m]) > 3 * 0.001", "[2h:1m]) > 3", "[3d:1m]) > 1 * 0.001", "[6h:1m]) > 1 *")),
    ):
        assert linted(rule_file(rule, ""))[0] == "passed"
        assert all(word in rule.expr for word in words), rule.expr
        assert rule.expr.count("readiness_state") == 4
    assert (page.labels["severity"], ticket.labels["severity"]) == ("page", "ticket")


def test_the_readiness_alert_is_the_one_that_looks_at_its_gauge_alone() -> None:
    contract = load_contract()
    both = AlertingRule("Both", "readiness_state == 0 and up == 1")
    ticket = AlertingRule("Ticket", "readiness_state == 0")
    page = AlertingRule("ServiceNotReady", "min by (job) (readiness_state) == 0")
    assert readiness_rule([both, ticket, page], contract) is page
    assert readiness_rule([both, ticket], contract) is ticket
    assert readiness_rule([both], contract) is None
