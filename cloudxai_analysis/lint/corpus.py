"""All files of an audit read together: what one of them says is held against the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint import Finding, found
from cloudxai_analysis.lint.dashboards import Dashboard, load_dashboard
from cloudxai_analysis.lint.documents import Node, documents_in, read_tree
from cloudxai_analysis.lint.routing import Routing, load_routing
from cloudxai_analysis.lint.rules import Rule, group_lists, language_of, load_rules
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.words.phrases import count

SUFFIXES = frozenset({".yml", ".yaml", ".json", ".rules"})
MOST_FILES = 20_000
_HERE = Path()
# What a file of ours surely says, whatever it is: all the words of one of these.
_WORDS = tuple(
    tuple(re.compile(word) for word in words.split())
    for words in (
        *(rb"\bexpr\b", rb'"panels"', rb"contactPoints", rb"\breceiver\b \broute\b", rb"\breceivers\b _configs\b"),
        *(rb"Secret alertmanager", rb'"elements" "layout"', rb'"cells" "nbformat"'),
    )
)
_OF_HELM = re.compile(r"\{\{-?\s*(?:\.(?:Values|Release|Chart)\b|include\s|tpl\s)")
_NOT_LOOKED_INTO = frozenset({"node_modules", "__pycache__", "vendor"})


@dataclass
class Corpus:
    """The rules, routings and dashboards of some files, and what is wrong with the files themselves.

    `files` are those that were read, `groups` the groups of rules as they stand in them;
    `templated` are those that a template makes, of which nothing is missing. `known_metrics` are
    the names of a server's series, None where none was asked, `metric_types` its metadata,
    `loaded_alerts` its alerting rules as `sources` reads them; `scrape_seconds` is None where
    nobody says how often targets are scraped.
    """

    contract: Contract
    known_metrics: Collection[str] | None = None
    metric_types: Mapping[str, str] = field(default_factory=dict)
    loaded_alerts: Sequence[Any] | None = None
    scrape_seconds: float | None = None
    rules: list[Rule] = field(default_factory=list)
    groups: list[tuple[str, Node]] = field(default_factory=list)
    routings: list[Routing] = field(default_factory=list)
    dashboards: list[Dashboard] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    templated: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return (
            f"{count(len(self.rules), 'rule')}, {count(len(self.routings), 'routing', 'routings')} and "
            f"{count(len(self.dashboards), 'dashboard')} in {count(len(self.files), 'file')}"
        )

    def add(self, tree: Node, file: str) -> bool:
        """Take in one document; whether it holds anything that these audits know."""
        if is_others(tree):
            return True
        known = False
        for document, faults in documents_in(tree, file):
            self.note(*faults)
            known |= self._take(document, file) or bool(faults)
        return known

    def _take(self, tree: Node, file: str) -> bool:
        rules, told = load_rules(tree, file), not_audited(tree)
        if told:
            self.note(found("files/not-audited", f"{told}; this was not audited.", file, tree.line))
        elif any(language_of(one.expr) == "LogQL" for one in rules):
            said = f"Its {len(rules)} rules are LogQL, for Loki; not audited."
            self.note(found("files/other-language", said, file, 1))
        else:
            routing, dashboard = load_routing(tree, file), load_dashboard(tree, file)
            self.rules += rules
            self.groups += [(file, Node({"groups": one}, one.line)) for one in group_lists(tree)]
            self.routings += [routing] if routing is not None else []
            self.dashboards += [dashboard] if dashboard is not None else []
            self.templated |= {file for one in rules if one.templated}
            for filled in routing.tree.walk() if routing else ():
                if _OF_HELM.search(filled.text()):
                    self.note(found("files/templated", "Helm fills a value of it.", file, filled.line))
            return bool(rules or routing or dashboard)
        return True

    def note(self, *faults: Finding) -> None:
        """Keep what is wrong with a file, and that a template makes it."""
        self.findings += faults
        self.templated |= {fault.file for fault in faults if fault.code == "files/templated"}

    def read(self, path: Path, file: str, *, named: bool) -> None:
        """Take in one file; one that holds nothing to audit is passed over unless it was `named` itself."""
        documents, faults = read_tree(path, name=file)
        ours = sum(self.add(document, file) for document in documents)
        if named or ours or (faults and not documents):
            self.files.append(file)
            self.note(*faults)
        if named and documents and not ours:
            said = "It holds no rules in groups, no routing and no dashboard."
            self.note(found("files/nothing-to-audit", said, file, 1))


def read_corpus(paths: Sequence[Path], *, contract: Contract, root: Path = _HERE, **known: Any) -> Corpus:
    """What the files at `paths` hold; of a folder every file below it that ends in .yml, .yaml, .json or .rules.

    Relative paths begin at `root`, and findings name files from there; `known` is what a `Corpus` knows of a server.
    Raises UsageError where there is no file to audit, and as `files_at`.
    """
    corpus = Corpus(contract, **known)
    for path, named in files_at([root / path for path in paths]).items():
        file = (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        corpus.read(path, file, named=named)
    if not corpus.files:
        said = ", ".join(str(path) for path in paths)
        raise UsageError(
            f"Nothing to audit in {said}: no file ending in {', '.join(sorted(SUFFIXES))} holds rules, routing or a "
            "dashboard. Name the files, or another folder."
        )
    return corpus


def is_others(tree: Node) -> bool:
    """Whether a document is surely no business of ours: a test of rules or charts, a collector, an API's or Sloth's."""
    tests = tree.has("tests") and any(map(tree.has, ("rule_files", "evaluation_interval", "suite", "templates")))
    collects = isinstance(tree.get("receivers").value, dict) and tree.has("exporters")
    return tests or collects or any(tree.has(key) for key in ("openapi", "swagger", "slos"))


def not_audited(tree: Node) -> str:
    """What a document is that these audits know and do not read; '' of every other one."""
    kind, version = tree.get("kind").text(), tree.get("apiVersion").text()
    if kind in ("AlertingRule", "RecordingRule") and version.startswith("loki.grafana.com"):
        return f"{kind} of Loki: its expressions are LogQL"
    if kind == "AlertmanagerConfig":
        return "A namespace's piece of a routing, as the operator puts it together"
    groups = tree.get("groups").items()
    rules = [rule for group in groups for rule in group.get("rules").items()]
    if any(rule.has("uid") and rule.has("data") for rule in rules):
        return "Alerts that Grafana manages"
    if tree.has("contactPoints") or (tree.has("policies") and version == "1"):
        return "Notification policies that Grafana manages"
    body = tree.get("spec") if version.startswith("dashboard.grafana.app/v2") else tree
    if isinstance(body.get("elements").value, dict) and body.has("layout"):
        return "A dashboard in Grafana's second schema"
    other = {group.get("type").text() for group in groups} - {"", "prometheus"}
    return f"Rules in the language of {sorted(other)[0]}" if other and rules else ""


def files_at(paths: Sequence[Path], suffixes: Collection[str] = SUFFIXES) -> dict[Path, bool]:
    """Each file once, and whether it was named itself; of a folder those that end so and may be ours.

    Raises UsageError where a path does not exist or holds too many.
    """
    files: dict[Path, bool] = {}
    for path in paths:
        if path.is_dir():
            files = dict.fromkeys(_inside(path, suffixes), False) | files
        elif path.exists() or path.is_symlink():
            files[path] = True
        else:
            raise UsageError(f"No file or folder '{path}'. Check the path.")
        if len(files) > MOST_FILES:
            raise UsageError(f"Folder {path} holds more than {MOST_FILES:,} files. Name a smaller one.")
    return files


def _inside(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Files below a folder in a stable order; hidden ones and those of package managers are not looked at."""
    for path in sorted(folder.rglob("*")):
        passed = any(part.startswith(".") or part in _NOT_LOOKED_INTO for part in path.relative_to(folder).parts)
        if path.suffix.lower() in suffixes and not passed and not path.is_dir() and _seems_ours(path):
            yield path


def _seems_ours(path: Path) -> bool:
    """Whether a file says by its own words that it may be meant for us; what cannot be read may be."""
    try:
        text = path.read_bytes()
    except OSError:
        return True
    return any(all(word.search(text) for word in words) for words in _WORDS)
