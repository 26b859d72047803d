"""Alerting rules to replay, from files as they come."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.reading import documents_in, read_tree
from cloudxai_analysis.lint.rules import group_lists, load_rules
from cloudxai_analysis.lint.tools import rule_form
from cloudxai_analysis.sources.rules import AlertingRule

_ENDINGS = frozenset({".yml", ".yaml", ".json", ".rules"})


def rules_in(paths: Iterable[Path]) -> tuple[list[AlertingRule], list[Finding]]:
    """The alerting rules in files and folders, in their order, and what is wrong with the files.

    Raises
    ------
    UsageError
        A path does not exist.
    """
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
                AlertingRule(
                    name=rule.name,
                    expr=rule.expr,
                    for_seconds=rule.for_seconds,
                    keep_firing_for_seconds=rule.keep_firing_for_seconds or 0.0,
                    labels=rule.labels,
                    annotations=rule.annotations,
                    group=rule.group,
                    interval_seconds=rule.interval_seconds,
                    file=rule.file,
                )
                for rule in load_rules(document, str(file))
                if rule.kind == "alert" and rule.name and rule.expr.strip()
            ]
    findings += rule_form(groups)
    return rules, findings


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS and file.is_file())
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"Rule file {path} does not exist. Give files or folders with rules.")
    return found
