"""What changed between two sides of a release, found from samples alone; the truth is what was planted."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _releases import Release, Worlds, confusion, exporter, planted

from cloudxai_analysis.decide.drift import changes_of, drift

JOB = {"job": "app"}
KNOWN = "known"  # sure or likely
Row = tuple[Any, ...]


def sets(count: int = 3, **labels: str) -> list[dict[str, str]]:
    return [{**JOB, "instance": f"host-{number}:9100", **labels} for number in range(count)]


def told(release: Release, **how: Any) -> list[Row]:
    """Kind, old, new, factor rounded, labels, and whether it is known, of each row."""
    found = drift(*release.frames(), **how)
    return [
        (
            row.kind,
            row.old,
            row.new,
            round(row.factor, 6),
            row.labels,
            row.sure.replace("sure", KNOWN).replace("likely", KNOWN),
        )
        for row in found.sort_values(["kind", "old", "new"]).itertuples()
    ]


@pytest.mark.parametrize("restarts", [False, True], ids=["counters go on", "counters begin anew"])
@pytest.mark.parametrize(("seed", "noise"), [(1, 0.02), (2, 0.1)])
def test_the_renames_of_a_large_exporter_are_found_and_nothing_else(seed: int, noise: float, restarts: bool) -> None:
    release = exporter(Worlds(seed, noise=noise), restarts=restarts)
    wrong = list(confusion(drift(*release.frames()), release))
    missed, false = ([one for one in wrong if one[0] == how] for how in ("missed", "false"))
    assert len(missed) <= 0.05 * len(release.planted), missed
    assert not false, false


@pytest.mark.parametrize(("seed", "noise"), [(3, 0.02), (4, 0.1)])
def test_planted_changes_are_found_and_nothing_of_what_is_as_it_was(seed: int, noise: float) -> None:
    release = planted(Worlds(seed, noise=noise))
    wrong = list(confusion(drift(*release.frames()), release))
    missed, false = ([one for one in wrong if one[0] == how] for how in ("missed", "false"))
    assert len(missed) <= 0.05 * len(release.planted), missed
    assert not false, false


def split(world: Worlds, release: Release) -> list[Row]:
    """A label's values become metrics."""
    for operation in ("read", "written"):
        own = [
            (one | {"operation": operation}, one, world.counter(50.0 if operation == "read" else 3.0)) for one in sets()
        ]
        world.add(release, ("disk_bytes_total", f"disk_{operation}_bytes_total"), own)
    gone = {"operation": ""}
    return [("renamed", "disk_bytes_total", f"disk_{one}_bytes_total", 1.0, gone, KNOWN) for one in ("read", "written")]


def copied(world: Worlds, release: Release) -> list[Row]:
    """A metric goes on under two names at once."""
    courses = [world.gauge(level) for level in (300.0, 900.0, 120.0, 2e3, 55.0)]
    for new in ("queue_jobs", "queue_tasks"):
        world.gaps = 0.0
        world.add(
            release,
            ("" if new == "queue_tasks" else "queue_length", new),
            list(zip(sets(5), sets(5), courses, strict=True)),
        )
    return [("renamed", "queue_length", one, 1.0, {}, KNOWN) for one in ("queue_jobs", "queue_tasks")]


def with_unit_and_label(world: Worlds, release: Release) -> list[Row]:
    """Name, unit and label at once."""
    own = [(one | {"dev": dev}, one | {"device": dev}, world.gauge(5e3)) for one in sets() for dev in ("sda", "sdb")]
    world.add(release, ("io_wait_ms", "io_wait_seconds"), own, factor=1e-3)
    return [("renamed", "io_wait_ms", "io_wait_seconds", 0.001, {"dev": "device"}, KNOWN)]


