"""All files of an audit read together: what one of them says is held against the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.dashboards import Dashboard, is_dashboard, load_dashboards
from cloudxai_analysis.lint.embedded import embedded_documents
from cloudxai_analysis.lint.expression_audits import DEFAULT_SCRAPE_SECONDS
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.reading import read_tree
from cloudxai_analysis.lint.routes import Routing
from cloudxai_analysis.lint.routing import is_routing, load_routing
from cloudxai_analysis.lint.rules import Rule, holds_rules, load_rules
from cloudxai_analysis.platform.contract import Contract

SUFFIXES = frozenset({".yml", ".yaml", ".json", ".rules"})
MOST_FILES = 20_000
_HERE = Path()
_WORDS = (b"groups:", b"alert:", b"record:", b"receivers", b'"panels"', b"PrometheusRule")
_NOT_LOOKED_INTO = frozenset({"node_modules", "__pycache__", "vendor"})


@dataclass
class Corpus:
    """The rules, routings and dashboards of some files, and what is wrong with the files themselves.

    `files` are those that were read; `known_metrics` the names of a server's series, None where none was asked;
    `metric_types` its metadata.
    """

    contract: Contract
    known_metrics: frozenset[str] | None = None
    metric_types: Mapping[str, str] = field(default_factory=dict)
    scrape_seconds: float = DEFAULT_SCRAPE_SECONDS
    rules: list[Rule] = field(default_factory=list)
    routings: list[Routing] = field(default_factory=list)
    dashboards: list[Dashboard] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def add(self, tree: Node, file: str) -> bool:
        """Take in one document; whether it holds anything that is audited."""
        if _is_test(tree):
            return True
        rules, faults = load_rules(tree, file)
        routing, of_routing = load_routing(tree, file)
        dashboards, of_dashboards = load_dashboards(tree, file)
        self.rules += rules
        self.routings += [routing] if routing is not None else []
        self.dashboards += dashboards
        self.findings += faults + of_routing + of_dashboards
        embeds = next(embedded_documents(tree, file), None) is not None
        return bool(rules or faults or routing or dashboards or embeds or _is_ours(tree))


def read_corpus(
    paths: Sequence[Path],
    *,
    contract: Contract,
    root: Path = _HERE,
    known_metrics: Iterable[str] | None = None,
    metric_types: Mapping[str, str] | None = None,
    scrape_seconds: float = DEFAULT_SCRAPE_SECONDS,
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
    corpus = Corpus(contract, names, dict(metric_types or {}), scrape_seconds)
    for path, named in _files([root / path for path in paths]):
        file = (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        documents, faults = read_tree(path, name=file)
        ours = [corpus.add(document, file) for document in documents]
        if named or any(ours) or (faults and (not documents or _seems_ours(path))):
            corpus.files.append(file)
            corpus.findings += faults
        if named and documents and not any(ours):
            message = "It holds no rules, no routing and no dashboard."
            corpus.findings.append(found("files/nothing-to-audit", file=file, line=1, subject="", message=message))
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


def _is_test(tree: Node) -> bool:
    """Whether a document is a test of promtool: its alerts are examples."""
    return tree.has("tests") and (tree.has("rule_files") or tree.has("evaluation_interval"))


def _is_ours(tree: Node) -> bool:
    return holds_rules(tree) or is_routing(tree) or is_dashboard(tree)


def _seems_ours(path: Path) -> bool:
    """Whether a file of which only a part could be read says by its own words that it is meant for us."""
    try:
        text = path.read_bytes()[: 1 << 20]
    except OSError:
        return True
    return any(word in text for word in _WORDS)
