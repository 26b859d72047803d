"""Counters taken for gauges and gauges for counters, and quantiles of what is no histogram."""

from __future__ import annotations

from collections.abc import Iterator

from cloudxai_analysis.lint.expressions import COMPARISONS, DIFFERENCES, RATES, Term
from cloudxai_analysis.lint.facts import TURNED, Facts, Inference

Fault = tuple[str, str]
_MEANS = frozenset(
    {"avg_over_time", "sum_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time", "mad_over_time"}
)


def counter_faults(root: Term, inference: Inference, *, use: str) -> Iterator[Fault]:
    """Code and message of every fault of this kind in an expression that is an alert's, a record's or a panel's."""
    guards = {id(guard) for term in root.walk() for guard in _guards(term)}
    for term in root.walk():
        if term.form == "operation" and term.name in COMPARISONS:
            if id(term) not in guards:
                yield from _compared(term, inference)
        elif term.form == "call":
            yield from _called(term, inference)
            if term.name == "irate" and use == "alert":
                yield "promql/irate-in-alert", f"{term} looks at the last two samples only."
        elif term.form == "aggregation":
            yield from _aggregated(term, inference)


def _guards(term: Term) -> Iterator[Term]:
    """Sides of an `and` that say that something was counted at all, so that the other side has a meaning."""
    if term.form != "operation" or term.name != "and":
        return
    left, right = term.parts
    for side, other in ((right, left), (left, right)):
        bound = side.parts[1].number if side.compares and side.parts[1].form == "number" else None
        says_any = (side.name, bound) in ((">", 0.0), ("!=", 0.0), (">=", 1.0))
        if says_any and any(inside.form == "selector" for inside in other.walk()):
            yield side


def _compared(term: Term, inference: Inference) -> Iterator[Fault]:
    left, right = term.parts
    for side, other, sign in ((left, right, term.name), (right, left, TURNED[term.name])):
        facts, against = inference.of(side), inference.of(other)
        if facts.kind == "counter" and against.kind != "counter":
            bound = against.values.point
            # That nothing was counted yet is a state, and it ends with the first count.
            if (sign, bound) in (("==", 0.0), ("<", 1.0), ("<=", 0.0)):
                continue
            yield (
                "promql/raw-counter",
                f"{_said(side, facts)} is compared as it is, without rate() or increase(): {facts.metric} is a "
                f"counter, {facts.because}.",
            )
        elif sign == "==" and _is_rate(side) and against.values.point not in (None, 0.0):
            yield (
                "promql/equality-of-rate",
                f"{side} is compared with == {other}, but an extrapolated increase is hardly ever a whole number.",
            )


def _called(term: Term, inference: Inference) -> Iterator[Fault]:
    name = term.name
    if name == "histogram_quantile" and len(term.parts) == 2:
        yield from _quantile(term, inference)
        return
    if name == "quantile_over_time" and len(term.parts) == 2:
        yield from _out_of_range(term, term.parts[0])
    ranges = [part for part in term.parts if part.form == "subquery" or part.seconds is not None]
    if not ranges or name not in RATES | DIFFERENCES | _MEANS | {"resets"}:
        return
    facts = inference.of(ranges[0])
    said = _said(ranges[0], facts)
    if name in RATES | {"resets"}:
        if facts.kind == "gauge":
            yield "promql/rate-of-gauge", f"{name}() of {said}, which is a gauge, {facts.because}."
        elif facts.kind == "counter" and facts.aggregated:
            yield (
                "promql/rate-of-aggregate",
                f"{name}() of counters that were added up or otherwise aggregated before: {said}.",
            )
    elif facts.kind == "counter":
        yield "promql/gauge-function-of-counter", f"{name}() of {said}, which is a counter, {facts.because}."


def _quantile(term: Term, inference: Inference) -> Iterator[Fault]:
    level, buckets = term.parts
    yield from _out_of_range(term, level)
    facts = inference.of(buckets)
    selectors = [inside for inside in buckets.walk() if inside.form == "selector"]
    wrong = [inside.name for inside in selectors if inside.name.endswith(("_sum", "_count", "_total"))]
    if wrong:
        yield "promql/quantile-without-le", f"histogram_quantile() of {wrong[0]}, which has no buckets."
    elif not facts.labels.may_have("le"):
        yield "promql/quantile-without-le", f"The label 'le' is lost before histogram_quantile(): {buckets}."
    elif facts.kind == "counter":
        yield (
            "promql/quantile-without-rate",
            f"histogram_quantile() of {_said(buckets, facts)} without rate(): all that was ever observed.",
        )


def _out_of_range(term: Term, level: Term) -> Iterator[Fault]:
    if level.form == "number" and not 0 <= level.number <= 1:
        yield "promql/quantile-out-of-range", f"{term.name}() of {level.number:g}: a quantile lies between 0 and 1."


def _aggregated(term: Term, inference: Inference) -> Iterator[Fault]:
    if term.name == "quantile" and len(term.parts) == 2:
        yield from _out_of_range(term, term.parts[1])
    if term.name not in ("sum", "avg"):
        return
    inside = term.parts[0]
    of_summary = inside.form == "selector" and any(matcher.name == "quantile" for matcher in inside.matchers)
    if of_summary or inference.of(inside).quantile:
        yield "promql/aggregated-quantile", f"{term.name}() of quantiles: {inside}."


def _is_rate(term: Term) -> bool:
    if term.form == "aggregation" and term.name in ("sum", "avg", "max", "min"):
        return _is_rate(term.parts[0])
    return term.form == "call" and term.name in RATES


def _said(term: Term, facts: Facts) -> str:
    return str(term) if term.form != "subquery" else str(term.parts[0]) or facts.metric
