"""The rules that a server had loaded when it was read, kept with what was pulled from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
import servers
from servers import series
from small_platform import opened, pulled

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.series import SeriesBatch

DAY = Window(datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC))
FIRST = DAY.start_ms
RULES = """
groups:
  - name: mine
    interval: 15s
    rules:
      - {record: "job:up:min", expr: "min by (job) (up)"}
      - {alert: ServiceNotReady, expr: readiness_state == 0, for: 1m, labels: {severity: ticket}}
      - alert: ReadinessFlapping
        expr: increase(readiness_transitions_total[5m]) > 5
        labels: {severity: page}
      - {alert: DiskFull, expr: disk_free == 0, labels: {severity: page}}
      - {alert: Chatter, expr: noise > 0}
"""


def ready(labels: dict[str, str], metric: str = "readiness_state") -> SeriesBatch:
    return SeriesBatch.of(metric, [series(labels, [FIRST, FIRST + 60_000], [1, 1])])


@pytest.mark.server
def test_what_is_loaded_at_the_pull_is_kept_and_beats_what_the_contract_says(
    start_prometheus: Callable[..., servers.Server], tmp_path: Path
) -> None:
    (tmp_path / "mine.rules.yml").write_text(RULES, encoding="utf-8")
    labels = {"job": "cloudxai", "instance": "a"}
    alert = {"alertname": "ReadinessFlapping", "alertstate": "firing", "severity": "page", **labels}
    fired = SeriesBatch.of("ALERTS", [series(alert, [FIRST + 15_000 * step for step in range(5)], [1] * 5)])
    config = f"rule_files: ['{tmp_path / 'mine.rules.yml'}']\n"
    server = start_prometheus([ready(labels), fired], config=config)
    study = pulled(server.url, tmp_path, DAY)
    rules = study.rules
    assert rules is not None
    assert rules[["group", "alertname", "for_seconds", "severity"]].values.tolist() == [
        ["mine", "ServiceNotReady", 60.0, "ticket"],
        ["mine", "ReadinessFlapping", 0.0, "page"],
        ["mine", "DiskFull", 0.0, "page"],
        ["mine", "Chatter", 0.0, ""],
    ]
    assert rules["expr"].iloc[0] == "readiness_state == 0"
    assert (rules["interval_seconds"] == 15).all()
    assert (rules["keep_firing_for_seconds"] == 0).all()
    assert set(rules["health"]) <= {"ok", "unknown"}
    # The contract pages for ServiceNotReady and not for ReadinessFlapping; of rules that it does not know, the severity
    # tells. TenantReadinessBreach is not loaded, and stays what it is promised to be.
    assert set(study.alerts.paging_rules) == {"TenantReadinessBreach", "ReadinessFlapping", "DiskFull"}
    # One minute of firing, evaluated every 15 s and not every 60: it is over 15 s after the last sample.
    (episode,) = study.alerts.episodes.to_dict("records")
    assert episode["resolved_at"] == pd.Timestamp(DAY.start) + pd.Timedelta(seconds=60 + 15)
    assert study.contract.differences(study.rules.to_dict("records")) == [
        "ServiceNotReady for 1 minute, severity 'ticket' (contract: 5 minutes, 'critical')",
        "ReadinessFlapping for 0 seconds, severity 'page' (contract: 0 seconds, 'ticket')",
        "not loaded: TenantReadinessBreach, TenantFlapping, TenantLabelCardinalityExceeded, ReadinessLatencyHigh",
    ]


@pytest.mark.server
def test_a_server_without_rules_is_no_server_whose_rules_are_elsewhere(
    start_prometheus: Callable[..., servers.Server], tmp_path: Path
) -> None:
    labels = {"job": "cloudxai", "instance": "a"}
    rules = pulled(start_prometheus([ready(labels)]).url, tmp_path / "none", DAY).rules
    assert rules is not None
    assert rules.empty
    # There are alerts, so somebody evaluates rules, and it is not this server.
    firing = {**labels, "alertname": "ServiceNotReady", "alertstate": "firing"}
    elsewhere = start_prometheus([ready(labels), ready(firing, "ALERTS")])
    assert pulled(elsewhere.url, tmp_path / "elsewhere", DAY).rules is None


@pytest.mark.needs("victoria-metrics")
def test_a_victoria_metrics_that_knows_of_no_vmalert_cannot_say(tmp_path: Path) -> None:
    with servers.victoria_metrics(tmp_path) as server:
        assert opened(server.url).rules() is None
