"""The documents of a YAML or JSON file as PyYAML composes them; a file that cannot be read is one finding."""

from __future__ import annotations

import codecs
import json
import re
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
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_YAML = str.maketrans({"\t": " ", "\x85": r"\u0085", "\u2028": r"\u2028", "\u2029": r"\u2029"})
_SURROGATES = re.compile(r"((?:\\u[dD][89a-fA-F][0-9a-fA-F]{2})+)|\\.")
_TEMPLATE = re.compile(r"\{\{|\{%")
_BRACKET = re.compile(r"[\[\]{}]")
_INDENTED = re.compile(rf"^[ ?:-]{{{DEEPEST}}}", re.MULTILINE)  # each of these signs can open a level
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")


def read_tree(path: Path, *, name: str = "") -> tuple[list[Node], list[Finding]]:
    """Every document of the file at `path`, and what is wrong with the file; findings call it `name` or its path."""
    file = name or str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        return [], [_of("files/unreadable", file, 1, f"The file cannot be read: {error.strerror}.")]
    if len(content) > LARGEST_BYTES:
        return [], [_of("files/too-large", file, 1, f"The file is larger than {LARGEST_BYTES >> 20} MiB.")]
    text, findings = _decoded(content, file)
    documents, faults = read_text(text, file, as_json=path.suffix.lower() == ".json")
    return documents, findings + faults


def read_text(text: str, file: str, *, first_line: int = 1, as_json: bool = False) -> tuple[list[Node], list[Finding]]:
    """Every document of a text that begins on line `first_line` of `file`, and what is wrong with it."""
    try:
        if as_json:
            json.loads(text)
            text = _SURROGATES.sub(_unescaped, text.translate(_NO_YAML))
        _refuse_too_deep(text)
        composed = _Composed(file, first_line)
        return [composed.document(node) for node in yaml.compose_all(text, Loader=_Loader)], composed.findings
    except json.JSONDecodeError as error:
        return [], [_of("files/broken", file, error.lineno + first_line - 1, f"It is no JSON: {error.msg}.")]
    except RecursionError:
        return [], [_of("files/broken", file, first_line, f"It is nested deeper than {DEEPEST} levels.")]
    except yaml.YAMLError as error:
        line, problem = _problem(error)
        template = _TEMPLATE.search(text)
        if template is not None:
            line, message = (
                text.count("\n", 0, template.start()),
                "It is a template that is no YAML before it is filled.",
            )
            return [], [_of("files/templated", file, line + first_line, message)]
        return [], [_of("files/broken", file, line + first_line, f"It is no YAML: {problem}.")]


def _unescaped(match: re.Match[str]) -> str:
    """JSON writes a character beyond the first plane as two escapes, which are none in YAML."""
    if not match[1]:
        return match[0]
    return str(json.loads(f'"{match[0]}"')).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decoded(content: bytes, file: str) -> tuple[str, list[Finding]]:
    mark, encoding = next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), (b"", "utf-8"))
    content = content[len(mark) :]
    findings: list[Finding] = []
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        text = content.decode(encoding, errors="replace")
        line = content[: error.start].decode(encoding, errors="replace").count("\n") + 1
        findings.append(_of("files/encoding", file, line, f"A byte is no {encoding.upper()}."))
    control = _CONTROL.search(text)
    if control is not None:
        line = text.count("\n", 0, control.start()) + 1
        findings.append(_of("files/encoding", file, line, f"Control character U+{ord(control[0]):04X}."))
        text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return text, findings


def _refuse_too_deep(text: str) -> None:
    """PyYAML composes by recursion, and slows down with each level: what is deeper never gets there."""
    if not (_INDENTED.search(text) or _may_be_deep(text)):
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            problem = f"nested deeper than {DEEPEST} levels"
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _may_be_deep(text: str) -> bool:
    """Whether so many brackets stand inside each other, those in quotes counted, too."""
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > DEEPEST:
            return True
    return False


def _problem(error: yaml.YAMLError) -> tuple[int, str]:
    """The index of the line that is likely broken, and what the parser says of it."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return 0, " ".join(str(error).split())
    # An open quote or bracket is noticed only where the text goes on like something else.
    opened = error.context_mark if re.search("scan|flow", error.context or "") else None
    mark = opened or error.problem_mark
    return mark.line if mark else 0, error.problem or "it is no YAML"


class _Composed:
    """PyYAML's nodes of one text made into ours; what stands behind an alias is one node, however often it is used."""

    def __init__(self, file: str, first_line: int) -> None:
        self.findings: list[Finding] = []
        self._file = file
        self._first_line = first_line
        self._made: dict[int, tuple[Node, int] | None] = {}  # None until its end has come
        self._templated = False

    def document(self, node: yaml.Node) -> Node:
        made, size = self._node(node)
        if size > MOST_VALUES:
            problem = f"its aliases stand for more than {MOST_VALUES:,} values"
            raise yaml.YAMLError(problem)
        return made

    def _node(self, node: Any) -> tuple[Node, int]:
        if isinstance(node, yaml.ScalarNode):
            return Node(resolved(node.value) if node.style in (None, "") else node.value, self._line(node)), 1
        if id(node) in self._made:
            made = self._made[id(node)]
            if made is None:
                raise yaml.MarkedYAMLError(problem="an alias holds itself", problem_mark=node.start_mark)
            return made
        self._made[id(node)] = None
        if isinstance(node, yaml.SequenceNode):
            inside = [self._node(item) for item in node.value]
            new = Node([one for one, _ in inside], self._line(node)), 1 + sum(size for _, size in inside)
        else:
            new = self._mapping(node)
        self._made[id(node)] = new
        return new

    def _mapping(self, node: Any) -> tuple[Node, int]:
        values: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[Node] = []
        total = 1
        for key, inside in node.value:
            value, size = self._node(inside)
            total += size
            line = self._line(key)
            if not isinstance(key, yaml.ScalarNode):
                self._say_templated(line)
            elif key.value == "<<":
                merged += value.items() or [value]
            else:
                if key.value in lines:
                    message = f"Key '{key.value}' is there twice; it stands on line {lines[key.value]} already."
                    self.findings.append(_of("files/duplicate-key", self._file, line, message))
                lines.setdefault(key.value, line)
                values[key.value] = value
        for base in merged:
            for name, value in base.pairs():
                values.setdefault(name, value)
        return Node(values, self._line(node), lines), total

    def _say_templated(self, line: int) -> None:
        """{{ template }} reads as a mapping whose key is a mapping; it is told once."""
        if not self._templated:
            message = "A key that is no text, as an unquoted {{ template }} gives."
            self.findings.append(_of("files/templated", self._file, line, message))
        self._templated = True

    def _line(self, node: Any) -> int:
        return int(node.start_mark.line) + self._first_line


def resolved(text: str) -> Scalar:
    """What a plain scalar stands for: nothing, a truth, a number, or its own text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _of(code: str, file: str, line: int, message: str) -> Finding:
    return found(code, file=file, line=line, subject="", message=message)
