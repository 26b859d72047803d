"""Prometheus' rules as they stand in files: groups, `PrometheusRule` resources, values of charts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from cloudxai_analysis.lint.durations import duration_seconds
from cloudxai_analysis.lint.nodes import Node

_DEEPEST_SEARCH = 12
_TEXTS = frozenset({"expr", "for", "labels", "annotations"})
# Query languages that are no PromQL, by what only they write.
_LOGQL = re.compile(
    r"\|[=~]|\|\s*(?:json|logfmt|unwrap|line_format|label_format|pattern|regexp|decolorize)\b|\bbytes_(?:rate|over_time)\("
    r"|!=\s*`|(?:rate|count_over_time|absent_over_time)\(\s*\{"
)
_METRICSQL = re.compile(
    r"\b(?:rollup\w*|\w+_pure|range_\w+|running_\w+|share_\w+_over_time|keep_last_value|interpolate|label_set|label_del"
    r"|label_match|label_mismatch|alias|histogram_share|buckets_limit|median|topk_\w+|outliersk|limit_offset|smooth_\w+"
    r"|count_(?:eq|ne|gt|le)_over_time|histogram_avg|any|distinct_over_time|tlast_change_over_time|now|step|lag|union)\("
    r"|\bWITH\s*\(|\bkeep_metric_names\b|\b(?:if|ifnot|default)\b\s*[\w(]|\[\d+i\]|\{[^}\"']*\bor\b"
)


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
        return self.node.get(*keys[:-1]).key_lines.get(keys[-1], self.line)

    @property
    def templated(self) -> bool:
        """Whether a part of it is made by a chart's template, so that nothing of it can be called missing."""
        texts = (self.name, self.expr, *self.labels.values())
        return any("{{" in text and "$" not in text for text in texts) or isinstance(self.node.get("expr").value, dict)


def load_rules(tree: Node, file: str) -> list[Rule]:
    """Every rule in one document of `file`, whatever its form; whether Prometheus takes it is promtool's word."""
    rules = [_rule(node, Node({}, node.line), file) for node in rules_outside(tree) if is_rule(node)]
    for groups in group_lists(tree):
        for group in groups.items():
            rules += [_rule(node, group, file) for node in group.get("rules").items() if isinstance(node.value, dict)]
    return [rule for rule in rules if rule.name or rule.expr]


def group_lists(tree: Node) -> Iterator[Node]:
    """The lists of groups in a document, however deep in a resource or a chart's values they stand."""
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        groups = node.get("groups")
        if any(_is_group(group) for group in groups.items()):
            yield groups
        elif depth < _DEEPEST_SEARCH and not node.has("panels") and not node.has("openapi"):
            inside = node.items() or [value for _, value in node.pairs()]
            waiting.extend((value, depth + 1) for value in reversed(inside))


def rules_outside(tree: Node) -> list[Node]:
    """The rules of a document that holds them without a group around."""
    return [] if tree.has("groups") else tree.items() or tree.get("rules").items()


def is_rule(node: Node) -> bool:
    """Whether it is a rule by its own keys: a name, and something that only rules have."""
    return (node.has("alert") or node.has("record")) and any(node.has(key) for key in _TEXTS)


def language_of(expr: str) -> str:
    """The query language that an expression is written in, if it is surely another than PromQL; else ''."""
    return "LogQL" if _LOGQL.search(expr) else "MetricsQL" if _METRICSQL.search(expr) else ""


def _is_group(node: Node) -> bool:
    rules = node.get("rules").items()
    # Grafana provisions alerts of its own in groups of the same names.
    return any(map(is_rule, rules)) and not any(rule.has("uid") or rule.has("data") for rule in rules)


def _rule(node: Node, group: Node, file: str) -> Rule:
    kind: Literal["alert", "record"] = "record" if node.has("record") and not node.has("alert") else "alert"
    line = node.key_lines.get(kind, node.line)
    return Rule(
        name=node.get(kind).text(),
        kind=kind,
        expr=node.get("expr").text(),
        expr_line=node.key_lines.get("expr", line),
        for_seconds=duration_seconds(node.get("for").text()) or 0.0,
        keep_firing_for_seconds=duration_seconds(node.get("keep_firing_for").text()) or 0.0,
        labels=_texts(group.get("labels")) | _texts(node.get("labels")),
        annotations=_texts(node.get("annotations")),
        group=group.get("name").text(),
        interval_seconds=duration_seconds(group.get("interval").text()) or None,
        file=file,
        line=line,
        node=node,
    )


def _texts(table: Node) -> dict[str, str]:
    return {name: inside.text() for name, inside in table.pairs()}
