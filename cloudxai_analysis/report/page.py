"""The page: one HTML file without a script or a request, made from an executed notebook and from nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from cloudxai_analysis.cards.card import LOOK_MIME, SUMMARY_MIME, SVG_MIME
from cloudxai_analysis.cards.compare import GROUPS, summary_sha256
from cloudxai_analysis.figures.sparkline import sparkline
from cloudxai_analysis.ground.errors import NotebookFailed
from cloudxai_analysis.platform.settings import Bounds
from cloudxai_analysis.report.said import named, readable, said
from cloudxai_analysis.report.svg_check import allowed_svg

_HERE = Path(__file__).parent
EVALUATION = _HERE.parent / "operate" / "evaluation.json"
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")
TITLES = {
    "telemetry": "Telemetry",
    "cardinality": "Tenant labels",
    "cost": "Cost",
    "alerts": "Alerts",
    "readiness": "Readiness",
    "incidents": "Incidents",
}
QUESTIONS = {
    "telemetry": "How much do we see, and what is missing?",
    "cardinality": "Is the number of tenant labels under control?",
    "cost": "What do the tenants cost, and what moved?",
    "alerts": "Can the alerts be trusted?",
    "readiness": "Was the platform ready?",
    "incidents": "What did people write down?",
}
NOTEBOOKS = {
    "telemetry": "01_telemetry",
    "cardinality": "02_cardinality",
    "cost": "03_cost",
    "alerts": "04_alerts",
    "readiness": "05_readiness",
}
GROUP_TITLES = {
    "new": "New",
    "worse": "Worse",
    "better": "Better",
    "gone": "Gone",
    "still": "Still there",
}
WORDS = {"pass": "Pass", "warn": "Warning", "fail": "Failed", "unknown": "Unknown"}
# Drawn, not typed: a font may lack the shape, and colour alone tells nothing to many.
_ICONS = {
    "pass": '<circle cx="8" cy="8" r="7"/><path d="M4.5 8.2 7 10.7 11.6 5.6" class="mark"/>',
    "warn": '<path d="M8 1 15.4 14.5H.6Z"/><path d="M8 6v4M8 11.6v1.6" class="mark"/>',
    "fail": '<path d="M1.5 1.5h13v13h-13Z"/><path d="M5 5l6 6M11 5l-6 6" class="mark"/>',
    "unknown": '<path d="M8 .8 15.2 8 8 15.2.8 8Z"/>'
    '<path d="M6.3 6.4a1.8 1.8 0 1 1 2.6 1.6c-.7.4-.9.7-.9 1.3M8 11v1.2" class="mark"/>',
}


def render(notebook: dict[str, Any]) -> str:
    """The page of an executed weekly notebook, given as the notebook file's JSON.

    Raises
    ------
    NotebookFailed
        The notebook holds no headline: it is no weekly report, or was not run.
    """
    head, looks = _outputs(notebook)
    if head is None:
        raise NotebookFailed("The notebook holds no headline, so there is no page. Run weekly_report to its end.")
    summary = head["summary"]
    style = (_HERE / "report.css").read_text(encoding="utf-8")
    anchors = _anchors(summary, looks)
    page = _template().render(
        summary=summary,
        tiles=[{**tile, "trend": _trend(tile)} for tile in summary["tiles"]],
        since=head["since"],
        groups=[(group, GROUP_TITLES[group]) for group in GROUPS],
        sections=[_section(name, summary, looks) for name in _section_names(looks)],
        again=lambda section: _again(section, summary),
        anchor=lambda link: _anchor(str(link), anchors),
        checks={check["key"]: check for check in summary["checks"]},
        glossary=_glossary(looks),
        evaluation=_evaluation(),
        own=head.get("evaluation"),
        bounds={key: field.description for key, field in Bounds.model_fields.items()},
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        words=WORDS,
        icons={status: Markup(icon) for status, icon in _ICONS.items()},  # noqa: S704 - our own shapes
        sparkline=lambda values: Markup(allowed_svg(sparkline(values))),  # noqa: S704 - checked just there
        run=_run(notebook),
        summary_sha256=summary_sha256(summary),
    )
    return readable(page)


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=select_autoescape(["html", "jinja"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["said"] = said
    environment.filters["named"] = named
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["day"] = lambda moment: str(moment)[:16].replace("T", " ")
    return environment.get_template("report.html.jinja")


def _outputs(notebook: dict[str, Any]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    head: dict[str, Any] | None = None
    looks: dict[str, dict[str, Any]] = {}
    for data in _bundles(notebook):
        if SUMMARY_MIME in data:
            head = data[SUMMARY_MIME]
        elif LOOK_MIME in data:
            look = data[LOOK_MIME]
            looks.setdefault(look["key"], {**look, "figure": ""})
        elif SVG_MIME in data and looks:
            newest = next(reversed(looks.values()))
            figure = allowed_svg("".join(data[SVG_MIME]), newest["key"])
            newest["figure"] = Markup(figure)  # noqa: S704 - checked just above
    return head, list(looks.values())


def _bundles(notebook: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return (output.get("data", {}) for cell in notebook["cells"] for output in cell.get("outputs", []))


def _anchors(summary: dict[str, Any], looks: list[dict[str, Any]]) -> dict[str, str]:
    """Where links lead: a look by its key, a check to the look that shows it, or else to its section."""
    found = {name: name for name in _section_names(looks)}
    found |= {check["key"]: check["section"] for check in summary["checks"]}
    found |= {check: look["key"] for look in looks for check in look["checks"]}
    return found | {look["key"]: look["key"] for look in looks}


def _anchor(link: str, anchors: dict[str, str]) -> str:
    key = link.removeprefix("#")
    return anchors.get(key) or anchors.get(key.split("-", 1)[0], "main")


def _again(section: str, summary: dict[str, Any]) -> str:
    """The command that shows a section's numbers again, from the lake as it was; it asks no source."""
    given = {
        "week": summary["window"]["name"],
        "environment": summary["environment"],
        "source": summary["provenance"]["source"]["source"],
        "lake_version": str(summary["provenance"]["lake"]["rollups"]),
    }
    words = [word for name, value in given.items() for word in ("-p", name, value)]
    return shlex.join(["cloudxai", "run", NOTEBOOKS.get(section, "weekly_report"), *words])


