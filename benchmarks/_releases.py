"""A release of an exporter as samples before and after it, with a table of what was changed in it.

The 88 metrics that node_exporter 0.16 renamed stand in `tests/decide/renames.csv`. Beside them 50 metrics each change
their unit, type, label or meaning, and 200 do not: some of those drift, follow the day, rest, start or cease to count.
Every series is of a course that knows nothing of names: a level, a walk, a rhythm of the day, noise.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.sources.series import canonical_labels

RENAMES = Path(__file__).parents[1] / "tests" / "decide" / "renames.csv"
HOSTS, EACH, UNCHANGED = 3, 50, 200
START = pd.Timestamp("2026-11-02", tz="UTC")
DAYS, STEP_MINUTES = 7, 60
UNITS = (1000.0, 1 / 1000, 60.0, 1 / 60, 1024.0, 1 / 1024, 3600.0, 100.0, 1 / 100, 1e6)
_AREAS = {
    "cpu": {"cpu": ("cpu0", "cpu1"), "mode": ("idle", "user", "system")},
    "disk": {"device": ("sda", "sdb")},
    "network": {"device": ("eth0", "eth1", "lo")},
    "filesystem": {"device": ("sda1", "sdb1"), "mountpoint": ("/", "/data")},
    "interrupts": {"type": ("LOC", "RES"), "cpu": ("0", "1")},
    "nfs": {"version": ("3", "4"), "method": ("GetAttr", "Read")},
    "infiniband": {"device": ("mlx4_0",), "port": ("1", "2")},
    "bcache": {"uuid": ("4f1", "9c2")},
    "buddyinfo": {"node": ("0",), "zone": ("DMA", "Normal"), "size": ("0", "1", "2")},
    "textfile": {"file": ("backup.prom", "raid.prom")},
}
Labels = dict[str, str]
Course = NDArray[np.float64]


@dataclass
class Release:
    """Samples of both sides as `decide.drift` takes them, and the planted changes as (kind, old, new, factor)."""

    before: list[tuple[str, str, Course, Course, dict[str, str]]] = field(default_factory=list)
    after: list[tuple[str, str, Course, Course, dict[str, str]]] = field(default_factory=list)
    planted: list[tuple[str, str, str, float]] = field(default_factory=list)

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The samples before and after."""
        return _frame(self.before), _frame(self.after)


def _frame(series: list[tuple[str, str, Course, Course, dict[str, str]]]) -> pd.DataFrame:
    sizes = [len(at) for _, _, at, _, _ in series]
    texts = {"metric": [one[0] for one in series], "labels": [one[1] for one in series]}
    texts |= {key: [one[4].get(key, "") for one in series] for key in ("type", "unit", "help")}
    columns = {key: np.repeat(np.array(column, dtype=object), sizes) for key, column in texts.items()}
    minutes, values = (np.concatenate([one[column] for one in series]) for column in (2, 3))
    return pd.DataFrame(columns).assign(time=START + pd.to_timedelta(minutes * STEP_MINUTES, unit="min"), value=values)


