"""The word of the tools of the field: promtool of rules and expressions, amtool and amlint of routing.

Whether a server takes a file is theirs to say, where they are installed; each finding of theirs names the tool and its
version, and what an older tool cannot know of a newer server is left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import code_of, found
from cloudxai_analysis.lint.nodes import Node

_SECONDS = 120.0
_AT_ONCE = 200
_MOST_ROUTES = 300
# Keys of Thanos, Mimir, VictoriaMetrics and newer releases, which they need and an older promtool refuses.
_OTHERS_KEYS = frozenset(
    {"partial_response_strategy", "source_tenants", "evaluation_delay", "align_evaluation_time_on_interval", "labels"}
    | {"concurrency", "type", "params", "headers", "notifier_headers", "tenant", "folder", "extra_filter_labels"}
    | {"eval_offset", "eval_delay", "eval_alignment", "query_offset", "debug", "update_entries_limit", "limit"}
)
_GROUP_OR_RULE = re.compile(r'group "(?P<group>.*?)", rule (?P<rule>\d+), "[^"]*": (?:\d+:\d+: )?')
_PLACED = re.compile(r"(?P<number>\d+)\.yml: (?:(?P<line>\d+):\d+: )?(?P<said>.*)")
_OF_LINE = re.compile(r"\s+line (?P<line>\d+): (?P<said>.*)")
_NEWER_FUNCTIONS = re.compile(r'function "(?:now|toDuration|urlQueryEscape|\w*[Tt]ime\w*)" not defined')
_UNKNOWN_FIELD = re.compile(r"field (\w+) not found")
# Keys of Alertmanager that are there since long: what nearly is one of them is a slip, what is not may be newer.
_KEYS = [
    *("global", "receivers", "route", "receiver", "routes", "match", "match_re", "matchers", "continue", "group_by"),
    *("group_wait", "group_interval", "repeat_interval", "mute_time_intervals", "time_intervals", "inhibit_rules"),
    *("source_match", "target_match", "source_matchers", "target_matchers", "equal", "templates", "name"),
    *("send_resolved", "http_config", "channel", "username", "api_url", "title", "text", "smarthost", "from", "to"),
    *("webhook_configs", "email_configs", "slack_configs", "pagerduty_configs", "opsgenie_configs", "url"),
]
_NO_FUNCTION = re.compile(r"unknown function with name \"(\w+)\"")
_FUNCTIONS = ["rate", "increase", "histogram_quantile", "label_replace", "absent", "predict_linear"] + [
    f"{name}_over_time" for name in ("avg", "max", "min", "sum", "count", "quantile", "last", "absent")
]


@cache
def version_of(tool: str) -> str:
    """The tool's name with its version, as 'promtool 2.42.0'; '' where it is not installed."""
    if shutil.which(tool) is None:
        return ""
    said = re.search(r"version (\d[\d.]*)", _run(tool, "--version"))
    return f"{tool} {said[1]}" if said else tool


