"""The page: one HTML file without a script or a request, made from an executed notebook and from nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from cloudxai_analysis.errors import NotebookFailed
from cloudxai_analysis.figures.sparkline import sparkline
from cloudxai_analysis.looks.look import LOOK_MIME, SUMMARY_MIME, SVG_MIME
from cloudxai_analysis.report.compare import GROUPS
from cloudxai_analysis.report.svg_check import allowed_svg

_HERE = Path(__file__).parent
_PACKAGE = _HERE.parent
EVALUATION = _PACKAGE / "evaluation.json"
_UNIT = re.compile(r"(\d) (?=(?:%|[A-Z]{3}\b))")
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
    by_check = {check: look["key"] for look in looks for check in look["checks"]}
    return _template().render(
        summary=summary,
        since=head["since"],
        groups=[(group, GROUP_TITLES[group]) for group in GROUPS],
        sections=[_section(name, summary, looks) for name in TITLES],
        by_check=by_check,
        status_of={check["key"]: check["status"] for check in summary["checks"]},
        glossary=_glossary(looks),
        evaluation=_evaluation(),
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        words=WORDS,
        icons={status: Markup(icon) for status, icon in _ICONS.items()},  # noqa: S704 - our own shapes
        sparkline=lambda values: Markup(allowed_svg(sparkline(values))),  # noqa: S704 - checked just there
        parameters=_parameters(notebook),
        summary_hash=hashlib.sha256(json.dumps(summary, sort_keys=True).encode()).hexdigest(),
    )


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=select_autoescape(["html", "jinja"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["day"] = lambda moment: str(moment)[:16].replace("T", " ")
    return environment.get_template("report.html.jinja")


def _unbroken(value: Any) -> Any:
    """A number stays on the line of its unit."""
    return _UNIT.sub("\\1\u00a0", value) if type(value) is str else value


def _outputs(notebook: dict[str, Any]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    head, looks = None, []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if SUMMARY_MIME in data:
                head = data[SUMMARY_MIME]
            elif LOOK_MIME in data:
                looks.append({**data[LOOK_MIME], "figure": ""})
            elif SVG_MIME in data and looks:
                svg = data[SVG_MIME]
                figure = allowed_svg("".join(svg) if isinstance(svg, list) else svg)
                looks[-1]["figure"] = Markup(figure)  # noqa: S704 - checked just above
    return head, looks


def _section(name: str, summary: dict[str, Any], looks: list[dict[str, Any]]) -> dict[str, Any]:
    checks = [check for check in summary["checks"] if check["section"] == name]
    return {
        "name": name,
        "title": TITLES[name],
        "question": QUESTIONS[name],
        "status": _worst(check["status"] for check in checks),
        "checks": checks,
        "looks": [look for look in looks if look["section"] == name],
    }


def _worst(statuses: Any) -> str:
    found = set(statuses)
    return next((status for status in ("fail", "warn", "unknown", "pass") if status in found), "unknown")


def _glossary(looks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = dict(look["definition"].split(": ", 1) for look in looks if ": " in look["definition"])
    return sorted(found.items())


def _evaluation() -> dict[str, Any] | None:
    return json.loads(EVALUATION.read_text(encoding="utf-8")) if EVALUATION.is_file() else None


def _parameters(notebook: dict[str, Any]) -> dict[str, Any]:
    """The run's parameters without what names this run alone: its folder and its identifier."""
    given = notebook.get("metadata", {}).get("papermill", {}).get("parameters", {})
    return {name: value for name, value in sorted(given.items()) if name not in ("output", "run")}
