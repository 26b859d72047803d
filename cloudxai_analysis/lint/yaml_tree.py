"""The documents of a YAML text as nodes, built from the parser's events so that nothing in the text can exhaust it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import yaml

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.nodes import DEEPEST, Node, Scalar

MOST_ALIASED = 100_000  # values that aliases may stand for in one file
_HOPELESS = 400  # levels from which the parser itself becomes slow
_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")


class YamlTree:
    """One pass over the events of a text; `documents` and `findings` are what came of it.

    Raises
    ------
    yaml.YAMLError
        The text is no YAML.
    """

    def __init__(self, text: str, file: str, *, first_line: int = 1) -> None:
        self.documents: list[Node] = []
        self.findings: list[Finding] = []
        self._file = file
        self._first_line = first_line
        self._events: Iterator[Any] = yaml.parse(text, Loader=_Parser)
        self._anchors: dict[str, tuple[Node, int] | None] = {}  # None until its end has come
        self._size = 0
        self._aliased = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                self.documents.append(self._node(next(self._events), 0))

    def _node(self, event: Any, depth: int) -> Node:
        line = event.start_mark.line + self._first_line
        if isinstance(event, yaml.AliasEvent):
            return self._meant(str(event.anchor), line)
        size_before = self._size
        self._size += 1
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = Node(resolved(event.value) if event.implicit[0] and not event.tag else event.value, line)
        elif depth >= DEEPEST:
            self._say("files/too-deep", line, f"Nested deeper than {DEEPEST} levels.")
            self._skip()
            node = Node(None, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Node([self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)], line)
        else:
            node = self._mapping(line, depth + 1)
        if event.anchor:
            self._anchors[event.anchor] = node, self._size - size_before
        return node

    def _mapping(self, line: int, depth: int) -> Node:
        values: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[Node] = []
        for event in self._until(yaml.MappingEndEvent):
            key = event.value if isinstance(event, yaml.ScalarEvent) else None
            at = self._node(event, depth).line
            value = self._node(next(self._events), depth)
            if key is None:
                # {{ template }} reads as a mapping whose key is a mapping.
                self._say("files/templated", at, "A key that is no text, as an unquoted {{ template }} gives.")
            elif key == "<<":
                merged += value.items() or [value]
            else:
                if key in lines:
                    message = f"Key '{key}' is there twice; it stands on line {lines[key]} already."
                    self._say("files/duplicate-key", at, message)
                lines.setdefault(key, at)
                values[key] = value
        for base in merged:
            for key, value in base.pairs():
                values.setdefault(key, value)
        return Node(values, line, lines)

    def _meant(self, anchor: str, line: int) -> Node:
        node, size = self._anchors.get(anchor) or (Node(None, line), 1)
        if anchor not in self._anchors:
            self._say("files/alias", line, f"Alias '*{anchor}' is defined nowhere before.")
        elif self._anchors[anchor] is None:
            self._say("files/alias", line, f"Alias '*{anchor}' holds itself.")
        elif self._aliased <= MOST_ALIASED < self._aliased + size:
            self._say("files/alias", line, f"Aliases stand for more than {MOST_ALIASED:,} values.")
        self._aliased += size
        self._size += size
        return node if self._aliased <= MOST_ALIASED else Node(None, line)

    def _until(self, end: type[yaml.Event]) -> Iterator[Any]:
        return takewhile(lambda event: not isinstance(event, end), self._events)

    def _skip(self) -> None:
        depth = 1
        starts, ends = yaml.CollectionStartEvent, yaml.CollectionEndEvent
        while depth:
            event = next(self._events)
            depth += isinstance(event, starts) - isinstance(event, ends)
            if depth > _HOPELESS:
                raise yaml.MarkedYAMLError(
                    problem=f"nested deeper than {_HOPELESS} levels", problem_mark=event.start_mark
                )

    def _say(self, code: str, line: int, message: str) -> None:
        if len(self.findings) < 1000:
            self.findings.append(found(code, file=self._file, line=line, subject="", message=message))


def resolved(text: str) -> Scalar:
    """What a plain scalar stands for: nothing, a truth, a number, or its own text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
