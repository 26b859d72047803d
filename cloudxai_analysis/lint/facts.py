"""What is sure of each part of an expression: its labels, the least and greatest value, and whether it is a counter's.

What is not sure is left open: any label, any value, no kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from math import floor, inf, isfinite
from typing import NamedTuple

from cloudxai_analysis.lint.expressions import (
    COMPARISONS,
    DIFFERENCES,
    RATES,
    SET_OPERATORS,
    TURNED,
    Term,
    Unparsed,
    parse,
)
from cloudxai_analysis.lint.matchers import covered
from cloudxai_analysis.lint.metrics import BY_NAME, NAMES, Kind, Metrics
from cloudxai_analysis.lint.rules import Rule

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a vector: at most those in `only` (None: any), none in `lacks`, surely those in `sure`."""

    only: frozenset[str] | None = None
    lacks: frozenset[str] = NOTHING
    sure: frozenset[str] = NOTHING

    def may_have(self, label: str) -> bool:
        """Whether a series of it can have the label."""
        return label not in self.lacks and (self.only is None or label in self.only)

    def without(self, labels: frozenset[str]) -> Labels:
        """What is left when these are taken away."""
        only = None if self.only is None else self.only - labels
        return Labels(only, self.lacks | labels, self.sure - labels)

    def kept(self, labels: frozenset[str]) -> Labels:
        """What is left when only these are kept; who names a label expects it to be there."""
        there = frozenset(filter(self.may_have, labels))
        return Labels(there, NOTHING, there)

    def added(self, labels: frozenset[str]) -> Labels:
        """What it is when these are put in."""
        only = None if self.only is None else self.only | labels
        return Labels(only, self.lacks - labels, self.sure | labels)

    def either(self, other: Labels) -> Labels:
        """What holds for series of the one and of the other."""
        only = None if self.only is None or other.only is None else self.only | other.only
        lacks = frozenset(label for label in self.lacks if not other.may_have(label))
        return Labels(only, lacks, self.sure & other.sure)

    def both(self, other: Labels) -> Labels:
        """What holds for series whose labels are those of the one and of the other."""
        only = other.only if self.only is None else self.only if other.only is None else self.only & other.only
        return Labels(only, self.lacks | other.lacks, self.sure | other.sure)


class Interval(NamedTuple):
    """The values that a part can have lie between these, ends included; `whole`: they are whole numbers."""

    low: float = -inf
    high: float = inf
    whole: bool = False

    @property
    def point(self) -> float | None:
        """The only value, if there is but one."""
        return self.low if self.low == self.high else None

    def never(self, sign: str, bound: float) -> bool:
        """Whether `value sign bound` is false for each of its values; nothing is sure where nothing is known."""
        if not isfinite(bound) or self.low > self.high:
            return False
        return {
            "==": not self.low <= bound <= self.high or (self.whole and bound != round(bound)),
            "!=": self.point == bound,
            ">": self.high <= bound,
            ">=": self.high < bound,
            "<": self.low >= bound,
            "<=": self.low > bound,
        }[sign]

    def where(self, sign: str, bound: float) -> Interval:
        """The values for which `value sign bound` is true."""
        low, high = self.low, self.high
        if sign in ("==", ">", ">="):
            low = max(low, bound if sign != ">" or not self.whole else floor(bound) + 1.0)
        if sign in ("==", "<", "<="):
            high = min(high, bound if sign != "<" or not self.whole else -floor(-bound) - 1.0)
        if sign == "!=" and self.whole:
            low, high = low + (low == bound), high - (high == bound)
        return Interval(low, high, self.whole)

    def __str__(self) -> str:
        if self.high == inf:
            return f"at least {self.low:g}"
        if self.low == -inf:
            return f"at most {self.high:g}"
        return f"{self.low:g}" if self.low == self.high else f"from {self.low:g} to {self.high:g}"


