"""Counters taken for gauges and gauges for counters, quantiles of what is no histogram, ranges that are too short."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cloudxai_analysis.lint.auditor import USUAL_SCRAPE_SECONDS, Asked
from cloudxai_analysis.lint.codes import Said, rule
from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.lint.expressions import COMPARISONS, DIFFERENCES, RATES, TURNED, Term
from cloudxai_analysis.lint.facts import Facts

_MEANS = frozenset(
    {"avg_over_time", "sum_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time", "mad_over_time"}
)
_OF_EVENTS = re.compile(
    r"request|err|fail|drop|retr|reject|restart|byte|second|packet|hit|miss|timeout|message|event|operation|quer|read"
    r"|writ|call|attempt|transition|evict|_bucket$|_count$|_sum$"
)
# That nothing was counted yet is a state, and it ends with the first count; the other two say that something was.
_NOTHING_YET = frozenset({("==", 0.0), ("!=", 0.0), ("<", 1.0), ("<=", 0.0)})
_SOMETHING = frozenset({(">", 0.0), ("!=", 0.0), (">=", 1.0)})
_LEVELS = {"histogram_quantile": 0, "quantile_over_time": 0, "quantile": 1}


@rule("promql/raw-counter", of="operation")
def _raw_counter(term: Term, asked: Asked) -> Iterator[Said]:
    left, right = term.parts
    for side, other, sign in ((left, right, term.name), (right, left, TURNED.get(term.name, ""))):
        facts, bound = asked.facts(side), asked.facts(other).values.point
        if term.name not in COMPARISONS or bound is None or (sign, bound) in _NOTHING_YET:
            continue
        if facts.kind != "counter" and not _share_of_counters(side, asked):
            continue
        # By its name alone, what counts states looks like a counter, too: drives that are offline.
        named_otherwise = facts.assumed and not _OF_EVENTS.search(facts.metric)
        if not named_otherwise and not ((sign, bound) in _SOMETHING and _is_guard(term, asked.root)):
            said = f"{side} is compared as it is, without rate() or increase(): {facts.metric} is a counter"
            yield Said(f"{said}, {facts.because}.", assumed=facts.assumed)


def _share_of_counters(term: Term, asked: Asked) -> bool:
    """Whether it is one sum of counters over another: what happened since each process began."""
    if term.form != "operation" or term.name != "/":
        return False
    return all(asked.facts(part).kind == "counter" and part.form == "aggregation" for part in term.parts)


def _is_guard(term: Term, root: Term) -> bool:
    """Whether it is a side of an `and`, so that the other has a meaning."""
    ands = [one for one in root.walk() if one.form == "operation" and one.name == "and"]
    return any(one.parts[not place].selectors for one in ands for place in (0, 1) if one.parts[place] is term)


@rule("promql/equality-of-rate", of="operation")
def _equality_of_rate(term: Term, asked: Asked) -> Iterator[str]:
    for side, other in (term.parts, term.parts[::-1]) if term.name == "==" else ():
        inside = side.parts[0] if side.name in ("sum", "avg", "max", "min") else side
        if inside.form == "call" and inside.name in RATES and asked.facts(other).values.point not in (None, 0.0):
            yield f"{side} is compared with == {other}, but an extrapolated increase is hardly ever a whole number."


@rule("promql/irate-in-alert", of="call")
def _irate_in_alert(term: Term, asked: Asked) -> Iterator[str]:
    if term.name == "irate" and asked.use == "alert":
        yield f"{term} looks at the last two samples only."


def _over(term: Term, names: frozenset[str], asked: Asked) -> Iterator[tuple[str, Facts]]:
    """The range that a function of these names looks over, as text, with its facts."""
    for part in term.parts if term.name in names else ():
        if part.form == "subquery" or part.seconds is not None:
            yield str(part if part.form != "subquery" else part.parts[0]), asked.facts(part)


@rule("promql/rate-of-gauge", of="call")
def _rate_of_gauge(term: Term, asked: Asked) -> Iterator[Said]:
    for shown, facts in _over(term, RATES | {"resets"}, asked):
        if facts.kind == "gauge":
            said = f"{term.name}() of {shown}, which is a gauge, {facts.because}."
            yield Said(said, assumed=facts.assumed)


@rule("promql/rate-of-aggregate", of="call")
def _rate_of_aggregate(term: Term, asked: Asked) -> Iterator[Said]:
    for shown, facts in _over(term, RATES | {"resets"}, asked):
        if facts.kind == "counter" and facts.aggregated:
            said = f"{term.name}() of counters that were added up or otherwise aggregated before: {shown}."
            yield Said(said, assumed=facts.assumed)


@rule("promql/gauge-function-of-counter", of="call")
def _gauge_function_of_counter(term: Term, asked: Asked) -> Iterator[Said]:
    for shown, facts in _over(term, DIFFERENCES | _MEANS, asked):
        if facts.kind == "counter":
            said = f"{term.name}() of {shown}, which is a counter, {facts.because}."
            yield Said(said, assumed=facts.assumed)


@rule("promql/quantile-without-le", of="call")
def _quantile_without_le(term: Term, asked: Asked) -> Iterator[str]:
    """A quantile of what has no buckets; native histograms, and buckets of VictoriaMetrics, need no 'le'."""
    for buckets in term.parts[1:] if term.name == "histogram_quantile" else ():
        names = [inside.name for inside in buckets.selectors]
        wrong = [name for name in names if name.endswith(("_sum", "_count", "_total"))]
        labels = asked.facts(buckets).labels
        if wrong:
            yield f"histogram_quantile() of {wrong[0]}, which has no buckets."
        elif all(name.endswith("_bucket") for name in names) and not any(map(labels.may_have, ("le", "vmrange"))):
            yield f"The label 'le' is lost before histogram_quantile(): {buckets}."


@rule("promql/quantile-without-rate", of="call")
def _quantile_without_rate(term: Term, asked: Asked) -> Iterator[Said]:
    for buckets in term.parts[1:] if term.name == "histogram_quantile" else ():
        facts = asked.facts(buckets)
        if facts.kind == "counter" and facts.labels.may_have("le"):
            said = f"histogram_quantile() of {buckets} without rate(): all that was ever observed."
            yield Said(said, assumed=facts.assumed)


@rule("promql/quantile-out-of-range", of="call")
@rule("promql/quantile-out-of-range", of="aggregation")
def _quantile_out_of_range(term: Term, _: Asked) -> Iterator[str]:
    level = term.parts[_LEVELS[term.name]] if term.name in _LEVELS and len(term.parts) == 2 else None
    if level is not None and level.form == "number" and not 0 <= level.number <= 1:
        yield f"{term.name}() of {level.number:g}: a quantile lies between 0 and 1."


@rule("promql/aggregated-quantile", of="aggregation")
def _aggregated_quantile(term: Term, _: Asked) -> Iterator[str]:
    inside = term.parts[0]
    of_summary = inside.form == "selector" and any(matcher.name == "quantile" for matcher in inside.matchers)
    if term.name in ("sum", "avg") and (of_summary or inside.name == "histogram_quantile"):
        yield f"{term.name}() of quantiles: {inside}."


@rule("promql/topk-in-alert", of="expression")
def _topk_in_alert(root: Term, asked: Asked) -> Iterator[str]:
    """An alert on the first few, whose members change from one evaluation to the next."""
    waiting = [root] if asked.use == "alert" else []
    while waiting:
        term = waiting.pop()
        if term.form == "operation" and (term.compares or term.name in ("and", "or", "unless")):
            waiting += term.parts
        elif term.form == "aggregation" and term.name in ("topk", "bottomk"):
            yield f"{term}: who is among the first changes, and with it which alerts there are."


@rule("promql/short-range", of="call")
def _short_range(term: Term, asked: Asked) -> Iterator[Said]:
    for part in term.parts:
        recorded = part.name in asked.metrics.recorded or ":" in part.name
        seconds = asked.evaluation_seconds if recorded else asked.scrape_seconds or USUAL_SCRAPE_SECONDS
        need = 2 if term.name in RATES | DIFFERENCES else 1
        if part.form == "selector" and part.seconds is not None and part.seconds < need * seconds:
            least = f"{need} intervals" if need > 1 else "the interval"
            said = f"{term}: {duration_text(part.seconds)} is shorter than {least} of {duration_text(seconds)}."
            yield Said(said, assumed=asked.scrape_seconds is None and not recorded)
