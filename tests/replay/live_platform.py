"""A scripted platform scraped by a real Prometheus each second, with the beta's rules in seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scraped

TENANTS = 6
SEED = 20261112
RULES = """\
groups:
  - name: cloudxai-beta
    interval: 1s
    rules:
      - alert: TenantReadinessBreach
        expr: tenant_readiness_state == 0
        for: 2s
        labels: {severity: page}
      - alert: TenantReadinessKept
        expr: tenant_readiness_state == 0
        for: 2s
        keep_firing_for: 4s
        labels: {severity: page, who: "{{ $labels.tenant }}"}
      - alert: TenantFlapping
        expr: changes(tenant_readiness_state[8s]) > 3
        keep_firing_for: 3s
        labels: {severity: ticket}
  - name: cloudxai-platform
    interval: 1s
    rules:
      - alert: ServiceNotReady
        expr: min by (job) (readiness_state) == 0
        for: 3s
        labels: {severity: critical}
      - alert: TenantLabelCardinalityExceeded
        expr: increase(tenant_label_rejections_total[5s]) > 0
        labels: {severity: security}
      - alert: ReadinessLatencyHigh
        expr: >-
          histogram_quantile(0.95, sum by (job, le) (rate(readiness_check_duration_seconds_bucket[5s]))) > 0.2
        for: 2s
        labels: {severity: ticket}
"""


def config(rules: Path, target: str) -> str:
    """A configuration that scrapes `target` and evaluates `rules`, both each second."""
    return (
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: ['{rules}']\n"
        f"scrape_configs: [{{job_name: cloudxai, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )


class Platform:
    """What the exporter shows, second by second, the same in every run."""

    def __init__(self, seconds: int) -> None:
        draw = np.random.default_rng(SEED)
        turned = draw.random((seconds, TENANTS)) < 0.22
        self.ready = 1 - np.cumsum(turned, axis=0) % 2
        self.there = np.cumsum(draw.random((seconds, TENANTS)) < 0.03, axis=0) % 2 == 0
        self.platform = 1 - np.cumsum(draw.random(seconds) < 0.15) % 2
        self.rejections = np.cumsum(draw.random(seconds) < 0.08)
        slow = np.cumsum(draw.random(seconds) < 0.1) % 2 == 1
        self.checks = np.cumsum(np.full(seconds, 10))
        self.quick = np.cumsum(np.where(slow, 7, 10))

    def text(self, second: int) -> str:
        """The exposition at that second."""
        at = min(second, len(self.platform) - 1)
        lines = [
            f'tenant_readiness_state{{tenant="t{tenant}"}} {self.ready[at, tenant]}'
            for tenant in range(TENANTS)
            if self.there[at, tenant]
        ]
        lines += [
            f"readiness_state {self.platform[at]}",
            f"tenant_label_rejections_total {self.rejections[at]}",
            f'readiness_check_duration_seconds_bucket{{le="0.2"}} {self.quick[at]}',
            f'readiness_check_duration_seconds_bucket{{le="1"}} {self.checks[at]}',
            f'readiness_check_duration_seconds_bucket{{le="+Inf"}} {self.checks[at]}',
        ]
        return "\n".join(lines) + "\n"


@contextmanager
def exporter(seconds: int) -> Iterator[str]:
    """The address of an exporter that begins its script now."""
    platform, began = Platform(seconds), time.monotonic()
    with scraped.exporter(lambda: platform.text(int(time.monotonic() - began))) as address:
        yield address
