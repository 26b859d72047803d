"""Harder worlds: the demo's series bent by a table (`_worlds.toml`) into other healthy platforms, for evaluation."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
import pandas as pd
from _own_weeks import study_of
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import DAY, WEEK, Window
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Settings, near_miss
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.demo.population import INSTANCES, Draws
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.scenario import EXTENT, Scenario, checked_scenario
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch
from cloudxai_analysis.study.study import Study

Times, Values = NDArray[np.int64], NDArray[np.float64]
One = tuple[dict[str, str], Times, Values]
STALE = np.array([STALENESS_MARKER_BITS], dtype=np.uint64).view(np.float64)
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
DAYS = EXTENT.duration.days
REGIONS = ("eu", "us", "uk", "asia", "de", "fr", "br", "jp", "in", "ca")
CONTRACT = load_contract()
ROLES = ("alerts", "cost", "cost_rolling", "cost_billing", "process_start", "tenant_readiness", "tenant_transitions")
ALERTS, COST, ROLLING, BILLING, START, READY, FLIPS = (CONTRACT[role].name for role in ROLES)


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Course(Part):
    """What multiplies a tenant's cost: `factor` where every condition that is given holds, in local time."""

    factor: float = 1.0
    share: float = 1.0  # of the tenants, chosen by the seed
    zone: str = "UTC"
    hours: tuple[float, float] = (0, 24)
    weekdays: tuple[int, ...] = ()  # Monday is 0
    month_days: tuple[int, ...] = ()  # 0 is a month's last, -1 the one before
    dates: tuple[str, ...] = ()  # like 2026-11-03
    cycle: int = 0  # length in days of a rhythm that begins with the first day
    cycle_days: tuple[int, ...] = ()  # of the cycle from 0; without any, one drawn in each
    jobs: float = 0.0  # a week, at random, each as long as `hours`, which then tell no time of day
    since: float = 0.0  # day from which on, 0 the first
    noise: float = 0.0  # sigma of a log-normal factor, drawn anew each hour
    tails: float = 0.0  # degrees of freedom of Student's t, of which the noise is instead; 0: normal
    weekly_growth: float = 0.0


class Guests(Part):
    """Tenants beside the demo's own, who sign up evenly between two days, 0 the first."""

    name: str  # made of {donor}, {region}, {number}, {hex}
    count: int
    arrive: tuple[float, float] = (0, 0)
    stay_days: float = 1_000
    every_week: bool = False


class Planned(Part):
    """Events of one of the scenario's kinds, so many in a week, at random times and of random length in minutes."""

    event: dict[str, Any]
    per_week: float
    minutes: tuple[int, int]
    noted: Literal["", "deploy", "maintenance"] = ""  # ledger kind by which people noted each


class World(Part):
    """One healthy platform; `told` are the checks that may speak, because what they say is true there."""

    title: str
    told: tuple[str, ...] = ()
    cap: int = 100
    shift_weeks: int = 0  # by which the calendar is moved
    days: float = DAYS  # of telemetry
    new: bool = False  # the processes began when the telemetry does
    tenants: str = "all"  # or residents (who never come or go), or a number of residents
    guests: tuple[Guests, ...] = ()
    cost: tuple[Course, ...] = ()
    decimals: int | None = None  # to which the cost gauge is rounded
    alerts: bool = True
    planned: tuple[Planned, ...] = ()
    seconds: dict[str, int] = {}  # scrape interval by instance, from day 28 on
    seconds_days: float = DAYS  # until which day; 60 s else
    jitter_ms: int = 0
    failed_scrapes: float = 0.0  # share of scrapes that fail, one at a time
    pods: int = 2
    rollouts_per_week: float = 0  # in each every pod gets a new name, one after another
    rollouts_noted: bool = True
    markers: bool = False


@cache
def worlds() -> dict[str, World]:
    """Every world by its name."""
    content = tomllib.loads(Path(__file__).with_name("_worlds.toml").read_text(encoding="utf-8"))
    return {name: World.model_validate(world) for name, world in content.items()}


