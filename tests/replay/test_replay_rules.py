"""Rules to replay, from the shapes in which they come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.replay.rules import rules_in

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
