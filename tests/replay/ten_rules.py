"""Ten alerting rules over the demo's samples, and the metrics that they look at, for vmalert and for replay."""

from __future__ import annotations

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
