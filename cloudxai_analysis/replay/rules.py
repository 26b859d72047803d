"""Alerting rules to replay as they come in files, and the two sides of their expressions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.documents import Node, documents_in, read_tree
from cloudxai_analysis.lint.expressions import TURNED, Term, Unparsed, parse
from cloudxai_analysis.lint.rules import group_lists, load_rules
from cloudxai_analysis.lint.tools import rule_form
from cloudxai_analysis.sources.rules import AlertingRule

_ENDINGS = frozenset({".yml", ".yaml", ".json", ".rules"})
_DURATIONS = ("for_seconds", "keep_firing_for_seconds", "interval_seconds")
_KEPT = ("name", "expr", "labels", "annotations", "group", "file", *_DURATIONS)


def rules_in(paths: Iterable[Path]) -> tuple[list[AlertingRule], list[Finding]]:
    """The alerting rules in files and folders, and what is wrong with those; raises UsageError of a missing path."""
    rules: list[AlertingRule] = []
    findings: list[Finding] = []
    groups: list[tuple[str, Node]] = []
    for file in _files(paths):
        trees, faults = read_tree(file)
        findings += faults
        for document, wrong in (one for tree in trees for one in documents_in(tree, str(file))):
            findings += wrong
            groups += [(str(file), Node({"groups": found}, found.line)) for found in group_lists(document)]
            rules += [
                AlertingRule(**{name: getattr(rule, name) for name in _KEPT})
                for rule in load_rules(document, str(file))
                if rule.kind == "alert" and rule.name and rule.expr.strip()
            ]
    return rules, findings + rule_form(groups)


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"Rule file {path} does not exist. Give files or folders with rules.")
        inside = sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS and file.is_file())
        found += inside if path.is_dir() else [path]
    return found


@dataclass(frozen=True)
class Split:
    """`left comparison threshold`, as an expression that compares a vector with a number."""

    left: str
    comparison: str
    threshold: float

    @property
    def varies(self) -> bool:
        """Whether another threshold would be looser or stricter."""
        return self.comparison not in ("==", "!=") and not math.isinf(self.threshold)

    def at(self, threshold: float) -> str:
        """The expression with another threshold."""
        whole = threshold.is_integer() and abs(threshold) < 1e15
        return f"({self.left}) {self.comparison} {int(threshold) if whole else repr(threshold)}"


@lru_cache(maxsize=4096)
def split(expression: str) -> Split | None:
    """The parts of an expression whose top level compares a vector with a number, without `bool`; None of others."""
    try:
        root = parse(expression)
        if not root.compares or root.matching is not None:
            return None
        (left, right), comparison = root.parts, root.name
        if _number(right) is None:
            left, right, comparison = right, left, TURNED[comparison]
        threshold, written = _number(right), str(left.source.prettify())
        if threshold is None or _number(left) is not None or parse(written) != left:
            return None
    except Unparsed:
        return None
    return Split(written, comparison, threshold)


def _number(term: Term) -> float | None:
    if term.form == "negation":
        inside = _number(term.parts[0])
        return None if inside is None else -inside
    return term.number if term.form == "number" else None
