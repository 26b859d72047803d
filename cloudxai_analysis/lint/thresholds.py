"""Conditions that are true or false whatever is measured, and quotients that become NaN or infinite."""

from __future__ import annotations

from collections.abc import Iterator

from cloudxai_analysis.lint.auditor import Asked
from cloudxai_analysis.lint.codes import rule
from cloudxai_analysis.lint.expressions import COMPARISONS, RATES, TURNED, Term
from cloudxai_analysis.lint.facts import Interval

_OPPOSITE = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}
# That such a part has a value at all is what it says; the comparison with it is a habit.
_PRESENCE = frozenset(
    {"count", "group", "count_values", "absent", "absent_over_time", "present_over_time", "count_over_time"}
)
_ANY = frozenset({(">", 0.0), ("!=", 0.0), (">=", 1.0), ("==", 1.0)})
_FILTERS_OF_NAN = frozenset({(">=", 0.0), ("<=", 1.0), ("<=", 100.0)})
_MAY_BE_NAN = frozenset({"/", "%", "histogram_quantile", "quantile", "avg"})


@rule("promql/never-true", of="operation")
def _never_true(term: Term, asked: Asked) -> Iterator[str]:
    left, right = term.parts
    if term.name in ("!=", ">", "<", "unless") and left == right and left.form != "number" and term.matching is None:
        yield f"{left} is compared with itself." if term.name != "unless" else f"{left} unless itself is never true."
    elif term.name in COMPARISONS:
        side, sign, bound = _against_number(term, asked)
        values = asked.facts(side).values
        if bound is not None and values.never(sign, bound):
            yield f"{term}: {side} is {values}, so this is never true."
    elif term.name == "and" and term.matching is None:
        one, other = (_compared(part, asked) for part in term.parts)
        for base in one.keys() & other.keys():
            if max(one[base].low, other[base].low) > min(one[base].high, other[base].high):
                yield f"{base} is to be {one[base]} and {other[base]} at once: {term}."


@rule("promql/always-true", of="operation")
def _always_true(term: Term, asked: Asked) -> Iterator[str]:
    left, right = term.parts
    if term.name in ("==", ">=", "<=") and left == right and left.form not in ("number", "string"):
        yield f"{left} is compared with itself."
    elif asked.use == "alert" and term.name in COMPARISONS:
        side, sign, bound = _against_number(term, asked)
        facts = asked.facts(side)
        if bound is None or facts.filtered or not side.selectors or not facts.values.never(_OPPOSITE[sign], bound):
            return
        drops_nan = (sign, bound) in _FILTERS_OF_NAN and any(one.name in _MAY_BE_NAN for one in side.walk())
        if not drops_nan and not ((sign, bound) in _ANY and _is_presence(side)):
            yield f"{term}: {side} is {facts.values}, so this is always true."


def _against_number(term: Term, asked: Asked) -> tuple[Term, str, float | None]:
    """What is compared with a number, the sign as seen from it, and the number, None of none."""
    left, right = term.parts
    if asked.facts(right).values.point is None or (left.form == "number" and right.form != "number"):
        return right, TURNED[term.name], asked.facts(left).values.point
    return left, term.name, asked.facts(right).values.point


def _is_presence(term: Term) -> bool:
    if term.form == "aggregation" and term.name in ("sum", "min", "max", "avg"):
        return _is_presence(term.parts[0])
    return term.name in _PRESENCE


def _compared(term: Term, asked: Asked) -> dict[Term, Interval]:
    """What a side compares with numbers, by what is compared, with the values that it leaves."""
    if term.form == "operation" and term.name == "and" and term.matching is None:
        return _compared(term.parts[0], asked) | _compared(term.parts[1], asked)
    base = term
    while base.compares and "number" in (base.parts[0].form, base.parts[1].form):
        base = base.parts[0] if base.parts[1].form == "number" else base.parts[1]
    values = asked.facts(term).values
    return {base: values} if base is not term and values.low <= values.high else {}


@rule("promql/nan", of="aggregation")
def _sum_of_quotients(term: Term, asked: Asked) -> Iterator[str]:
    """A sum or mean of quotients: one idle divisor makes all of it NaN."""
    inside = term.parts[0]
    if term.name in ("sum", "avg") and asked.use == "alert" and _idle_divisor(inside, asked):
        yield f"{term.name}() of {inside}: where one divisor is 0, the whole {term.name} is NaN."


@rule("promql/infinite", of="operation")
def _fires_without_traffic(term: Term, asked: Asked) -> Iterator[str]:
    """An alert on a quotient over a bound: what is divided by 0 is infinite, and over every bound."""
    (quotient, outer), bound = _unscaled(term.parts[0]), asked.facts(term.parts[1]).values.point
    if asked.use != "alert" or term.name not in (">", ">=") or term.as_bool or bound is None:
        return
    if _idle_divisor(quotient, asked):
        (part, inner), whole = _unscaled(quotient.parts[0]), quotient.parts[1]
        beside = [one for one in asked.root.walk() if one.form == "operation" and one.name in ("and", "unless")]
        others = [side for one in beside for side in one.parts if term not in side.walk()]
        guarded = any(whole.metrics & other.metrics for other in others)
        # Under a bound of 1 it is a part of a whole: nothing of nothing is NaN, which is over no bound.
        if bound >= outer * inner and _counts(part) and not part.metrics & whole.metrics and not guarded:
            yield f"{quotient}: with nothing to divide by, it is +Inf, and over every bound."


def _idle_divisor(term: Term, asked: Asked) -> bool:
    """Whether it divides by the rate of a counter, which is 0 while nothing happens, and is not left out then."""
    divides = term.form == "operation" and term.name == "/" and _counts(term.parts[1])
    return divides and not asked.facts(term.parts[1]).filtered


def _counts(term: Term) -> bool:
    while term.form == "aggregation" and term.name == "sum":
        term = term.parts[0]
    return term.form == "call" and term.name in RATES and term.parts[0].form == "selector"


def _unscaled(term: Term) -> tuple[Term, float]:
    """A term without the numbers by which it is multiplied, and their product."""
    factor = 1.0
    while term.form == "operation" and term.name == "*" and "number" in {part.form for part in term.parts}:
        number, term = sorted(term.parts, key=lambda part: part.form != "number")
        factor *= number.number
    return term, factor
