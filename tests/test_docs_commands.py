"""The lines that people are told to type when something happens: each runs as it is written, one after the other."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from clean_command import PROJECT, several

PAGES = ("rollout-playbook", "runbook", "announcement", "risk-register", "migration")
BLANKS = {"DAY": "2026-11-09", "NAME": "readiness.availability", "KEY": "availability", "FOLDER": "bundle"}
# Names of commands to which the reader adds what is his own, or that need a live server; other tests run them.
NAMED = {"connect", "drill", "ledger add", "migrate check", "migrate prove", "nightly", "replay"}
RULE = "groups: [{name: wait, rules: [{alert: WaitsLong, expr: request_wait_ms > 200, labels: {severity: ticket}}]}]\n"


def page(name: str) -> str:
    return (PROJECT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def told() -> list[str]:
    """Each line of these pages that begins with the suite's command, once, in the order of the pages."""
    lines = [line for name in PAGES for line in re.findall(r"(?:^|`)cloudxai ([a-z][^`\n]*)", page(name), re.MULTILINE)]
    return [line for line in dict.fromkeys(line.strip() for line in lines) if line not in NAMED]


def test_each_line_runs_as_it_is_written(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "reference", tmp_path / "reference")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "wait.yml").write_text(RULE, encoding="utf-8")
    (changes,) = re.findall(r"```toml\n(.*?)```", page("migration"), re.DOTALL)
    (tmp_path / "changes.toml").write_text(changes, encoding="utf-8")
    settings = tmp_path / "cloudxai.toml"
    settings.write_text('[environments.beta]\nsource = "demo://"\nhistory_weeks = 1\n', encoding="utf-8")

    lines = [[BLANKS.get(word, word) for word in shlex.split(line)] for line in told()]
    # A prover reads what a writer wrote: the page tells of both, in another order of places than of time.
    lines.sort(key=lambda words: (words[0] != "report", words[:2] == ["migrate", "prove"]))
    done = several(*lines, outputs=tmp_path / "outputs", cwd=tmp_path, CLOUDXAI_SETTINGS=str(settings))
    ended = {" ".join(words): (one.code, one.err[-1:]) for words, one in zip(lines, done, strict=True)}
    assert len(ended) > 15
    # 1 is a verdict: the demo is not ready for a sign-off.
    assert {line: how for line, how in ended.items() if how[0] not in (0, 1) or "unexpected" in str(how)} == {}
    assert (tmp_path / "back" / "patched" / "rules" / "wait.yml").read_text(encoding="utf-8") == RULE
