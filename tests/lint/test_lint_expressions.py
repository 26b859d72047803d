"""Which faults an alert's expression and its texts have, by hand; of one fault comes one finding."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from audited_files import corpus_in

from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.expressions import LONGEST, Unparsed, parse

HISTOGRAM = "readiness_check_duration_seconds"
FAULTY = {
    "raw-counter": [
        "tenant_label_rejections_total > 0",
        "5 < sum(tenant_label_rejections_total)",
        "tenant_label_rejections_total >= 1 and on () hour() > 8",
        f"{HISTOGRAM}_bucket > 5",
        "2 * x_requests_total > 100",
    ],
    "equality-of-rate": ["sum(increase(x_total[1h])) == 3"],
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
        "tenant_readiness_state > 1",
        "tenant_readiness_state >= 2",
        "tenant_readiness_state < 0",
        "-1 >= tenant_readiness_state",
        "increase(x_total[10m]) < 0",
        "sum(rate(a_count{code='5'}[5m])) / sum(rate(a_count[5m])) > 5",
    ],
    "unknown-label": ["readiness_state{tenant='a'} == 0", "tenant_readiness_state{tenant_id='x'} == 0"],
    "never-matches": [
        "tenant_readiness_state == 0 and readiness_state == 1",
        "tenant_readiness_state == 0 unless on (tenant) readiness_state == 0",
        "sum by (tenant) (tenant_cost_estimate) / sum by (job) (up) > 1",
    ],
    "lost-label": [
        "sum by (team) (tenant_cost_estimate) > 5",
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
    *(f"tenant_readiness_state {sound}" for sound in ("== 0", "!= 1", "> 0", ">= 1", "< 1", "<= 0")),
    "(tenant_readiness_state == 0) + 1 > 0.5",
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
    # Names of functions can be names of metrics.
    *(f"{name} > 1 and x / {name} > 1" for name in ("rate", "sum", "topk", "absent", "histogram_quantile", "quantile")),
]


def codes(expr: str, *prefixes: str, **more: Any) -> list[str]:
    """The codes that are found in one alert."""
    one = {"alert": "A", "expr": expr, "for": "5m", "labels": {"severity": "page"}, **more}
    corpus = corpus_in(yaml.safe_dump({"groups": [{"name": "g", "rules": [one]}]}), scrape_seconds=30.0)
    found = [fault.code for fault in audit(corpus, ask_tools=False) if fault.code != "rules/no-absent"]
    return [code.rpartition("/")[2] for code in found if code.startswith(prefixes)]


@pytest.mark.parametrize(("code", "expr"), [(code, expr) for code, texts in FAULTY.items() for expr in texts])
def test_the_fault_is_found_once(code: str, expr: str) -> None:
    assert codes(expr, "promql/") == [code]


@pytest.mark.parametrize("expr", SOUND)
def test_nothing_is_found_where_nothing_is_wrong(expr: str) -> None:
    assert codes(expr, "promql/", "rules/") == []


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
        ('{{ printf "%.2f" .Value }} {{ printf "%.f" $value }} {{ printf "%s" $labels.a }}', ""),
        # What a text asks for itself has labels of its own.
        ('{{ range query "up" }}{{ .Labels.instance }} {{ .Value }}{{ end }}', ""),
        ('{{ range query "up" }}{{ .Labels.instance }}{{ $labels.b }}{{ end }}', "lost-template-label"),
    ],
)
def test_texts_of_an_alert(text: str, code: str) -> None:
    assert codes("sum by (a) (x) > 5", "rules/", annotations={"summary": text}) == [code] * bool(code)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sum(", "end of input|unclosed|unexpected"),
        ("up =< 1", "invalid"),
        ("(" * 10_000, "deeper"),
        ("up + " * 200 + "up", "operators"),
        ("x" * (LONGEST + 1), "longer"),
    ],
)
def test_what_is_not_read_says_why(text: str, why: str) -> None:
    with pytest.raises(Unparsed, match=why) as caught:
        parse(text)
    assert len(str(caught.value)) <= 300


def test_long_expressions_of_people_are_read() -> None:
    assert parse(" or ".join(f'absent(x{{job="j{number}"}})' for number in range(70)))
    assert parse('up{instance=~"' + "|".join(f"host-{number}-(a)" for number in range(2_000)) + '"}')