ANY, NOT_NEGATIVE, ONE = Interval(), Interval(0.0), Interval(1.0, 1.0, whole=True)
TRUTH, COUNT, EVENTS = Interval(0.0, 1.0, whole=True), Interval(1.0, whole=True), Interval(0.0, whole=True)
_FUNCTIONS = {kind: frozenset(names) for kind, names in NAMES["functions"].items()}
_OF_KIND = {"one": ONE, "count": COUNT, "events": EVENTS, "not_negative": NOT_NEGATIVE}
_VALUES = {name: values for kind, values in _OF_KIND.items() for name in _FUNCTIONS[kind]}
_ABSENT = frozenset({"absent", "absent_over_time"})
_OF_ROLE = {
    **dict.fromkeys(["readiness", "tenant_readiness", "up"], TRUTH),
    **dict.fromkeys(["scrape_duration", "process_start"], NOT_NEGATIVE),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is sure of one part.

    `kind` is 'counter' where its values are those of counters, if added up; `filtered` is whether it can be empty
    because a condition in it does not hold.
    """

    labels: Labels = Labels()
    values: Interval = ANY
    kind: Kind = ""
    because: str = ""
    metric: str = ""
    aggregated: bool = False
    filtered: bool = False
    scalar: bool = False

    @property
    def assumed(self) -> bool:
        """Whether the kind is known by a name alone."""
        return self.because.endswith(BY_NAME)


_NUMBER = Facts(Labels(NOTHING), scalar=True)
_UNKNOWN = Facts(filtered=True)


class Inference:
    """Facts of the parts of expressions, inferred from what is known of metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._recorded: dict[str, Facts] = {}
        self._known: dict[int, tuple[Term, Facts]] = {}

    def of(self, term: Term) -> Facts:
        """What is sure of the term."""
        if id(term) not in self._known:
            # The term is kept with it: no other can get its identity.
            self._known[id(term)] = (term, self._infer(term))
        return self._known[id(term)][1]

    def _infer(self, term: Term) -> Facts:
        match term.form:
            case "number" if isfinite(term.number):
                return replace(_NUMBER, values=Interval(term.number, term.number, term.number == round(term.number)))
            case "number" | "string":
                return _NUMBER
            case "selector":
                return self._selector(term)
            case "subquery":
                return self.of(term.parts[0])
            case "negation":
                inside = self.of(term.parts[0])
                return replace(inside, values=Interval(-inside.values.high, -inside.values.low), kind="")
            case "call":
                return self._call(term)
            case "aggregation":
                return self._aggregation(term)
        return self._operation(term)

    def recorded(self, name: str) -> Facts:
        """What is sure of the series that the corpus's rules record under that name."""
        if name not in self._recorded:
            # Rules may record each other.
            self._recorded[name] = _UNKNOWN
            found = reduce(_either, map(self._of_rule, self.metrics.recorded[name]))
            if found.kind == "counter":
                found = replace(found, because=f"recorded from {found.metric or 'a counter'}, {found.because}")
            self._recorded[name] = replace(found, metric=name, scalar=False)
        return self._recorded[name]

    def _of_rule(self, rule: Rule) -> Facts:
        try:
            found = self.of(parse(rule.expr))
        except Unparsed:
            found = _UNKNOWN
        return replace(found, labels=found.labels.added(frozenset(rule.labels)))

    def _selector(self, term: Term) -> Facts:
        name, metrics = term.name, self.metrics
        if name in metrics.recorded:
            facts = self.recorded(name)
        else:
            (only, sure), (kind, because) = metrics.labels(name), metrics.kind(name)
            counts = kind == "counter" and because != BY_NAME
            values = _OF_ROLE.get(metrics.role(name), NOT_NEGATIVE if counts else ANY)
            unsure = ":" in name or not name or name.startswith("ALERTS")
            facts = Facts(Labels(only, NOTHING, sure), values, kind, because, filtered=unsure)
        return replace(facts, labels=_matched(facts.labels, term), metric=name)

    def _call(self, term: Term) -> Facts:
        name = term.name
        vectors = [part for part in term.parts if part.form not in ("number", "string")]
        inside = self.of((vectors or [*term.parts, Term("number")])[0])
        labels, kind = inside.labels, inside.kind if name in _FUNCTIONS["same_kind"] else ""
        values = _values_of(name, inside.values)
        if name in RATES | DIFFERENCES:
            kind, values = "gauge", NOT_NEGATIVE if name in RATES else ANY
        if name in _ABSENT:
            selected = (one.name for one in vectors[0].matchers if one.operator == "=" and one.value)
            labels = Labels(NOTHING).added(frozenset(selected))
        elif name == "histogram_quantile":
            labels = labels.without(frozenset({"le"}))
        elif name in ("label_replace", "label_join") and len(term.parts) > 1:
            labels = labels.added(frozenset({term.parts[1].text}))
        elif name == "vector" or not vectors:
            labels = Labels(NOTHING)
        return Facts(
            labels,
            values,
            kind,
            inside.because if kind == inside.kind else f"it is a {name}()",
            inside.metric,
            aggregated=inside.aggregated,
            filtered=inside.filtered or name in _ABSENT,
            scalar=name == "scalar" or (inside.scalar and name not in _FUNCTIONS["make_vectors"]),
        )

    def _aggregation(self, term: Term) -> Facts:
        inside, name = self.of(term.parts[0]), term.name
        if name in _FUNCTIONS["choose"]:
            return inside
        values, labels = _values_of(name, inside.values), Labels(NOTHING)
        kind: Kind = inside.kind if name not in _VALUES else ""
        if term.grouping:
            labels = inside.labels.kept(term.labels) if term.grouping == "by" else inside.labels.without(term.labels)
        if name == "count_values" and len(term.parts) > 1:
            labels = labels.added(frozenset({term.parts[1].text}))
        return replace(inside, labels=labels, values=values, kind=kind, aggregated=True, scalar=False)

    def _operation(self, term: Term) -> Facts:
        left, right = (self.of(part) for part in term.parts)
        labels = _joined(term, left, right)
        if term.name == "or":
            return replace(_either(left, right), labels=labels, filtered=left.filtered and right.filtered)
        if term.name in SET_OPERATORS:
            return replace(left, labels=labels, filtered=True)
        scalar, filtered = left.scalar and right.scalar, left.filtered or right.filtered
        if term.name in COMPARISONS:
            if term.as_bool:
                return Facts(labels, TRUTH, filtered=filtered, scalar=scalar)
            # What is left is the vector's values, also where the number stands on its left.
            kept, other, sign = (right, left, TURNED[term.name]) if left.scalar else (left, right, term.name)
            bound = other.values.point
            values = kept.values if bound is None else kept.values.where(sign, bound)
            return replace(kept, values=values, labels=labels, filtered=True)
        kind, origin = _kind_of_arithmetic(term.name, left, right)
        values = ANY
        if term.name in ("+", "*", "/") and min(left.values.low, right.values.low) >= 0:
            values = Interval(0.0, 1.0) if term.name == "/" and _is_share(*term.parts) else NOT_NEGATIVE
        return replace(origin, labels=labels, values=values, kind=kind, filtered=filtered, scalar=scalar)


def _values_of(name: str, inside: Interval) -> Interval:
    """The values of a function or aggregation of what has these."""
    if name in _VALUES:
        return _VALUES[name]
    if name in _FUNCTIONS["means"]:
        return inside._replace(whole=False)
    if name in _FUNCTIONS["stay_positive"] and inside.low >= 0:
        return NOT_NEGATIVE
    return inside if name in _FUNCTIONS["same_values"] else ANY


def _matched(labels: Labels, term: Term) -> Labels:
    """The labels of the series that the selector's matchers leave."""
    if term.alternatives:
        return Labels(labels.only)
    gone = frozenset(one.name for one in term.matchers if one.operator == "=" and not one.value)
    there = (one.name for one in term.matchers if one.operator != "!~" and one.accepts("") is False)
    return labels.added(frozenset(there)).without(gone) if term.matchers else labels


def _joined(term: Term, left: Facts, right: Facts) -> Labels:
    """The labels of the result of an operation."""
    one, other, matching = left.labels, right.labels, term.matching
    if left.scalar or right.scalar:
        return other if left.scalar else one
    if term.name in ("and", "unless"):
        return one
    if term.name == "or":
        return one.either(other)
    if matching is None:
        return one.both(other)
    if matching.group:
        return (one if matching.group == "left" else other).added(matching.include)
    return one.kept(matching.labels) if matching.on else one.both(other).without(matching.labels)


def _is_share(part: Term, whole: Term) -> bool:
    """Whether `part` is the same as `whole`, over some of its series only, so that it is never larger."""
    if part.form != whole.form or part.name != whole.name or len(part.parts) != len(whole.parts):
        return False
    if part.form == "selector":
        counts = part.seconds is not None or part.name.endswith(("_total", "_count", "_bucket", "_sum"))
        same = (part.seconds, part.moved) == (whole.seconds, whole.moved) and bool(part.name)
        plain = not (part.alternatives or whole.alternatives)
        return counts and same and plain and covered(part.matchers, by=whole.matchers)
    if part.form == "aggregation":
        fits = part.name in ("sum", "count") and (part.labels, part.grouping) == (whole.labels, whole.grouping)
    else:
        fits = part.form == "call" and part.name in ("rate", "increase")
    return fits and _is_share(part.parts[0], whole.parts[0])


def _kind_of_arithmetic(name: str, left: Facts, right: Facts) -> tuple[Kind, Facts]:
    """A counter times or divided by anything, or added to a counter, goes on as a counter; a difference need not."""
    counters = [side for side in (left, right) if side.kind == "counter"]
    if not counters:
        known = left if left.kind else right
        return ("gauge" if left.kind == right.kind == "gauge" else ""), known
    divides = name == "/" and right.kind == "counter" and left.kind != "counter"
    fits = name in ("+", "*", "/") and not divides and (len(counters) == 2 or left.scalar or right.scalar)
    return ("counter" if fits else ""), counters[0]


def _either(one: Facts, other: Facts) -> Facts:
    (low, high, whole), values = one.values, other.values
    return replace(
        one,
        labels=one.labels.either(other.labels),
        values=Interval(min(low, values.low), max(high, values.high), whole and values.whole),
        kind=one.kind if one.kind == other.kind else "",
        aggregated=one.aggregated or other.aggregated,
        filtered=one.filtered and other.filtered,
    )
