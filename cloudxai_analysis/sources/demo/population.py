"""Who lives when: tenants that come, go and return, and the guard that admits or refuses their labels."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count, pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.scenario import MINUTES, Scenario

Integers = NDArray[np.int64]
T = TypeVar("T")
INSTANCES = ("cloudxai-0:8080", "cloudxai-1:8080")
CAP = 100
DAY_MINUTES = 1440
_NAMES = Path(__file__).with_name("names.txt")  # some look generated at a glance and are not
_RESIDENTS = {INSTANCES[0]: 32, INSTANCES[1]: 10}
_NEWCOMERS = {INSTANCES[0]: 17, INSTANCES[1]: 3}
_LEAVERS = 9
_RETURNERS = 3
_RETRY_MINUTES = 5


class Draws:
    """Named streams of random integers under one seed, the same on every machine; a stream's name decides its numbers.

    Raw PCG64 output, which NumPy guarantees, and + − × ÷ of integers: a library's distributions
    differ between versions, and its `exp` between processors.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def below(self, name: str, bound: int, count: int) -> Integers:
        """`count` integers from 0 to `bound` - 1, for a bound of at most 2**31."""
        key = int.from_bytes(sha256(f"{self.seed}/{name}".encode()).digest()[:16], "big")
        raw = np.random.PCG64(key).random_raw(count)
        return (((raw >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)

    def one(self, name: str, low: int, high: int) -> int:
        """One integer from `low` to `high`, both included."""
        return low + int(self.below(name, high - low + 1, 1)[0])

    def shuffled(self, name: str, items: Sequence[T]) -> list[T]:
        """The items in a random order."""
        return [items[index] for index in np.argsort(self.below(name, 2**31, len(items)), kind="stable")]

    def smooth(self, name: str, count: int, width: int, reach: int) -> Integers:
        """Noise around 0 that wanders over `width` steps: the mean of that many integers from -`reach` to `reach`."""
        total = np.cumsum(np.concatenate([[0], self.below(name, 2 * reach + 1, count + width) - reach]))
        return (total[width : width + count] - total[:count]) // width


@dataclass(frozen=True)
class Stay:
    """A tenant is served, or wants to be, by an instance from one minute to another (excluded)."""

    tenant: str
    instance: str
    start: int
    end: int
    generated: bool = False


class Population:
    """Every stay, and by instance the requests that its guard refused in each minute.

    `residents` stay on the first instance throughout and are named by no event: an event without a
    tenant chooses of them. Raises UsageError where two restarts of an instance overlap.
    """

    def __init__(self, scenario: Scenario, draws: Draws) -> None:
        self._draws = draws
        self.residents: list[str] = []
        self.restarts: dict[str, list[slice]] = {}
        self.stays: list[Stay] = []
        self.refused: dict[str, Integers] = {}
        wishes = self._wishes(scenario)
        for instance in INSTANCES:
            down = [event.span for event in scenario.of("restart") if event.instance == instance]
            if any(later.start <= earlier.stop for earlier, later in pairwise(down)):
                raise UsageError(f"Scenario {scenario.name}: restarts of {instance} overlap. Plant them apart.")
            bursts = [event for event in scenario.of("burst") if event.instance == instance]
            door = _Door(instance, draws, down, [wish for wish in wishes if wish.instance == instance], bursts)
            self.restarts[instance], self.refused[instance] = down, door.refused
            self.stays += door.stays

    def _wishes(self, scenario: Scenario) -> list[Stay]:
        arrivals = scenario.of("arrival")
        named = {name for event in scenario.events if (name := getattr(event, "tenant", ""))}
        names = [name for name in _NAMES.read_text(encoding="utf-8").split() if name not in named]
        unused = iter(self._draws.shuffled("names", names))
        wishes: list[Stay] = []
        for instance in INSTANCES:
            first = instance == INSTANCES[0]
            planned = sorted(named - {event.tenant for event in arrivals}) if first else []
            own = [next(unused) for _ in range(_RESIDENTS[instance] - len(planned))]
            leavers = _LEAVERS * len(own) // sum(_RESIDENTS.values())
            wishes += [wish for name in own[:leavers] for wish in self._leaving(name, instance)]
            wishes += [Stay(name, instance, 0, MINUTES) for name in [*own[leavers:], *planned]]
            self.residents += own[leavers:] if first else []
            for number in range(_NEWCOMERS[instance]):
                start = self._draws.one(f"comes/{instance}/{number}", 60, MINUTES - DAY_MINUTES)
                wishes.append(Stay(next(unused), instance, start, MINUTES))
        return wishes + [Stay(event.tenant, event.instance, event.minute, MINUTES) for event in arrivals]

    def _leaving(self, name: str, instance: str) -> list[Stay]:
        left = self._draws.one(f"leaves/{name}", 5 * DAY_MINUTES, MINUTES - 2 * DAY_MINUTES)
        back = left + self._draws.one(f"away/{name}", 3 * DAY_MINUTES, 12 * DAY_MINUTES)
        returns = self._draws.one(f"returns/{name}", 1, _LEAVERS) <= _RETURNERS and back < MINUTES
        return [Stay(name, instance, 0, left), *([Stay(name, instance, back, MINUTES)] if returns else [])]


class _Door:
    """One instance's guard: at most `CAP` distinct labels in the life of a process, whoever comes first.

    Everybody comes in the order of their minutes; a process ends before anybody asks it.
    """

    def __init__(self, instance: str, draws: Draws, down: list[slice], wishes: list[Stay], bursts: list[Any]) -> None:
        self.instance, self.draws, self.down = instance, draws, down
        self.stays: list[Stay] = []
        self.refused: Integers = np.zeros(MINUTES, dtype=np.int64)
        self._held: set[str] = set()
        self._open: dict[str, Stay] = {}
        self._queue: list[tuple[int, int, int, Any]] = []
        self._order = count(1)
        for stretch in down:
            self._at(stretch.start, 0, stretch)
        for wish in sorted(wishes, key=lambda wish: (wish.start, wish.tenant)):
            self._at(wish.start, 1, wish)
        for event in bursts:
            for minute in range(event.span.start, event.span.stop):
                self._at(minute, 2, event)
        while self._queue:
            minute, rank, order, guest = heapq.heappop(self._queue)
            (self._restart, self._ask, self._flood)[rank](guest, minute, order)
        for tenant in list(self._open):
            self._close(tenant, MINUTES)

    def _at(self, minute: int, rank: int, guest: Any) -> None:
        heapq.heappush(self._queue, (minute, rank, next(self._order), guest))

    def _restart(self, stretch: slice, minute: int, _: int) -> None:
        for stay in list(self._open.values()):
            if not stay.generated and stay.end > stretch.stop:
                self._at(stretch.stop, 1, stay)
            self._close(stay.tenant, minute)
        self._held.clear()

    def _ask(self, wish: Stay, minute: int, order: int) -> None:
        answered = next((stretch.stop for stretch in self.down if stretch.start <= minute < stretch.stop), minute)
        if minute >= wish.end:
            return
        if answered > minute:
            self._at(answered, 1, wish)
        elif self._admit(wish.tenant, minute):
            self._close(wish.tenant, minute)
            self._open[wish.tenant] = replace(wish, start=minute)
        else:
            self._at(minute + self.draws.one(f"retry/{self.instance}/{order}", 2, _RETRY_MINUTES), 1, wish)

    def _flood(self, event: Any, minute: int, _: int) -> None:
        if any(stretch.start <= minute < stretch.stop for stretch in self.down):
            return
        for hexed in self.draws.below(f"burst/{event.at.isoformat()}/{minute}", 2**31, event.per_minute):
            name = f"{event.stem}{int(hexed) * 2 + 1:08x}"
            if self._admit(name, minute):
                self._open[name] = Stay(name, self.instance, minute, MINUTES, generated=True)

    def _admit(self, tenant: str, minute: int) -> bool:
        admitted = tenant in self._held or len(self._held) < CAP
        if admitted:
            self._held.add(tenant)
        self.refused[minute] += not admitted
        return admitted

    def _close(self, tenant: str, minute: int) -> None:
        stay = self._open.pop(tenant, None)
        if stay and stay.start < min(stay.end, minute):
            self.stays.append(replace(stay, end=min(stay.end, minute)))
