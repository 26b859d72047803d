"""The label sets of alerts, as Prometheus makes them."""

from __future__ import annotations

import numpy as np
import pytest

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.replay.alert_labels import alert_labels, by_alert, templated_labels
from cloudxai_analysis.sources.series import SeriesBatch


def test_the_rule_s_labels_win_and_simple_templates_are_filled_in() -> None:
    series = [{"__name__": "x", "tenant": "a", "severity": "low", "empty": ""}]
    rule = {"severity": "page", "who": "{{ $labels.tenant }}/{{$labels.absent}}", "raw": "{{ $value }}"}
    (found,) = alert_labels(series, rule, "A")
    assert found == {"tenant": "a", "severity": "page", "who": "a/", "raw": "{{ $value }}", "alertname": "A"}
    assert templated_labels(rule) == ("raw",)


def test_series_that_make_one_alert_are_one_or_an_error() -> None:
    times = np.array([1000, 2000], dtype=np.int64)
    apart = SeriesBatch.of("", [({"__name__": "x"}, times, np.ones(2)), ({"__name__": "y"}, times + 5000, np.ones(2))])
    merged, kept = by_alert(apart, alert_labels(apart.labels, {}, "A"), "A")
    assert merged.times.tolist() == [1000, 2000, 6000, 7000]
    assert kept == [0]
    same = SeriesBatch.of("", [({"__name__": "x"}, times, np.ones(2)), ({"__name__": "y"}, times, np.ones(2))])
    with pytest.raises(UsageError, match="Rule 'A': several series of its expression make the same alert"):
        by_alert(same, alert_labels(same.labels, {}, "A"), "A")
