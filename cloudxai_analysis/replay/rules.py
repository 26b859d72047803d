"""Alerting rules to replay as they come in files, and the two sides of their expressions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.corpus import read_corpus
from cloudxai_analysis.lint.expressions import BY_ALL, TURNED, Term, readable
from cloudxai_analysis.lint.tools import rule_form
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.rules import AlertingRule

_DURATIONS = ("for_seconds", "keep_firing_for_seconds", "interval_seconds")
_KEPT = ("name", "expr", "labels", "annotations", "group", "file", *_DURATIONS)


def rules_in(paths: Sequence[Path]) -> tuple[list[AlertingRule], list[Finding]]:
    """The alerting rules in files and folders, and what is wrong with those; raises what `read_corpus` does."""
    if not paths:
        return [], []
    corpus = read_corpus(paths, contract=load_contract())
    rules = [
        AlertingRule(**{name: getattr(rule, name) for name in _KEPT})
        for rule in corpus.rules
        if rule.kind == "alert" and rule.name and rule.expr.strip()
    ]
    return rules, corpus.findings + rule_form(corpus.groups)


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
    root = readable(expression)
    if root is None or not root.compares or root.matching != BY_ALL:
        return None
    (left, right), comparison = root.parts, root.name
    if _number(right) is None:
        left, right, comparison = right, left, TURNED[comparison]
    threshold, written = _number(right), str(left.source.prettify())
    if threshold is None or _number(left) is not None or readable(written) != left:
        return None
    return Split(written, comparison, threshold)


def _number(term: Term) -> float | None:
    if term.form == "negation":
        inside = _number(term.parts[0])
        return None if inside is None else -inside
    return term.number if term.form == "number" else None
