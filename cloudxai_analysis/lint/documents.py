"""The documents of a YAML or JSON file, as trees whose every value knows its line; what cannot be read is a finding."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cloudxai_analysis.lint import Finding, found

LARGEST_BYTES = 64 << 20
DEEPEST = 60
MOST_VALUES = 5_000_000  # values that the aliases of one file may stand for
Scalar = str | int | float | bool | None
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What JSON may hold and YAML takes otherwise.
_NO_YAML = str.maketrans({"\t": " ", "\x85": r"\u0085", "\u2028": r"\u2028", "\u2029": r"\u2029"})
_SURROGATES = re.compile(r"((?:\\u[dD][89a-fA-F][0-9a-fA-F]{2})+)|\\.")
_TEMPLATE = re.compile(r"\{\{|\{%")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
_OURS = ("groups:", "receivers:", '"panels"', "route:")  # what a text inside a resource says that is a file of ours


@dataclass(frozen=True, slots=True)
class Node:
    """A value with the line on which it stands; a mapping also knows the lines of its keys.

    `size` is how many values it stands for, itself included; `start` and `end` are where a scalar
    stands in the text that was read.
    """

    value: Scalar | list[Node] | dict[str, Node]
    line: int
    key_lines: dict[str, int] = field(default_factory=dict)
    size: int = 1
    start: int = 0
    end: int = 0

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
        yield self
        for inside in self.items() or [one for _, one in self.pairs()]:
            yield from inside.walk()

    def line_of(self, word: str) -> int | None:
        """The line of the first key or text in it that is `word`."""
        lines = (node.key_lines.get(word, node.line) for node in self.walk() if word in (node.text(), *node.key_lines))
        return next(lines, None)

    def in_place(self) -> str:
        """The value as JSON in which everything stands on its own line, so that another tool names the same lines."""
        parts: list[str] = []
        _write(self, parts, 1)
        return "".join(parts)


def _write(node: Node, parts: list[str], at: int) -> int:
    """Put the node's text behind `parts`, which end on line `at`; the line on which they end then."""
    parts.append("\n" * (node.line - at))
    at = max(at, node.line)
    if not isinstance(node.value, dict | list):
        parts.append(json.dumps(node.value))
        return at
    is_mapping = isinstance(node.value, dict)
    parts.append("{" if is_mapping else "[")
    for key, inside in node.pairs() or [("", one) for one in node.items()]:
        if is_mapping:
            key_line = node.key_lines.get(key, at)
            parts.append("\n" * (key_line - at) + f"{json.dumps(key)}: ")
            at = max(at, key_line)
        at = _write(inside, parts, at)
        parts.append(", ")
    parts.append("}" if is_mapping else "]")
    return at


def read_tree(path: Path, *, name: str = "") -> tuple[list[Node], list[Finding]]:
    """Every document of the file at `path`, and what is wrong with the file; findings call it `name` or its path."""
    file = name or str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        return [], [found("files/unreadable", f"The file cannot be read: {error.strerror}.", file, 1)]
    if len(content) > LARGEST_BYTES:
        return [], [found("files/unreadable", f"The file is larger than {LARGEST_BYTES >> 20} MiB.", file, 1)]
    try:
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return [], [found("files/broken", f"A byte is no {error.encoding.upper()}.", file, line)]
    return read_text(text, file, as_json=path.suffix.lower() == ".json")


def read_text(text: str, file: str, *, first_line: int = 1, as_json: bool = False) -> tuple[list[Node], list[Finding]]:
    """Every document of a text that begins on line `first_line` of `file`, and what is wrong with it."""
    try:
        if as_json:
            json.loads(text)
            text = _SURROGATES.sub(_unescaped, text.translate(_NO_YAML))
        reader = _Reader(file, first_line)
        return [reader.node(root) for root in yaml.compose_all(text, Loader=_Loader)], reader.findings
    except json.JSONDecodeError as error:
        return [], [found("files/broken", f"It is no JSON: {error.msg}.", file, error.lineno + first_line - 1)]
    except RecursionError:
        return [], [found("files/broken", f"It is nested deeper than {DEEPEST} levels.", file, first_line)]
    except yaml.YAMLError as error:
        if template := _TEMPLATE.search(text):
            line = text.count("\n", 0, template.start()) + first_line
            return [], [found("files/templated", "It is a template that is no YAML before it is filled.", file, line)]
        line, problem = _problem(error, text)
        return [], [found("files/broken", f"It is no YAML: {problem}.", file, line + first_line)]


class _Loader(_Base):
    """The composer is recursive: what could exhaust its stack is refused. Tags are nobody's question here."""

    depth = 0

    def descend_resolver(self, parent: Any, _: Any) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise _marked(f"nested deeper than {DEEPEST} levels", parent)

    def ascend_resolver(self) -> None:
        self.depth -= 1

    def resolve(self, *_: Any) -> str:
        return ""


