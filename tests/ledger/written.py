"""Entries that tests write."""

from __future__ import annotations

from typing import Any

WRITTEN = "2026-11-10T12:00:00+00:00"


def entry(kind: str, by: str = "ada", **fields: Any) -> dict[str, Any]:
    """The fields of an entry."""
    return {"kind": kind, "by": by, "written_at": WRITTEN, **fields}


OUTAGE = entry(
    "incident",
    id="INC-1",
    start="2026-11-10T10:00:00+00:00",
    end="2026-11-10T10:20:00+00:00",
    scope="global",
    alerts=["ServiceNotReady"],
    severity="major",
    summary="Database fail-over",
    source="pager",
)
NOISE = entry(
    "label", alertname="ReadinessLatencyHigh", tenant="", fired_at="2026-11-10T02:00:00+00:00", judgement="noise"
)
COMPLETE = entry("complete", start="2026-11-09T00:00:00+00:00", end="2026-11-16T00:00:00+00:00")
DEPLOY = entry(
    "deploy",
    by="ci",
    start="2026-11-09T09:00:00+00:00",
    end="2026-11-09T09:30:00+00:00",
    tenant=None,
    summary="v1.0-rc",
)
MAINTENANCE = {**DEPLOY, "kind": "maintenance", "tenant": "acme", "summary": "disk"}
PROPOSAL = entry(
    "proposal",
    by="job",
    id="dip-1",
    start="2026-11-11T08:00:00Z",
    end="2026-11-11T08:09:00Z",
    tenant="acme",
    alerts=["TenantReadinessBreach"],
    evidence="ready 0.2 of 1 for 9 min",
    source="readiness dips",
)
CONFIRMATION = entry("confirmation", proposals=["dip-1"], written_at="2026-11-12T09:00:00Z")
REJECTION = {**CONFIRMATION, "kind": "rejection"}
OBSERVATION = entry(
    "observation",
    by="bob",
    at="2026-11-10T10:05:00Z",
    tenant="acme",
    summary="latency doubled",
    link="https://wiki.example/1",
)
DECISION = entry("decision", at="2026-11-13T10:00:00Z", summary="stay in beta", reason="two open incidents")
ATTESTATION = entry(
    "attestation", by="bob", name="Ada L.", role="head of operations", date="2026-11-13", link="https://sign.example/7"
)
WITHDRAWAL = entry("withdrawal", entry="INC-1")
EVERY_KIND = [
    *(OUTAGE, NOISE, COMPLETE, DEPLOY, MAINTENANCE, OBSERVATION, DECISION, ATTESTATION),
    *(PROPOSAL, CONFIRMATION, REJECTION, WITHDRAWAL),
]
