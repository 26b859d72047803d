"""ALERTS as the beta's rules would have set it, evaluated at each minute on the samples of that minute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo.draws import Integers
from cloudxai_analysis.sources.demo.population import INSTANCES, MINUTES
from cloudxai_analysis.sources.demo.world import CHECKS_A_MINUTE, JOB, Mask, Trace, World
from cloudxai_analysis.sources.rules import AlertingRule

_WITHIN_200_MS = 3  # the first buckets that lie within 0.2 s
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


def alert_traces(world: World) -> list[Trace]:
    """The series of ALERTS, pending and firing, by rule and label set."""
    rules, found = load_contract().alerts, []
    for name, labels, true in [*_of_tenants(world), *_of_processes(world)]:
        index = np.arange(MINUTES)
        last_false = np.maximum.accumulate(np.where(true, -1, index))
        firing = true & (index - last_false - 1 >= rules[name].for_seconds // 60)
        for state, mask in (("pending", true & ~firing), ("firing", firing)):
            at = np.flatnonzero(mask).astype(np.int32)
            named = {**labels, "alertname": name, "alertstate": state, "severity": rules[name].severity}
            if len(at):
                found.append(Trace(named, at, np.ones(len(at), dtype=np.int8)))
    return found


def _of_tenants(world: World) -> Iterator[tuple[str, dict[str, str], Mask]]:
    """Rule, labels, and the minutes in which the rule's expression is true, for each tenant of each process."""
    there: dict[tuple[str, str], Mask] = {}
    for stay, minutes in world.stays:
        there.setdefault((stay.instance, stay.tenant), np.zeros(MINUTES, dtype=bool))[minutes] = True
    for (instance, tenant), mask in there.items():
        labels = {"instance": instance, "job": JOB, "tenant": tenant}
        yield "TenantReadinessBreach", labels, mask & world.tenant_not_ready[tenant]
        yield "TenantFlapping", labels, mask & (_over(np.where(mask, world.tenant_flips[tenant], 0), 10) > 10)


def _of_processes(world: World) -> Iterator[tuple[str, dict[str, str], Mask]]:
    """The same for each process, and for the service of both."""
    for instance in INSTANCES:
        labels, there = {"instance": instance, "job": JOB}, world.scraped[instance]
        yield "TenantLabelCardinalityExceeded", labels, there & (_over(world.population.refused[instance], 5) > 0)
        yield "ReadinessFlapping", labels, there & (_over(world.global_flips, 60) > 10)
        quick = _over(world.checks(instance)[:, :_WITHIN_200_MS].sum(axis=1), 5)
        # The 95th percentile lies over 0.2 s where fewer than 95 % of the checks ended within it.
        slow = 20 * quick < 19 * _over(np.full(MINUTES, CHECKS_A_MINUTE, dtype=np.int64), 5)
        yield "ReadinessLatencyHigh", labels, there & slow
    seen = np.logical_or.reduce([world.scraped[instance] for instance in INSTANCES])
    yield "ServiceNotReady", {"job": JOB}, seen & world.not_ready


def _over(steps: Integers, minutes: int) -> Integers:
    total = np.cumsum(steps)
    return total - np.concatenate([np.zeros(minutes, dtype=np.int64), total[:-minutes]])
