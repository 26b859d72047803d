"""Alerting rules to replay, from files as they come."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.reading import read_tree
from cloudxai_analysis.lint.rules import load_rules
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
    for file in _files(paths):
        trees, faults = read_tree(file)
        findings += faults
        for tree in trees:
            found, wrong = load_rules(tree, str(file))
            findings += wrong
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
                for rule in found
                if rule.kind == "alert" and rule.name and rule.expr.strip()
            ]
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
