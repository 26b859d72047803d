"""Gauges of the contract on which alerts rely, where no alert tells when the platform's metrics are gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudxai_analysis.lint.expressions import Term, Unparsed, parse
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.rules import Rule

Fault = tuple[str, int, str]  # code, line, message
_ABSENT = frozenset({"absent", "absent_over_time"})


def absent_faults(rules: Iterable[Rule], metrics: Metrics) -> Iterator[tuple[Rule, Fault]]:
    """The first alert on each gauge of the contract, where no alert tells that any of its metrics is missing.

    A gauge says that something is so, a counter that something happened: it may not be there before. One process
    exports them all, so that the absence of one of them, or of its `up`, tells of the others. Recording rules are
    looked through: an alert on what one records relies on what it reads.
    """
    reader = _Reader(metrics)
    first: dict[str, Rule] = {}
    for rule in rules:
        if rule.kind != "alert":
            continue
        read, told = reader.of(rule)
        if any(metrics.promised(name) is not None for name in told):
            return
        for name in sorted(read):
            metric = metrics.promised(name)
            if metric is not None and metrics.is_own(name) and metric.scope == "target" and metric.kind == "gauge":
                first.setdefault(metric.name, rule)
    for name, rule in first.items():
        message = f"The alert relies on {name}, and no alert asks for absent({name}), or of another of its metrics."
        yield rule, ("rules/no-absent", rule.expr_line, message)


class _Reader:
    """What expressions read, and whose absence they tell."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        self._open: set[str] = set()

    def of(self, rule: Rule) -> tuple[frozenset[str], frozenset[str]]:
        try:
            root = parse(rule.expr).root
        except Unparsed:
            return frozenset(), frozenset()
        read, told = self._selected([root])
        for term in root.walk():
            missed = list(_missed(term))
            if missed:
                told |= self._selected(missed)[0]
        return read, told

    def _selected(self, terms: list[Term]) -> tuple[frozenset[str], frozenset[str]]:
        names = {inside.name for term in terms for inside in term.walk() if inside.form == "selector" and inside.name}
        read, told = frozenset(names), frozenset[str]()
        for name in names & self._metrics.recorded.keys():
            inside_read, inside_told = self._recorded(name)
            read, told = (read - {name}) | inside_read, told | inside_told
        return read, told

    def _recorded(self, name: str) -> tuple[frozenset[str], frozenset[str]]:
        if name in self._open:
            return frozenset(), frozenset()
        if name not in self._known:
            self._open.add(name)
            found = [self.of(rule) for rule in self._metrics.recorded[name]]
            self._open.discard(name)
            read, told = frozenset().union(*(one[0] for one in found)), frozenset().union(*(one[1] for one in found))
            self._known[name] = read, told
        return self._known[name]


def _missed(term: Term) -> Iterator[Term]:
    """The parts of which the term returns something when they are empty."""
    if term.form == "call" and term.name in _ABSENT:
        yield from term.parts
    elif term.form == "operation" and term.name == "unless":
        yield term.parts[1]
    elif term.form == "operation" and term.name == "or" and _is_made_up(term.parts[1]):
        yield term.parts[0]


def _is_made_up(term: Term) -> bool:
    return any(inside.form == "call" and inside.name == "vector" for inside in term.walk())
