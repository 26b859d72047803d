"""What was planted, as a table of what the samples can show of it, and as the beta's people wrote it down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.sources.demo.population import CAP, INSTANCES
from cloudxai_analysis.sources.demo.world import MICRO, Minutes, Trace, World, multiplied
from cloudxai_analysis.sources.scenario import EXTENT, MINUTES

_STRETCH_MINUTES = 60
_ON_CALL = "on-call"
_BREACH = "TenantReadinessBreach"
_Row = tuple[str, str, Any, Any, float]  # kind, place, start, end (as minutes, or as moments), size
# What people write down of a true event: rule, severity, summary.
_INCIDENTS = {
    "tenant_incident": (_BREACH, "minor", "{who} not ready"),
    "flapping_tenant": ("TenantFlapping", "minor", "{who} flips between ready and not ready"),
    "alert_storm": (_BREACH, "major", "Shared database failed over; {count} tenants not ready"),
    "readiness_incident": ("ServiceNotReady", "critical", "The platform answered not ready to everybody"),
}


def truth_table(world: World, alerts: list[Trace]) -> pd.DataFrame:
    """One row per planted event as it can be seen in the samples.

    Columns: kind, place (an instance, a tenant, a rule, a stem of names or 'global'), start and end
    (UTC), size (in the unit that docs/howto/write-a-scenario.md says).
    """
    planted = [*_of_processes(world), *_of_service(world), *_of_tenants(world), *_of_rules(world, alerts)]
    frame = pd.DataFrame(planted, columns=["kind", "place", "start", "end", "size"]).astype({"size": "float64"})
    for column in ("start", "end"):
        frame[column] = pd.Series([_moment(at) for at in frame[column]], dtype="datetime64[us, UTC]")
    return frame.sort_values(["start", "kind", "place"], ignore_index=True)


def _of_processes(world: World) -> Iterator[_Row]:
    for instance in INSTANCES:
        for first, last, count in _refusing(world, instance):
            yield "rejections", instance, first, last, count
        for _, began in world.runs(instance)[1:]:
            at = datetime.fromtimestamp(began // MICRO, UTC) + timedelta(microseconds=began % MICRO)
            yield "restart", instance, at, at, 1
    for event in world.scenario.of("burst"):
        # Only names that a scrape saw can be found.
        seen = [
            one.minutes
            for one in world.served
            if one.stays[0].generated and one.tenant.startswith(event.stem) and one.instance == event.instance
            if event.span.start <= one.stays[0].start < event.span.stop
        ]
        if seen:
            yield "generated_names", event.stem, min(at[0] for at in seen), max(at[-1] for at in seen), len(seen)
    for event in world.scenario.of("scrape_gap"):
        there = np.flatnonzero(world.discovered[event.instance])
        before, after = there[there < event.minute], there[there >= event.minute]
        if len(before) and len(after):
            yield "scrape_gap", event.instance, before[-1], after[0], int(after[0] - before[-1] - 1)


def _of_service(world: World) -> Iterator[_Row]:
    seen = np.flatnonzero(world.seen)
    for event in world.scenario.of("readiness_incident"):
        at = seen[(seen >= event.span.start) & (seen < event.span.stop)]
        after = seen[seen >= event.span.stop]
        if len(at):
            yield "readiness_incident", "global", at[0], after[0] if len(after) else pd.NaT, len(at)


def _of_tenants(world: World) -> Iterator[_Row]:
    for event, (tenant,) in world.cast("flapping_tenant"):
        flips = world.unseen_flips(tenant)[event.span].sum()
        yield "flapping_tenant", tenant, event.minute, event.span.stop, int(flips)
    for event, (tenant,) in world.cast("cost_spike"):
        regular = world.regular_cost(tenant)[event.span]
        excess = int((multiplied(regular, event.factor) - regular).sum()) / 60 / MICRO
        yield "cost_spike", tenant, event.minute, event.span.stop, excess
    for event, (tenant,) in world.cast("semantics_break"):
        minutes = np.sort([at for one in world.served if one.tenant == tenant for at in one.minutes.tolist()])
        cost = world.cost(tenant)[minutes[minutes >= event.minute].astype(np.int64)]
        yield "semantics_break", tenant, event.minute, MINUTES, int((np.diff(cost) > 0).sum())


def _of_rules(world: World, alerts: list[Trace]) -> Iterator[_Row]:
    for event, tenants in world.cast("alert_storm"):
        fired = []
        for tenant in dict.fromkeys(tenants):
            start = world.loses_readiness(event, tenant)
            fired += _firings(alerts, _BREACH, tenant, start, start + event.minutes)
        if fired:
            yield "alert_storm", _BREACH, min(at[0] for at in fired), max(at[-1] for at in fired) + 1, len(fired)
    for name, _, first, last in _false_firings(world, alerts):
        yield "false_alert", name, first, last + 1, 1


def ledger_entries(world: World, alerts: list[Trace]) -> list[dict[str, Any]]:
    """What the beta's on-call wrote: an incident for each true event, labels on every other false alert."""
    found = sorted([*_incidents(world), *_refusals(world)], key=lambda entry: entry["start"])
    for number, entry in enumerate(found, start=1):
        entry["id"] = f"INC-{number:03d}"
    for name, tenant, first, last in list(_false_firings(world, alerts))[::2]:
        label = {"kind": "label", "written_at": _moment(last) + timedelta(hours=9), "by": "analyst"}
        what = {"alertname": name, "tenant": tenant, "fired_at": _moment(first), "judgement": "noise"}
        found.append({**label, **what})
    end = EXTENT.end
    return [*found, {"kind": "complete", "written_at": end, "by": _ON_CALL, "start": EXTENT.start, "end": end}]


