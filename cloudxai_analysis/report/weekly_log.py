"""The platform's own log of the weeks, in Markdown: one file a week, never written over."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from cloudxai_analysis.cards.summary import summary_sha256
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.files import make_folder, replace_whole, sync, unfinished_name, written
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.entries import Observation
from cloudxai_analysis.platform.settings import Environment, project_folder
from cloudxai_analysis.report.digest import page_of, read_summary
from cloudxai_analysis.report.page import template_of
from cloudxai_analysis.words.phrases import count

_MARK = re.compile(r"<!-- content ([0-9a-f]{64}) -->\s*\Z")


def write_weekly_log(environment: Environment, window: Window, *, by: str, ci: str = "") -> tuple[Path, bool]:
    """The newest file of a week's log, and whether it was written now; nothing is where it would say the same.

    Raises as `read_summary`; LakeDamaged (the ledger), LakeUnwritable.
    """
    template, facts = template_of("weekly_log.md.jinja"), _facts(environment, window, ci=ci)
    content = hashlib.sha256(template.render(facts, by="", corrects="").encode(errors="replace")).hexdigest()
    own = environment.settings.weekly_log
    folder = project_folder() / own if own else environment.folder / "weekly-log"
    with written(f"The weekly log in {folder}"):
        make_folder(folder)
        before, file, number = None, folder / f"{window.name}.md", 0
        while file.exists():
            before, number = file, number + 1
            file = folder / f"{window.name}.correction-{number}.md"
        found = _MARK.search(before.read_text(encoding="utf-8", errors="replace")) if before else None
        if before and found and found[1] == content:
            return before, False
        text = template.render(facts, by=by, corrects=before.name if before else "")
        text += f"\n<!-- content {content} -->\n"
        unfinished = file.with_name(unfinished_name(file.name))
        replace_whole(unfinished, text.encode(errors="replace"), mode=0o666)
        os.link(unfinished, file)  # never over another
        sync(folder)
        unfinished.unlink()
    return file, True


def ci_of(junit: Path) -> str:
    """How CI ended, by its JUnit XML; raises UsageError where it is none."""
    from junitparser import JUnitXml

    try:
        run = JUnitXml.fromstring(junit.read_bytes())
        run.update_statistics()
        bad = run.failures + run.errors
    except Exception as error:  # it may be of any form, and junitparser raises of any kind
        raise UsageError(f"CI file {junit} is no JUnit XML: {error}. Give another --ci-file.") from None
    return f"{'failed' if bad else 'passed'}: {count(run.tests, 'test')}, {bad:,} failed, {run.skipped:,} skipped"


def _facts(environment: Environment, window: Window, *, ci: str) -> dict[str, Any]:
    """What the week's report and the ledger say."""
    said, ledger = read_summary(environment, window.name), Ledger.of(environment)
    standing = ledger.standing()
    return {
        **{"said": said, "sha256": summary_sha256(said), "page": page_of(environment, window.name), "ci": ci},
        "fired": Counter(alert["alertname"] for alert in said["template"]["alerts"]),
        "rules": [name for name, rule in environment.contract.alerts.items() if rule.topic == "readiness"],
        "days": [day for day in ledger.days() if window.start.date() <= day.date < window.end.date()],
        "incidents": [
            one
            for one in sorted(standing.incidents(), key=lambda one: one.start)
            if one.start < window.end and (one.end is None or one.end > window.start)
        ],
        "notes": [one for one in standing.counting(Observation) if one.at in window],
    }
