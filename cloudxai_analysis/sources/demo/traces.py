"""The demo's series: what a scrape of its world gives, metric by metric."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
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
_MILLIS_OF_BUCKET = (30, 75, 140, 320, 700, 1_500)
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
        self._made: dict[str, Callable[[], list[Trace]]] = {
            contract["readiness"].name: self._readiness,
            contract["readiness_transitions"].name: self._transitions,
            f"{histogram}_bucket": self._buckets,
            f"{histogram}_count": self._check_count,
            f"{histogram}_sum": self._check_sum,
            contract["tenant_readiness"].name: self._tenant_readiness,
            contract["tenant_transitions"].name: self._tenant_transitions,
            contract["rejections"].name: self._rejections,
            contract["cost"].name: self._costs,
            contract["cost_rolling"].name: self._rolling,
            contract["cost_billing"].name: self._billing,
            contract["process_start"].name: self._process_starts,
            contract["up"].name: self._up,
            contract["scrape_duration"].name: self._scrape_duration,
            contract["scrape_samples"].name: self._scrape_samples,
        }

    def of(self, metric: str) -> list[Trace]:
        """The series of a metric; none where the demo has no such metric."""
        return self._made[metric]() if metric in self._made else []

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

    def _per_instance(self, values: Callable[[str], NDArray[Any]], divisor: int = 1) -> list[Trace]:
        return [_trace(instance, self.world.scraped[instance], values(instance), divisor) for instance in INSTANCES]

    def _per_stay(self, values: Callable[[Stay, NDArray[np.int32]], NDArray[Any]], divisor: int = 1) -> list[Trace]:
        return _joined((tenant_labels(stay), minutes, values(stay, minutes), divisor) for stay, minutes in self.stays)

    def _readiness(self) -> list[Trace]:
        ready = (~self.world.not_ready).astype(np.int8)
        return self._per_instance(lambda _: ready)

    def _transitions(self) -> list[Trace]:
        return self._per_instance(lambda instance: self._counter(instance, self.global_flips))

    def _rejections(self) -> list[Trace]:
        return self._per_instance(lambda instance: self._counter(instance, self.world.population.refused[instance]))

    def _counter(self, instance: str, steps: Integers) -> Integers:
        total = np.cumsum(steps)
        for first in self.world.run_starts(instance)[1:]:
            total[first:] -= total[first - 1]
        return total

    def _buckets(self) -> list[Trace]:
        found = []
        for instance in INSTANCES:
            within = np.cumsum(self.world.checks(instance), axis=1)
            for index, bound in enumerate(LE):
                trace = _trace(instance, self.world.scraped[instance], self._counter(instance, within[:, index]))
                found.append(Trace({**trace.labels, "le": bound}, trace.minutes, trace.values))
        return found

    def _check_count(self) -> list[Trace]:
        steps = np.full(MINUTES, CHECKS_A_MINUTE, dtype=np.int64)
        return self._per_instance(lambda instance: self._counter(instance, steps))

    def _check_sum(self) -> list[Trace]:
        def steps(instance: str) -> Integers:
            return self._counter(instance, self.world.checks(instance) @ np.array(_MILLIS_OF_BUCKET, dtype=np.int64))

        return self._per_instance(steps, 1000)

    def _tenant_readiness(self) -> list[Trace]:
        ready = {tenant: (~self.world.tenant_not_ready(tenant)).astype(np.int8) for tenant in self.tenant_flips}
        return self._per_stay(lambda stay, minutes: ready[stay.tenant][minutes])

    def _tenant_transitions(self) -> list[Trace]:
        def counted(stay: Stay, minutes: NDArray[np.int32]) -> Integers:
            flips = self.tenant_flips[stay.tenant][stay.start : stay.end].copy()
            flips[0] = 0
            return np.cumsum(flips)[minutes - stay.start]

        return self._per_stay(counted)

    @cached_property
    def _cost(self) -> dict[str, Integers]:
        return {tenant: self.world.cost(tenant) for tenant in self.tenant_flips}

    def _costs(self) -> list[Trace]:
        return self._per_stay(lambda stay, minutes: self._cost[stay.tenant][minutes], MICRO)

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

    def _rolling(self) -> list[Trace]:
        def last_days(stay: Stay, minutes: NDArray[np.int32]) -> Integers:
            spent = self._spent(stay)
            return (spent[minutes] - spent[minutes - _ROLLING_DAYS * DAY_MINUTES]) // 60

        extra = {"window": f"{_ROLLING_DAYS}d", "currency": load_contract().currency}
        own = self._since_candidate()
        return _joined(({**tenant_labels(stay), **extra}, at, last_days(stay, at), MICRO) for stay, at in own)

    def _billing(self) -> list[Trace]:
        def this_month(stay: Stay, minutes: NDArray[np.int32]) -> Integers:
            spent = self._spent(stay)
            return (spent[minutes] - spent[_BILLING_START]) // 60

        extra = {"billing_window": "2026-11", "currency": load_contract().currency}
        own = self._since_candidate()
        return _joined(({**tenant_labels(stay), **extra}, at, this_month(stay, at), MICRO) for stay, at in own)

    def start_of_run(self, instance: str, first: int) -> int:
        """When the process that answers first at a minute began, in microseconds since the epoch."""
        ago = self.world.draws.one(f"start/{instance}/{first}", 5 * MICRO, 50 * MICRO)
        days = self.world.draws.one(f"age/{instance}", 3, 9) if first == 0 else 0
        return (_EPOCH + (first - days * DAY_MINUTES) * 60) * MICRO - ago

    def _process_starts(self) -> list[Trace]:
        def starts(instance: str) -> Integers:
            values = np.zeros(MINUTES, dtype=np.int64)
            for first in self.world.run_starts(instance):
                values[first:] = self.start_of_run(instance, first)
            return values

        return self._per_instance(starts, MICRO)

    def _up(self) -> list[Trace]:
        return [
            _trace(instance, self.world.discovered[instance], self.world.scraped[instance].astype(np.int8))
            for instance in INSTANCES
        ]

    @cached_property
    def _exposed(self) -> dict[str, Integers]:
        counts = {instance: np.zeros(MINUTES, dtype=np.int64) for instance in INSTANCES}
        for stay, minutes in self.stays:
            later = (minutes >= _CANDIDATE_SINCE) & (stay.instance == INSTANCES[1])
            counts[stay.instance][minutes] += np.where(later, 5, 3)
        for instance in INSTANCES:
            counts[instance] += self.world.scraped[instance] * (len(LE) + 6)
        return counts

    def _scrape_samples(self) -> list[Trace]:
        return [_trace(name, self.world.discovered[name], self._exposed[name]) for name in INSTANCES]

    def _scrape_duration(self) -> list[Trace]:
        def micros(instance: str) -> Integers:
            return 3_000 + 25 * self._exposed[instance] + self.world.draws.below(f"took/{instance}", 2_500, MINUTES)

        return [_trace(name, self.world.discovered[name], micros(name), MICRO) for name in INSTANCES]


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
