"""An executed weekly notebook as its file would hold it, small, with whatever names a test wants in it."""

from __future__ import annotations

from typing import Any

LOOK = "application/vnd.cloudxai.look+json"
SUMMARY = "application/vnd.cloudxai.summary+json"
SVG = "image/svg+xml"
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    "javascript:alert(1)",
    '"><svg onload=alert(1)>',
    "{{ 7 * 7 }}",
    "a&amp;b<b>",
    "abc\u202egnp.exe",
    "שלום-1",
    "=HYPERLINK(1)",
    "x" * 300,
)


def check(key: str, section: str, status: str, finding: str, **more: Any) -> dict[str, Any]:
    """A check as `summary.json` holds it."""
    blank = {"value": None, "unit": "", "bound": None, "bound_key": "", "size": "", "since": None, "samples": ""}
    return {
        **blank,
        "disproof": "",
        "definition": 1,
        "action": "",
        "decides": "",
        "events": [],
        **{"key": key, "section": section, "status": status, "finding": finding},
        **more,
    }


def tile(key: str, **more: Any) -> dict[str, Any]:
    """A tile as `summary.json` holds it: 54 of 100 labels left, 2 fewer than last week."""
    return {
        "key": key,
        "label": "Tenant labels left",
        "value": 54.0,
        "text": "54 of 100",
        "unit": "labels",
        "detail": "least in the window: 0",
        "bound": 15,
        "bound_text": "warn under 15",
        "good": "up",
        "status": "warn",
        "change_week": -2.0,
        "change_week_text": "-2",
        "no_change": "",
        "median4": 56.0,
        "median4_text": "56 of 100",
        "spark": [60.0, None, 56.0, 54.0],
        "link": "cardinality-headroom",
        "missing": "",
        **more,
    }


def number(label: str, value: int, link: str) -> dict[str, Any]:
    """One number of the weekly template."""
    return {"label": label, "value": value, "text": f"{value}", "link": link}


def summary(name: str = "acme") -> dict[str, Any]:
    """The content of a `summary.json` in which a tenant is called `name`."""
    headroom = check(
        "headroom",
        "cardinality",
        "warn",
        f"{name} took the last tenant label.",
        since="2026-11-10T09:48:00+00:00",
        bound=0.15,
        bound_key="headroom_share",
        disproof="a restart in between",
    )
    unknown = tile("cost", value=None, text="no data", status="unknown", missing=f"nobody knows what {name} cost")
    return {
        "schema": "1",
        "environment": "demo",
        "platform": "CloudxAi 0.9",
        "window": {
            "name": "2026-W46",
            "start": "2026-11-09T00:00:00+00:00",
            "end": "2026-11-16T00:00:00+00:00",
            "partial_until": None,
        },
        "status": "warn",
        "headline": f"2026-W46: warning – {name} took the last tenant label",
        "paragraph": f"1 of 3 checks asks for attention. {name} took the last tenant label. Consider: ask {name} why.",
        "banners": [{"kind": "taint", "text": f"Numbers of {name} undercount."}],
        "tiles": [tile("headroom"), unknown, tile("coverage", status="pass"), tile("availability", status="fail")],
        "template": {
            "tenants_observed": number("Tenants observed", 56, "cardinality-sets"),
            "rejections": number("Rejections in the week", 385, "cardinality-rejections"),
            "readiness_alerts": number("Readiness alerts fired", 6, "alerts-episodes"),
            "cardinality_alerts": number("Cardinality alerts fired", 3, "alerts-episodes"),
            "cost_anomalies": number("Cost anomalies", 1, "cost-anomalies"),
            "alerts": [
                {
                    "alertname": "TenantFlapping",
                    "tenant": name,
                    "fired_at": "2026-11-11T13:32:00+00:00",
                    "minutes": 45.0,
                    "judgement": "true",
                    "actionable": "yes",
                }
            ],
        },
        "checks": [
            headroom,
            check("conservation", "cost", "unknown", "No total is configured."),
            check("coverage", "telemetry", "pass", "99.3 % of the scrapes are there."),
        ],
        "considerations": [
            {
                "text": f"Ask {name} why.",
                "effect": "10 hours",
                "evidence": "#cardinality-headroom",
                "decides": "the platform team",
                "check": "headroom",
            }
        ],
        "numbers": {"cost.total": 10768.2},
        "coverage": {"value": 0.9931, "seen_minutes": 10010, "expected_minutes": 10080, "text": "6.95 of 7 days seen"},
        "bounds": {"headroom_share": 0.15},
        "contract": {"version": "1", "platform_version": "0.9", "cap": 100, "currency": "EUR"},
        "ledger": {"entries": 3, "head": "0" * 64, "sha256": "0" * 64},
        "provenance": {
            "source": {"source": "demo://"},
            "lake": {"rollups": 4, "samples": 3},
            "warnings": [],
            "package": "0.1.0",
        },
    }


def look(key: str, name: str = "acme", **more: Any) -> dict[str, Any]:
    """A look as its notebook output holds it, with one row that names a tenant."""
    return {
        "key": key,
        "section": key.split("-", 1)[0],
        "heading": f"{name} took the last tenant label.",
        "note": f"{name} has 12 EUR.",
        "caption": f"Labels of {name}",
        "columns": [
            {"name": "tenant", "label": "tenant", "numeric": False},
            {"name": "cost", "label": "cost", "numeric": True},
        ],
        "rows": [[name, "12.5"]],
        "total_rows": 1,
        "definition": "Headroom: Cap minus held tenants.",
        "measure": "measures.cardinality.headroom",
        "window": "2026-W46 (2026-11-09 00:00 to 2026-11-16 00:00 UTC)",
        "got": 20021,
        "alt": f"{name} took the last tenant label.",
        "csv": f"{key}.csv",
        "checks": ["headroom"],
        "empty": "",
        **more,
    }


FIGURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 518 245" role="img" aria-label="54 left">'
    '<title>54 left</title><defs><path id="p1" d="M0 0L9 9"/></defs><use href="#p1" x="4" y="4" stroke="currentColor"/>'
    '<text x="9" y="9" fill="currentColor">54 left</text></svg>'
)


def notebook(name: str = "acme", *, figure: str = FIGURE, since: dict[str, Any] | None = None) -> dict[str, Any]:
    """The notebook file's JSON: headline, then a look with its figure."""
    blank = {"before": None, "before_sha256": None, "new": [], "worse": [], "better": [], "gone": [], "still": []}
    head = {"summary": summary(name), "run": "r1", "since": since or blank}
    shown = look("cardinality-headroom", name)
    bundles = ({SUMMARY: head}, {LOOK: shown}, {SVG: figure})
    return {
        "cells": [
            {"cell_type": "code", "outputs": [{"output_type": "display_data", "data": data, "metadata": {}}]}
            for data in bundles
        ],
        "metadata": {
            "papermill": {
                "duration": 6.04,
                "parameters": {"week": "2026-W46", "source": "http://me:secret@host:9090", "run": "r1", "output": "/x"},
            },
            "cloudxai": {
                "notebook": "weekly_report.ipynb",
                "notebook_sha256": "1" * 64,
                "python": "3.11.7",
                "libraries": {"pandas": "3.0.1"},
            },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
