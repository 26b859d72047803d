"""The documents of a YAML text as nodes, built from the parser's events so that nothing in the text can exhaust it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from cloudxai_analysis.audits import Finding
from cloudxai_analysis.audits.codes import found
from cloudxai_analysis.audits.nodes import DEEPEST, Node, Scalar

MOST_ALIASED = 100_000  # values that aliases may stand for in one file
_HOPELESS = 400  # levels from which the parser itself becomes slow
_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?\Z")
_NO_KEYS: dict[str, int] = {}


class Broken(Exception):
    """The text is no YAML: `lines` are where it may be mended, the likeliest first."""

    def __init__(self, lines: list[int], problem: str) -> None:
        super().__init__(problem)
        self.lines = lines
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    line: int
    value: list[Node] | dict[str, Node]
    anchor: str | None
    size: int = 1
    key: str | None = None
    key_line: int = 0
    keyed: bool = False
    key_lines: dict[str, int] = field(default_factory=dict)
    merged: list[Node] = field(default_factory=list)
    for_key: bool = False


class YamlTree:
    """One pass over the events of a text; `documents` and `findings` are what came of it."""

    def __init__(self, text: str, file: str, *, first_line: int = 1) -> None:
        self.documents: list[Node] = []
        self.findings: list[Finding] = []
        self._file = file
        self._shift = first_line
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._aliased = 0
        self._bomb = False
        self._stack: list[_Open] = []
        try:
            self._read(yaml.parse(text, Loader=_Parser))
        except yaml.MarkedYAMLError as error:
            raise self._broken(error) from None
        except yaml.YAMLError as error:
            raise Broken([1], " ".join(str(error).split())) from None

    def _read(self, events: Iterator[Any]) -> None:
        scalar, alias, mapping, sequence = (
            yaml.ScalarEvent,
            yaml.AliasEvent,
            yaml.MappingStartEvent,
            yaml.SequenceStartEvent,
        )
        ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        stack = self._stack
        for event in events:
            kind = type(event)
            if kind is scalar:
                line = event.start_mark.line + self._shift
                value = event.value
                if event.implicit[0] and not event.tag:
                    value = resolved(value)
                inside = stack[-1] if stack else None
                if inside is not None and type(inside.value) is dict and not inside.keyed:
                    self._key(inside, event.value, line)
                    continue
                node = Node(value, line, _NO_KEYS)
                if event.anchor:
                    self._anchors[event.anchor] = (node, 1)
                self._place(node, 1)
            elif kind is mapping or kind is sequence:
                self._begin(event, {} if kind is mapping else [], events)
            elif kind in ends:
                self._end()
            elif kind is alias:
                self._place(*self._meant(event))
            elif kind is yaml.DocumentStartEvent:
                self._anchors.clear()

    def _begin(self, event: Any, value: list[Node] | dict[str, Node], events: Iterator[Any]) -> None:
        line = event.start_mark.line + self._shift
        if len(self._stack) >= DEEPEST:
            self._say("files/too-deep", line, f"Nested deeper than {DEEPEST} levels.")
            _skip(events, line)
            self._place(Node(None, line, _NO_KEYS), 1)
            return
        inside = self._stack[-1] if self._stack else None
        is_key = inside is not None and isinstance(inside.value, dict) and not inside.keyed
        self._stack.append(_Open(line, value, event.anchor, for_key=is_key))

    def _end(self) -> None:
        done = self._stack.pop()
        value = done.value
        if isinstance(value, dict):
            for base in done.merged:
                for key, node in base.pairs():
                    value.setdefault(key, node)
        node = Node(value, done.line, done.key_lines)
        if done.anchor:
            self._anchors[done.anchor] = (node, done.size)
        if done.for_key:
            self._odd_key(self._stack[-1], done.line)
            return
        self._place(node, done.size)

    def _key(self, inside: _Open, key: str, line: int) -> None:
        inside.keyed, inside.key, inside.key_line = True, key, line
        if key in inside.key_lines:
            first = inside.key_lines[key]
            self._say("files/duplicate-key", line, f"Key '{key}' is there twice; it stands on line {first} already.")
        else:
            inside.key_lines[key] = line

    def _odd_key(self, inside: _Open, line: int) -> None:
        inside.keyed, inside.key, inside.key_line = True, None, line
        # {{ template }} reads as a mapping whose key is a mapping.
        self._say("files/templated", line, "A key that is a mapping or list, as an unquoted {{ template }} gives.")

    def _place(self, node: Node, size: int) -> None:
        if not self._stack:
            self.documents.append(node)
            return
        inside = self._stack[-1]
        inside.size += size
        if type(inside.value) is list:
            inside.value.append(node)
            return
        if not inside.keyed:
            self._odd_key(inside, node.line)
            return
        key, inside.keyed = inside.key, False
        if key == "<<":
            inside.merged.extend(node.items() or [node])
            inside.key_lines.pop(key, None)
        elif key is not None and isinstance(inside.value, dict):
            inside.value[key] = node

    def _meant(self, event: Any) -> tuple[Node, int]:
        line = event.start_mark.line + self._shift
        nothing = Node(None, line, _NO_KEYS), 1
        if event.anchor not in self._anchors:
            holds_itself = any(event.anchor == waiting.anchor for waiting in self._stack)
            what = "holds itself" if holds_itself else "is defined nowhere before"
            self._say("files/alias", line, f"Alias '*{event.anchor}' {what}.")
            return nothing
        node, size = self._anchors[event.anchor]
        if self._aliased + size > MOST_ALIASED:
            if not self._bomb:
                self._say("files/alias", line, f"Aliases stand for more than {MOST_ALIASED:,} values.")
            self._bomb = True
            return nothing
        self._aliased += size
        return node, size

    def _broken(self, error: yaml.MarkedYAMLError) -> Broken:
        lines = [mark.line + self._shift for mark in (error.problem_mark,) if mark]
        # An open quote or bracket is noticed only where the text goes on like something else.
        if error.context_mark and any(word in (error.context or "") for word in ("scan", "flow")):
            lines.insert(0, error.context_mark.line + self._shift)
        return Broken(lines or [self._shift], error.problem or "it is no YAML")

    def _say(self, code: str, line: int, message: str) -> None:
        if len(self.findings) < 1000:
            self.findings.append(found(code, file=self._file, line=line, subject="", message=message))


def resolved(text: str) -> Scalar:
    """What a plain scalar stands for: nothing, a truth, a number, or its own text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789":
        if _INTEGER.match(text):
            return int(text)
        if _FLOAT.match(text):
            return float(text)
    return text


def _skip(events: Iterator[Any], line: int) -> None:
    depth = 1
    starts, ends = (yaml.MappingStartEvent, yaml.SequenceStartEvent), (yaml.MappingEndEvent, yaml.SequenceEndEvent)
    for event in events:
        depth += isinstance(event, starts) - isinstance(event, ends)
        if depth > _HOPELESS:
            raise Broken([line], f"nested deeper than {_HOPELESS} levels")
        if not depth:
            return
