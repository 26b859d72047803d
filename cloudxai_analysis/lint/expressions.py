"""PromQL as a tree of terms, parsed by promql-parser; what it cannot parse is said, never a crash."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import promql_parser as promql

from cloudxai_analysis.lint.matchers import Matcher, Operator

STAND_IN = "grafana_variable_"  # what a dashboard's variable is read as begins like this
LONGEST = 100_000  # characters
MOST_OPERATORS = 150
DEEPEST = 60  # brackets inside each other
_HARMLESS = 200  # characters that cannot be deep enough to exhaust the parser's stack
_SIGNS = re.compile(
    r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|\#[^\n]*|[(\[{]|[)\]}]|[-+*/%^<>=!]+|\b(?:and|or|unless|atan2)\b"""
)
_BRACKETS = dict.fromkeys("([{", 1) | dict.fromkeys(")]}", -1)
TURNED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}
COMPARISONS = frozenset(TURNED)
SET_OPERATORS = frozenset({"and", "or", "unless"})
# Functions that need a counter, and those that need a gauge.
RATES = frozenset({"rate", "irate", "increase"})
DIFFERENCES = frozenset({"delta", "idelta", "deriv", "predict_linear", "holt_winters", "double_exponential_smoothing"})
_MATCH_SIGNS: dict[str, Operator] = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}

Form = Literal["number", "string", "selector", "subquery", "call", "aggregation", "operation", "negation"]


class Unparsed(ValueError):
    """The text is no PromQL that the parser knows, or too long or deep to be given to it."""


class Matching(NamedTuple):
    """How two vectors are matched: `on` these labels or all but these; `group` is the side with many, or ''."""

    on: bool = False
    labels: frozenset[str] = frozenset()
    group: Literal["", "left", "right"] = ""
    include: frozenset[str] = frozenset()


BY_ALL = Matching()


@dataclass(frozen=True, slots=True)
class Term:
    """A part of an expression, without the brackets that only group.

    `name` is a metric's, a function's or an operator's; `parts` are what it is applied to;
    `seconds` the length of a range; `labels` with `grouping` what an aggregation keeps (by) or
    drops (without); `moved` is whether it has an offset or a moment of its own; `source` is what
    the parser gave.
    """

    form: Form
    name: str = ""
    parts: tuple[Term, ...] = ()
    number: float = 0.0
    matchers: tuple[Matcher, ...] = ()
    alternatives: bool = False
    seconds: float | None = None
    moved: bool = False
    labels: frozenset[str] = frozenset()
    grouping: Literal["", "by", "without"] = ""
    matching: Matching = BY_ALL
    as_bool: bool = False
    text: str = ""
    source: Any = field(default=None, compare=False, repr=False)

    @property
    def does(self) -> str:
        """The function, aggregation or operator that it is; '' of a selector, whose name can be any."""
        return "" if self.form == "selector" else self.name

    @property
    def compares(self) -> bool:
        """Whether it is a comparison that drops what does not hold."""
        return self.does in COMPARISONS and not self.as_bool

    @property
    def selectors(self) -> list[Term]:
        """Every selector in it, from left to right."""
        return [term for term in self.walk() if term.form == "selector"]

    @property
    def metrics(self) -> frozenset[str]:
        """The names of the series that it asks for, as far as it names them."""
        return frozenset(term.name for term in self.selectors if term.name)

    def __str__(self) -> str:
        return _shortened(str(self.source).replace("{}", ""), most=120)

    def walk(self) -> Iterator[Term]:
        """This term and every term inside it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def sides(self, of: Collection[str], *, compared: bool = False) -> Iterator[Term]:
        """What stands on both sides of these operators, and with `compared` of comparisons, however deep."""
        if self.does not in of and not (compared and self.compares):
            yield self
        else:
            for part in self.parts:
                yield from part.sides(of, compared=compared)


@lru_cache(maxsize=16384)
def parse(text: str) -> Term:
    """The expression that `text` is; raises Unparsed with the reason where it is none that can be read."""
    _refuse_too_deep(text)
    try:
        parsed = promql.parse(text)
    except ValueError as error:
        raise Unparsed(_shortened(str(error))) from None
    return _term(parsed)


def readable(text: str) -> Term | None:
    """The expression that `text` is, None where it cannot be read."""
    try:
        return parse(text)
    except Unparsed:
        return None


def _shortened(text: str, most: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _refuse_too_deep(text: str) -> None:
    """The parser is recursive and its stack is the process's: what could exhaust it never gets there."""
    if len(text) <= _HARMLESS:
        return
    if len(text) > LONGEST:
        raise Unparsed(f"it is longer than {LONGEST:,} characters")
    depth = operators = 0
    in_braces = False
    for sign in (found[0] for found in _SIGNS.finditer(text)):
        if sign in _BRACKETS:
            depth += _BRACKETS[sign]
            in_braces = sign == "{"
            if depth > DEEPEST:
                raise Unparsed(f"it is nested deeper than {DEEPEST} brackets")
        elif sign[0] not in "\"'`#" and not in_braces:
            operators += len(sign)
    if operators > MOST_OPERATORS:
        raise Unparsed(f"it has more than {MOST_OPERATORS} operators")


