"""The demo's world minute by minute: what each process and tenant was, before any scrape of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.sources.demo.draws import Draws, Integers
from cloudxai_analysis.sources.demo.population import (
    DAY_MINUTES,
    INSTANCES,
    MINUTES,
    Downtime,
    Population,
    Stay,
    downtimes,
    populate,
)
from cloudxai_analysis.sources.scenario import (
    AlertStorm,
    CostSpike,
    FalseAlert,
    FlappingTenant,
    ReadinessIncident,
    Scenario,
    ScrapeGap,
    SemanticsBreak,
    TenantIncident,
)

Mask = NDArray[np.bool_]
CHECKS_A_MINUTE = 6
# Of 100,000 readiness checks, how many end within 0.05, 0.1, 0.2, 0.5, 1 second, and later.
_CHECKS_WITHIN = (62_000, 93_000, 99_980, 99_993, 99_999, 100_000)
_SLOW_BUCKET = 3
_BLIP_ODDS = 20_000
_FAILED_SCRAPE_ODDS = 25_000
_STORM_SPREAD_MINUTES = 8
_WEEKDAY_MINUTES = 5 * DAY_MINUTES
_HOUR = 60


class World:
    """Everything that happens in the six weeks under one seed and one scenario, as arrays over minutes."""

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.scenario = scenario
        self.draws = Draws(seed)
        self.population: Population = populate(scenario, self.draws)
        self.down: list[Downtime] = downtimes(scenario)

    @cached_property
    def cast(self) -> list[tuple[Any, tuple[str, ...]]]:
        """Each event with its tenants; where it names none, the seed chooses, each tenant once if it can."""
        free = self.draws.shuffled("cast", self.population.residents)
        found: list[tuple[Any, tuple[str, ...]]] = []
        kinds = (SemanticsBreak, CostSpike, FlappingTenant, AlertStorm, TenantIncident, FalseAlert)
        for event in (event for kind in kinds for event in self.scenario.of(kind)):
            if isinstance(event, FalseAlert) and event.alertname == "ReadinessLatencyHigh":
                found.append((event, ()))
            elif not isinstance(event, AlertStorm) and event.tenant:
                found.append((event, (event.tenant,)))
            else:
                count = event.tenants if isinstance(event, AlertStorm) else 1
                found.append((event, tuple(free[index % len(free)] for index in range(count))))
                free = free[count % len(free) :] + free[: count % len(free)]
        return found

    def cast_of(self, *kinds: type) -> list[tuple[Any, tuple[str, ...]]]:
        """The events of some kinds with their tenants."""
        return [(event, tenants) for event, tenants in self.cast if isinstance(event, kinds)]

    def events_of(self, tenant: str, *kinds: type) -> list[Any]:
        """The events of some kinds that happen to a tenant."""
        return [event for event, tenants in self.cast_of(*kinds) if tenant in tenants]

    @cached_property
    def discovered(self) -> dict[str, Mask]:
        """By instance, the minutes in which it is a target at all."""
        masks = {instance: np.ones(MINUTES, dtype=bool) for instance in INSTANCES}
        for event in self.scenario.of(ScrapeGap):
            masks[event.instance][event.minute : event.minute + event.minutes] = False
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
        for stretch in self.down:
            masks[stretch.instance][stretch.start : stretch.end] = False
        return masks

    def run_starts(self, instance: str) -> list[int]:
        """The minutes at which a process of the instance answers first; 0 for the one that ran before."""
        return [0, *(stretch.end for stretch in self.down if stretch.instance == instance and stretch.end < MINUTES)]

    @cached_property
    def not_ready(self) -> Mask:
        """The minutes in which the global readiness is 0."""
        mask = np.zeros(MINUTES, dtype=bool)
        if self.draws.one("global blip", 0, 1):
            mask[self.draws.one("global blip at", DAY_MINUTES, MINUTES - DAY_MINUTES)] = True
        for event in self.scenario.of(ReadinessIncident):
            mask[event.minute : event.minute + event.minutes] = True
        return mask

    def tenant_not_ready(self, tenant: str) -> Mask:
        """The minutes in which a tenant's readiness is 0, blips of one minute included."""
        mask = self.draws.below(f"blip/{tenant}", _BLIP_ODDS, MINUTES) == 0
        for event in self.events_of(tenant, AlertStorm, FalseAlert, TenantIncident):
            start = self.loses_readiness(event, tenant)
            mask[start : start + event.minutes] = True
        return mask

    def loses_readiness(self, event: Any, tenant: str) -> int:
        """The minute at which an event takes a tenant's readiness; a storm reaches each at its own."""
        storm = isinstance(event, AlertStorm)
        late = self.draws.one(f"storm/{event.at}/{tenant}", 0, _STORM_SPREAD_MINUTES - 1) if storm else 0
        return int(event.minute) + late

    def extra_flips(self, tenant: str) -> Integers:
        """A tenant's flips between two scrapes, which the gauge's samples do not show."""
        flips = np.zeros(MINUTES, dtype=np.int64)
        for event in self.events_of(tenant, FlappingTenant):
            flips[event.minute : event.minute + event.minutes] += event.flips_per_minute
        return flips

    def checks(self, instance: str) -> Integers:
        """Readiness checks by minute (rows) and by the first bucket that holds them (columns)."""
        drawn = self.draws.below(f"checks/{instance}", _CHECKS_WITHIN[-1], MINUTES * CHECKS_A_MINUTE)
        bucket = np.searchsorted(_CHECKS_WITHIN, drawn, side="right").reshape(MINUTES, CHECKS_A_MINUTE)
        for event in self.scenario.of(FalseAlert):
            if event.alertname == "ReadinessLatencyHigh" and event.instance == instance:
                bucket[event.minute : event.minute + event.minutes] = _SLOW_BUCKET
        return np.stack([(bucket == index).sum(axis=1) for index in range(len(_CHECKS_WITHIN))], axis=1)

    def cost(self, tenant: str) -> Integers:
        """A tenant's cost a minute in millionths of the currency per hour, planted events included."""
        rate = self.regular_cost(tenant)
        for event in self.events_of(tenant, CostSpike, SemanticsBreak):
            if isinstance(event, CostSpike):
                spike = slice(event.minute, event.minute + event.minutes)
                rate[spike] = rate[spike] * round(event.factor * 1000) // 1000
            else:
                first = event.minute
                grown = rate[first] * round(event.growth * 1_000_000) // 1_000_000
                rate[first:] = rate[first] + grown * np.arange(MINUTES - first) // (MINUTES - first)
        return rate

    def regular_cost(self, tenant: str) -> Integers:
        """A tenant's cost without events: a level, growth, the rhythm of day and week, and noise."""
        draw = self.draws
        level = 120_000
        for _ in range(draw.one(f"size/{tenant}", 0, 11) + draw.one(f"size too/{tenant}", 0, 11)):
            level = level * 6 // 5
        minute = np.arange(MINUTES, dtype=np.int64)
        growth = 1_000_000 + minute * draw.one(f"growth/{tenant}", -20_000, 60_000) // MINUTES
        phase = draw.one(f"phase/{tenant}", 9 * _HOUR, 17 * _HOUR)
        distance = np.abs((minute + DAY_MINUTES // 2 - phase) % DAY_MINUTES - DAY_MINUTES // 2)
        day = 1000 + draw.one(f"day/{tenant}", 100, 350) * (DAY_MINUTES // 4 - distance) // (DAY_MINUTES // 4)
        weekend = minute % (7 * DAY_MINUTES) >= _WEEKDAY_MINUTES
        week = np.where(weekend, 1000 - draw.one(f"weekend/{tenant}", 0, 350), 1000)
        noise = 10_000 + draw.smooth(f"minutes/{tenant}", MINUTES, 31, 1_700)
        noise += draw.smooth(f"hours/{tenant}", MINUTES, 240, 4_000)
        return level * growth // 1_000_000 * day // 1000 * week // 1000 * noise // 10_000

    def alive(self, stay: Stay) -> NDArray[np.int32]:
        """The minutes of a stay that are scraped."""
        return (stay.start + np.flatnonzero(self.scraped[stay.instance][stay.start : stay.end])).astype(np.int32)
