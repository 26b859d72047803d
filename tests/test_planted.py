"""Planting: a copy holds just the event that is asked for, and what it was copied from stays as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from _memory import MemorySnapshot
from _planted import KINDS, Copy, plant

from cloudxai_analysis.ground.window import DAY, Window, parse_window
from cloudxai_analysis.platform.contract import Contract, load_contract
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.demo.population import INSTANCES
from cloudxai_analysis.sources.scenario import Scenario
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch

WEEK = parse_window("2026-W46")
CONTRACT = load_contract()
AT = Window(datetime(2026, 11, 11, 10, tzinfo=UTC), WEEK.end).start_ms
MINUTE = 60_000
READY, FLIPS, UP, START = ("readiness_state", "readiness_transitions_total", "up", "process_start_time_seconds")
CHECKS, COST, TENANTS = ("readiness_check_duration_seconds_count", "tenant_cost_estimate", "tenant_readiness_state")
REFUSED, TENANT_FLIPS = "tenant_label_rejections_total", "tenant_readiness_transitions_total"
METRICS = (READY, FLIPS, UP, START, CHECKS, COST, TENANTS, REFUSED, TENANT_FLIPS, "ALERTS")
Series = dict[tuple[str, ...], dict[int, float]]


@pytest.fixture(scope="module")
def frames() -> MemorySnapshot:
    return MemorySnapshot(DemoSource(3, Scenario(name="clean")))


def copied(frames: MemorySnapshot, *seed: int, contract: Contract = CONTRACT) -> Copy:
    return Copy(frames, Window(WEEK.start - DAY, WEEK.end), contract, WEEK, list(seed or (7,)))


@pytest.fixture
def copy(frames: MemorySnapshot) -> Copy:
    return copied(frames)


def held(copy: Copy, metric: str) -> Series:
    """Values by time of each series of a copy."""
    return {
        tuple(labels.values()): dict(zip(t.tolist(), v.tolist(), strict=True)) for labels, t, v in copy.held(metric)
    }


@pytest.fixture(scope="module")
def before(frames: MemorySnapshot) -> Copy:
    """A copy that nothing is planted into."""
    return copied(frames)


def differing(before: Copy, copy: Copy, metric: str) -> Series:
    """By series of the copy: at which times its value is another than it was, and which."""
    was = {tuple(labels.values()): (t, v) for labels, t, v in before.held(metric)}
    found: Series = {}
    for labels, t, v in copy.held(metric):
        times, values = was.get(tuple(labels.values()), (t[:0], v[:0]))
        if not (np.array_equal(t, times) and np.array_equal(v, values, equal_nan=True)):
            own = dict(zip(times.tolist(), values.tolist(), strict=True))
            now = zip(t.tolist(), v.tolist(), strict=True)
            found[tuple(labels.values())] = {at: value for at, value in now if own.get(at) != value}
    return {labels: values for labels, values in found.items() if values}


@pytest.mark.parametrize(
    ("kind", "size", "changed"),
    [
        # Both instances, and nothing else, for it is one state that both tell.
        ("readiness_incident", 5, {READY: 2, FLIPS: 2}),
        ("scrape_gap", 8, {}),
        ("generated_names", 20, {TENANTS: 20, TENANT_FLIPS: 20}),
        ("flapping_tenant", 64, {TENANT_FLIPS: 1}),
        ("alert_storm", 20, {"ALERTS": 20}),
        ("cost_spike", 0.5, {COST: 1}),
        ("semantics_break", 0.1, {COST: 1}),
    ],
)
def test_a_copy_holds_just_the_event_that_is_asked_for(
    before: Copy, copy: Copy, kind: str, size: float, changed: dict[str, int]
) -> None:
    assert getattr(copy, kind)(WEEK.start_ms if kind == "semantics_break" else AT, size)
    found = {metric: differing(before, copy, metric) for metric in METRICS}
    assert {metric: len(series) for metric, series in found.items() if series} == changed
    if kind == "readiness_incident":
        assert [*found[READY].values()] == [{AT + n * MINUTE: 0.0 for n in range(5)}] * 2
        for series in found[FLIPS].values():
            assert series[AT + 5 * MINUTE] - series[AT + 4 * MINUTE] == 1
    if kind == "cost_spike":
        ((name, raised),) = found[COST].items()
        assert (min(raised), max(raised), len(raised)) == (AT, AT + 359 * MINUTE, 360)
        assert raised[AT] == pytest.approx(1.5 * held(before, COST)[name][AT])


def test_a_restart_is_failed_scrapes_a_new_start_and_counters_from_0(before: Copy, copy: Copy) -> None:
    place = copy.restart(AT, 4)
    down = [AT + n * MINUTE for n in range(4)]
    assert differing(before, copy, UP) == {(place, "cloudxai"): dict.fromkeys(down, 0.0)}
    (starts,) = differing(before, copy, START).values()
    assert set(starts.values()) == {(AT + 4 * MINUTE) / 1000 - 10}
    (own,) = [values for labels, values in held(copy, CHECKS).items() if place in labels]
    assert not set(down) & set(own)
    # Six checks a minute, since the last minute in which it did not answer.
    assert own[AT + 4 * MINUTE] == 6


def test_generated_names_arrive_within_ten_minutes_and_stay_until_their_process_ends(copy: Copy) -> None:
    # Not in the cap of 100 beside those who are there.
    assert not copy.generated_names(AT, 90)
    stem = copy.generated_names(AT, 20)
    names = [sorted(times) for labels, times in held(copy, TENANTS).items() if labels[-1].startswith(stem)]
    assert len(names) == 20
    assert all(AT <= times[0] <= AT + 10 * MINUTE and times[-1] == WEEK.end_ms - MINUTE for times in names)
    assert {copy.restart(AT + hours * 60 * MINUTE, 4) for hours in range(12, 24)} == set(INSTANCES)
    stem = copy.generated_names(AT, 5)
    (end,) = {max(times) for labels, times in held(copy, TENANTS).items() if labels[-1].startswith(stem)}
    assert end < AT + 24 * 60 * MINUTE


def test_refusals_come_once_the_guard_is_full(before: Copy, copy: Copy) -> None:
    place = copy.rejections(AT, 16)
    assert len({labels for labels in held(copy, TENANTS) if place in labels}) >= CONTRACT.tenant_cap
    ((series, refused),) = differing(before, copy, REFUSED).items()
    assert series[0] == place
    assert min(refused) > AT + 10 * MINUTE
    assert max(refused.values()) == 16 == refused[WEEK.end_ms - MINUTE]


def test_events_of_one_copy_lie_apart_and_others_come_with_another_seed(frames: MemorySnapshot) -> None:
    for metric in (UP, COST):
        assert copied(frames).samples(metric, WEEK, ("tenant",)).equals(frames.samples(metric, WEEK, ("tenant",)))
    copies = [list(plant(copied(frames, seed, 2), size=2)) for seed in (1, 1, 2)]
    assert copies[0] == copies[1] != copies[2]
    for rows in copies:
        assert [(row["kind"], row["size"]) for row in rows] == [
            (kind, sizes[2]) for kind, (_, sizes, _) in KINDS.items()
        ]
        starts = sorted(row["start"] for row in rows)
        assert all((b - a).total_seconds() >= 3 * 3600 for a, b in pairwise(starts))
        assert all(WEEK.start <= start < WEEK.end for start in starts)
    after = Window(WEEK.end, WEEK.end + 7 * DAY)
    assert list(plant(Copy(frames, Window(WEEK.end, WEEK.end + DAY), CONTRACT, after, [1, 4]), size=4)) == []


class Strange(DemoSource):
    """A platform that says customer and pod, whose series are interrupted by a staleness marker."""

    def read(self, metric: str, matchers: Any, window: Window) -> SeriesBatch:
        batch = super().read(metric, matchers, window)
        said = {"tenant": "customer", "instance": "pod"}
        labels = tuple({said.get(name, name): value for name, value in own.items()} for own in batch.labels)
        marker = np.array([STALENESS_MARKER_BITS], dtype=np.uint64).view(np.float64)
        return replace(batch, labels=labels, values=np.where(batch.times == AT + MINUTE, marker, batch.values))


def test_a_platform_with_other_labels_and_markers_which_stay_what_they_are() -> None:
    contract = CONTRACT.model_copy(update={"tenant_label": "customer", "process_labels": ("job", "pod")})
    frames = MemorySnapshot(Strange(3, Scenario(name="clean")))
    copy = copied(frames, 1, 2, contract=contract)
    rows = {row["kind"]: row for row in plant(copy, size=2)}
    assert list(rows) == list(KINDS)
    assert {rows[kind]["place"] for kind in ("restart", "scrape_gap", "rejections")} <= set(INSTANCES)
    customers = {labels["customer"] for labels, _, _ in copy.held(COST)}
    assert {rows[kind]["place"] for kind in ("flapping_tenant", "cost_spike", "semantics_break")} <= customers
    other = CONTRACT.model_copy(update={"jobs": ("another",)})
    assert list(plant(copied(frames, contract=other), size=2)) == []
    copy = copied(frames, contract=contract)
    copy.readiness_incident(AT, 5)
    for _, times, values in copy.held(READY):
        there = values[(times >= AT) & (times < AT + 5 * MINUTE)]
        assert there[[0, 2, 3, 4]].tolist() == [0, 0, 0, 0]
        assert there[1:2].view(np.uint64).tolist() == [STALENESS_MARKER_BITS]
