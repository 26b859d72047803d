"""Routings as resources and inside of others, small refusals, and what a real tool takes."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import yaml
from audited_files import corpus_of, findings, written
from routing_trees import routing_file

pytestmark = pytest.mark.needs("amtool")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"route": {"receiver": "a", "continue": True}}, "routing/bad-root"),
        ({"route": {"receiver": "a", "group_by": ["x", "x"]}}, "routing/bad-group-by"),
        ({"route": {"receiver": "a", "group_by": ["a-b"]}}, "routing/bad-group-by"),
        ({"route": {"receiver": "a", "group_by": "x"}}, "routing/unreadable"),
        ({"route": {"receiver": "a", "group_interval": "0s"}}, "routing/bad-duration"),
        ({"route": {"receiver": "a", "mute_time_intervals": ["x"]}}, "routing/bad-root"),
        ({"route": {"receiver": "a", "routes": [{"matchers": ["x"]}]}}, "routing/bad-matcher"),
        ({"route": {"receiver": "a", "routes": [{"match_re": {"x": "("}}]}}, "routing/bad-matcher"),
        ({"inhibit_rules": [{"source_matcher": ["a=b"], "equal": ["x"]}]}, "routing/unknown-key"),
        ({"receivers": [{"name": "a", "slack_configs": [{"chanel": "#x"}]}]}, "routing/no-target"),
    ],
)
def test_small_refusals(change: dict[str, object], code: str, tmp_path: Path) -> None:
    receivers = [{"name": "a", "webhook_configs": [{"url": "http://127.0.0.1"}]}]
    config = {"route": {"receiver": "a"}, "receivers": receivers} | change
    file = written(tmp_path, "alertmanager.yml", yaml.safe_dump(config))
    assert code in {fault.code for fault in findings(file)}


@pytest.mark.parametrize("seed", range(20))
def test_what_alertmanager_takes_is_not_said_to_be_refused(seed: int, tmp_path: Path) -> None:
    config = routing_file(Random(seed), "http://127.0.0.1")  # noqa: S311
    file = written(tmp_path, "alertmanager.yml", yaml.safe_dump(config, sort_keys=False))
    assert [fault for fault in findings(file) if "refuses" in fault.why] == []


RESOURCE = """\
apiVersion: monitoring.coreos.com/v1alpha1
kind: AlertmanagerConfig
metadata: {name: core}
spec:
  route:
    receiver: core
    groupBy: [alertname, tenant]
    matchers: [{name: team, value: core, matchType: "="}]
    routes:
      - {receiver: pager, matchers: [{name: severity, value: page}, {name: severity, value: "p.*", matchType: "=~"}]}
      - {receiver: core, matchers: [{name: team, value: web}]}
  receivers: [{name: core, webhookConfigs: [{url: x}]}, {name: pager, pagerdutyConfigs: [{routingKey: {key: k}}]}]
"""
SECRET = """\
apiVersion: v1
kind: Secret
stringData:
  alertmanager.yaml: |
    route:
      receiver: core
    receivers:
      - name: core
        webhook_configs: [{url: 'http://x'}]
      - name: old
        webhook_configs: [{url: 'http://x'}]
"""


def test_a_resource_of_the_operator(tmp_path: Path) -> None:
    file = written(tmp_path, "core.yml", RESOURCE)
    assert [(fault.line, fault.code) for fault in findings(file)] == [(11, "routing/never-matches")]
    (routing,) = corpus_of(file).routings
    assert [receiver.integrations for receiver in routing.receivers] == [("webhook",), ("pagerduty",)]


def test_a_configuration_inside_a_secret(tmp_path: Path) -> None:
    found = findings(written(tmp_path, "secret.yml", SECRET))
    assert [(fault.line, fault.code) for fault in found] == [(10, "routing/unused-receiver")]


def test_an_alert_that_one_of_two_routings_takes_goes_not_only_by_a_default(tmp_path: Path) -> None:
    rules = "groups: [{name: g, rules: [%s]}]"
    one = "{alert: %s, expr: x > 1, for: 5m, labels: {severity: %s, team: t}, annotations: {summary: s, runbook: r}}"
    config = "route: {receiver: a, routes: [{receiver: a, matchers: [severity=%s]}]}\n"
    receivers = "receivers: [{name: a, webhook_configs: [{url: 'http://x'}]}]"
    files = [
        written(tmp_path, "rules.yml", rules % ", ".join(one % tuple(pair) for pair in ("Ax", "By", "Cz"))),
        written(tmp_path, "x.yml", config % "x" + receivers),
        written(tmp_path, "y.yml", config % "y" + receivers),
    ]
    (lost,) = [fault for fault in findings(*files) if fault.code == "routing/default-only"]
    assert "'C'" in lost.message
    assert "'A'" not in lost.message


def test_a_thousand_routes_are_read_at_once(tmp_path: Path) -> None:
    routes = [{"matchers": [f'team=~"team-{number}|t{number}.*"'], "receiver": "a"} for number in range(1000)]
    receivers = [{"name": "a", "webhook_configs": [{"url": "http://x"}]}]
    config = {"route": {"receiver": "a", "routes": routes}, "receivers": receivers}
    # t1.* takes what t10 is asked for, but not team-10.
    assert findings(written(tmp_path, "alertmanager.yml", yaml.safe_dump(config))) == []