class _Reader:
    """Nodes of one text; what stands behind an alias is one node, however often it is used."""

    def __init__(self, file: str, first_line: int) -> None:
        self.findings: list[Finding] = []
        self._file, self._first_line = file, first_line
        # By identity, with the source, so that no other gets it; None until its end has come.
        self._read: dict[int, tuple[Any, Node | None]] = {}

    def node(self, source: Any) -> Node:
        """What PyYAML's node stands for."""
        line = source.start_mark.line + self._first_line
        if isinstance(source, yaml.ScalarNode):
            value = source.value if source.style else resolved(source.value)
            return Node(value, line, start=source.start_mark.index, end=source.end_mark.index)
        if id(source) not in self._read:
            self._read[id(source)] = source, None
            is_list = isinstance(source, yaml.SequenceNode)
            value, lines = ([self.node(one) for one in source.value], {}) if is_list else self._mapping(source)
            size = 1 + sum(one.size for one in (value.values() if isinstance(value, dict) else value))
            if size > MOST_VALUES:
                raise yaml.YAMLError(f"its aliases stand for more than {MOST_VALUES:,} values")
            self._read[id(source)] = source, Node(value, line, lines, size)
        known = self._read[id(source)][1]
        if known is None:
            raise _marked("an alias of itself", source)
        return known

    def _mapping(self, source: Any) -> tuple[dict[str, Node], dict[str, int]]:
        """The values of a mapping, and the lines of its keys."""
        values: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[Node] = []
        for key, inside in ((key, self.node(value)) for key, value in source.value):
            at = key.start_mark.line + self._first_line
            if not isinstance(key, yaml.ScalarNode):
                # {{ template }} reads as a mapping whose key is a mapping.
                said = "A key that is no text, as an unquoted {{ template }} gives."
                self.findings.append(found("files/templated", said, self._file, at))
            elif key.value == "<<":
                merged += inside.items() or [inside]
            else:
                if key.value in values:
                    said = f"Key '{key.value}' is there twice; it stands on line {lines[key.value]} already."
                    self.findings.append(found("files/duplicate-key", said, self._file, at))
                lines.setdefault(key.value, at)
                values[key.value] = inside
        for name, inside in (pair for base in merged for pair in base.pairs()):
            values.setdefault(name, inside)
        return values, lines


def documents_in(tree: Node, file: str) -> Iterator[tuple[Node, list[Finding]]]:
    """A document, and those that it carries as texts or in a list, each with what is wrong with its text."""
    for resource in (tree, *tree.get("items").items()) if tree.get("kind").text().endswith("List") else (tree,):
        yield resource, []
        for text, node, as_json in carried(resource):
            # The text of a block begins on the line after its sign; a quoted one begins on its own.
            is_block = "\n" in text and not file.lower().endswith(".json")
            documents, faults = read_text(text, file, first_line=node.line + is_block, as_json=as_json)
            yield from ((document, []) for document in documents)
            yield Node(None, node.line), faults


def carried(resource: Node) -> Iterator[tuple[str, Node, bool]]:
    """The texts of a resource that are files of ours, each with the value it stands in, and whether it is JSON."""
    kind = resource.get("kind").text()
    entries = [*resource.get("data").pairs(), *resource.get("stringData").pairs()]
    for name, node in entries if kind in ("ConfigMap", "Secret") else ():
        text = node.text()
        if kind == "Secret" and ":" not in text:
            try:
                text = b64decode(text, validate=True).decode()
            except ValueError:
                continue
        if any(word in text for word in _OURS):
            yield text, node, name.lower().endswith(".json")
    dashboard = resource.get("spec", "json")
    if kind == "GrafanaDashboard" and isinstance(dashboard.value, str):
        yield dashboard.value, dashboard, True


def resolved(text: str) -> Scalar:
    """What a plain scalar stands for: nothing, a truth, a number, or its own text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _unescaped(match: re.Match[str]) -> str:
    """JSON writes a character beyond the first plane as two escapes, which are none in YAML."""
    if not match[1]:
        return match[0]
    return str(json.loads(f'"{match[0]}"')).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _problem(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The index of the line that is likely broken, and what the parser says of it."""
    if isinstance(error, yaml.reader.ReaderError):
        return text.encode(errors="replace").count(b"\n", 0, error.position), error.reason
    if not isinstance(error, yaml.MarkedYAMLError):
        return 0, " ".join(str(error).split())
    # An open quote or bracket is noticed only where the text goes on like something else.
    opened = error.context_mark if re.search("scan|flow", error.context or "") else None
    mark = opened or error.problem_mark
    return mark.line if mark else 0, error.problem or "it is no YAML"


def _marked(problem: str, place: Any) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)
