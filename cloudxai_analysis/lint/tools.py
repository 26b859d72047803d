"""The word of the tools of the field: promtool of rules and expressions, amtool and amlint of routing.

Whether a server takes a file is theirs to say, where they are installed; each finding of theirs
names the tool and its version, and what an older tool cannot know of a newer server is left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cloudxai_analysis.lint import Finding, code_of, found
from cloudxai_analysis.lint.documents import Node
from cloudxai_analysis.lint.metrics import NAMES

_SECONDS = 120.0
_AT_ONCE = 200
_MOST_ROUTES = 300
_NAMES = NAMES["tools"]
_OF_RULE = re.compile(r'group "(?P<group>.*?)", rule (?P<rule>\d+), "(?P<name>[^"]*)": (?:\d+:\d+: )?')
_PLACED = re.compile(r"(?P<number>\d+)\.yml: (?:(?P<line>\d+):\d+: )?(?P<said>.*)")
_OF_LINE = re.compile(r"\s+line (?P<line>\d+): (?P<said>.*)")
_NEWER_FUNCTIONS = re.compile(r'function "(?:now|toDuration|urlQueryEscape|\w*[Tt]ime\w*)" not defined')
_UNKNOWN_FUNCTION = re.compile(r'unknown function with name "(\w+)"')


@cache
def version_of(tool: str) -> str:
    """The tool's name with its version, as 'promtool 2.42.0'; '' where it is not installed."""
    if shutil.which(tool) is None:
        return ""
    said = re.search(r"version (\d[\d.]*)", _run(tool, "--version"))
    return f"{tool} {said[1]}" if said else tool


def _run(tool: str, *arguments: str) -> str:
    """All that the tool says."""
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603
    return f"{done.stdout}\n{done.stderr}"


def rule_form(documents: Sequence[tuple[str, Node]]) -> list[Finding]:
    """Why promtool refuses the groups of rules of these files."""
    tool = version_of("promtool")
    findings: dict[Finding, None] = {}
    for number, line, said in _check_rules([_cleaned(groups).in_place() for _, groups in documents]) if tool else ():
        file, node = documents[number]
        unknown = _UNKNOWN_FUNCTION.findall(said)
        is_slip = not unknown or get_close_matches(unknown[0], _NAMES["functions"], cutoff=0.8)
        if _NEWER_FUNCTIONS.search(said) or not is_slip:
            continue
        placed = _OF_RULE.search(said)
        subject = placed["name"] if placed else ""
        words = re.sub(r"template: __alert_.*?:\d+(?::\d+)?: ", "template: ", _OF_RULE.sub("", said))
        at = _exact(node, words, line or node.line_of(subject) or 0)
        findings[found(code_of("promtool", words), f"{words}, says {tool}.", file, at, subject)] = None
    return list(findings)


def _exact(scope: Node, said: str, line: int = 0) -> int:
    """The line of the first key or text from `line` on that a tool quotes; else that line, or where the file begins."""
    words = [*re.findall(r"[\"'](.*?)[\"']", said), said.rsplit(maxsplit=1)[-1]]
    exact = (at for word in words if (at := scope.line_of(word) or 0) >= max(line, 1))
    return next(exact, line or next(iter(scope.key_lines.values()), scope.line))


