"""The demo's series: what a scrape of its world gives, metric by metric."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo.draws import Integers
from cloudxai_analysis.sources.demo.population import DAY_MINUTES, INSTANCES, MINUTES, Stay
from cloudxai_analysis.sources.demo.world import CHECKS_A_MINUTE, Mask, World
from cloudxai_analysis.sources.scenario import EXTENT

JOB = "cloudxai"
MICRO = 1_000_000
LE = ("0.05", "0.1", "0.2", "0.5", "1", "+Inf")
_MILLIS_OF_BUCKET = np.array([30, 75, 140, 320, 700, 1_500], dtype=np.int64)
_CANDIDATE_SINCE = 28 * DAY_MINUTES  # from here on the second instance runs the release candidate of v1.0
_BILLING_START = 27 * DAY_MINUTES
_ROLLING_DAYS = 7
_EPOCH = EXTENT.start_ms // 1000


@dataclass(frozen=True)
class Trace:
    """One series: its labels, the minutes at which it has a sample, and the values as integers over `divisor`."""

    labels: dict[str, str]
    minutes: NDArray[np.int32]
    values: NDArray[Any]
    divisor: int = 1


class Traces:
    """The series of every metric but ALERTS, made when first asked for."""

    def __init__(self, world: World) -> None:
        self.world = world
        contract = load_contract()
        histogram = contract["readiness_check"].name
        # What a process exposes: its values at each minute, and what they are divided by.
        self._of_process: dict[str, tuple[Callable[[str], NDArray[Any]], int]] = {
            contract["readiness"].name: (lambda _: (~world.not_ready).astype(np.int8), 1),
            contract["readiness_transitions"].name: (lambda name: self._counter(name, self.global_flips), 1),
            contract["rejections"].name: (lambda name: self._counter(name, world.population.refused[name]), 1),
            contract["process_start"].name: (self._process_starts, MICRO),
            f"{histogram}_count": (lambda name: self._counter(name, np.full(MINUTES, CHECKS_A_MINUTE)), 1),
            f"{histogram}_sum": (lambda name: self._counter(name, world.checks(name) @ _MILLIS_OF_BUCKET), 1000),
        }
        # What Prometheus adds for a target, whether its scrape succeeds or not.
        self._of_target: dict[str, tuple[Callable[[str], NDArray[Any]], int]] = {
            contract["up"].name: (lambda name: world.scraped[name].astype(np.int8), 1),
            contract["scrape_samples"].name: (lambda name: self._exposed[name], 1),
            contract["scrape_duration"].name: (self._scrape_micros, MICRO),
        }
        # What a process exposes for each tenant: the values at the minutes of a stay.
        self._of_tenant: dict[str, tuple[Callable[[Stay, NDArray[np.int32]], NDArray[Any]], int]] = {
            contract["tenant_readiness"].name: (lambda stay, at: self._ready[stay.tenant][at], 1),
            contract["tenant_transitions"].name: (self._transitions, 1),
            contract["cost"].name: (lambda stay, at: self._cost[stay.tenant][at], MICRO),
        }
        # What the release candidate adds for each tenant: the minute since which it adds up, and further labels.
        rolling = {"window": f"{_ROLLING_DAYS}d", "currency": contract.currency}
        billing = {"billing_window": "2026-11", "currency": contract.currency}
        self._of_candidate: dict[str, tuple[Callable[[NDArray[np.int32]], Any], dict[str, str]]] = {
            contract["cost_rolling"].name: (lambda at: at - _ROLLING_DAYS * DAY_MINUTES, rolling),
            contract["cost_billing"].name: (lambda _: _BILLING_START, billing),
        }
        self._buckets = f"{histogram}_bucket"

    def of(self, metric: str) -> list[Trace]:
        """The series of a metric; none where the demo has no such metric."""
        world = self.world
        if metric == self._buckets:
            return [trace for instance in INSTANCES for trace in self._histogram(instance)]
        for made, masks in ((self._of_process, world.scraped), (self._of_target, world.discovered)):
            if metric in made:
                values, divisor = made[metric]
                return [_trace(instance, masks[instance], values(instance), divisor) for instance in INSTANCES]
        if metric in self._of_tenant:
            of_stay, divisor = self._of_tenant[metric]
            return _joined((tenant_labels(stay), at, of_stay(stay, at), divisor) for stay, at in self.stays)
        if metric in self._of_candidate:
            since, more = self._of_candidate[metric]
            return _joined(
                ({**tenant_labels(stay), **more}, at, (spent[at] - spent[since(at)]) // 60, MICRO)
                for stay, at in self._since_candidate()
                for spent in [self._spent(stay)]
            )
        return []

    @cached_property
    def stays(self) -> list[tuple[Stay, NDArray[np.int32]]]:
        """Every stay with the minutes at which it was scraped."""
        found = [(stay, self.world.alive(stay)) for stay in self.world.population.stays]
        return [(stay, minutes) for stay, minutes in found if len(minutes)]

    @cached_property
    def tenant_flips(self) -> dict[str, Integers]:
        """By tenant, its flips in each minute, those between scrapes included."""
        found = {}
        for tenant in {stay.tenant for stay, _ in self.stays}:
            down = self.world.tenant_not_ready(tenant)
            found[tenant] = self.world.extra_flips(tenant)
            found[tenant][1:] += down[1:] != down[:-1]
        return found

    @cached_property
    def global_flips(self) -> Integers:
        """Flips of the global readiness in each minute."""
        flips = np.zeros(MINUTES, dtype=np.int64)
        flips[1:] = self.world.not_ready[1:] != self.world.not_ready[:-1]
        return flips

    @cached_property
    def _ready(self) -> dict[str, NDArray[np.int8]]:
        return {tenant: (~self.world.tenant_not_ready(tenant)).astype(np.int8) for tenant in self.tenant_flips}

    @cached_property
    def _cost(self) -> dict[str, Integers]:
        return {tenant: self.world.cost(tenant) for tenant in self.tenant_flips}

    @cached_property
    def _exposed(self) -> dict[str, Integers]:
        counts = {instance: np.zeros(MINUTES, dtype=np.int64) for instance in INSTANCES}
        for stay, minutes in self.stays:
            later = (minutes >= _CANDIDATE_SINCE) & (stay.instance == INSTANCES[1])
            counts[stay.instance][minutes] += np.where(later, 5, 3)
        for instance in INSTANCES:
            counts[instance] += self.world.scraped[instance] * (len(LE) + 6)
        return counts

    def start_of_run(self, instance: str, first: int) -> int:
        """When the process that answers first at a minute began, in microseconds since the epoch."""
        ago = self.world.draws.one(f"start/{instance}/{first}", 5 * MICRO, 50 * MICRO)
        days = self.world.draws.one(f"age/{instance}", 3, 9) if first == 0 else 0
        return (_EPOCH + (first - days * DAY_MINUTES) * 60) * MICRO - ago

    def _process_starts(self, instance: str) -> Integers:
        values = np.zeros(MINUTES, dtype=np.int64)
        for first in self.world.run_starts(instance):
            values[first:] = self.start_of_run(instance, first)
        return values

    def _scrape_micros(self, instance: str) -> Integers:
        return 3_000 + 25 * self._exposed[instance] + self.world.draws.below(f"took/{instance}", 2_500, MINUTES)

    def _counter(self, instance: str, steps: Integers) -> Integers:
        total = np.cumsum(steps)
        for first in self.world.run_starts(instance)[1:]:
            total[first:] -= total[first - 1]
        return total

    def _histogram(self, instance: str) -> Iterator[Trace]:
        within = np.cumsum(self.world.checks(instance), axis=1)
        for index, bound in enumerate(LE):
            trace = _trace(instance, self.world.scraped[instance], self._counter(instance, within[:, index]))
            yield Trace({**trace.labels, "le": bound}, trace.minutes, trace.values)

    def _transitions(self, stay: Stay, minutes: NDArray[np.int32]) -> Integers:
        flips = self.tenant_flips[stay.tenant][stay.start : stay.end].copy()
        flips[0] = 0
        return np.cumsum(flips)[minutes - stay.start]

    def _since_candidate(self) -> list[tuple[Stay, NDArray[np.int32]]]:
        own = ((stay, minutes[minutes >= _CANDIDATE_SINCE]) for stay, minutes in self.stays)
        return [(stay, minutes) for stay, minutes in own if stay.instance == INSTANCES[1] and len(minutes)]

    def _spent(self, stay: Stay) -> Integers:
        # Spent before each minute of the six weeks, in millionths x 60, so that no division loses anything.
        rate = np.zeros(MINUTES, dtype=np.int64)
        # What the release candidate adds up outlives its process, so a restart begins nothing anew.
        for own, _ in self.stays:
            if (own.tenant, own.instance) == (stay.tenant, stay.instance):
                rate[own.start : own.end] = self._cost[stay.tenant][own.start : own.end]
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(rate)])


def tenant_labels(stay: Stay) -> dict[str, str]:
    """The labels of a tenant's series."""
    return {"instance": stay.instance, "job": JOB, "tenant": stay.tenant}


def _trace(instance: str, mask: Mask, values: NDArray[Any], divisor: int = 1) -> Trace:
    minutes = np.flatnonzero(mask).astype(np.int32)
    return Trace({"instance": instance, "job": JOB}, minutes, values[mask], divisor)


def _joined(parts: Any) -> list[Trace]:
    # A tenant that returns, or whose process restarts, has the same labels again: one series, not two.
    by_labels: dict[tuple[tuple[str, str], ...], list[Trace]] = defaultdict(list)
    for labels, minutes, values, divisor in parts:
        by_labels[tuple(sorted(labels.items()))].append(Trace(labels, minutes, values, divisor))
    found = []
    for same in by_labels.values():
        same.sort(key=lambda trace: int(trace.minutes[0]))
        minutes = np.concatenate([trace.minutes for trace in same])
        values = np.concatenate([trace.values for trace in same])
        found.append(Trace(same[0].labels, minutes, values, same[0].divisor))
    return found
