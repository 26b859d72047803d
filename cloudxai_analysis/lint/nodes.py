"""YAML and JSON as a tree whose every value knows its line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value with the line on which it stands; a mapping also knows the lines of its keys."""

    value: Scalar | list[Node] | dict[str, Node]
    line: int
    key_lines: dict[str, int] = field(default_factory=dict)

    def get(self, *keys: str) -> Node:
        """The value under these keys, one inside the other; what is missing is None on the line of what is there."""
        found = self
        for key in keys:
            inside = found.value.get(key) if isinstance(found.value, dict) else None
            found = inside if inside is not None else Node(None, found.line)
        return found

    def has(self, key: str) -> bool:
        """Whether it is a mapping with that key."""
        return isinstance(self.value, dict) and key in self.value

    def items(self) -> list[Node]:
        """The members of a list; of all else none."""
        return self.value if isinstance(self.value, list) else []

    def pairs(self) -> list[tuple[str, Node]]:
        """Keys and values of a mapping; of all else none."""
        return list(self.value.items()) if isinstance(self.value, dict) else []

    def text(self) -> str:
        """A scalar as text; of all else ''."""
        if self.value is None or isinstance(self.value, list | dict):
            return ""
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)

    def plain(self) -> Any:
        """The value without its lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value

    def walk(self) -> Iterator[Node]:
        """This node and every node inside it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.items() or [inside for _, inside in node.pairs()]))

    def line_of(self, word: str) -> int | None:
        """The line of the first key or text in it that is `word`."""
        for node in self.walk():
            if word in node.key_lines or node.text() == word:
                return node.key_lines.get(word, node.line)
        return None

    def in_place(self) -> str:
        """The value as JSON in which everything stands on its own line, so that another tool names the same lines."""
        parts: list[str] = []
        _write(self, parts, 1)
        return "".join(parts)


def _write(node: Node, parts: list[str], at: int) -> int:
    """Put the node's text behind `parts`, which end on line `at`; the line on which they end then."""
    at = _down(parts, at, node.line)
    if not isinstance(node.value, dict | list):
        parts.append(json.dumps(node.value))
        return at
    parts.append("{" if isinstance(node.value, dict) else "[")
    for key, inside in node.pairs() or [("", one) for one in node.items()]:
        if isinstance(node.value, dict):
            at = _down(parts, at, node.key_lines.get(key, at))
            parts.append(f"{json.dumps(key)}: ")
        at = _write(inside, parts, at)
        parts.append(", ")
    parts.append("}" if isinstance(node.value, dict) else "]")
    return at


def _down(parts: list[str], at: int, line: int) -> int:
    parts.append("\n" * (line - at))
    return max(at, line)
