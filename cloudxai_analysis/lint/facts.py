"""What is sure of each part of an expression: its labels, its values, its kind, and whether it looks over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isnan

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
from cloudxai_analysis.lint.intervals import (
    ANY,
    COUNT,
    EVENTS,
    NOT_NEGATIVE,
    ONE,
    TRUTH,
    Interval,
    point,
)
from cloudxai_analysis.lint.label_sets import (
    ANYTHING,
    NOTHING,
    Labels,
    absent_labels,
    joined_labels,
    matched_labels,
    relabelled,
)
from cloudxai_analysis.lint.matchers import covered
from cloudxai_analysis.lint.metrics import BY_NAME, Kind, Metrics

_SAME_VALUES = frozenset(
    {"avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time", "quantile_over_time"}
    | {"sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "label_replace", "label_join", "info"}
)
_SAME_KIND = frozenset(
    {"min_over_time", "max_over_time", "last_over_time", "first_over_time", "sort", "sort_desc", "sort_by_label"}
    | {"sort_by_label_desc", "label_replace", "label_join", "round", "floor", "ceil", "info"}
)
_OF_FUNCTION = {
    "absent": ONE,
    "absent_over_time": ONE,
    "present_over_time": ONE,
    "count_over_time": COUNT,
    "changes": EVENTS,
    "resets": EVENTS,
    "time": NOT_NEGATIVE,
    "timestamp": NOT_NEGATIVE,
    "abs": NOT_NEGATIVE,
    "sqrt": NOT_NEGATIVE,
    "exp": NOT_NEGATIVE,
    "stddev_over_time": NOT_NEGATIVE,
    "stdvar_over_time": NOT_NEGATIVE,
    "mad_over_time": NOT_NEGATIVE,
    "sgn": Interval(-1.0, 1.0, whole=True),
    "minute": Interval(0.0, 59.0, whole=True),
    "hour": Interval(0.0, 23.0, whole=True),
    "day_of_week": Interval(0.0, 6.0, whole=True),
    "day_of_month": Interval(1.0, 31.0, whole=True),
    "day_of_year": Interval(1.0, 366.0, whole=True),
    "days_in_month": Interval(28.0, 31.0, whole=True),
    "month": Interval(1.0, 12.0, whole=True),
    "year": Interval(low=1970.0, whole=True),
}
_OF_AGGREGATION = {
    "count": COUNT,
    "count_values": COUNT,
    "group": ONE,
    "stddev": NOT_NEGATIVE,
    "stdvar": NOT_NEGATIVE,
}
_STAY_POSITIVE = frozenset({"sum_over_time", "ceil", "floor", "round"})
_SCALARS = frozenset({"time", "scalar", "pi"})
_MAKE_VECTORS = frozenset({"vector", "absent", "absent_over_time"})
_OF_THE_CLOCK = frozenset(
    {"minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"}
)
_LOOK_OVER_TIME = RATES | DIFFERENCES | _OF_THE_CLOCK | {"time", "timestamp", "changes", "resets"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is sure of one part.

    `kind` is 'counter' where its values are those of counters, if added up; `filtered` is whether it can be empty
    because a condition in it does not hold, `windowed` whether it looks at more than one moment.
    """

    labels: Labels = ANYTHING
    values: Interval = ANY
    kind: Kind = ""
    because: str = ""
    metric: str = ""
    aggregated: bool = False
    filtered: bool = False
    windowed: bool = False
    scalar: bool = False
    quantile: bool = False

    @property
    def assumed(self) -> bool:
        """Whether the kind is known by a name alone."""
        return self.because.endswith(BY_NAME)


