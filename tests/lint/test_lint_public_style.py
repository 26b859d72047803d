"""Large rule files as people publish them: how many findings there are, all of them true."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from cloudxai_analysis.lint.corpus import read_corpus
from cloudxai_analysis.lint.rule_audits import rule_findings
from cloudxai_analysis.platform.contract import load_contract

FOLDER = Path(__file__).with_name("public_style")
FILES = sorted(FOLDER.glob("*.yml"))
# Four alerts wait for one minute, which is one evaluation; no file names owners, and one has no runbooks.
COUNTS = {"rules/no-owner": 4, "rules/short-for": 4, "rules/no-runbook": 1}


def test_what_is_found_is_true() -> None:
    corpus = read_corpus(FILES, contract=load_contract())
    assert len(corpus.rules) >= 100
    assert corpus.findings == []
    found = rule_findings(corpus)
    assert Counter(finding.code for finding in found) == COUNTS
    short = [finding for finding in found if finding.code == "rules/short-for"]
    assert {finding.message for finding in short} == {"`for` is 1m, shorter than two evaluation intervals of 1m."}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_alone_gives_no_more(path: Path) -> None:
    corpus = read_corpus([path], contract=load_contract())
    assert {finding.code for finding in rule_findings(corpus)} <= set(COUNTS)


@pytest.mark.needs("promtool")
def test_prometheus_takes_them() -> None:
    done = subprocess.run(["promtool", "check", "rules", *FILES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
