"""Episodes of a real Prometheus that scrapes a scripted platform and evaluates the beta's rules, both each second.

It is stopped in the middle of an alert and started again. What it said of its alerts all the while is what the suite
must make of the ALERTS that it left.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import numpy as np
import pandas as pd
import pytest
import scraped
import servers
from _memory import MemorySnapshot
from small_platform import opened, study_over

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.contract import Metric, load_contract
from cloudxai_analysis.replay.history import History
from cloudxai_analysis.replay.rules import rules_in
from cloudxai_analysis.sources.rules import loaded_rules
from cloudxai_analysis.study.study import Study

pytestmark = pytest.mark.server

RULES = """\
groups:
  - name: beta
    rules:
      - {alert: TenantReadinessBreach, expr: tenant_readiness_state == 0, for: 2s, labels: {severity: page}}
      - {alert: TenantFlapping, expr: "changes(tenant_readiness_state[6s]) > 3", labels: {severity: ticket}}
      - {alert: ServiceNotReady, expr: min by (job) (readiness_state) == 0, for: 3s, labels: {severity: critical}}
      - alert: TenantLabelCardinalityExceeded
        expr: increase(tenant_label_rejections_total[4s]) > 0
        labels: {severity: security}
      - {alert: ReadinessFlapping, expr: "changes(readiness_state[60s]) > 10", labels: {severity: ticket}}
      - alert: ReadinessLatencyHigh
        expr: |
          histogram_quantile(0.95, sum by (job, instance, le) (rate(readiness_check_duration_seconds_bucket[4s]))) > 0.2
        for: 3s
        labels: {severity: ticket}
  - name: kept
    rules:
      - alert: TenantReadinessKept
        expr: tenant_readiness_state == 0
        for: 2s
        keep_firing_for: 2s
        labels: {severity: page, who: "{{ $labels.tenant }}"}
