"""What expressions are measured in, worked out by hand, and which of Grafana's units fit."""

from __future__ import annotations

import pytest

from cloudxai_analysis.lint.expressions import parse
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.units import Measured, measured, misfit
from cloudxai_analysis.platform.contract import load_contract

METRICS = Metrics(load_contract(), ())


@pytest.mark.parametrize(
    ("expr", "what"),
    [
        ("tenant_cost_estimate", "currency"),
        ("sum by (tenant) (tenant_cost_estimate) * 24 * 30", "currency"),
        ("increase(tenant_cost_billing_window[1d])", "currency"),
        ("sum(tenant_cost_estimate) / 1000", "currency"),
        ("topk(5, tenant_cost_estimate) > 10", "currency"),
        ("tenant_cost_estimate / on () group_left () sum(tenant_cost_estimate)", "ratio"),
        ("100 * sum(tenant_cost_estimate) / sum(tenant_cost_estimate_rolling)", "percent"),
        ("sum(tenant_cost_estimate) / count(tenant_cost_estimate)", ""),
        ("count(tenant_cost_estimate)", "count"),
        ("readiness_state", "truth"),
        ("avg(readiness_state)", "ratio"),
        ("1 - avg_over_time(readiness_state[1d])", "ratio"),
        ("100 * avg(up)", "percent"),
        ("sum(up)", "count"),
        ("process_start_time_seconds", "epoch"),
        ("process_start_time_seconds * 1000", "epoch ms"),
        ("time() - process_start_time_seconds", "seconds"),
        ("histogram_quantile(0.9, sum by (le) (rate(readiness_check_duration_seconds_bucket[5m])))", "seconds"),
        ("1000 * histogram_quantile(0.9, rate(readiness_check_duration_seconds_bucket[5m]))", "milliseconds"),
        ("rate(node_cpu_seconds_total[5m])", ""),
        ("node_memory_MemFree_bytes", "bytes"),
        ("node_boot_time_seconds * 1000", "epoch ms"),
        ("net_receive_kb_per_seconds", ""),
        ("rate(node_network_receive_bytes_total[5m]) * 8", ""),
        ("(node_boot_time_seconds - node_time_seconds) / 3600", ""),
        ('sum(rate(a_total{code="500"}[5m])) / sum(rate(a_total[5m]))', "ratio"),
        ('100 * sum(rate(a_total{code="500"}[5m])) / sum(rate(a_total[5m]))', "percent"),
        ('sum(rate(a_total{code="500"}[5m])) / sum(rate(b_total[5m]))', ""),
    ],
)
def test_measured(expr: str, what: str) -> None:
    assert measured(parse(expr), METRICS).what == what


@pytest.mark.parametrize(
    ("unit", "what", "wrong"),
    [
        ("currencyEUR", "currency", False),
        ("currencyUSD", "currency", True),
        ("currency:€", "currency", False),
        ("prefix:$", "currency", True),
        ("suffix: EUR/h", "currency", False),
        ("suffix:/h", "currency", False),
        ("none", "currency", True),
        ("", "currency", False),
        ("s", "seconds", False),
        ("dtdurations", "seconds", False),
        ("short", "seconds", False),
        ("ms", "seconds", True),
        ("ms", "milliseconds", False),
        ("percentunit", "ratio", False),
        ("percent", "ratio", True),
        ("percentunit", "percent", True),
        ("dateTimeFromNow", "epoch", True),
        ("dateTimeFromNow", "epoch ms", False),
        ("decbytes", "bytes", False),
        ("percent", "bytes", True),
        ("bool_on_off", "truth", False),
        ("currencyEUR", "count", True),
        ("bytes", "", False),
    ],
)
def test_misfit(unit: str, what: str, wrong: bool) -> None:
    assert bool(misfit(unit, Measured(what, "m", "EUR" if what == "currency" else ""))) is wrong  # type: ignore[arg-type]
