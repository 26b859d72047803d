"""The documents of a YAML or JSON file, built from PyYAML's events; a file that cannot be read is one finding."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.nodes import Node, Scalar

LARGEST_BYTES = 64 << 20
DEEPEST = 60
MOST_VALUES = 5_000_000  # values that the aliases of one file may stand for
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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


def read_tree(path: Path, *, name: str = "") -> tuple[list[Node], list[Finding]]:
    """Every document of the file at `path`, and what is wrong with the file; findings call it `name` or its path."""
    file = name or str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        return [], [_of("files/unreadable", file, 1, f"The file cannot be read: {error.strerror}.")]
    if len(content) > LARGEST_BYTES:
        return [], [_of("files/unreadable", file, 1, f"The file is larger than {LARGEST_BYTES >> 20} MiB.")]
    try:
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return [], [_of("files/broken", file, line, f"A byte is no {error.encoding.upper()}.")]
    return read_text(text, file, as_json=path.suffix.lower() == ".json")


def read_text(text: str, file: str, *, first_line: int = 1, as_json: bool = False) -> tuple[list[Node], list[Finding]]:
    """Every document of a text that begins on line `first_line` of `file`, and what is wrong with it."""
    try:
        if as_json:
            json.loads(text)
            text = _SURROGATES.sub(_unescaped, text.translate(_NO_YAML))
        composer = _Composer(file, first_line)
        return list(composer.documents(text)), composer.findings
    except json.JSONDecodeError as error:
        return [], [_of("files/broken", file, error.lineno + first_line - 1, f"It is no JSON: {error.msg}.")]
    except RecursionError:
        return [], [_of("files/broken", file, first_line, f"It is nested deeper than {DEEPEST} levels.")]
    except yaml.YAMLError as error:
        if template := _TEMPLATE.search(text):
            line = text.count("\n", 0, template.start()) + first_line
            return [], [_of("files/templated", file, line, "It is a template that is no YAML before it is filled.")]
        line, problem = _problem(error, text)
        return [], [_of("files/broken", file, line + first_line, f"It is no YAML: {problem}.")]


def documents_in(tree: Node, file: str) -> Iterator[tuple[Node, list[Finding]]]:
    """A document, and those that it carries as texts or in a list, each with what is wrong with its text."""
    for resource in (tree, *tree.get("items").items()) if tree.get("kind").text().endswith("List") else (tree,):
        yield resource, []
        for text, line, as_json in _texts(resource):
            # The text of a block begins on the line after its sign; a quoted one begins on its own.
            is_block = "\n" in text and not file.lower().endswith(".json")
            documents, faults = read_text(text, file, first_line=line + is_block, as_json=as_json)
            yield from ((document, []) for document in documents)
            yield Node(None, line), faults


def _texts(resource: Node) -> Iterator[tuple[str, int, bool]]:
    """The texts of a resource that are files of ours, each with its line, and whether it is JSON."""
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
            yield text, node.line, name.lower().endswith(".json")
    dashboard, config = resource.get("spec", "json"), resource.get("alertmanager_config")  # as Mimir takes it
    if kind == "GrafanaDashboard" and isinstance(dashboard.value, str):
        yield dashboard.value, dashboard.line, True
    if isinstance(config.value, str):
        yield config.value, config.line, False


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


@dataclass
class _Open:
    """A list or mapping whose end has not come yet; `key` is what the next value of a mapping stands under."""

    node: Node
    anchor: str | None
    size: int = 1
    key: str | None = None
    awaits_value: bool = False
    merged: list[Node] = field(default_factory=list)


class _Composer:
    """Nodes of one text; what stands behind an alias is one node, however often it is used."""

    def __init__(self, file: str, first_line: int) -> None:
        self.findings: list[Finding] = []
        self._file, self._first_line = file, first_line
        self._open: list[_Open] = []
        self._anchors: dict[str | None, tuple[Node, int] | None] = {}  # None until its end has come

    def documents(self, text: str) -> Iterator[Node]:
        """Every document of the text."""
        events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
        for event in events:
            line = event.start_mark.line + self._first_line
            made: tuple[Node, int] | None = None
            written: str | None = None
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
            elif isinstance(event, yaml.CollectionStartEvent):
                self._anchors[event.anchor] = None
                node = Node({} if isinstance(event, yaml.MappingStartEvent) else [], line)
                self._open.append(_Open(node, event.anchor))
                if len(self._open) > DEEPEST:
                    raise _marked(f"nested deeper than {DEEPEST} levels", event)
            elif isinstance(event, yaml.CollectionEndEvent):
                made = self._end(self._open.pop())
            elif isinstance(event, yaml.ScalarEvent):
                written = event.value
                made = Node(resolved(written) if event.implicit[0] else written, line), 1
                self._anchors[event.anchor] = made
            elif isinstance(event, yaml.AliasEvent):
                made = self._anchors.get(event.anchor)
                if made is None:
                    raise _marked("an alias of nothing, or of itself", event)
            if made is not None and self._open:
                self._put(self._open[-1], *made, written)
            elif made is not None:
                yield made[0]

    def _end(self, one: _Open) -> tuple[Node, int]:
        for base in one.merged:
            for name, value in base.pairs():
                one.node.value.setdefault(name, value)  # type: ignore[union-attr]
        if one.size > MOST_VALUES:
            raise yaml.YAMLError(f"its aliases stand for more than {MOST_VALUES:,} values")
        self._anchors[one.anchor] = one.node, one.size
        return one.node, one.size

    def _put(self, into: _Open, node: Node, size: int, written: str | None) -> None:
        """Put a node into what is open, where a mapping takes keys and values in turn."""
        into.size += size
        values, lines = into.node.value, into.node.key_lines
        if isinstance(values, list):
            values.append(node)
        elif not into.awaits_value:
            into.awaits_value, into.key = True, written
            if written is None:
                # {{ template }} reads as a mapping whose key is a mapping.
                self._say("files/templated", node.line, "A key that is no text, as an unquoted {{ template }} gives.")
            elif written in lines:
                message = f"Key '{written}' is there twice; it stands on line {lines[written]} already."
                self._say("files/duplicate-key", node.line, message)
            elif written != "<<":
                lines[written] = node.line
        else:
            into.awaits_value = False
            if into.key == "<<":
                into.merged += node.items() or [node]
            elif into.key is not None and isinstance(values, dict):
                values[into.key] = node

    def _say(self, code: str, line: int, message: str) -> None:
        self.findings.append(_of(code, self._file, line, message))


def _marked(problem: str, event: Any) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _of(code: str, file: str, line: int, message: str) -> Finding:
    return found(code, file=file, line=line, subject="", message=message)
