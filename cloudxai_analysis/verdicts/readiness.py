"""Verdicts on readiness: the objective, outages, transitions, latency, tenants."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cloudxai_analysis.phrases import count, moment, percent
from cloudxai_analysis.verdicts import Check, Status
from cloudxai_analysis.verdicts.evidence import event, named, short, when
from cloudxai_analysis.window import Window

_SECTION = "readiness"
_OWNER = "the platform team"
_BUDGET_NEARLY_USED = 0.1


def availability_check(
    availability: pd.DataFrame, budget: pd.DataFrame, covered: pd.DataFrame, *, slo_window: Window, slo: float
) -> Check:
    """Whether the objective is met: `fail` below it, `warn` where under a tenth of the error budget is left.

    `availability` and `budget` are one row each, over `slo_window`; `covered` the covered days. The value is the
    availability; `unknown` without samples, and without a covered day.
    """
    measured, left = availability.iloc[0], budget.iloc[0]
    days = round(slo_window.duration.total_seconds() / 86_400)
    common: dict[str, Any] = {"unit": "share", "bound": slo, "bound_key": "availability"}
    known = covered[(covered["day"] >= slo_window.start) & (covered["day"] < slo_window.end) & covered["covered"]]
    if not measured["samples"] or known.empty:
        why = "none of them is covered" if measured["samples"] else "no process exported readiness"
        return Check(
            key="availability",
            section=_SECTION,
            status="unknown",
            finding=f"Availability over the {days} days up to {moment(slo_window.end)} is unknown: {why}.",
            **common,
        )
    # Days without telemetry are neither up nor down: the sentence says on how many the number stands.
    basis = "" if len(known) >= days else f", measured on {len(known)} covered of {days} days"
    share, remaining = measured["availability"], left["remaining_share"]
    status: Status = "fail" if share < slo else "warn" if remaining < _BUDGET_NEARLY_USED else "pass"
    if status == "fail":
        # Allowed of the time that was measured: days without telemetry bring no budget of their own.
        used = left["used_minutes"]
        budget_said = f"{used:.0f} minutes not ready, {used * (1 - slo) / (1 - share):.0f} allowed"
    else:
        budget_said = f"{percent(remaining, 0)} of the error budget left"
    asked: dict[str, Any] = {
        "size": f"{left['used_minutes']:.0f} of {left['allowed_minutes']:.0f} minutes of the error budget used",
        "since": slo_window.start,
        "action": "Hold back risky changes until the error budget has recovered.",
        "decides": _OWNER,
    }
    return Check(
        key="availability",
        section=_SECTION,
        status=status,
        finding=f"Ready for {percent(share, 3)} of {days} days against an objective of {percent(slo, 1)}: "
        f"{budget_said}{basis}.",
        value=float(share),
        samples=f"{count(measured['samples'], 'sample')} of global readiness",
        disproof="an outage in which the platform could not be scraped, and so counts for nothing",
        **(asked if status != "pass" else {}),
        **common,
    )


def outages_check(
    outages: pd.DataFrame, availability: pd.DataFrame, *, window: Window, least_samples: int = 2
) -> Check:
    """Whether the platform was not ready in the window: `warn` from `least_samples` neighbouring samples on.

    `outages` as `measures.readiness.outages` gives them, of the window; one event `readiness_incident` for each of
    `least_samples` or more. The value is their minutes; a single sample is told, and is no warning.
    """
    if not availability.iloc[0]["samples"]:
        return Check(
            key="outages",
            section=_SECTION,
            status="unknown",
            finding=f"Whether the platform was ready in {named(window)} is unknown: no process exported readiness.",
        )
    long = outages[outages["not_ready_samples"] >= least_samples]
    brief = len(outages) - len(long)
    # What no stretch begun in the window explains belongs to one that began before it.
    row = availability.iloc[0]
    before = int(row["samples"] - row["ready_samples"]) - int(outages["not_ready_samples"].sum())
    if long.empty and before >= least_samples:
        return _still_down(row, before, window)
    if long.empty:
        blips = f", but for {count(brief + max(before, 0), 'single sample')}" if brief + max(before, 0) else ""
        return Check(
            key="outages",
            section=_SECTION,
            status="pass",
            finding=f"The platform was ready at every scrape of {named(window)}{blips}.",
            value=0.0,
            unit="minutes",
            samples="every sample of global readiness",
            disproof="an outage shorter than the scrape interval",
        )
    top = long.loc[long["not_ready_samples"].idxmax()]
    many = f"{len(long)} times, longest " if len(long) > 1 else ""
    return Check(
        key="outages",
        section=_SECTION,
        status="warn",
        finding=f"The platform was not ready {many}for {count(top['minutes'], 'minute')} from {moment(top['start'])}.",
        value=float(long["minutes"].sum()),
        unit="minutes",
        size=f"{count(long['minutes'].sum(), 'minute')} in {count(len(long), 'stretch', 'stretches')}",
        since=when(long["start"].min()),
        samples="every sample of global readiness",
        disproof="planned maintenance at that time",
        action="Make sure that each of these times has an incident in the ledger, with its cause.",
        decides=_OWNER,
        events=tuple(
            event("readiness_incident", "global", row.start, row.end, row.not_ready_samples, "samples")
            for row in long.itertuples()
        ),
    )


def _still_down(measured: pd.Series, samples: int, window: Window) -> Check:
    minutes = float(measured["not_ready_minutes"])
    return Check(
        key="outages",
        section=_SECTION,
        status="warn",
        finding=f"The platform was not ready for {count(minutes, 'minute')} of {named(window)}, in a stretch that "
        "began before.",
        value=minutes,
        unit="minutes",
        size=f"{count(samples, 'sample')} not ready",
        since=window.start,
        samples="every sample of global readiness",
        disproof="planned maintenance at that time",
        action="Make sure that this stretch has an incident in the ledger, with its cause.",
        decides=_OWNER,
    )


def transitions_check(transitions: pd.DataFrame, *, window: Window, bound: float) -> Check:
    """Whether global readiness flipped often: `warn` where an hour has more than `bound` transitions.

    `transitions` by hour, of the window; the value is the most in one hour.
    """
    common: dict[str, Any] = {"unit": "transitions/hour", "bound": bound, "bound_key": "transitions_per_hour"}
    if transitions.empty:
        return Check(
            key="transitions",
            section=_SECTION,
            status="unknown",
            finding=f"Readiness transitions of {named(window)} are unknown: no process exports their counter.",
            **common,
        )
    top = transitions.loc[transitions["transitions"].idxmax()]
    above = transitions[transitions["transitions"] > bound]
    if len(above):
        finding = (
            f"{top['transitions']:.0f} transitions in the hour from {moment(top['hour'])}, at most {bound:g} wanted."
        )
    else:
        finding = f"At most {count(top['transitions'], 'readiness transition')} in any hour of {named(window)}."
    asked: dict[str, Any] = {
        "size": f"{count(len(above), 'hour')} above {bound:g}",
        "since": when(above["hour"].min()) if len(above) else None,
        "action": "Find out what makes the global readiness waver.",
        "decides": _OWNER,
    }
    return Check(
        key="transitions",
        section=_SECTION,
        status="warn" if len(above) else "pass",
        finding=finding,
        value=float(top["transitions"]),
        samples="every step of the global transition counter",
        disproof="a deploy in that hour",
        **(asked if len(above) else {}),
        **common,
    )


def latency_check(latency: pd.DataFrame, *, window: Window, bound: float) -> Check:
    """Whether the readiness check is quick: `warn` where its 95th percentile is above `bound` seconds in an hour.

    `latency` by hour, of the window; the value is the highest.
    """
    common: dict[str, Any] = {"unit": "seconds", "bound": bound, "bound_key": "check_latency_seconds"}
    known = latency[latency["seconds"].notna()]
    if known.empty:
        return Check(
            key="latency",
            section=_SECTION,
            status="unknown",
            finding=f"How long the readiness check takes is unknown: no duration was exported in {named(window)}.",
            **common,
        )
    top, above = known.loc[known["seconds"].idxmax()], known[known["seconds"] > bound]
    if len(above):
        finding = (
            f"The readiness check's p95 was above {bound * 1000:.0f} ms in {count(len(above), 'hour')}, at most "
            f"{top['seconds'] * 1000:.0f} ms, from {moment(above['hour'].iloc[0])}."
        )
    else:
        finding = (
            f"The readiness check's p95 stayed within {bound * 1000:.0f} ms: at most {top['seconds'] * 1000:.0f} ms."
        )
    asked: dict[str, Any] = {
        "size": f"{count(len(above), 'hour')} above {bound * 1000:.0f} ms",
        "since": when(above["hour"].min()) if len(above) else None,
        "action": "Find out what slows the readiness check at those hours.",
        "decides": _OWNER,
    }
    return Check(
        key="latency",
        section=_SECTION,
        status="warn" if len(above) else "pass",
        finding=finding,
        value=float(top["seconds"]),
        samples="hourly increases of the check's histogram buckets",
        disproof="bucket bounds too coarse around the bound",
        **(asked if len(above) else {}),
        **common,
    )


def tenants_check(outages: pd.DataFrame, tenants: pd.DataFrame, *, window: Window, least_samples: int = 3) -> Check:
    """Which tenants were not ready: `warn` where one was not for `least_samples` neighbouring samples.

    `outages` by tenant as `measures.readiness.outages` gives them; `tenants` has one row per tenant seen. The value is
    the number of tenants; shorter stretches are told, and are no warning: the platform's page waits as long.
    """
    if tenants.empty:
        return Check(
            key="tenants",
            section=_SECTION,
            status="unknown",
            finding=f"Which tenants were ready in {named(window)} is unknown: none exported readiness.",
        )
    long = outages[outages["not_ready_samples"] >= least_samples]
    affected = long["tenant"].nunique()
    if long.empty:
        blips = f", but for {count(len(outages), 'brief stretch', 'brief stretches')}" if len(outages) else ""
        finding = f"Every one of {count(len(tenants), 'tenant')} was ready{blips}."
    else:
        top = long.loc[long["not_ready_samples"].idxmax()]
        finding = (
            f"{affected} of {count(len(tenants), 'tenant')} not ready for {least_samples} samples or more, the longest "
            f"{short(top['tenant'])} for {count(top['minutes'], 'minute')} from {moment(top['start'])}."
        )
    asked: dict[str, Any] = {
        "size": f"{count(affected, 'tenant')} in {count(len(long), 'stretch', 'stretches')}",
        "action": "Make sure that each of these tenants knows why, and that an incident says it.",
        "decides": _OWNER,
    }
    return Check(
        key="tenants",
        section=_SECTION,
        status="warn" if affected else "pass",
        finding=finding,
        value=float(affected),
        unit="tenants",
        since=when(long["start"].min()) if len(long) else None,
        samples="every sample of tenant readiness",
        disproof="a tenant that was not exported at that time",
        **(asked if affected else {}),
    )