class Inference:
    """Facts of the parts of expressions, inferred from what is known of metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._recorded: dict[str, Facts] = {}
        self._open: set[str] = set()
        self._known: dict[int, tuple[Term, Facts]] = {}

    def of(self, term: Term) -> Facts:
        """What is sure of the term."""
        known = self._known.get(id(term))
        if known is None:
            # The term is kept with it: no other can get its identity.
            known = self._known[id(term)] = (term, self._infer(term))
        return known[1]

    def forget(self) -> None:
        """Drop what was kept of single terms, before the next expression; what is recorded stays."""
        self._known.clear()

    def _infer(self, term: Term) -> Facts:
        match term.form:
            case "number":
                return Facts(labels=Labels(NOTHING), values=point(term.number), scalar=True)
            case "string":
                return Facts(scalar=True)
            case "selector":
                return self._selector(term)
            case "subquery":
                return replace(self.of(term.parts[0]), windowed=True)
            case "negation":
                inside = self.of(term.parts[0])
                return replace(inside, values=inside.values.negative(), kind="")
            case "call":
                return self._call(term)
            case "aggregation":
                return self._aggregation(term)
        return self._operation(term)

    def recorded(self, name: str) -> Facts:
        """What is sure of the series that the corpus's rules record under that name."""
        known = self._recorded.get(name)
        if known is not None:
            return known
        if name in self._open:
            return Facts(filtered=True, windowed=True)
        self._open.add(name)
        together: Facts | None = None
        for rule in self.metrics.recorded[name]:
            try:
                one = self.of(parse(rule.expr))
            except Unparsed:
                one = Facts(filtered=True, windowed=True)
            put_in = frozenset(label for label, value in rule.labels.items() if value)
            one = replace(one, labels=one.labels.added(put_in), scalar=False, metric=name)
            together = one if together is None else _either(together, one)
        self._open.discard(name)
        found = together or Facts()
        if found.kind == "counter":
            found = replace(found, because=f"recorded from {found.metric or 'a counter'}, {found.because}")
        self._recorded[name] = found
        return found

    def _selector(self, term: Term) -> Facts:
        name = term.name
        if name in self.metrics.recorded:
            facts = self.recorded(name)
        else:
            only, sure = self.metrics.labels(name)
            known = self.metrics.kind(name)
            unknown_recorded = ":" in name or not name
            facts = Facts(
                labels=Labels(only, NOTHING, sure),
                values=self.metrics.values(name),
                kind=known.kind,
                because=known.because,
                metric=name,
                filtered=unknown_recorded or name.startswith("ALERTS"),
                windowed=unknown_recorded,
            )
        windowed = facts.windowed or term.moved or term.seconds is not None
        return replace(facts, labels=matched_labels(facts.labels, term), metric=name, windowed=windowed)

    def _call(self, term: Term) -> Facts:
        name = term.name
        vectors = [part for part in term.parts if part.form not in ("number", "string")]
        inside = self.of(vectors[0]) if vectors else Facts(labels=Labels(NOTHING), scalar=True)
        kind: Kind = inside.kind if name in _SAME_KIND else "gauge" if name in RATES | DIFFERENCES else ""
        scalar = name in _SCALARS or (inside.scalar and name not in _MAKE_VECTORS)
        return Facts(
            labels=_labels_of_call(term, inside, bool(vectors)),
            values=_values_of_call(term, inside),
            kind=kind,
            because=inside.because if kind == inside.kind else f"it is a {name}()",
            metric=inside.metric,
            aggregated=inside.aggregated and kind == "counter",
            filtered=inside.filtered or name in ("absent", "absent_over_time"),
            windowed=inside.windowed or name in _LOOK_OVER_TIME or name.endswith("_over_time"),
            scalar=scalar and name not in _OF_THE_CLOCK,
            quantile=name == "histogram_quantile" or inside.quantile,
        )

    def _aggregation(self, term: Term) -> Facts:
        inside = self.of(term.parts[0])
        values, kind, labels = inside.values, inside.kind, inside.labels
        name = term.name
        if name in ("topk", "bottomk", "limitk", "limit_ratio"):
            return inside
        if name == "sum":
            values = Interval(low=0.0, whole=values.whole) if values.low >= 0 else ANY
        elif name in _OF_AGGREGATION:
            values, kind = _OF_AGGREGATION[name], ""
        elif name in ("avg", "quantile"):
            values = replace(values, whole=False)
        kept = labels.kept(term.labels) if term.grouping == "by" else labels.without(term.labels)
        if not term.grouping:
            kept = Labels(NOTHING)
        if name == "count_values" and len(term.parts) > 1:
            kept = kept.added(frozenset({term.parts[1].text}))
        return replace(inside, labels=kept, values=values, kind=kind, aggregated=True, scalar=False)

    def _operation(self, term: Term) -> Facts:
        left, right = (self.of(part) for part in term.parts)
        windowed = left.windowed or right.windowed
        if left.scalar or right.scalar:
            labels = right.labels if left.scalar else left.labels
        else:
            labels = joined_labels(term, left.labels, right.labels)
        if term.name in SET_OPERATORS:
            if term.name == "or":
                joined = _either(left, right)
                return replace(joined, labels=labels, filtered=left.filtered and right.filtered, windowed=windowed)
            return replace(left, labels=labels, filtered=True, windowed=windowed)
        scalar = left.scalar and right.scalar
        if term.name in COMPARISONS:
            if term.as_bool:
                filtered = left.filtered or right.filtered
                return Facts(labels, TRUTH, filtered=filtered, windowed=windowed, scalar=scalar)
            return replace(self._compared(term, left, right), labels=labels, filtered=True, windowed=windowed)
        kind, origin = _kind_of_arithmetic(term.name, left, right)
        return Facts(
            labels=labels,
            values=arithmetic(term, left.values, right.values),
            kind=kind,
            because=origin.because,
            metric=origin.metric,
            aggregated=origin.aggregated,
            filtered=left.filtered or right.filtered,
            windowed=windowed,
            scalar=scalar,
            quantile=left.quantile or right.quantile,
        )

    def _compared(self, term: Term, left: Facts, right: Facts) -> Facts:
        """What is left of a comparison: the vector's values that hold, also where the number stands on its left."""
        kept, other, sign = (right, left, TURNED[term.name]) if left.scalar else (left, right, term.name)
        bound = other.values.point
        return kept if bound is None else replace(kept, values=kept.values.where(sign, bound))


