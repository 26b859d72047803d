"""What is sure of the labels of an alert before it fires, and where routes can then take it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cloudxai_analysis.lint.expressions import Unparsed, parse
from cloudxai_analysis.lint.facts import Inference
from cloudxai_analysis.lint.label_sets import Labels
from cloudxai_analysis.lint.matchers import Matcher
from cloudxai_analysis.lint.metrics import TARGET_LABELS
from cloudxai_analysis.lint.routes import Route
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.platform.contract import Contract

NOBODY_SAYS = Labels()
# Severities by which people everywhere mean that somebody is to be woken.
_PAGING = frozenset({"page", "pager", "paging", "critical", "crit", "emergency", "disaster", "p1", "sev1", "sev-1"})
_USUAL = frozenset({"warning", "warn", "info", "ticket", "none", "error", "major", "minor", "high", "medium", "low"})


@dataclass(frozen=True)
class Shape:
    """One alerting rule's alerts: the labels whose values the rule itself sets, and what its expression leaves open.

    `decided` are labels that rules of this corpus set themselves: an alert has one of them only by its rule, or if its
    expression names it.
    """

    rule: Rule
    exact: dict[str, str]
    templated: frozenset[str]
    labels: Labels
    decided: frozenset[str]
    named: frozenset[str]

    @property
    def severity(self) -> str:
        """The rule's severity; '' where it has none, or a template makes it."""
        return self.exact.get("severity", "")

    def has(self, label: str) -> bool | None:
        """Whether the alert has the label; None where it may."""
        if label in self.exact:
            return bool(self.exact[label])
        if label in self.templated:
            return None
        if label in self.labels.sure:
            return True
        if not self.labels.may_have(label) or (label in self.decided and label not in self.named):
            # A server may put labels of its own place on every alert that it sends.
            return None if label in TARGET_LABELS and label not in ("job", "instance") else False
        return None

    def accepts(self, matcher: Matcher) -> bool | None:
        """Whether the matcher matches these alerts; None where some of them, perhaps."""
        if matcher.name in self.exact:
            return matcher.accepts(self.exact[matcher.name])
        if self.has(matcher.name) is False:
            return matcher.accepts("")
        if self.has(matcher.name) and matcher.accepts("") is not None and _only_asks_presence(matcher):
            return not matcher.accepts("")
        return None

    def all_accepted(self, matchers: Iterable[Matcher]) -> bool | None:
        """Whether all of the matchers match these alerts; None where some of them, perhaps."""
        found: bool | None = True
        for matcher in matchers:
            accepted = self.accepts(matcher)
            if accepted is False:
                return False
            found = None if accepted is None else found
        return found


def shapes(rules: Iterable[Rule], inference: Inference) -> list[Shape]:
    """The shape of each alerting rule that has a name."""
    alerts = [rule for rule in rules if rule.kind == "alert" and rule.name and "{{" not in rule.name]
    decided = frozenset(label for rule in alerts for label in rule.labels)
    return [_shape(rule, inference, decided) for rule in alerts]


def _shape(rule: Rule, inference: Inference, decided: frozenset[str]) -> Shape:
    named: frozenset[str] = frozenset()
    try:
        root = parse(rule.expr)
        inference.forget()
        labels = inference.of(root).labels
        for term in root.walk():
            named |= term.labels | {matcher.name for matcher in term.matchers}
            named |= term.matching.include | term.matching.labels if term.matching else frozenset()
            if term.name in ("label_replace", "label_join", "count_values"):
                named |= {term.parts[1].text}
    except (Unparsed, IndexError):
        labels, named = NOBODY_SAYS, decided
    exact = {name: value for name, value in rule.labels.items() if "{{" not in value}
    exact["alertname"] = rule.name
    templated = frozenset(rule.labels) - frozenset(exact)
    return Shape(rule, exact, templated, labels, decided, named)


def ends(root: Route, shape: Shape) -> list[tuple[Route, bool]]:
    """The routes at which the rule's alerts can end, each with whether all of them surely do."""
    found: list[tuple[Route, bool]] = []
    sure = True
    for route in root.routes:
        accepted = shape.all_accepted(route.matchers)
        if accepted and route.unread:
            accepted = None
        if accepted is False:
            continue
        found += [(end, certain and sure and accepted is True) for end, certain in ends(route, shape)]
        if accepted and not route.goes_on:
            return found
        if accepted is None and not route.goes_on:
            sure = False
    if not any(certain for _, certain in found):
        found.append((root, not found))
    return found


def paging_severities(contract: Contract) -> frozenset[str]:
    """The severities that wake someone: the contract's, and those that mean it everywhere."""
    return _PAGING | {alert.severity.lower() for alert in contract.alerts.values() if alert.paging}


def usual_severities(contract: Contract) -> frozenset[str]:
    """The severities that are spelt right for sure: the contract's, and those that are in use everywhere."""
    return _PAGING | _USUAL | {alert.severity for alert in contract.alerts.values()}


def _only_asks_presence(matcher: Matcher) -> bool:
    """Whether it only tells a label that is there from one that is not: `!=""`, `=""`, `=~".+"`, `!~".+"`."""
    return (matcher.operator in ("=", "!=") and not matcher.value) or matcher.value == ".+"
