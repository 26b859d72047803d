"""Planting: a copy holds just the event that is asked for, and what it was copied from stays as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from cloudxai_analysis.ground.window import DAY, Window, parse_window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.operate.planted import KINDS, Copy, _Planter, plant
from cloudxai_analysis.platform.contract import load_contract
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


@pytest.fixture(scope="module")
def frames() -> MemorySnapshot:
    return MemorySnapshot(DemoSource(3, Scenario(name="clean")))


def copied(frames: MemorySnapshot) -> tuple[Copy, Any]:
    copy = Copy(frames, Window(WEEK.start - DAY, WEEK.end))
    return copy, _Planter(copy, CONTRACT, WEEK, np.random.default_rng(7))


def differing(frames: MemorySnapshot, copy: Copy, metric: str) -> dict[tuple[str, ...], dict[int, float]]:
    """By series of the copy: at which times its value is another than it was, and which."""
    held = copied(frames)[0].held(metric)
    was = {tuple(labels.values()): dict(zip(t.tolist(), v.tolist(), strict=True)) for labels, t, v in held}
    found = {}
    for labels, times, values in copy.held(metric):
        old = was.get(tuple(labels.values()), {})
        now = {t: v for t, v in zip(times.tolist(), values.tolist(), strict=True) if old.get(t) != v}
        if now:
            found[tuple(labels.values())] = now
    return found


def test_a_copy_reads_as_what_it_was_copied_from(frames: MemorySnapshot) -> None:
    copy, _ = copied(frames)
    labels = ("instance", "tenant")
    for metric in (UP, COST):
        assert copy.hours(metric, WEEK, labels).equals(frames.hours(metric, WEEK, labels))
        assert copy.samples(metric, WEEK, labels).equals(frames.samples(metric, WEEK, labels))
    assert copy.rules == frames.rules


def test_an_outage_is_zeros_of_every_instance_and_two_transitions(frames: MemorySnapshot) -> None:
    copy, planter = copied(frames)
    assert planter.readiness_incident(AT, 5) == "global"
    assert differing(frames, copy, READY) == {
        ("cloudxai-0:8080", "cloudxai"): {AT + n * MINUTE: 0.0 for n in range(5)},
        ("cloudxai-1:8080", "cloudxai"): {AT + n * MINUTE: 0.0 for n in range(5)},
    }
    for series in differing(frames, copy, FLIPS).values():
        times = sorted(series)
        assert times == list(range(AT, WEEK.end_ms, MINUTE))
        assert series[AT + 5 * MINUTE] - series[AT + 4 * MINUTE] == 1
    assert differing(frames, copy, COST) == {}


def test_a_restart_is_failed_scrapes_a_new_start_and_counters_from_0(frames: MemorySnapshot) -> None:
    copy, planter = copied(frames)
    place = planter.restart(AT, 4)
    up = differing(frames, copy, UP)
    assert up == {(place, "cloudxai"): {AT + n * MINUTE: 0.0 for n in range(4)}}
    ((_, starts),) = differing(frames, copy, START).items()
    assert set(starts.values()) == {(AT + 4 * MINUTE) / 1000 - 10}
    (own,) = [(t, v) for labels, t, v in copy.held(CHECKS) if labels["instance"] == place]
    assert not np.any((own[0] >= AT) & (own[0] < AT + 4 * MINUTE))
    # Six checks a minute, since the last minute in which it did not answer.
    assert own[1][np.searchsorted(own[0], AT + 4 * MINUTE)] == 6


def test_a_gap_takes_every_sample_of_one_target(frames: MemorySnapshot) -> None:
    copy, planter = copied(frames)
    place = planter.scrape_gap(AT, 8)
    for metric in (UP, READY, CHECKS):
        for labels, times, _ in copy.held(metric):
            inside = times[(times >= AT) & (times < AT + 8 * MINUTE)]
            assert (len(inside) == 0) == (labels["instance"] == place)
        assert differing(frames, copy, metric) == {}
    for labels, times, _ in copy.held(TENANTS):
        assert labels["instance"] != place or not np.any((times >= AT) & (times < AT + 8 * MINUTE))


def test_generated_names_arrive_within_ten_minutes_and_stay(frames: MemorySnapshot) -> None:
    copy, planter = copied(frames)
    stem = planter.generated_names(AT, 20)
    names = {labels["tenant"]: times for labels, times, _ in copy.held(TENANTS) if labels["tenant"].startswith(stem)}
    assert len(names) == 20
    assert all(AT <= times[0] <= AT + 10 * MINUTE and times[-1] == WEEK.end_ms - MINUTE for times in names.values())
    assert differing(frames, copy, REFUSED) == {}
    # The cap of 100 has no room for so many.
    assert planter.generated_names(AT + 60 * MINUTE, 90) is None


def test_generated_names_end_with_their_process(frames: MemorySnapshot) -> None:
    copy, planter = copied(frames)
    restarted = {planter.restart(AT + hours * 60 * MINUTE, 4) for hours in range(12, 24)}
    assert restarted == set(INSTANCES)
    stem = planter.generated_names(AT, 5)
    ends = {times[-1] for labels, times, _ in copy.held(TENANTS) if labels["tenant"].startswith(stem)}
    assert len(ends) == 1
    assert (ends.pop() + MINUTE - AT) % (60 * MINUTE) == 0
    assert planter.generated_names(AT, 5) != stem


def test_refusals_come_once_the_guard_is_full(frames: MemorySnapshot) -> None:
    copy, planter = copied(frames)
    place = planter.rejections(AT, 16)
    held = {labels["tenant"] for labels, times, _ in copy.held(TENANTS) if labels["instance"] == place}
    assert len(held) >= CONTRACT.tenant_cap
    ((series, refused),) = differing(frames, copy, REFUSED).items()
    assert series[0] == place
    assert min(refused) > AT + 10 * MINUTE
    assert max(refused.values()) == 16 == refused[WEEK.end_ms - MINUTE]


def test_a_flapping_tenant_moves_its_counter_alone(frames: MemorySnapshot) -> None:
    copy, planter = copied(frames)
    tenant = planter.flapping_tenant(AT, 64)
    ((series, _),) = differing(frames, copy, TENANT_FLIPS).items()
    assert series[2] == tenant
    ((times, values),) = [(t, v) for labels, t, v in copy.held(TENANT_FLIPS) if tuple(labels.values()) == series]
    flips = np.diff(values)[(times[1:] > AT) & (times[1:] <= AT + 20 * MINUTE)]
    assert 64 <= flips.sum() <= 66  # a blip of its own may lie in them
    assert flips.max() <= 5
    assert differing(frames, copy, TENANTS) == {}


def test_a_storm_is_so_many_alerts_within_eight_minutes(frames: MemorySnapshot) -> None:
    copy, planter = copied(frames)
    assert planter.alert_storm(AT, 20) == "TenantReadinessBreach"
    every = [(labels, times) for labels, times, _ in copy.held("ALERTS")]
    added = [(labels, times) for labels, times in every if labels.get("tenant", "").startswith("planted-")]
    assert len(added) == 20
    assert all(AT <= times[0] < AT + 8 * MINUTE for _, times in added)
    assert {(labels["alertstate"], labels["severity"]) for labels, _ in added} == {("firing", "page")}


def test_a_spike_is_six_hours_of_one_tenants_cost(frames: MemorySnapshot) -> None:
    copy, planter = copied(frames)
    tenant = planter.cost_spike(AT, 0.5)
    ((series, raised),) = differing(frames, copy, COST).items()
    assert series[2] == tenant
    assert (min(raised), max(raised), len(raised)) == (AT, AT + 359 * MINUTE, 360)
    ((_, times, values),) = [one for one in copied(frames)[0].held(COST) if tuple(one[0].values()) == series]
    assert raised[AT] == pytest.approx(1.5 * values[np.searchsorted(times, AT)])


def test_a_gauge_that_only_grows_does_so_to_the_weeks_end(frames: MemorySnapshot) -> None:
    copy, planter = copied(frames)
    tenant = planter.semantics_break(WEEK.start_ms, 0.1)
    ((times, values),) = [(t, v) for labels, t, v in copy.held(COST) if labels["tenant"] == tenant]
    own = values[times >= WEEK.start_ms]
    assert np.all(np.diff(own) > 0)
    assert own[-1] / own[0] == pytest.approx(1.1, rel=1e-4)
    assert planter.semantics_break(AT + 3 * 1440 * MINUTE, 0.1) is None


def test_events_of_one_copy_lie_apart_and_others_come_with_another_seed(frames: MemorySnapshot) -> None:
    copies = [list(plant(copied(frames)[0], CONTRACT, WEEK, size=2, seed=seed)) for seed in (1, 1, 2)]
    assert copies[0] == copies[1] != copies[2]
    for rows in copies:
        assert [row["kind"] for row in rows] == list(KINDS)
        starts = sorted(row["start"] for row in rows)
        assert all((b - a).total_seconds() >= 3 * 3600 for a, b in pairwise(starts))
        assert all(WEEK.start <= start < WEEK.end for start in starts)
        assert [row["size"] for row in rows] == [KINDS[row["kind"]][1][2] for row in rows]


class Renamed(DemoSource):
    """A platform that says customer and pod, beside another job that exports the same names."""

    def read(self, metric: str, matchers: Any, window: Window) -> SeriesBatch:
        batch = super().read(metric, matchers, window)
        said = {"tenant": "customer", "instance": "pod"}
        labels = tuple({said.get(name, name): value for name, value in own.items()} for own in batch.labels)
        return replace(batch, labels=labels)


def test_a_platform_that_calls_its_tenants_and_processes_otherwise() -> None:
    contract = CONTRACT.model_copy(update={"tenant_label": "customer", "process_labels": ("job", "pod")})
    source = Renamed(3, Scenario(name="clean"))
    copy = Copy(MemorySnapshot(source), Window(WEEK.start - DAY, WEEK.end))
    rows = {row["kind"]: row for row in plant(copy, contract, WEEK, size=2, seed=1)}
    assert list(rows) == list(KINDS)
    assert {rows[kind]["place"] for kind in ("restart", "scrape_gap", "rejections")} <= set(INSTANCES)
    customers = {labels["customer"] for labels, _, _ in copy.held(COST)}
    assert {rows[kind]["place"] for kind in ("flapping_tenant", "cost_spike", "semantics_break")} <= customers
    other = CONTRACT.model_copy(update={"jobs": ("another",)})
    assert [row["kind"] for row in plant(copy, other, WEEK, size=2, seed=1)] == []


def test_staleness_markers_stay_what_they_are() -> None:
    class Marked(DemoSource):
        def read(self, metric: str, matchers: Any, window: Window) -> SeriesBatch:
            batch = super().read(metric, matchers, window)
            marker = np.array([STALENESS_MARKER_BITS], dtype=np.uint64).view(np.float64)
            return replace(batch, values=np.where(batch.times == AT + MINUTE, marker, batch.values))

    copy = Copy(MemorySnapshot(Marked(3, Scenario(name="clean"))), Window(WEEK.start - DAY, WEEK.end))
    planter = _Planter(copy, CONTRACT, WEEK, np.random.default_rng(7))
    assert planter.readiness_incident(AT, 5) == "global"
    for _, times, values in copy.held(READY):
        there = values[(times >= AT) & (times < AT + 5 * MINUTE)]
        assert there[[0, 2, 3, 4]].tolist() == [0, 0, 0, 0]
        assert there[1:2].view(np.uint64).tolist() == [STALENESS_MARKER_BITS]


def test_nothing_is_planted_where_there_is_no_series(frames: MemorySnapshot) -> None:
    copy = Copy(frames, Window(WEEK.end, WEEK.end + DAY))
    assert list(plant(copy, CONTRACT, Window(WEEK.end, WEEK.end + 7 * DAY), size=4, seed=1)) == []
