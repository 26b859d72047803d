"""What a notebook begins and ends with: the week's headline, and the files that its report is published from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudxai_analysis.cards import (
    alerts,
    cardinality,
    cost,
    drivers,
    incidents,
    readiness,
    rule_quality,
    telemetry,
)
from cloudxai_analysis.cards.card import Headline
from cloudxai_analysis.cards.catalogue import ROWS
from cloudxai_analysis.cards.compare import since, summary_text
from cloudxai_analysis.cards.compose import MAKERS
from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.ground.window import WEEK, week_of
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.csv_cells import write_csv

WEEKS_BACK = 13
# Each has written its makers into the list of all when it was imported.
TOPICS = (telemetry, cardinality, drivers, cost, alerts, rule_quality, readiness, incidents)
# Every card of the page, in its order; each leaves its whole table as a CSV beside the report.
CARDS = tuple(MAKERS[key] for key, row in ROWS.items() if row.page)


def headline(study: Study, *, run: str = "") -> Headline:
    """The week's verdict, tiles and checks, with what changed since the report published for the window before."""
    summary = summarise(study)
    return Headline(summary, run, since(summary, list(_earlier(study))), _plain(study.environment.evaluation))


def _earlier(study: Study) -> Iterator[dict[str, Any]]:
    """The summaries published for the weeks before, newest first, as far back as none is missing."""
    week = week_of(study.window.start)
    for _ in range(WEEKS_BACK):
        week = week_of(week.start - WEEK)
        published = _plain(study.environment.reports / week.name / "summary.json")
        if published is None:
            # None was published, or what was is damaged: the chain of weeks to compare with ends there.
            return
        yield published


def _plain(file: Path) -> dict[str, Any] | None:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_summary(study: Study, *, output: str = "", run: str = "") -> str:
    """Write `summary.json`, `run.json` and `data/*.csv` into the folder `output`, and say so; '' writes nothing."""
    if not output:
        return "Nothing written: no output folder was given."
    folder = Path(output)
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    for card in (make(study) for make in CARDS):
        write_csv(card.table, data / card.csv)
    (folder / "summary.json").write_text(summary_text(summarise(study)), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps({"run": run}) + "\n", encoding="utf-8")
    return f"Written: summary.json and {len(CARDS)} tables."
