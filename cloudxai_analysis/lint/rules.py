"""Prometheus' rules as they stand in files: groups, `PrometheusRule` resources, `ConfigMap`s, values of charts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.durations import duration_seconds
from cloudxai_analysis.lint.embedded import embedded_documents
from cloudxai_analysis.lint.nodes import Node

_GROUP_KEYS = frozenset({"name", "interval", "rules", "limit", "query_offset", "labels"})
# Thanos', Mimir's and VictoriaMetrics' own, which Prometheus refuses and they need.
_OTHERS_GROUP_KEYS = frozenset(
    {"partial_response_strategy", "source_tenants", "evaluation_delay", "align_evaluation_time_on_interval"}
    | {"concurrency", "type", "params", "headers", "notifier_headers", "tenant", "folder", "extra_filter_labels"}
    | {"eval_offset", "eval_delay", "eval_alignment"}
)
_RULE_KEYS = {
    "alert": frozenset({"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}),
    "record": frozenset({"record", "expr", "labels"}),
}
_OTHERS_RULE_KEYS = frozenset({"debug", "update_entries_limit", "source_tenants"})
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_DEEPEST_SEARCH = 12


@dataclass(frozen=True)
class Rule:
    """One rule with the place where it stands; `interval_seconds` is its group's, where that has one of its own."""

    name: str
    kind: Literal["alert", "record"]
    expr: str
    expr_line: int
    for_seconds: float
    keep_firing_for_seconds: float
    labels: dict[str, str]
    annotations: dict[str, str]
    group: str
    interval_seconds: float | None
    file: str
    line: int
    node: Node = field(repr=False, compare=False)

    def line_of(self, *keys: str) -> int:
        """The line of a key of the rule, as of ('annotations', 'summary'); the rule's own where it lacks it."""
        inside = self.node.get(*keys[:-1])
        return inside.key_lines.get(keys[-1], self.line)


def load_rules(tree: Node, file: str) -> tuple[list[Rule], list[Finding]]:
    """Every rule in one document of `file`, and what is wrong with the form of its groups and rules."""
    reader = _Reader(file)
    reader.read(tree)
    for inner in embedded_documents(tree, file):
        reader.findings.extend(inner.findings)
        for document in inner.documents:
            reader.read(document)
    return reader.rules, reader.findings


def holds_rules(tree: Node) -> bool:
    """Whether a document holds rules of Prometheus."""
    return next(_group_lists(tree), None) is not None or _bare_rules(tree) is not None


