"""ALERTS as the beta's rules would have set it, evaluated at each minute on the samples of that minute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo.draws import Integers
from cloudxai_analysis.sources.demo.population import INSTANCES, MINUTES
from cloudxai_analysis.sources.demo.traces import JOB, Trace, Traces
from cloudxai_analysis.sources.demo.world import CHECKS_A_MINUTE, Mask
from cloudxai_analysis.sources.rules import AlertingRule

_FLIPS_IN_TEN_MINUTES = 10
_FLIPS_IN_AN_HOUR = 10
_WITHIN_200_MS = 3  # the first buckets that lie within 0.2 s
_RATE_MINUTES = 5
_EXPRESSIONS = {
    "TenantReadinessBreach": "tenant_readiness_state == 0",
    "TenantFlapping": "increase(tenant_readiness_transitions_total[10m]) > 10",
    "TenantLabelCardinalityExceeded": "increase(tenant_label_rejections_total[5m]) > 0",
    "ServiceNotReady": "min by (job) (readiness_state) == 0",
    "ReadinessFlapping": "increase(readiness_transitions_total[1h]) > 10",
    "ReadinessLatencyHigh": "histogram_quantile(0.95, sum by (job, instance, le) "
    "(rate(readiness_check_duration_seconds_bucket[5m]))) > 0.2",
}


def demo_rules() -> list[AlertingRule]:
    """The beta's rules as a server of the demo would have them loaded."""
    contract = load_contract()
    return [
        AlertingRule(
            name=name,
            expr=_EXPRESSIONS[name],
            for_seconds=float(rule.for_seconds),
            labels={"severity": rule.severity},
            group=contract.platform,
            interval_seconds=float(contract.evaluation_interval_seconds),
            health="ok",
        )
        for name, rule in contract.alerts.items()
    ]


def alert_traces(traces: Traces) -> list[Trace]:
    """The series of ALERTS, pending and firing, by rule and label set."""
    true = [*_of_tenants(traces), *_of_processes(traces)]
    return [trace for name, labels, mask in true for trace in _alert(name, labels, mask) if len(trace.minutes)]


def _of_tenants(traces: Traces) -> Iterator[tuple[str, dict[str, str], Mask]]:
    """Rule, labels, and the minutes in which the rule's expression is true, for each tenant of each process."""
    there: dict[tuple[str, str], Mask] = {}
    for stay, minutes in traces.stays:
        there.setdefault((stay.instance, stay.tenant), np.zeros(MINUTES, dtype=bool))[minutes] = True
    for (instance, tenant), mask in there.items():
        labels = {"instance": instance, "job": JOB, "tenant": tenant}
        flips = np.where(mask, traces.tenant_flips[tenant], 0)
        yield "TenantReadinessBreach", labels, mask & traces.world.tenant_not_ready(tenant)
        yield "TenantFlapping", labels, mask & (_over(flips, 10) > _FLIPS_IN_TEN_MINUTES)


def _of_processes(traces: Traces) -> Iterator[tuple[str, dict[str, str], Mask]]:
    """The same for each process, and for the service of both."""
    world = traces.world
    for instance in INSTANCES:
        labels, there = {"instance": instance, "job": JOB}, world.scraped[instance]
        refused = _over(world.population.refused[instance], _RATE_MINUTES)
        yield "TenantLabelCardinalityExceeded", labels, there & (refused > 0)
        yield "ReadinessFlapping", labels, there & (_over(traces.global_flips, 60) > _FLIPS_IN_AN_HOUR)
        quick = _over(world.checks(instance)[:, :_WITHIN_200_MS].sum(axis=1), _RATE_MINUTES)
        # The 95th percentile lies over 0.2 s where fewer than 95 % of the checks ended within it.
        slow = 20 * quick < 19 * _over(np.full(MINUTES, CHECKS_A_MINUTE, dtype=np.int64), _RATE_MINUTES)
        yield "ReadinessLatencyHigh", labels, there & slow
    seen = np.logical_or.reduce([world.scraped[instance] for instance in INSTANCES])
    yield "ServiceNotReady", {"job": JOB}, seen & world.not_ready


def _over(steps: Integers, minutes: int) -> Integers:
    total = np.cumsum(steps)
    before = np.concatenate([np.zeros(minutes, dtype=np.int64), total[:-minutes]])
    return total - before


def _alert(alertname: str, labels: dict[str, str], true: Mask) -> Iterator[Trace]:
    if not true.any():
        return
    rule = load_contract().alerts[alertname]
    since = _minutes_true(true)
    firing = true & (since >= rule.for_seconds // 60)
    for state, mask in (("pending", true & ~firing), ("firing", firing)):
        at = np.flatnonzero(mask).astype(np.int32)
        named = {**labels, "alertname": alertname, "alertstate": state, "severity": rule.severity}
        yield Trace(named, at, np.ones(len(at), dtype=np.int8))


def _minutes_true(true: Mask) -> NDArray[np.int64]:
    index = np.arange(len(true))
    false_at = np.maximum.accumulate(np.where(true, -1, index))
    return np.where(true, index - false_at - 1, 0)