class Worlds:
    """What draws releases: `noise` is each sample's own, as a share of its level."""

    def __init__(self, seed: int, *, noise: float = 0.05, gaps: float = 0.02) -> None:
        self.draw = np.random.default_rng(seed)
        self.noise, self.gaps = noise, gaps
        self.points = DAYS * 24 * 60 // STEP_MINUTES

    def gauge(self, level: float | None = None, *, walk: float = 0.01, trend: float = 0.0) -> Course:
        """A gauge's course over both sides."""
        count = 2 * self.points
        level = self.level() if level is None else level
        hours = np.arange(count) * STEP_MINUTES / 60
        day = self.draw.uniform(0, 0.3) * np.sin(2 * np.pi * hours / 24 + self.draw.uniform(0, 6))
        own = np.cumsum(self.draw.normal(0, walk, count)) + day + trend * hours / 24
        return level * np.exp(own + self.draw.normal(0, self.noise, count))

    def counter(self, rate: float | None = None, *, restarts: bool = False) -> Course:
        """A counter's course over both sides, with a reset at the change and before, if it restarts."""
        paces = self.gauge(10 ** self.draw.uniform(-1, 3) if rate is None else rate) * STEP_MINUTES * 60
        total = np.cumsum(self.draw.poisson(np.maximum(np.abs(paces), 0)).astype(float))
        total += self.draw.integers(0, 10) * total[-1]
        if restarts:
            for at in (int(self.draw.integers(10, self.points - 10)), self.points):
                total[at:] -= total[at - 1]
        return np.floor(total)

    def level(self) -> float:
        """A level of any size."""
        return float(10 ** self.draw.uniform(-1, 6))

    def add(
        self,
        release: Release,
        names: tuple[str, str],
        series: list[tuple[Labels | None, Labels | None, Course]],
        *,
        factor: float = 1.0,
        told: tuple[dict[str, str], dict[str, str]] = ({}, {}),
    ) -> None:
        """Put series in, with their labels before and after (None: not there)."""
        for side, parts in enumerate((release.before, release.after)):
            for own in series:
                if own[side] is None or not names[side]:
                    continue
                at = np.arange(self.points) + side * self.points
                kept = self.draw.random(self.points) >= self.gaps
                if self.draw.random() < 0.1:
                    hole = int(self.draw.integers(0, self.points - 6))
                    kept[hole : hole + 6] = False
                values = own[2][at] * (factor if side else 1.0)
                parts.append((names[side], canonical_labels(own[side] or {}), at[kept], values[kept], told[side]))

    def sets(self, name: str) -> list[Labels]:
        """The label sets of a metric of this area, on each host."""
        area = next((labels for word, labels in _AREAS.items() if word in name), {})
        found: list[Labels] = [{"job": "node", "instance": f"host-{number}:9100"} for number in range(HOSTS)]
        for label, values in area.items():
            found = [{**own, label: value} for own in found for value in values]
        return found

    def courses(self, count: int, *, counts: bool, restarts: bool = False) -> list[Course]:
        """Courses of a metric's series, which share their level by and large."""
        level = float(10 ** self.draw.uniform(-1, 3)) if counts else self.level()
        each = (level * float(np.exp(self.draw.normal(0, 1.0))) for _ in range(count))
        return [self.counter(one, restarts=restarts) if counts else self.gauge(one) for one in each]


def exporter(world: Worlds, *, restarts: bool = False) -> Release:
    """The 88 renames."""
    release = Release()
    for row in renamed():
        old, new = row["old_name"], row["new_name"]
        factor = float(Fraction(row["value_factor_new_over_old"]))
        was = world.sets(old)
        now = [{**labels, **_relabelled(row["label_changed"], labels)} for labels in was]
        counts = new.endswith("_total") or "interrupts" in new
        courses = world.courses(len(was), counts=counts, restarts=restarts)
        world.add(release, (old, new), list(zip(was, now, courses, strict=True)), factor=factor)
        release.planted.append(("renamed", old, new, factor))
    return release


def renamed() -> list[dict[str, str]]:
    """The rows of the table."""
    with RENAMES.open(encoding="utf-8") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def _relabelled(label: str, labels: Labels) -> Labels:
    if label == "cpu":
        return {"cpu": labels["cpu"].removeprefix("cpu")}
    return {"version": "", label: labels["version"]} if label else {}


def planted(world: Worlds) -> Release:
    """50 metrics each with another unit, type, label or meaning, and 200 that are as they were."""
    release = Release()
    for number in range(EACH):
        for kind, plant in _PLANTS.items():
            plant(world, release, f"app_{_word(world)}_{kind}_{number}")
    for number, name in enumerate(f"app_{_word(world)}_same_{number}" for number in range(UNCHANGED)):
        sets = world.sets(("", "disk", "network")[number % 3])
        world.add(release, (name, name), [(own, own, _unchanged(world, number)) for own in sets])
    return release


