"""The documents of a YAML or JSON file; what cannot be read is a finding with its line, and the rest is still read."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path

import yaml

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.nodes import DEEPEST, LARGEST_BYTES, Node
from cloudxai_analysis.lint.yaml_tree import YamlTree

_MOST_CUTS = 12
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A line that is nothing but template actions, and a value that begins with one and is not quoted.
_TEMPLATE_LINE = re.compile(r"[ \t]*(?:\{\{.*\}\}|\{%.*%\})[ \t]*\Z")
_TEMPLATE_VALUE = re.compile(r"([ \t]*(?:- )*[\w./\"'-]+:[ \t]+|[ \t]*- )(\{\{.*\S)[ \t]*\Z")
_NO_YAML = str.maketrans({"\t": " ", "\x85": r"\u0085", "\u2028": r"\u2028", "\u2029": r"\u2029"})
_SURROGATES = re.compile(r"((?:\\u[dD][89a-fA-F][0-9a-fA-F]{2})+)|\\.")
_ITEM = re.compile(r"([ ]*)-(?:[ ]|\Z)")


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
    if as_json:
        try:
            json.loads(text)
        except json.JSONDecodeError as error:
            return [], [_of("files/broken-json", file, error.lineno, f"{error.msg}.")]
        except RecursionError:
            return [], [_of("files/too-deep", file, 1, f"Nested deeper than {DEEPEST} levels.")]
        text = _json_as_yaml(text)
    try:
        whole = YamlTree(text, file, first_line=first_line)
    except yaml.YAMLError as error:
        return _mended(text, file, first_line, error)
    return whole.documents, whole.findings


def _json_as_yaml(text: str) -> str:
    """JSON is YAML but for tabs, three line ends, and characters beyond the first plane, written as two escapes."""
    return _SURROGATES.sub(_unescaped, text.translate(_NO_YAML))


def _unescaped(match: re.Match[str]) -> str:
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
        message = f"Control character U+{ord(control[0]):04X}."
        findings.append(_of("files/encoding", file, line, message))
        text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return text, findings


def _mended(text: str, file: str, first_line: int, broken: yaml.YAMLError) -> tuple[list[Node], list[Finding]]:
    """The text read once more: first with its templates taken out, then without the entries that are broken."""
    lines = text.split("\n")
    findings: list[Finding] = []
    templated = _without_templates(lines)
    if templated:
        message = f"Template actions stand outside of quotes, in {len(templated)} lines."
        findings.append(_of("files/templated", file, templated[0] + first_line, message))
    faults: dict[int, Finding] = {}
    cuts: list[tuple[int, list[str], int]] = []
    for attempt in range(_MOST_CUTS + 1):
        if attempt or templated:
            try:
                tree = YamlTree("\n".join(lines), file, first_line=first_line)
                return tree.documents, [*findings, *faults.values(), *tree.findings]
            except yaml.YAMLError as again:
                broken = again
        index, problem = _fault(broken)
        place = min(index, len(lines) - 1)
        # A quote left open is often closed by the next one, so that a sound entry behind it looked broken before.
        while cuts and cuts[-1][0] > place:
            start, blanked, blamed = cuts.pop()
            lines[start : start + len(blanked)] = blanked
            faults.pop(blamed, None)
        message = f"It is no YAML: {problem}."
        faults.setdefault(place, _of("files/broken-yaml", file, place + first_line, message))
        start, end = _entry(lines, place)
        if not any(line.strip() for line in lines[start:end]):
            break
        cuts.append((start, lines[start:end], place))
        lines[start:end] = [""] * (end - start)
    return [], [*findings, *faults.values()]


def _fault(error: yaml.YAMLError) -> tuple[int, str]:
    """The index of the line that is likely broken, and what the parser says of it."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return 0, " ".join(str(error).split())
    # An open quote or bracket is noticed only where the text goes on like something else.
    opened = error.context_mark if re.search("scan|flow", error.context or "") else None
    mark = opened or error.problem_mark
    return mark.line if mark else 0, error.problem or "it is no YAML"


def _without_templates(lines: list[str]) -> list[int]:
    """The indexes of the lines whose template actions were blanked out or put in quotes, in place."""
    changed = []
    for index, line in enumerate(lines):
        if "{{" not in line and "{%" not in line:
            continue
        if _TEMPLATE_LINE.match(line):
            lines[index] = ""
            changed.append(index)
        elif value := _TEMPLATE_VALUE.match(line):
            quoted = value[2].replace("'", "''")
            lines[index] = f"{value[1]}'{quoted}'"
            changed.append(index)
    return changed


def _entry(lines: list[str], place: int) -> tuple[int, int]:
    """Where the innermost list item around a line begins and ends; the line alone where there is none."""
    start = place
    limit = _indent(lines[place]) if lines[place].strip() else 1 << 20
    while start >= 0:
        item = _ITEM.match(lines[start])
        if item and (start == place or len(item[1]) < limit):
            break
        if lines[start].strip():
            limit = min(limit, _indent(lines[start]))
        start -= 1
    if start < 0:
        return place, place + 1
    indent, end = _indent(lines[start]), start + 1
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
        end += 1
    # What is broken can reach to the left of its own item.
    return start, max(end, place + 1)


def _indent(line: str) -> int:
    """How far a line stands in; one that begins with a tab belongs to what stands before it."""
    spaces = len(line) - len(line.lstrip(" "))
    return 1 << 20 if line[spaces : spaces + 1] == "\t" else spaces


def _of(code: str, file: str, line: int, message: str) -> Finding:
    return found(code, file=file, line=line, subject="", message=message)
