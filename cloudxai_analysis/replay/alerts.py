"""The alerts of a rule: the label sets that Prometheus makes of its series, and what it fired."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch, canonical_labels

Named = Callable[[Labels], dict[str, str]]
_SHOWN = ["alertname", "alertstate", "severity", "tenant", "job", "instance"]
_LABEL = re.compile(r"\{\{-?\s*\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)\s*-?\}\}")


def alert_labels(series: Sequence[Labels], rule_labels: Mapping[str, str], alertname: str) -> list[dict[str, str]]:
    """The alerts' label sets by series: `{{ $labels.x }}` is filled in, any other template stays as it is written."""
    found = []
    for labels in series:
        added = {name: _filled(text, labels) for name, text in rule_labels.items()}
        whole = {**labels, **added, "alertname": alertname}
        found.append({name: value for name, value in whole.items() if value and name != "__name__"})
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
    series = np.repeat(np.arange(len(batch)), np.diff(batch.offsets))
    parts = []
    for numbers in by_key.values():
        points = np.flatnonzero(np.isin(series, numbers))
        points = points[np.argsort(batch.times[points], kind="stable")]
        if np.any(np.diff(batch.times[points]) == 0):
            raise UsageError(
                f"Rule '{alertname}': several series of its expression make the same alert, and Prometheus fails such "
                "an evaluation. Aggregate by the labels that the alert should have."
            )
        parts.append((batch.labels[numbers[0]], batch.times[points], batch.values[points]))
    return SeriesBatch.of(batch.metric, parts), [numbers[0] for numbers in by_key.values()]


def alerts_of(batch: SeriesBatch, wanted: Callable[[Labels], bool]) -> SeriesBatch:
    """The series of ALERTS whose labels are `wanted`."""
    edges = zip(batch.labels, batch.offsets[:-1], batch.offsets[1:], strict=True)
    own = [(labels, batch.times[low:high], batch.values[low:high]) for labels, low, high in edges if wanted(labels)]
    return SeriesBatch.of(batch.metric, own)


def alert_samples(
    alerts: SeriesBatch, rule: AlertingRule, *, replica_labels: Collection[str] = (), named: Named = dict
) -> pd.DataFrame:
    """Samples of ALERTS of one rule, as `measures.alerts.episodes` takes them.

    A rule is told from others of its name by its labels; what is a template, or what no alert of the name carries,
    tells nothing. `named` gives a label set under the contract's names.

    Columns: series_id, alert (a number for each alert, whatever its state and replica), time, value (NaN of a staleness
    marker), alertname, alertstate, severity, tenant, job, instance ('' where absent).
    """
    own = alerts_of(alerts, lambda labels: labels.get("alertname") == rule.name)
    carried = {name for labels in own.labels for name in labels}
    telling = {name: value for name, value in rule.labels.items() if name in carried and "{{" not in value}
    own = alerts_of(own, lambda labels: all(labels.get(name, "") == value for name, value in telling.items()))
    # The canonical form leaves out what is empty.
    left_out = dict.fromkeys(["alertstate", *replica_labels], "")
    keys = [canonical_labels({**labels, **left_out}) for labels in own.labels]
    shown = [named(labels) for labels in own.labels]
    series = pd.DataFrame(shown, columns=_SHOWN, dtype="str").fillna("")
    series["series_id"] = np.arange(len(own))
    series["alert"] = pd.factorize(pd.Series(keys, dtype="str"), sort=True)[0]
    frame = series.loc[np.repeat(np.arange(len(own)), np.diff(own.offsets))].reset_index(drop=True)
    frame["time"] = pd.DatetimeIndex(own.times.astype("datetime64[ms]"), tz="UTC").as_unit("us")
    frame["value"] = np.where(own.values.view(np.int64) == STALENESS_MARKER_BITS, np.nan, own.values)
    return frame


def _filled(text: str, labels: Labels) -> str:
    return _LABEL.sub(lambda match: labels.get(match[1], ""), text)
