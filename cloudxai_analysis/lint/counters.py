"""Counters taken for gauges and gauges for counters, and quantiles of what is no histogram."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cloudxai_analysis.lint.auditor import Asked
from cloudxai_analysis.lint.codes import Said, rule
from cloudxai_analysis.lint.expressions import COMPARISONS, DIFFERENCES, RATES, TURNED, Term
from cloudxai_analysis.lint.facts import Facts

_MEANS = frozenset(
    {"avg_over_time", "sum_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time", "mad_over_time"}
)
_OF_EVENTS = re.compile(
    r"request|err|fail|drop|retr|reject|restart|byte|second|packet|hit|miss|timeout|message|event|operation|quer|read"
    r"|writ|call|attempt|transition|evict|_bucket$|_count$|_sum$"
)
_NOT_BUCKETS = ("_sum", "_count", "_total")


@rule("promql/raw-counter", of="operation")
def raw_counter(term: Term, asked: Asked) -> Iterator[Said]:
    """A counter that is compared as it stands."""
    if term.name not in COMPARISONS or _is_guard(term, asked.root):
        return
    left, right = term.parts
    for side, other, sign in ((left, right, term.name), (right, left, TURNED[term.name])):
        facts, against = asked.facts(side), asked.facts(other)
        bound = against.values.point
        if (facts.kind == "counter" or _share_of_counters(side, asked)) and against.kind != "counter":
            # That nothing was counted yet is a state, and it ends with the first count; and a counter that never
            # moves is asked for by the hour at which it began.
            if (sign, bound) in (("==", 0.0), ("!=", 0.0), ("<", 1.0), ("<=", 0.0)) or against.windowed:
                continue
            # By its name alone, what counts states looks like a counter, too: drives that are offline.
            if facts.assumed and not _OF_EVENTS.search(facts.metric):
                continue
            said = f"{facts.metric} is a counter, {facts.because}"
            yield Said(
                f"{_shown(side, facts)} is compared as it is, without rate() or increase(): {said}.",
                assumed=facts.assumed,
            )


def _share_of_counters(term: Term, asked: Asked) -> bool:
    """Whether it is one sum of counters over another: what happened since each process began."""
    if term.form != "operation" or term.name != "/":
        return False
    return all(asked.facts(part).kind == "counter" and part.form == "aggregation" for part in term.parts)


def _is_guard(term: Term, root: Term) -> bool:
    """Whether it is a side of an `and` that says that something was counted at all, so that the other has a meaning."""
    bound = term.parts[1].number if term.compares and term.parts[1].form == "number" else None
    if (term.name, bound) not in ((">", 0.0), ("!=", 0.0), (">=", 1.0)):
        return False
    ands = [one for one in root.walk() if one.form == "operation" and one.name == "and"]
    return any(one.parts[not place].selectors for one in ands for place in (0, 1) if one.parts[place] is term)


@rule("promql/equality-of-rate", of="operation")
def equality_of_rate(term: Term, asked: Asked) -> Iterator[str]:
    """An extrapolated increase that is to be one number."""
    if term.name != "==":
        return
    for side, other in (term.parts, term.parts[::-1]):
        if _is_rate(side) and asked.facts(other).values.point not in (None, 0.0):
            yield f"{side} is compared with == {other}, but an extrapolated increase is hardly ever a whole number."


@rule("promql/irate-in-alert", of="call")
def irate_in_alert(term: Term, asked: Asked) -> Iterator[str]:
    """An alert by the last two samples."""
    if term.name == "irate" and asked.use == "alert":
        yield f"{term} looks at the last two samples only."


def _range_of(term: Term) -> Term | None:
    return next((part for part in term.parts if part.form == "subquery" or part.seconds is not None), None)


@rule("promql/rate-of-gauge", of="call")
def rate_of_gauge(term: Term, asked: Asked) -> Iterator[Said]:
    """A function of counters over a gauge."""
    inside = _range_of(term)
    if term.name in RATES | {"resets"} and inside is not None:
        facts = asked.facts(inside)
        if facts.kind == "gauge":
            yield Said(
                f"{term.name}() of {_shown(inside, facts)}, which is a gauge, {facts.because}.", assumed=facts.assumed
            )


@rule("promql/rate-of-aggregate", of="call")
def rate_of_aggregate(term: Term, asked: Asked) -> Iterator[Said]:
    """A rate of counters that were added up before."""
    inside = _range_of(term)
    if term.name in RATES | {"resets"} and inside is not None:
        facts = asked.facts(inside)
        if facts.kind == "counter" and facts.aggregated:
            said = f"{term.name}() of counters that were added up or otherwise aggregated before"
            yield Said(f"{said}: {_shown(inside, facts)}.", assumed=facts.assumed)


@rule("promql/gauge-function-of-counter", of="call")
def gauge_function_of_counter(term: Term, asked: Asked) -> Iterator[Said]:
    """A function of gauges over a counter."""
    inside = _range_of(term)
    if term.name in DIFFERENCES | _MEANS and inside is not None:
        facts = asked.facts(inside)
        if facts.kind == "counter":
            yield Said(
                f"{term.name}() of {_shown(inside, facts)}, which is a counter, {facts.because}.", assumed=facts.assumed
            )


@rule("promql/quantile-without-le", of="call")
def quantile_without_le(term: Term, asked: Asked) -> Iterator[str]:
    """A quantile of what has no buckets; native histograms, and buckets of VictoriaMetrics, need no 'le'."""
    if term.name != "histogram_quantile" or len(term.parts) != 2:
        return
    buckets = term.parts[1]
    names = [inside.name for inside in buckets.selectors]
    wrong = [name for name in names if name.endswith(_NOT_BUCKETS)]
    if wrong:
        yield f"histogram_quantile() of {wrong[0]}, which has no buckets."
    elif all(name.endswith("_bucket") for name in names):
        labels = asked.facts(buckets).labels
        if not labels.may_have("le") and not labels.may_have("vmrange"):
            yield f"The label 'le' is lost before histogram_quantile(): {buckets}."


@rule("promql/quantile-without-rate", of="call")
def quantile_without_rate(term: Term, asked: Asked) -> Iterator[Said]:
    """A quantile of everything since the process began."""
    if term.name == "histogram_quantile" and len(term.parts) == 2:
        facts = asked.facts(term.parts[1])
        if facts.kind == "counter" and facts.labels.may_have("le"):
            said = f"histogram_quantile() of {_shown(term.parts[1], facts)} without rate()"
            yield Said(f"{said}: all that was ever observed.", assumed=facts.assumed)


@rule("promql/quantile-out-of-range", of="call")
@rule("promql/quantile-out-of-range", of="aggregation")
def quantile_out_of_range(term: Term, _: Asked) -> Iterator[str]:
    """A level that is none."""
    place = {"histogram_quantile": 0, "quantile_over_time": 0, "quantile": 1}.get(term.name)
    if place is not None and len(term.parts) == 2:
        level = term.parts[place]
        if level.form == "number" and not 0 <= level.number <= 1:
            yield f"{term.name}() of {level.number:g}: a quantile lies between 0 and 1."


@rule("promql/aggregated-quantile", of="aggregation")
def aggregated_quantile(term: Term, asked: Asked) -> Iterator[str]:
    """The mean or sum of quantiles."""
    if term.name in ("sum", "avg"):
        inside = term.parts[0]
        of_summary = inside.form == "selector" and any(matcher.name == "quantile" for matcher in inside.matchers)
        if of_summary or asked.facts(inside).quantile:
            yield f"{term.name}() of quantiles: {inside}."


def _is_rate(term: Term) -> bool:
    if term.form == "aggregation" and term.name in ("sum", "avg", "max", "min"):
        return _is_rate(term.parts[0])
    return term.form == "call" and term.name in RATES


def _shown(term: Term, facts: Facts) -> str:
    return str(term) if term.form != "subquery" else str(term.parts[0]) or facts.metric


@rule("promql/topk-in-alert", of="expression")
def topk_in_alert(root: Term, asked: Asked) -> Iterator[str]:
    """An alert on the first few, whose members change from one evaluation to the next."""
    waiting = [root] if asked.use == "alert" else []
    while waiting:
        term = waiting.pop()
        if term.form == "operation" and (term.compares or term.name in ("and", "or", "unless")):
            waiting += term.parts
        elif term.form == "aggregation" and term.name in ("topk", "bottomk"):
            yield f"{term}: who is among the first changes, and with it which alerts there are."