class _Reader:
    def __init__(self, file: str) -> None:
        self.rules: list[Rule] = []
        self.findings: list[Finding] = []
        self._file = file

    def read(self, tree: Node) -> None:
        bare = _bare_rules(tree)
        if bare is not None:
            self._say("rules/no-group", bare.line, "", "Rules stand outside of a group.")
            self._rules(bare, group="", interval=None)
        for groups in _group_lists(tree):
            names: dict[str, int] = {}
            for group in groups.items():
                self._group(group, names)

    def _group(self, group: Node, names: dict[str, int]) -> None:
        if not isinstance(group.value, dict):
            self._say("rules/malformed", group.line, "", "A group is no mapping.")
            return
        name = group.get("name").text()
        if not name:
            self._say("rules/malformed", group.line, "", "A group has no name.")
        elif name in names:
            message = f"Group '{name}' is there twice; it stands on line {names[name]} already."
            self._say("rules/duplicate-group", group.line, name, message)
        names.setdefault(name, group.line)
        for key in group.value:
            if key not in _GROUP_KEYS and key not in _OTHERS_GROUP_KEYS:
                self._unknown_key(group, key, _GROUP_KEYS, name or "a group")
        interval = self._seconds(group, "interval", name)
        rules = group.get("rules")
        if rules.value is not None and not isinstance(rules.value, list):
            self._say("rules/malformed", rules.line, name, f"The rules of group '{name}' are no list.")
        # A group's labels go to each of its rules, since Prometheus 3.
        shared = self._texts(group, "labels", name)
        self._rules(rules, group=name, interval=interval or None, shared=shared)

    def _rules(
        self, rules: Node, *, group: str, interval: float | None, shared: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        for node in rules.items():
            if not isinstance(node.value, dict):
                self._say("rules/malformed", node.line, group, f"A rule of group '{group}' is no mapping.")
                continue
            rule = self._rule(node, group, interval, shared)
            self.rules.append(rule)

    def _rule(self, node: Node, group: str, interval: float | None, shared: Mapping[str, str]) -> Rule:
        kind: Literal["alert", "record"] = "record" if node.has("record") and not node.has("alert") else "alert"
        name = node.get(kind).text()
        line = node.key_lines.get(kind, node.line)
        subject = name or f"a rule of group '{group}'"
        if not node.has(kind):
            self._say("rules/malformed", line, group, f"A rule of group '{group}' has neither `alert` nor `record`.")
        elif node.has("alert") and node.has("record"):
            self._say("rules/malformed", line, subject, "A rule has both `alert` and `record`.")
        elif not name:
            self._say("rules/malformed", line, subject, f"The rule's `{kind}` has no name.")
        expr = node.get("expr")
        if not expr.text().strip():
            templated = any("{" in key for key, _ in expr.pairs()) or isinstance(expr.value, dict)
            if not templated:
                self._say("rules/malformed", node.key_lines.get("expr", line), subject, "The rule has no expression.")
        for key in node.pairs():
            if key[0] not in _RULE_KEYS[kind] | _OTHERS_RULE_KEYS | {"alert", "record"}:
                self._unknown_key(node, key[0], _RULE_KEYS[kind], subject)
        self._names(node, kind, name, subject, line)
        return Rule(
            name=name,
            kind=kind,
            expr=expr.text(),
            expr_line=node.key_lines.get("expr", line),
            for_seconds=self._seconds(node, "for", subject) or 0.0,
            keep_firing_for_seconds=self._seconds(node, "keep_firing_for", subject) or 0.0,
            labels={**shared, **self._texts(node, "labels", subject)},
            annotations=self._texts(node, "annotations", subject),
            group=group,
            interval_seconds=interval,
            file=self._file,
            line=line,
            node=node,
        )

    def _names(self, node: Node, kind: str, name: str, subject: str, line: int) -> None:
        if kind == "record" and name and not _METRIC_NAME.match(name) and "{{" not in name:
            self._say("rules/invalid-name", line, subject, f"'{name}' is no name of a metric.")
        for table in ("labels", "annotations"):
            inside = node.get(table)
            for label, _ in inside.pairs():
                if not _LABEL_NAME.match(label) or (label == "__name__" and table == "labels"):
                    where = inside.key_lines.get(label, inside.line)
                    self._say("rules/invalid-name", where, subject, f"'{label}' is no name for one of its {table}.")

    def _seconds(self, node: Node, key: str, subject: str) -> float | None:
        given = node.get(key)
        text = given.text()
        if given.value is None or "{{" in text:
            return None
        seconds = duration_seconds(text)
        if seconds is None and not isinstance(given.value, dict):
            message = f"`{key}` is '{text}', which is no duration."
            self._say("rules/invalid-duration", node.key_lines.get(key, node.line), subject, message)
        return seconds

    def _texts(self, node: Node, key: str, subject: str) -> dict[str, str]:
        table = node.get(key)
        if table.value is not None and not isinstance(table.value, dict):
            where = node.key_lines.get(key, node.line)
            self._say("rules/malformed", where, subject, f"`{key}` is no mapping of names to texts.")
        for name, inside in table.pairs():
            if isinstance(inside.value, list):
                self._say("rules/malformed", inside.line, subject, f"`{name}` of its {key} is no text.")
        return {name: inside.text() for name, inside in table.pairs()}

    def _unknown_key(self, node: Node, key: str, known: frozenset[str], subject: str) -> None:
        if "{" in key:
            return
        near = get_close_matches(key, known, n=1, cutoff=0.6)
        meant = f" Is `{near[0]}` meant?" if near else ""
        self._say("rules/unknown-key", node.key_lines.get(key, node.line), subject, f"Key `{key}` is unknown.{meant}")

    def _say(self, code: str, line: int, subject: str, message: str) -> None:
        self.findings.append(found(code, file=self._file, line=line, subject=subject, message=message))


def _group_lists(tree: Node) -> Iterator[Node]:
    """The lists of groups in a document, however deep in a resource or a chart's values they stand."""
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        groups = node.get("groups")
        if any(_is_group(group) for group in groups.items()):
            yield groups
        elif depth < _DEEPEST_SEARCH and not _other_business(node):
            inside = node.items() or [value for _, value in node.pairs()]
            waiting.extend((value, depth + 1) for value in reversed(inside))


def _is_group(node: Node) -> bool:
    if not node.has("rules"):
        return False
    rules = node.get("rules").items()
    # Grafana provisions alerts of its own in groups of the same names.
    grafana = any(rule.has("uid") or rule.has("data") or rule.has("title") for rule in rules)
    return not grafana and (node.has("name") or any(_is_rule(rule) for rule in rules))


def _is_rule(node: Node) -> bool:
    return node.has("expr") and (node.has("alert") or node.has("record"))


def _other_business(node: Node) -> bool:
    """Whether a mapping is a dashboard or Alertmanager's own, which need not be searched."""
    return node.has("panels") or (node.has("route") and node.has("receivers"))


def _bare_rules(tree: Node) -> Node | None:
    """A list of rules without a group around it, as people paste them into a file."""
    for rules in (tree, tree.get("rules")):
        if any(_is_rule(rule) for rule in rules.items()) and not tree.has("groups"):
            return rules
    return None
