"""All audits of one expression, and what is sure of each part: its labels, its least and greatest value, its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from math import inf, isfinite
from typing import TYPE_CHECKING, Literal, NamedTuple

from cloudxai_analysis.lint import Finding, findings_of, found
from cloudxai_analysis.lint.expressions import (
    BY_ALL,
    COMPARISONS,
    DIFFERENCES,
    RATES,
    STAND_IN,
    Term,
    Unparsed,
    parse,
    readable,
)
from cloudxai_analysis.lint.metrics import BY_NAME, NAMES, Kind, Metrics
from cloudxai_analysis.lint.rules import PLACEHOLDER, Rule, language_of

if TYPE_CHECKING:
    from cloudxai_analysis.lint.corpus import Corpus

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

    def without(self, *labels: str) -> Labels:
        """What is left when these are taken away."""
        only = None if self.only is None else self.only.difference(labels)
        return Labels(only, self.lacks.union(labels), self.sure.difference(labels))

    def kept(self, labels: frozenset[str]) -> Labels:
        """What is left when only these are kept; who names a label expects it to be there.

        That one is not there is told where it is named, and not again of what stands around it.
        """
        return Labels(labels, NOTHING, frozenset(filter(self.may_have, labels)))

    def added(self, *labels: str) -> Labels:
        """What it is when these are put in."""
        only = None if self.only is None else self.only.union(labels)
        return Labels(only, self.lacks.difference(labels), self.sure.union(labels))

    def either(self, other: Labels) -> Labels:
        """What holds for series of the one and of the other."""
        only = None if self.only is None or other.only is None else self.only | other.only
        lacks = frozenset(label for label in self.lacks if not other.may_have(label))
        return Labels(only, lacks, self.sure & other.sure)


_FUNCTIONS = {kind: frozenset(names) for kind, names in NAMES["functions"].items()}
_LONGEST_CHAIN = 20  # of rules that record what others record
# Between which numbers the values of some lie, ends included.
_ANY, _TRUTH = (-inf, inf), (0.0, 1.0)
_BOUNDS = {
    **dict.fromkeys(_FUNCTIONS["one"], (1.0, 1.0)),
    **dict.fromkeys(_FUNCTIONS["count"], (1.0, inf)),
    **dict.fromkeys(_FUNCTIONS["not_negative"] | RATES, (0.0, inf)),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is sure of one part: its labels, that no value is below `low` or above `high`, and more.

    `kind` is 'counter' where its values are those of counters, if added up; `because` says where
    that is known from.
    """

    labels: Labels = Labels()
    low: float = -inf
    high: float = inf
    kind: Kind = ""
    because: str = ""
    metric: str = ""
    aggregated: bool = False
    scalar: bool = False

    @property
    def assumed(self) -> bool:
        """Whether the kind is known by a name alone."""
        return self.because.endswith(BY_NAME)

    @property
    def number(self) -> float | None:
        """The only value, if there is but one."""
        return self.low if self.low == self.high else None

    def never(self, sign: str, bound: float) -> bool:
        """Whether `value sign bound` is false for each of its values; nothing is sure where nothing is known."""
        return {
            "==": not self.low <= bound <= self.high,
            "!=": self.number == bound,
            ">": self.high <= bound,
            ">=": self.high < bound,
            "<": self.low >= bound,
            "<=": self.low > bound,
        }[sign] and isfinite(bound)


Use = Literal["alert", "record", "panel"]
# What is only the consequence of another fault is not told beside it.
_CONSEQUENCES = {
    "promql/quantile-without-le": ("promql/lost-label", "promql/unknown-label"),
    "promql/lost-label": ("promql/never-matches",),
    "promql/not-on-server": ("promql/unknown-label",),
}


class Asked(NamedTuple):
    """An expression as a whole, with what is known of metrics and sure of terms: with it rules of terms are asked."""

    root: Term
    use: Use
    metrics: Metrics
    facts: Callable[[Term], Facts]
    scrape_seconds: float | None


