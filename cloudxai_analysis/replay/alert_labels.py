"""The label set of an alert: its series' labels without the name, and those that the rule adds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.series import Labels, SeriesBatch, canonical_labels

_LABEL = re.compile(r"\{\{-?\s*\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)\s*-?\}\}")


def alert_labels(series: Sequence[Labels], rule_labels: Mapping[str, str], alertname: str) -> list[dict[str, str]]:
    """The alerts' label sets by series: `{{ $labels.x }}` is filled in, any other template stays as it is written."""
    found = []
    for labels in series:
        own = {name: value for name, value in labels.items() if name != "__name__"}
        added = {name: _filled(value, labels) for name, value in rule_labels.items()}
        whole = {**own, **added, "alertname": alertname}
        found.append({name: value for name, value in whole.items() if value})
    return found


def templated_labels(rule_labels: Mapping[str, str]) -> tuple[str, ...]:
    """The rule's labels whose templates are more than `{{ $labels.x }}`, and so are not filled in."""
    return tuple(name for name, value in rule_labels.items() if "{{" in _LABEL.sub("", value))


def by_alert(batch: SeriesBatch, labels: Sequence[Mapping[str, str]], alertname: str) -> tuple[SeriesBatch, list[int]]:
    """The points by alert where several series make one, and of each alert a series that it comes from.

    Raises
    ------
    UsageError
        Two series make one alert at one time: Prometheus fails such an evaluation.
    """
    by_key: dict[str, list[int]] = {}
    for number, own in enumerate(labels):
        by_key.setdefault(canonical_labels(own), []).append(number)
    if len(by_key) == len(labels):
        return batch, list(range(len(labels)))
    parts = []
    for numbers in by_key.values():
        pieces = [slice(batch.offsets[number], batch.offsets[number + 1]) for number in numbers]
        times = np.concatenate([batch.times[piece] for piece in pieces])
        order = np.argsort(times, kind="stable")
        if np.any(np.diff(times[order]) == 0):
            raise UsageError(
                f"Rule '{alertname}': several series of its expression make the same alert, and Prometheus fails such "
                "an evaluation. Aggregate by the labels that the alert should have."
            )
        values = np.concatenate([batch.values[piece] for piece in pieces])
        parts.append((batch.labels[numbers[0]], times[order], values[order]))
    return SeriesBatch.of(batch.metric, parts), [numbers[0] for numbers in by_key.values()]


def _filled(value: str, labels: Labels) -> str:
    return _LABEL.sub(lambda match: labels.get(match[1], ""), value)
