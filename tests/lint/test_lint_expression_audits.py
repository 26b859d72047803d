"""Which faults an alert's expression and its texts have, by hand; of one fault comes one finding."""

from __future__ import annotations

import pytest

from cloudxai_analysis.lint import audit  # noqa: F401  (its rules are asked)
from cloudxai_analysis.lint.alerts import Alert
from cloudxai_analysis.lint.auditor import Auditor, Place
from cloudxai_analysis.lint.codes import findings_of
from cloudxai_analysis.lint.facts import NOTHING, Inference, Labels
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.platform.contract import load_contract

HISTOGRAM = "readiness_check_duration_seconds"
TABLE = {
    "raw-counter": [
        "tenant_label_rejections_total > 0",
        "5 < sum(tenant_label_rejections_total)",
        "tenant_label_rejections_total >= 1 and on () hour() > 8",
        f"{HISTOGRAM}_bucket > 5",
        "2 * x_requests_total > 100",
    ],
    "rate-of-gauge": ["rate(readiness_state[5m]) < 1", "resets(up[5m]) > 1", "increase(tenant_cost_estimate[1h]) > 1"],
    "gauge-function-of-counter": [
        "deriv(tenant_label_rejections_total[5m]) > 0",
        "predict_linear(x_total[1h], 3600) > 100",
        "stddev_over_time(x_total[5m]) > 1",
    ],
    "rate-of-aggregate": ["rate(sum(x_total)[5m:]) > 0", "increase(max by (a) (x_total)[1h:5m]) > 3"],
    "never-true": [
        "tenant_readiness_state == 2",
        "avg(readiness_state) > 1",
        "count(readiness_state) < 0",
        "count(up == 0) == 0",
        "absent(readiness_state) > 1",
        "(tenant_readiness_state == 0) > 0",
        "readiness_state == 0 and readiness_state == 1",
        "readiness_state != 0 and readiness_state != 1",
        "x unless x",
        "increase(x_total[10m]) < 0",
        "sum(rate(a_count{code='5'}[5m])) / sum(rate(a_count[5m])) > 5",
    ],
    "always-true": [
        "readiness_state < 2",
        "count(readiness_state) >= 0",
        "increase(x_total[10m]) > -1",
    ],
    "unknown-label": [
        "sum by (team) (tenant_cost_estimate) > 5",
        "readiness_state{tenant='a'} == 0",
        "tenant_readiness_state{tenant_id='x'} == 0",
    ],
    "never-matches": [
        "tenant_readiness_state == 0 and readiness_state == 1",
        "tenant_readiness_state == 0 unless on (tenant) readiness_state == 0",
        "sum by (tenant) (tenant_cost_estimate) / sum by (job) (up) > 1",
    ],
    "lost-label": [
        "tenant_readiness_state == 0 unless on (tenants) ALERTS",
        "sum by (a) (sum by (b) (x)) > 1",
        "max by (le) (histogram_quantile(0.9, sum by (le, job) (rate(a_bucket[5m])))) > 1",
        "sum by (c) (sum by (a) (x) or sum by (b) (y)) > 1",
        'sum by (job) (label_replace(sum(up), "x", "y", "", "")) > 1',
        "sum by (b) (topk(3, sum by (a) (x))) > 1",
        'sum by (job) (count_values("version", build)) > 1',
    ],
    "unknown-metric": ["tenant_cost_estimat > 5", "tenant_costs > 5", f"{HISTOGRAM} > 0.2"],
    "quantile-without-le": [f"histogram_quantile(0.9, rate({HISTOGRAM}_sum[5m])) > 1"],
    "quantile-without-rate": [f"histogram_quantile(0.9, {HISTOGRAM}_bucket) > 1"],
    "selects-nothing": ["tenant_readiness_state{tenant=''} == 0", 'up{job="a", job="b"} == 0'],
    "short-range": ["rate(x_total[30s]) > 1"],
    "unread": ["scalar(readiness_state) == 0", "up =< 1"],
    "nan": ["sum(rate(a_total[5m]) / rate(b_total[5m])) > 0.1"],
    "infinite": ["100 * sum(rate(a_total[5m])) / sum(rate(b_total[5m])) > 200"],
    "topk-in-alert": ["topk(3, x) > 1 and y > 1"],
}
SOUND = [
    "drives_offline_total > 0",
    "up{anything='a'} * on (anything) group_left (else) other == 0",
    "histogram_quantile(0.9, sum by (job, vmrange) (rate(x_bucket[5m]))) > 1",
    "histogram_quantile(0.9, sum by (job) (rate(x_seconds[5m]))) > 1",
    "(sum(rate(a_total[5m])) / sum(rate(b_total[5m]))) >= 0 and on () x > 1",
    "sum(rate(a_total[5m])) / (sum(rate(b_total[5m])) > 0) > 5",
    "sum(rate(a_errors_total[5m])) / sum(rate(a_requests_total[5m])) > 0.05",
    "x * on (pod) group_left (node) topk by (pod) (1, y) > 5",
    "count(up == 0) > 0",
    "count(x) > 0",
    "absent(readiness_state) == 1",
    "x_total == 0",
    "x_count > 0 and histogram_quantile(0.1, rate(x_bucket[5m])) < 5",
    "x_total - x_total offset 10m > 10",
    "changes(x_total[5m]) > 5",
    "tenant_readiness_state == 0 and on (instance) readiness_state == 1",
    "sum(up) by (job) < 2 or absent(up{job='a'})",
    "(x > 5 and y >= 0) or (x < -5 and y <= 0)",
    "max by (a) (x) / on (a) group_left max by (a) (y) > 1",
    "histogram_quantile(0.9, sum without (pod) (rate(x_bucket[5m]))) > 1",
    "sum(rate(x_total{code=~'5..'}[5m])) / sum(rate(x_total[5m])) > 0.01",
    "aws_elb_request_count_sum > 5",
    "x > 0 unless on (job) up",
    "delta(x[5m]) < 0 or x_total - y_total < 0 or -x > 0",
    'sum by (x) (label_replace(sum(up), "x", "y", "", "")) > 5',
    "sum by (zone) (sum by (job) (a) * on (job) group_left (zone) max by (job, zone) (b)) > 5",
    "job:x_total:sum > 5",
]


