"""One weekly report from the source to the page: pull, run the notebook, render, publish."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path

from cloudxai_analysis.errors import CloudxaiError
from cloudxai_analysis.opening import refresh
from cloudxai_analysis.report.page import render
from cloudxai_analysis.report.publish import building, mark_stale, publish
from cloudxai_analysis.report.run import execute
from cloudxai_analysis.settings import find_notebook, load_settings
from cloudxai_analysis.terminal import Steps

NOTEBOOK = "weekly_report"


@dataclass(frozen=True)
class Published:
    """A published report: its verdict, one line a section for the terminal, and where the page lies."""

    status: str
    lines: list[str]
    page: Path


def weekly_report(week: str, *, source: str, environment: str, steps: Steps) -> Published:
    """Pull what is missing, run the weekly notebook, and publish its page; the last good report stays until then.

    Raises
    ------
    CloudxaiError
        Whatever a step raises; a report already published for the window is then marked stale with the reason.
    """
    refreshed = refresh(week, source=source, environment=environment, progress=steps.pull)
    settled, window = refreshed.environment, refreshed.window
    target = settled.reports / window.name
    run = uuid.uuid4().hex
    try:
        with building(target) as folder:
            executed = execute(
                find_notebook(load_settings(), NOTEBOOK),
                {
                    "week": window.name,
                    "source": source,
                    "environment": settled.name,
                    "pull_missing": False,
                    "output": str(folder),
                    "run": run,
                },
                folder,
                seconds=settled.limits.notebook_seconds,
                progress=steps.section,
            )
            page = render(json.loads(executed.read_text(encoding="utf-8")))
            (folder / f"{NOTEBOOK}.html").write_text(page, encoding="utf-8")
            summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            publish(folder, target)
    except CloudxaiError as error:
        mark_stale(target, str(error))
        raise
    return Published(summary["status"], _lines(summary), target / f"{NOTEBOOK}.html")


def _lines(summary: dict) -> list[str]:
    sections: dict[str, list[str]] = {}
    for check in summary["checks"]:
        sections.setdefault(check["section"], []).append(f"{check['status']:>7}  {check['finding']}")
    worst = [f"  {section:<12} {found[0]}" for section, found in sections.items()]
    return [summary["headline"], *worst]