def _check_rules(texts: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """What promtool says of each text that it refuses: the text's place, the line (0: none), the words."""
    with TemporaryDirectory() as folder:
        names = [str(Path(folder) / f"{number}.yml") for number in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            Path(name).write_text(text, encoding="utf-8", errors="replace")
        for start in range(0, len(names), _AT_ONCE):
            number = 0
            for line in _run("promtool", "check", "rules", "--lint=none", *names[start : start + _AT_ONCE]).split("\n"):
                if line.startswith(folder) and (placed := _PLACED.search(line)):
                    number = int(placed["number"])
                    if "unmarshal errors" not in placed["said"]:
                        yield number, int(placed["line"] or 0), placed["said"]
                elif of_line := _OF_LINE.fullmatch(line):
                    yield number, int(of_line["line"]), of_line["said"]


def _cleaned(node: Node) -> Node:
    """Groups of rules without the keys that only other servers and newer ones know."""
    if isinstance(node.value, list):
        return Node([_cleaned(one) for one in node.value], node.line)
    if not isinstance(node.value, dict):
        return node
    others = [*_NAMES["others_keys"], *(["labels"] if "rules" in node.value else [])]  # labels of a group are newer
    kept = {
        key: inside if key in ("labels", "annotations") else _cleaned(inside)
        for key, inside in node.value.items()
        if key not in others and "{" not in key
    }
    return Node(kept, node.line, node.key_lines)


def routing_form(file: str, tree: Node, *, silent: bool) -> list[Finding]:
    """What amlint finds in Alertmanager's configuration, and why amtool refuses it.

    Of a `silent` one, of which no receiver sends anything, no single receiver is told.
    """
    from amlint.explains import ALSO_CAUGHT_BY_AMTOOL

    tool, refusal = version_of("amtool"), _refusal(tree)
    findings: dict[Finding, None] = {}
    for one in _amlint(tree):
        refused = one.code in ALSO_CAUGHT_BY_AMTOOL
        # Of a receiver that is meant to send nothing, as by its name, amlint only informs.
        meant = one.code == "empty-receiver" and (silent or one.level == "info")
        if one.code in _NAMES["not_told"] or meant or (refused and refusal == ""):
            continue
        said = " ".join(one.msg.split()).replace(" — ", ": ")
        line, subject = _where(tree, one.where, said)
        # Where amtool is too old to say, amlint may be, too; and `global` may have a key that is newer than both.
        told = any(key.startswith(f"{one.code.partition('-')[0]}_") for key in tree.get("global").key_lines)
        doubtful = refused and (told or (refusal is None and bool(tool)))
        findings[found(code_of("amlint", one.code), said, file, line, subject, assumed=doubtful)] = None
    if refusal and not any("refuses" in finding.why for finding in findings):
        lines = [(int(one["line"]), one["said"]) for one in map(_OF_LINE.fullmatch, refusal.split("\n")) if one]
        for line, said in lines or [(_exact(tree, refusal), refusal)]:
            findings[found(code_of("amtool", said), f"{said}, says {tool}.", file, line)] = None
    return list(findings)


def _amlint(tree: Node) -> list[Any]:
    """What amlint finds; of very many routes without those checks that hold each against all before it."""
    import amlint.linter

    plain = tree.plain()
    if sum("receiver" in node.key_lines for node in tree.walk()) <= _MOST_ROUTES:
        return list(amlint.linter.lint(plain))
    checks = [one for one in amlint.linter.ALL_CHECKS if one is not amlint.linter.check_shadowed_routes]
    return [finding for check in checks for finding in check(plain)]


def _refusal(tree: Node) -> str | None:
    """Why amtool refuses the configuration; '' where it takes it, None where it is not installed or too old to say."""
    if not version_of("amtool"):
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder) / "alertmanager.yml"
        path.write_text(tree.in_place(), encoding="utf-8", errors="replace")
        refusal = _run("amtool", "check-config", str(path)).partition("FAILED:")[2].partition("\n\n")[0].strip()
    unknown = re.findall(r"field (\w+) not found", refusal)
    newer = [key for key in unknown if not get_close_matches(key, _NAMES["keys"], cutoff=0.8)]
    return None if newer or "no such file" in refusal else refusal


def _where(tree: Node, path: str, message: str) -> tuple[int, str]:
    """The line of amlint's path, as `route.routes[0]` or `receivers[name]`, or of a key there, and its name."""
    node = tree
    for key, place in re.findall(r"([A-Za-z_]+)(?:\[([^\]]*)\])?", path):
        inside = node.get(key)
        if place and inside.items():
            named = [one for one in inside.items() if one.get("name").text() == place]
            numbered = inside.items()[int(place) : int(place) + 1] if place.isdigit() else []
            inside = (named or numbered or [inside])[0]
        node = inside if inside.value is not None else node
    keys = [word for word in re.findall(r"\w+", message) if word in node.key_lines]
    line = node.key_lines[keys[0]] if keys and keys[0] not in ("continue", "routes", "name") else node.line
    return line, node.get("name").text() or node.get("receiver").text() or path
