"""What expressions are measured in, worked out by hand, and which of Grafana's units are wrong for them."""

from __future__ import annotations

import pytest

from cloudxai_analysis.lint.expressions import parse
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.units import measured, misfit
from cloudxai_analysis.platform.contract import load_contract

METRICS = Metrics(load_contract(), ())
CHECK = "readiness_check_duration_seconds_bucket"


@pytest.mark.parametrize(
    ("expr", "what", "right", "wrong"),
    [
        ("sum by (tenant) (tenant_cost_estimate) * 24 * 30", "currency", "currencyEUR", "currencyUSD"),
        ("increase(tenant_cost_billing_window[1d])", "currency", "currency:€", "prefix:$"),
        ("sum(tenant_cost_estimate) / 1000", "currency", "suffix: EUR/h", "none"),
        ("topk(5, tenant_cost_estimate) > 10", "currency", "suffix:/h", "bytes"),
        ("sum(tenant_cost_estimate) / count(tenant_cost_estimate)", "", "bytes", ""),
        ("count(tenant_cost_estimate)", "count", "short", "currencyEUR"),
        ("readiness_state", "truth", "bool_on_off", "s"),
        ("1 - avg_over_time(readiness_state[1d])", "ratio", "percentunit", "percent"),
        ("100 * avg(up)", "percent", "percent", "percentunit"),
        ("sum(up)", "count", "none", "decbytes"),
        ("process_start_time_seconds", "epoch", "s", "dateTimeFromNow"),
        ("node_boot_time_seconds * 1000", "epoch ms", "dateTimeFromNow", "percent"),
        ("time() - process_start_time_seconds", "", "dtdurations", ""),
        (f"histogram_quantile(0.9, sum by (le) (rate({CHECK}[5m])))", "seconds", "s", "percent"),
        (f"1000 * histogram_quantile(0.9, rate({CHECK}[5m]))", "milliseconds", "ms", "s"),
        ("rate(node_cpu_seconds_total[5m])", "", "percent", ""),
        ("node_memory_MemFree_bytes", "bytes", "decbytes", "percent"),
        ("net_receive_kb_per_seconds", "", "KBs", ""),
        ("rate(node_network_receive_bytes_total[5m]) * 8", "", "bps", ""),
    ],
)
def test_units(expr: str, what: str, right: str, wrong: str) -> None:
    values = measured(parse(expr), METRICS)
    assert values.what == what
    assert misfit(right, values) == ""
    assert not wrong or misfit(wrong, values)
