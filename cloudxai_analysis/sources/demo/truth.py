"""What was planted, as a table: each event as it can be seen in the samples."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.sources.demo.population import INSTANCES
from cloudxai_analysis.sources.demo.traces import MICRO, Trace, Traces
from cloudxai_analysis.sources.demo.world import Cast
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
_STRETCH_MINUTES = 60


def truth_table(traces: Traces, alerts: list[Trace]) -> pd.DataFrame:
    """One row per planted event as it can be seen in the samples.

    Columns: kind, scope ('global', 'process', 'tenant' or 'rule'), place, start and end (UTC), size, unit, and
    `found_by`, the measure meant to find it.
    """
    rows = [
        *_rejections(traces),
        *_generated(traces),
        *_restarts(traces),
        *_gaps(traces),
        *_readiness(traces),
        *_flapping(traces),
        *_storms(traces, alerts),
        *_false_alerts(traces, alerts),
        *_spikes(traces),
        *_semantics(traces),
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS).astype({"size": "float64"})
    for column in ("start", "end"):
        frame[column] = frame[column].astype("datetime64[us, UTC]")
    return frame.sort_values(["start", "kind", "place"], ignore_index=True)


def moment(minute: int) -> datetime:
    """The time of a minute of the demo."""
    return EXTENT.start + timedelta(minutes=int(minute))


def _stretches(minutes: np.ndarray) -> list[np.ndarray]:
    return [part for part in np.split(minutes, np.flatnonzero(np.diff(minutes) > _STRETCH_MINUTES) + 1) if len(part)]


def refusing(traces: Traces, instance: str) -> list[tuple[int, int, int]]:
    """Stretches of refusing samples of one process: first, last minute, and the number of refused requests."""
    refused = traces.world.population.refused[instance]
    scraped = np.flatnonzero(traces.world.scraped[instance])
    # What is refused between two scrapes shows at the later one.
    shown = np.add.reduceat(np.concatenate([refused, [0]]), np.concatenate([[0], scraped[:-1] + 1]))
    at = scraped[shown > 0]
    by_minute = dict(zip(scraped.tolist(), shown.tolist(), strict=True))
    return [(int(part[0]), int(part[-1]), sum(by_minute[m] for m in part.tolist())) for part in _stretches(at)]


def _rejections(traces: Traces) -> Iterator[tuple[Any, ...]]:
    for instance in INSTANCES:
        for first, last, count in refusing(traces, instance):
            yield (
                *("rejections", "process", instance, moment(first), moment(last), count),
                *("requests", "guard.refusals"),
            )


def _generated(traces: Traces) -> Iterator[tuple[Any, ...]]:
    for event in traces.world.scenario.of(Burst):
        # Only names that a scrape saw can be found.
        seen = [
            (stay, minutes)
            for stay, minutes in traces.stays
            if stay.generated and stay.tenant.startswith(event.stem) and stay.instance == event.instance
            if event.minute <= stay.start < event.minute + event.minutes
        ]
        if seen:
            first, last = min(int(at[0]) for _, at in seen), max(int(at[-1]) for _, at in seen)
            names = len({stay.tenant for stay, _ in seen})
            yield (
                *("generated_names", "process", event.stem, moment(first), moment(last), names),
                *("names", "identifiers.unstable_identifiers"),
            )


def _restarts(traces: Traces) -> Iterator[tuple[Any, ...]]:
    for instance in INSTANCES:
        for first in traces.world.run_starts(instance)[1:]:
            micros = traces.start_of_run(instance, first)
            at = datetime.fromtimestamp(micros // MICRO, UTC) + timedelta(microseconds=micros % MICRO)
            yield ("restart", "process", instance, at, at, 1, "restart", "telemetry.process_starts")


def _gaps(traces: Traces) -> Iterator[tuple[Any, ...]]:
    for event in traces.world.scenario.of(ScrapeGap):
        there = np.flatnonzero(traces.world.discovered[event.instance])
        before, after = there[there < event.minute], there[there >= event.minute]
        if len(before) and len(after):
            missing = int(after[0] - before[-1] - 1)
            yield (
                *("scrape_gap", "process", event.instance, moment(before[-1]), moment(after[0]), missing),
                *("scrapes", "telemetry.scrape_gaps"),
            )


def _readiness(traces: Traces) -> Iterator[tuple[Any, ...]]:
    seen = np.logical_or.reduce([traces.world.scraped[instance] for instance in INSTANCES])
    for event in traces.world.scenario.of(ReadinessIncident):
        at = np.flatnonzero(seen[event.minute : event.minute + event.minutes]) + event.minute
        after = np.flatnonzero(seen[event.minute + event.minutes :]) + event.minute + event.minutes
        if len(at):
            end = moment(after[0]) if len(after) else pd.NaT
            yield (
                *("readiness_incident", "global", "global", moment(at[0]), end, len(at)),
                *("minutes", "readiness.outages"),
            )


def _flapping(traces: Traces) -> Iterator[tuple[Any, ...]]:
    for part in parts_of(traces, FlappingTenant):
        event = part.event
        flips = traces.world.extra_flips(part.tenants[0])[event.minute : event.minute + event.minutes]
        yield (
            *("flapping_tenant", "tenant", part.tenants[0], event.at, end_of(event), int(flips.sum())),
            *("transitions", "flapping.tenant_flapping"),
        )


def _storms(traces: Traces, alerts: list[Trace]) -> Iterator[tuple[Any, ...]]:
    for part in parts_of(traces, AlertStorm):
        starts = traces.world.storm_starts(part)
        fired = [
            firing
            for tenant, start in starts.items()
            for firing in _firings(alerts, "TenantReadinessBreach", tenant, start, start + part.event.minutes)
        ]
        if fired:
            first, last = min(at[0] for at in fired), max(at[-1] for at in fired) + 1
            yield (
                *("alert_storm", "rule", "TenantReadinessBreach", moment(first), moment(last), len(fired)),
                *("episodes", "alerts.storms"),
            )


def _false_alerts(traces: Traces, alerts: list[Trace]) -> Iterator[tuple[Any, ...]]:
    for _, at in false_firings(traces, alerts):
        yield (
            *("false_alert", "rule", at[0], moment(at[2]), moment(at[3] + 1), 1),
            *("episodes", "judgement.judged"),
        )


def false_firings(traces: Traces, alerts: list[Trace]) -> Iterator[tuple[Cast, tuple[str, str, int, int]]]:
    """Each planted false alert with its rule, tenant, first and last firing minute."""
    for part in parts_of(traces, FalseAlert):
        event, name = part.event, part.event.alertname
        place = part.tenants[0] if part.tenants else event.instance
        for at in _firings(alerts, name, place, event.minute, event.minute + event.minutes + 5):
            yield part, (name, part.tenants[0] if part.tenants else "", int(at[0]), int(at[-1]))


def _spikes(traces: Traces) -> Iterator[tuple[Any, ...]]:
    for part in parts_of(traces, CostSpike):
        event, tenant = part.event, part.tenants[0]
        during = slice(event.minute, event.minute + event.minutes)
        regular = traces.world.regular_cost(tenant)[during]
        excess = int((regular * round(event.factor * 1000) // 1000 - regular).sum()) / 60 / MICRO
        yield (
            *("cost_spike", "tenant", tenant, event.at, end_of(event), excess),
            *("EUR", "anomalies.cost_anomalies"),
        )


def _semantics(traces: Traces) -> Iterator[tuple[Any, ...]]:
    for part in parts_of(traces, SemanticsBreak):
        own = [minutes for stay, minutes in traces.stays if stay.tenant == part.tenants[0]]
        minutes = np.sort(np.concatenate(own)) if own else np.empty(0, dtype=np.int32)
        minutes = minutes[minutes >= part.event.minute]
        rises = int((np.diff(traces.world.cost(part.tenants[0])[minutes]) > 0).sum())
        yield (
            *("semantics_break", "tenant", part.tenants[0], part.event.at, EXTENT.end, rises),
            *("rises", "semantics.semantics_breaks"),
        )


def parts_of(traces: Traces, kind: type) -> list[Any]:
    """The events of one kind with their tenants."""
    return [part for part in traces.world.cast if isinstance(part.event, kind)]


def end_of(event: Any) -> datetime:
    """When an event ends, by its scenario."""
    return min(event.at + timedelta(minutes=event.minutes), EXTENT.end)


def _firings(alerts: list[Trace], alertname: str, place: str, start: int, end: int) -> list[np.ndarray]:
    found = []
    for trace in alerts:
        labels = trace.labels
        scope = labels.get("tenant", labels.get("instance"))
        if (labels["alertname"], labels["alertstate"], scope) == (alertname, "firing", place):
            at = trace.minutes[(trace.minutes >= start) & (trace.minutes <= end)]
            found += [part for part in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1) if len(part)]
    return found
