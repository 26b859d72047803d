"""All files of an audit read together: what one of them says is held against the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.dashboards import Dashboard, load_dashboards
from cloudxai_analysis.lint.documents import documents_in, is_others, is_ours, not_audited
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.reading import read_tree
from cloudxai_analysis.lint.routes import Routing, load_routing
from cloudxai_analysis.lint.rules import Rule, bare_rules, group_lists, is_rule, language_of, load_rules
from cloudxai_analysis.platform.contract import Contract

SUFFIXES = frozenset({".yml", ".yaml", ".json", ".rules"})
MOST_FILES = 20_000
_HERE = Path()
# What a file of ours surely says, whatever it is: all the words of one of these.
_WORDS = (
    (b"expr",),
    (b"receiver", b"route"),
    (b"receivers", b"_configs"),
    (b"Secret", b"alertmanager"),
    (b'"panels"',),
    (b'"elements"', b'"layout"'),
    (b"contactPoints",),
    (b"matchers", b"startsAt"),
)
_NOT_LOOKED_INTO = frozenset({"node_modules", "__pycache__", "vendor"})
Loaded = tuple[str, float, Mapping[str, str]]  # an alert's name, its `for` in seconds, its labels


@dataclass
class Corpus:
    """The rules, routings and dashboards of some files, and what is wrong with the files themselves.

    `files` are those that were read, `groups` the groups of rules as they stand in them; `templated` are those that a
    template makes, of which nothing is missing, `other_languages` what is said of those whose rules are no PromQL.
    `known_metrics` are the names of a server's series, None where none was asked, `metric_types` its metadata,
    `loaded_alerts` its alerting rules; `scrape_seconds` is None where nobody says how often targets are scraped.
    """

    contract: Contract
    known_metrics: frozenset[str] | None = None
    metric_types: Mapping[str, str] = field(default_factory=dict)
    loaded_alerts: Sequence[Loaded] | None = None
    scrape_seconds: float | None = None
    rules: list[Rule] = field(default_factory=list)
    groups: list[tuple[str, Node]] = field(default_factory=list)
    routings: list[Routing] = field(default_factory=list)
    dashboards: list[Dashboard] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    templated: set[str] = field(default_factory=set)
    other_languages: dict[str, str] = field(default_factory=dict)

    def add(self, tree: Node, file: str) -> bool:
        """Take in one document; whether it holds anything that these audits know."""
        if is_others(tree):
            return True
        known = False
        for document, faults in documents_in(tree, file):
            known = self._take(document, file) or bool(faults) or known
            self.note(faults)
        return known

    def _take(self, tree: Node, file: str) -> bool:
        if told := not_audited(tree):
            self.findings.append(_of("files/not-audited", file, tree.line, f"{told}; this was not audited."))
            return True
        rules = load_rules(tree, file)
        if any(language_of(one.expr) == "LogQL" for one in rules):
            self.other_languages[file] = f"Its {len(rules)} rules are LogQL, for Loki, and were not audited."
            return True
        alone = isinstance(tree.value, list) or list(dict(tree.pairs())) == ["rules"]
        if alone and any(map(is_rule, bare_rules(tree))):
            self.findings.append(_of("rules/no-group", file, tree.line, "Rules stand outside of a group."))
        self.rules += rules
        self.groups += [(file, Node({"groups": groups}, groups.line)) for groups in group_lists(tree)]
        routing, dashboards = load_routing(tree, file), load_dashboards(tree, file)
        self.routings += [routing] if routing is not None else []
        self.dashboards += dashboards
        return bool(rules or routing or dashboards or is_ours(tree))

    def note(self, faults: Iterable[Finding]) -> None:
        """Keep what is wrong with a file, and that a template makes it."""
        for fault in faults:
            self.findings.append(fault)
            if fault.code == "files/templated":
                self.templated.add(fault.file)


def read_corpus(
    paths: Sequence[Path],
    *,
    contract: Contract,
    root: Path = _HERE,
    known_metrics: Iterable[str] | None = None,
    metric_types: Mapping[str, str] | None = None,
    loaded_alerts: Sequence[Loaded] | None = None,
    scrape_seconds: float | None = None,
) -> Corpus:
    """What the files at `paths` hold; of a folder every file below it that ends in .yml, .yaml, .json or .rules.

    Files of a folder that hold nothing to audit are passed over, with what is wrong with them; a file that was named
    itself is a finding then. Relative paths begin at `root`, and findings name files from there.

    Raises
    ------
    UsageError
        A path does not exist, or there is no file to audit, or there are more than 20,000.
    """
    names = None if known_metrics is None else frozenset(known_metrics)
    corpus = Corpus(contract, names, dict(metric_types or {}), loaded_alerts, scrape_seconds)
    for path, named in _files([root / path for path in paths]):
        if not named and not _seems_ours(path):
            continue
        file = (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        documents, faults = read_tree(path, name=file)
        ours = [corpus.add(document, file) for document in documents]
        if named or any(ours) or (faults and not documents):
            corpus.files.append(file)
            corpus.note(faults)
        if named and documents and not any(ours):
            message = "It holds no rules, no routing and no dashboard."
            corpus.findings.append(_of("files/nothing-to-audit", file, 1, message))
    if not corpus.files:
        said = ", ".join(str(path) for path in paths)
        raise UsageError(
            f"Nothing to audit in {said}: no file ending in {', '.join(sorted(SUFFIXES))} holds rules, routing or a "
            "dashboard. Name the files, or another folder."
        )
    return corpus


def _files(paths: Sequence[Path]) -> list[tuple[Path, bool]]:
    """Each file once, and whether it was named itself."""
    found_: dict[Path, bool] = {}
    for path in paths:
        if path.is_dir():
            for file in _inside(path):
                found_.setdefault(file, False)
                if len(found_) > MOST_FILES:
                    raise UsageError(f"Folder {path} holds more than {MOST_FILES:,} files. Name a smaller one.")
        elif path.exists() or path.is_symlink():
            found_[path] = True
        else:
            raise UsageError(f"No file or folder '{path}'. Check the path.")
    return list(found_.items())


def _inside(folder: Path) -> Iterator[Path]:
    """Files below a folder in a stable order; hidden ones and those of package managers are not looked at."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _NOT_LOOKED_INTO:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _inside(path)
        elif path.suffix.lower() in SUFFIXES and not path.is_dir():
            yield path


def _seems_ours(path: Path) -> bool:
    """Whether a file says by its own words that it may be meant for us; what cannot be read may be."""
    try:
        text = path.read_bytes()
    except OSError:
        return True
    return any(all(word in text for word in words) for words in _WORDS)


def _of(code: str, file: str, line: int, message: str) -> Finding:
    return found(code, file=file, line=line, subject="", message=message)