def _unit(world: Worlds, release: Release, name: str) -> None:
    factor = float(world.draw.choice(UNITS))
    sets, counts = world.sets("disk"), bool(world.draw.random() < 0.4)
    world.add(
        release,
        (name, name),
        [(o, o, c) for o, c in zip(sets, world.courses(len(sets), counts=counts), strict=True)],
        factor=factor,
    )
    release.planted.append(("unit", name, name, factor))


def _type(world: Worlds, release: Release, name: str) -> None:
    sets, half = world.sets("network"), world.points
    courses, counted = [], bool(world.draw.random() < 0.5)
    for _ in sets:
        gauge, counter = world.gauge(), world.counter()
        parts = (gauge[:half], counter[half:]) if not counted else (counter[:half], gauge[half:])
        courses.append(np.concatenate(parts))
    world.add(release, (name, name), [(o, o, c) for o, c in zip(sets, courses, strict=True)])
    release.planted.append(("type", name, name, 1.0))


def _label(world: Worlds, release: Release, name: str) -> None:
    how, sets = int(world.draw.integers(0, 4)), world.sets("disk")
    now = [_changed(how, own) for own in sets]
    courses = world.courses(len(sets), counts=bool(world.draw.random() < 0.5))
    world.add(release, (name, name), list(zip(sets, now, courses, strict=True)))
    release.planted.append(("label", name, name, 1.0))


def _changed(how: int, own: Labels) -> Labels:
    """A label renamed, renamed and written anew, written anew, or added."""
    device = own["device"]
    return [
        {**own, "device": "", "disk": device},
        {**own, "device": "", "disk": f"/dev/{device}"},
        {**own, "device": f"dev-{device}"},
        {**own, "zone": "a"},
    ][how]


def _meaning(world: Worlds, release: Release, name: str) -> None:
    sets, half = world.sets("network"), world.points
    courses = world.courses(len(sets), counts=False)
    by = float(world.draw.choice([0.3, 0.45, 2.2, 3.3, 4.7]))
    for course in courses:
        course[half:] *= by
    world.add(release, (name, name), [(o, o, c) for o, c in zip(sets, courses, strict=True)])
    release.planted.append(("meaning", name, name, 1.0))


_PLANTS: dict[str, Any] = {"unit": _unit, "type": _type, "label": _label, "meaning": _meaning}


def _unchanged(world: Worlds, number: int) -> Course:
    kinds = [
        world.gauge,
        lambda: world.gauge(walk=0.03),
        lambda: world.gauge(trend=float(world.draw.uniform(-0.2, 0.2))),
        world.counter,
        lambda: world.counter(restarts=True),
        lambda: np.full(2 * world.points, float(world.draw.choice([0, 1, 17179869184]))),
        lambda: np.cumsum(world.draw.random(2 * world.points) < 0.05).astype(float),
        lambda: (world.draw.random(2 * world.points) < 0.98).astype(float),
        lambda: world.draw.normal(0, 10, 2 * world.points),
        lambda: np.where(np.arange(2 * world.points) < world.points, 0.0, world.counter()),
    ]
    return kinds[number % len(kinds)]()


def _word(world: Worlds) -> str:
    words = ["queue", "cache", "request", "session", "batch", "worker", "upload", "index", "shard", "token", "lease"]
    return str(world.draw.choice(words))


def confusion(found: pd.DataFrame, release: Release) -> Iterator[tuple[str, str, str, str]]:
    """What is missed and what is false, as (how, kind, old, new); what is 'not known' is missed and never false.

    A factor may be up to 5 % off: where noise leaves 1,000 and 1,024 open, the evidence of the row says so.
    """
    told = found[found["sure"] != "not known"]
    rows = {(row.kind, row.old, row.new): row.factor for row in told.itertuples()}
    true = {(kind, old, new): factor for kind, old, new, factor in release.planted}
    right = {key for key, factor in true.items() if key in rows and abs(np.log(rows[key] / factor)) < 0.05}
    yield from (("missed", *key) for key in sorted(true.keys() - right))
    yield from (("false", *key) for key in sorted(rows.keys() - right))
