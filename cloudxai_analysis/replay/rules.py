"""Alerting rules to replay: as they come in files, their left sides, and the Workbook's burn rates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.documents import Node, documents_in, read_tree
from cloudxai_analysis.lint.expressions import TURNED, Term, Unparsed, parse
from cloudxai_analysis.lint.rules import duration_text, group_lists, load_rules
from cloudxai_analysis.lint.tools import rule_form
from cloudxai_analysis.measures.readiness import PAIRS
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.sources.rules import AlertingRule

_ENDINGS = frozenset({".yml", ".yaml", ".json", ".rules"})
_PAGED = 6.0  # the slowest burn rate that wakes someone (the Workbook's table 5-8)
_BURN = "ReadinessErrorBudgetBurn"


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
    return rules, findings + rule_form(groups)


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
        return f"({self.left}) {self.comparison} {number_text(threshold)}"


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


def metrics_in(expression: str) -> frozenset[str] | None:
    """The names of the series that an expression looks at; None where it does not say them all."""
    try:
        parsed = parse(expression)
    except Unparsed:
        return None
    return parsed.metrics if all(selector.name for selector in parsed.selectors) else None


def number_text(number: float) -> str:
    """A number as PromQL and YAML write it, with every digit that it has."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _number(term: Term) -> float | None:
    if term.form == "negation":
        inside = _number(term.parts[0])
        return None if inside is None else -inside
    return term.number if term.form == "number" else None


def burn_rules(contract: Contract, *, slo: float) -> tuple[AlertingRule, AlertingRule]:
    """The burn-rate rule that wakes someone and the one that opens a ticket, for the share of time not ready.

    Source: Google, The Site Reliability Workbook, chapter 5, 'Multiwindow, Multi-Burn-Rate Alerts'.
    """
    quick = [pair for pair in PAIRS if pair[0] >= _PAGED]
    slow = [pair for pair in PAIRS if pair[0] < _PAGED]
    return _burn(_BURN, quick, contract, slo, "page"), _burn(f"{_BURN}Slow", slow, contract, slo, "ticket")


def readiness_rule(rules: list[AlertingRule], contract: Contract) -> AlertingRule | None:
    """The rule that alerts on the global readiness alone and wakes someone, beside which the burn rule stands."""
    about = [rule for rule in rules if metrics_in(rule.expr) == {contract["readiness"].name}]
    paging = [rule for rule in about if rule.name in contract.alerts and contract.alerts[rule.name].paging]
    return next(iter(paging or about), None)


def _burn(
    name: str, pairs: list[tuple[float, pd.Timedelta, pd.Timedelta]], contract: Contract, slo: float, severity: str
) -> AlertingRule:
    seconds = contract.evaluation_interval_seconds
    budget = number_text(float(f"{1 - slo:.12g}"))  # 0.001 and not the double beside it

    def burns(over: pd.Timedelta, rate: float) -> str:
        span = f"[{duration_text(over.total_seconds())}:{duration_text(seconds)}]"
        least = f"min by (job) ({contract['readiness'].name}){span}"
        return f"1 - avg_over_time({least}) > {number_text(rate)} * {budget}"

    either = [f"  ({burns(long, rate)})\nand\n  ({burns(short, rate)})" for rate, long, short in pairs]
    return AlertingRule(
        name=name,
        expr="\nor\n".join(either),
        labels={"severity": severity},
        annotations={"summary": "{{ $labels.job }} burns its readiness error budget too fast"},
        group="readiness-error-budget",
        interval_seconds=float(seconds),
    )