def _values_of_call(term: Term, inside: Facts) -> Interval:
    name, values = term.name, inside.values
    if name in _OF_FUNCTION:
        return _OF_FUNCTION[name]
    if name in ("avg_over_time", "quantile_over_time"):
        return replace(values, whole=False)
    if name in _SAME_VALUES or name in ("vector", "scalar"):
        return values
    if name in RATES or (name in _STAY_POSITIVE and values.low >= 0):
        return NOT_NEGATIVE
    return _clamped(term, values) if name.startswith("clamp") else ANY


def _labels_of_call(term: Term, inside: Facts, of_vector: bool) -> Labels:
    name = term.name
    if name in ("absent", "absent_over_time"):
        return absent_labels(term)
    if name == "histogram_quantile":
        return inside.labels.without(frozenset({"le"}))
    if name in ("label_replace", "label_join") and len(term.parts) > 1:
        return relabelled(inside.labels, term)
    if name == "vector" or (name in _OF_THE_CLOCK and not of_vector):
        return Labels(NOTHING)
    return inside.labels


def arithmetic(term: Term, left: Interval, right: Interval) -> Interval:
    """The values of a sum, difference, product or quotient, as far as they are bounded."""
    match term.name:
        case "+":
            return left.plus(right)
        case "-":
            return left.plus(right.negative())
        case "*":
            if left.point is not None or right.point is not None:
                factor, other = (left.point, right) if left.point is not None else (right.point, left)
                return other.times(factor or 0.0)
            return NOT_NEGATIVE if left.low >= 0 and right.low >= 0 else ANY
        case "/":
            if right.point:
                return left.times(1 / right.point)
            if is_share(*term.parts):
                return Interval(0.0, 1.0)
            return NOT_NEGATIVE if left.low >= 0 and right.low >= 0 else ANY
        case "%":
            if right.point and right.point > 0 and left.low >= 0:
                return Interval(0.0, right.point, high_open=True)
    return ANY


def is_share(part: Term, whole: Term) -> bool:
    """Whether `part` is the same as `whole`, over some of its series only, so that it is never larger."""
    if part.form != whole.form or part.name != whole.name or len(part.parts) != len(whole.parts):
        return False
    if part.form == "selector":
        if part.seconds is None and not part.name.endswith(("_total", "_count", "_bucket", "_sum")):
            return False
        same = (part.seconds, part.moved) == (whole.seconds, whole.moved) and bool(part.name)
        return same and not (part.alternatives or whole.alternatives) and covered(part.matchers, by=whole.matchers)
    if part.form == "aggregation":
        fits = part.name in ("sum", "count") and (part.labels, part.grouping) == (whole.labels, whole.grouping)
        return fits and is_share(part.parts[0], whole.parts[0])
    return part.form == "call" and part.name in ("rate", "increase") and is_share(part.parts[0], whole.parts[0])


def _kind_of_arithmetic(name: str, left: Facts, right: Facts) -> tuple[Kind, Facts]:
    """A counter times or divided by anything, or added to a counter, goes on as a counter; a difference need not."""
    counters = [side for side in (left, right) if side.kind == "counter"]
    if not counters:
        known = left if left.kind else right
        return ("gauge" if left.kind == right.kind == "gauge" else "", known)
    if name in ("+", "*", "/") and not (name == "/" and right.kind == "counter" and left.kind != "counter"):
        fits = len(counters) == 2 or left.scalar or right.scalar
        return ("counter" if fits else "", counters[0])
    return ("", counters[0])


def _either(one: Facts, other: Facts) -> Facts:
    same_kind: Kind = one.kind if one.kind == other.kind else ""
    return replace(
        one,
        labels=one.labels.either(other.labels),
        values=one.values.hull(other.values),
        kind=same_kind,
        aggregated=one.aggregated or other.aggregated,
        filtered=one.filtered and other.filtered,
        windowed=one.windowed or other.windowed,
        quantile=one.quantile and other.quantile,
    )


def _clamped(term: Term, inside: Interval) -> Interval:
    bounds = [part.number if part.form == "number" else None for part in term.parts[1:]]
    if any(bound is None or isnan(bound) for bound in bounds):
        return ANY
    numbers = [bound for bound in bounds if bound is not None]
    low, high = -inf, inf
    if term.name == "clamp_min":
        low = numbers[0]
    elif term.name == "clamp_max":
        high = numbers[0]
    elif len(numbers) == 2:
        low, high = numbers
    if low > high:
        return ANY
    return Interval(min(max(inside.low, low), high), max(min(inside.high, high), low))