"""
DOWN = {"a": [(6, 14), (20, 21), (24, 29)], "b": [(26, 70)], "c": [(second, second + 1) for second in range(8, 18, 2)]}
NOT_READY, REFUSING, SLOW = (12, 20), (5, 9), (8, 18)
STOPPED, AWAY, WHOLE = 34, 8, 62


def exposition(second: int) -> str:
    """What the platform shows at that second of its script."""
    lines = [
        f'tenant_readiness_state{{tenant="{tenant}"}} {int(not any(low <= second < high for low, high in stretches))}'
        for tenant, stretches in DOWN.items()
    ]
    quick = sum(1 if SLOW[0] <= at < SLOW[1] else 10 for at in range(second))
    buckets = {"0.1": quick, "0.5": 10 * second, "+Inf": 10 * second}
    lines += [
        f"readiness_state {int(not NOT_READY[0] <= second < NOT_READY[1])}",
        f"tenant_label_rejections_total {sum(REFUSING[0] <= at < REFUSING[1] for at in range(second + 1))}",
        *(f'readiness_check_duration_seconds_bucket{{le="{le}"}} {number}' for le, number in buckets.items()),
    ]
    return "\n".join(lines) + "\n"


def watched(server: servers.Server, until: float) -> list[tuple[float, list[dict[str, Any]]]]:
    """What the server says of its alerts, asked five times a second: the moment, and the alerts."""
    found = []
    while time.monotonic() < until:
        asked = time.time()
        with urlopen(f"{server.url}/api/v1/alerts", timeout=5) as answer:
            found.append((asked, json.load(answer)["data"]["alerts"]))
        time.sleep(0.2)
    return found


Said = list[tuple[float, list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[servers.Server, Window, Said]]:
    """The server after the script, when it played, and all that it said of its alerts meanwhile."""
    folder = tmp_path_factory.mktemp("live")
    rules = folder / "beta.rules.yml"
    rules.write_text(RULES, encoding="utf-8")
    started, began = datetime.now(UTC), time.monotonic()
    said: Said = []
    options = ("--rules.alert.for-grace-period=0s",)
    with scraped.exporter(lambda: exposition(int(time.monotonic() - began))) as target:
        config = (
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: ['{rules}']\n"
            f"scrape_configs: [{{job_name: cloudxai, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        with servers.prometheus(folder, config=config, options=options) as server:
            said += watched(server, began + STOPPED)
        time.sleep(AWAY)
        with servers.prometheus(folder, config=config, options=options) as server:
            said += watched(server, began + WHOLE)
            yield server, Window(started - timedelta(seconds=5), datetime.now(UTC), "run"), said


@pytest.fixture(scope="module", params=[True, False], ids=["with ALERTS_FOR_STATE", "by ALERTS and up alone"])
def run(request: pytest.FixtureRequest, played: tuple[servers.Server, Window, Said]) -> tuple[Study, Said]:
    """A study of the run, and what the server said."""
    server, when, said = played
    return study_of(server, when, for_state=request.param), said


def study_of(server: servers.Server, when: Window, *, for_state: bool) -> Study:
    contract = load_contract()
    metric = Metric(name="ALERTS_FOR_STATE", kind="gauge", unit="s", scope="rules", help="", **LABELS)
    more = {"alerts_for_state": metric} if for_state else {}
    update = {"evaluation_interval_seconds": 1, "metrics": contract.metrics | more}
    contract = contract.model_copy(update=update)
    return study_over(MemorySnapshot(opened(server.url)), server.folder, when, now=when.end, contract=contract)


LABELS: dict[str, Any] = {
    "labels": ("alertname",),
    "optional_labels": ("severity", "tenant", "job", "instance"),
}


def key_of(alert: dict[str, Any]) -> tuple[str, str, str]:
    labels = alert["labels"]
    return labels["alertname"], labels.get("tenant", ""), labels.get("instance", "")


def test_every_alert_that_the_server_fired_is_one_episode_since_the_very_evaluation(run: Any) -> None:
    """Its `activeAt` is the evaluation in which it became pending, or fired where the rule has no `for`."""
    study, said = run
    fired = {
        (*key_of(alert), pd.Timestamp(alert["activeAt"]).floor("s"))
        for _, alerts in said
        for alert in alerts
        if alert["state"] == "firing"
    }
    episodes = study.alerts.episodes
    # A restarted server restores the moment from ALERTS_FOR_STATE, which has whole seconds.
    began = episodes["pending_at"].fillna(episodes["fired_at"]).dt.floor("s")
    keys = zip(episodes["alertname"], episodes["tenant"], episodes["instance"], strict=True)
    ours = {(*key, moment) for key, moment in zip(keys, began, strict=True)}
    assert len(fired) >= 7
    assert ours == fired
    assert len(episodes) == len(fired)


def test_they_are_resolved_when_the_server_said_so(run: Any) -> None:
    study, said = run
    for row in study.alerts.episodes.itertuples():
        key = (row.alertname, row.tenant, row.instance)
        began = (row.fired_at if pd.isna(row.pending_at) else row.pending_at).floor("s")
        seen = [
            moment
            for moment, alerts in said
            for alert in alerts
            if key_of(alert) == key
            and alert["state"] == "firing"
            and pd.Timestamp(alert["activeAt"]).floor("s") == began
        ]
        after = [moment for moment, _ in said if moment > seen[-1]]
        assert row.resolved_at.timestamp() > seen[-1] - 1
        assert not after or row.resolved_at.timestamp() <= after[0] + 1
        # A server stamps an evaluation with the time that was planned, which may lie a moment ahead.
        assert row.fired_at.timestamp() <= seen[0] + 0.1
        assert bool(row.cut_end) == (not after)


def test_a_restart_is_a_gap_and_resolves_nothing(run: Any) -> None:
    study, _ = run
    gaps = study.alerts.evaluation_gaps
    assert len(gaps) == 1
    assert gaps["seconds"].iloc[0] == pytest.approx(AWAY, abs=6)
    over = study.alerts.episodes.query("alertname == 'TenantReadinessBreach' and tenant == 'b'").iloc[0]
    assert over["fired_at"] < gaps["start"].iloc[0] < gaps["end"].iloc[0] < over["resolved_at"]
    assert over["unseen_seconds"] >= gaps["seconds"].iloc[0] - 2
    others = study.alerts.episodes.query("tenant != 'b'")
    assert (others["unseen_seconds"] == 0).all()


def test_a_replay_fires_what_the_server_fired_and_tells_the_restart_apart(
    played: tuple[servers.Server, Window, Said],
) -> None:
    server, when, _ = played
    source = opened(server.url)
    window = Window(when.start + timedelta(seconds=8), when.end - timedelta(seconds=2))
    rules, loaded = rules_in([server.folder / "beta.rules.yml"])[0], loaded_rules(source)
    history = History(source, source, window, loaded, evaluation_seconds=1)
    found = pd.concat([history.agreement(rule, history.replay(rule)) for rule in loaded], ignore_index=True)
    assert not found["status"].isin(["other", "extra"]).any(), found.to_string()
    same = found[found["status"] == "same"]
    assert {"TenantReadinessBreach", "TenantReadinessKept", "ServiceNotReady"} <= {*same["alertname"]}, (
        found.to_string()
    )
    assert "b" in {*found.loc[found["status"] == "apart", "tenant"]}
    # Each of the two groups is asked at its own milliseconds, which are those of its alerts.
    phases = {history.steps(rule).first % 1000 for rule in loaded}
    assert phases >= {*np.unique(history.alerts.times % 1000).tolist()}
    kept = ("name", "for_seconds", "keep_firing_for_seconds", "labels")
    assert [[getattr(rule, name) for name in kept] for rule in loaded] == [
        [getattr(rule, name) for name in kept] for rule in rules
    ]
