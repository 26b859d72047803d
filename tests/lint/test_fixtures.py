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

from cloudxai_analysis.lint import CODES, Finding
from cloudxai_analysis.lint.audit import audit

FIXTURES = Path(__file__).with_name("fixtures")
PAGE = Path(__file__).parents[2] / "docs" / "audits.md"
FILES = sorted(path for name in ("rules", "routing", "dashboards", "others") for path in (FIXTURES / name).iterdir())
FAULTY = [path for path in FILES if ".repaired." not in path.name and path.name != "expected.json"]
EXPECTED: dict[str, list[str]] = json.loads((FIXTURES / "dashboards" / "expected.json").read_text(encoding="utf-8"))
_MARK = re.compile(rb"# expect: (\S+)(?: (\d+))?\s*$")
# What everyone's alerts may lack, where the files are about something else.
POLICY = {"rules/differs-from-contract"}
# What no file alone can show: a server's answers, a tool that is missing, a file that cannot be read, silences.
NOT_IN_FILES = {
    *("audit/expired-silence", "audit/unused-silence", "files/form-unchecked", "files/nothing-to-audit"),
    *("files/unreadable", "promql/not-on-server", "promql/renamed-metric", "rules/copied", "rules/differs-from-server"),
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


def twin_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.repaired{path.suffix}")


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_fault_is_found_and_nothing_else_and_nothing_in_the_repaired_twin(path: Path) -> None:
    meant = expected(path)
    codes = {code for code, _ in meant}
    assert sorted((found.code, found.line) for found in told(path, codes)) == meant
    assert not twin_of(path).exists() or told(twin_of(path), codes) == []


def test_each_code_has_a_file_that_names_it() -> None:
    assert {code for path in FAULTY for code, _ in expected(path)} | NOT_IN_FILES == set(CODES)


def page_rows() -> str:
    """The tables of the page of codes, section by section, as Markdown."""
    parts = []
    for section in ("files", "promql", "rules", "routing", "dashboards", "audit"):
        rows = ["| code | weight | why it matters | what to do |", "| --- | --- | --- | --- |"]
        for name, one in sorted(CODES.items()):
            cells = (f"`{name}`", one.severity, one.why, one.action)
            row = "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
            rows += [row] if name.startswith(f"{section}/") else []
        parts.append("\n".join([f"## {section}", "", *rows]))
    return "\n\n".join(parts)


def test_the_page_has_the_table_of_codes_which_say_why_and_what_to_do() -> None:
    assert page_rows() in PAGE.read_text(encoding="utf-8")
    assert all(code.why.endswith(".") and code.action.endswith(".") for code in CODES.values())


@pytest.mark.parametrize("path", [path for path in FAULTY if path.parent.name in ("rules", "routing")])
def test_servers_refuse_what_is_said_to_be_refused_and_nothing_else(path: Path, tmp_path: Path) -> None:
    """A twin of each file is given to the real tool, document by document, as it stands."""
    for file in filter(Path.exists, (path, twin_of(path))):
        faults = all_of(file)
        # What stands inside of another document is not given; what this promtool refuses a newer server may take.
        if path.stem.startswith("in-") or any(found.code == "promql/unread" for found in faults):
            continue
        refusing = {found.code.partition("/")[0] for found in faults if "refuses" in found.why}
        said = {"promtool": bool(refusing & {"rules", "promql"}), "amtool": "routing" in refusing}
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


def test_nothing_is_found_in_rules_in_the_style_of_well_known_collections() -> None:
    """129 rules, which promtool takes."""
    corpus = corpus_of(*sorted((FIXTURES / "public_style").glob("*.yml")))
    assert len(corpus.rules) >= 100
    assert Counter(finding.code for finding in audit(corpus)) == {}
