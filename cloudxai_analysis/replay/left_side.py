"""The left side of a rule's expression: what its top level holds against a number."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cloudxai_analysis.lint.expressions import Unparsed, parse

_TURNED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


@dataclass(frozen=True)
class Split:
    """`left comparison threshold`, as an expression that compares a vector with a number."""

    left: str
    comparison: str
    threshold: float

    @property
    def varies(self) -> bool:
        """Whether another threshold would be looser or stricter."""
        return self.comparison not in ("==", "!=") and not math.isinf(self.threshold)

    def at(self, threshold: float) -> str:
        """The expression with another threshold."""
        return f"({self.left}) {self.comparison} {number_text(threshold)}"


@lru_cache(maxsize=4096)
def split(expression: str) -> Split | None:
    """The parts of an expression whose top level compares a vector with a number; None of every other one.

    A comparison with `bool` always gives a series and has no threshold to alert by; what promql-parser cannot read, or
    writes otherwise than it reads, is left whole.
    """
    import promql_parser

    try:
        # The audits' reader refuses what is too deep for the parser's stack.
        parse(expression)
        tree = _bare(promql_parser.parse(expression))
    except (Unparsed, ValueError):
        return None
    if not isinstance(tree, promql_parser.BinaryExpr) or str(tree.op) not in _TURNED or tree.modifier is not None:
        return None
    left, comparison, threshold = tree.lhs, str(tree.op), _number(tree.rhs)
    if threshold is None:
        left, comparison, threshold = tree.rhs, _TURNED[comparison], _number(tree.lhs)
    if threshold is None or _number(left) is not None:
        return None
    written = str(left.prettify())
    return Split(written, comparison, threshold) if str(promql_parser.parse(written)) == str(left) else None


def metrics_in(expression: str) -> frozenset[str] | None:
    """The names of the series that an expression looks at; None where it does not say them all."""
    try:
        parsed = parse(expression)
    except Unparsed:
        return None
    return parsed.metrics if all(selector.name for selector in parsed.selectors) else None


def number_text(number: float) -> str:
    """A number as PromQL and YAML write it, with every digit that it has."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _bare(tree: Any) -> Any:
    import promql_parser

    while isinstance(tree, promql_parser.ParenExpr):
        tree = tree.expr
    return tree


def _number(tree: Any) -> float | None:
    """The value of an expression of numbers alone, as `14.4 * 0.001`."""
    import promql_parser

    tree = _bare(tree)
    if isinstance(tree, promql_parser.NumberLiteral):
        return float(tree.val)
    if isinstance(tree, promql_parser.UnaryExpr):
        inside = _number(tree.expr)
        return None if inside is None else -inside
    if not isinstance(tree, promql_parser.BinaryExpr) or tree.modifier is not None or str(tree.op) not in _ARITHMETIC:
        return None
    left, right = _number(tree.lhs), _number(tree.rhs)
    try:
        return None if left is None or right is None else _ARITHMETIC[str(tree.op)](left, right)
    except ZeroDivisionError:
        return None
