"""Rules to replay: from the shapes in which they come, their left sides, and the drafts of others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_platform import opened

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint.tools import version_of
from cloudxai_analysis.replay.candidates import Variant
from cloudxai_analysis.replay.rules import rules_in, split
from cloudxai_analysis.replay.written import drafted, linted
from cloudxai_analysis.sources.promql import promql
from cloudxai_analysis.sources.rules import AlertingRule

DOWN = {"alert": "Down", "expr": "up == 0", "for": "1m30s", "keep_firing_for": "5m", "labels": {"severity": "page"}}
GROUPS = {"groups": [{"name": "beta", "interval": "30s", "rules": [{"record": "a:b", "expr": "sum(a)"}, DOWN]}]}
RESOURCE = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "spec": GROUPS}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a.rules.yml": yaml.safe_dump(GROUPS)}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain.yml", yaml.safe_dump(GROUPS)),
        ("resource.json", json.dumps(RESOURCE)),
        ("map.yaml", yaml.safe_dump(CONFIG_MAP)),
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
    (tmp_path / "b.yml").write_text(yaml.safe_dump(GROUPS), encoding="utf-8")
    rules, findings = rules_in([tmp_path / "a.yml", tmp_path / "b.yml"])
    assert [rule.name for rule in rules] == ["Down"]
    assert {finding.code for finding in findings} == {"files/broken"}
    with pytest.raises(UsageError, match="No file or folder"):
        rules_in([tmp_path / "c.yml"])


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("rate(a[5m]) > 0.5", ("rate(a[5m])", ">", 0.5)),
        ("0.5 < rate(a[5m])", ("rate(a[5m])", ">", 0.5)),
        ("(a == 0)", ("a", "==", 0.0)),
        ("a > -(3)", ("a", ">", -3.0)),
        ("sum(x) by (y) / sum(z) <= 1e3", ("sum by (y) (x) / sum(z)", "<=", 1000.0)),
        ('a{x="\\" and \\\\"} != 1', ('a{x="\\" and \\\\"}', "!=", 1.0)),
        # All else is left whole.
        *(
            (whole, None)
            for whole in ("a", "a > b", "a > bool 1", "a > 1 and b > 2", "absent(a)", "a == on() 1", "a >", "1 > 2")
        ),
        ("(" * 300, None),
    ],
)
def test_a_comparison_with_a_number_is_split(expression: str, parts: tuple | None) -> None:
    found = split(expression)
    assert (found and (found.left, found.comparison, found.threshold)) == parts


@pytest.mark.server
@pytest.mark.parametrize(
    "expression", ["sum(vector(3)) by (y) / vector(2) > 1", "0.5 < vector(1)", "-vector(3) > -10", "(vector(0) == 0)"]
)
def test_the_server_takes_both_for_the_same(expression: str, prometheus: Any) -> None:
    source, parts, at = opened(prometheus.url), split(expression), datetime(2026, 11, 9, tzinfo=UTC)
    assert parts is not None
    whole, again = promql(source, expression, at), promql(source, parts.at(parts.threshold), at)
    assert len(whole) == 1
    assert whole.equals(again)


WRITTEN = 'rate(a{x="\\""}[5m])   > 0.2  # as people write it'
SLOW = AlertingRule(
    name="Slow",
    expr=WRITTEN,
    for_seconds=300,
    labels={"severity": "page"},
    annotations={"summary": "{{ $labels.x }}\nis slow"},
    group="latency",
    interval_seconds=30,
)


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    ("variant", "changed", "proposed"),
    [
        (
            Variant(0.25, 90, 600),
            {"expr": '(rate(a{x="\\""}[5m])) > 0.25', "for": "1m30s", "keep_firing_for": "10m"},
            "threshold 0.2 → 0.25, for 5m → 1m30s, keep_firing_for 0s → 10m",
        ),
        # An unchanged threshold leaves the text as people wrote it.
        (Variant(0.2, 0, 0), {"expr": WRITTEN}, "for 5m → 0s"),
    ],
)
def test_a_draft_reads_back_as_the_rule_with_only_that_changed(variant: Variant, changed: dict, proposed: str) -> None:
    draft = drafted(SLOW, variant, "because\nof this: # and that")
    assert draft.text.startswith("# because of this: # and that\ngroups:\n")
    (group,) = yaml.safe_load(draft.text)["groups"]
    assert (group["name"], group["interval"], draft.lint) == ("latency", "30s", "passed")
    kept = {"alert": "Slow", "labels": SLOW.labels, "annotations": {**SLOW.annotations, "proposed": proposed}}
    assert group["rules"] == [{**kept, **changed}]


@pytest.mark.needs("promtool")
def test_promtool_s_refusal_is_told_without_our_paths_and_its_absence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    status, said = linted(yaml.safe_dump({"groups": [{"name": "a", "rules": [{"alert": "Broken", "expr": "sum("}]}]}))
    assert (status, "unclosed left parenthesis" in said, "/tmp" in said) == ("failed", True, False)  # noqa: S108
    monkeypatch.setenv("PATH", "/nowhere")
    version_of.cache_clear()
    assert linted("groups: []\n")[0] == "not linted"
    version_of.cache_clear()
