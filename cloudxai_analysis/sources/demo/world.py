"""The demo's world minute by minute, and the series that a scrape of it gives, metric by metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo.population import DAY_MINUTES, INSTANCES, MINUTES, Draws, Integers, Population, Stay
from cloudxai_analysis.sources.scenario import EXTENT, Scenario

Mask = NDArray[np.bool_]
JOB = "cloudxai"
MICRO = 1_000_000
CHECKS_A_MINUTE = 6
LE = ("0.05", "0.1", "0.2", "0.5", "1", "+Inf")
# Of 100,000 readiness checks, how many end within each of these bounds, and how long those of a bucket take.
_CHECKS_WITHIN = (62_000, 93_000, 99_980, 99_993, 99_999, 100_000)
_MILLIS_OF_BUCKET = np.array([30, 75, 140, 320, 700, 1_500], dtype=np.int64)
_SLOW_BUCKET = 3
_BLIP_ODDS = 20_000
_FAILED_SCRAPE_ODDS = 25_000
_STORM_SPREAD_MINUTES = 8
_HOUR = 60
_CANDIDATE_SINCE = 28 * DAY_MINUTES  # from here on the second instance runs the release candidate of v1.0
_BILLING_START = 27 * DAY_MINUTES
_ROLLING_DAYS = 7
_TENANT_KINDS = ("semantics_break", "cost_spike", "flapping_tenant", "alert_storm", "tenant_incident", "false_alert")


@dataclass(frozen=True)
class Trace:
    """One series: its labels, the minutes at which it has a sample, and the values as integers over `divisor`."""

    labels: dict[str, str]
    minutes: NDArray[np.int32]
    values: NDArray[Any]
    divisor: int = 1


class World:
    """Everything that happens in the six weeks under one seed and one scenario, as arrays over minutes."""

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.scenario = scenario
        self.draws = Draws(seed)
        self.population = Population(scenario, self.draws)

    @cached_property
    def cast(self) -> list[tuple[Any, tuple[str, ...]]]:
        """Each event with its tenants; where it names none, the seed chooses, each tenant once if it can."""
        free = self.draws.shuffled("cast", self.population.residents)
        found: list[tuple[Any, tuple[str, ...]]] = []
        for event in self.scenario.of(*_TENANT_KINDS):
            if event.kind == "false_alert" and event.alertname == "ReadinessLatencyHigh":
                found.append((event, ()))
            elif named := getattr(event, "tenant", ""):
                found.append((event, (named,)))
            else:
                count = getattr(event, "tenants", 1)
                found.append((event, tuple(free[index % len(free)] for index in range(count))))
                free = free[count % len(free) :] + free[: count % len(free)]
        return found

    def cast_of(self, *kinds: str) -> list[tuple[Any, tuple[str, ...]]]:
        """The events of some kinds with their tenants."""
        return [(event, tenants) for event, tenants in self.cast if event.kind in kinds]

    def _events_of(self, tenant: str, *kinds: str) -> list[Any]:
        return [event for event, tenants in self.cast_of(*kinds) if tenant in tenants]

    @cached_property
    def discovered(self) -> dict[str, Mask]:
        """By instance, the minutes in which it is a target at all."""
        masks = {instance: np.ones(MINUTES, dtype=bool) for instance in INSTANCES}
        for event in self.scenario.of("scrape_gap"):
            masks[event.instance][event.span] = False
        return masks

    @cached_property
    def scraped(self) -> dict[str, Mask]:
        """By instance, the minutes in which its scrape succeeds."""
        masks = {}
        for instance in INSTANCES:
            failed = self.draws.below(f"scrape/{instance}", _FAILED_SCRAPE_ODDS, MINUTES) == 0
            # Two in a row would be a gap, which only a scenario plants.
            failed[1:] &= ~failed[:-1]
            masks[instance] = self.discovered[instance] & ~failed
            for down in self.population.restarts[instance]:
                masks[instance][down] = False
        return masks

    def run_starts(self, instance: str) -> list[int]:
        """The minutes at which a process of the instance answers first; 0 for the one that ran before."""
        return [0, *(down.stop for down in self.population.restarts[instance] if down.stop < MINUTES)]

    def start_of_run(self, instance: str, first: int) -> int:
        """When the process that answers first at a minute began, in microseconds since the epoch."""
        ago = self.draws.one(f"start/{instance}/{first}", 5 * MICRO, 50 * MICRO)
        days = self.draws.one(f"age/{instance}", 3, 9) if first == 0 else 0
        return (EXTENT.start_ms // 1000 + (first - days * DAY_MINUTES) * 60) * MICRO - ago

    @cached_property
    def not_ready(self) -> Mask:
        """The minutes in which the global readiness is 0."""
        mask = np.zeros(MINUTES, dtype=bool)
        if self.draws.one("global blip", 0, 1):
            mask[self.draws.one("global blip at", DAY_MINUTES, MINUTES - DAY_MINUTES)] = True
        for event in self.scenario.of("readiness_incident"):
            mask[event.span] = True
        return mask

    @cached_property
    def stays(self) -> list[tuple[Stay, NDArray[np.int32]]]:
        """Every stay with the minutes at which it was scraped."""
        found = []
        for stay in self.population.stays:
            minutes = stay.start + np.flatnonzero(self.scraped[stay.instance][stay.start : stay.end])
            if len(minutes):
                found.append((stay, minutes.astype(np.int32)))
        return found

    @cached_property
    def tenant_not_ready(self) -> dict[str, Mask]:
        """By tenant, the minutes in which its readiness is 0, blips of one minute included."""
        found = {}
        for tenant in {stay.tenant for stay, _ in self.stays}:
            found[tenant] = self.draws.below(f"blip/{tenant}", _BLIP_ODDS, MINUTES) == 0
            for event in self._events_of(tenant, "alert_storm", "false_alert", "tenant_incident"):
                start = self.loses_readiness(event, tenant)
                found[tenant][start : start + event.minutes] = True
        return found

    def loses_readiness(self, event: Any, tenant: str) -> int:
        """The minute at which an event takes a tenant's readiness; a storm reaches each at its own."""
        storm = event.kind == "alert_storm"
        late = self.draws.one(f"storm/{event.at}/{tenant}", 0, _STORM_SPREAD_MINUTES - 1) if storm else 0
        return int(event.minute) + late

    def extra_flips(self, tenant: str) -> Integers:
        """A tenant's flips between two scrapes, which the gauge's samples do not show."""
        flips = np.zeros(MINUTES, dtype=np.int64)
        for event in self._events_of(tenant, "flapping_tenant"):
            flips[event.span] += event.flips_per_minute
        return flips

    @cached_property
    def tenant_flips(self) -> dict[str, Integers]:
        """By tenant, its flips in each minute, those between scrapes included."""
        return {tenant: self.extra_flips(tenant) + _changes(down) for tenant, down in self.tenant_not_ready.items()}

    @cached_property
    def global_flips(self) -> Integers:
        """Flips of the global readiness in each minute."""
        return _changes(self.not_ready)

    def checks(self, instance: str) -> Integers:
        """Readiness checks by minute (rows) and by the first bucket that holds them (columns)."""
        drawn = self.draws.below(f"checks/{instance}", _CHECKS_WITHIN[-1], MINUTES * CHECKS_A_MINUTE)
        bucket = np.searchsorted(_CHECKS_WITHIN, drawn, side="right").reshape(MINUTES, CHECKS_A_MINUTE)
        for event in self.scenario.of("false_alert"):
            if event.alertname == "ReadinessLatencyHigh" and event.instance == instance:
                bucket[event.span] = _SLOW_BUCKET
        return np.stack([(bucket == index).sum(axis=1) for index in range(len(LE))], axis=1)

    @cached_property
    def cost(self) -> dict[str, Integers]:
        """By tenant, its cost a minute in millionths of the currency per hour, planted events included."""
        return {tenant: self._cost(tenant) for tenant in self.tenant_not_ready}

    def _cost(self, tenant: str) -> Integers:
        rate = self.regular_cost(tenant)
        for event in self._events_of(tenant, "cost_spike", "semantics_break"):
            if event.kind == "cost_spike":
                rate[event.span] = multiplied(rate[event.span], event.factor)
            else:
                first = event.minute
                grown = rate[first] * round(event.growth * MICRO) // MICRO
                rate[first:] = rate[first] + grown * np.arange(MINUTES - first) // (MINUTES - first)
        return rate

    def regular_cost(self, tenant: str) -> Integers:
        """A tenant's cost without events: a level, growth, the rhythm of day and week, and noise."""
        draw = self.draws
        level = 120_000
        for _ in range(draw.one(f"size/{tenant}", 0, 11) + draw.one(f"size too/{tenant}", 0, 11)):
            level = level * 6 // 5
        minute = np.arange(MINUTES, dtype=np.int64)
        growth = MICRO + minute * draw.one(f"growth/{tenant}", -20_000, 60_000) // MINUTES
        phase = draw.one(f"phase/{tenant}", 9 * _HOUR, 17 * _HOUR)
        distance = np.abs((minute + DAY_MINUTES // 2 - phase) % DAY_MINUTES - DAY_MINUTES // 2)
        day = 1000 + draw.one(f"day/{tenant}", 100, 350) * (DAY_MINUTES // 4 - distance) // (DAY_MINUTES // 4)
        weekend = minute % (7 * DAY_MINUTES) >= 5 * DAY_MINUTES
        week = np.where(weekend, 1000 - draw.one(f"weekend/{tenant}", 0, 350), 1000)
        noise = 10_000 + draw.smooth(f"minutes/{tenant}", MINUTES, 31, 1_700)
        noise += draw.smooth(f"hours/{tenant}", MINUTES, 240, 4_000)
        return level * growth // MICRO * day // 1000 * week // 1000 * noise // 10_000

    def series(self, metric: str) -> list[Trace]:
        """The series of any metric but ALERTS; none where the demo has no such metric."""
        made = self._made.get(metric)
        return list(made()) if made else []

    @cached_property
    def _made(self) -> dict[str, Callable[[], Iterable[Trace]]]:
        contract = load_contract()
        names = {role: contract[role].name for role in contract.metrics}
        checks, refused = names["readiness_check"], self.population.refused
        all_checks = np.full(MINUTES, CHECKS_A_MINUTE)
        rolling = {"window": f"{_ROLLING_DAYS}d", "currency": contract.currency}
        billing = {"billing_window": "2026-11", "currency": contract.currency}
        return {
            names["up"]: lambda: self._of_target(lambda name: self.scraped[name].astype(np.int8)),
            names["scrape_samples"]: lambda: self._of_target(lambda name: self._exposed[name]),
            names["scrape_duration"]: lambda: self._of_target(self._scrape_micros, MICRO),
            names["readiness"]: lambda: self._of_process(lambda _: (~self.not_ready).astype(np.int8)),
            names["readiness_transitions"]: lambda: self._counters(lambda _: self.global_flips),
            names["rejections"]: lambda: self._counters(lambda name: refused[name]),
            names["process_start"]: lambda: self._of_process(self._process_starts, MICRO),
            f"{checks}_count": lambda: self._counters(lambda _: all_checks),
            f"{checks}_sum": lambda: self._counters(lambda name: self.checks(name) @ _MILLIS_OF_BUCKET, 1000),
            f"{checks}_bucket": self._buckets,
            names["tenant_readiness"]: lambda: self._of_tenant(
                lambda stay, at: (~self.tenant_not_ready[stay.tenant]).astype(np.int8)[at]
            ),
            names["tenant_transitions"]: lambda: self._of_tenant(self._transitions),
            names["cost"]: lambda: self._of_tenant(lambda stay, at: self.cost[stay.tenant][at], MICRO),
            names["cost_rolling"]: lambda: self._of_candidate(lambda at: at - _ROLLING_DAYS * DAY_MINUTES, rolling),
            names["cost_billing"]: lambda: self._of_candidate(lambda _: _BILLING_START, billing),
        }

    def _of_target(self, values: Callable[[str], NDArray[Any]], divisor: int = 1) -> Iterator[Trace]:
        # What Prometheus adds for a target, whether its scrape succeeds or not.
        return (_trace(instance, self.discovered[instance], values(instance), divisor) for instance in INSTANCES)

    def _of_process(self, values: Callable[[str], NDArray[Any]], divisor: int = 1) -> Iterator[Trace]:
        return (_trace(instance, self.scraped[instance], values(instance), divisor) for instance in INSTANCES)

    def _counters(self, steps: Callable[[str], NDArray[Any]], divisor: int = 1) -> Iterator[Trace]:
        return self._of_process(lambda instance: self._counted(instance, steps(instance)), divisor)

    def _counted(self, instance: str, steps: Integers) -> Integers:
        total = np.cumsum(steps)
        for first in self.run_starts(instance)[1:]:
            total[first:] -= total[first - 1]
        return total

    def _buckets(self) -> Iterator[Trace]:
        for instance in INSTANCES:
            within = np.cumsum(self.checks(instance), axis=1)
            for index, bound in enumerate(LE):
                trace = _trace(instance, self.scraped[instance], self._counted(instance, within[:, index]))
                yield Trace({**trace.labels, "le": bound}, trace.minutes, trace.values)

    @cached_property
    def _exposed(self) -> dict[str, Integers]:
        counts = {instance: self.scraped[instance] * (len(LE) + 6) for instance in INSTANCES}
        for stay, minutes in self.stays:
            later = (minutes >= _CANDIDATE_SINCE) & (stay.instance == INSTANCES[1])
            counts[stay.instance][minutes] += np.where(later, 5, 3)
        return counts

    def _scrape_micros(self, instance: str) -> Integers:
        return 3_000 + 25 * self._exposed[instance] + self.draws.below(f"took/{instance}", 2_500, MINUTES)

    def _process_starts(self, instance: str) -> Integers:
        values = np.zeros(MINUTES, dtype=np.int64)
        for first in self.run_starts(instance):
            values[first:] = self.start_of_run(instance, first)
        return values

    def _of_tenant(self, values: Callable[[Stay, NDArray[np.int32]], NDArray[Any]], divisor: int = 1) -> list[Trace]:
        return _joined(Trace(tenant_labels(stay), at, values(stay, at), divisor) for stay, at in self.stays)

    def _transitions(self, stay: Stay, minutes: NDArray[np.int32]) -> Integers:
        flips = self.tenant_flips[stay.tenant][stay.start : stay.end].copy()
        flips[0] = 0
        return np.cumsum(flips)[minutes - stay.start]

    def _of_candidate(self, since: Callable[[NDArray[np.int32]], Any], more: dict[str, str]) -> list[Trace]:
        # What the release candidate adds for each tenant: its cost since a minute, with further labels.
        parts = []
        for stay, minutes in self.stays:
            at = minutes[minutes >= _CANDIDATE_SINCE]
            if stay.instance == INSTANCES[1] and len(at):
                spent = self._spent(stay)
                parts.append(Trace({**tenant_labels(stay), **more}, at, (spent[at] - spent[since(at)]) // 60, MICRO))
        return _joined(parts)

    def _spent(self, stay: Stay) -> Integers:
        # Spent before each minute of the six weeks, in millionths x 60, so that no division loses anything.
        rate = np.zeros(MINUTES, dtype=np.int64)
        # What the release candidate adds up outlives its process, so a restart begins nothing anew.
        for own, _ in self.stays:
            if (own.tenant, own.instance) == (stay.tenant, stay.instance):
                rate[own.start : own.end] = self.cost[stay.tenant][own.start : own.end]
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(rate)])


def tenant_labels(stay: Stay) -> dict[str, str]:
    """The labels of a tenant's series."""
    return {"instance": stay.instance, "job": JOB, "tenant": stay.tenant}


def multiplied(rate: Integers, factor: float) -> Integers:
    """Integers times a factor of at most three decimals."""
    return rate * round(factor * 1000) // 1000


def _changes(mask: Mask) -> Integers:
    flips = np.zeros(len(mask), dtype=np.int64)
    flips[1:] = mask[1:] != mask[:-1]
    return flips


def _trace(instance: str, mask: Mask, values: NDArray[Any], divisor: int = 1) -> Trace:
    minutes = np.flatnonzero(mask).astype(np.int32)
    return Trace({"instance": instance, "job": JOB}, minutes, values[mask], divisor)


def _joined(parts: Iterable[Trace]) -> list[Trace]:
    # A tenant that returns, or whose process restarts, has the same labels again: one series, not two.
    by_labels: dict[tuple[tuple[str, str], ...], list[Trace]] = {}
    for part in parts:
        by_labels.setdefault(tuple(sorted(part.labels.items())), []).append(part)
    found = []
    for same in by_labels.values():
        same.sort(key=lambda trace: int(trace.minutes[0]))
        minutes = np.concatenate([trace.minutes for trace in same])
        values = np.concatenate([trace.values for trace in same])
        found.append(Trace(same[0].labels, minutes, values, same[0].divisor))
    return found