def codes(text: str) -> list[str]:
    auditor = Auditor(Metrics(load_contract()), scrape_seconds=30.0, evaluation_seconds=60.0)
    _, found = auditor.findings(text, Place("f.yml", 1, "A", "alert"))
    return [finding.code.removeprefix("promql/") for finding in found]


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, texts in TABLE.items() for text in texts])
def test_the_fault_is_found_once(code: str, text: str) -> None:
    assert codes(text) == [code]


@pytest.mark.parametrize("text", SOUND)
def test_nothing_is_found_where_nothing_is_wrong(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ $labels.b }} {{ .Labels.b | toUpper }}", "lost-template-label"),
        ("{{ if $labels.b }}{{ $labels.b }}{{ end }}", ""),
        ("{{ with .Labels.b }}{{ . }}{{ end }}", ""),
        ("$labels.a is {{ $value }}", "unexpanded-template"),
        ("{ $labels.a } fails", "unexpanded-template"),
        ("costs $5", ""),
        ("{{ $labels.a", ""),
        ('{{ printf "%d" $value }}', "bad-format"),
        ('{{ $value | printf "%s" }}', "bad-format"),
        ('{{ printf "%d" $labels.a }}', "bad-format"),
        ('{{ printf "%.2f" .Value }} {{ printf "%.f" $value }} {{ printf "%v" $value }}', ""),
        ('{{ printf "%s" $labels.a }} {{ printf "%d %s" $value $labels.a }}', ""),
        ("{{ .CommonLabels.a }}", "unknown-template-field"),
        ("{{ .Labels.a }} {{ .Value | humanize }} {{ .ExternalURL }} {{ ($x).Foo }}", ""),
        ('{{ range query "up" }}{{ .Foo }}{{ end }}', ""),
    ],
)
def test_texts_of_an_alert(text: str, code: str) -> None:
    one = Rule("A", "alert", "", 1, 0.0, 0.0, {}, {"summary": text}, "g", None, "f.yml", 1, Node({}, 1))
    alert = Alert(one, None, Labels(frozenset("a"), NOTHING, frozenset("a")), 60.0, 30.0)
    inference = Inference(Metrics(load_contract()))
    found = findings_of(alert, inference, of="alert", file="f.yml", line=1, subject="A")
    assert [finding.code for finding in found] == [f"rules/{code}"] * bool(code)
