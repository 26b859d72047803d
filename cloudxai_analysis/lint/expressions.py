"""PromQL as a tree of terms, parsed by promql-parser; what it cannot parse is said, never a crash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import promql_parser as promql

from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.lint.matchers import Matcher, Operator

LONGEST = 100_000  # characters
MOST_OPERATORS = 150
DEEPEST = 60  # brackets inside each other
_HARMLESS = 200  # characters that cannot be deep enough to exhaust the parser's stack
_SIGNS = re.compile(
    r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|\#[^\n]*|[(\[{]|[)\]}]|[-+*/%^<>=!]+|\b(?:and|or|unless|atan2)\b"""
)
COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
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

    @property
    def compares(self) -> bool:
        """Whether it is a comparison that drops what does not hold."""
        return self.form == "operation" and self.name in COMPARISONS and not self.as_bool

    def __str__(self) -> str:
        return term_text(self)

    def walk(self) -> Iterator[Term]:
        """This term and every term inside it."""
        waiting = [self]
        while waiting:
            term = waiting.pop()
            yield term
            waiting.extend(reversed(term.parts))


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector and the functions and aggregations around it, the innermost first; `seconds` is its own range."""

    name: str
    matchers: tuple[Matcher, ...]
    seconds: float | None
    functions: tuple[str, ...]


@dataclass(frozen=True)
class Expression:
    """A parsed expression."""

    text: str
    root: Term

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """Every selector, from left to right."""
        return tuple(_selectors(self.root, ()))

    @property
    def metrics(self) -> frozenset[str]:
        """The names of the series that it asks for, as far as it names them."""
        return frozenset(term.name for term in self.root.walk() if term.form == "selector" and term.name)

    @property
    def comparison(self) -> Comparison | None:
        """The condition on top: what is compared, how, and with which number; None where there is none like that."""
        return _comparison(self.root)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left`, compared by `sign` with a number."""

    left: Term
    sign: str
    threshold: float


@lru_cache(maxsize=16384)
def parse(text: str) -> Expression:
    """The expression that `text` is; raises Unparsed with the reason where it is none that can be read."""
    _refuse_too_deep(text)
    try:
        parsed = promql.parse(text)
    except ValueError as error:
        raise Unparsed(_shortened(" ".join(str(error).split()))) from None
    return Expression(text, _term(parsed))


def _shortened(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:297]}..."


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
    return _READERS[type(parsed)](parsed)


def _number(parsed: Any) -> Term:
    return Term("number", number=parsed.val)


def _string(parsed: Any) -> Term:
    return Term("string", text=parsed.val)


def _inside(parsed: Any) -> Term:
    return _term(parsed.expr)


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
    promql.ParenExpr: _inside,
    promql.UnaryExpr: _negation,
    promql.VectorSelector: _selector,
    promql.MatrixSelector: _range,
    promql.SubqueryExpr: _subquery,
    promql.Call: _call,
    promql.AggregateExpr: _aggregation,
    promql.BinaryExpr: _operation,
}


def _selectors(term: Term, around: tuple[str, ...]) -> Iterator[Selector]:
    if term.form == "selector":
        yield Selector(term.name, term.matchers, term.seconds, around)
        return
    inside = (term.name, *around) if term.form in ("call", "aggregation") else around
    for part in term.parts:
        yield from _selectors(part, inside)


def term_text(term: Term) -> str:
    """The term as PromQL, on one line; a long one is cut."""
    text = _text(term)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _text(term: Term) -> str:
    inside = [_text(part) for part in term.parts]
    match term.form:
        case "number":
            return f"{term.number:g}"
        case "string":
            return f'"{term.text}"'
        case "selector":
            matchers = ",".join(str(matcher) for matcher in term.matchers)
            braces = f"{{{matchers}}}" if matchers or not term.name else ""
            return f"{term.name}{braces}" + (f"[{duration_text(term.seconds)}]" if term.seconds else "")
        case "subquery":
            return f"({inside[0]})[{duration_text(term.seconds or 0)}:]"
        case "call":
            return f"{term.name}({', '.join(inside)})"
        case "aggregation":
            by = f" {term.grouping} ({', '.join(sorted(term.labels))}) " if term.grouping else ""
            return f"{term.name}{by}({', '.join(reversed(inside))})"
        case "negation":
            return f"-{inside[0]}"
    left, right = (
        f"({text})" if part.form == "operation" and term.name not in COMPARISONS else text
        for part, text in zip(term.parts, inside, strict=True)
    )
    return f"{left} {term.name} {right}"


_TURNED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}


def _comparison(root: Term) -> Comparison | None:
    if not root.compares:
        return None
    left, right = root.parts
    if right.form == "number":
        return Comparison(left, root.name, right.number)
    if left.form == "number":
        return Comparison(right, _TURNED[root.name], left.number)
    return None
