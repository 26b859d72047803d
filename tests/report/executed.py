"""An executed weekly notebook as its file would hold it, small, with whatever names a test wants in it."""

from __future__ import annotations

from typing import Any

LOOK = "application/vnd.cloudxai.look+json"
SUMMARY = "application/vnd.cloudxai.summary+json"
SVG = "image/svg+xml"
START, END = "2026-11-09T00:00:00+00:00", "2026-11-16T00:00:00+00:00"


def check(key: str, section: str, status: str, finding: str, **more: Any) -> dict[str, Any]:
    """A check as `summary.json` holds it."""
    texts = dict.fromkeys(
        ("unit", "bound_key", "size", "samples", "disproof", "action", "decides", "gain", "brief"), ""
    )
    blank = {**texts, "value": None, "bound": None, "since": None, "definition": 1, "events": []}
    blank |= {"title": key.replace("_", " "), "cause": key if status in ("fail", "warn") else ""}
    return {**blank, "key": key, "section": section, "status": status, "finding": finding, **more}


def tile(key: str, **more: Any) -> dict[str, Any]:
    """A tile as `summary.json` holds it: 54 of 100 labels left, 2 fewer than last week."""
    said = {"label": "Tenant labels left", "text": "54 of 100", "detail": "least in the window: 0", "missing": ""}
    bound = {"bound": 15, "bound_text": "warn under 15", "good": "up", "status": "warn"}
    change = {"change_week": -2.0, "change_week_text": "-2", "no_change": "", "against": "on the week before"}
    course = {"median4": 56.0, "spark": [60.0, None, 56.0, 54.0]}
    link = {"link": "cardinality-headroom"}
    return {"key": key, "value": 54.0, "unit": "labels", **said, **bound, **change, **course, **link, **more}


def summary(name: str = "acme") -> dict[str, Any]:
    """The content of a `summary.json` in which a tenant is called `name`."""
    found = f"{name} took the last tenant label"
    bound = {"bound": 0.15, "bound_key": "headroom_share", "since": "2026-11-10T09:48:00+00:00"}
    headroom = check("headroom", "cardinality", "warn", f"{found}.", disproof="a restart in between", **bound)
    unknown = tile("cost", value=None, text="no data", status="unknown", missing=f"nobody knows what {name} cost")
    template = {
        "tenants_observed": ("Tenants observed", 56, "cardinality-sets"),
        "rejections": ("Rejections in the week", 385, "cardinality-rejections"),
        "readiness_alerts": ("Readiness alerts fired", 6, "alerts-episodes"),
        "cardinality_alerts": ("Cardinality alerts fired", 3, "alerts-episodes"),
        "cost_anomalies": ("Cost anomalies", 1, "cost-anomalies"),
    }
    alert = {"alertname": "TenantFlapping", "tenant": name, "fired_at": "2026-11-11T13:32:00+00:00", "minutes": 45.0}
    provenance = {"source": {"source": "demo://"}, "lake": {"rollups": 4, "samples": 3}, "warnings": []}
    advice = {"text": f"Ask {name} why.", "effect": "10 hours", "evidence": "#cardinality-headroom", "gain": "room"}
    return {
        "schema": "1",
        "environment": "demo",
        "platform": "CloudxAi 0.9",
        "window": {"name": "2026-W46", "start": START, "end": END, "partial_until": None},
        "status": "warn",
        "headline": f"Warning: {found}.",
        "paragraph": f"1 of 3 checks asks for attention. {found}. Consider: ask {name} why.",
        "banners": [{"kind": "taint", "text": f"Numbers of {name} undercount."}],
        "tiles": [tile("headroom"), unknown, tile("coverage", status="pass"), tile("availability", status="fail")],
        "template": {
            **{
                key: {"label": label, "value": value, "text": f"{value}", "link": link}
                for key, (label, value, link) in template.items()
            },
            "alerts": [{**alert, "judgement": "true", "actionable": "yes"}],
        },
        "not_known": [{"text": "No total is configured.", "known_once": "one is", "checks": ["conservation"]}],
        "checks": [
            headroom,
            check("conservation", "cost", "unknown", "No total is configured."),
            check("coverage", "telemetry", "pass", "99.3 % of the scrapes are there."),
        ],
        "considerations": [{**advice, "decides": "the platform team", "check": "headroom"}],
        "numbers": {"cost.total": 10768.2},
        "coverage": {"value": 0.9931, "seen_minutes": 10010, "expected_minutes": 10080, "text": "6.95 of 7 days seen"},
        "bounds": {"headroom_share": 0.15},
        "contract": {"version": "1", "platform_version": "0.9", "cap": 100, "currency": "EUR"},
        "ledger": {"entries": 3, "head": "0" * 64, "sha256": "0" * 64},
        "provenance": {**provenance, "package": "0.1.0"},
    }


def look(key: str, name: str = "acme", **more: Any) -> dict[str, Any]:
    """A look as its notebook output holds it, with one row that names a tenant."""
    heading, note = f"{name} took the last tenant label.", f"{name} has 12 EUR."
    columns = [{"name": column, "label": column, "numeric": column == "cost"} for column in ("tenant", "cost")]
    return {
        **{"key": key, "section": key.split("-", 1)[0], "csv": f"{key}.csv", "checks": ["headroom"], "empty": ""},
        **{"heading": heading, "note": note, "alt": f"{heading} {note}", "caption": f"Labels of {name}"},
        **{"columns": columns, "rows": [[name, "12.5"]], "total_rows": 1, "got": 20021},
        "definition": "Headroom: Cap minus held tenants.",
        "measure": "measures.cardinality.headroom",
        "window": "2026-W46 (2026-11-09 00:00 to 2026-11-16 00:00 UTC)",
        **more,
    }


FIGURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 518 245" role="img" aria-label="54 left">'
    '<title>54 left</title><defs><path id="p1" d="M0 0L9 9"/></defs><use href="#p1" x="4" y="4" stroke="currentColor"/>'
    '<text x="9" y="9" fill="currentColor">54 left</text></svg>'
)


def notebook(
    name: str = "acme",
    *looks: dict[str, Any],
    figure: str = FIGURE,
    since: dict[str, Any] | None = None,
    evaluation: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The notebook file's JSON: headline, then a look with its figure, then others."""
    blank = {"before": None, "before_sha256": None, "new": [], "worse": [], "better": [], "gone": [], "still": []}
    head = {"summary": summary(name), "run": "r1", "since": blank | (since or {}), "evaluation": evaluation}
    bundles = (
        {SUMMARY: head},
        {LOOK: look("cardinality-headroom", name)},
        {LOOK: look("cardinality-tenants", name, checks=[], caption=f"Tenants beside {name}")},
        {SVG: figure},
        *({LOOK: it} for it in looks),
    )
    given = {"week": "2026-W46", "source": "http://me:secret@host:9090", "run": "r1", "output": "/x"}
    made = {"notebook": "weekly_report.ipynb", "notebook_sha256": "1" * 64}
    return {
        "cells": [
            {"cell_type": "code", "outputs": [{"output_type": "display_data", "data": data, "metadata": {}}]}
            for data in bundles
        ],
        "metadata": {
            "papermill": {"duration": 6.04, "parameters": given},
            "cloudxai": {**made, "python": "3.11.7", "libraries": {"pandas": "3.0.1"}},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
