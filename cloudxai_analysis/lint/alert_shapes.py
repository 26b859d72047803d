"""What is sure of the labels of an alert before it fires, and where routes can then take it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cloudxai_analysis.lint.expressions import Unparsed, parse
from cloudxai_analysis.lint.facts import Inference, Labels
from cloudxai_analysis.lint.matchers import Matcher
from cloudxai_analysis.lint.metrics import NAMES, TARGET_LABELS
from cloudxai_analysis.lint.routes import Route
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.platform.contract import Contract


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
        if self.labels.may_have(label) and (label not in self.decided or label in self.named):
            return None
        # A server may put labels of its own place on every alert that it sends.
        return None if label in TARGET_LABELS - {"job", "instance"} else False

    def accepts(self, matcher: Matcher) -> bool | None:
        """Whether the matcher matches these alerts; None where some of them, perhaps."""
        if matcher.name in self.exact:
            return matcher.accepts(self.exact[matcher.name])
        has, empty = self.has(matcher.name), matcher.accepts("")
        if has is False:
            return empty
        # Such a matcher only tells a label that is there from one that is not.
        asks_presence = (matcher.operator in ("=", "!=") and not matcher.value) or matcher.value == ".+"
        return not empty if has and asks_presence and empty is not None else None

    def all_accepted(self, matchers: Iterable[Matcher]) -> bool | None:
        """Whether all of the matchers match these alerts; None where some of them, perhaps."""
        found = [self.accepts(matcher) for matcher in matchers]
        return False if False in found else None if None in found else True


def shapes(rules: Iterable[Rule], inference: Inference) -> list[Shape]:
    """The shape of each alerting rule that has a name."""
    alerts = [rule for rule in rules if rule.kind == "alert" and rule.name and "{{" not in rule.name]
    decided = frozenset(label for rule in alerts for label in rule.labels)
    return [_shape(rule, inference, decided) for rule in alerts]


def _shape(rule: Rule, inference: Inference, decided: frozenset[str]) -> Shape:
    named: frozenset[str] = frozenset()
    try:
        root = parse(rule.expr)
        labels = inference.of(root).labels
        for term in root.walk():
            named |= term.labels | {matcher.name for matcher in term.matchers}
            named |= term.matching.include | term.matching.labels if term.matching else frozenset()
            named |= {part.text for part in term.parts if part.form == "string"}
    except Unparsed:
        labels, named = Labels(), decided
    exact = {name: value for name, value in rule.labels.items() if "{{" not in value} | {"alertname": rule.name}
    return Shape(rule, exact, frozenset(rule.labels) - frozenset(exact), labels, decided, named)


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
    return frozenset(NAMES["paging"]) | {one.severity.lower() for one in contract.alerts.values() if one.paging}


def usual_severities(contract: Contract) -> frozenset[str]:
    """The severities that are spelt right for sure: the contract's, and those that are in use everywhere."""
    return frozenset(NAMES["paging"]) | frozenset(NAMES["usual"]) | {one.severity for one in contract.alerts.values()}
