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
COURSE = {
    **{"trigger": "a fail-over", "evidence": "https://g.example/1", "immediate_action": "drained", "fix": "pool"},
    **{"root_cause": "leak", "hotfix": "https://git.example/7", "approved_by": "Bob", "lessons": "=test"},
    **{"follow_ups": ["alert on it", "a;b"], "mitigated_at": "2026-11-10T10:15:00Z"},
}
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
HARNESS = entry(
    "harness",
    by="cloudxai harness",
    at="2026-11-13T11:00:00Z",
    within_cap="pass",
    only_at_cap="pass",
    counted_exactly="fail",
    differing=1,
    cap=100,
    most_tenants=10_000,
    seed=1,
    result="0" * 64,
)
TABLETOP = entry(
    "tabletop",
    start="2026-11-13T09:00:00Z",
    end="2026-11-13T09:31:00Z",
    exercise="outage",
    incident="INC-1",
    injects=2,
    alerted=6.0,
    answers=[
        {
            **{"inject": "page", "marks": "detect", "shown": "Firing: =A", "asked": "What is it?", "within": 5.0},
            **{"names": ["=A", "a;b"], "practise": "outages", "minute": 0.0, "minutes": 4.5},
            **{"answered_at": "2026-11-13T09:05:00Z", "answer": "=A, of all"},
        },
        {
            **{"inject": "decide", "marks": "decide", "shown": "0 of 2 ready", "asked": "What now?", "within": 5.0},
            **{"names": ["roll back"], "practise": "outages", "minute": 10.0, "minutes": 20.0},
            **{"answered_at": "2026-11-13T09:31:00Z", "answer": "we wait"},
        },
    ],
    summary="The whole platform is not ready: Database fail-over",
)
WITHDRAWAL = entry("withdrawal", entry="INC-1")
DRILL = entry(
    "drill", start="2026-11-12T09:00:00Z", end="2026-11-12T10:00:00Z", tenants=["req-*", "a;b"], summary="load"
)
DAY = entry(
    "day",
    by="monitor",
    date="2026-11-12",
    environment="beta",
    status="warn",
    partial=False,
    coverage=0.999,
    ready_minutes=1438.0,
    seen_minutes=1440.0,
    cap=100,
    rejections=0,
    alerts_fired=[
        {
            "alertname": "=A",
            "tenant": "a;b",
            "fired_at": "2026-11-12T02:00:00Z",
            "topic": "readiness",
            "actionable": True,
        }
    ],
    costs=[{"amount": 1640.5, "currency": "EUR", "start": "2026-11-12T00:00:00Z", "end": "2026-11-13T00:00:00Z"}],
    metrics={"readiness_state": "present", "tenant_cost_estimate": "MISSING"},
    findings=[{"check": "outages", "status": "warn", "finding": "=not ready; 19 minutes"}],
    notes=["=1;2", "seen"],
)
NIGHT = entry(
    "night",
    by="nightly",
    date="2026-11-12",
    at="2026-11-12T02:00:00Z",
    source="http://prometheus:9090",
    checks=[
        {"id": "cap", "status": "fail", "finding": "=instance a;b: 1.01"},
        {"id": "fresh", "status": "pass", "attempts": ["answered HTTP 503; look at its log"]},
    ],
    away="=no",
)
COHORT = entry("cohort", rollout="=v1;0", stage=1, date="2026-11-16", tenants=["=a;b", "007"], seed=1)
LOOK = entry(
    "canary",
    by="canary",
    rollout="=v1;0",
    stage=1,
    first_day="2026-11-16",
    date="2026-11-18",
    recommendation="hold",
    reason="3 of 7 days are seen; no harm is shown so far.",
    attempt=1,
    signals=[
        {
            "name": "cost",
            "state": "not shown either way",
            "cohort": 20,
            "rest": 180,
            "chance": 0.25,
            "level": 0.001,
            "margin": 0.05,
        }
    ],
)
SENT = entry("sent", by="digest", report="2026-W46", to="=board", content="0" * 64, state="unclear", attempt=2)
EVERY_KIND = [
    *({**OUTAGE, **COURSE}, NOISE, COMPLETE, DEPLOY, MAINTENANCE, OBSERVATION, DECISION, ATTESTATION),
    *(PROPOSAL, CONFIRMATION, REJECTION, WITHDRAWAL, DRILL, DAY, NIGHT, HARNESS, TABLETOP, COHORT, LOOK, SENT),
]
