"""Faulty rule files, each with one fault that its first line names, and their mended twins."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from audited_files import written

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.corpus import read_corpus
from cloudxai_analysis.lint.rule_audits import rule_findings
from cloudxai_analysis.platform.contract import load_contract

FOLDER = Path(__file__).with_name("faulty_rules")
FAULTY = sorted(path for path in FOLDER.glob("*.yml") if not path.name.endswith(".fixed.yml"))
every_file = pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)


def found_in(path: Path) -> list[Finding]:
    corpus = read_corpus([path], contract=load_contract())
    return [*corpus.findings, *rule_findings(corpus)]


def expected(path: Path) -> tuple[str, int]:
    first = path.read_bytes().split(b"\n")[0].decode()
    code, line = first.removeprefix("# expect: ").split()
    return code, int(line)


@every_file
def test_the_fault_is_found_and_nothing_else(path: Path) -> None:
    assert [(fault.code, fault.line) for fault in found_in(path)] == [expected(path)]


@every_file
def test_nothing_is_found_in_the_mended_twin(path: Path) -> None:
    assert found_in(path.with_suffix(".fixed.yml")) == []


def groups_in(path: Path) -> list[str]:
    """The rule files that Prometheus would get: what the resources of a file hold."""
    files = []
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        for resource in document.get("items", [document]):
            if "groups" in resource.get("spec", resource):
                files.append(yaml.safe_dump({"groups": resource.get("spec", resource)["groups"]}))
            files += resource.get("data", {}).values()
    return files


@pytest.mark.needs("promtool")
def test_prometheus_takes_every_mended_twin(tmp_path: Path) -> None:
    files = [
        written(tmp_path, f"{path.stem}-{number}.yml", text)
        for path in FAULTY
        for number, text in enumerate(groups_in(path.with_suffix(".fixed.yml")))
    ]
    assert len(files) >= len(FAULTY)
    done = subprocess.run(["promtool", "check", "rules", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def refuses(path: Path) -> bool:
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=none", path], capture_output=True, text=True, check=False
    )
    return done.returncode != 0


def _is_refusal(fault: Finding) -> bool:
    return "refuses" in fault.why or fault.code.startswith("files/")


@pytest.mark.needs("promtool")
def test_prometheus_refuses_what_is_said_to_be_refused() -> None:
    plain = [path for path in FAULTY if not path.stem.startswith("in-")]
    said = {path.stem for path in plain if any(_is_refusal(fault) for fault in found_in(path))}
    assert {path.stem for path in plain if refuses(path)} == said
