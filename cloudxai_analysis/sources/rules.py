"""Alerting rules as a source has them loaded: what its alerts were made by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources.promql import Asked

MOST_RULES = 10_000  # each pull keeps them


@dataclass(frozen=True)
class AlertingRule:
    """One alerting rule; durations are in seconds, `interval_seconds` its group's (None: the usual one).

    Where it comes from a server, `last_evaluation` is when its group was last evaluated, in
    milliseconds, and `health` how that went ('ok', 'err', 'unknown'), `error` in the server's words.
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
    health: str = ""
    error: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """The file and the group, which are evaluated together."""
        return self.file, self.group


@runtime_checkable
class Ruled(Protocol):
    """A source that can say which rules made its alerts."""

    def rules(self) -> list[AlertingRule] | None:
        """The alerting rules that are loaded; None where it cannot say."""


def loaded_rules(source: Asked, *, kind: Literal["alert", "record"] = "alert") -> list[AlertingRule]:
    """The rules of a kind that the server has loaded, in its order; raises what `session.ask` does.

    Of a recording rule there is what it has in common with an alerting one. Source: Prometheus
    docs, HTTP API, 'Rules'; the server gives expressions in its own writing.
    """

    def read(data: Any) -> list[AlertingRule]:
        told = [(rule, group) for group in data["groups"] for rule in group["rules"] if rule["type"] == f"{kind}ing"]
        if len(told) > MOST_RULES:
            raise SourceAnswerError(f"has {len(told):,} {kind}ing rules, more than the {MOST_RULES:,} that are read.")
        return [_loaded(rule, group) for rule, group in told]

    return source.session.ask("Asked for its rules", "rules", {"type": kind}, read=read)


def rule_rows(rules: Iterable[AlertingRule] | None) -> list[dict[str, Any]] | None:
    """What a pull keeps of loaded rules, as JSON: one row a rule, with the columns of `Study.rules`."""
    kept = ("expr", "for_seconds", "keep_firing_for_seconds", "interval_seconds", "health")
    if rules is None:
        return None
    return [
        {"group": rule.group, "alertname": rule.name, "severity": rule.labels.get("severity", "")}
        | {name: getattr(rule, name) for name in kept}
        for rule in rules
    ]


def _loaded(rule: dict[str, Any], group: dict[str, Any]) -> AlertingRule:
    evaluated = str(group.get("lastEvaluation") or "")
    # Prometheus writes a moment that never was as one of the year 1.
    never = not evaluated or evaluated.startswith("0001-")
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
        last_evaluation=None if never else round(datetime.fromisoformat(evaluated).timestamp() * 1000),
        health=str(rule.get("health") or ""),
        error=str(rule.get("lastError") or ""),
    )
