"""One weekly report from the source to the page: pull, run the notebook, render, publish."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudxai_analysis.cli.terminal import Steps
from cloudxai_analysis.ground.errors import CloudxaiError, NotebookFailed
from cloudxai_analysis.platform.settings import find_notebook, load_settings
from cloudxai_analysis.report.page import render
from cloudxai_analysis.report.publish import building, mark_stale, publish
from cloudxai_analysis.report.run import Kernel, execute, keep_failed, prove_summary
from cloudxai_analysis.study.asked import Asked
from cloudxai_analysis.study.opening import refresh

NOTEBOOK = "weekly_report"


@dataclass(frozen=True)
class Published:
    """A published report: its verdict, one line a section for the terminal, and where the page lies."""

    status: str
    lines: list[str]
    page: Path


def weekly_report(asked: Asked, *, steps: Steps, kernel: Kernel | None = None) -> Published:
    """Pull what is missing, run the weekly notebook, and publish its page; the last good report stays until then.

    Raises
    ------
    CloudxaiError
        Whatever a step raises; a report already published for the window is then marked stale with the reason.
    """
    target = asked.environment.reports / asked.window.name
    run = uuid.uuid4().hex
    try:
        notebook = find_notebook(load_settings(), NOTEBOOK)
        _, source = refresh(asked, progress=steps.pull)
        with building(target) as folder:
            summary = _built(folder, notebook, asked, source, run, steps, kernel)
            publish(folder, target)
    except (CloudxaiError, OSError) as error:
        mark_stale(target, str(error))
        raise
    return Published(summary["status"], _lines(summary), target / f"{NOTEBOOK}.html")


def _built(
    folder: Path, notebook: Path, asked: Asked, source: str, run: str, steps: Steps, kernel: Kernel | None
) -> dict[str, Any]:
    """The report in `folder`: executed notebook, summary, tables and page; gives the summary."""
    settled, window = asked.environment, asked.window
    executed = folder / f"{NOTEBOOK}.ipynb"
    parameters = {
        "week": window.name,
        "source": source,
        "environment": settled.name,
        "pull_missing": False,
        "output": str(folder),
        "run": run,
    }
    try:
        execute(
            notebook,
            parameters,
            executed,
            seconds=settled.limits.notebook_seconds,
            progress=steps.section,
            kernel=kernel,
        )
    except NotebookFailed as error:
        kept = keep_failed(executed, settled.reports / f"{window.name}.failed.ipynb")
        raise NotebookFailed(str(error).replace(str(executed), str(kept))) from None
    summary = prove_summary(folder, run)
    page = render(json.loads(executed.read_text(encoding="utf-8")))
    (folder / f"{NOTEBOOK}.html").write_text(page, encoding="utf-8")
    return summary


def _lines(summary: dict[str, Any]) -> list[str]:
    sections: dict[str, list[str]] = {}
    for check in summary["checks"]:
        sections.setdefault(check["section"], []).append(f"{check['status']:>7}  {check['finding']}")
    worst = [f"  {section:<12} {found[0]}" for section, found in sections.items()]
    return [summary["headline"], *worst]
