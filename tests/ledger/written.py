"""Entries that tests write."""

from __future__ import annotations

from typing import Any

WRITTEN = "2026-11-10T12:00:00+00:00"
OUTAGE: dict[str, Any] = {
    "kind": "incident",
    "id": "INC-1",
    "start": "2026-11-10T10:00:00+00:00",
    "end": "2026-11-10T10:20:00+00:00",
    "scope": "global",
    "alerts": ["ServiceNotReady"],
    "severity": "major",
    "summary": "Database fail-over",
    "source": "pager",
    "by": "ada",
    "written_at": WRITTEN,
}
NOISE: dict[str, Any] = {
    "kind": "label",
    "alertname": "ReadinessLatencyHigh",
    "tenant": "",
    "fired_at": "2026-11-10T02:00:00+00:00",
    "judgement": "noise",
    "by": "ada",
    "written_at": WRITTEN,
}
COMPLETE: dict[str, Any] = {
    "kind": "complete",
    "start": "2026-11-09T00:00:00+00:00",
    "end": "2026-11-16T00:00:00+00:00",
    "by": "ada",
    "written_at": WRITTEN,
}
DEPLOY: dict[str, Any] = {
    "kind": "deploy",
    "start": "2026-11-09T09:00:00+00:00",
    "end": "2026-11-09T09:30:00+00:00",
    "tenant": None,
    "summary": "v1.0-rc",
    "by": "ci",
    "written_at": WRITTEN,
}
MAINTENANCE: dict[str, Any] = {**DEPLOY, "kind": "maintenance", "tenant": "acme", "summary": "disk"}
PROPOSAL: dict[str, Any] = {
    "kind": "proposal",
    "id": "dip-1",
    "start": "2026-11-11T08:00:00Z",
    "end": "2026-11-11T08:09:00Z",
    "tenant": "acme",
    "alerts": ["TenantReadinessBreach"],
    "evidence": "ready 0.2 of 1 for 9 min",
    "source": "readiness dips",
    "by": "job",
    "written_at": WRITTEN,
}
CONFIRMATION: dict[str, Any] = {
    "kind": "confirmation",
    "proposals": ["dip-1"],
    "by": "ada",
    "written_at": "2026-11-12T09:00:00Z",
}
REJECTION: dict[str, Any] = {**CONFIRMATION, "kind": "rejection"}
OBSERVATION: dict[str, Any] = {
    "kind": "observation",
    "at": "2026-11-10T10:05:00Z",
    "tenant": "acme",
    "summary": "latency doubled",
    "link": "https://wiki.example/1",
    "by": "bob",
    "written_at": WRITTEN,
}
DECISION: dict[str, Any] = {
    "kind": "decision",
    "at": "2026-11-13T10:00:00Z",
    "summary": "stay in beta",
    "reason": "two open incidents",
    "by": "ada",
    "written_at": WRITTEN,
}
ATTESTATION: dict[str, Any] = {
    "kind": "attestation",
    "name": "Ada L.",
    "role": "head of operations",
    "date": "2026-11-13",
    "link": "https://sign.example/7",
    "by": "bob",
    "written_at": WRITTEN,
}
WITHDRAWAL: dict[str, Any] = {"kind": "withdrawal", "entry": "INC-1", "by": "ada", "written_at": WRITTEN}
EVERY_KIND = [
    OUTAGE,
    NOISE,
    COMPLETE,
    DEPLOY,
    MAINTENANCE,
    OBSERVATION,
    DECISION,
    ATTESTATION,
    PROPOSAL,
    CONFIRMATION,
    REJECTION,
    WITHDRAWAL,
]
