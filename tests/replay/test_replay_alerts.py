"""The alerts that Prometheus makes of a rule's series, and those that a server left."""

from __future__ import annotations

import numpy as np
import pytest

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.replay.alerts import alert_labels, alert_samples, by_alert, templated_labels
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch

TIMES = np.array([1000, 2000], dtype=np.int64)


def test_the_rule_s_labels_win_and_simple_templates_are_filled_in() -> None:
    series = [{"__name__": "x", "tenant": "a", "severity": "low", "empty": ""}]
    rule = {"severity": "page", "who": "{{ $labels.tenant }}/{{$labels.absent}}", "raw": "{{ $value }}"}
    (found,) = alert_labels(series, rule, "A")
    assert found == {"tenant": "a", "severity": "page", "who": "a/", "raw": "{{ $value }}", "alertname": "A"}
    assert templated_labels(rule) == ("raw",)


def test_series_that_make_one_alert_are_one_or_an_error() -> None:
    apart = SeriesBatch.of("", [({"__name__": "x"}, TIMES, np.ones(2)), ({"__name__": "y"}, TIMES + 5000, np.ones(2))])
    merged, kept = by_alert(apart, alert_labels(apart.labels, {}, "A"), "A")
    assert merged.times.tolist() == [1000, 2000, 6000, 7000]
    assert kept == [0]
    same = SeriesBatch.of("", [({"__name__": "x"}, TIMES, np.ones(2)), ({"__name__": "y"}, TIMES, np.ones(2))])
    with pytest.raises(UsageError, match="Rule 'A': several series of its expression make the same alert"):
        by_alert(same, alert_labels(same.labels, {}, "A"), "A")


def test_a_rule_s_own_alerts_are_told_by_its_labels_and_replicas_are_one() -> None:
    own = {"alertname": "A", "severity": "page", "zone": "z"}
    series = [
        {**own, "alertstate": "firing", "replica": "0"},
        {**own, "alertstate": "pending", "replica": "1"},
        {**own, "alertstate": "firing", "severity": "ticket"},
        {**own, "alertstate": "firing", "alertname": "B"},
    ]
    ended = np.array([1.0, np.nan])
    ended.view(np.int64)[1] = STALENESS_MARKER_BITS
    batch = SeriesBatch.of("ALERTS", [(labels, TIMES, ended) for labels in series])
    rule = AlertingRule("A", "up == 0", labels={"severity": "page", "who": "{{ $labels.x }}", "team": "nobody's"})
    found = alert_samples(
        batch, rule, replica_labels=["replica"], named=lambda labels: {**labels, "tenant": labels["zone"]}
    )
    assert found["alertstate"].tolist() == ["firing", "firing", "pending", "pending"]
    assert found["tenant"].unique().tolist() == ["z"]
    assert found["alert"].nunique() == 1
    assert found["value"].isna().tolist() == [False, True, False, True]