class WorldSource:
    """The demo of one seed as it would be in another world: a source like any other."""

    def __init__(self, name: str, seed: int) -> None:
        if name not in worlds():
            raise UsageError(f"Unknown world '{name}'.{near_miss(name, list(worlds()))}")
        self.world, self.seed, self._draws = worlds()[name], seed, Draws(seed)
        self.name = f"demo://?seed={seed}&world={name}"
        drawn = [(event, planned.noted) for planned in self.world.planned for event in self._drawn(planned)]
        self.demo = DemoSource(seed, checked_scenario({"name": name, "events": [event for event, _ in drawn]}, name))
        self._noted = [(event["at"], event["minutes"], kind) for event, kind in drawn if kind]
        # The minutes at which a rollout begins: one on a day at most, in office hours.
        chance = self._draws.below("rollouts", 7_000, DAYS) < int(self.world.rollouts_per_week * 1_000)
        days = np.flatnonzero(chance).tolist()
        self._rollouts = [day * 1440 + self._draws.one(f"rollout/{day}", 540, 1020) for day in days]
        if self.world.rollouts_noted:
            self._noted += [(EXTENT.start + timedelta(minutes=at), 10, "deploy") for at in self._rollouts]
        self._shift = self.world.shift_weeks * WEEK
        self._made: dict[str, list[One]] = {}

    def describe(self) -> dict[str, Any]:
        return {**self.demo.describe(), "source": self.name, "hides_markers": not self.world.markers}

    def extent(self) -> Window:
        """The demo's six weeks in this world's calendar, as far as they are kept."""
        end = EXTENT.end + self._shift
        return Window(end - self.world.days * DAY, end)

    def rules(self) -> list[AlertingRule] | None:
        """The demo's rules, or None where nobody knows."""
        return self.demo.rules() if self.world.alerts else None

    def truth(self) -> pd.DataFrame:
        """The planted events, as the demo's `truth` gives them."""
        found = self.demo.truth()
        return found.assign(start=found["start"] + self._shift, end=found["end"] + self._shift)

    def ledger_entries(self) -> list[dict[str, Any]]:
        """What the demo's people wrote, and what this world's note beside it."""
        noted = [
            {"kind": kind, "by": "on-call", "written_at": at, "start": at, "end": at + timedelta(minutes=minutes + 1)}
            for at, minutes, kind in self._noted
        ]
        return [
            {key: value + self._shift if isinstance(value, datetime) else value for key, value in entry.items()}
            for entry in [*self.demo.ledger_entries(), *noted]
        ]

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        """The samples of `metric` in the window, of series whose labels equal `matchers`."""
        if metric not in self._made:
            self._made[metric] = list(self._finished(metric))
        first, parts = max(window.start_ms, self.extent().start_ms), []
        for labels, times, values in self._made[metric]:
            if all(labels.get(name, "") == value for name, value in matchers.items()):
                low, high = np.searchsorted(times, (first, window.end_ms))
                parts.append((labels, times[low:high], values[low:high]))
        return SeriesBatch.of(metric, parts)

    def _drawn(self, planned: Planned) -> Iterator[dict[str, Any]]:
        """One event at most in each slot of two hours, as a Poisson process would have it."""
        kind, chance = planned.event["kind"], int(planned.per_week / 84 * 1_000_000)
        for slot in np.flatnonzero(self._draws.below(f"planned/{kind}", 1_000_000, DAYS * 12) < chance).tolist():
            late = self._draws.one(f"planned/{kind}/{slot}", 0, 115 - planned.minutes[1])
            at = EXTENT.start + timedelta(minutes=slot * 120 + late)
            yield {**planned.event, "at": at, "minutes": self._draws.one(f"long/{kind}/{slot}", *planned.minutes)}

    @cached_property
    def _guests(self) -> list[tuple[str, str, float, float]]:
        """Each guest: name, donor, first and last day."""
        donors, found = _residents(self._donors), []
        for guests in self.world.guests:
            for week in range(0, DAYS, 7) if guests.every_week else (0,):
                low, high = (week + day for day in guests.arrive)
                for index in range(guests.count):
                    number = len(found)
                    donor, region = donors[number % len(donors)], REGIONS[number // len(donors) % len(REGIONS)]
                    hexed = f"{self._draws.one(f'hex/{number}', 0, 2**31 - 1):08x}"
                    name = guests.name.format(donor=donor, region=region, number=1001 + number, hex=hexed)
                    at = low + (high - low) * (index + 0.5) / guests.count
                    found.append((name, donor, at, at + guests.stay_days))
        return found

    @cached_property
    def _donors(self) -> DemoSource:
        """A guest behaves as a resident of the demo of a seed so much further on."""
        return DemoSource(self.seed + 1_000_000, Scenario(name="donors"))

    def _finished(self, metric: str) -> Iterator[One]:
        """A metric's series as this world has them."""
        if metric == ALERTS and not self.world.alerts:
            return
        if metric in (ROLLING, BILLING) and (self.world.cost or self.world.shift_weeks):
            return  # the beta has none of them, and the demo's would not fit
        for labels, at, exported in [*self._own(metric), *self._visiting(metric)]:
            times, values = at + self._day_ms(0) - EXTENT.start_ms, exported
            if metric == START:
                values = values + self._shift.total_seconds()
            if metric == COST:
                values = self._costing(labels["tenant"], times, values)
            for part in self._rolled_out(metric, labels, times, values):
                yield part if metric == ALERTS else self._scraped(metric, *part)

    def _own(self, metric: str) -> list[One]:
        every, world = _series(self.demo.read(metric, {}, EXTENT)), self.world
        if world.tenants != "all":
            kept = _residents(self.demo)[: None if world.tenants == "residents" else int(world.tenants)]
            every = (one for one in every if one[0].get("tenant", kept[0]) in kept)
        found = []
        for labels, times, values in every:
            third = world.pods > 2 and labels.get("instance") == INSTANCES[0] and crc32(_tenant(labels)) % 2 == 0
            # The third pod serves every second tenant of the first one.
            if not third or "tenant" not in labels:
                found.append((labels, times, values))
            if third:
                found.append(({**labels, "instance": "cloudxai-2:8080"}, times, values))
        return found

    def _visiting(self, metric: str) -> Iterator[One]:
        if metric not in (READY, FLIPS, COST) or not self.world.guests:
            return
        donors = {one[0]["tenant"]: one for one in _series(self._donors.read(metric, {}, EXTENT))}
        for name, donor, first, last in self._guests:
            labels, times, values = donors[donor]
            days = (times - EXTENT.start_ms) / DAY_MS
            there = (days >= first) & (days < last)
            before = values[there][:1] if CONTRACT.counts(metric) else 0  # a newcomer's counters begin at 0
            yield {**labels, "tenant": name}, times[there], values[there] - before

    def _costing(self, tenant: str, times: Times, values: Values) -> Values:
        for number, course in enumerate(self.world.cost):
            key = [self.seed, number, crc32(tenant.encode())]
            if np.random.default_rng([*key, 1]).random() < course.share:
                values = values * _factor(course, times, np.random.default_rng(key))
        return values if self.world.decimals is None else values.round(self.world.decimals)

    def _rolled_out(self, metric: str, labels: dict[str, str], times: Times, values: Values) -> Iterator[One]:
        """The series cut at each rollout, under a new name each time; counters begin anew."""
        instance = labels.get("instance")
        if instance is None or not self._rollouts:
            yield labels, times, values
            return
        pod = int(instance[len("cloudxai-")])
        starts = [self._day_ms(0) + (at + 2 * pod) * MINUTE_MS for at in self._rollouts]
        edges = [0, *np.searchsorted(times, starts).tolist(), len(times)]
        for number, (low, high) in enumerate(pairwise(edges)):
            own, at = values[low:high], times[low:high]
            if low and CONTRACT.counts(metric):
                own = own - values[low - 1]
            if number and metric == START:
                own = np.full(len(own), starts[number - 1] / 1000 - 20)
            if self.world.markers and high < len(times) and len(at):
                at, own = np.append(at, at[-1] + 15_000), np.append(own, STALE)
            yield {**labels, "instance": f"10.{pod}.0.{number + 10}:8080"}, at, own

    def _scraped(self, metric: str, labels: dict[str, str], times: Times, values: Values) -> One:
        """The series as this world's scrapes see it."""
        world, instance, begin = self.world, labels["instance"], self.extent().start_ms
        if world.new and metric == START:
            values = np.maximum(values, begin / 1000 - 20)
        if world.new and CONTRACT.counts(metric):
            values = values - values[max(np.searchsorted(times, begin) - 1, 0)]
        if world.failed_scrapes:
            failed = self._failed(instance)[(times - self._day_ms(0)) // MINUTE_MS]
            values = np.where(failed, 0, values) if metric == "up" else values[~failed]
            times = times if metric == "up" else times[~failed]
        seconds = world.seconds.get(instance, 60)
        changed = (times >= self._day_ms(28)) & (times < self._day_ms(world.seconds_days))
        if seconds < 60:
            count = np.where(changed, 60 // seconds, 1)
            nth = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
            times, values = np.repeat(times, count) + nth * seconds * 1000, np.repeat(values, count)
        if seconds > 60:
            kept = ~changed | (times % (seconds * 1000) == 0)
            times, values = times[kept], values[kept]
        if world.jitter_ms:
            own = crc32(instance.encode()) % 10_000
            times = times + own + (times // MINUTE_MS * 7919 + own) % world.jitter_ms
        return labels, times, values

    def _failed(self, instance: str) -> NDArray[np.bool_]:
        chance = int(self.world.failed_scrapes * 1_000_000)
        minutes = self._draws.below(f"failed/{instance}", 1_000_000, DAYS * 1440) < chance
        minutes[1:] &= ~minutes[:-1]
        return minutes

    def _day_ms(self, day: float) -> int:
        return EXTENT.start_ms + int(day * DAY_MS) + self._shift // timedelta(milliseconds=1)


def _tenant(labels: dict[str, str]) -> bytes:
    return labels.get("tenant", "").encode()


def _series(batch: SeriesBatch) -> Iterator[One]:
    for labels, (low, high) in zip(batch.labels, pairwise(batch.offsets.tolist()), strict=True):
        yield dict(labels), batch.times[low:high], batch.values[low:high]


def _residents(demo: DemoSource) -> list[str]:
    """The tenants that are there all the time."""
    found = _series(demo.read(READY, {}, EXTENT))
    return sorted(labels["tenant"] for labels, times, _ in found if len(times) > 0.99 * DAYS * 1440)


def _factor(course: Course, times: Times, random: np.random.Generator) -> Values:
    local = pd.DatetimeIndex(times.astype("datetime64[ms]"), tz="UTC").tz_convert(course.zone)
    hour = local.hour + local.minute / 60
    first = times[0] if len(times) else 0
    days = (times - first) // DAY_MS + (first - EXTENT.start_ms) // DAY_MS
    where = (hour >= course.hours[0]) & (hour < course.hours[1])
    if course.weekdays:
        where &= np.isin(local.day_of_week, course.weekdays)
    if course.month_days:
        where &= np.isin(local.day, course.month_days) | np.isin(local.day - local.days_in_month, course.month_days)
    if course.dates:
        where &= np.isin(local.strftime("%Y-%m-%d"), course.dates)
    if course.cycle:
        drawn = random.integers(0, course.cycle, 100)[days // course.cycle]
        day = days % course.cycle
        where &= np.isin(day, course.cycle_days) if course.cycle_days else day == drawn
    if course.jobs:
        length = int((course.hours[1] - course.hours[0]) * HOUR_MS)
        begins = EXTENT.start_ms + random.integers(0, DAYS * DAY_MS, random.poisson(course.jobs * DAYS / 7))
        where = ((times[:, None] - begins) // length == 0).any(axis=1)
    factor = np.where(where & (times >= EXTENT.start_ms + course.since * DAY_MS), course.factor, 1.0)
    factor *= (1 + course.weekly_growth) ** (days / 7)
    if course.noise:
        drawn = random.standard_t(course.tails, 24 * 378) if course.tails else random.normal(0, 1, 24 * 378)
        factor *= np.exp(course.noise * drawn)[(times - first) // HOUR_MS]
    return factor


def world_study(name: str, seed: int, folder: Path) -> Study:
    """The study of the last whole week of a world under one seed."""
    source = WorldSource(name, seed)
    settings = Settings.model_construct(environments={"demo": EnvironmentSettings(tenant_cap=source.world.cap)})
    return study_of(source, folder, settings=settings)
