"""What the beta's people wrote into the ledger about the planted events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from cloudxai_analysis.sources.demo.population import CAP
from cloudxai_analysis.sources.demo.traces import Trace, Traces
from cloudxai_analysis.sources.demo.truth import end_of, false_firings, moment, refusing
from cloudxai_analysis.sources.scenario import (
    EXTENT,
    AlertStorm,
    Burst,
    FlappingTenant,
    ReadinessIncident,
    TenantIncident,
)

_ON_CALL = "on-call"


def ledger_entries(traces: Traces, alerts: list[Trace]) -> list[dict[str, Any]]:
    """What the beta's on-call wrote: an incident for each true event, labels on every other false alert."""
    world, found = traces.world, []
    for event, tenants in world.cast_of(TenantIncident, FlappingTenant, AlertStorm):
        if not event.ledger:
            continue
        rule, who = ["TenantReadinessBreach"], tenants[0]
        if isinstance(event, AlertStorm):
            end = event.at + timedelta(minutes=event.minutes + 8)
            summary = f"Shared database failed over; {len(tenants)} tenants not ready"
            found.append(_incident(event.at, end, rule, "major", summary))
        elif isinstance(event, FlappingTenant):
            summary = f"{who} flips between ready and not ready"
            found.append(_incident(event.at, end_of(event), ["TenantFlapping"], "minor", summary, tenant=who))
        else:
            found.append(_incident(event.at, end_of(event), rule, "minor", f"{who} not ready", tenant=who))
    for event in world.scenario.of(ReadinessIncident):
        if event.ledger:
            summary = "The platform answered not ready to everybody"
            found.append(_incident(event.at, end_of(event), ["ServiceNotReady"], "critical", summary))
    found += _cardinality_incidents(traces)
    found.sort(key=lambda entry: entry["start"])
    for number, entry in enumerate(found, start=1):
        entry["id"] = f"INC-{number:03d}"
    start, end = EXTENT.start, EXTENT.end
    complete = {"kind": "complete", "written_at": end, "by": _ON_CALL, "start": start, "end": end}
    return [*found, *_labels(traces, alerts), complete]


def _cardinality_incidents(traces: Traces) -> list[dict[str, Any]]:
    found = []
    bursts = [event for event in traces.world.scenario.of(Burst) if event.ledger]
    for instance in {event.instance for event in bursts}:
        for first, last, _ in refusing(traces, instance):
            begun = [event for event in bursts if event.instance == instance and event.minute <= first]
            if begun:
                # Newcomers refused long after the burst are its consequence, too, and have an incident of their own.
                start = begun[-1].at if first < begun[-1].minute + begun[-1].minutes else moment(first)
                summary = f"Generated tenant names ({begun[-1].stem}…) fill the guard of {CAP} labels; it refuses"
                rule = ["TenantLabelCardinalityExceeded"]
                found.append(_incident(start, moment(last + 6), rule, "major", summary))
    return found


def _incident(
    start: datetime, end: datetime, alerts: list[str], severity: str, summary: str, **more: str
) -> dict[str, Any]:
    return {
        "kind": "incident",
        "written_at": end + timedelta(minutes=25),
        "by": _ON_CALL,
        "start": start,
        "end": end,
        "alerts": alerts,
        "severity": severity,
        "summary": summary,
        "source": "on-call log",
        **more,
    }


def _labels(traces: Traces, alerts: list[Trace]) -> Iterator[dict[str, Any]]:
    for number, (name, tenant, first, last) in enumerate(false_firings(traces, alerts)):
        if number % 2 == 0:
            yield {
                "kind": "label",
                "written_at": moment(last) + timedelta(hours=9),
                "by": "analyst",
                "alertname": name,
                "tenant": tenant,
                "fired_at": moment(first),
                "judgement": "noise",
            }
