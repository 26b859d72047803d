"""Vectors that are matched or added up by labels that one of them lacks."""

from __future__ import annotations

from collections.abc import Iterator

from cloudxai_analysis.lint.expressions import SET_OPERATORS, Term
from cloudxai_analysis.lint.facts import Facts, Inference

Fault = tuple[str, str]
_NO_MATCHER = frozenset({"__name__"})


def matching_faults(root: Term, inference: Inference) -> Iterator[Fault]:
    """Code and message of every fault of this kind in an expression."""
    for term in root.walk():
        if term.form == "aggregation" and term.grouping == "by":
            yield from _grouped(term, inference)
        elif term.form == "operation":
            left, right = (inference.of(part) for part in term.parts)
            if not left.scalar and not right.scalar:
                yield from _matched(term, left, right)
                yield from _many(term, left, right, inference)


def _grouped(term: Term, inference: Inference) -> Iterator[Fault]:
    inside = inference.of(term.parts[0])
    for label in sorted(term.labels):
        if not inside.labels.may_have(label):
            yield (
                "promql/lost-label" if inside.aggregated else "promql/unknown-label",
                f"{term.name} by ({label}), but {term.parts[0]} has no label '{label}'.",
            )


def _matched(term: Term, left: Facts, right: Facts) -> Iterator[Fault]:
    matching = term.matching
    if matching is not None and matching.on:
        for label in sorted(matching.labels):
            sides = left.labels.may_have(label), right.labels.may_have(label)
            if sides == (False, False):
                yield "promql/lost-label", f"on ({label}), but neither side of '{term.name}' has that label."
            elif False in sides:
                lacking = term.parts[0 if not sides[0] else 1]
                there = label in (left if sides[0] else right).labels.sure
                code = "promql/never-matches" if there else "promql/lost-label"
                yield code, f"on ({label}), but {lacking} has no label '{label}'."
    elif term.name != "or":
        ignored = matching.labels if matching is not None else frozenset()
        if matching is not None and matching.group:
            ignored |= matching.include
        for has, lacks, place in ((left, right, 1), (right, left, 0)):
            lost = sorted(
                label for label in has.labels.sure - ignored - _NO_MATCHER if not lacks.labels.may_have(label)
            )
            if lost:
                said = ", ".join(f"'{label}'" for label in lost)
                yield (
                    "promql/never-matches",
                    f"'{term.name}' matches all labels, but {term.parts[place]} lacks {said}, which the other has.",
                )
                break
    if matching is not None and matching.group:
        one, place = (right, 1) if matching.group == "left" else (left, 0)
        for label in sorted(matching.include):
            if not one.labels.may_have(label):
                yield (
                    "promql/lost-label",
                    f"group_{matching.group} ({label}), but {term.parts[place]} has no label '{label}'.",
                )


def _many(term: Term, left: Facts, right: Facts, inference: Inference) -> Iterator[Fault]:
    """Sides of which several series would match the same one: a query fails when it is evaluated."""
    matching = term.matching
    if matching is None or term.name in SET_OPERATORS:
        return
    if matching.on and not all(side.labels.may_have(label) for side in (left, right) for label in matching.labels):
        return
    tenant = inference.metrics.contract.tenant_label
    for facts, part, side in ((left, term.parts[0], "left"), (right, term.parts[1], "right")):
        if matching.group == side:
            continue
        spread = {tenant} & facts.labels.sure if not _pinned(part, tenant) else set()
        if not matching.group and part.form == "aggregation" and part.grouping == "by":
            spread |= {label for label in part.labels if not _pinned(part, label)}
        spread = {label for label in spread if (label in matching.labels) is not matching.on} - matching.include
        if spread and facts.labels.sure >= spread:
            said = ", ".join(f"'{label}'" for label in sorted(spread))
            yield (
                "promql/many-to-one",
                f"Series of {part} differ in {said}, by which '{term.name}' does not match, without group_{side}.",
            )


def _pinned(term: Term, label: str) -> bool:
    """Whether a matcher leaves only one value of the label."""
    return any(
        matcher.name == label and matcher.operator == "="
        for inside in term.walk()
        if inside.form == "selector"
        for matcher in inside.matchers
    )
