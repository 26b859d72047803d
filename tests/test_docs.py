"""The docs held against the code: rooms, files, links, definitions, checks, commands, errors, examples."""

from __future__ import annotations

import ast
import inspect
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cloudxai_analysis.cards.compose import TERMS
from cloudxai_analysis.checks import judge
from cloudxai_analysis.cli import main_group
from cloudxai_analysis.ground import errors
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.contract import load_contract

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cloudxai_analysis"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def read(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def table(page: str, header: str) -> list[list[str]]:
    """The cells of the table in `page` whose header row begins with `header`, without markup."""
    lines = page.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {header} "))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")])
    return rows


def layers() -> list[set[str]]:
    """The rooms by level, from the ground up, as import-linter holds them."""
    listed = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    levels = [re.findall(r"cloudxai_analysis\.(\w+)", level) for level in reversed(listed)]
    return [set(level) for level in levels]


def test_targets_in_the_docs_are_the_makefiles() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for page in PAGES:
        said = re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(said) <= targets, f"{named(page)} names a target that the Makefile has not"


def test_rooms_in_the_docs_are_the_layers() -> None:
    rows = table(read("docs", "architecture.md"), "level")
    shown: dict[int, set[str]] = {}
    for level, room, *_ in rows:
        shown.setdefault(int(level), set()).add(room)
    assert [shown[level] for level in sorted(shown)] == layers()
    assert sorted(shown) == list(range(1, len(shown) + 1))


def test_every_module_is_in_a_room() -> None:
    found = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert found - {"__init__", "__main__"} == set().union(*layers())


def test_files_that_the_docs_name_are_there() -> None:
    for page in PAGES:
        for path in re.findall(r"`([\w./]+\.(?:py|toml|txt|jinja|css|ipynb|yml))`", page.read_text(encoding="utf-8")):
            places = (ROOT / path, PACKAGE / path, ROOT / "notebooks" / path)
            made_by_users = path in ("cloudxai.toml",)
            assert made_by_users or any(place.is_file() for place in places), f"{named(page)} names {path}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"https?:", link):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_definitions_hold_the_contracts_metrics_and_rules() -> None:
    page, contract = read("docs", "definitions.md"), load_contract()
    for row, (role, metric) in zip(table(page, "role"), contract.metrics.items(), strict=True):
        labels = [*metric.labels, *(f"[{label}]" for label in metric.optional_labels)]
        assert row[:5] == [role, metric.name, metric.kind, ", ".join(labels), metric.unit]
    rules = table(page, "rule")
    assert [row[:4] for row in rules] == [
        [name, rule.topic, rule.severity, "yes" if rule.paging else "no"] for name, rule in contract.alerts.items()
    ]
    seconds = [int((re.findall(r"for (\d+) s$", row[4]) or [0])[0]) for row in rules]
    assert seconds == [rule.for_seconds for rule in contract.alerts.values()]


def public_functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def test_every_measure_is_defined_and_every_defined_one_is_there() -> None:
    computed = {
        f"{path.stem}.{function.name}"
        for path in (PACKAGE / "measures").glob("*.py")
        for function in public_functions(path)
        # Two rooms hold parts that measures share, and what gives no frame is such a part, too.
        if path.stem not in ("frames", "matching")
        and function.returns is not None
        and "DataFrame" in ast.unparse(function.returns)
    }
    rooms = {path.stem for path in (PACKAGE / "measures").glob("[!_]*.py")}
    names = re.findall(r"`(\w+)\.(\w+)`", read("docs", "definitions.md"))
    defined = {f"{room}.{name}" for room, name in names if room in rooms}
    assert defined == computed


def test_definitions_use_the_reports_words() -> None:
    page = re.sub(r"\s+", " ", read("docs", "definitions.md")).lower()
    for key, entry in TERMS.items():
        for word in re.split(r",| and ", entry["term"].lower()):
            assert word.strip().removesuffix("s") in page, f"docs/definitions.md does not speak of {key}: '{word}'"


def test_every_check_has_its_row() -> None:
    assert {row[0] for row in table(read("docs", "definitions.md"), "check")} == set(judge.KEYS)


def commands(group: click.Group, words: tuple[str, ...] = ()) -> dict[tuple[str, ...], set[str]]:
    """Options by command, sub-commands included."""
    found: dict[tuple[str, ...], set[str]] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, (*words, name))
        else:
            found[*words, name] = {option for parameter in command.params for option in parameter.opts}
    return found


def said_commands(page: Path) -> list[list[str]]:
    said = re.findall(r"(?:^|`|/)cloudxai ((?:[a-z]|--)[^`\n']*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [line.split() for line in said]


def test_every_command_has_its_page() -> None:
    how = [ROOT / "README.md", *ROOT.glob("docs/howto/*.md")]
    said = {tuple(words[:length]) for page in how for words in said_commands(page) for length in (1, 2)}
    assert set(commands(main_group)) <= said


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_in_the_docs_exist_with_their_options(page: Path) -> None:
    known = commands(main_group)
    for words in said_commands(page):
        options = next((known[key] for length in (2, 1) if (key := tuple(words[:length])) in known), None)
        assert options is not None or words[0] in main_group.commands or words[0][:2] == "--", " ".join(words)
        for word in words:
            option = word.partition("=")[0]
            assert not word.startswith("--") or option in (options or set()) | {"--help", "--version"}, " ".join(words)


def test_ledger_entries_in_the_docs_are_accepted(tmp_path: Path) -> None:
    texts = re.findall(r"'(\{.*?\})'", read("docs", "howto", "add-an-incident-to-the-ledger.md"), re.DOTALL)
    ledger = Ledger(tmp_path / "incidents.jsonl")
    for text in texts:
        ledger.append(json.loads(text))
    assert [entry.model_dump()["kind"] for entry in ledger.entries()] == ["incident", "label", "complete"]


def test_each_fault_names_tests_that_exist() -> None:
    places = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py")}
    page = read("docs", "tested-faults.md")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    rows = [line for line in rows if not line.startswith("| ---")]
    for row in rows:
        named_tests = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named_tests, f"no test does this: {row}"
        for file, name in named_tests:
            assert f"def {name}(" in places.get(file, ""), f"{file} has no {name}"
    assert len(rows) > 50


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
    members = dict(inspect.getmembers(errors, inspect.isclass))
    assert {name: error.exit_code for name, error in members.items()} == CODES
    assert all(issubclass(error, errors.CloudxaiError) for error in members.values())
    page = read("docs", "faults.md")
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)
    assert sorted(int(row[0]) for row in rows) == [0, *sorted(set(CODES.values())), 130]
    assert all(meaning.strip() and action.strip() for _, meaning, action in rows)
    for name, code in list(CODES.items())[1:]:
        section = re.search(rf"^## {code} [^\n]*\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, f"docs/faults.md has no section for exit code {code}"
        assert f"`{name}`" in section[0], f"docs/faults.md does not name {name} under exit code {code}"
