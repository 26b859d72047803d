"""Faulty files, each with what must be found in it, and nothing else; and their repaired twins, in which nothing is.

A line of YAML says `# expect: code`; the first line may say `# expect: code line` of another one. What must be found in
JSON stands in `expected.json` beside it: code, and a part of the line.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml
from audited_files import corpus_of, findings, written

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.codes import CODES

FIXTURES = Path(__file__).with_name("fixtures")
PAGE = Path(__file__).parents[2] / "docs" / "audits.md"
FILES = sorted(
    path for folder in ("rules", "routing", "dashboards", "others") for path in (FIXTURES / folder).iterdir()
)
FAULTY = [path for path in FILES if ".repaired." not in path.name and path.name != "expected.json"]
TWINS = [path for path in FILES if ".repaired." in path.name]
EXPECTED: dict[str, list[str]] = json.loads((FIXTURES / "dashboards" / "expected.json").read_text(encoding="utf-8"))
_MARK = re.compile(rb"# expect: (\S+)(?: (\d+))?\s*$")
# What everyone's alerts may lack, which is said once a file, where the files are about something else.
POLICY = {"rules/no-owner", "rules/no-runbook", "rules/no-summary", "rules/no-absent", "routing/default-only"} | {
    "rules/differs-from-contract"
}
# What no file alone can show: a server's answers, a tool that is missing, a file that cannot be read, silences.
NOT_IN_FILES = {
    "audit/expired-silence",
    "audit/unused-silence",
    "files/form-unchecked",
    "files/nothing-to-audit",
    "files/unreadable",
    "promql/not-on-server",
    "promql/renamed-metric",
    "rules/copied",
    "rules/differs-from-server",
}
pytestmark = [pytest.mark.needs("promtool"), pytest.mark.needs("amtool")]


def expected(path: Path) -> list[tuple[str, int]]:
    lines = path.read_bytes().split(b"\n")
    if path.suffix == ".json":
        code, part = EXPECTED[path.stem]
        return [(code, max(number for number, line in enumerate(lines, 1) if part in line.decode()))]
    marks = [(found, number) for number, line in enumerate(lines, 1) if (found := _MARK.search(line))]
    return sorted((found[1].decode(), int(found[2] or number)) for found, number in marks)


all_of = cache(findings)


def told(path: Path, meant: set[str]) -> list[Finding]:
    return [finding for finding in all_of(path) if finding.code not in POLICY - meant]


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", FAULTY, ids=name)
def test_the_fault_is_found_and_nothing_else(path: Path) -> None:
    meant = expected(path)
    assert sorted((found.code, found.line) for found in told(path, {code for code, _ in meant})) == meant


@pytest.mark.parametrize("path", TWINS, ids=name)
def test_nothing_is_found_in_the_repaired_twin(path: Path) -> None:
    twin = path.with_name(path.name.replace(".repaired", ""))
    assert told(path, {code for code, _ in expected(twin)}) == []


def test_each_code_has_a_file_that_names_it() -> None:
    assert {code for path in FAULTY for code, _ in expected(path)} | NOT_IN_FILES == set(CODES)


def page_rows() -> str:
    """The tables of the page of codes, section by section, as Markdown."""
    parts = []
    for section in ("files", "promql", "rules", "routing", "dashboards", "audit"):
        codes = [(name, one) for name, one in sorted(CODES.items()) if name.startswith(f"{section}/")]
        rows = ["| code | weight | why it matters | what to do |", "| --- | --- | --- | --- |"]
        for name, one in codes:
            cells = (f"`{name}`", one.severity, one.why, one.action)
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        parts.append("\n".join([f"## {section}", "", *rows]))
    return "\n\n".join(parts)


def test_the_page_has_the_table_of_codes() -> None:
    assert page_rows() in PAGE.read_text(encoding="utf-8")


def test_every_code_says_why_and_what_to_do() -> None:
    assert all(code.why.endswith(".") and code.action.endswith(".") for code in CODES.values())


@pytest.mark.parametrize("path", [path for path in FAULTY if path.parent.name in ("rules", "routing")], ids=name)
def test_servers_refuse_what_is_said_to_be_refused_and_nothing_else(path: Path, tmp_path: Path) -> None:
    """A twin of each file is given to the real tool, document by document, as it stands."""
    for file in (path, path.with_name(f"{path.stem}.repaired{path.suffix}")):
        if not file.exists() or path.stem.startswith("in-"):
            continue
        said = {"promtool": False, "amtool": False}
        findings = all_of(file)
        if any(found.code == "promql/unread" for found in findings):
            continue  # what this promtool refuses a newer server may take
        for found in findings:
            if "refuses" in found.why and found.code.startswith(("rules/", "routing/", "promql/")):
                said["amtool" if found.code.startswith("routing/") else "promtool"] = True
        try:
            documents = list(yaml.safe_load_all(file.read_bytes()))
        except yaml.YAMLError:
            continue
        for document in documents:
            if isinstance(document, dict) and ("groups" in document or "route" in document):
                tool = "promtool" if "groups" in document else "amtool"
                whole = written(tmp_path, "file.yml", yaml.safe_dump(document, sort_keys=False))
                words = ["check", "rules", "--lint=none"] if tool == "promtool" else ["check-config"]
                done = subprocess.run([tool, *words, whole], capture_output=True, text=True, check=False)
                assert said[tool] is (done.returncode != 0), done.stdout + done.stderr


def test_rules_in_the_style_of_well_known_collections() -> None:
    """129 rules, which promtool takes: how much is found, all of it true."""
    corpus = corpus_of(*sorted((FIXTURES / "public_style").glob("*.yml")))
    found = Counter(finding.code for finding in audit(corpus))
    assert len(corpus.rules) >= 100
    # No file names owners, and one has no runbooks.
    assert found == {"rules/no-owner": 4, "rules/no-runbook": 1}
