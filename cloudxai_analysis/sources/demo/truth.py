"""What was planted, as a table of what the samples can show of it, and as the beta's people wrote it down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.sources.demo.population import CAP, INSTANCES
from cloudxai_analysis.sources.demo.world import MICRO, Trace, World, multiplied
from cloudxai_analysis.sources.scenario import EXTENT

_STRETCH_MINUTES = 60
_ON_CALL = "on-call"
_Row = tuple[str, str, Any, Any, float]  # kind, place, start, end, size


def truth_table(world: World, alerts: list[Trace]) -> pd.DataFrame:
    """One row per planted event as it can be seen in the samples.

    Columns: kind, place (an instance, a tenant, a rule, a stem of names or 'global'), start and end (UTC), size (in the
    unit that docs/howto/write-a-scenario.md says).
    """
    planted = [*_of_processes(world), *_of_service(world), *_of_tenants(world), *_of_rules(world, alerts)]
    frame = pd.DataFrame(planted, columns=["kind", "place", "start", "end", "size"]).astype({"size": "float64"})
    for column in ("start", "end"):
        frame[column] = frame[column].astype("datetime64[us, UTC]")
    return frame.sort_values(["start", "kind", "place"], ignore_index=True)


def _of_processes(world: World) -> Iterator[_Row]:
    for instance in INSTANCES:
        for first, last, count in _refusing(world, instance):
            yield "rejections", instance, _moment(first), _moment(last), count
        for first in world.run_starts(instance)[1:]:
            micros = world.start_of_run(instance, first)
            at = datetime.fromtimestamp(micros // MICRO, UTC) + timedelta(microseconds=micros % MICRO)
            yield "restart", instance, at, at, 1
    for event in world.scenario.of("burst"):
        # Only names that a scrape saw can be found.
        seen = [
            (stay.tenant, minutes)
            for stay, minutes in world.stays
            if stay.generated and stay.tenant.startswith(event.stem) and stay.instance == event.instance
            if event.span.start <= stay.start < event.span.stop
        ]
        if seen:
            first, last = min(at[0] for _, at in seen), max(at[-1] for _, at in seen)
            yield "generated_names", event.stem, _moment(first), _moment(last), len({name for name, _ in seen})
    for event in world.scenario.of("scrape_gap"):
        there = np.flatnonzero(world.discovered[event.instance])
        before, after = there[there < event.minute], there[there >= event.minute]
        if len(before) and len(after):
            missing = int(after[0] - before[-1] - 1)
            yield "scrape_gap", event.instance, _moment(before[-1]), _moment(after[0]), missing


def _of_service(world: World) -> Iterator[_Row]:
    seen = np.flatnonzero(np.logical_or.reduce([world.scraped[instance] for instance in INSTANCES]))
    for event in world.scenario.of("readiness_incident"):
        at = seen[(seen >= event.span.start) & (seen < event.span.stop)]
        after = seen[seen >= event.span.stop]
        if len(at):
            yield "readiness_incident", "global", _moment(at[0]), _moment(after[0]) if len(after) else pd.NaT, len(at)


def _of_tenants(world: World) -> Iterator[_Row]:
    for event, (tenant,) in world.cast_of("flapping_tenant"):
        yield "flapping_tenant", tenant, event.at, _end(event), int(world.extra_flips(tenant)[event.span].sum())
    for event, (tenant,) in world.cast_of("cost_spike"):
        regular = world.regular_cost(tenant)[event.span]
        excess = int((multiplied(regular, event.factor) - regular).sum()) / 60 / MICRO
        yield "cost_spike", tenant, event.at, _end(event), excess
    for event, (tenant,) in world.cast_of("semantics_break"):
        minutes = [at for stay, at in world.stays if stay.tenant == tenant]
        after = np.sort(np.concatenate(minutes)) if minutes else np.empty(0, dtype=np.int64)
        cost = world.cost[tenant][after[after >= event.minute]] if minutes else after
        yield "semantics_break", tenant, event.at, EXTENT.end, int((np.diff(cost) > 0).sum())


def _of_rules(world: World, alerts: list[Trace]) -> Iterator[_Row]:
    for event, tenants in world.cast_of("alert_storm"):
        fired = []
        for tenant in dict.fromkeys(tenants):
            start = world.loses_readiness(event, tenant)
            fired += _firings(alerts, "TenantReadinessBreach", tenant, start, start + event.minutes)
        if fired:
            first, last = min(at[0] for at in fired), max(at[-1] for at in fired) + 1
            yield "alert_storm", "TenantReadinessBreach", _moment(first), _moment(last), len(fired)
    for name, _, first, last in _false_firings(world, alerts):
        yield "false_alert", name, _moment(first), _moment(last + 1), 1


def ledger_entries(world: World, alerts: list[Trace]) -> list[dict[str, Any]]:
    """What the beta's on-call wrote: an incident for each true event, labels on every other false alert."""
    found = sorted(_incidents(world), key=lambda entry: entry["start"])
    for number, entry in enumerate(found, start=1):
        entry["id"] = f"INC-{number:03d}"
    for number, (name, tenant, first, last) in enumerate(_false_firings(world, alerts)):
        if number % 2 == 0:
            label = {"kind": "label", "written_at": _moment(last) + timedelta(hours=9), "by": "analyst"}
            what = {"alertname": name, "tenant": tenant, "fired_at": _moment(first), "judgement": "noise"}
            found.append({**label, **what})
    end = EXTENT.end
    return [*found, {"kind": "complete", "written_at": end, "by": _ON_CALL, "start": EXTENT.start, "end": end}]


