"""The demo's world minute by minute, and the series that a scrape of it gives, metric by metric."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo.population import DAY_MINUTES, INSTANCES, Draws, Integers, Population, Stay
from cloudxai_analysis.sources.scenario import EXTENT, MINUTES, Scenario

Mask = NDArray[np.bool_]
Minutes = NDArray[np.int32]
Trace = tuple[dict[str, str], Minutes, NDArray[Any]]  # one series: labels, minutes with a sample, values
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
_CANDIDATE_SINCE = 28 * DAY_MINUTES  # from here on the second instance runs the release candidate of v1.0
_BILLING_START = 27 * DAY_MINUTES
_ROLLING_MINUTES = 7 * DAY_MINUTES
_TENANT_KINDS = ("semantics_break", "cost_spike", "flapping_tenant", "alert_storm", "tenant_incident", "false_alert")


class Served(NamedTuple):
    """A tenant on an instance: its stays, and all minutes at which they were scraped."""

    instance: str
    tenant: str
    stays: list[Stay]
    minutes: Minutes

    @property
    def labels(self) -> dict[str, str]:
        """Those of its series."""
        return {"instance": self.instance, "job": JOB, "tenant": self.tenant}


class World:
    """Everything that happens in the six weeks under one seed and one scenario, as arrays over minutes.

    Masks by instance: `discovered` (it is a target at all), `scraped` (its scrape succeeds). `seen`
    is where any scrape succeeds, `not_ready` where the global readiness is 0.
    """

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.scenario = scenario
        self.draws = Draws(seed)
        self.population = Population(scenario, self.draws)
        self.discovered = {instance: np.ones(MINUTES, dtype=bool) for instance in INSTANCES}
        for event in scenario.of("scrape_gap"):
            self.discovered[event.instance][event.span] = False
        self.scraped = {instance: self._scrapes(instance) for instance in INSTANCES}
        self.seen: Mask = np.logical_or.reduce(list(self.scraped.values()))
        self.not_ready: Mask = np.zeros(MINUTES, dtype=bool)
        if self.draws.one("global blip", 0, 1):
            self.not_ready[self.draws.one("global blip at", DAY_MINUTES, MINUTES - DAY_MINUTES)] = True
        for event in scenario.of("readiness_incident"):
            self.not_ready[event.span] = True
        self.served = self.served_since(0)
        self._cast = self._chosen()

    def _scrapes(self, instance: str) -> Mask:
        failed = self.draws.below(f"scrape/{instance}", _FAILED_SCRAPE_ODDS, MINUTES) == 0
        failed[1:] &= ~failed[:-1]  # two in a row would be a gap, which only a scenario plants
        for down in self.population.restarts[instance]:
            failed[down] = True
        return self.discovered[instance] & ~failed

    def _chosen(self) -> list[tuple[Any, list[str]]]:
        free = self.draws.shuffled("cast", self.population.residents)
        found: list[tuple[Any, list[str]]] = []
        for event in self.scenario.of(*_TENANT_KINDS):
            if event.kind == "false_alert" and event.alertname == "ReadinessLatencyHigh":
                found.append((event, []))
            elif named := getattr(event, "tenant", ""):
                found.append((event, [named]))
            else:
                count = getattr(event, "tenants", 1)
                found.append((event, [free[index % len(free)] for index in range(count)]))
                free = free[count % len(free) :] + free[: count % len(free)]
        return found

    def cast(self, *kinds: str, tenant: str = "") -> list[tuple[Any, list[str]]]:
        """The events of some kinds with their tenants; only those of one tenant, if it is given.

        Where an event names none, the seed chooses, each tenant once if it can.
        """
        return [found for found in self._cast if found[0].kind in kinds and (not tenant or tenant in found[1])]

    def served_since(self, first: int) -> list[Served]:
        """Whom the instances serve at a scrape from a minute on, with the stays that were scraped."""
        found: dict[tuple[str, str], list[tuple[Stay, Minutes]]] = {}
        for stay in self.population.stays:
            start = max(stay.start, first)
            minutes = start + np.flatnonzero(self.scraped[stay.instance][start : stay.end])
            if len(minutes):
                found.setdefault((stay.instance, stay.tenant), []).append((stay, minutes.astype(np.int32)))
        return [
            Served(*key, [stay for stay, _ in own], np.concatenate([minutes for _, minutes in own]))
            for key, own in found.items()
        ]

    def runs(self, instance: str) -> list[tuple[int, int]]:
        """The minute at which each process of the instance answers first, and its start in microseconds of the epoch.

        The first one began days before, and answers from minute 0 on.
        """
        runs = []
        for first in [0, *(down.stop for down in self.population.restarts[instance] if down.stop < MINUTES)]:
            ago = self.draws.one(f"start/{instance}/{first}", 5 * MICRO, 50 * MICRO)
            days = self.draws.one(f"age/{instance}", 3, 9) if first == 0 else 0
            runs.append((first, (EXTENT.start_ms // 1000 + (first - days * DAY_MINUTES) * 60) * MICRO - ago))
        return runs

    def tenant_not_ready(self, tenant: str) -> Mask:
        """The minutes in which a tenant's readiness is 0, blips of one minute included."""
        mask: Mask = self.draws.below(f"blip/{tenant}", _BLIP_ODDS, MINUTES) == 0
        for event, _ in self.cast("alert_storm", "false_alert", "tenant_incident", tenant=tenant):
            start = self.loses_readiness(event, tenant)
            mask[start : start + event.minutes] = True
        return mask

    def loses_readiness(self, event: Any, tenant: str) -> int:
        """The minute at which an event takes a tenant's readiness; a storm reaches each at its own."""
        storm = event.kind == "alert_storm"
        late = self.draws.one(f"storm/{event.at}/{tenant}", 0, _STORM_SPREAD_MINUTES - 1) if storm else 0
        return int(event.minute) + late

    def unseen_flips(self, tenant: str) -> Integers:
        """A tenant's flips between two scrapes, which the gauge's samples do not show."""
        flips = np.zeros(MINUTES, dtype=np.int64)
        for event, _ in self.cast("flapping_tenant", tenant=tenant):
            flips[event.span] += event.flips_per_minute
        return flips

    def tenant_flips(self, tenant: str) -> Integers:
        """A tenant's flips in each minute."""
        return self.unseen_flips(tenant) + changes(self.tenant_not_ready(tenant))

    def checks(self, instance: str) -> Integers:
        """Readiness checks by minute (rows) and by the first bucket that holds them (columns)."""
        drawn = self.draws.below(f"checks/{instance}", _CHECKS_WITHIN[-1], MINUTES * CHECKS_A_MINUTE)
        bucket = np.searchsorted(_CHECKS_WITHIN, drawn, side="right").reshape(MINUTES, CHECKS_A_MINUTE)
        for event in self.scenario.of("false_alert"):
            if event.alertname == "ReadinessLatencyHigh" and event.instance == instance:
                bucket[event.span] = _SLOW_BUCKET
        return np.stack([(bucket == index).sum(axis=1) for index in range(len(LE))], axis=1)

    def cost(self, tenant: str) -> Integers:
        """A tenant's cost a minute in millionths of the currency per hour, planted events included."""
        rate = self.regular_cost(tenant)
        for event, _ in self.cast("cost_spike", "semantics_break", tenant=tenant):
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
        phase = draw.one(f"phase/{tenant}", 9 * 60, 17 * 60)
        distance = np.abs((minute + DAY_MINUTES // 2 - phase) % DAY_MINUTES - DAY_MINUTES // 2)
        day = 1000 + draw.one(f"day/{tenant}", 100, 350) * (DAY_MINUTES // 4 - distance) // (DAY_MINUTES // 4)
        weekend = minute % (7 * DAY_MINUTES) >= 5 * DAY_MINUTES
        week = np.where(weekend, 1000 - draw.one(f"weekend/{tenant}", 0, 350), 1000)
        noise = 10_000 + draw.smooth(f"minutes/{tenant}", MINUTES, 31, 1_700)
        noise += draw.smooth(f"hours/{tenant}", MINUTES, 240, 4_000)
        return level * growth // MICRO * day // 1000 * week // 1000 * noise // 10_000

    def series(self, metric: str) -> list[Trace]:
        """The series of any metric but ALERTS; none where the demo has no such metric."""
        contract = load_contract()
        name = {role: contract[role].name for role in contract.metrics}
        checks = name["readiness_check"]
        # What Prometheus adds for a target is there whether its scrape succeeds or not.
        targets, processes = partial(self._by_instance, self.discovered), partial(self._by_instance, self.scraped)
        made: dict[str, Callable[[], list[Trace]]] = {
            name["up"]: lambda: targets(lambda one: self.scraped[one].astype(np.int64)),
            name["scrape_samples"]: lambda: targets(self._exposed),
            name["scrape_duration"]: lambda: targets(self._scrape_micros, MICRO),
            name["readiness"]: lambda: processes(lambda _: 1 - self.not_ready),
            name["process_start"]: lambda: processes(self._process_starts, MICRO),
            name["readiness_transitions"]: lambda: self._counters(lambda _: changes(self.not_ready)),
            name["rejections"]: lambda: self._counters(self.population.refused.__getitem__),
            f"{checks}_count": lambda: self._counters(lambda _: np.full(MINUTES, CHECKS_A_MINUTE)),
            f"{checks}_sum": lambda: self._counters(lambda one: self.checks(one) @ _MILLIS_OF_BUCKET, 1000),
            f"{checks}_bucket": self._buckets,
            name["tenant_readiness"]: lambda: self._of_tenants(lambda one: 1 - self.tenant_not_ready(one.tenant)),
            name["tenant_transitions"]: lambda: [(one.labels, one.minutes, self._flipped(one)) for one in self.served],
            name["cost"]: lambda: self._of_tenants(lambda one: self.cost(one.tenant), MICRO),
            name["cost_rolling"]: lambda: self._of_candidate(
                lambda at: at - _ROLLING_MINUTES, window="7d", currency=contract.currency
            ),
            name["cost_billing"]: lambda: self._of_candidate(
                lambda _: _BILLING_START, billing_window="2026-11", currency=contract.currency
            ),
        }
        return made[metric]() if metric in made else []

    def _by_instance(self, masks: dict[str, Mask], values: Callable[[str], Integers], divisor: int = 1) -> list[Trace]:
        return [_trace(one, there, values(one) / divisor) for one, there in masks.items()]

    def _counters(self, steps: Callable[[str], Integers], divisor: int = 1) -> list[Trace]:
        return self._by_instance(self.scraped, lambda one: self._counted(one, steps(one)), divisor)

    def _counted(self, instance: str, steps: Integers) -> Integers:
        total = np.cumsum(steps)
        for first, _ in self.runs(instance)[1:]:
            total[first:] -= total[first - 1]
        return total

    def _buckets(self) -> list[Trace]:
        found = []
        for instance in INSTANCES:
            within = np.cumsum(self.checks(instance), axis=1).T
            for steps, bound in zip(within, LE, strict=True):
                labels, minutes, values = _trace(instance, self.scraped[instance], self._counted(instance, steps) / 1)
                found.append(({**labels, "le": bound}, minutes, values))
        return found

    def _exposed(self, instance: str) -> Integers:
        counts = self.scraped[instance] * (len(LE) + 6)
        for one in self.served:
            if one.instance == instance:
                later = (one.minutes >= _CANDIDATE_SINCE) & (instance == INSTANCES[1])
                counts[one.minutes] += np.where(later, 5, 3)
        return counts

    def _scrape_micros(self, instance: str) -> Integers:
        return 3_000 + 25 * self._exposed(instance) + self.draws.below(f"took/{instance}", 2_500, MINUTES)

    def _process_starts(self, instance: str) -> Integers:
        values = np.zeros(MINUTES, dtype=np.int64)
        for first, began in self.runs(instance):
            values[first:] = began
        return values

    def _of_tenants(self, values: Callable[[Served], Integers], divisor: int = 1) -> list[Trace]:
        return [(one.labels, one.minutes, values(one)[one.minutes] / divisor) for one in self.served]

    def _flipped(self, one: Served) -> Integers:
        total = np.cumsum(self.tenant_flips(one.tenant))
        starts = np.array([stay.start for stay in one.stays])
        return total[one.minutes] - total[starts[np.searchsorted(starts, one.minutes, side="right") - 1]]

    def _of_candidate(self, since: Callable[[Minutes], Any], **more: str) -> list[Trace]:
        """What the release candidate adds for each tenant: its cost since a minute, with further labels."""
        found = []
        for one in self.served_since(_CANDIDATE_SINCE):
            if one.instance == INSTANCES[1]:
                spent = self._spent(one)
                values = (spent[one.minutes] - spent[since(one.minutes)]) // 60
                found.append(({**one.labels, **more}, one.minutes, values / MICRO))
        return found

    def _spent(self, served: Served) -> Integers:
        """Spent before each minute of the six weeks, in millionths x 60, so that no division loses anything."""
        rate, cost = np.zeros(MINUTES, dtype=np.int64), self.cost(served.tenant)
        # What the release candidate adds up outlives its process, so a restart begins nothing anew.
        for one in self.served:
            for stay in one.stays if one[:2] == served[:2] else []:
                rate[stay.start : stay.end] = cost[stay.start : stay.end]
        return np.concatenate([[0], np.cumsum(rate)])


def multiplied(rate: Integers, factor: float) -> Integers:
    """Integers times a factor of at most three decimals."""
    return rate * round(factor * 1000) // 1000


def changes(mask: Mask) -> Integers:
    """1 in each minute in which the mask is another than in the one before."""
    return np.concatenate([[False], mask[1:] != mask[:-1]]).astype(np.int64)


def _trace(instance: str, there: Mask, values: NDArray[np.float64]) -> Trace:
    return {"instance": instance, "job": JOB}, np.flatnonzero(there).astype(np.int32), values[there]
