"""Which frames a number is made of, read from the code that makes it, so that it cannot be out of date."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

from cloudxai_analysis.study.catalogue import TOPICS, roots_of, values


def frames_read(function: Callable[..., Any]) -> list[str]:
    """The frames and values of a study that a function reads itself, or by functions of its own module."""
    bare = inspect.unwrap(function)
    module = inspect.getmodule(bare)
    if module is None:
        return []
    found: dict[str, None] = {}
    done: set[str] = set()
    left = [_node_of(module, bare.__code__.co_firstlineno)]
    while left:
        node = left.pop(0)
        found |= dict.fromkeys(_read_in(node))
        calls = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
        called = {one.id for one in calls if isinstance(one, ast.Name)} - done
        done |= called
        left += [one for one in _tree(module).body if isinstance(one, ast.FunctionDef) and one.name in called]
    return list(found)


def all_behind(frames: list[str]) -> list[str]:
    """The frames and values that these are made of, at any remove, themselves first."""
    behind = {root for name in frames for root in roots_of(name) if root in values()}
    return [*frames, *sorted(behind - set(frames))]


def _read_in(node: ast.AST) -> Iterator[str]:
    """Reads as `study.topic.frame`, and of a topic that was given a name before."""
    named = {
        target.id: value.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Assign)
        for target, value in _pairs(one)
        if isinstance(target, ast.Name) and isinstance(value, ast.Attribute) and value.attr in TOPICS
    }
    for one in ast.walk(node):
        if not isinstance(one, ast.Attribute):
            continue
        topic = one.value.attr if isinstance(one.value, ast.Attribute) else ""
        topic = named.get(one.value.id, "") if isinstance(one.value, ast.Name) else topic
        if f"{topic}.{one.attr}" in values():
            yield f"{topic}.{one.attr}"


def _pairs(assigned: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in assigned.targets:
        if isinstance(target, ast.Tuple) and isinstance(assigned.value, ast.Tuple):
            yield from zip(target.elts, assigned.value.elts, strict=False)
        else:
            yield target, assigned.value


@cache
def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _node_of(module: ModuleType, line: int) -> ast.AST:
    """The function or lambda that begins in a line, decorators included."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
            if first == line:
                return node
    raise LookupError(f"{module.__name__} has no function in line {line}.")