def _trend(tile: dict[str, Any]) -> str:
    if not tile["change_week"] or not tile["good"]:
        return ""
    return "better" if (tile["change_week"] > 0) == (tile["good"] == "up") else "worse"


def _section_names(looks: list[dict[str, Any]]) -> list[str]:
    """The report's sections in order; one that has no look still has its place, and so has one that is new to us."""
    return list(dict.fromkeys([*TITLES, *(look["section"] for look in looks)]))


def _section(name: str, summary: dict[str, Any], looks: list[dict[str, Any]]) -> dict[str, Any]:
    checks = [check for check in summary["checks"] if check["section"] == name]
    return {
        "name": name,
        "title": TITLES.get(name, name.capitalize()),
        "question": QUESTIONS.get(name, ""),
        "status": _worst(check["status"] for check in checks),
        "checks": checks,
        "looks": [look for look in looks if look["section"] == name],
    }


def _worst(statuses: Iterable[str]) -> str:
    found = set(statuses)
    return next((status for status in ("fail", "warn", "unknown", "pass") if status in found), "unknown")


def _glossary(looks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = dict(look["definition"].split(": ", 1) for look in looks if ": " in look["definition"])
    return sorted(found.items())


def _evaluation() -> dict[str, Any] | None:
    return json.loads(EVALUATION.read_text(encoding="utf-8")) if EVALUATION.is_file() else None


def _run(notebook: dict[str, Any]) -> dict[str, Any]:
    """How the notebook was run: its file's hash, versions, seconds, and the parameters but those of this run alone."""
    metadata = notebook.get("metadata", {})
    papermill = metadata.get("papermill", {})
    given = papermill.get("parameters", {})
    return {
        "stamp": metadata.get("cloudxai", {}),
        "seconds": papermill.get("duration"),
        "parameters": {
            name: _CREDENTIALS.sub("", value) if isinstance(value, str) else value
            for name, value in sorted(given.items())
            if name not in ("output", "run")
        },
    }
