"""`cloudxai audit` as a pipeline uses it: formats, exit codes, silences, a server's metrics."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import servers
from clean_command import Done

from cloudxai_analysis.sources.series import SeriesBatch

Audit = Callable[..., tuple[int, str, str]]
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


def rules(text: str) -> None:
    Path("rules/beta.yml").write_text(text, encoding="utf-8")


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Done]) -> Audit:
    """`cloudxai audit` in a folder: its exit code and what it printed."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "rules" / "values.yml").write_text("image: {tag: 1}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    rules(COUNTER)

    def run(*words: str) -> tuple[int, str, str]:
        done = command("audit", *words)
        return done.code, "\n".join(done.out), "\n".join(done.err)

    return run


def test_text_names_file_line_code_why_and_what_to_do(audit: Audit) -> None:
    code, out, err = audit("rules")
    told = out.splitlines()
    assert (code, err, told[0]) == (1, "", "error [promql/raw-counter] 1 place")
    assert told[1].startswith("    A counter only rises")
    assert told[2].startswith("  rules/beta.yml:5: Rejected:")
    assert told[-1].startswith("1 rule, 0 routings and 0 dashboards in 1 file: ")


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_a_name_that_is_no_utf8_and_would_steer_a_terminal_is_told_all_the_same(audit: Audit, form: str) -> None:
    Path("rules", os.fsdecode(b"\xff\x1b[31m.yml")).write_text(COUNTER, encoding="utf-8")
    code, out, err = audit("rules", "--format", form)
    assert (code, err, "\x1b" in out) == (1, "", False)
    if form == "sarif":
        places = [one["locations"][0]["physicalLocation"] for one in json.loads(out)["runs"][0]["results"]]
        assert "rules/%FF%1B%5B31m.yml" in {place["artifactLocation"]["uri"] for place in places}


def test_json_and_sarif(audit: Audit) -> None:
    """OASIS SARIF 2.1.0: version, one run with a driver and rules, results that name a rule, a level and a region."""
    found = json.loads(audit("rules", "--format", "json")[1])
    raw = next(one for one in found["findings"] if one["code"] == "promql/raw-counter")
    assert raw.keys() == {"file", "line", "code", "severity", "subject", "message", "why", "action"}
    assert (raw["file"], raw["line"]) == ("rules/beta.yml", 5)
    found = json.loads(audit("rules", "--format", "sarif")[1])
    (run,) = found["runs"]
    result = next(one for one in run["results"] if one["ruleId"] == "promql/raw-counter")
    assert (found["version"], result["level"]) == ("2.1.0", "error")
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "rules/beta.yml"}, "region": {"startLine": 5}}
    assert {one["ruleId"] for one in run["results"]} == {rule["id"] for rule in run["tool"]["driver"]["rules"]}


def test_what_fails_is_asked_for(audit: Audit) -> None:
    assert audit("rules", "--fail-on", "never")[0] == 0
    rules(COUNTER.replace("_total > 5", "_total offset 1m > 5"))
    assert audit("rules", "--fail-on", "info")[0] == 1


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
def test_a_silence_has_a_reason_ends_on_its_day_and_fits_something(
    audit: Audit, entry: str, code: int, said: str
) -> None:
    Path("s.yml").write_text(f"silences:\n  - {entry}\n", encoding="utf-8")
    ended, out, err = audit("rules", "--silences", "s.yml")
    assert ended == code
    assert said in out + err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "No file or folder 'nowhere'"),
        (("empty",), "Nothing to audit in empty"),
        (("rules", "--silences", "none.yml"), "No file of silences 'none.yml'"),
        (("rules", "--source", "demo://"), "--source of an audit is a server"),
    ],
)
def test_mistakes_are_one_line(audit: Audit, words: tuple[str, ...], said: str) -> None:
    code, out, err = audit(*words)
    assert (code, out, err.count("\n")) == (2, "", 0)
    assert said in err


@pytest.mark.server
def test_a_server_knows_its_metrics(audit: Audit, start_prometheus: Callable[..., servers.Server]) -> None:
    """Of two metrics that no contract promises the server has one."""
    times = [1_762_000_000_000 + 15_000 * place for place in range(20)]
    have = SeriesBatch.of("queue_length", [servers.series({"job": "x", "instance": "y"}, times, [1.0] * 20)])
    server = start_prometheus([have])
    rules(COUNTER.replace("tenant_label_rejections_total > 5", "queue_length > 5 and queue_lenght < 100"))
    found = json.loads(audit("rules", "--format", "json", "--source", server.url)[1])["findings"]
    (unknown,) = [one["message"] for one in found if one["code"] == "promql/unknown-metric"]
    assert "queue_lenght" in unknown
    assert "queue_length" in unknown