def _incidents(world: World) -> Iterator[dict[str, Any]]:
    service: list[tuple[Any, list[str]]] = [(event, []) for event in world.scenario.of("readiness_incident")]
    for event, tenants in [*world.cast(*_INCIDENTS), *service]:
        if event.ledger:
            rule, severity, summary = _INCIDENTS[event.kind]
            one = {"tenant": tenants[0]} if "{who}" in summary else {}
            said = summary.format(who=one.get("tenant"), count=len(tenants))
            storm = event.kind == "alert_storm"
            end = event.at + timedelta(minutes=event.minutes + 8) if storm else _moment(event.span.stop)
            yield _incident(event.at, end, rule, severity, said, **one)


def _refusals(world: World) -> Iterator[dict[str, Any]]:
    bursts = [event for event in world.scenario.of("burst") if event.ledger]
    for instance in INSTANCES:
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
    refused = dict(zip(scraped.tolist(), shown.tolist(), strict=True))
    parts = [part.tolist() for part in _stretches(scraped[shown > 0], _STRETCH_MINUTES)]
    return [(part[0], part[-1], sum(refused[minute] for minute in part)) for part in parts]


def _false_firings(world: World, alerts: list[Trace]) -> Iterator[tuple[str, str, int, int]]:
    """Rule, tenant, first and last firing minute of each planted false alert."""
    for event, tenants in world.cast("false_alert"):
        tenant = "".join(tenants)
        end = event.minute + event.minutes + 5
        for at in _firings(alerts, event.alertname, tenant or event.instance, event.minute, end):
            yield event.alertname, tenant, int(at[0]), int(at[-1])


def _firings(alerts: list[Trace], alertname: str, place: str, start: int, end: int) -> list[Minutes]:
    found = []
    for labels, minutes, _ in alerts:
        scope = labels.get("tenant", labels.get("instance"))
        if (labels["alertname"], labels["alertstate"], scope) == (alertname, "firing", place):
            found += _stretches(minutes[(minutes >= start) & (minutes <= end)], 1)
    return found


def _stretches(minutes: NDArray[Any], longest: int) -> list[NDArray[Any]]:
    """The minutes in parts without a step of more than `longest`."""
    return [part for part in np.split(minutes, np.flatnonzero(np.diff(minutes) > longest) + 1) if len(part)]


def _moment(minute: Any) -> Any:
    """The moment of a minute; what is none stays as it is."""
    return EXTENT.start + timedelta(minutes=int(minute)) if isinstance(minute, int | np.integer) else minute
