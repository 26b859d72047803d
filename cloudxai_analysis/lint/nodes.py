"""YAML and JSON as a tree whose every value knows its line; what cannot be read is a finding, never a crash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Scalar = str | int | float | bool | None
LARGEST_BYTES = 64 << 20
DEEPEST = 60


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
