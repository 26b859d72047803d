"""Prometheus' rules as they stand in files: groups, resources, values of charts; and their durations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from cloudxai_analysis.lint.documents import Node

_DEEPEST_SEARCH = 12
_TEXTS = frozenset({"expr", "for", "labels", "annotations"})
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\Z")
_SECONDS = (365 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)
PLACEHOLDER = re.compile(r"\s*<[^<>]*>\s*")  # what people are to fill in
# Query languages that are no PromQL, by what only they write.
_LANGUAGES = {
    "LogQL": re.compile(
        r"\|[=~]|\|\s*(?:json|logfmt|unwrap|line_format|label_format|pattern|regexp|decolorize)\b"
        r"|\bbytes_(?:rate|over_time)\(|!=\s*`|(?:rate|count_over_time|absent_over_time)\(\s*\{"
    ),
    "MetricsQL": re.compile(
        r"\b(?:rollup\w*|\w+_pure|range_\w+|running_\w+|share_\w+_over_time|keep_last_value|interpolate|label_set"
        r"|label_del|label_match|label_mismatch|alias|histogram_share|buckets_limit|median|topk_\w+|outliersk"
        r"|limit_offset|smooth_\w+|count_(?:eq|ne|gt|le)_over_time|histogram_avg|any|distinct_over_time"
        r"|tlast_change_over_time|now|step|lag|union)\(|\bWITH\s*\(|\bkeep_metric_names\b"
        r"|\b(?:if|ifnot|default)\b\s*[\w(]|\[\d+i\]|\{[^}\"']*\bor\b"
    ),
}


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
        filled = any(("{{" in text and "$" not in text) or PLACEHOLDER.fullmatch(text) for text in texts)
        return filled or isinstance(self.node.get("expr").value, dict)


def load_rules(tree: Node, file: str) -> list[Rule]:
    """Every rule in one document of `file`, whatever its form; whether Prometheus takes it is promtool's word."""
    rules = [
        _rule(node, group, file)
        for groups in group_lists(tree)
        for group in groups.items()
        for node in group.get("rules").items()
        if isinstance(node.value, dict)
    ]
    return [rule for rule in rules if rule.name or rule.expr]


def group_lists(tree: Node, depth: int = 0) -> Iterator[Node]:
    """The lists of groups in a document, however deep in a resource or a chart's values they stand."""
    groups = tree.get("groups")
    if any(map(_is_group, groups.items())):
        yield groups
    elif depth < _DEEPEST_SEARCH and not tree.has("panels"):
        for inside in tree.items() or [value for _, value in tree.pairs()]:
            yield from group_lists(inside, depth + 1)


def language_of(expr: str) -> str:
    """The query language that an expression is written in, if it is surely another than PromQL; else ''."""
    return next((language for language, words in _LANGUAGES.items() if words.search(expr)), "")


def duration_seconds(text: str) -> float:
    """The seconds of a duration like '1h30m'; 0 of a text that Prometheus takes for none."""
    parts = _DURATION.match(text) if len(text) <= 100 else None
    counts = zip(parts.groups(), _SECONDS, strict=True) if parts else ()
    return sum(int(count) * seconds for count, seconds in counts if count)


def duration_text(seconds: float) -> str:
    """Seconds as people write them in a rule: 90 is '1m30s'."""
    if seconds <= 0 or seconds != round(seconds):
        return f"{seconds:g}s"
    left, said = int(seconds), ""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        said += f"{count}{unit}" if count else ""
    return said


def _is_group(node: Node) -> bool:
    """Whether it holds rules of Prometheus; Grafana provisions alerts of its own in groups of the same names."""
    rules = node.get("rules").items()
    named = any((rule.has("alert") or rule.has("record")) and any(map(rule.has, _TEXTS)) for rule in rules)
    return named and not any(rule.has("uid") or rule.has("data") for rule in rules)


def _rule(node: Node, group: Node, file: str) -> Rule:
    kind: Literal["alert", "record"] = "record" if node.has("record") and not node.has("alert") else "alert"
    line = node.key_lines.get(kind, node.line)
    return Rule(
        name=node.get(kind).text(),
        kind=kind,
        expr=node.get("expr").text(),
        expr_line=node.key_lines.get("expr", line),
        for_seconds=duration_seconds(node.get("for").text()),
        keep_firing_for_seconds=duration_seconds(node.get("keep_firing_for").text()),
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