def histogram(world: Worlds, release: Release) -> list[Row]:
    """All parts of a histogram go together, though another one vanishes and appears beside it."""
    rows: list[Row] = []
    for old, new, rate in (("check_seconds", "probe_seconds", 9.0), ("call_seconds", "request_seconds", 11.0)):
        parts = {"count": 1.0, "sum": 0.2}
        for part, share in parts.items():
            own = [(one, one, world.counter(rate * share * 50)) for one in sets()]
            world.add(release, (f"{old}_{part}", f"{new}_{part}"), own)
        buckets = [
            (one | {"le": le}, one | {"le": le}, world.counter(rate * 50 * share))
            for one in sets()
            for le, share in (("0.1", 0.5), ("1", 0.9), ("+Inf", 1.0))
        ]
        world.add(release, (f"{old}_bucket", f"{new}_bucket"), buckets)
        rows += [("renamed", f"{old}_{part}", f"{new}_{part}", 1.0, {}, KNOWN) for part in ("bucket", "count", "sum")]
    return sorted(rows)


def zeros(world: Worlds, release: Release) -> list[Row]:
    """What is 0 all the time is like everything else that is."""
    zero = np.zeros(2 * world.points)
    for old, new in (("frame_errors", "frame_errors_total"), ("fifo_errors", "fifo_errors_total")):
        world.add(release, (old, new), [(one, one, zero) for one in sets()])
    return [("renamed", f"{one}_errors", f"{one}_errors_total", 1.0, {}, "not known") for one in ("fifo", "frame")]


def unrelated(world: Worlds, release: Release) -> list[Row]:
    """One vanishes and another appears, of a like name and other values."""
    world.add(release, ("cache_size", ""), [(one, None, world.gauge(40.0)) for one in sets()])
    world.add(release, ("", "cache_size_limit"), [(None, one, world.gauge(7.1e5)) for one in sets()])
    return [
        ("appeared", "", "cache_size_limit", 1.0, {}, KNOWN),
        ("vanished", "cache_size", "", 1.0, {}, KNOWN),
    ]


def few(world: Worlds, release: Release) -> list[Row]:
    """Too few samples tell nothing."""
    world.points = 10
    world.add(release, ("rare", "rare"), [(one, one, world.gauge(5.0)) for one in sets()])
    return [("meaning", "rare", "rare", 1.0, {}, "not known")]


def another_constant(world: Worlds, release: Release) -> list[Row]:
    """A constant that is another one may be a setting."""
    course = np.where(np.arange(2 * world.points) < world.points, 1024.0, 65535.0)
    world.add(release, ("max_open_files", "max_open_files"), [(one, one, course) for one in sets()])
    return [("meaning", "max_open_files", "max_open_files", 1.0, {}, "not known")]


def declared(world: Worlds, release: Release) -> list[Row]:
    """A type that is declared to be another one."""
    own = [(one, one, world.counter(40.0)) for one in sets()]
    world.add(release, ("jobs", "jobs"), own, told=({"type": "gauge"}, {"type": "counter"}))
    return [("type", "jobs", "jobs", 1.0, {}, KNOWN)]


def rolled(world: Worlds, release: Release) -> list[Row]:
    """New pods have other names, and the label `version` is the build's own: neither is a change of the metric."""
    own = [
        (one | {"version": "0.9"}, one | {"version": "1.0", "instance": f"new-{number}:9100"}, world.gauge(level))
        for number, (one, level) in enumerate(zip(sets(), (1e3, 1.1e3, 0.9e3), strict=True))
    ]
    world.add(release, ("pool_size", "pool_size"), own)
    return []


def new_pods_with_other_names(world: Worlds, release: Release) -> list[Row]:
    """A label of pods that is no label of processes has no value in common, and is no other label for that."""
    pods = [[one | {"pod": f"app-{word}-{n}"} for n, one in enumerate(sets())] for word in ("7f9c", "8d2b")]
    own = [(was, now, world.gauge(1e3)) for was, now in zip(*pods, strict=True)]
    world.add(release, ("open_files", "open_files"), own)
    return []


