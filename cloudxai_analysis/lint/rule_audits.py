"""Faults of alerting and recording rules: of their expressions, times and texts, and of one beside another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Protocol

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.absent_audits import absent_faults
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.duplicate_audits import duplicate_faults
from cloudxai_analysis.lint.expression_audits import DEFAULT_SCRAPE_SECONDS, Auditor, Place
from cloudxai_analysis.lint.expressions import Expression
from cloudxai_analysis.lint.knowledge import Files, auditor_of
from cloudxai_analysis.lint.label_sets import ANYTHING, Labels
from cloudxai_analysis.lint.rule_conditions import condition_faults, short_for
from cloudxai_analysis.lint.rule_texts import missing_texts, template_faults
from cloudxai_analysis.lint.rules import Rule

Fault = tuple[str, int, str]  # code, line, message


class RuleFiles(Files, Protocol):
    """Files read together; `findings` are what is wrong with the files themselves."""

    @property
    def findings(self) -> Sequence[Finding]:
        """What was found while the files were read."""

    @property
    def scrape_seconds(self) -> float:
        """How often targets are scraped."""


def rule_findings(corpus: RuleFiles) -> list[Finding]:
    """Every fault of the corpus' rules, beside those of their form, which reading them has found.

    A `for` counts as short below two intervals of the group's evaluation, or of the scrapes where `scrape_seconds` is
    not the default; none, or 0, is a decision of its own.
    """
    auditor = auditor_of(corpus)
    unread = _Unread(corpus.findings)
    findings: list[Finding] = []
    for _, of_file in groupby(corpus.rules, key=attrgetter("file")):
        read = _Read(list(of_file), auditor, corpus)
        findings += read.findings
        whole = [(rule, labels) for rule, labels in read.alerts if not unread.touches(rule)]
        found = [*missing_texts(whole), *duplicate_faults(read.rules)]
        findings += [_of(rule, fault) for rule, fault in found]
    findings += [_of(rule, fault) for rule, fault in absent_faults(corpus.rules, auditor.metrics)]
    return list(dict.fromkeys(findings))


class _Unread:
    """Where something of the files was not read, so that nothing can be said to be missing."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._templated: set[str] = set()
        self._lines: dict[str, set[int]] = {}
        for finding in findings:
            if finding.code == "files/templated":
                self._templated.add(finding.file)
            elif finding.code.startswith("files/"):
                self._lines.setdefault(finding.file, set()).add(finding.line)

    def touches(self, rule: Rule) -> bool:
        """Whether a part of the rule may not have been read."""
        if rule.file in self._templated:
            return True
        lines = self._lines.get(rule.file)
        if not lines:
            return False
        of_rule = [node.line for node in rule.node.walk()]
        return any(min(of_rule) <= line <= max(of_rule) for line in lines)


class _Read:
    """The rules of one file, with what is wrong with each by itself, and the alerts with the labels of their series."""

    def __init__(self, rules: list[Rule], auditor: Auditor, corpus: RuleFiles) -> None:
        self.rules = rules
        self.alerts: list[tuple[Rule, Labels]] = []
        self.findings: list[Finding] = []
        usual = float(corpus.contract.evaluation_interval_seconds)
        # What is not known, but assumed, is not held against a group that is evaluated more often.
        scrape = corpus.scrape_seconds if corpus.scrape_seconds != DEFAULT_SCRAPE_SECONDS else 0.0
        for rule in rules:
            interval = rule.interval_seconds or usual
            faults: list[Fault] = []
            expression = self._expression(rule, auditor, interval)
            if rule.kind == "alert":
                faults += short_for(rule, evaluation_seconds=interval, scrape_seconds=scrape)
                faults += self._alert(rule, expression, auditor)
            self.findings += [_of(rule, fault) for fault in faults]

    def _expression(self, rule: Rule, auditor: Auditor, interval: float) -> Expression | None:
        if not rule.expr.strip():
            return None
        place = Place(rule.file, rule.expr_line, rule.name, rule.kind)
        expression, faults = auditor.findings(rule.expr, place, evaluation_seconds=interval)
        self.findings += faults
        return expression

    def _alert(self, rule: Rule, expression: Expression | None, auditor: Auditor) -> list[Fault]:
        faults: list[Fault] = []
        labels = None
        if expression is not None:
            root, metrics = expression.root, auditor.metrics
            labels = auditor.inference.of(root).labels
            faults += condition_faults(rule, root, auditor.inference)
            for name in sorted(expression.metrics) if not metrics.recorded and metrics.names is None else ():
                if ":" in name and metrics.promised(name) is None:
                    message = f"None of the files records {name}."
                    faults.append(("rules/nobody-records", rule.expr_line, message))
        reads_alerts = expression is None or any(name.startswith("ALERTS") for name in expression.metrics)
        faults += template_faults(rule, labels, reads_alerts=reads_alerts)
        self.alerts.append((rule, labels or ANYTHING))
        return faults


def _of(rule: Rule, fault: Fault) -> Finding:
    code, line, message = fault
    return found(code, file=rule.file, line=line, subject=rule.name, message=message)
