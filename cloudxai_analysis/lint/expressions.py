"""PromQL as a tree of terms, parsed by promql-parser; what it cannot parse is said, never a crash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import promql_parser as promql

from cloudxai_analysis.lint.matchers import Matcher, Operator

LONGEST = 100_000  # characters
MOST_OPERATORS = 150
DEEPEST = 60  # brackets inside each other
_HARMLESS = 200  # characters that cannot be deep enough to exhaust the parser's stack
_SIGNS = re.compile(
    r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|\#[^\n]*|[(\[{]|[)\]}]|[-+*/%^<>=!]+|\b(?:and|or|unless|atan2)\b"""
)
TURNED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}
COMPARISONS = frozenset(TURNED)
SET_OPERATORS = frozenset({"and", "or", "unless"})
# Functions that need a counter, and those that need a gauge.
RATES = frozenset({"rate", "irate", "increase"})
DIFFERENCES = frozenset({"delta", "idelta", "deriv", "predict_linear", "holt_winters", "double_exponential_smoothing"})
_MATCH_SIGNS: dict[str, Operator] = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}

Form = Literal["number", "string", "selector", "subquery", "call", "aggregation", "operation", "negation"]


class Unparsed(ValueError):
    """The text is no PromQL that the parser knows, or too long or deep to be given to it."""


@dataclass(frozen=True, slots=True)
class Matching:
    """How two vectors are matched: `on` these labels or all but these; `group` is the side with many, or ''."""

    on: bool
    labels: frozenset[str]
    group: Literal["", "left", "right"]
    include: frozenset[str]


@dataclass(frozen=True, slots=True)
class Term:
    """A part of an expression, without the brackets that only group.

    `name` is a metric's, a function's or an operator's; `parts` are what it is applied to; `seconds` the length of a
    range; `labels` with `grouping` what an aggregation keeps (by) or drops (without); `moved` is whether it has an
    offset or an @.
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
    matching: Matching | None = None
    as_bool: bool = False
    text: str = ""
    source: Any = field(default=None, compare=False, repr=False)

    @property
    def compares(self) -> bool:
        """Whether it is a comparison that drops what does not hold."""
        return self.form == "operation" and self.name in COMPARISONS and not self.as_bool

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
        waiting = [self]
        while waiting:
            term = waiting.pop()
            yield term
            waiting.extend(reversed(term.parts))


@lru_cache(maxsize=16384)
def parse(text: str) -> Term:
    """The expression that `text` is; raises Unparsed with the reason where it is none that can be read."""
    _refuse_too_deep(text)
    try:
        parsed = promql.parse(text)
    except ValueError as error:
        raise Unparsed(_shortened(str(error))) from None
    return _term(parsed)


def _shortened(text: str, most: int = 300) -> str:
    """The text on one line, cut where it is longer."""
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
    for sign in _SIGNS.finditer(text):
        first = sign[0][0]
        if first in "([{":
            depth += 1
            in_braces = first == "{"
            if depth > DEEPEST:
                raise Unparsed(f"it is nested deeper than {DEEPEST} brackets")
        elif first in ")]}":
            depth -= 1
            in_braces = False
        elif first not in "\"'`#" and not in_braces:
            operators += len(sign[0])
    if operators > MOST_OPERATORS:
        raise Unparsed(f"it has more than {MOST_OPERATORS} operators")


def _term(parsed: Any) -> Term:
    term: Term = _READERS[type(parsed)](parsed)
    return term if term.source is not None else replace(term, source=parsed)


def _number(parsed: Any) -> Term:
    return Term("number", number=parsed.val)


def _string(parsed: Any) -> Term:
    return Term("string", text=parsed.val)


def _negation(parsed: Any) -> Term:
    return Term("negation", "-", (_term(parsed.expr),))


def _selector(parsed: Any, seconds: float | None = None) -> Term:
    matchers = parsed.matchers
    name = parsed.name or ""
    read = []
    for matcher in matchers.matchers:
        label, sign = matcher.name, _MATCH_SIGNS[str(matcher.op)]
        if label == "__name__" and sign == "=" and not name:
            name = matcher.value
        else:
            read.append(Matcher(label, sign, matcher.value))
    return Term(
        "selector",
        name,
        matchers=tuple(read),
        alternatives=bool(matchers.or_matchers),
        seconds=seconds,
        moved=parsed.offset is not None or parsed.at is not None,
    )


def _range(parsed: Any) -> Term:
    return _selector(parsed.vector_selector, parsed.range.total_seconds())


def _subquery(parsed: Any) -> Term:
    moved = parsed.offset is not None or parsed.at is not None
    return Term("subquery", parts=(_term(parsed.expr),), seconds=parsed.range.total_seconds(), moved=moved)


def _call(parsed: Any) -> Term:
    return Term("call", parsed.func.name, tuple(_term(argument) for argument in parsed.args))


def _aggregation(parsed: Any) -> Term:
    modifier, parameter = parsed.modifier, parsed.param
    grouping: Literal["", "by", "without"] = ""
    if modifier is not None:
        grouping = "by" if str(modifier.type).endswith("By") else "without"
    parts = (_term(parsed.expr),) if parameter is None else (_term(parsed.expr), _term(parameter))
    labels = frozenset(modifier.labels) if modifier is not None else frozenset()
    return Term("aggregation", str(parsed.op), parts, labels=labels, grouping=grouping)


def _operation(parsed: Any) -> Term:
    modifier, matching = parsed.modifier, None
    if modifier is not None:
        card = str(modifier.card)
        group: Literal["", "left", "right"] = ""
        if "ManyToOne" in card or "OneToMany" in card:
            group = "left" if "ManyToOne" in card else "right"
        how = modifier.matching
        if how is not None or group:
            matching = Matching(
                on=how is not None and str(how.type).endswith(("On", "Include")),
                labels=frozenset(how.labels) if how is not None else frozenset(),
                group=group,
                include=frozenset(modifier.group_labels or ()),
            )
    return Term(
        "operation",
        str(parsed.op),
        (_term(parsed.lhs), _term(parsed.rhs)),
        matching=matching,
        as_bool=modifier is not None and bool(modifier.return_bool),
    )


_READERS: dict[type, Any] = {
    promql.NumberLiteral: _number,
    promql.StringLiteral: _string,
    promql.ParenExpr: lambda parsed: _term(parsed.expr),
    promql.UnaryExpr: _negation,
    promql.VectorSelector: _selector,
    promql.MatrixSelector: _range,
    promql.SubqueryExpr: _subquery,
    promql.Call: _call,
    promql.AggregateExpr: _aggregation,
    promql.BinaryExpr: _operation,
}