class Auditor:
    """Audits of expressions that stand in `file`, by what contract, recording rules and a server say of metrics.

    What is not sure of a part is left open: any label, any value, no kind.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.metrics = Metrics(corpus)
        self._recorded: dict[str, Facts] = {}
        self._deep = 0
        self._known: dict[tuple[int, str], tuple[Term | None, Facts]] = {}
        self.file = ""

    def findings(self, text: str, file: str, line: int, subject: str, use: Use) -> tuple[Term | None, list[Finding]]:
        """The expression, None where it is none that can be read, and every fault that it has by itself."""
        self.file = file
        if not text.strip():
            return None, []
        if "{{" in text or "[[" in text or PLACEHOLDER.fullmatch(text):
            return None, [found("files/templated", "The expression holds a template.", file, line, subject)]
        try:
            root = parse(text)
        except Unparsed as error:
            if language_of(text) == "MetricsQL":
                said = "Expressions in it are MetricsQL, for VictoriaMetrics; those were not audited."
                return None, [found("files/other-language", said, file, 1)]
            said = f"The parser of these audits cannot read it: {error}."
            return None, [found("promql/unread", said, file, line, subject)]
        asked = Asked(root, use, self.metrics, self.of, self.corpus.scrape_seconds)
        parts = [("expression", root), *((term.form, term) for term in root.walk())]
        told = [findings_of(term, asked, of=form, file=file, line=line, subject=subject) for form, term in parts]
        return root, _told_once([finding for findings in told for finding in findings])

    def of(self, term: Term | None) -> Facts:
        """What is sure of the term; of one that could not be read nothing."""
        key = id(term), self.file
        if key not in self._known:
            # The term is kept with it: no other can get its identity.
            self._known[key] = (term, self._infer(term) if term is not None else Facts())
        return self._known[key][1]

    def recorded(self, name: str) -> Facts:
        """What is sure of the series that the corpus's rules record under that name, but for long chains."""
        if name not in self._recorded:
            self._recorded[name] = Facts()  # rules may record each other
            self._deep += 1
            if self._deep <= _LONGEST_CHAIN:
                facts = reduce(_either, map(self._of_rule, self.metrics.recorded[name]))
                because = f"recorded from {facts.metric or 'a counter'}, {facts.because}"
                self._recorded[name] = replace(facts, metric=name, scalar=False, because=because)
            self._deep -= 1
        return self._recorded[name]

    def _of_rule(self, rule: Rule) -> Facts:
        asked, self.file = self.file, rule.file
        facts = self.of(readable(rule.expr))
        self.file = asked
        return replace(facts, labels=facts.labels.added(*rule.labels))

    def _infer(self, term: Term) -> Facts:
        match term.form:
            case "number" | "string":
                known = term.form == "number" and isfinite(term.number)
                return Facts(Labels(NOTHING), *((term.number, term.number) if known else _ANY), scalar=True)
            case "selector":
                return self._selector(term)
            case "subquery":
                return self.of(term.parts[0])
            case "negation":
                inside = self.of(term.parts[0])
                return replace(inside, low=-inside.high, high=-inside.low, kind="")
            case "call":
                return self._call(term)
            case "aggregation":
                return self._aggregation(term)
        return self._operation(term, *map(self.of, term.parts))

    def _selector(self, term: Term) -> Facts:
        name, metrics = term.name, self.metrics
        if name in metrics.recorded:
            facts = self.recorded(name)
            # Another server may have recorded it, and what is federated gets labels on its way.
            if any(one.file != self.file for one in metrics.recorded[name]):
                facts = replace(facts, labels=Labels(sure=facts.labels.sure))
        else:
            (only, sure), (kind, because), promised = metrics.labels(name), metrics.kind(name), metrics.promised(name)
            low, high = (0.0, inf) if kind == "counter" and because != BY_NAME else _ANY
            if promised is not None and promised.unit == "1":
                low, high = _TRUTH
            facts = Facts(Labels(only, NOTHING, sure), low, high, kind, because)
        labels = facts.labels
        if term.alternatives:
            labels = Labels(labels.only)
        for one in term.matchers if not term.alternatives else ():
            if one.operator == "=" and not one.value:
                labels = labels.without(one.name)
            elif one.operator != "!~" and one.accepts("") is False:
                # The pattern that is chosen in a dashboard may be that of all values, and of none.
                chosen = one.operator == "=~" and STAND_IN in one.value
                labels = labels if chosen else labels.added(one.name)
        return replace(facts, labels=labels, metric=name)

    def _call(self, term: Term) -> Facts:
        name, vectors = term.name, [part for part in term.parts if part.form not in ("number", "string")]
        if not vectors:
            return Facts(Labels(NOTHING), *_BOUNDS.get(name, _ANY), scalar=name not in _FUNCTIONS["make_vectors"])
        inside = self.of(vectors[0])
        facts = replace(_bounded(name, inside), scalar=name == "scalar")
        if name not in _FUNCTIONS["same"]:
            facts = replace(facts, kind="gauge" if name in RATES | DIFFERENCES else "", because=f"it is a {name}()")
        if name in ("absent", "absent_over_time"):
            selected = (one.name for one in vectors[0].matchers if one.operator == "=" and one.value)
            return replace(facts, labels=Labels(NOTHING).added(*selected))
        if name == "histogram_quantile":
            return replace(facts, labels=inside.labels.without("le"))
        if name in ("label_replace", "label_join") and len(term.parts) > 1:
            return replace(facts, labels=inside.labels.added(term.parts[1].text))
        return replace(facts, labels=Labels(NOTHING)) if name == "vector" else facts

    def _aggregation(self, term: Term) -> Facts:
        inside, name = self.of(term.parts[0]), term.name
        if name in _FUNCTIONS["choose"]:
            return inside
        without = term.grouping == "without"
        labels = inside.labels.without(*term.labels) if without else inside.labels.kept(term.labels)
        if name == "count_values" and len(term.parts) > 1:
            labels = labels.added(term.parts[1].text)
        kind: Kind = "" if name in _BOUNDS else inside.kind
        return replace(_bounded(name, inside), labels=labels, kind=kind, aggregated=True, scalar=False)

    def _operation(self, term: Term, left: Facts, right: Facts) -> Facts:
        labels = _joined(term, left, right)
        if term.name == "or":
            return replace(_either(left, right), labels=labels)
        if term.name in ("and", "unless"):
            return replace(left, labels=labels)
        scalar = left.scalar and right.scalar
        if term.as_bool:
            return Facts(labels, *_TRUTH, scalar=scalar)
        if term.name in COMPARISONS:
            # What is left is the vector's values, also where the number stands on its left.
            return replace(right if left.scalar else left, labels=labels)
        kind, origin = _kind_of_arithmetic(term.name, left, right)
        low, high = _ANY
        if term.name in ("+", "*", "/") and min(left.low, right.low) >= 0:
            low, high = 0.0, 1.0 if term.name == "/" and _is_share(*term.parts) else inf
        return replace(origin, labels=labels, low=low, high=high, kind=kind, scalar=scalar)


