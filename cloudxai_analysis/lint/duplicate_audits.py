"""Rules of one file that write the same series or fire the same alerts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudxai_analysis.lint.expressions import Term, Unparsed, parse
from cloudxai_analysis.lint.rules import Rule

Fault = tuple[str, int, str]  # code, line, message


def duplicate_faults(rules: Iterable[Rule]) -> Iterator[tuple[Rule, Fault]]:
    """Each rule of one file that does what an earlier one does, with that one's line."""
    alike: dict[tuple[str, str, frozenset[tuple[str, str]]], list[Rule]] = {}
    for rule in rules:
        if rule.name and "{{" not in rule.name:
            alike.setdefault((rule.kind, rule.name, frozenset(rule.labels.items())), []).append(rule)
    for same in alike.values():
        if len(same) < 2:
            continue
        expressions: dict[Term, Rule] = {}
        bases: dict[Term, Rule] = {}
        for rule in same:
            root = _root(rule)
            if root is None:
                continue
            base = _base(root)
            if root in expressions:
                earlier = expressions[root].line
                message = f"The rule on line {earlier} has the same name, labels and expression."
                yield rule, ("rules/duplicate", rule.line, message)
            elif rule.kind == "alert" and base in bases:
                message = f"The rule on line {bases[base].line} has the same name and labels and compares the same."
                yield rule, ("rules/same-alert", rule.line, message)
            expressions.setdefault(root, rule)
            bases.setdefault(base, rule)


def _root(rule: Rule) -> Term | None:
    try:
        return parse(rule.expr).root
    except Unparsed:
        return None


def _base(root: Term) -> Term:
    """What is compared with numbers."""
    while root.compares and "number" in (root.parts[0].form, root.parts[1].form):
        root = root.parts[0] if root.parts[1].form == "number" else root.parts[1]
    return root
