"""Conditions that are true or false whatever is measured."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf

from cloudxai_analysis.lint.expressions import COMPARISONS, Term
from cloudxai_analysis.lint.facts import TURNED, Inference
from cloudxai_analysis.lint.intervals import Interval

Fault = tuple[str, str]
_OPPOSITE = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}
# That such a part has a value at all is what it says; the comparison with it is a habit.
_PRESENCE = frozenset({"count", "group", "count_values", "absent", "absent_over_time", "present_over_time"}) | {
    "count_over_time"
}
_ANY = frozenset({(">", 0.0), ("!=", 0.0), (">=", 1.0), ("==", 1.0)})


def threshold_faults(root: Term, inference: Inference, *, use: str) -> Iterator[Fault]:
    """Code and message of every fault of this kind in an expression that is an alert's, a record's or a panel's."""
    for term in root.walk():
        if term.form != "operation":
            continue
        if term.name in COMPARISONS:
            yield from _compared(term, inference, use)
        elif term.matching is None and term.name in ("and", "or", "unless"):
            yield from _together(term, inference, use)


def _compared(term: Term, inference: Inference, use: str) -> Iterator[Fault]:
    left, right = term.parts
    if left == right and left.form not in ("number", "string"):
        code = "promql/always-true" if term.name in ("==", ">=", "<=") else "promql/never-true"
        yield code, f"{left} is compared with itself."
        return
    one, other, sign = inference.of(left), inference.of(right), term.name
    side, bound = left, other.values.point
    if bound is None or (left.form == "number" and right.form != "number"):
        one, other, sign, side = other, one, TURNED[sign], right
        bound = other.values.point
    if bound is None or isinf(bound) or not one.values.bounded or one.values.empty:
        return
    if one.values.where(sign, bound).empty:
        yield "promql/never-true", f"{term}: {side} is {one.values}, so this is never true."
    elif use == "alert" and one.values.where(_OPPOSITE[sign], bound).empty:
        asks_presence = _is_presence(side) and (sign, bound) in _ANY
        if not one.filtered and not asks_presence:
            yield "promql/always-true", f"{term}: {side} is {one.values}, so this is always true."


def _is_presence(term: Term) -> bool:
    if term.form == "aggregation" and term.name in ("sum", "min", "max", "avg"):
        return _is_presence(term.parts[0])
    return term.name in _PRESENCE and term.form in ("aggregation", "call")


def _together(term: Term, inference: Inference, use: str) -> Iterator[Fault]:
    left, right = term.parts
    if term.name == "unless":
        if left == right:
            yield "promql/never-true", f"{left} unless itself is never true."
        return
    if term.name == "or" and not (left.compares and right.compares):
        # Of what holds only together with something else, not every value is left.
        return
    for base, of_left in _conditions(left, inference):
        for other, of_right in _conditions(right, inference):
            if base != other or of_left.empty or of_right.empty:
                continue
            if term.name == "and" and of_left.meet(of_right).empty:
                yield "promql/never-true", f"{base} is to be {of_left} and {of_right} at once: {term}."
            elif term.name == "or" and use == "alert" and _all(of_left, of_right, inference.of(base).values):
                yield "promql/always-true", f"{base} is to be {of_left} or {of_right}, which it always is: {term}."


def _conditions(term: Term, inference: Inference) -> Iterator[tuple[Term, Interval]]:
    """What is compared in the term, with the values that the comparisons leave."""
    if term.form == "operation" and term.name == "and" and term.matching is None:
        for part in term.parts:
            yield from _conditions(part, inference)
        return
    base = term
    while base.compares:
        left, right = base.parts
        if inference.of(right).values.point is not None:
            base = left
        elif inference.of(left).values.point is not None:
            base = right
        else:
            return
    if base is not term:
        yield base, inference.of(term).values


def _all(one: Interval, other: Interval, values: Interval) -> bool:
    """Whether each of `values` lies in one of the two."""
    low, high = (one, other) if one.low <= other.low else (other, one)
    reaches = low.low <= values.low and high.high >= values.high
    gap = high.low - low.high
    meets = gap < 0 or (gap == 0 and not (high.low_open and low.high_open)) or (gap == 1 and values.whole)
    return reaches and meets