def _incidents(world: World) -> Iterator[dict[str, Any]]:
    for event, tenants in world.cast_of("tenant_incident", "flapping_tenant", "alert_storm"):
        if not event.ledger:
            continue
        rule, who = "TenantReadinessBreach", tenants[0]
        if event.kind == "alert_storm":
            end = event.at + timedelta(minutes=event.minutes + 8)
            summary = f"Shared database failed over; {len(tenants)} tenants not ready"
            yield _incident(event.at, end, rule, "major", summary)
        elif event.kind == "flapping_tenant":
            summary = f"{who} flips between ready and not ready"
            yield _incident(event.at, _end(event), "TenantFlapping", "minor", summary, tenant=who)
        else:
            yield _incident(event.at, _end(event), rule, "minor", f"{who} not ready", tenant=who)
    for event in world.scenario.of("readiness_incident"):
        if event.ledger:
            summary = "The platform answered not ready to everybody"
            yield _incident(event.at, _end(event), "ServiceNotReady", "critical", summary)
    bursts = [event for event in world.scenario.of("burst") if event.ledger]
    for instance in sorted({event.instance for event in bursts}):
        for first, last, _ in _refusing(world, instance):
            begun = [event for event in bursts if event.instance == instance and event.minute <= first]
            if begun:
                # Newcomers refused long after the burst are its consequence, too, and have an incident of their own.
                start = begun[-1].at if first < begun[-1].span.stop else _moment(first)
                summary = f"Generated tenant names ({begun[-1].stem}…) fill the guard of {CAP} labels; it refuses"
                yield _incident(start, _moment(last + 6), "TenantLabelCardinalityExceeded", "major", summary)


def _incident(start: datetime, end: datetime, rule: str, severity: str, summary: str, **more: str) -> dict[str, Any]:
    return {
        **{"kind": "incident", "written_at": end + timedelta(minutes=25), "by": _ON_CALL, "start": start, "end": end},
        **{"alerts": [rule], "severity": severity, "summary": summary, "source": "on-call log", **more},
    }


def _refusing(world: World, instance: str) -> list[tuple[int, int, int]]:
    """Stretches of refusing samples of one process: first, last minute, and the number of refused requests."""
    scraped = np.flatnonzero(world.scraped[instance])
    # What is refused between two scrapes shows at the later one.
    starts = np.concatenate([[0], scraped[:-1] + 1])
    shown = np.add.reduceat(np.concatenate([world.population.refused[instance], [0]]), starts)
    by_minute = dict(zip(scraped.tolist(), shown.tolist(), strict=True))
    parts = [part.tolist() for part in _stretches(scraped[shown > 0], _STRETCH_MINUTES)]
    return [(part[0], part[-1], sum(by_minute[minute] for minute in part)) for part in parts]


def _false_firings(world: World, alerts: list[Trace]) -> Iterator[tuple[str, str, int, int]]:
    """Rule, tenant, first and last firing minute of each planted false alert."""
    for event, tenants in world.cast_of("false_alert"):
        place = tenants[0] if tenants else event.instance
        for at in _firings(alerts, event.alertname, place, event.minute, event.minute + event.minutes + 5):
            yield event.alertname, tenants[0] if tenants else "", int(at[0]), int(at[-1])


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


def _moment(minute: int) -> datetime:
    return EXTENT.start + timedelta(minutes=int(minute))


def _end(event: Any) -> datetime:
    return min(event.at + timedelta(minutes=event.minutes), EXTENT.end)
