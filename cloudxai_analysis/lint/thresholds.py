"""Conditions that are true or false whatever is measured, and quotients that become NaN or infinite."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf

from cloudxai_analysis.lint.auditor import Asked
from cloudxai_analysis.lint.codes import rule
from cloudxai_analysis.lint.expressions import COMPARISONS, RATES, TURNED, Term
from cloudxai_analysis.lint.intervals import Interval

_OPPOSITE = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}
# That such a part has a value at all is what it says; the comparison with it is a habit.
_PRESENCE = frozenset({"count", "group", "count_values", "absent", "absent_over_time", "present_over_time"}) | {
    "count_over_time"
}
_ANY = frozenset({(">", 0.0), ("!=", 0.0), (">=", 1.0), ("==", 1.0)})
_FILTERS_OF_NAN = frozenset({(">=", 0.0), ("<=", 1.0), ("<=", 100.0)})


@rule("promql/never-true", of="operation")
def never_true(term: Term, asked: Asked) -> Iterator[str]:
    """A condition that no value fulfils."""
    left, right = term.parts
    if term.name in ("!=", ">", "<", "unless") and left == right and left.form != "number" and term.matching is None:
        yield f"{left} is compared with itself." if term.name != "unless" else f"{left} unless itself is never true."
    elif term.name in COMPARISONS:
        side, values, sign, bound = _against_number(term, asked)
        if bound is not None and values.bounded and not values.empty and values.where(sign, bound).empty:
            yield f"{term}: {side} is {values}, so this is never true."
    elif term.name == "and" and term.matching is None:
        for base, one, other in _pairs(term, asked):
            if one.meet(other).empty:
                yield f"{base} is to be {one} and {other} at once: {term}."


@rule("promql/always-true", of="operation")
def always_true(term: Term, asked: Asked) -> Iterator[str]:
    """A condition of an alert that every value fulfils."""
    left, right = term.parts
    if term.name in ("==", ">=", "<=") and left == right and left.form not in ("number", "string"):
        yield f"{left} is compared with itself."
    elif asked.use != "alert":
        return
    elif term.name in COMPARISONS:
        side, values, sign, bound = _against_number(term, asked)
        if bound is None or not values.bounded or not values.where(_OPPOSITE[sign], bound).empty or values.empty:
            return
        drops_nan = (sign, bound) in _FILTERS_OF_NAN and _may_be_nan(side)
        is_presence = _is_presence(side) and (sign, bound) in _ANY
        if not (asked.facts(side).filtered or is_presence or drops_nan):
            yield f"{term}: {side} is {values}, so this is always true."
    elif term.name == "or" and term.matching is None and left.compares and right.compares:
        for base, one, other in _pairs(term, asked):
            if _all(one, other, asked.facts(base).values):
                yield f"{base} is to be {one} or {other}, which it always is: {term}."


def _against_number(term: Term, asked: Asked) -> tuple[Term, Interval, str, float | None]:
    """What is compared with a number, its values, the sign as seen from it, and the number, None of none."""
    left, right = term.parts
    side, other, sign = left, right, term.name
    if asked.facts(right).values.point is None or (left.form == "number" and right.form != "number"):
        side, other, sign = right, left, TURNED[sign]
    bound = asked.facts(other).values.point
    return side, asked.facts(side).values, sign, None if bound is None or isinf(bound) else bound


def _is_presence(term: Term) -> bool:
    if term.form == "aggregation" and term.name in ("sum", "min", "max", "avg"):
        return _is_presence(term.parts[0])
    return term.name in _PRESENCE and term.form in ("aggregation", "call")


def _may_be_nan(term: Term) -> bool:
    return any(one.name in ("/", "%", "histogram_quantile", "quantile", "avg") for one in term.walk())


def _pairs(term: Term, asked: Asked) -> Iterator[tuple[Term, Interval, Interval]]:
    """What both sides compare with numbers, with the values that either leaves."""
    for base, one in _conditions(term.parts[0], asked):
        for other_base, other in _conditions(term.parts[1], asked):
            if base == other_base and not one.empty and not other.empty:
                yield base, one, other


def _conditions(term: Term, asked: Asked) -> Iterator[tuple[Term, Interval]]:
    if term.form == "operation" and term.name == "and" and term.matching is None:
        for part in term.parts:
            yield from _conditions(part, asked)
        return
    base = term
    while base.compares:
        left, right = base.parts
        if asked.facts(right).values.point is None and asked.facts(left).values.point is None:
            return
        base = left if asked.facts(right).values.point is not None else right
    if base is not term:
        yield base, asked.facts(term).values


def _all(one: Interval, other: Interval, values: Interval) -> bool:
    """Whether each of `values` lies in one of the two."""
    low, high = (one, other) if one.low <= other.low else (other, one)
    reaches = low.low <= values.low and high.high >= values.high
    gap = high.low - low.high
    meets = gap < 0 or (gap == 0 and not (high.low_open and low.high_open)) or (gap == 1 and values.whole)
    return reaches and meets


@rule("promql/nan", of="aggregation")
def sum_of_quotients(term: Term, asked: Asked) -> Iterator[str]:
    """A sum or mean of quotients: one idle divisor makes all of it NaN."""
    inside = term.parts[0]
    if term.name in ("sum", "avg") and asked.use == "alert" and _idle_divisor(inside, asked):
        yield f"{term.name}() of {inside}: where one divisor is 0, the whole {term.name} is NaN."


@rule("promql/infinite", of="operation")
def fires_without_traffic(term: Term, asked: Asked) -> Iterator[str]:
    """An alert on a quotient over a bound: what is divided by 0 is infinite, and over every bound."""
    if asked.use != "alert" or term.name not in (">", ">=") or term.as_bool:
        return
    (quotient, outer), bound = _unscaled(term.parts[0]), asked.facts(term.parts[1]).values.point
    if not _idle_divisor(quotient, asked) or bound is None:
        return
    (part, inner), whole = _unscaled(quotient.parts[0]), quotient.parts[1]
    # Under a bound of 1 it is a part of a whole: nothing of nothing is NaN, which is over no bound.
    if (
        bound >= outer * inner
        and _counts(part)
        and not part.metrics & whole.metrics
        and not _is_guarded(term, whole, asked.root)
    ):
        yield f"{quotient}: with nothing to divide by, it is +Inf, and over every bound."


def _unscaled(term: Term) -> tuple[Term, float]:
    """A term without the numbers by which it is multiplied, and their product."""
    factor = 1.0
    while term.form == "operation" and term.name == "*" and "number" in {part.form for part in term.parts}:
        number, term = sorted(term.parts, key=lambda part: part.form != "number")
        factor *= number.number
    return term, factor


def _idle_divisor(term: Term, asked: Asked) -> bool:
    """Whether it divides by the rate of a counter, which is 0 while nothing happens, and is not left out then."""
    if term.form != "operation" or term.name != "/" or not _counts(term.parts[1]):
        return False
    return not asked.facts(term.parts[1]).filtered


def _counts(term: Term) -> bool:
    while term.form == "aggregation" and term.name == "sum":
        term = term.parts[0]
    return term.form == "call" and term.name in RATES and term.parts[0].form == "selector"


def _is_guarded(term: Term, divisor: Term, root: Term) -> bool:
    """Whether a condition beside it asks for something of the divisor's metrics, or of the alert's traffic."""
    beside = [one for one in root.walk() if one.form == "operation" and one.name in ("and", "unless")]
    others = [part for one in beside for part in one.parts if term not in part.walk()]
    return any(divisor.metrics & other.metrics for other in others)