def _bounded(name: str, inside: Facts) -> Facts:
    """The facts of a part, with the bounds of what a function or aggregation makes of it."""
    low, high = _BOUNDS.get(name, _ANY)
    if name in _FUNCTIONS["same"] | _FUNCTIONS["between"]:
        low, high = inside.low, inside.high
    elif name in _FUNCTIONS["stay_positive"] and inside.low >= 0:
        low = 0.0
    return replace(inside, low=low, high=high)


def _joined(term: Term, left: Facts, right: Facts) -> Labels:
    """The labels of the result of an operation."""
    one, other, matching = left.labels, right.labels, term.matching
    if left.scalar or right.scalar:
        return other if left.scalar else one
    if term.name == "or":
        return one.either(other)
    if term.name in ("and", "unless"):
        return one
    if matching == BY_ALL:
        return replace(one, sure=one.sure | other.sure)
    if matching.group:
        return (one if matching.group == "left" else other).added(*matching.include)
    return one.kept(matching.labels) if matching.on else one.without(*matching.labels)


def _is_share(part: Term, whole: Term) -> bool:
    """Whether `part` is the same rate as `whole`, of some of its series only, so that it is never larger."""
    if part.form == "selector":
        alike = replace(part, matchers=whole.matchers) == whole and part.seconds is not None
        return alike and not part.alternatives and set(whole.matchers) <= set(part.matchers)
    alike = (part.name, part.labels, part.grouping) == (whole.does, whole.labels, whole.grouping)
    return alike and part.name in ("sum", "rate", "increase") and _is_share(part.parts[0], whole.parts[0])


def _kind_of_arithmetic(name: str, left: Facts, right: Facts) -> tuple[Kind, Facts]:
    """A counter times or divided by anything, or added to a counter, goes on as a counter; a difference need not."""
    counters = [side for side in (left, right) if side.kind == "counter"]
    if not counters:
        return ("gauge" if left.kind == right.kind == "gauge" else ""), left if left.kind else right
    divides = name == "/" and left.kind != "counter"
    fits = name in ("+", "*", "/") and not divides and (len(counters) == 2 or left.scalar or right.scalar)
    return ("counter" if fits else ""), counters[0]


def _either(one: Facts, other: Facts) -> Facts:
    return replace(
        one,
        labels=one.labels.either(other.labels),
        low=min(one.low, other.low),
        high=max(one.high, other.high),
        kind=one.kind if one.kind == other.kind else "",
        aggregated=one.aggregated or other.aggregated,
    )


def _told_once(findings: list[Finding]) -> list[Finding]:
    """The findings, each once, without those that are only the consequence of another."""
    codes = {finding.code for finding in findings}
    consequences = {code for cause in codes for code in _CONSEQUENCES.get(cause, ())}
    left = [finding for finding in dict.fromkeys(findings) if finding.code not in consequences]
    # Where a part never matches, what stands around it does not either.
    inner = [finding for finding in left if finding.code == "promql/never-matches"][-1:]
    return [finding for finding in left if finding.code != "promql/never-matches" or finding in inner]
