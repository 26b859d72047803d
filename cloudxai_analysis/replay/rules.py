"""Alerting rules to replay: from files as they come, or as the server has loaded them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cloudxai_analysis.audits import Finding
from cloudxai_analysis.audits.reading import read_tree
from cloudxai_analysis.audits.rules import load_rules
from cloudxai_analysis.errors import SourceAnswerError, UsageError
from cloudxai_analysis.sources.http_api import asking
from cloudxai_analysis.sources.promql import Asked

_ENDINGS = frozenset({".yml", ".yaml", ".json", ".rules"})


@dataclass(frozen=True)
class AlertingRule:
    """One alerting rule; durations in seconds, `interval_seconds` its group's (None: the server's usual one).

    `last_evaluation` is when the server last evaluated the group, in milliseconds, where the rule comes from a server.
    """

    name: str
    expr: str
    for_seconds: float = 0.0
    keep_firing_for_seconds: float = 0.0
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    group: str = ""
    interval_seconds: float | None = None
    file: str = ""
    last_evaluation: int | None = None

    @property
    def place(self) -> tuple[str, str]:
        """The file and the group, which are evaluated together."""
        return self.file, self.group


def rules_in(paths: Iterable[Path]) -> tuple[list[AlertingRule], list[Finding]]:
    """The alerting rules in files and folders, in their order, and what is wrong with the files.

    Raises
    ------
    UsageError
        A path does not exist.
    """
    rules: list[AlertingRule] = []
    findings: list[Finding] = []
    for file in _files(paths):
        trees, faults = read_tree(file)
        findings += faults
        for tree in trees:
            found, wrong = load_rules(tree, str(file))
            findings += wrong
            rules += [
                AlertingRule(
                    name=rule.name,
                    expr=rule.expr,
                    for_seconds=rule.for_seconds,
                    keep_firing_for_seconds=rule.keep_firing_for_seconds or 0.0,
                    labels=rule.labels,
                    annotations=rule.annotations,
                    group=rule.group,
                    interval_seconds=rule.interval_seconds,
                    file=rule.file,
                )
                for rule in found
                if rule.kind == "alert" and rule.name and rule.expr.strip()
            ]
    return rules, findings


def loaded_rules(source: Asked) -> list[AlertingRule]:
    """The alerting rules that the server has loaded, in its order.

    Source: Prometheus docs, HTTP API, 'Rules'; the server gives expressions in its own writing.

    Raises
    ------
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, has no such endpoint, or answered wrongly.
    """
    with asking("Asked for its rules"):
        document = source.session.get(f"{source.name}/api/v1/rules", params={"type": "alert"}).json()
    try:
        return [
            _loaded(rule, group)
            for group in document["data"]["groups"]
            for rule in group["rules"]
            if rule["type"] == "alerting"
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SourceAnswerError(
            f"Asked for its rules: source {source.name} answered with JSON that is not what Prometheus gives for it. "
            "Give the rules as files instead."
        ) from None


def _loaded(rule: dict[str, Any], group: dict[str, Any]) -> AlertingRule:
    return AlertingRule(
        name=str(rule["name"]),
        expr=str(rule["query"]),
        for_seconds=float(rule.get("duration") or 0),
        keep_firing_for_seconds=float(rule.get("keepFiringFor") or 0),
        labels={str(name): str(value) for name, value in (rule.get("labels") or {}).items()},
        annotations={str(name): str(value) for name, value in (rule.get("annotations") or {}).items()},
        group=str(group["name"]),
        interval_seconds=float(group.get("interval") or 0) or None,
        file=str(group.get("file") or ""),
        last_evaluation=_milliseconds(str(group.get("lastEvaluation") or "")),
    )


def _milliseconds(moment: str) -> int | None:
    """Milliseconds since the epoch of a moment; None of one that never was, which Prometheus writes as the year 1."""
    if not moment or moment.startswith("0001-"):
        return None
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS and file.is_file())
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"Rule file {path} does not exist. Give files or folders with rules.")
    return found