def _term(parsed: Any) -> Term:
    while isinstance(parsed, promql.ParenExpr):
        parsed = parsed.expr
    return replace(_read(parsed), source=parsed)


def _read(parsed: Any) -> Term:
    match parsed:
        case promql.NumberLiteral():
            return Term("number", number=parsed.val)
        case promql.StringLiteral():
            return Term("string", text=parsed.val)
        case promql.UnaryExpr():
            return Term("negation", "-", (_term(parsed.expr),))
        case promql.VectorSelector():
            return _selector(parsed)
        case promql.MatrixSelector():
            return replace(_selector(parsed.vector_selector), seconds=parsed.range.total_seconds())
        case promql.SubqueryExpr(range=timedelta() as span):
            return Term("subquery", "", (_term(parsed.expr),), seconds=span.total_seconds())
        case promql.Call():
            return Term("call", parsed.func.name, tuple(map(_term, parsed.args)))
        case promql.AggregateExpr():
            return _aggregation(parsed)
    return _operation(parsed)


def _selector(parsed: Any) -> Term:
    name = parsed.name or ""
    read = []
    for matcher in parsed.matchers.matchers:
        sign = _MATCH_SIGNS[str(matcher.op).removeprefix("MatchOp.")]
        if matcher.name == "__name__" and sign == "=" and not name:
            name = matcher.value
        else:
            read.append(Matcher(matcher.name, sign, matcher.value))
    moved = parsed.offset is not None or parsed.at is not None
    return Term("selector", name, matchers=tuple(read), alternatives=bool(parsed.matchers.or_matchers), moved=moved)


def _aggregation(parsed: Any) -> Term:
    term = Term("aggregation", str(parsed.op), tuple(map(_term, filter(None, (parsed.expr, parsed.param)))))
    how = parsed.modifier
    if how is None:
        return term
    return replace(term, labels=frozenset(how.labels), grouping="by" if str(how.type).endswith("By") else "without")


def _operation(parsed: Any) -> Term:
    term = Term("operation", str(parsed.op), (_term(parsed.lhs), _term(parsed.rhs)))
    modifier = parsed.modifier
    if modifier is None:
        return term
    how, card = modifier.matching, str(modifier.card)
    group: Literal["", "left", "right"] = "left" if "ManyToOne" in card else "right" if "OneToMany" in card else ""
    on, labels = (str(how.type).endswith(("On", "Include")), frozenset(how.labels)) if how else (False, frozenset())
    matching = Matching(on, labels, group, frozenset(modifier.group_labels or ()))
    return replace(term, matching=matching, as_bool=bool(modifier.return_bool))
