"""What scripted tenants do: a table in TOML, and the operations that it comes to, the same for the same seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any, Literal
from zlib import crc32

from pydantic import Field, model_validator

from cloudxai_analysis.operate.harness.exporter import Fault
from cloudxai_analysis.platform.tables import Table, read_table

DEFAULT_SCRIPT = Path(__file__).with_name("script.toml")
# What each kind of event needs beside `at`, and what it may have.
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "arrivals": (("until", "tenants"), ()),
    "burst": (("until",), ("names", "attempts")),
    "flapping": (("until", "times"), ("tenants",)),
    "outage": (("until",), ("tenants", "overall")),
    "cost": (("until", "factor"), ("tenants",)),
    "restart": ((), ("process", "seconds")),
    "rollout": ((), ("seconds",)),
}
_FIRST = 0.05  # share of the run in which the named tenants come
_CHECKS_SECONDS = 1.0
_AGAIN_SECONDS = 1.5  # within which those who were there come back to a new process
NAMED, GENERATED = "shop-", "req-"
Operation = list[Any]
# It starts at the address of the one before, or elsewhere; it is killed, or goes after it was replaced.
Turn = Literal["start", "start_elsewhere", "kill", "leave"]
_Wish = tuple[float, str, Any, Any]  # second, what, of whom, and its value


class Event(Table):
    """What happens at a share `at` of the run, or from there `until` another; its `kind` has its own keys."""

    kind: Literal["arrivals", "burst", "flapping", "outage", "cost", "restart", "rollout"]
    at: float = Field(ge=0, lt=1)
    until: float = Field(1, gt=0, le=1)
    tenants: int = Field(1, gt=0)
    names: int | None = Field(None, gt=0)
    attempts: int = Field(1, gt=0)
    times: int = Field(1, gt=0)
    overall: bool = False
    factor: float = Field(1, gt=0, le=1e6)
    process: int = Field(0, ge=0)
    seconds: float = Field(2, gt=0, le=600)

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> Event:
        needed, more = KINDS[self.kind]
        given = self.model_fields_set - {"kind", "at"}
        if wrong := sorted({*needed} - given):
            raise ValueError(f"{self.kind} needs '{wrong[0]}'")
        if wrong := sorted(given - {*needed, *more}):
            raise ValueError(f"{self.kind} has no '{wrong[0]}'")
        if self.until <= self.at:
            raise ValueError("'until' lies after 'at'")
        return self


class Script(Table):
    """What is loaded, and how."""

    tenants: int = Field(100, ge=0, le=1_000_000)
    processes: int = Field(1, gt=0, le=16)
    replicas: int = Field(1, gt=0, le=4)
    targets: tuple[str, ...] = Field((), description="http://host:port of platforms with this door that run already")
    fault: Fault = Field("", description="a broken guard, to see that it is found")
    events: tuple[Event, ...] = ()

    @model_validator(mode="after")
    def _only_of_its_own(self) -> Script:
        if self.targets and any(event.kind in ("restart", "rollout") for event in self.events):
            raise ValueError("a target that the harness did not start is not restarted: leave out restart and rollout")
        return self


def read_script(path: Path) -> Script:
    """The script kept in a TOML file; raises UsageError where it cannot be read or a key of it is wrong."""
    return read_table(path, Script, of="Script", otherwise="Give --script a TOML file.", rows={"events": Event})


@dataclass
class Plan:
    """What happens in a run: by second and process an operation, or how a process comes or goes, in this order."""

    steps: list[tuple[float, int, Operation | Turn]]
    unanswered: int = 0  # requests while no process was there to take them

    @property
    def operations(self) -> list[Operation]:
        """The operations alone."""
        return [step for _, _, step in self.steps if isinstance(step, list)]


@dataclass
class _World:
    """What the script has come to so far, whichever processes know of it."""

    processes: int
    costs: dict[str, float] = field(default_factory=dict)
    ready: defaultdict[str, int] = field(default_factory=lambda: defaultdict(lambda: 1))
    down: set[int] = field(default_factory=set)

    def turned(self, process: int, turn: Turn) -> Iterator[tuple[int, Operation | Turn]]:
        """A process that comes or goes; a new one is told at once that the platform is not ready."""
        yield process, turn
        if turn == "kill":
            self.down.add(process)
        elif turn != "leave":
            self.down.discard(process)
            if not self.ready[""]:
                yield process, ["ready", "", 0]

    def asked(self, what: str, who: Any, value: Any) -> Iterator[tuple[int, Operation]]:
        """The operations that a wish comes to, each with its process."""
        process = who if what == "check" else _process(who, self.processes)
        if what == "check":
            yield process, ["check", value]
        elif what == "ready":
            self.ready[who] = value
            yield from ((one, ["ready", who, value]) for one in ([process] if who else range(self.processes)))
        elif what == "cost":
            self.costs[who] = round(self.costs.get(who, 1.0) * value, 4)
            yield process, ["cost", who, self.costs[who]]
        elif who.startswith(GENERATED):
            yield process, ["try", who, value, 1]
        else:
            self.costs.setdefault(who, value)
            yield process, ["try", who, self.costs[who], self.ready[who]]


def planned(script: Script, *, seconds: float, seed: int, flood: int) -> Plan:
    """The operations of a run of so many seconds; bursts without `names` have `flood`.

    What is asked of a process that is not there is lost.
    """
    draw = Random(seed)  # noqa: S311 - to be the same each time
    arriving = sum(event.tenants for event in script.events if event.kind == "arrivals")
    named = [f"{NAMED}{number:05d}" for number in range(script.tenants + arriving)]
    draw.shuffle(named)
    coming, there = iter(named), named[: script.tenants]
    wishes = [*_arrivals(draw, coming, 0.0, _FIRST, script.tenants)]
    for event in script.events:
        wishes += _wishes(event, draw, coming, there, flood)
    wishes = [(at * seconds, *wish) for at, *wish in wishes]
    wishes += _turns(script, seconds, sorted(wishes, key=itemgetter(0)))
    for at in _spread(0.0, 1.0, int(seconds / _CHECKS_SECONDS)):
        checks = [round(draw.uniform(0.01, 0.4), 3) for _ in range(script.processes)]
        wishes += [(at * seconds, "check", process, lasted) for process, lasted in enumerate(checks)]
    world, plan = _World(script.processes), Plan([])
    for at, what, who, value in sorted((wish for wish in wishes if wish[0] < seconds), key=_order):
        for process, step in world.turned(who, value) if what == "turn" else world.asked(what, who, value):
            if what != "turn" and process in world.down:
                plan.unanswered += 1
            else:
                plan.steps.append((at, process, step))
    return plan


def _spread(at: float, until: float, times: int) -> list[float]:
    return [at + (until - at) * step / times for step in range(times)]


def _arrivals(draw: Random, coming: Iterator[str], at: float, until: float, tenants: int) -> Iterator[_Wish]:
    for each in _spread(at, until, tenants):
        yield each, "try", next(coming), round(draw.uniform(0.5, 5.0), 2)


def _wishes(event: Event, draw: Random, coming: Iterator[str], there: Sequence[str], flood: int) -> Iterator[_Wish]:
    """What an event asks for, by shares of the run."""
    at, until, kind = event.at, event.until, event.kind
    some = "tenants" in KINDS[kind][0] + KINDS[kind][1]
    chosen = draw.sample(there, min(event.tenants, len(there))) if some else []
    if kind == "arrivals":
        yield from _arrivals(draw, coming, at, until, event.tenants)
    elif kind == "burst":
        names = [f"{GENERATED}{draw.getrandbits(64):016x}" for _ in range(event.names or flood)] * event.attempts
        yield from ((each, "try", name, 0.01) for each, name in zip(_spread(at, until, len(names)), names, strict=True))
    elif kind == "flapping":
        steps = _spread(at, until, 2 * event.times)
        yield from ((each, "ready", who, step % 2) for who in chosen for step, each in enumerate(steps))
    elif kind in ("outage", "cost"):
        first, last = (0, 1) if kind == "outage" else (event.factor, 1 / event.factor)
        what = "ready" if kind == "outage" else "cost"
        for who in [""] if event.overall else chosen:
            yield from ((at, what, who, first), (until, what, who, last))


def _turns(script: Script, seconds: float, wishes: Sequence[_Wish]) -> Iterator[_Wish]:
    """The processes that go and come, and the tenants who were there and come to the new ones again."""
    for event in script.events:
        at, after, restarts = event.at * seconds, event.at * seconds + event.seconds, event.kind == "restart"
        processes = [event.process % script.processes] if restarts else range(script.processes)
        for process in processes if event.kind in ("restart", "rollout") else ():
            back = after if restarts else at
            yield at, "turn", process, "kill" if restarts else "start_elsewhere"
            yield after, "turn", process, "start" if restarts else "leave"
            known = [who for when, what, who, _ in wishes if what == "try" and when < back]
            own = [who for who in known if _process(who, script.processes) == process and not who.startswith(GENERATED)]
            waits = _spread(0, _AGAIN_SECONDS, len(own))
            yield from ((back + wait, "try", who, None) for wait, who in zip(waits, own, strict=True))


def _order(wish: _Wish) -> tuple[float, bool]:
    """By time; who comes in the second of another wish comes after it."""
    at, what, _, value = wish
    return at, value is None or (what == "turn" and value != "kill")


def _process(tenant: str, processes: int) -> int:
    return crc32(tenant.encode()) % processes
