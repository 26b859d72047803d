"""What can be wrong with an expression: counters taken for gauges, conditions that always or never hold, quotients that
become NaN or infinite, metrics and labels that nobody knows, vectors that never match."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from cloudxai_analysis.lint import Said, rule
from cloudxai_analysis.lint.auditor import Asked
from cloudxai_analysis.lint.expressions import BY_ALL, COMPARISONS, DIFFERENCES, RATES, SET_OPERATORS, TURNED, Term
from cloudxai_analysis.lint.matchers import Matcher, contradiction
from cloudxai_analysis.lint.metrics import NAMES, meant
from cloudxai_analysis.lint.rules import duration_text

ASSUMED_SCRAPE_SECONDS = 15.0  # often enough for most who write short ranges
_MEANS = frozenset(
    {"avg_over_time", "sum_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time", "mad_over_time"}
)
_OF_EVENTS = re.compile(
    r"request|err|fail|drop|retr|reject|restart|byte|second|packet|hit|miss|timeout|message|event|operation|quer|read"
    r"|writ|call|attempt|transition|evict|_bucket$|_count$|_sum$"
)
_OF_PROCESS = ("instance", "pod")
_OF_EACH = re.compile(r"_sum$|second|duration|latency|_time(?:_|$)|_ms(?:_|$)|bytes")
# The time of the last event never falls, and its rate tells whether there was another one.
_MOMENT = re.compile(r"_time(?:stamp)?(?:_seconds)?$")
# That nothing was counted yet is a state, and it ends with the first count; the other two say that something was.
_NOTHING_YET = frozenset({("==", 0.0), ("!=", 0.0), ("<", 1.0), ("<=", 0.0)})
_SOMETHING = frozenset({(">", 0.0), ("!=", 0.0), (">=", 1.0)})


@rule("expression")
def _topk_in_alert(root: Term, asked: Asked) -> Iterator[Said]:
    """An alert on the first few, whose members change from one evaluation to the next."""
    for term in root.sides(SET_OPERATORS, compared=True) if asked.use == "alert" else ():
        if term.does in ("topk", "bottomk"):
            said = f"{term}: who is among the first changes, and with it which alerts there are."
            yield Said("promql/topk-in-alert", said)


@rule("operation")
def _compared_with_a_number(term: Term, asked: Asked) -> Iterator[Said]:
    left, right = term.parts
    if term.name not in COMPARISONS:
        return
    # What is compared, the sign as seen from it, and the number.
    side, sign, bound = left, term.name, asked.facts(right).number
    if bound is None or (left.form == "number" and right.form != "number"):
        side, sign, bound = right, TURNED[sign], asked.facts(left).number
    if bound is None:
        return
    yield from _raw_counter(side, sign, bound, term, asked)
    inside, facts = side.parts[0] if side.does in ("sum", "avg", "max", "min") else side, asked.facts(side)
    if sign == "==" and bound and inside.does in RATES:
        said = f"{side} is compared with == {bound:g}, but an extrapolated increase is hardly ever a whole number."
        yield Said("promql/equality-of-rate", said)
    if facts.never(sign, bound):
        said = f"{term}: {side} lies between {facts.low:g} and {facts.high:g}, so this is never true."
        yield Said("promql/never-true", said)


def _raw_counter(side: Term, sign: str, bound: float, term: Term, asked: Asked) -> Iterator[Said]:
    facts = asked.facts(side)
    sums = side.does == "/" and all(part.form == "aggregation" for part in side.parts)
    share = sums and all(asked.facts(part).kind == "counter" for part in side.parts)
    if asked.use != "alert" or (sign, bound) in _NOTHING_YET or not (facts.kind == "counter" or share):
        return
    # A side of an `and` gives the other its meaning.
    ands = [one.parts for one in asked.root.walk() if one.does == "and"]
    guards = any(other.selectors for parts in ands if term in parts for other in parts if other is not term)
    # By its name alone, what counts states looks like a counter, too: drives that are offline.
    named_otherwise = facts.assumed and not _OF_EVENTS.search(facts.metric)
    if not named_otherwise and not (guards and (sign, bound) in _SOMETHING):
        said = f"{side} is compared as it is, without rate() or increase(): {facts.metric} is a counter"
        yield Said("promql/raw-counter", f"{said}, {facts.because}.", assumed=facts.assumed)


@rule("call")
def _over_a_range(term: Term, asked: Asked) -> Iterator[Said]:
    name = term.name
    # Of what is only counted the values are nobody's question.
    counted = any(one.does in ("count", "group") and term in one.parts for one in asked.root.walk())
    for part in term.parts:
        if part.form != "subquery" and part.seconds is None:
            continue
        shown, facts = part.parts[0] if part.form == "subquery" else part, asked.facts(part)
        what = f"{name}() of {shown}, which is a {facts.kind}, {facts.because}."
        if name in RATES | {"resets"} and facts.kind == "gauge" and not (counted or _MOMENT.search(facts.metric)):
            yield Said("promql/rate-of-gauge", what, assumed=facts.assumed)
        elif name in RATES | {"resets"} and facts.kind == "counter" and facts.aggregated:
            said = f"{name}() of counters that were added up or otherwise aggregated before: {shown}."
            yield Said("promql/rate-of-aggregate", said, assumed=facts.assumed)
        elif name in DIFFERENCES | _MEANS and facts.kind == "counter":
            yield Said("promql/gauge-function-of-counter", what, assumed=facts.assumed)
        if part.form == "selector" and part.seconds is not None:
            yield from _short_range(term, part.name, part.seconds, asked)


def _short_range(term: Term, metric: str, seconds: float, asked: Asked) -> Iterator[Said]:
    interval = asked.scrape_seconds or ASSUMED_SCRAPE_SECONDS
    need = 2 if term.name in RATES | DIFFERENCES else 1
    if seconds < need * interval and ":" not in metric:
        said = f"{term}: {duration_text(seconds)} is shorter than {need} × the interval of {duration_text(interval)}."
        yield Said("promql/short-range", said, assumed=asked.scrape_seconds is None)


@rule("call")
def _quantile(term: Term, asked: Asked) -> Iterator[Said]:
    """A quantile of what has no buckets; native histograms, and buckets of VictoriaMetrics, need no 'le'."""
    for buckets in term.parts[1:] if term.name == "histogram_quantile" else ():
        names, facts = [inside.name for inside in buckets.selectors], asked.facts(buckets)
        wrong = [name for name in names if name.endswith(("_sum", "_count", "_total"))]
        if wrong:
            yield Said("promql/quantile-without-le", f"histogram_quantile() of {wrong[0]}, which has no buckets.")
        elif not any(map(facts.labels.may_have, ("le", "vmrange"))):
            if all(name.endswith("_bucket") for name in names):
                said = f"The label 'le' is lost before histogram_quantile(): {buckets}."
                yield Said("promql/quantile-without-le", said)
        elif facts.kind == "counter":
            said = f"histogram_quantile() of {buckets} without rate(): all that was ever observed."
            yield Said("promql/quantile-without-rate", said, assumed=facts.assumed)


@rule("aggregation")
def _aggregated(term: Term, asked: Asked) -> Iterator[Said]:
    inside = term.parts[0]
    labels, left = asked.facts(inside).labels, asked.facts(term).labels
    # Who asks for one value of a label groups by it for the form's sake.
    fixed = {matcher.name for one in inside.selectors for matcher in one.matchers if matcher.operator == "="}
    lost = sorted(label for label in term.labels - fixed if term.grouping == "by" and not labels.may_have(label))
    if lost:
        said = " and ".join(f"'{label}'" for label in lost)
        yield Said("promql/lost-label", f"{term.name} by ({', '.join(lost)}), but {inside} has no label {said}.")
    # The least and the greatest of each are no quantiles that a mean is wrong of.
    quantiles = [matcher.value for matcher in inside.matchers if matcher.name == "quantile"]
    of_summary = inside.form == "selector" and any(value not in ("0", "1") for value in quantiles)
    if term.name not in ("sum", "avg"):
        return
    # What keeps apart each process, or every label that there is, adds up nothing.
    apart = any(map(left.may_have, _OF_PROCESS)) or (labels.only is not None and all(map(left.may_have, labels.only)))
    if not apart and (of_summary or inside.does == "histogram_quantile"):
        yield Said("promql/aggregated-quantile", f"{term.name}() of quantiles: {inside}.")
    if asked.use == "alert" and _idle_divisor(inside):
        said = f"{term.name}() of {inside}: where one divisor is 0, the whole {term.name} is NaN."
        yield Said("promql/nan", said)


@rule("operation")
def _fires_without_traffic(term: Term, asked: Asked) -> Iterator[Said]:
    """An alert on a quotient over a bound: what is divided by 0 is infinite, and over every bound."""
    (quotient, outer), bound = _unscaled(term.parts[0]), asked.facts(term.parts[1]).number
    over = asked.use == "alert" and term.name in (">", ">=") and not term.as_bool
    if not over or bound is None or not _idle_divisor(quotient):
        return
    (part, inner), whole = _unscaled(quotient.parts[0]), quotient.parts[1]
    beside = [side for one in asked.root.walk() if one.does in ("and", "unless") for side in one.parts]
    guarded = any(whole.metrics & side.metrics for side in beside if term not in side.walk())
    # Under a bound of 1 it is a part of a whole, and how long or large each was is a mean: nothing of nothing is NaN,
    # which is over no bound.
    apart = not (part.metrics & whole.metrics or any(map(_OF_EACH.search, part.metrics)))
    if bound >= outer * inner and _counts(part) and apart and not guarded:
        yield Said("promql/infinite", f"{quotient}: with nothing to divide by, it is +Inf, and over every bound.")


def _idle_divisor(term: Term) -> bool:
    """Whether it divides by the rate of a counter, which is 0 while nothing happens."""
    return term.does == "/" and _counts(term.parts[1])


def _counts(term: Term) -> bool:
    while term.does == "sum":
        term = term.parts[0]
    return term.does in RATES and term.parts[0].form == "selector"


def _unscaled(term: Term) -> tuple[Term, float]:
    """A term without the numbers by which it is multiplied, and their product."""
    factor = 1.0
    while term.does == "*" and "number" in {part.form for part in term.parts}:
        number, term = sorted(term.parts, key=lambda part: part.form != "number")
        factor *= number.number
    return term, factor


@rule("selector")
def _metric(term: Term, asked: Asked) -> Iterator[Said]:
    name, metrics = term.name, asked.metrics
    why, assumed = metrics.strange(name)
    new_name, now = metrics.contract.renames.get(name, ""), NAMES["given_up"].get(name)
    if why:
        yield Said("promql/unknown-metric", f"Nobody knows metric {name}: {why}", assumed=assumed)
    elif metrics.lacking(name):
        yield Said("promql/not-on-server", f"The server has no series of {name} today.")
    if new_name and new_name not in asked.root.metrics:
        yield Said("promql/renamed-metric", f"Metric {name} is called {new_name} from v1.0 on.")
    if now and now.partition("{")[0] not in asked.root.metrics:
        yield Said("promql/removed-metric", f"{name} is exported no more; its exporter says {now}.", assumed=True)


@rule("selector")
def _matchers(term: Term, asked: Asked) -> Iterator[Said]:
    """Labels that a metric lacks, and matchers that leave nothing."""
    known, sure = asked.metrics.labels(term.name)
    there = [Matcher(name, "!=", "") for name in sorted(sure) if asked.metrics.is_own(term.name)]
    if excluding := [] if term.alternatives else contradiction([*term.matchers, *there]):
        yield Said("promql/selects-nothing", f"No series can have all of {', '.join(map(str, excluding))}.")
    for one in term.matchers:
        if known is not None and one.name not in known:
            near = get_close_matches(one.name, known, n=1, cutoff=0.6)
            said = f"{term.name} has no label '{one.name}', says the contract{meant(near)}"
            yield Said("promql/unknown-label", said)


@rule("operation")
def _matched(term: Term, asked: Asked) -> Iterator[Said]:
    """Two vectors that are matched by labels that one of them lacks."""
    facts = [(part, asked.facts(part)) for part in term.parts]
    matching, sides = term.matching, [(part, one.labels) for part, one in facts if not one.scalar]
    if len(sides) < 2:
        return
    for label in sorted(matching.labels) if matching.on else ():
        lacking = " and ".join(str(part) for part, labels in sides if not labels.may_have(label))
        if lacking and not any(label in labels.sure for _, labels in sides):
            yield Said("promql/lost-label", f"on ({label}), but {lacking} has no label '{label}'.")
    for label in sorted(matching.include):
        part, labels = sides[matching.group == "left"]
        if not labels.may_have(label):
            yield Said("promql/lost-label", f"The label '{label}' is to be taken from {part}, which lacks it.")
    for (_, has), (part, lacks) in (sides, sides[::-1]) if term.name != "or" else ():
        # One side surely has a label that the other surely lacks.
        sure, how = has.sure - {"__name__"}, "on (…)" if matching.on else "all labels"
        sure = sure & matching.labels if matching.on else sure - matching.labels - matching.include
        if lost := ", ".join(f"'{label}'" for label in sorted(sure) if not lacks.may_have(label)):
            said = f"'{term.name}' matches {how}, but {part} lacks {lost}, which the other has."
            yield Said("promql/never-matches", said)
            return


@rule("operation")
def _one_sided_label(term: Term, asked: Asked) -> Iterator[Said]:
    """A label that a selector of one side asks for by its value, and that nothing of the other side speaks of."""
    if term.name not in ("and", "unless") or term.matching != BY_ALL or term.parts[0].metrics & term.parts[1].metrics:
        return
    lone: set[str] = set()
    for part, other in (term.parts, term.parts[::-1]):
        labels, others = asked.facts(part).labels, asked.facts(other).labels
        spoken = {matcher.name for one in other.selectors for matcher in one.matchers} | {"job", "instance"}
        for one in part.selectors[0].matchers if len(part.selectors) == 1 else ():
            if one.operator == "=" and one.value and one.name in labels.sure - spoken and others.may_have(one.name):
                lone.add(one.name)
    if lone:
        said = ", ".join(f"'{label}'" for label in sorted(lone))
        message = f"'{term.name}' matches all labels, and only one side asks for {said}: do the others have it, too?"
        yield Said("promql/one-sided-label", message)
