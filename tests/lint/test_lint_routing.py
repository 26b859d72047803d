"""Faulty routings, each with one fault on a marked line, and their repaired twins; and what Alertmanager refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from random import Random

import pytest
import yaml
from audited_files import audited, written
from routing_trees import routing_file

from cloudxai_analysis.lint.codes import CODES

FOLDER = Path(__file__).with_name("faulty_routing")
FAULTY = sorted(path for path in FOLDER.glob("*.yml") if not path.name.endswith(".repaired.yml"))
MARK = "# fault: "


def marked(path: Path) -> list[tuple[int, str]]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return [(number, line.partition(MARK)[2].strip()) for number, line in enumerate(lines, 1) if MARK in line]


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_the_fault_is_found_and_nothing_else(path: Path) -> None:
    assert [(fault.line, fault.code) for fault in audited(path).findings] == marked(path)
    assert len(marked(path)) == 1


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_nothing_is_found_in_the_repaired_twin(path: Path) -> None:
    assert audited(path.with_suffix(".repaired.yml")).findings == []


def test_most_codes_have_a_faulty_file() -> None:
    shown = {code for path in FAULTY for _, code in marked(path)}
    others = {"routing/unreadable", "routing/bad-group-by", "routing/duplicate-receiver", "routing/duplicate-interval"}
    others |= {"routing/no-alert-comes", "routing/silence-of-everything", "routing/unused-interval"}
    assert shown | others == {code for code in CODES if code.startswith("routing/")}


@pytest.mark.needs("amtool")
@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_alertmanager_refuses_what_is_said_to_be_refused(path: Path, tmp_path: Path) -> None:
    for file in (path, path.with_suffix(".repaired.yml")):
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        if not isinstance(documents[-1], dict):
            continue  # a list of silences
        config = written(tmp_path, "alertmanager.yml", yaml.safe_dump(documents[-1], sort_keys=False))
        done = subprocess.run(["amtool", "check-config", config], capture_output=True, text=True, check=False)
        refused = any("refuses" in fault.why for fault in audited(file).findings)
        assert refused is (done.returncode != 0), done.stdout + done.stderr


@pytest.mark.needs("amtool")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"route": {"receiver": "a", "continue": True}}, "routing/bad-root"),
        ({"route": {"receiver": "a", "group_by": ["x", "x"]}}, "routing/bad-group-by"),
        ({"route": {"receiver": "a", "group_by": ["...", "x"]}}, "routing/bad-group-by"),
        ({"route": {"receiver": "a", "group_by": ["a-b"]}}, "routing/bad-group-by"),
        ({"route": {"receiver": "a", "group_by": "x"}}, "routing/unreadable"),
        ({"route": {"receiver": "a", "group_interval": "0s"}}, "routing/bad-duration"),
        ({"route": {"receiver": "a", "repeat_interval": "1.5h"}}, "routing/bad-duration"),
        ({"route": {"receiver": "a", "mute_time_intervals": ["x"]}}, "routing/bad-root"),
        ({"route": {"receiver": "a", "routes": [{"matchers": "x=y"}]}}, "routing/unreadable"),
        ({"route": {"receiver": "a", "routes": [{"matchers": ["x"]}]}}, "routing/bad-matcher"),
        ({"route": {"receiver": "a", "routes": [{"match_re": {"x": "("}}]}}, "routing/bad-matcher"),
        ({"receivers": [{"name": "a"}, {"name": "a"}]}, "routing/duplicate-receiver"),
        ({"route": None}, "routing/bad-root"),
        ({"inhibit_rules": [{"source_matcher": ["a=b"], "equal": ["x"]}]}, "routing/unknown-key"),
    ],
)
def test_small_refusals(change: dict[str, object], code: str, tmp_path: Path) -> None:
    config = {"route": {"receiver": "a"}, "receivers": [{"name": "a"}]} | change
    file = written(tmp_path, "alertmanager.yml", yaml.safe_dump(config))
    assert code in {fault.code for fault in audited(file).findings}
    done = subprocess.run(["amtool", "check-config", file], capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stdout


@pytest.mark.parametrize("seed", range(40))
def test_what_alertmanager_takes_is_not_said_to_be_refused(seed: int, tmp_path: Path) -> None:
    config = routing_file(Random(seed), "http://127.0.0.1")  # noqa: S311
    file = written(tmp_path, "alertmanager.yml", yaml.safe_dump(config, sort_keys=False))
    assert [fault for fault in audited(file).findings if "refuses" in fault.why] == []


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
    files = audited(written(tmp_path, "core.yml", RESOURCE))
    assert [(fault.line, fault.code) for fault in files.findings] == [(11, "routing/never-matches")]
    (routing,) = files.routings
    assert [receiver.integrations for receiver in routing.receivers] == [("webhook",), ("pagerduty",)]


def test_a_configuration_inside_a_secret(tmp_path: Path) -> None:
    found = audited(written(tmp_path, "secret.yml", SECRET)).findings
    assert [(fault.line, fault.code) for fault in found] == [(10, "routing/unused-receiver")]


def test_a_silence_of_everything(tmp_path: Path) -> None:
    everything = {"name": "alertname", "value": ".+", "isRegex": True}
    silences = [{"id": "1", "startsAt": "", "comment": "all", "matchers": [everything]}]
    found = audited(written(tmp_path, "silences.json", json.dumps(silences))).findings
    assert [fault.code for fault in found] == ["routing/silence-of-everything"]


def test_a_thousand_routes_are_read_at_once(tmp_path: Path) -> None:
    routes = [{"matchers": [f'team=~"team-{number}|t{number}.*"'], "receiver": "a"} for number in range(1000)]
    config = {
        "route": {"receiver": "a", "routes": routes},
        "receivers": [{"name": "a", "webhook_configs": [{"url": "x"}]}],
    }
    found = audited(written(tmp_path, "alertmanager.yml", yaml.safe_dump(config))).findings
    # t1.* takes what t10 is asked for, but not team-10.
    assert found == []
