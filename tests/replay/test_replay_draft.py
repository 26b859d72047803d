"""Draft rules: what changes in them, their reason, and what promtool says."""

from __future__ import annotations

import os

import pytest
import yaml

from cloudxai_analysis.replay.candidates import Variant
from cloudxai_analysis.replay.draft import draft, linted, rule_file, varied
from cloudxai_analysis.sources.rules import AlertingRule

RULE = AlertingRule(
    name="Slow",
    expr='rate(a{x="\\""}[5m])   > 0.2  # as people write it',
    for_seconds=300,
    labels={"severity": "page"},
    annotations={"summary": "{{ $labels.x }}\nis slow"},
    group="latency",
    interval_seconds=30,
)


def test_only_what_varies_changes() -> None:
    assert varied(RULE, Variant(0.2, 300, 0)) == RULE
    other = varied(RULE, Variant(0.25, 90, 600))
    assert other.expr == '(rate(a{x="\\""}[5m])) > 0.25'
    assert (other.for_seconds, other.keep_firing_for_seconds) == (90, 600)
    assert (other.labels, other.annotations, other.group) == (RULE.labels, RULE.annotations, RULE.group)


def test_the_file_reads_back_as_the_rule() -> None:
    text = rule_file(varied(RULE, Variant(0.25, 90, 600)), "because\nof this: # and that")
    assert text.startswith("# because of this: # and that\ngroups:\n")
    (group,) = yaml.safe_load(text)["groups"]
    assert (group["name"], group["interval"]) == ("latency", "30s")
    (rule,) = group["rules"]
    assert rule == {
        "alert": "Slow",
        "expr": '(rate(a{x="\\""}[5m])) > 0.25',
        "for": "1m30s",
        "keep_firing_for": "10m",
        "labels": {"severity": "page"},
        "annotations": {"summary": "{{ $labels.x }}\nis slow"},
    }


@pytest.mark.needs("promtool")
def test_promtool_reads_the_draft() -> None:
    assert draft(RULE, Variant(0.25, 90, 600), "because").lint == "passed"
    status, said = linted(rule_file(AlertingRule("Broken", "sum("), ""))
    assert status == "failed"
    assert "unclosed left parenthesis" in said
    assert "/tmp" not in said  # noqa: S108 - no path of ours is shown


def test_without_promtool_it_is_said_that_nobody_has_linted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", "/nowhere")
    status, said = linted("groups: []\n")
    assert status == "not linted"
    assert "promtool is not installed" in said
