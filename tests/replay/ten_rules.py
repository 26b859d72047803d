"""Ten alerting rules over the demo's samples, and a VictoriaMetrics that holds those, for vmalert and for replay."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.demo import DemoSource

METRICS = (
    "tenant_readiness_state",
    "readiness_state",
    "tenant_readiness_transitions_total",
    "readiness_transitions_total",
    "tenant_label_rejections_total",
    "readiness_check_duration_seconds_bucket",
    "tenant_cost_estimate",
    "process_start_time_seconds",
    "up",
)
RULES = """\
groups:
  - name: ten
    interval: 1m
    rules:
      - {alert: TenantReadinessBreach, expr: tenant_readiness_state == 0, for: 2m, labels: {severity: page}}
      - {alert: TenantDown, expr: tenant_readiness_state == 0, labels: {severity: info}}
      - alert: TenantFlapping
        expr: increase(tenant_readiness_transitions_total[10m]) > 10
        labels: {severity: ticket}
      - alert: TenantLabelCardinalityExceeded
        expr: increase(tenant_label_rejections_total[5m]) > 0
        labels: {severity: security}
      - {alert: ServiceNotReady, expr: min(readiness_state) by (job) == 0, for: 5m, labels: {severity: critical}}
      - alert: ReadinessFlapping
        expr: increase(readiness_transitions_total[1h]) > 2
        labels: {severity: ticket}
      - alert: ReadinessLatencyHigh
        expr: >-
          histogram_quantile(0.95, sum(rate(readiness_check_duration_seconds_bucket[5m])) by (job, instance, le)) > 0.2
        for: 5m
        labels: {severity: ticket}
      - {alert: TenantCostHigh, expr: tenant_cost_estimate > 4.6, for: 15m, labels: {severity: ticket}}
      - alert: ProcessRestarted
        expr: changes(process_start_time_seconds[10m]) > 0
        labels: {severity: info}
      - {alert: ManyTenants, expr: count(tenant_readiness_state) by (job) > 60, for: 30m, labels: {severity: info}}
"""


def load(url: str, demo: DemoSource, window: Window) -> int:
    """Put the demo's samples of the window into a VictoriaMetrics; how many there were."""
    samples = 0
    for metric in METRICS:
        batch = demo.read(metric, {}, window)
        samples += batch.samples
        lines = [
            json.dumps(
                {
                    "metric": {"__name__": metric, **labels},
                    "values": batch.values[low:high].tolist(),
                    "timestamps": batch.times[low:high].tolist(),
                }
            )
            for labels, low, high in zip(batch.labels, batch.offsets[:-1], batch.offsets[1:], strict=True)
            if high > low
        ]
        with urlopen(Request(f"{url}/api/v1/import", data="\n".join(lines).encode()), timeout=120) as answer:
            assert answer.status == 204
    flush(url)
    return samples


def flush(url: str) -> None:
    """Make what was written readable."""
    with urlopen(f"{url}/internal/force_flush", timeout=120) as answer:
        assert answer.status == 200


def vmalert(url: str, rules: Path, window: Window, *, points: int) -> None:
    """Replay the rules by vmalert over the window, asking for so many points at once, into the same server."""
    command = [
        "vmalert",
        f"-rule={rules}",
        f"-datasource.url={url}",
        f"-remoteWrite.url={url}",
        f"-replay.timeFrom={window.start:%Y-%m-%dT%H:%M:%SZ}",
        f"-replay.timeTo={window.end:%Y-%m-%dT%H:%M:%SZ}",
        "-datasource.queryStep=1m",
        "-replay.rulesDelay=0",
        f"-replay.maxDatapointsPerQuery={points}",
        "-replay.disableProgressBar",
        "-disableAlertgroupLabel",
        "-remoteWrite.maxQueueSize=1000000",
        "-loggerLevel=ERROR",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
