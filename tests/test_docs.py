"""The docs held against the code: rooms, files, links, definitions, checks, commands, errors, examples."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from pathlib import Path
from typing import get_args

import click
import drawn
import pytest
import yaml

from cloudxai_analysis.cards.compose import TERMS
from cloudxai_analysis.checks.finding import ROWS, Status
from cloudxai_analysis.cli import main_group
from cloudxai_analysis.ground import errors
from cloudxai_analysis.platform.contract import load_contract

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cloudxai_analysis"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGES = {path: path.read_text(encoding="utf-8") for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])}
DEFINITIONS = PAGES[ROOT / "docs" / "definitions.md"]


def table(page: str, header: str) -> list[list[str]]:
    """The cells of the table in `page` whose header row begins with `header`, without markup."""
    rows = re.search(rf"^\| {header} .*\n\| ---.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert rows, header
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")] for line in rows[1].splitlines()]


@pytest.mark.parametrize("page", drawn.DRAWN, ids=lambda page: page.name)
def test_what_the_docs_say_twice_is_drawn_from_where_it_stands(page: Path) -> None:
    assert drawn.drawn(page) == page.read_text(encoding="utf-8"), "run: python tests/drawn.py"


def test_rooms_in_the_docs_are_the_layers_and_every_module_is_in_one() -> None:
    listed = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    levels = [set(re.findall(r"cloudxai_analysis\.(\w+)", level)) for level in reversed(listed)]
    shown: dict[int, set[str]] = {}
    for level, room, *_ in table(PAGES[ROOT / "docs" / "architecture.md"], "level"):
        shown.setdefault(int(level), set()).add(room)
    assert shown == dict(enumerate(levels, start=1))
    found = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert found - {"__init__", "__main__"} == set().union(*levels)


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_files_links_and_targets_that_the_docs_name_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page, text in PAGES.items():
        assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= targets, page
        for path in re.findall(r"`([\w./]+\.(?:py|toml|txt|jinja|css|ipynb|yml))`", text):
            places = (ROOT / path, PACKAGE / path, ROOT / "notebooks" / path, *ROOT.glob(f"tests/**/{path}"))
            assert path == "cloudxai.toml" or any(place.is_file() for place in places), f"{page} names {path}"
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{page} leads to {link}"
            assert not anchor or anchor in anchors(PAGES[target]), f"{page} leads to {link}"


def test_definitions_hold_the_contracts_metrics_and_rules_every_check_and_the_reports_words() -> None:
    contract = load_contract()
    for row, (role, metric) in zip(table(DEFINITIONS, "role"), contract.metrics.items(), strict=True):
        labels = [*metric.labels, *(f"[{label}]" for label in metric.optional_labels)]
        assert row[:5] == [role, metric.name, metric.kind, ", ".join(labels), metric.unit]
    for row, (name, rule) in zip(table(DEFINITIONS, "rule"), contract.alerts.items(), strict=True):
        assert row[:4] == [name, rule.topic, rule.severity, "yes" if rule.paging else "no"]
        assert int((re.findall(r"for (\d+) s$", row[4]) or [0])[0]) == rule.for_seconds
    page = " ".join(DEFINITIONS.split()).lower()
    for key, entry in TERMS.items():
        for word in re.split(r",| and ", entry["term"].lower()):
            assert word.strip().removesuffix("s") in page, f"docs/definitions.md does not speak of {key}: '{word}'"


def test_every_measure_is_defined_and_every_defined_one_is_there() -> None:
    computed, rooms = set(), {path.stem: path for path in (PACKAGE / "measures").glob("[!_]*.py")}
    for room, path in rooms.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            # Two rooms hold parts that measures share, and what gives no frame is such a part, too.
            public = isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
            if public and room not in ("frames", "matching") and "DataFrame" in ast.unparse(node.returns or node):
                computed.add(f"{room}.{node.name}")
    names = re.findall(r"`(\w+)\.(\w+)`", DEFINITIONS)
    assert {f"{room}.{name}" for room, name in names if room in rooms} == computed


def commands(group: click.Group, words: tuple[str, ...] = ()) -> dict[tuple[str, ...], set[str]]:
    """Options by command, sub-commands included."""
    found: dict[tuple[str, ...], set[str]] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, (*words, name))
        else:
            found[*words, name] = {option for parameter in command.params for option in parameter.opts}
    return found


def test_every_command_has_its_page_and_those_in_the_docs_exist_with_their_options() -> None:
    known, explained = commands(main_group), set()
    for page, text in PAGES.items():
        for line in re.findall(r"(?:^|`|/)cloudxai ((?:[a-z]|--)[^`\n']*)", text, re.MULTILINE):
            words = line.split()
            if page.name in ("README.md", "migration.md") or page.parent.name == "howto":
                explained |= {tuple(words[:1]), tuple(words[:2])}
            options = next((known[key] for length in (2, 1) if (key := tuple(words[:length])) in known), None)
            assert options is not None or words[0] in main_group.commands or words[0][:2] == "--", f"{page}: {line}"
            used = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert used <= (options or set()) | {"--help", "--version"}, f"{page}: {line}"
    assert set(known) <= explained


def test_each_fault_names_tests_that_exist() -> None:
    places = {path.name for path in ROOT.glob("tests/**/test_*.py")}
    rows = re.findall(r"^\| (?!fault|---).*$", PAGES[ROOT / "docs" / "tested-faults.md"], re.MULTILINE)
    assert len(rows) > 50
    for row in rows:
        named = set(re.findall(r"`(test_\w+\.py)`", row))
        assert named, f"no test does this: {row}"
        assert named <= places, row


CODES = {
    "CloudxaiError": 1,
    "UsageError": 2,
    "SourceUnreachable": 3,
    "SourceAnswerError": 4,
    "NoData": 4,
    "LakeDamaged": 5,
    "LakeUnwritable": 5,
    "NotebookFailed": 6,
    "LakeLocked": 7,
    "RefusedForSecurity": 8,
}


def test_every_error_has_its_promised_exit_code_and_the_docs_say_what_it_means() -> None:
    members, page = dict(inspect.getmembers(errors, inspect.isclass)), PAGES[ROOT / "docs" / "faults.md"]
    assert {name: error.exit_code for name, error in members.items()} == CODES
    assert all(issubclass(error, errors.CloudxaiError) for error in members.values())
    rows = table(page, "code")
    assert sorted(int(row[0]) for row in rows) == [0, *sorted(set(CODES.values())), 130]
    assert all(len(list(filter(None, row))) == 5 for row in rows)
    for name, code in list(CODES.items())[1:]:
        section = re.search(rf"^## {code} [^\n]*\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, f"docs/faults.md has no section for exit code {code}"
        assert f"`{name}`" in section[0], f"docs/faults.md does not name {name} under exit code {code}"


def test_the_runbook_has_an_entry_for_each_alert_check_verdict_and_exit_code_and_each_is_whole() -> None:
    """The alerts are those of the reference rules; nothing has two entries."""
    _, *parts = re.split(r"^##+ (.+)$", PAGES[ROOT / "docs" / "runbook.md"], flags=re.MULTILINE)
    entries = {name: text for name, text in zip(parts[::2], parts[1::2], strict=True) if "**Means.**" in text}
    rules = yaml.safe_load((ROOT / "reference" / "rules" / "cloudxai.rules.yml").read_text(encoding="utf-8"))
    alerts = [rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    codes = [row[0] for row in table(PAGES[ROOT / "docs" / "faults.md"], "code")]
    assert len(parts[::2]) == len(set(parts[::2]))
    assert sorted(entries) == sorted([*alerts, *ROWS, *get_args(Status), *codes])
    for name, text in entries.items():
        assert re.findall(r"^\*\*(\w[\w ]*)\.\*\* \S", text, re.MULTILINE)[:2] == ["Means", "First look"], name
        assert {"Do", "Stop"} <= set(re.findall(r"^\*\*(\w+)\.\*\* \S", text, re.MULTILINE)), name