def weekly(world: Worlds, release: Release) -> list[Row]:
    """Five days of work and two of rest, on both sides."""
    hours = np.arange(2 * world.points)
    course = np.where(hours // 24 % 7 < 5, 300.0, 20.0) * np.exp(world.draw.normal(0, 0.05, len(hours)))
    world.add(release, ("orders", "orders"), [(one, one, course * (n + 1)) for n, one in enumerate(sets())])
    return []


def with_a_gap(world: Worlds, release: Release) -> list[Row]:
    """Three days of which nothing is known, before and after, hide no other unit."""
    courses = [world.gauge(5e5) for _ in sets()]
    for course in courses:
        course[30:102] = course[world.points + 50 : world.points + 122] = np.nan
    world.add(release, ("wait", "wait"), [(o, o, c) for o, c in zip(sets(), courses, strict=True)], factor=60)
    return [("unit", "wait", "wait", 60.0, {}, KNOWN)]


def alike(world: Worlds, release: Release) -> list[Row]:
    """Constants that are the same number say nothing of which is which."""
    course = np.full(2 * world.points, 4.0)
    for old, new in (("pool_min", "workers_low"), ("pool_max", "workers_high")):
        world.add(release, (old, new), [(one, one, course) for one in sets()])
    return [
        *(("appeared", "", f"workers_{one}", 1.0, {}, "not known") for one in ("high", "low")),
        *(("vanished", f"pool_{one}", "", 1.0, {}, "not known") for one in ("max", "min")),
    ]


CASES = (
    *(split, copied, with_unit_and_label, histogram, zeros, unrelated),
    *(few, another_constant, declared, rolled),
    *(new_pods_with_other_names, weekly, with_a_gap, alike),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_each_shape_of_a_change_is_told_as_it_is(case: Any) -> None:
    for seed in (5, 6):
        release = Release()
        expected = case(Worlds(seed, noise=0.02), release)
        assert told(release) == expected, seed


def state(*shares: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A state that is 1 in a share of the samples on each side."""
    draw, points = np.random.default_rng(1), Worlds(1).points
    return np.concatenate([(draw.random(points) < share).astype(float) for share in shares])


@pytest.mark.parametrize(
    ("course", "kind", "sure"),
    [
        (state(0.98, 0.97), None, None),
        (state(0.97, 0.03), "meaning", "likely"),
        (state(0.97, 0.0), "meaning", "not known"),
        (state(0.98, 0.98) * np.repeat([1.0, 100.0], Worlds(1).points), "meaning", "sure"),
    ],
    ids=["as it was", "turned round", "not ready all the time", "percent"],
)
def test_readiness_that_means_something_else_breaks_a_promise(course: Any, kind: Any, sure: Any) -> None:
    world, release = Worlds(7), Release()
    world.add(release, ("readiness_state", "readiness_state"), [(one, one, course) for one in sets()])
    found = drift(*release.frames(), locked={"readiness_state"})
    assert [(row.kind, row.sure, row.locked) for row in found.itertuples()] == ([(kind, sure, True)] if kind else [])


def test_two_builds_at_one_time_are_held_against_each_other_sample_by_sample() -> None:
    """Rhythm and walk are the same on both sides there, so that names are not needed."""
    world, release = Worlds(8), Release()
    courses = {f"metric_{number}": [world.gauge(100.0) for _ in sets()] for number in range(6)}
    for number, (name, own) in enumerate(courses.items()):
        world.add(release, (name, f"other_{5 - number}"), list(zip(sets(), sets(), own, strict=True)))
    before, after = release.frames()
    after["time"] -= pd.Timedelta(days=7)
    assert [row.sure for row in drift(before, after).itertuples()] != []


def test_rows_that_are_known_make_a_file_of_changes_and_others_do_not() -> None:
    world, release = Worlds(9, noise=0.02), Release()
    zeros(world, release)
    with_unit_and_label(world, release)
    (change,) = changes_of(drift(*release.frames()))
    assert (change.kind, change.old, change.new, change.factor) == ("renamed", "io_wait_ms", "io_wait_seconds", 1e-3)
    assert change.labels == {"dev": "device"}
    assert json.dumps(change.note)
