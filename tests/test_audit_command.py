"""`cloudxai audit` as a pipeline uses it: formats, exit codes, silences, a server's metrics."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import servers

from cloudxai_analysis.sources.series import SeriesBatch

PROJECT = Path(__file__).parent.parent
COUNTER = """\
groups:
  - name: beta
    rules:
      - alert: Rejected
        expr: tenant_label_rejections_total > 5
        for: 5m
        labels: {severity: ticket, owner: platform}
        annotations: {summary: Labels are refused, runbook_url: "https://example.com/r"}
"""


def audit(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudxai_analysis.cli", "audit", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "beta.yml").write_text(COUNTER, encoding="utf-8")
    (tmp_path / "rules" / "values.yml").write_text("image: {tag: 1}\n", encoding="utf-8")
    return tmp_path


def test_text_names_file_line_code_why_and_what_to_do(folder):
    done = audit("rules", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "")
    told = done.stdout.splitlines()
    assert told[0] == "error [promql/raw-counter] 1 place"
    assert told[1].startswith("    A counter only rises")
    assert told[2].startswith("  rules/beta.yml:5: Rejected:")
    assert told[-1].startswith("1 rule, 0 routings and 0 dashboards in 1 file: ")


def test_json_and_sarif(folder):
    """OASIS SARIF 2.1.0: version, one run with a driver and rules, results that name a rule, a level and a region."""
    found = json.loads(audit("rules", "--format", "json", cwd=folder).stdout)
    raw = next(one for one in found["findings"] if one["code"] == "promql/raw-counter")
    assert raw.keys() == {"file", "line", "code", "severity", "subject", "message", "why", "action"}
    assert (raw["file"], raw["line"]) == ("rules/beta.yml", 5)
    found = json.loads(audit("rules", "--format", "sarif", cwd=folder).stdout)
    (run,) = found["runs"]
    result = next(one for one in run["results"] if one["ruleId"] == "promql/raw-counter")
    assert (found["version"], result["level"]) == ("2.1.0", "error")
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "rules/beta.yml"}, "region": {"startLine": 5}}
    assert {one["ruleId"] for one in run["results"]} == {rule["id"] for rule in run["tool"]["driver"]["rules"]}


def test_what_fails_is_asked_for(folder):
    assert audit("rules", "--fail-on", "never", cwd=folder).returncode == 0
    (folder / "rules" / "beta.yml").write_text(COUNTER.replace("_total > 5", "_total offset 1m > 5"), encoding="utf-8")
    assert audit("rules", "--fail-on", "info", cwd=folder).returncode == 1


ENTRY = "{code: promql/raw-counter, file: beta.yml, %s}"


@pytest.mark.parametrize(
    ("entry", "code", "said"),
    [
        ("{code: promql/raw-counter, file: beta.yml}", 2, "line 2: reason: Field required"),
        (ENTRY % "reason: meant, until: soon", 2, "line 2: until: "),
        (ENTRY % "reason: meant, units: x", 2, "line 2: units: Extra inputs"),
        (ENTRY % "reason: meant, until: 2999-12-31", 0, "; 1 silenced. "),
        (ENTRY % "reason: meant, until: 2020-01-01", 1, "warning [audit/expired-silence] 1 place"),
        ("{code: promql/rate-of-gauge, reason: gone}", 1, "s.yml:2: promql/rate-of-gauge: Silence of"),
    ],
)
def test_a_silence_has_a_reason_ends_on_its_day_and_fits_something(folder, entry, code, said):
    (folder / "s.yml").write_text(f"silences:\n  - {entry}\n", encoding="utf-8")
    done = audit("rules", "--silences", "s.yml", cwd=folder)
    assert done.returncode == code
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "No file or folder 'nowhere'"),
        (("empty",), "Nothing to audit in empty"),
        (("rules", "--silences", "none.yml"), "No file of silences 'none.yml'"),
        (("rules", "--source", "demo://"), "--source of an audit is a server"),
    ],
)
def test_mistakes_are_one_line(folder, words, said):
    (folder / "empty").mkdir()
    done = audit(*words, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr


@pytest.mark.server
def test_a_server_knows_its_metrics(folder: Path, start_prometheus: Callable[..., servers.Server]):
    """Of two metrics that no contract promises the server has one."""
    times = [1_762_000_000_000 + 15_000 * place for place in range(20)]
    have = SeriesBatch.of("queue_length", [servers.series({"job": "x", "instance": "y"}, times, [1.0] * 20)])
    server = start_prometheus([have])
    rules = COUNTER.replace("tenant_label_rejections_total > 5", "queue_length > 5 and queue_lenght < 100")
    (folder / "rules" / "beta.yml").write_text(rules, encoding="utf-8")
    found = json.loads(audit("rules", "--format", "json", "--source", server.url, cwd=folder).stdout)["findings"]
    unknown = [one["message"] for one in found if one["code"] == "promql/unknown-metric"]
    assert len(unknown) == 1
    assert "queue_lenght" in unknown[0]
    assert "queue_length" in unknown[0]
