"""What was planted, as a table: each event as it can be seen in the samples."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.sources.demo.population import INSTANCES
from cloudxai_analysis.sources.demo.traces import MICRO, Trace, Traces
from cloudxai_analysis.sources.scenario import (
    EXTENT,
    AlertStorm,
    Burst,
    CostSpike,
    FalseAlert,
    FlappingTenant,
    ReadinessIncident,
    ScrapeGap,
    SemanticsBreak,
)

COLUMNS = ["kind", "scope", "place", "start", "end", "size", "unit", "found_by"]
# By kind: its scope, the unit of its size, and the measure meant to find it.
_KINDS = {
    "rejections": ("process", "requests", "guard.refusals"),
    "generated_names": ("process", "names", "identifiers.unstable_identifiers"),
    "restart": ("process", "restart", "telemetry.process_starts"),
    "scrape_gap": ("process", "scrapes", "telemetry.scrape_gaps"),
    "readiness_incident": ("global", "minutes", "readiness.outages"),
    "flapping_tenant": ("tenant", "transitions", "flapping.tenant_flapping"),
    "alert_storm": ("rule", "episodes", "alerts.storms"),
    "false_alert": ("rule", "episodes", "judgement.judged"),
    "cost_spike": ("tenant", "EUR", "anomalies.cost_anomalies"),
    "semantics_break": ("tenant", "rises", "semantics.semantics_breaks"),
}
_STRETCH_MINUTES = 60
_Row = tuple[str, str, Any, Any, float]  # kind, place, start, end, size


def truth_table(traces: Traces, alerts: list[Trace]) -> pd.DataFrame:
    """One row per planted event as it can be seen in the samples.

    Columns: kind, scope ('global', 'process', 'tenant' or 'rule'), place, start and end (UTC), size, unit, and
    `found_by`, the measure meant to find it.
    """
    planted = [*_of_processes(traces), *_of_tenants(traces), *_of_rules(traces, alerts)]
    rows = [
        (kind, _KINDS[kind][0], place, start, end, size, *_KINDS[kind][1:]) for kind, place, start, end, size in planted
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS).astype({"size": "float64"})
    for column in ("start", "end"):
        frame[column] = frame[column].astype("datetime64[us, UTC]")
    return frame.sort_values(["start", "kind", "place"], ignore_index=True)


def moment(minute: int) -> datetime:
    """The time of a minute of the demo."""
    return EXTENT.start + timedelta(minutes=int(minute))


def end_of(event: Any) -> datetime:
    """When an event ends, by its scenario."""
    return min(event.at + timedelta(minutes=event.minutes), EXTENT.end)


def refusing(traces: Traces, instance: str) -> list[tuple[int, int, int]]:
    """Stretches of refusing samples of one process: first, last minute, and the number of refused requests."""
    refused = traces.world.population.refused[instance]
    scraped = np.flatnonzero(traces.world.scraped[instance])
    # What is refused between two scrapes shows at the later one.
    shown = np.add.reduceat(np.concatenate([refused, [0]]), np.concatenate([[0], scraped[:-1] + 1]))
    by_minute = dict(zip(scraped.tolist(), shown.tolist(), strict=True))
    return [
        (int(part[0]), int(part[-1]), sum(by_minute[minute] for minute in part.tolist()))
        for part in _stretches(scraped[shown > 0], _STRETCH_MINUTES)
    ]


def false_firings(traces: Traces, alerts: list[Trace]) -> Iterator[tuple[str, str, int, int]]:
    """Rule, tenant, first and last firing minute of each planted false alert."""
    for event, tenants in traces.world.cast_of(FalseAlert):
        place = tenants[0] if tenants else event.instance
        for at in _firings(alerts, event.alertname, place, event.minute, event.minute + event.minutes + 5):
            yield event.alertname, tenants[0] if tenants else "", int(at[0]), int(at[-1])


def _of_processes(traces: Traces) -> Iterator[_Row]:
    world = traces.world
    for instance in INSTANCES:
        for first, last, count in refusing(traces, instance):
            yield "rejections", instance, moment(first), moment(last), count
        for first in world.run_starts(instance)[1:]:
            micros = traces.start_of_run(instance, first)
            at = datetime.fromtimestamp(micros // MICRO, UTC) + timedelta(microseconds=micros % MICRO)
            yield "restart", instance, at, at, 1
    for event in world.scenario.of(Burst):
        # Only names that a scrape saw can be found.
        seen = [
            (stay.tenant, minutes)
            for stay, minutes in traces.stays
            if stay.generated and stay.tenant.startswith(event.stem) and stay.instance == event.instance
            if event.minute <= stay.start < event.minute + event.minutes
        ]
        if seen:
            first, last = min(at[0] for _, at in seen), max(at[-1] for _, at in seen)
            yield "generated_names", event.stem, moment(first), moment(last), len({name for name, _ in seen})
    for event in world.scenario.of(ScrapeGap):
        there = np.flatnonzero(world.discovered[event.instance])
        before, after = there[there < event.minute], there[there >= event.minute]
        if len(before) and len(after):
            missing = int(after[0] - before[-1] - 1)
            yield "scrape_gap", event.instance, moment(before[-1]), moment(after[0]), missing
    seen_minutes = np.flatnonzero(np.logical_or.reduce([world.scraped[instance] for instance in INSTANCES]))
    for event in world.scenario.of(ReadinessIncident):
        at = seen_minutes[(seen_minutes >= event.minute) & (seen_minutes < event.minute + event.minutes)]
        after = seen_minutes[seen_minutes >= event.minute + event.minutes]
        if len(at):
            yield "readiness_incident", "global", moment(at[0]), moment(after[0]) if len(after) else pd.NaT, len(at)


def _of_tenants(traces: Traces) -> Iterator[_Row]:
    world = traces.world
    for event, (tenant,) in world.cast_of(FlappingTenant):
        flips = world.extra_flips(tenant)[event.minute : event.minute + event.minutes]
        yield "flapping_tenant", tenant, event.at, end_of(event), int(flips.sum())
    for event, (tenant,) in world.cast_of(CostSpike):
        regular = world.regular_cost(tenant)[event.minute : event.minute + event.minutes]
        excess = int((regular * round(event.factor * 1000) // 1000 - regular).sum()) / 60 / MICRO
        yield "cost_spike", tenant, event.at, end_of(event), excess
    for event, (tenant,) in world.cast_of(SemanticsBreak):
        own = [minutes for stay, minutes in traces.stays if stay.tenant == tenant]
        minutes = np.sort(np.concatenate([np.empty(0, dtype=np.int32), *own]))
        cost = world.cost(tenant)[minutes[minutes >= event.minute]]
        yield "semantics_break", tenant, event.at, EXTENT.end, int((np.diff(cost) > 0).sum())


def _of_rules(traces: Traces, alerts: list[Trace]) -> Iterator[_Row]:
    for event, tenants in traces.world.cast_of(AlertStorm):
        fired = [
            firing
            for tenant in dict.fromkeys(tenants)
            for start in [traces.world.loses_readiness(event, tenant)]
            for firing in _firings(alerts, "TenantReadinessBreach", tenant, start, start + event.minutes)
        ]
        if fired:
            first, last = min(at[0] for at in fired), max(at[-1] for at in fired) + 1
            yield "alert_storm", "TenantReadinessBreach", moment(first), moment(last), len(fired)
    for name, _, first, last in false_firings(traces, alerts):
        yield "false_alert", name, moment(first), moment(last + 1), 1


def _firings(alerts: list[Trace], alertname: str, place: str, start: int, end: int) -> list[np.ndarray]:
    found = []
    for trace in alerts:
        labels = trace.labels
        scope = labels.get("tenant", labels.get("instance"))
        if (labels["alertname"], labels["alertstate"], scope) == (alertname, "firing", place):
            found += _stretches(trace.minutes[(trace.minutes >= start) & (trace.minutes <= end)], 1)
    return found


def _stretches(minutes: np.ndarray, longest: int) -> list[np.ndarray]:
    """The minutes in parts without a step of more than `longest`."""
    return [part for part in np.split(minutes, np.flatnonzero(np.diff(minutes) > longest) + 1) if len(part)]