def _run(tool: str, *arguments: str) -> str:
    """All that the tool says."""
    command = [tool, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603
    return f"{done.stdout}\n{done.stderr}"


def rule_form(documents: Sequence[tuple[str, Node]]) -> list[Finding]:
    """Why promtool refuses the groups of rules of these files; of expressions, see `refused_expressions`."""
    tool = version_of("promtool")
    findings: dict[Finding, None] = {}
    if not tool:
        return []
    texts = [_cleaned(groups).in_place() for _, groups in documents]
    for number, line, said in _check_rules(texts):
        file, groups = documents[number]
        if "could not parse expression" in said or _NEWER_FUNCTIONS.search(said):
            continue
        at, subject = _place(groups.get("groups"), said, line)
        words = re.sub(r"template: __alert_.*?:\d+(?::\d+)?: ", "template: ", _GROUP_OR_RULE.sub("", said))
        message, code = f"{words}, says {tool}.", code_of("promtool", words)
        findings[found(code, file=file, line=at, subject=subject, message=message)] = None
    return list(findings)


def refused_expressions(expressions: Sequence[str]) -> dict[int, str]:
    """What promtool says of those of the expressions that it cannot parse either, by their place."""
    rules = [{"record": "x", "expr": expression} for expression in expressions]
    node = Node({"groups": Node([Node({"name": Node("g", 1), "rules": _plain_rules(rules)}, 1)], 1)}, 1)
    refused = {}
    for _, _, said in _check_rules([node.in_place()]) if version_of("promtool") and rules else ():
        place, error = _GROUP_OR_RULE.search(said), said.partition("parse error: ")[2]
        unknown = _NO_FUNCTION.search(error)
        # A newer server, or another one, may know the function; what is nearly one of the old ones is a slip.
        if place is not None and error and (not unknown or get_close_matches(unknown[1], _FUNCTIONS, cutoff=0.8)):
            refused[int(place["rule"]) - 1] = f"{error}, says {version_of('promtool')}"
    return refused


def _plain_rules(rules: list[dict[str, str]]) -> Node:
    return Node([Node({key: Node(text, 1) for key, text in one.items()}, 1) for one in rules], 1)


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
    groups = [_without(group) for group in node.get("groups").items()]
    return Node({"groups": Node(groups, node.line)}, node.line, node.key_lines)


def _without(group: Node) -> Node:
    if not isinstance(group.value, dict):
        return group
    values = {key: inside for key, inside in group.value.items() if key not in _OTHERS_KEYS and "{" not in key}
    rules = group.get("rules")
    if isinstance(rules.value, list):
        kept = [_own_keys(one) for one in rules.value]
        values["rules"] = Node(kept, rules.line)
    return Node(values, group.line, group.key_lines)


def _own_keys(one: Node) -> Node:
    if not isinstance(one.value, dict):
        return one
    others = _OTHERS_KEYS - {"labels"}
    return Node({key: inside for key, inside in one.value.items() if key not in others}, one.line, one.key_lines)


def _place(groups: Node, said: str, line: int) -> tuple[int, str]:
    """The line of what is said, and the rule that it is said of."""
    placed = _GROUP_OR_RULE.search(said)
    scope, subject = groups, ""
    if placed is not None:
        of_name = [group for group in groups.items() if group.get("name").text() == placed["group"]]
        rules = [one for group in of_name for one in group.get("rules").items()]
        place = int(placed["rule"]) - 1
        scope = rules[place] if place < len(rules) else groups
        subject = (scope.get("alert").text() or scope.get("record").text()) if scope is not groups else ""
        line = line or next(iter(scope.key_lines.values()), scope.line)
        said = said[placed.end() :]
    words = [*re.findall(r"[\"'](.*?)[\"']", said), said.split()[-1]]
    exact = [at for word in words if (at := scope.line_of(word)) is not None] if scope is not groups or not line else []
    return (exact[0] if exact else line or groups.line), subject


def routing_form(file: str, tree: Node, *, whole: bool) -> list[Finding]:
    """What amlint finds in Alertmanager's configuration, and why amtool refuses it; `whole` unless it is a part."""
    from amlint.explains import ALSO_CAUGHT_BY_AMTOOL

    if not whole:
        return []
    refusal = _refusal(tree)
    findings: dict[Finding, None] = {}
    seen: set[str] = set()
    for one in _amlint(tree):
        if one.code in _NOT_TOLD or (one.code in ALSO_CAUGHT_BY_AMTOOL and refusal == ""):
            continue
        code = code_of("amlint", one.code)
        once = code in ("routing/old-matchers", "routing/plain-secret")
        if once and code in seen:
            continue
        seen.add(code)
        message = " ".join(one.msg.split()).replace(" — ", ": ")
        line, subject = _where(tree, one.where, message)
        # Where amtool is too old to say, amlint may be, too.
        doubtful = refusal is None and bool(version_of("amtool")) and one.code in ALSO_CAUGHT_BY_AMTOOL
        findings[found(code, file=file, line=line, subject=subject, message=message, mild=doubtful)] = None
    if refusal and not any(code_is_refusal(finding) for finding in findings):
        findings |= _said_by_amtool(file, tree, refusal)
    return list(findings)


def _amlint(tree: Node) -> list[Any]:
    """What amlint finds; of very many routes without those checks that hold each against all before it."""
    import amlint.linter

    plain = tree.plain()
    if sum("receiver" in node.key_lines for node in tree.walk()) <= _MOST_ROUTES:
        return list(amlint.linter.lint(plain))
    checks = [one for one in amlint.linter.ALL_CHECKS if one is not amlint.linter.check_shadowed_routes]
    return [finding for check in checks for finding in check(plain)]


_NOT_TOLD = frozenset({"global-resolve-timeout-missing", "deep-nesting", "empty-receiver", "useless-continue"}) | {
    "inhibit-same-match",
    "undefined-template",
    "deprecated-mute-time-intervals",
}


def code_is_refusal(finding: Finding) -> bool:
    """Whether it says that Alertmanager refuses the file."""
    return "refuses" in finding.why


def _refusal(tree: Node) -> str | None:
    """Why amtool refuses the configuration; '' where it takes it, None where it is not installed or too old to say."""
    if not version_of("amtool"):
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder) / "alertmanager.yml"
        path.write_text(tree.in_place(), encoding="utf-8", errors="replace")
        said = _run("amtool", "check-config", str(path))
    refusal = said.partition("FAILED:")[2].partition("\n\n")[0].strip()
    unknown = _UNKNOWN_FIELD.findall(refusal)
    newer = [key for key in unknown if not get_close_matches(key, _KEYS, cutoff=0.8)]
    return None if newer or "no such file" in refusal else refusal


def _said_by_amtool(file: str, tree: Node, refusal: str) -> dict[Finding, None]:
    placed = [of_line for line in refusal.split("\n") if (of_line := _OF_LINE.fullmatch(line))]
    told = [(int(one["line"]), one["said"]) for one in placed] or [(0, refusal)]
    findings: dict[Finding, None] = {}
    for line, said in told:
        words = re.findall(r"[\"'](.*?)[\"']|field (\w+)", said)
        exact = [at for pair in words for word in pair if word and (at := tree.line_of(word)) is not None]
        message = f"{said}, says {version_of('amtool')}."
        code = code_of("amtool", said)
        findings[found(code, file=file, line=line or (exact or [tree.line])[0], subject="", message=message)] = None
    return findings


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


def of_tools_missing(files: Iterable[str], tool: str, what: str) -> list[Finding]:
    """That a tool is not installed, said once, at the first of the files that it would have been asked of."""
    first = next(iter(files), None)
    if first is None or version_of(tool):
        return []
    message = f"{tool} is not installed: whether a server takes {what} was not checked."
    return [found("files/form-unchecked", file=first, line=1, subject="", message=message)]
